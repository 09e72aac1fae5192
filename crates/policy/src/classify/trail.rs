//! Where in the bytes each hit stands, for who wants to change them (`redact`); off unless asked for.
//!
//! Values are slices of the scanned bytes, so that their place is told by their address; a value whose escapes were resolved
//! first is told by its place in the resolved text and by the raw text that it was made of.

use probity_model::DataClass;

use super::fields::NodeId;

/// Most hits of one scan whose places are kept; with more the trail is [`Trail::lost`].
pub const MAX_FOUND: usize = 8192;
/// Longest key in PEM whose end is looked for.
const MAX_PEM: usize = 16 * 1024;

/// How bytes around a hit are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    #[default]
    Text,
    Json,
    /// `name=value&...`, percent-encoded.
    Form,
    Multipart,
    Xml,
}

/// One value that counts, as it is found; masked ones are left out.
#[derive(Clone, Debug)]
pub struct Found {
    pub class: DataClass,
    pub(super) node: NodeId,
    /// Of the value in the scanned bytes; with `inner`, of the raw text around it.
    pub start: usize,
    pub end: usize,
    /// Of the value in the text that the raw one resolves to.
    pub inner: Option<(usize, usize)>,
    pub syntax: Syntax,
    /// A number of JSON: no quotes stand around it.
    pub number: bool,
    /// It stands in a field's name.
    pub key: bool,
}

/// A text without its escapes, and where it came from.
#[derive(Clone, Copy, Debug)]
struct Resolved {
    address: usize,
    length: usize,
    start: usize,
    end: usize,
}

#[derive(Debug, Default)]
pub(super) struct Trail {
    pub(super) enabled: bool,
    pub(super) truncated: bool,
    address: usize,
    length: usize,
    pub(super) syntax: Syntax,
    resolved: Option<Resolved>,
    pub(super) number: bool,
    pub(super) key: bool,
    pub(super) found: Vec<Found>,
    /// A hit whose place is not known.
    pub(super) lost: bool,
}

impl Trail {
    pub(super) fn clear(&mut self) {
        self.found.clear();
        self.lost = false;
    }

    /// What follows is found in `bytes`.
    pub(super) fn begin(&mut self, bytes: &[u8]) {
        (self.address, self.length) = (bytes.as_ptr().addr(), bytes.len());
        (self.resolved, self.number, self.key, self.syntax) = (None, false, false, Syntax::Text);
    }

    /// Whoever changes a body holds all of it: a value that lacks its end is judged as it stands.
    pub(super) fn whole(&self) -> bool {
        self.enabled && !self.truncated
    }

    /// What follows is found in `text`, which is `raw` (a part of the scanned bytes) without its escapes.
    pub(super) fn resolve(&mut self, raw: &[u8], text: &[u8]) {
        if !self.enabled {
            return;
        }
        let Some((start, end)) = within(self.address, self.length, raw) else { return };
        self.resolved = Some(Resolved { address: text.as_ptr().addr(), length: text.len(), start, end });
    }
    pub(super) fn resolved(&mut self) {
        self.resolved = None;
    }

    /// `value` is of `class`; `behind` is its text from there on.
    pub(super) fn keep(&mut self, node: NodeId, class: &DataClass, value: &[u8]) {
        if !self.enabled {
            return;
        }
        let place = within(self.address, self.length, value).map(|(start, end)| (start, end, None));
        let place = place.or_else(|| {
            let resolved = self.resolved?;
            let inner = within(resolved.address, resolved.length, value)?;
            Some((resolved.start, resolved.end, Some(inner)))
        });
        match place {
            // The name of a header is not among the bytes of its value.
            None if self.key && self.syntax == Syntax::Text => {}
            Some((start, end, inner)) if self.found.len() < MAX_FOUND => self.found.push(Found {
                class: class.clone(),
                node,
                start,
                end,
                inner,
                syntax: self.syntax,
                number: self.number,
                key: self.key,
            }),
            _ => self.lost = true,
        }
    }
}

/// Where `part` lies in `length` bytes at `address`. An empty part is nowhere.
fn within(address: usize, length: usize, part: &[u8]) -> Option<(usize, usize)> {
    let start = part.as_ptr().addr().checked_sub(address)?;
    let end = start.checked_add(part.len())?;
    (end <= length && !part.is_empty()).then_some((start, end))
}

/// How much of `rest` belongs to a value whose detector looks at its beginning only: a key in PEM up to its last line, a
/// passport's second line too.
pub(super) fn extent(class: &DataClass, rest: &[u8], length: usize) -> usize {
    match class {
        DataClass::PrivateKey if rest.starts_with(b"-----") => {
            let near = rest.get(..rest.len().min(MAX_PEM)).unwrap_or(rest);
            let Some(at) = memchr::memmem::find(near, b"-----END") else { return near.len() };
            let tail = near.get(at + 8..).unwrap_or_default();
            memchr::memmem::find(tail, b"-----").map_or(near.len(), |end| at + 8 + end + 5)
        }
        DataClass::Passport if length == 44 => {
            let second = rest.get(44..).unwrap_or_default();
            let breaks =
                second.iter().take(4).take_while(|byte| matches!(byte, b'\r' | b'\n' | b' ')).count();
            let line = second.get(breaks..breaks + 44).unwrap_or_default();
            let fits = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'<';
            if line.len() == 44 && line.iter().all(fits) { 88 + breaks } else { 44 }
        }
        _ => length,
    }
}

/// Where a hit stands in `bytes`, its escapes counted.
pub(super) fn exact(found: &Found, bytes: &[u8]) -> (usize, usize) {
    let Some((from, to)) = found.inner else { return (found.start, found.end) };
    let raw = bytes.get(found.start..found.end).unwrap_or_default();
    let (start, end) = (raw_offset(found.syntax, raw, from, false), raw_offset(found.syntax, raw, to, true));
    (found.start + start, found.start + end)
}

/// Where in `raw` the byte at `offset` of its resolved text comes from. An escape that makes several bytes is taken whole:
/// of an `end` behind it, of a start before it.
fn raw_offset(syntax: Syntax, raw: &[u8], offset: usize, end: bool) -> usize {
    let (mut at, mut made) = (0, 0);
    while made < offset {
        let Some((taken, makes)) = step(syntax, raw.get(at..).unwrap_or_default()) else { break };
        if made + makes > offset && !end {
            break;
        }
        at += taken;
        made += makes;
    }
    at.min(raw.len())
}

/// How many raw bytes the next character takes, and how many it resolves to.
pub(super) fn step(syntax: Syntax, raw: &[u8]) -> Option<(usize, usize)> {
    let first = *raw.first()?;
    Some(match (syntax, first) {
        (Syntax::Json, b'\\') => match raw.get(1) {
            Some(b'u') => {
                let mut made = Vec::with_capacity(4);
                let left = super::json::unicode(raw, &mut made);
                (raw.len() - left.len(), made.len())
            }
            Some(_) => (2, 1),
            None => (1, 0),
        },
        (Syntax::Form, b'%') => {
            let digits = raw.get(1).zip(raw.get(2));
            match digits.is_some_and(|(a, b)| a.is_ascii_hexdigit() && b.is_ascii_hexdigit()) {
                true => (3, 1),
                false => (1, 1),
            }
        }
        (Syntax::Xml, b'&') => (super::xml::entity(raw).map_or(1, |(length, _)| length), 1),
        _ => (1, 1),
    })
}

impl Found {
    /// Where the value stands in the scanned `bytes`, with the escapes in it.
    pub fn range(&self, bytes: &[u8]) -> std::ops::Range<usize> {
        let (start, end) = exact(self, bytes);
        start..end.max(start)
    }

    /// The value in clear.
    pub fn value(&self, bytes: &[u8]) -> Vec<u8> {
        let raw = bytes.get(self.range(bytes)).unwrap_or_default();
        let mut text = Vec::with_capacity(raw.len());
        match self.syntax {
            Syntax::Json => super::json::unescape(raw, &mut text),
            Syntax::Form => super::form::unquote(raw, &mut text),
            Syntax::Xml => super::xml::resolve(raw, &mut text),
            Syntax::Text | Syntax::Multipart => text.extend_from_slice(raw),
        }
        text
    }
}
