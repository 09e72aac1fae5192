//! Header and trailer fields: ranges into one shared, frozen buffer.

use std::fmt;

use bytes::Bytes;

use crate::connection::is_nominated;
use crate::octet::{self, TOKEN};
use crate::{MAX_HEADERS, Refusal};

/// A block of fields as received: in order, names in their received case, values trimmed.
#[derive(Clone, Default)]
pub struct FieldBlock {
    bytes: Bytes,
    spans: Box<[FieldSpan]>,
    /// A `Connection` value names further fields, so that [`FieldBlock::end_to_end`] has to look them up.
    nominates: bool,
}

/// Iterates over (name, value) of every field.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, FieldSpan>,
}

/// A part of the frozen buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpan {
    name: Span,
    value: Span,
    kind: Kind,
}

/// The fields that the codec itself reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Other,
    Host,
    Expect,
    ContentLength,
    TransferEncoding,
    Connection,
    Upgrade,
    Te,
    /// Further fields of this hop.
    Hop,
    /// Becomes a framing field where `_` and `-` are folded.
    Lookalike,
}

/// Judges the bytes of one field, by the rules that hold in HTTP/1.1 and HTTP/2: the name a token, the value
/// without controls and without surrounding white space.
pub fn check_field(name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    check_name(name)?;
    check_value(value)?;
    if octet::trim(value).len() != value.len() {
        return Err(Refusal::FieldValue);
    }
    Ok(())
}

pub(crate) fn check_name(name: &[u8]) -> Result<(), Refusal> {
    if name.is_empty() || !octet::all(name, TOKEN) {
        return Err(Refusal::FieldName);
    }
    Ok(())
}

pub(crate) fn check_value(value: &[u8]) -> Result<(), Refusal> {
    if octet::is_field(value) { Ok(()) } else { Err(Refusal::ControlByte) }
}

impl FieldBlock {
    pub(crate) fn new(bytes: Bytes, spans: Box<[FieldSpan]>, nominates: bool) -> Self {
        Self { bytes, spans, nominates }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Every field in order.
    pub fn iter(&self) -> Fields<'_> {
        Fields { bytes: &self.bytes, spans: self.spans.iter() }
    }

    /// The value of the first field of that name, case aside.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The values of all fields of that name, case aside.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The fields for the next hop: without those of this hop (see [`crate::is_hop_by_hop`]) and without the
    /// framing fields, which the writer states itself. `Host` and `Expect` are among them.
    pub fn end_to_end(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.spans
            .iter()
            .filter(|span| !span.kind.is_hop_by_hop() && span.kind != Kind::ContentLength)
            .map(|span| (span.name.of(&self.bytes), span.value.of(&self.bytes)))
            .filter(|(name, _)| !self.nominates || !is_nominated(name, self.connection()))
    }

    /// A part of this block (a name or a value got from it) that shares the buffer instead of copying.
    /// Anything else is copied.
    pub fn share(&self, part: &[u8]) -> Bytes {
        share(&self.bytes, part)
    }

    fn connection(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.of_kind(Kind::Connection)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &[u8]> + Clone {
        self.spans.iter().filter(move |span| span.kind == kind).map(|span| span.value.of(&self.bytes))
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        Some((span.name.of(self.bytes), span.value.of(self.bytes)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl<'a> IntoIterator for &'a FieldBlock {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

/// Names only: values may be credentials.
impl fmt::Debug for FieldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

impl Span {
    pub fn new(range: std::ops::Range<usize>) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: narrow(range.start), len: narrow(range.end.saturating_sub(range.start)) }
    }

    /// Where `part` lies in `whole`; parts come from a tokenizer that ran over `whole`.
    pub fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Self::new(start..start.wrapping_add(part.len()))
    }

    /// The part; empty where the buffer is another one.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }
}

impl FieldSpan {
    pub fn kind(self) -> Kind {
        self.kind
    }

    pub fn of(whole: &[u8], header: &httparse::Header<'_>) -> Self {
        let name = header.name.as_bytes();
        Self {
            name: Span::within(whole, name),
            value: Span::within(whole, header.value),
            kind: Kind::of(name),
        }
    }
}

impl Kind {
    pub fn of(name: &[u8]) -> Self {
        let Some(first) = name.first() else { return Self::Other };
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match (name.len(), first.to_ascii_lowercase()) {
            (2, b't') if is(b"te") => Self::Te,
            (4, b'h') if is(b"host") => Self::Host,
            (6, b'e') if is(b"expect") => Self::Expect,
            (7, b'u') if is(b"upgrade") => Self::Upgrade,
            (10, b'c') if is(b"connection") => Self::Connection,
            (10, b'k') if is(b"keep-alive") => Self::Hop,
            (14, b'c') if is(b"content-length") => Self::ContentLength,
            (14, b'c') if folded_is(name, b"content-length") => Self::Lookalike,
            (14, b'h') if is(b"http2-settings") => Self::Hop,
            (16, b'p') if is(b"proxy-connection") => Self::Hop,
            (17, b't') if is(b"transfer-encoding") => Self::TransferEncoding,
            (17, b't') if folded_is(name, b"transfer-encoding") => Self::Lookalike,
            (18, b'p') if is(b"proxy-authenticate") => Self::Hop,
            (19, b'p') if is(b"proxy-authorization") => Self::Hop,
            _ => Self::Other,
        }
    }

    pub const fn is_hop_by_hop(self) -> bool {
        matches!(self, Self::Connection | Self::Hop | Self::Te | Self::TransferEncoding | Self::Upgrade)
    }
}

/// Names of equal length, `_` and other separators that gateways fold taken for `-`.
fn folded_is(name: &[u8], wanted: &[u8]) -> bool {
    name.iter().zip(wanted).all(|(octet, wanted)| {
        octet.eq_ignore_ascii_case(wanted) || (*wanted == b'-' && !octet.is_ascii_alphanumeric())
    })
}

/// `part` as a slice of `bytes` where it lies within, a copy otherwise.
pub(crate) fn share(bytes: &Bytes, part: &[u8]) -> Bytes {
    let start = (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
    match start.checked_add(part.len()) {
        Some(end) if end <= bytes.len() => bytes.slice(start..end),
        _ => Bytes::copy_from_slice(part),
    }
}

/// Fields that a trailer block cannot carry: they frame, route, authenticate or describe the content (RFC
/// 9110, 6.5.1).
const NEVER_TRAILERS: &[&[u8]] = &[
    b"age",
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"date",
    b"expires",
    b"forwarded",
    b"location",
    b"max-forwards",
    b"range",
    b"set-cookie",
    b"trailer",
    b"vary",
    b"www-authenticate",
];

pub(crate) fn check_trailer_name(name: &[u8]) -> Result<(), Refusal> {
    let odd =
        Kind::of(name) != Kind::Other || NEVER_TRAILERS.iter().any(|never| never.eq_ignore_ascii_case(name));
    if odd { Err(Refusal::TrailerField) } else { Ok(()) }
}

/// Reads a complete trailer block, its empty line included.
pub(crate) fn parse_trailers(bytes: Bytes, most: usize) -> Result<FieldBlock, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let room = headers.get_mut(..most.min(MAX_HEADERS)).unwrap_or_default();
    match httparse::parse_headers(&bytes, room) {
        Ok(httparse::Status::Complete((len, fields))) if len == bytes.len() => {
            fields.iter().try_for_each(|field| check_trailer_name(field.name.as_bytes()))?;
            let spans = fields.iter().map(|field| FieldSpan::of(&bytes, field)).collect();
            Ok(FieldBlock::new(bytes, spans, false))
        }
        Err(httparse::Error::TooManyHeaders) => Err(Refusal::TrailersTooLarge),
        _ => Err(crate::diagnose::fields(&bytes)),
    }
}

#[cfg(test)]
mod tests;
