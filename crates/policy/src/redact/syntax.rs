//! How a value is written where it was found, and how far its field reaches. Reads outwards from a hit; what `classify` saw
//! there is taken for granted.

use std::ops::Range;

use crate::classify::Syntax;

/// What takes the place of a whole value.
pub(super) const REDACTED: &str = "[redacted]";

/// `text` as it may stand inside a value of that syntax.
pub fn write(syntax: Syntax, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match (syntax, byte) {
            (Syntax::Json, b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            (Syntax::Json, 0..0x20) => out.push(b' '),
            (Syntax::Xml, b'&') => out.extend_from_slice(b"&amp;"),
            (Syntax::Xml, b'<') => out.extend_from_slice(b"&lt;"),
            (Syntax::Xml, b'>') => out.extend_from_slice(b"&gt;"),
            (Syntax::Xml, b'"') => out.extend_from_slice(b"&quot;"),
            (Syntax::Xml, b'\'') => out.extend_from_slice(b"&apos;"),
            (Syntax::Form, b' ') => out.push(b'+'),
            (Syntax::Form, _) if byte.is_ascii_alphanumeric() || b"-._*~".contains(&byte) => out.push(byte),
            (Syntax::Form, _) => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out
}

/// The whole value around a hit, without its quotes.
pub(super) fn value(syntax: Syntax, bytes: &[u8], hit: &Range<usize>) -> Range<usize> {
    let head = bytes.get(..hit.start).unwrap_or_default();
    let tail = bytes.get(hit.end..).unwrap_or_default();
    let from = |at: Option<usize>| at.map_or(0, |at| at + 1);
    let to = |at: Option<usize>| hit.end + at.unwrap_or(tail.len());
    match syntax {
        Syntax::Json => from(quote_before(head))..to(quote_after(tail)),
        Syntax::Form => {
            let start = from(memchr::memrchr2(b'&', b'=', head));
            start..to(memchr::memchr(b'&', tail))
        }
        Syntax::Xml => {
            let start = head.iter().rposition(|byte| matches!(byte, b'>' | b'"' | b'\''));
            let end = tail.iter().position(|byte| matches!(byte, b'<' | b'"' | b'\'' | b']'));
            from(start)..to(end)
        }
        Syntax::Multipart => {
            let start = memchr::memmem::rfind(head, b"\r\n\r\n").map_or(0, |at| at + 4);
            start..to(memchr::memmem::find(tail, b"\r\n--"))
        }
        Syntax::Text => hit.clone(),
    }
}

/// The first quote without a backslash before it.
fn quote_after(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The last quote that no backslash escapes.
fn quote_before(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    loop {
        let at = memchr::memrchr(b'"', bytes.get(..end)?)?;
        let escapes = bytes.get(..at)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(at);
        }
        end = at;
    }
}

/// A member of an object with its name, its comma left to [`commas`]; `None` for an item of an array. `value` has its quotes.
pub(super) fn member(bytes: &[u8], value: &Range<usize>) -> Option<Range<usize>> {
    let head = bytes.get(..value.start)?.trim_ascii_end().strip_suffix(b":")?;
    let head = head.trim_ascii_end().strip_suffix(b"\"")?;
    quote_before(head).map(|start| start..value.end)
}

/// Takes the comma behind a run of dropped members, or the one before it where it was the last.
pub(super) fn commas(bytes: &[u8], run: &mut Range<usize>) {
    let tail = bytes.get(run.end..).unwrap_or_default();
    let space = tail.len() - tail.trim_ascii_start().len();
    if tail.get(space) == Some(&b',') {
        let rest = tail.get(space + 1..).unwrap_or_default();
        run.end += space + 1 + (rest.len() - rest.trim_ascii_start().len());
    }
}

/// As [`commas`], once runs that touch were joined.
pub(super) fn last_comma(bytes: &[u8], run: &mut Range<usize>) {
    let closes = bytes.get(run.end..).unwrap_or_default().trim_ascii_start();
    if matches!(closes.first(), Some(b'}')) {
        let head = bytes.get(..run.start).unwrap_or_default().trim_ascii_end();
        if let Some(head) = head.strip_suffix(b",") {
            run.start = head.len();
        }
    }
}

/// A pair of a form with the `&` behind it, or before it where it is the last.
pub(super) fn pair(bytes: &[u8], hit: &Range<usize>) -> Range<usize> {
    let head = bytes.get(..hit.start).unwrap_or_default();
    let tail = bytes.get(hit.end..).unwrap_or_default();
    let start = memchr::memrchr(b'&', head);
    match memchr::memchr(b'&', tail) {
        Some(at) => start.map_or(0, |start| start + 1)..hit.end + at + 1,
        None => start.unwrap_or(0)..bytes.len(),
    }
}
