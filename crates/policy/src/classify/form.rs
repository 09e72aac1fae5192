//! Pairs of names and values: queries, URL-encoded forms, multipart forms.

use probity_model::Place;

use super::fields::NodeId;
use super::trail::Syntax;
use super::value::{Sink, Value};

/// Most pairs or parts that are looked at.
const MAX_PAIRS: usize = 2000;

pub(super) fn scan(bytes: &[u8], truncated: bool, place: Place, sink: &mut Sink<'_, '_>) {
    match bytes.starts_with(b"--") {
        true => multipart(bytes, truncated, NodeId::names(place), sink),
        false => pairs(bytes, truncated, NodeId::names(place), sink),
    }
}

pub(super) fn pairs(bytes: &[u8], truncated: bool, root: NodeId, sink: &mut Sink<'_, '_>) {
    sink.out.trail.syntax = Syntax::Form;
    let mut scratch = std::mem::take(&mut sink.out.scratch);
    let mut rest = Some(bytes);
    for _ in 0..MAX_PAIRS {
        let Some(left) = rest.filter(|left| !left.is_empty()) else { break };
        let (pair, tail) = split(left, b'&');
        rest = tail;
        let (name, value) = split(pair, b'=');
        // The last pair of a cut body may miss its end, its name even its meaning.
        let cut = truncated && tail.is_none();
        if name.is_empty() || cut && value.is_none() {
            continue;
        }
        unquote(name, &mut scratch);
        sink.out.trail.resolve(name, &scratch);
        let node = sink.member(root, &scratch);
        unquote(value.unwrap_or_default(), &mut scratch);
        sink.out.trail.resolve(value.unwrap_or_default(), &scratch);
        sink.value(node, Value::text(&scratch, cut));
        sink.out.trail.resolved();
    }
    scratch.clear();
    sink.out.scratch = scratch;
}

fn split(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, bytes).and_then(|at| bytes.split_at_checked(at)) {
        Some((head, tail)) => (head, tail.get(1..)),
        None => (bytes, None),
    }
}

/// `+` and `%XX` resolved; what is neither is kept.
pub(super) fn unquote(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let ahead = bytes.as_slice();
        let pair = ahead.first().zip(ahead.get(1));
        let decoded = pair.and_then(|(high, low)| Some(nibble(*high)? << 4 | nibble(*low)?));
        match (byte, decoded) {
            (b'%', Some(byte)) => {
                out.push(byte);
                bytes.nth(1);
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
    }
}

pub(super) fn nibble(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 7578. The boundary is the first line; parts of other types than text are left out.
fn multipart(bytes: &[u8], truncated: bool, root: NodeId, sink: &mut Sink<'_, '_>) {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return };
    let boundary = bytes.get(..end).unwrap_or_default().trim_ascii_end();
    if boundary.len() < 3 || boundary.len() > 74 {
        return;
    }
    let finder = memchr::memmem::Finder::new(boundary);
    let mut rest = bytes.get(boundary.len()..).unwrap_or_default();
    for _ in 0..MAX_PAIRS {
        let (part, tail) = match finder.find(rest).and_then(|at| rest.split_at_checked(at)) {
            Some((part, tail)) => (part, tail.get(boundary.len()..)),
            None => (rest, None),
        };
        part_value(part, truncated && tail.is_none(), root, sink);
        let Some(tail) = tail else { break };
        rest = tail;
    }
}

fn part_value(part: &[u8], cut: bool, root: NodeId, sink: &mut Sink<'_, '_>) {
    let Some(at) = memchr::memmem::find(part, b"\r\n\r\n") else { return };
    let Some((head, body)) = part.split_at_checked(at) else { return };
    let body = body.get(4..).unwrap_or_default();
    let body = if cut { body } else { body.strip_suffix(b"\r\n").unwrap_or(body) };
    let head = head.to_ascii_lowercase();
    let Some(at) = memchr::memmem::find(&head, b" name=") else { return };
    let name = head.get(at + 6..).unwrap_or_default();
    let name = match name.strip_prefix(b"\"") {
        Some(quoted) => split(quoted, b'"').0,
        None => name.split(|b| matches!(b, b';' | b'\r' | b'\n')).next().unwrap_or_default(),
    };
    let typed = memchr::memmem::find(&head, b"content-type:");
    let text = memchr::memmem::find(&head, b"content-type: text/").is_some();
    let json = memchr::memmem::find(&head, b"content-type: application/json").is_some();
    sink.out.trail.syntax = Syntax::Multipart;
    let node = sink.member(root, name);
    if json {
        super::json::scan(body, cut, node, sink);
    } else if typed.is_none() || text {
        sink.value(node, Value::text(body, cut));
    }
}
