//! Reads JSON as it comes: one pass, no tree, no faith in its grammar.
//!
//! Not a validating parser. A string with `:` behind it names a member, any other string or number is a value of the
//! member or array around it; what is neither is skipped. So a body that was cut, several documents in one body, and
//! documents with comments or trailing commas all yield what is in them.

use std::ops::Range;

use probity_model::Signal;

use super::fields::NodeId;
use super::profile::{self, Profile, STOP};
use super::value::{Sink, Value};

/// Deepest nesting that has a pointer of its own; deeper values count for the field at this depth.
pub const MAX_DEPTH: usize = 48;

#[derive(Clone, Copy)]
struct Frame {
    /// Where members hang, and what items are.
    container: NodeId,
    /// What the next value belongs to.
    current: NodeId,
    object: bool,
}

struct Frames {
    frames: [Frame; MAX_DEPTH],
    depth: usize,
    /// Open brackets beyond [`MAX_DEPTH`].
    beyond: usize,
    top: Frame,
}

impl Frames {
    fn new(root: NodeId) -> Self {
        let top = Frame { container: root, current: root, object: false };
        Self { frames: [top; MAX_DEPTH], depth: 0, beyond: 0, top }
    }
    fn open(&mut self, object: bool, sink: &mut Sink<'_, '_>) {
        let Some(place) = self.frames.get_mut(self.depth) else {
            self.beyond += 1;
            return;
        };
        *place = self.top;
        self.depth += 1;
        let container = self.top.current;
        let current = if object { container } else { sink.out.fields.items(container) };
        self.top = Frame { container, current, object };
    }
    fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        if let Some(outer) = self.depth.checked_sub(1)
            && let Some(frame) = self.frames.get(outer)
        {
            self.top = *frame;
            self.depth = outer;
        }
    }
}

pub(super) fn scan(bytes: &[u8], truncated: bool, root: NodeId, sink: &mut Sink<'_, '_>) {
    let mut frames = Frames::new(root);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string(bytes, at + 1, &mut frames, sink),
            b'-' | b'0'..=b'9' => at = number(bytes, at, truncated, &frames, sink),
            b'{' | b'[' => {
                frames.open(byte == b'{', sink);
                at += 1;
            }
            b'}' | b']' => {
                frames.close();
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// The string that begins at `start`; where to go on.
fn string(bytes: &[u8], start: usize, frames: &mut Frames, sink: &mut Sink<'_, '_>) -> usize {
    let raw = raw_string(bytes, start);
    let Some(text) = bytes.get(raw.text.clone()) else { return bytes.len() };
    let mut next = raw.text.end + 1;
    if !raw.cut && frames.top.object {
        while bytes.get(next).is_some_and(u8::is_ascii_whitespace) {
            next += 1;
        }
        if bytes.get(next) == Some(&b':') {
            if frames.beyond == 0 {
                member(text, bytes, next + 1, raw.escaped, frames, sink);
            }
            return next + 1;
        }
    }
    if raw.escaped {
        let mut scratch = std::mem::take(&mut sink.out.scratch);
        unescape(text, &mut scratch);
        sink.value(frames.top.current, Value::text(&scratch, raw.cut));
        scratch.clear();
        sink.out.scratch = scratch;
    } else {
        sink.value(
            frames.top.current,
            Value { bytes: text, profile: raw.profile, number: false, cut: raw.cut },
        );
    }
    next
}

fn member(
    key: &[u8],
    bytes: &[u8],
    after: usize,
    escaped: bool,
    frames: &mut Frames,
    sink: &mut Sink<'_, '_>,
) {
    let container = frames.top.container;
    frames.top.current = if escaped {
        let mut decoded = Vec::new();
        unescape(key, &mut decoded);
        sink.member(container, &decoded)
    } else {
        sink.member(container, key)
    };
    if sink.response && key.starts_with(b"__") {
        introspection(key, bytes, after, container, sink);
    }
}

/// `{"data": {"__schema": {...}}}`.
fn introspection(key: &[u8], bytes: &[u8], after: usize, container: NodeId, sink: &mut Sink<'_, '_>) {
    let opens =
        bytes.get(after..).and_then(|rest| rest.iter().find(|b| !b.is_ascii_whitespace())) == Some(&b'{');
    if opens && matches!(key, b"__schema" | b"__type") && sink.out.fields.name(container) == b"data" {
        sink.out.signals.insert(Signal::GraphqlIntrospectionAnswered);
    }
}

struct RawString {
    text: Range<usize>,
    profile: Profile,
    escaped: bool,
    /// The closing quote is missing.
    cut: bool,
}

fn raw_string(bytes: &[u8], start: usize) -> RawString {
    let mut profile = Profile::default();
    let mut escaped = false;
    let mut at = start;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let mut stop = None;
        for (index, byte) in rest.iter().enumerate() {
            let class = profile::class(*byte);
            profile = profile.with(class);
            if class & STOP != 0 {
                stop = Some((index, *byte));
                break;
            }
        }
        match stop {
            Some((index, b'"')) => {
                return RawString { text: start..at + index, profile, escaped, cut: false };
            }
            Some((index, _)) => {
                escaped = true;
                at += index + 2;
            }
            None => return RawString { text: start..bytes.len(), profile, escaped, cut: true },
        }
    }
}

fn number(bytes: &[u8], start: usize, truncated: bool, frames: &Frames, sink: &mut Sink<'_, '_>) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let mut digits = 0usize;
    let mut length = 0;
    for byte in rest {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'-' | b'+' | b'.' | b'e' | b'E' => {}
            _ => break,
        }
        length += 1;
    }
    let end = start + length;
    // A number has no end of its own: one that the bytes end with may go on.
    let cut = end == bytes.len() && (truncated || frames.depth > 0);
    let whole = digits == length || digits + 1 == length && rest.first() == Some(&b'-');
    if whole && digits > 2 && !cut {
        let text = rest.get(..length).unwrap_or_default();
        let profile = Profile {
            flags: profile::DIGIT | profile::WORD,
            digits: u32::try_from(digits).unwrap_or(u32::MAX),
        };
        sink.value(frames.top.current, Value { bytes: text, profile, number: true, cut: false });
    }
    end
}

/// Escapes resolved; what is no escape is kept as it stands.
fn unescape(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, b""));
        out.extend_from_slice(plain);
        rest = match escape.get(1) {
            Some(b'u') => unicode(escape, out),
            Some(byte) => {
                out.push(match byte {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' | b'f' => b' ',
                    other => *other,
                });
                escape.get(2..).unwrap_or_default()
            }
            None => b"",
        };
    }
    out.extend_from_slice(rest);
}

/// One `\uXXXX`, or a pair of them; returns what follows.
fn unicode<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let unit = |at: &[u8]| -> Option<u32> {
        let digits = at.strip_prefix(b"\\u")?.get(..4)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let Some(first) = unit(escape) else {
        out.push(b'u');
        return escape.get(2..).unwrap_or_default();
    };
    let tail = escape.get(6..).unwrap_or_default();
    let (code, tail) = match (first, unit(tail)) {
        (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
            (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), tail.get(6..).unwrap_or_default())
        }
        _ => (first, tail),
    };
    let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    tail
}
