//! Response heads.

use std::fmt;
use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};

use crate::connection::Options;
use crate::field::{FieldBlock, FieldSpan, Kind, Span, share};
use crate::framing::FramingFields;
use crate::request::is_one_protocol;
use crate::scan::{Scan, block_end};
use crate::{BodyFraming, Limits, MAX_HEADERS, Refusal, Version, diagnose};

/// A complete, judged response head. It shares one frozen buffer.
#[derive(Clone)]
pub struct ResponseHead {
    fields: FieldBlock,
    status: u16,
    reason: Span,
    upgrade: Option<Span>,
    version: Version,
    framing: BodyFraming,
    content_length: Option<u64>,
    keep_alive: bool,
}

/// Takes one response head from the front of `buf`. `Ok(None)` asks for more bytes and takes none.
///
/// `request_method` decides whether a body follows. Informational heads (1xx) are given as they come: the
/// caller reads on until a final one, except after 101, which ends HTTP on the connection.
pub fn parse_response(
    buf: &mut BytesMut,
    limits: &Limits,
    request_method: &[u8],
) -> Result<Option<ResponseHead>, Refusal> {
    match buf.first() {
        None => return Ok(None),
        Some(b'H') => {}
        Some(_) => return Err(Refusal::StatusLine),
    }
    let end = match block_end(buf, limits.head_bytes)? {
        Scan::Complete(end) => end,
        Scan::Partial => return Ok(None),
        Scan::TooLarge { .. } => return Err(Refusal::HeadTooLarge),
    };
    let (head, spans, nominates) = read(buf.get(..end).unwrap_or_default(), limits, request_method)?;
    let fields = FieldBlock::new(buf.split_to(end).freeze(), spans, nominates);
    Ok(Some(ResponseHead { fields, ..head }))
}

fn read(
    head: &[u8],
    limits: &Limits,
    method: &[u8],
) -> Result<(ResponseHead, Box<[FieldSpan]>, bool), Refusal> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let room = room.get_mut(..limits.headers.min(MAX_HEADERS)).unwrap_or_default();
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, head, room) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooManyHeaders),
        _ => return Err(diagnose::response(head)),
    }
    let (Some(status), Some(minor)) = (response.code, response.version) else {
        return Err(Refusal::StatusLine);
    };
    if status < 100 {
        return Err(Refusal::StatusLine);
    }
    let version = if minor == 1 { Version::Http11 } else { Version::Http10 };
    let spans: Box<[_]> = response.headers.iter().map(|header| FieldSpan::of(head, header)).collect();
    let facts = Facts::gather(response.headers, &spans)?;
    // Judged also where no body follows: what an upstream garbles once it garbles again.
    let declared = facts.framing.declared(version)?;
    let framing = framing(status, method, declared)?;
    let parsed = ResponseHead {
        fields: FieldBlock::default(),
        status,
        reason: reason(head),
        upgrade: facts.upgrade(version).map(|upgrade| Span::within(head, upgrade)),
        version,
        framing,
        content_length: match declared {
            BodyFraming::Length(length) => Some(length),
            _ => None,
        },
        keep_alive: framing != BodyFraming::UntilClose
            && facts.connection.keeps_alive(version == Version::Http11),
    };
    Ok((parsed, spans, facts.connection.nominates))
}

/// RFC 9112, section 6.3, where a message that may not have a body must not announce one either.
fn framing(status: u16, method: &[u8], declared: BodyFraming) -> Result<BodyFraming, Refusal> {
    match status {
        100..=199 | 204 if !declared.is_empty() => Err(Refusal::BodyForbidden),
        100..=199 | 204 | 304 => Ok(BodyFraming::None),
        _ if method == b"HEAD" => Ok(BodyFraming::None),
        200..=299 if method == b"CONNECT" => Ok(BodyFraming::None),
        _ if declared == BodyFraming::None => Ok(BodyFraming::UntilClose),
        _ => Ok(declared),
    }
}

/// The reason begins after `HTTP/1.1 200 `; the tokenizer gives no place for one with obs-text.
fn reason(head: &[u8]) -> Span {
    const START: usize = b"HTTP/1.1 200 ".len();
    let end = memchr::memchr(b'\r', head).unwrap_or(START);
    Span::new(START..end.max(START))
}

#[derive(Default)]
struct Facts<'a> {
    framing: FramingFields<'a>,
    upgrade: Option<&'a [u8]>,
    connection: Options,
}

impl<'a> Facts<'a> {
    fn gather(headers: &[httparse::Header<'a>], spans: &[FieldSpan]) -> Result<Self, Refusal> {
        let mut facts = Self::default();
        for (header, span) in headers.iter().zip(spans) {
            match span.kind() {
                Kind::ContentLength => facts.framing.add_content_length(header.value),
                Kind::TransferEncoding => facts.framing.add_transfer_encoding(header.value),
                Kind::Connection => facts.connection.add(header.value, false)?,
                Kind::Upgrade => {
                    facts.upgrade = if facts.upgrade.is_some() { Some(b",") } else { Some(header.value) }
                }
                Kind::Lookalike => return Err(Refusal::FramingLookalike),
                _ => {}
            }
        }
        Ok(facts)
    }

    fn upgrade(&self, version: Version) -> Option<&'a [u8]> {
        let said = self.connection.upgrade && version == Version::Http11;
        self.upgrade.filter(|protocol| said && is_one_protocol(protocol))
    }
}

impl ResponseHead {
    /// The status code, 100 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase as received, often empty.
    pub fn reason(&self) -> &[u8] {
        self.reason.of(self.fields.bytes())
    }

    /// Whether this is an interim head (1xx) before the final one. 101 is final.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// The version that the upstream speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All fields, for lookups, iteration and sharing.
    pub fn fields(&self) -> &FieldBlock {
        &self.fields
    }

    /// (name, value) of all fields as received.
    pub fn headers(&self) -> crate::Fields<'_> {
        self.fields.iter()
    }

    /// The value of the first field of that name, case aside.
    pub fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.value(name)
    }

    /// The fields for the client; see [`FieldBlock::end_to_end`].
    pub fn end_to_end(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.end_to_end()
    }

    /// How the body that follows ends.
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// The length stated, also where no body follows (`HEAD`, 304) and the client still wants to know it.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether the connection can be used again after the body.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The protocol switched to (101) or offered.
    pub fn upgrade(&self) -> Option<&[u8]> {
        self.upgrade.map(|upgrade| upgrade.of(self.fields.bytes()))
    }

    /// A part got from this head that shares its buffer instead of copying.
    pub fn share(&self, part: &[u8]) -> Bytes {
        share(self.fields.bytes(), part)
    }
}

/// Without values: they may hold credentials.
impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version", &self.version)
            .field("framing", &self.framing)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
