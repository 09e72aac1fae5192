//! Reads XML as it comes: elements and attributes give pointers (`/Envelope/Body/patient/@id`), text gives values.
//!
//! Not a parser of XML: no entities beyond the five, no document type is ever followed, and unbalanced tags do no harm.

use super::fields::NodeId;
use super::json::MAX_DEPTH;
use super::trail::Syntax;
use super::value::{Sink, Value};

pub(super) fn scan(bytes: &[u8], truncated: bool, root: NodeId, sink: &mut Sink<'_, '_>) {
    scan_on(bytes, true, truncated, &mut Open::new(root), sink);
}

/// Which elements are open at some point of a document.
#[derive(Debug)]
pub(super) struct Open {
    nodes: Vec<NodeId>,
    /// Open elements beyond [`MAX_DEPTH`].
    beyond: usize,
}

impl Open {
    pub(super) fn new(root: NodeId) -> Self {
        Self { nodes: vec![root], beyond: 0 }
    }
    pub(super) fn current(&self) -> NodeId {
        self.nodes.last().copied().unwrap_or(NodeId::NONE)
    }
}

/// A part of a document; returns how much of it was read. Without `last`, text and tags that may go on are left.
pub(super) fn scan_on(
    bytes: &[u8],
    last: bool,
    truncated: bool,
    open: &mut Open,
    sink: &mut Sink<'_, '_>,
) -> usize {
    sink.out.trail.syntax = Syntax::Xml;
    let mut rest = bytes;
    while !rest.is_empty() {
        let left = bytes.len() - rest.len();
        let at = memchr::memchr(b'<', rest);
        if !last && is_open(rest, at) {
            return left;
        }
        let (text, tail) = rest.split_at_checked(at.unwrap_or(rest.len())).unwrap_or((rest, b""));
        let node = open.current();
        element_text(text, truncated && at.is_none(), node, sink);
        if let Some(inner) = tail.strip_prefix(b"<![CDATA[") {
            let end = memchr::memmem::find(inner, b"]]>");
            let data = inner.get(..end.unwrap_or(inner.len())).unwrap_or_default();
            sink.value(node, Value::text(data, end.is_none() && !sink.out.trail.whole()));
            rest = end.and_then(|end| inner.get(end + 3..)).unwrap_or_default();
            continue;
        }
        if let Some(inner) = tail.strip_prefix(b"<!--") {
            rest =
                memchr::memmem::find(inner, b"-->").and_then(|end| inner.get(end + 3..)).unwrap_or_default();
            continue;
        }
        // A tag without its end is cut off: nothing in it is whole.
        let Some(end) = memchr::memchr(b'>', tail) else { break };
        let tag = tail.get(1..end).unwrap_or_default();
        rest = tail.get(end + 1..).unwrap_or_default();
        match tag.first() {
            Some(b'/') if open.beyond > 0 => open.beyond -= 1,
            Some(b'/') if open.nodes.len() > 1 => {
                open.nodes.pop();
            }
            Some(b'/' | b'!' | b'?') | None => {}
            Some(_) => {
                let (element, empty) = start_tag(tag, node, sink);
                if empty {
                    continue;
                }
                match open.nodes.len() < MAX_DEPTH {
                    true => open.nodes.push(element),
                    false => open.beyond += 1,
                }
            }
        }
    }
    bytes.len()
}

/// Whether the text, or the tag behind it at `at`, has no end yet.
fn is_open(rest: &[u8], at: Option<usize>) -> bool {
    let Some(tag) = at.and_then(|at| rest.get(at..)) else { return true };
    let ends = |end: &[u8]| memchr::memmem::find(tag, end).is_some();
    match tag {
        [b'<', b'!', b'[', ..] => !ends(b"]]>"),
        [b'<', b'!', b'-', ..] => !ends(b"-->"),
        [b'<', b'!'] => true,
        _ => !ends(b">"),
    }
}

fn element_text(text: &[u8], cut: bool, node: NodeId, sink: &mut Sink<'_, '_>) {
    let text = if cut { text.trim_ascii_start() } else { text.trim_ascii() };
    if text.is_empty() {
        return;
    }
    if memchr::memchr(b'&', text).is_none() {
        return sink.value(node, Value::text(text, cut));
    }
    let mut scratch = std::mem::take(&mut sink.out.scratch);
    resolve(text, &mut scratch);
    sink.out.trail.resolve(text, &scratch);
    sink.value(node, Value::text(&scratch, cut));
    sink.out.trail.resolved();
    scratch.clear();
    sink.out.scratch = scratch;
}

fn start_tag(tag: &[u8], parent: NodeId, sink: &mut Sink<'_, '_>) -> (NodeId, bool) {
    let (tag, empty) = match tag.strip_suffix(b"/") {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let end = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
    let (name, mut rest) = tag.split_at_checked(end).unwrap_or((tag, b""));
    let node = sink.member(parent, local(name));
    while let Some(equals) = memchr::memchr(b'=', rest) {
        let (name, value) = rest.split_at_checked(equals).unwrap_or((rest, b""));
        let value = value.get(1..).unwrap_or_default().trim_ascii_start();
        let Some((quote @ (b'"' | b'\''), value)) = value.split_first() else { break };
        let Some(end) = memchr::memchr(*quote, value) else { break };
        let name = name.trim_ascii();
        if !name.starts_with(b"xmlns") {
            let mut key = Vec::with_capacity(name.len() + 1);
            key.push(b'@');
            key.extend_from_slice(local(name));
            let attribute = sink.member(node, &key);
            element_text(value.get(..end).unwrap_or_default(), false, attribute, sink);
        }
        rest = value.get(end + 1..).unwrap_or_default();
    }
    (node, empty)
}

/// A name without its namespace prefix.
fn local(name: &[u8]) -> &[u8] {
    memchr::memrchr(b':', name).and_then(|at| name.get(at + 1..)).unwrap_or(name)
}

pub(super) fn resolve(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        match entity(rest) {
            Some((length, byte)) => {
                out.push(byte);
                rest = rest.get(length..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
}

/// One of the five entities at the beginning of `text`: its length, and what it stands for.
pub(super) fn entity(text: &[u8]) -> Option<(usize, u8)> {
    const NAMED: [(&[u8], u8); 5] =
        [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\'')];
    let named = NAMED.iter().find(|(name, _)| text.starts_with(name))?;
    Some((named.0.len(), named.1))
}
