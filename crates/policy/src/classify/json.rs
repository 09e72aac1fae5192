//! Reads JSON as it comes: one pass, no tree, no faith in its grammar.
//!
//! Not a validating parser. A string with `:` behind it names a member, any other string or number is a value of the
//! member or array around it; what is neither is skipped. So a body that was cut, several documents in one body, and
//! documents with comments or trailing commas all yield what is in them.

use probity_model::Signal;

use super::fields::NodeId;
use super::trail::Syntax;
use super::value::{Sink, Value};

/// Deepest nesting that has a pointer of its own; deeper values count for the field at this depth.
pub const MAX_DEPTH: usize = 32;

#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Where members hang, and what items are.
    container: NodeId,
    /// What the next value belongs to.
    current: NodeId,
    /// The member that most likely comes next.
    hint: NodeId,
    object: bool,
}

/// Which fields are open at some point of a document.
#[derive(Debug)]
pub(super) struct Frames {
    frames: [Frame; MAX_DEPTH],
    depth: usize,
    /// Open brackets beyond [`MAX_DEPTH`].
    beyond: usize,
    top: Frame,
}

impl Frames {
    pub(super) fn new(root: NodeId) -> Self {
        let top = Frame { container: root, current: root, hint: NodeId::NONE, object: false };
        Self { frames: [top; MAX_DEPTH], depth: 0, beyond: 0, top }
    }
    /// The field that the next value belongs to.
    pub(super) fn current(&self) -> NodeId {
        self.top.current
    }
    fn open(&mut self, object: bool, sink: &mut Sink<'_, '_>) {
        let Some(place) = self.frames.get_mut(self.depth) else {
            self.beyond += 1;
            return;
        };
        *place = self.top;
        self.depth += 1;
        let container = self.top.current;
        let (current, hint) = match object {
            true => (container, sink.out.fields.first(container)),
            false => (sink.out.fields.items(container), NodeId::NONE),
        };
        self.top = Frame { container, current, hint, object };
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
    scan_on(bytes, truncated, &mut Frames::new(root), sink);
}

/// A part of a document: `frames` is where the part before it ended.
pub(super) fn scan_on(bytes: &[u8], truncated: bool, frames: &mut Frames, sink: &mut Sink<'_, '_>) {
    sink.out.trail.syntax = Syntax::Json;
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'"' => string(tail, frames, sink),
            b',' => key(tail, frames, sink),
            b'-' | b'0'..=b'9' => number(rest, truncated, frames, sink),
            b'{' => {
                frames.open(true, sink);
                key(tail, frames, sink)
            }
            b'[' => {
                frames.open(false, sink);
                tail
            }
            b'}' | b']' => {
                frames.close();
                tail
            }
            b'\n' => skip_spaces(tail),
            _ => tail,
        };
    }
}

#[inline(always)]
fn skip_space(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0..=b' ', rest @ ..] => skip_spaces(rest),
        _ => bytes,
    }
}

/// Indentation, eight spaces a step. Other control bytes do not belong here; they are passed over all the same.
#[inline(never)]
fn skip_spaces(mut bytes: &[u8]) -> &[u8] {
    while let Some((b"        ", rest)) = bytes.split_first_chunk::<8>() {
        bytes = rest;
    }
    while let [0..=b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The place where a key may stand: takes the one that is expected there, and its value if that is a string.
#[inline(always)]
fn key<'a>(bytes: &'a [u8], frames: &mut Frames, sink: &mut Sink<'_, '_>) -> &'a [u8] {
    let bytes = skip_space(bytes);
    let Frame { container, hint, object, .. } = frames.top;
    let [b'"', text @ ..] = bytes else { return bytes };
    if !object || frames.beyond > 0 {
        return bytes;
    }
    let Some((node, next, after)) = sink.out.fields.expected(container, hint, text) else { return bytes };
    (frames.top.current, frames.top.hint) = (node, next);
    if text.starts_with(b"__") && sink.response {
        introspection(text, after, container, sink);
    }
    member_value(after, node, sink)
}

/// What follows a key's colon: takes it if it is a string without escapes, and leaves all else.
#[inline(always)]
fn member_value<'a>(bytes: &'a [u8], node: NodeId, sink: &mut Sink<'_, '_>) -> &'a [u8] {
    let bytes = skip_space(bytes);
    let [b'"', text @ ..] = bytes else { return bytes };
    let end = quote_or_escape(text);
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((text, [b'"', rest @ ..])) => {
            sink.value(node, Value::text(text, false));
            rest
        }
        _ => bytes,
    }
}

/// The string that `bytes` begin with, its first quote left out; returns what follows.
fn string<'a>(bytes: &'a [u8], frames: &mut Frames, sink: &mut Sink<'_, '_>) -> &'a [u8] {
    let Frame { container, current, object, .. } = frames.top;
    let end = quote_or_escape(bytes);
    let Some((text, [b'"', after @ ..])) = end.and_then(|end| bytes.split_at_checked(end)) else {
        return escaped(bytes, frames, sink);
    };
    if object && let Some(after) = colon(after) {
        if frames.beyond > 0 {
            return after;
        }
        let node = sink.member_after(container, current, text);
        (frames.top.current, frames.top.hint) = (node, sink.out.fields.next(node));
        if text.starts_with(b"__") && sink.response {
            introspection(bytes, after, container, sink);
        }
        return member_value(after, node, sink);
    }
    // Without its end an object does not tell whether its last string is a key.
    if !object || !after.trim_ascii_start().is_empty() || sink.out.trail.whole() {
        sink.value(current, Value::text(text, false));
    }
    after
}

/// What follows a `:` that is next.
fn colon(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b':', after @ ..] => Some(after),
        [b',' | b'}' | b']', ..] => None,
        _ => bytes.trim_ascii_start().strip_prefix(b":"),
    }
}

/// As [`string`], for one with escapes or without its end.
#[cold]
fn escaped<'a>(bytes: &'a [u8], frames: &mut Frames, sink: &mut Sink<'_, '_>) -> &'a [u8] {
    let mut end = 0;
    let text = loop {
        let Some(at) = bytes.get(end..).and_then(quote_or_escape) else { break None };
        end += at;
        if bytes.get(end) == Some(&b'"') {
            break bytes.split_at_checked(end);
        }
        end += 2;
    };
    let cut = text.is_none();
    let (text, after) =
        text.map_or((bytes, &b""[..]), |(text, after)| (text, after.get(1..).unwrap_or_default()));
    let mut scratch = std::mem::take(&mut sink.out.scratch);
    unescape(text, &mut scratch);
    sink.out.trail.resolve(text, &scratch);
    let object = frames.top.object;
    let member = if object && !cut { colon(after) } else { None };
    match member {
        Some(_) if frames.beyond == 0 => frames.top.current = sink.member(frames.top.container, &scratch),
        Some(_) => {}
        // See `string`.
        None if object && !cut && after.trim_ascii_start().is_empty() && !sink.out.trail.whole() => {}
        None => sink.value(frames.top.current, Value::text(&scratch, cut && !sink.out.trail.whole())),
    }
    sink.out.trail.resolved();
    scratch.clear();
    sink.out.scratch = scratch;
    member.unwrap_or(after)
}

/// `{"data": {"__schema": {...}}}`; `key` begins with the key and its quote.
fn introspection(key: &[u8], after: &[u8], container: NodeId, sink: &mut Sink<'_, '_>) {
    let opens = after.trim_ascii_start().first() == Some(&b'{');
    let named = key.starts_with(b"__schema\"") || key.starts_with(b"__type\"");
    if opens && named && sink.out.fields.name(container) == b"data" {
        sink.out.signals.insert(Signal::GraphqlIntrospectionAnswered);
    }
}

/// The first `"` or `\`. Strings of JSON are short: eight bytes a step in plain registers beat a search that has to warm
/// up.
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let found = zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
        rest = tail;
    }
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|index| at + index)
}

fn number<'a>(bytes: &'a [u8], truncated: bool, frames: &Frames, sink: &mut Sink<'_, '_>) -> &'a [u8] {
    let fits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let end = bytes.iter().position(|byte| !fits(byte)).unwrap_or(bytes.len());
    let Some((text, after)) = bytes.split_at_checked(end) else { return b"" };
    // A number has no end of its own: one that the bytes end with may go on.
    let cut = after.is_empty() && (truncated || frames.depth > 0) && !sink.out.trail.whole();
    // Nothing is told by one or two digits.
    if end > 2 && !cut {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        if digits.iter().all(u8::is_ascii_digit) {
            sink.number(frames.top.current, text);
        }
    }
    after
}

/// Escapes resolved; what is no escape is kept as it stands.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) {
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
pub(super) fn unicode<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
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
