//! Request heads.

use std::fmt;
use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};

use crate::connection::Options;
use crate::field::{FieldBlock, FieldSpan, Kind, Span, share};
use crate::framing::FramingFields;
use crate::scan::{Scan, block_end};
use crate::target::{self, TargetForm, same_host};
use crate::{BodyFraming, Limits, MAX_HEADERS, Refusal, check_host, check_method, diagnose};

/// The version of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Http10,
    Http11,
}

/// A complete, judged request head. It shares one frozen buffer; cloning it or parts of it copies no text.
#[derive(Clone)]
pub struct RequestHead {
    fields: FieldBlock,
    method: Span,
    target: Span,
    path: Span,
    query: Option<Span>,
    host: Option<Span>,
    upgrade: Option<Span>,
    form: TargetForm,
    version: Version,
    framing: BodyFraming,
    keep_alive: bool,
    expect_continue: bool,
    te_trailers: bool,
}

/// Takes one request head from the front of `buf`. `Ok(None)` asks for more bytes and takes none.
///
/// One CRLF before the request line is passed over (RFC 9112, section 2.2). After a refusal the connection
/// cannot be used further: where the next message begins is unknown.
pub fn parse_request(buf: &mut BytesMut, limits: &Limits) -> Result<Option<RequestHead>, Refusal> {
    let skip = match buf.as_ref() {
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    let head = buf.get(skip..).unwrap_or_default();
    match head {
        [] | [b'\r'] => return Ok(None),
        [b'\n', ..] => return Err(Refusal::BareLf),
        [b'\r', second, ..] if *second != b'\n' => return Err(Refusal::BareCr),
        // Early, so that a TLS hello or other noise is not waited upon.
        [first, ..] if !first.is_ascii_graphic() => return Err(Refusal::RequestLine),
        _ => {}
    }
    let end = match block_end(head, limits.head_bytes)? {
        Scan::Complete(end) => end,
        Scan::Partial => return Ok(None),
        Scan::TooLarge { first_line: true } => return Err(Refusal::TargetTooLong),
        Scan::TooLarge { first_line: false } => return Err(Refusal::HeadTooLarge),
    };
    let parsed = read(head.get(..end).unwrap_or_default(), limits)?;
    buf.advance(skip);
    Ok(Some(parsed.freeze(buf.split_to(end).freeze())))
}

/// A head that is judged but does not own its bytes yet.
struct Parsed {
    head: RequestHead,
    spans: Box<[FieldSpan]>,
    nominates: bool,
}

impl Parsed {
    fn freeze(self, bytes: Bytes) -> RequestHead {
        RequestHead { fields: FieldBlock::new(bytes, self.spans, self.nominates), ..self.head }
    }
}

fn read(head: &[u8], limits: &Limits) -> Result<Parsed, Refusal> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let room = room.get_mut(..limits.headers.min(MAX_HEADERS)).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, room) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooManyHeaders),
        _ => return Err(diagnose::request(head)),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refusal::RequestLine);
    };
    let version = if minor == 1 { Version::Http11 } else { Version::Http10 };
    let (method, target) = (method.as_bytes(), target.as_bytes());
    check_method(method)?;
    if target.len() > limits.target_bytes {
        return Err(Refusal::TargetTooLong);
    }
    let parts = target::parse(method, target)?;
    let spans: Box<[_]> = request.headers.iter().map(|header| FieldSpan::of(head, header)).collect();
    let facts = Facts::gather(request.headers, &spans)?;
    let host = facts.host(version)?;
    if let Some(authority) = &parts.authority {
        // Without `Host` a proxy behind may take the target's authority or none.
        let host = host.ok_or(Refusal::HostMissing)?;
        if !same_host(host, target.get(authority.range.clone()).unwrap_or_default(), authority.default_port) {
            return Err(Refusal::HostMismatch);
        }
    }
    if facts.connection.close && facts.connection.keep_alive {
        return Err(Refusal::ConnectionOption);
    }
    let offset = method.len() + 1;
    let shift = |range: std::ops::Range<usize>| Span::new(range.start + offset..range.end + offset);
    Ok(Parsed {
        head: RequestHead {
            fields: FieldBlock::default(),
            method: Span::new(0..method.len()),
            target: shift(0..target.len()),
            path: shift(parts.path),
            query: parts.query.map(shift),
            host: match &parts.authority {
                Some(authority) => Some(shift(authority.range.clone())),
                None => host.map(|host| Span::within(head, host)),
            },
            upgrade: facts.upgrade(version).map(|upgrade| Span::within(head, upgrade)),
            form: parts.form,
            version,
            framing: facts.framing.declared(version)?,
            keep_alive: facts.connection.keeps_alive(version == Version::Http11),
            expect_continue: facts.expect_continue && version == Version::Http11,
            te_trailers: facts.te_trailers,
        },
        spans,
        nominates: facts.connection.nominates,
    })
}

/// What the fields of one head say about the message, gathered in one pass.
#[derive(Default)]
struct Facts<'a> {
    host: Option<&'a [u8]>,
    framing: FramingFields<'a>,
    upgrade: Option<&'a [u8]>,
    connection: Options,
    expect_continue: bool,
    te_trailers: bool,
}

impl<'a> Facts<'a> {
    fn gather(headers: &[httparse::Header<'a>], spans: &[FieldSpan]) -> Result<Self, Refusal> {
        let mut facts = Self::default();
        for (header, span) in headers.iter().zip(spans) {
            match span.kind() {
                Kind::Other | Kind::Hop => {}
                Kind::Host if facts.host.is_some() => return Err(Refusal::HostRepeated),
                Kind::Host => facts.host = Some(header.value),
                Kind::ContentLength => facts.framing.add_content_length(header.value),
                Kind::TransferEncoding => facts.framing.add_transfer_encoding(header.value),
                Kind::Connection => facts.connection.add(header.value, true)?,
                // Two `Upgrade` fields are a list, and of a list no protocol is chosen.
                Kind::Upgrade => {
                    facts.upgrade = if facts.upgrade.is_some() { Some(b",") } else { Some(header.value) }
                }
                Kind::Te => facts.te_trailers |= header.value.eq_ignore_ascii_case(b"trailers"),
                Kind::Expect
                    if facts.expect_continue || !header.value.eq_ignore_ascii_case(b"100-continue") =>
                {
                    return Err(Refusal::ExpectUnknown);
                }
                Kind::Expect => facts.expect_continue = true,
                Kind::Lookalike => return Err(Refusal::FramingLookalike),
            }
        }
        Ok(facts)
    }

    fn host(&self, version: Version) -> Result<Option<&'a [u8]>, Refusal> {
        match self.host {
            Some(host) => check_host(host).map(|()| Some(host)),
            None if version == Version::Http10 => Ok(None),
            None => Err(Refusal::HostMissing),
        }
    }

    fn upgrade(&self, version: Version) -> Option<&'a [u8]> {
        let asked = self.connection.upgrade && version == Version::Http11;
        self.upgrade.filter(|protocol| asked && is_one_protocol(protocol))
    }
}

/// Whether the value names one protocol that can be switched to. `h2c` cannot: HTTP/2 starts by prior
/// knowledge or ALPN (RFC 9113), and a tunnelled `h2c` would pass requests that nobody judges.
pub(crate) fn is_one_protocol(value: &[u8]) -> bool {
    let token = |part: &[u8]| !part.is_empty() && crate::octet::all(part, crate::octet::TOKEN);
    let mut parts = value.splitn(2, |octet| *octet == b'/');
    !value.eq_ignore_ascii_case(b"h2c")
        && !value.eq_ignore_ascii_case(b"h2")
        && parts.all(token)
        && !value.is_empty()
}

impl RequestHead {
    /// The method, upper case.
    pub fn method(&self) -> &[u8] {
        self.part(self.method)
    }

    /// The target as received.
    pub fn target(&self) -> &[u8] {
        self.part(self.target)
    }

    /// The form in which the target was received.
    pub fn target_form(&self) -> TargetForm {
        self.form
    }

    /// The path as received, percent-encoding included; `/` where an absolute-form target has none, `*` for
    /// `OPTIONS *`.
    pub fn path(&self) -> &[u8] {
        match self.part(self.path) {
            [] => b"/",
            path => path,
        }
    }

    /// The query without `?`.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|query| self.part(query))
    }

    /// The target for an upstream: path and query in origin-form, or `*`.
    pub fn path_and_query(&self) -> &[u8] {
        let target = self.target();
        match self.form {
            TargetForm::Origin | TargetForm::Asterisk => target,
            TargetForm::Absolute => {
                let query = self.query().map_or(0, |query| query.len() + 1);
                let len = self.part(self.path).len() + query;
                match target.get(target.len().saturating_sub(len)..) {
                    Some([]) | None => b"/",
                    Some(origin) => origin,
                }
            }
        }
    }

    /// The version that the client speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The authority asked for: of an absolute-form target, or else of `Host`. Only HTTP/1.0 requests may
    /// have none.
    pub fn host(&self) -> Option<&[u8]> {
        self.host.map(|host| self.part(host))
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

    /// The fields for the next hop; see [`FieldBlock::end_to_end`].
    pub fn end_to_end(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.end_to_end()
    }

    /// How the body ends: never [`BodyFraming::UntilClose`].
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// Whether the client allows another request on the connection.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn expect_continue(&self) -> bool {
        self.expect_continue
    }

    /// Whether the client accepts trailers (`TE: trailers`).
    pub fn te_trailers(&self) -> bool {
        self.te_trailers
    }

    /// The protocol to switch to, as in `websocket`. A list and `h2c` are never switched to.
    pub fn upgrade(&self) -> Option<&[u8]> {
        self.upgrade.map(|upgrade| self.part(upgrade))
    }

    /// A part got from this head that shares its buffer instead of copying.
    pub fn share(&self, part: &[u8]) -> Bytes {
        share(self.fields.bytes(), part)
    }

    /// The head as received.
    pub fn as_bytes(&self) -> &Bytes {
        self.fields.bytes()
    }

    fn part(&self, span: Span) -> &[u8] {
        span.of(self.fields.bytes())
    }
}

/// Without query and values: they may hold credentials.
impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &String::from_utf8_lossy(self.method()))
            .field("path", &String::from_utf8_lossy(self.path()))
            .field("version", &self.version)
            .field("framing", &self.framing)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
