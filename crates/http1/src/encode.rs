//! The writer: one spelling for every message, and no byte that could move a boundary.
//!
//! It takes pieces, so that heads which came over HTTP/2 are written by the same rules. A refused head leaves
//! the output as it was.

use bytes::{BufMut, BytesMut};

use crate::field::{Kind, check_name, check_trailer_name, check_value};
use crate::octet::{self, VISIBLE};
use crate::{BodyFraming, Refusal, check_host, check_method};

/// The interim response that lets a client send the body it holds back.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes a request head in HTTP/1.1. The writer states the framing: `fields` may hold neither
/// `Content-Length` nor `Transfer-Encoding`, and exactly one valid `Host`. Fields of this hop (`Connection`,
/// `Upgrade`, `TE`) are the caller's to choose.
pub fn write_request_head<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    out: &mut BytesMut,
    method: &[u8],
    target: &[u8],
    fields: impl IntoIterator<Item = (N, V)>,
    framing: BodyFraming,
) -> Result<(), Refusal> {
    check_method(method)?;
    if !octet::is_visible(target) {
        let odd = target.iter().find(|octet| octet::class(**octet) & VISIBLE == 0);
        return Err(odd.map_or(Refusal::TargetByte, |octet| crate::path::odd_octet(*octet)));
    }
    if target.is_empty() {
        return Err(Refusal::TargetForm);
    }
    if framing == BodyFraming::UntilClose {
        return Err(Refusal::FramingField);
    }
    atomically(out, |out| {
        put(out, &[method, b" ", target, b" HTTP/1.1\r\n"]);
        let mut hosts = 0;
        for (name, value) in fields {
            let (name, value) = (name.as_ref(), octet::trim(value.as_ref()));
            if write_field(out, name, value)? == Kind::Host {
                check_host(value)?;
                hosts += 1;
            }
        }
        match hosts {
            0 => return Err(Refusal::HostMissing),
            1 => {}
            _ => return Err(Refusal::HostRepeated),
        }
        finish_head(out, framing);
        Ok(())
    })
}

/// Writes a response head in HTTP/1.1. The writer states the framing, as for requests; an empty `reason`
/// becomes the registered one. For a response to `HEAD` give the framing of the body that is not sent.
pub fn write_response_head<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    out: &mut BytesMut,
    status: u16,
    reason: &[u8],
    fields: impl IntoIterator<Item = (N, V)>,
    framing: BodyFraming,
) -> Result<(), Refusal> {
    if !(100..=999).contains(&status) {
        return Err(Refusal::Status);
    }
    if matches!(status, 100..=199 | 204) && framing != BodyFraming::None {
        return Err(Refusal::BodyForbidden);
    }
    if !octet::is_field(reason) {
        return Err(Refusal::ControlByte);
    }
    let reason = if reason.is_empty() { canonical_reason(status).as_bytes() } else { reason };
    atomically(out, |out| {
        put(out, &[b"HTTP/1.1 "]);
        put_decimal(out, u64::from(status));
        put(out, &[b" ", reason, b"\r\n"]);
        for (name, value) in fields {
            write_field(out, name.as_ref(), octet::trim(value.as_ref()))?;
        }
        finish_head(out, framing);
        Ok(())
    })
}

/// Writes the line before the data of a chunk; [`CHUNK_END`] follows the data. A size of zero would end the
/// body and writes nothing: callers skip empty pieces.
pub fn write_chunk_head(out: &mut BytesMut, size: usize) {
    if size > 0 {
        put_hexadecimal(out, size as u64);
        put(out, &[b"\r\n"]);
    }
}

/// Writes one whole chunk; nothing for empty data.
pub fn write_chunk(out: &mut BytesMut, data: &[u8]) {
    if !data.is_empty() {
        out.reserve(data.len() + 20);
        write_chunk_head(out, data.len());
        put(out, &[data, CHUNK_END]);
    }
}

/// Writes the last chunk of a body without trailers.
pub fn write_last_chunk(out: &mut BytesMut) {
    put(out, &[LAST_CHUNK]);
}

/// Writes the last chunk and the trailers.
pub fn write_trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    out: &mut BytesMut,
    trailers: impl IntoIterator<Item = (N, V)>,
) -> Result<(), Refusal> {
    atomically(out, |out| {
        put(out, &[b"0\r\n"]);
        for (name, value) in trailers {
            check_trailer_name(name.as_ref())?;
            write_field(out, name.as_ref(), octet::trim(value.as_ref()))?;
        }
        put(out, &[b"\r\n"]);
        Ok(())
    })
}

/// Writes one body and holds it to its framing: no byte more, no byte less.
#[derive(Debug)]
pub struct BodyEncoder {
    framing: BodyFraming,
    done: bool,
}

impl BodyEncoder {
    /// An encoder for the body that follows a head with that framing.
    pub const fn new(framing: BodyFraming) -> Self {
        Self { framing, done: false }
    }

    /// Writes a piece of the body; nothing for an empty one.
    pub fn encode(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        let end = self.begin(data.len(), out)?;
        put(out, &[data, end]);
        Ok(())
    }

    /// Writes what precedes a piece of `len` bytes and returns what must follow it, for callers that send the
    /// data itself from where it lies.
    pub fn begin(&mut self, len: usize, out: &mut BytesMut) -> Result<&'static [u8], Refusal> {
        if len == 0 {
            return Ok(b"");
        }
        if self.done {
            return Err(Refusal::BodyLength);
        }
        match &mut self.framing {
            BodyFraming::None => Err(Refusal::BodyLength),
            BodyFraming::Length(left) => {
                *left = left.checked_sub(len as u64).ok_or(Refusal::BodyLength)?;
                Ok(b"")
            }
            BodyFraming::Chunked => {
                write_chunk_head(out, len);
                Ok(CHUNK_END)
            }
            BodyFraming::UntilClose => Ok(b""),
        }
    }

    /// Ends the body. Only chunked bodies carry trailers; elsewhere they are dropped. After a body until
    /// close the caller closes.
    pub fn finish<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        trailers: impl IntoIterator<Item = (N, V)>,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        match self.framing {
            _ if self.done => return Err(Refusal::BodyLength),
            BodyFraming::Length(left) if left > 0 => return Err(Refusal::BodyLength),
            BodyFraming::Chunked => write_trailers(out, trailers)?,
            BodyFraming::None | BodyFraming::Length(_) | BodyFraming::UntilClose => {}
        }
        self.done = true;
        Ok(())
    }

    /// Whether the body was ended.
    pub const fn is_done(&self) -> bool {
        self.done
    }
}

/// The registered reason phrase, empty for others.
pub const fn canonical_reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "",
    }
}

/// Writes a field whose framing is not the writer's own business.
fn write_field(out: &mut BytesMut, name: &[u8], value: &[u8]) -> Result<Kind, Refusal> {
    check_name(name)?;
    check_value(value)?;
    let kind = Kind::of(name);
    match kind {
        Kind::ContentLength | Kind::TransferEncoding => return Err(Refusal::FramingField),
        Kind::Lookalike => return Err(Refusal::FramingLookalike),
        _ => {}
    }
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(kind)
}

fn finish_head(out: &mut BytesMut, framing: BodyFraming) {
    match framing {
        BodyFraming::None | BodyFraming::UntilClose => {}
        BodyFraming::Length(length) => {
            put(out, &[b"content-length: "]);
            put_decimal(out, length);
            put(out, &[b"\r\n"]);
        }
        BodyFraming::Chunked => put(out, &[b"transfer-encoding: chunked\r\n"]),
    }
    put(out, &[b"\r\n"]);
}

fn atomically(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let before = out.len();
    write(out).inspect_err(|_| out.truncate(before))
}

fn put(out: &mut BytesMut, parts: &[&[u8]]) {
    out.reserve(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.put_slice(part));
}

fn put_decimal(out: &mut BytesMut, value: u64) {
    put_digits(out, value, 10);
}

fn put_hexadecimal(out: &mut BytesMut, value: u64) {
    put_digits(out, value, 16);
}

fn put_digits(out: &mut BytesMut, mut value: u64, radix: u64) {
    let mut digits = [0; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        let digit = (value % radix) as u8;
        *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        used += 1;
        value /= radix;
        if value == 0 {
            break;
        }
    }
    put(out, &[digits.get(digits.len() - used..).unwrap_or_default()]);
}

#[cfg(test)]
mod tests;
