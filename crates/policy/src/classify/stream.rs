//! Scanning a body that comes in parts, none of which is kept here: fields stay open from one part to the next.
//!
//! Parts end where no value does: in JSON behind a bracket, comma or colon, in XML before a tag, in a form behind `&`, in
//! other texts between words. A single value too long for that is read as running text, part by part, with some bytes of the
//! part before as its context. Who holds the bytes is `redact`'s stream.

use probity_model::Place;

use super::fields::NodeId;
use super::findings::Findings;
use super::json::Frames;
use super::trail::Syntax;
use super::value::{Sink, Value};
use super::{Content, Scanner, form, is_xml, json, profile, start, xml};

/// How much of a window of running text may begin a value whose end is not there yet.
const TAIL: usize = 8 * 1024;
/// How far back the space between two words is looked for.
const MAX_WORD_BACK: usize = 512;
/// Longest escape (`\uXXXX\uXXXX`, `&quot;`).
const MAX_ESCAPE: usize = 12;

#[derive(Debug)]
enum Kind {
    Json(Box<Frames>),
    Xml(xml::Open),
    Form,
    Text {
        document: bool,
    },
    /// Ends of events cut it.
    Events,
}

/// Where a scan stands in a body.
#[derive(Debug)]
pub struct Window {
    place: Place,
    kind: Kind,
    /// Of JSON: bytes of the buffer that were looked at, whether they end in a string or an escape, and the last good cut.
    seen: usize,
    quoted: bool,
    escaped: bool,
    cut: usize,
    /// Bytes of one long value went by: what comes next is more of it.
    inside: bool,
    /// The quote that opens that value is still to come.
    opening: bool,
}

/// How far a part was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Bytes that are done with.
    pub done: usize,
}

impl Window {
    /// `None` for what is not read in parts. `head` is the body's beginning.
    pub fn new(content: Content, place: Place, content_type: &str, head: &[u8]) -> Option<Self> {
        let root = NodeId::root(place);
        let json = || Kind::Json(Box::new(Frames::new(root)));
        let xml = || Kind::Xml(xml::Open::new(root));
        let events = super::essence(content_type).eq_ignore_ascii_case("text/event-stream");
        let kind = match (content, start(head)) {
            _ if events => Kind::Events,
            (Content::Json, _) | (Content::Text, Some(b'{' | b'[')) => json(),
            (Content::Xml, _) => xml(),
            (Content::Text, Some(b'<')) if is_xml(head) => xml(),
            (Content::Form, Some(b'-')) | (Content::Binary, _) => return None,
            (Content::Form, _) => Kind::Form,
            (Content::Text | Content::Graphql, _) => Kind::Text { document: true },
        };
        Some(Self {
            place,
            kind,
            seen: 0,
            quoted: false,
            escaped: false,
            cut: 0,
            inside: false,
            opening: false,
        })
    }

    fn shift(&mut self, done: usize) {
        self.seen = self.seen.saturating_sub(done);
        self.cut = self.cut.saturating_sub(done);
    }

    /// Looks at what came since the last time.
    fn lex(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate().skip(self.seen) {
            match (self.quoted, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.quoted = false,
                (false, b'"') => self.quoted = true,
                (false, b',' | b':' | b'{' | b'}' | b'[' | b']') => self.cut = at + 1,
                _ => {}
            }
        }
        self.seen = bytes.len();
    }
}

impl Scanner {
    /// Scans as much of `bytes` as can be judged. The first `behind` bytes were done with before and are only looked back at.
    /// With `full` something must be done with, however it is cut; with `last` everything.
    pub fn scan_part(
        &self,
        window: &mut Window,
        bytes: &[u8],
        behind: usize,
        full: bool,
        last: bool,
        out: &mut Findings,
    ) -> Read {
        out.trail.clear();
        let own = bytes.get(behind..).unwrap_or_default();
        // Only documents and events go out as they come; to look at the rest again with each byte would cost its square.
        let live = matches!(window.kind, Kind::Json(_) | Kind::Events) && !window.inside;
        if !full && !last && !live {
            return Read { done: 0 };
        }
        if window.inside {
            return self.long_value(window, bytes, behind, full, last, out);
        }
        let place = window.place;
        if let Kind::Json(_) = window.kind {
            window.lex(own);
        }
        let cut = window.cut;
        let mut sink = Sink { scanner: self, response: place.is_response(), depth: 0, out };
        sink.out.trail.begin(bytes);
        sink.out.trail.truncated = false;
        let done = match &mut window.kind {
            Kind::Json(frames) => {
                let end = if last { own.len() } else { cut };
                json::scan_on(own.get(..end).unwrap_or_default(), false, frames, &mut sink);
                end
            }
            Kind::Xml(open) => match full || last {
                true => xml::scan_on(own, last, false, open, &mut sink),
                false => 0,
            },
            Kind::Form => {
                let end = memchr::memrchr(b'&', own).map_or(0, |at| at + 1);
                let end = if last { own.len() } else { end };
                let part = own.get(..end).unwrap_or_default();
                form::pairs(part, false, NodeId::names(place), &mut sink);
                end
            }
            Kind::Events => {
                let fresh = own.get(window.seen.saturating_sub(2)..).unwrap_or_default();
                window.seen = own.len();
                if !full && !last && memchr::memchr(b'\n', fresh).is_none() {
                    return Read { done: 0 };
                }
                let ends = [memchr::memmem::rfind(own, b"\n\n"), memchr::memmem::rfind(own, b"\n\r\n")];
                let end = ends.into_iter().flatten().max().map_or(0, |at| at + 2);
                let end = if last { own.len() } else { end };
                events(own.get(..end).unwrap_or_default(), place, &mut sink);
                end
            }
            Kind::Text { .. } => return self.long_value(window, bytes, behind, full, last, out),
        };
        window.shift(done);
        if done == 0 && full && matches!(window.kind, Kind::Json(_)) && !window.quoted {
            // Space, or a bare word without an end: no value is that long.
            (window.seen, window.cut) = (0, 0);
            return Read { done: own.len() };
        }
        if done == 0 && full {
            (window.inside, window.opening) = (true, true);
            return self.long_value(window, bytes, behind, full, last, out);
        }
        Read { done }
    }

    /// Running text, or one value longer than the window.
    fn long_value(
        &self,
        window: &mut Window,
        bytes: &[u8],
        behind: usize,
        full: bool,
        last: bool,
        out: &mut Findings,
    ) -> Read {
        let mut end = bytes.len();
        let mut ends = last;
        let (mut node, mut syntax) = (NodeId::root(window.place), Syntax::Text);
        let document = match &window.kind {
            Kind::Json(frames) => {
                (node, syntax) = (frames.current(), Syntax::Json);
                if let Some(close) = close_of(bytes, behind, window.opening) {
                    (end, ends) = (close, true);
                }
                false
            }
            Kind::Xml(open) => {
                (node, syntax) = (open.current(), Syntax::Xml);
                let tag = bytes.get(behind + 1..).and_then(|own| memchr::memchr(b'<', own));
                if let Some(at) = tag {
                    (end, ends) = (behind + 1 + at, true);
                }
                false
            }
            Kind::Form => {
                (node, syntax) = (NodeId::names(window.place), Syntax::Form);
                let next = bytes.get(behind..).and_then(|own| memchr::memchr(b'&', own));
                if let Some(at) = next.filter(|_| window.inside) {
                    (end, ends) = (behind + at, true);
                }
                false
            }
            Kind::Text { document } => *document,
            Kind::Events => true,
        };
        if !full && !ends {
            return Read { done: 0 };
        }
        let text = bytes.get(..end).unwrap_or_default();
        let mut sink = Sink { scanner: self, response: window.place.is_response(), depth: 0, out: &mut *out };
        sink.out.trail.begin(text);
        sink.out.trail.truncated = false;
        sink.out.trail.syntax = syntax;
        if document {
            sink.document(node, text, !ends);
        } else {
            let mut scratch = std::mem::take(&mut sink.out.scratch);
            match syntax {
                Syntax::Json => json::unescape(text, &mut scratch),
                Syntax::Xml => xml::resolve(text, &mut scratch),
                Syntax::Form => form::unquote(text, &mut scratch),
                Syntax::Text | Syntax::Multipart => {
                    scratch.clear();
                    scratch.extend_from_slice(text);
                }
            }
            sink.out.trail.resolve(text, &scratch);
            sink.document(node, &scratch, !ends);
            sink.out.trail.resolved();
            scratch.clear();
            sink.out.scratch = scratch;
        }
        window.opening = false;
        let done = match ends {
            // The quote that ends a string, the mark that ends a pair are done with too.
            true if matches!(syntax, Syntax::Json | Syntax::Form) && end < bytes.len() => {
                (end + 1).saturating_sub(behind)
            }
            true => end.saturating_sub(behind),
            false => cut_between(text, syntax, behind, out),
        };
        if ends {
            window.inside = matches!(window.kind, Kind::Text { .. });
            (window.quoted, window.escaped) = (false, false);
            (window.seen, window.cut) = (0, 0);
        } else {
            window.shift(done);
        }
        Read { done }
    }
}

/// Where the string that goes on at `from`, or `opens` there, ends, its quote left out.
fn close_of(bytes: &[u8], from: usize, opens: bool) -> Option<usize> {
    let own = bytes.get(from..)?;
    let opening = own.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut at = if opens && own.get(opening) == Some(&b'"') { opening + 1 } else { 0 };
    loop {
        match own.get(at)? {
            b'"' => return Some(from + at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A place before the tail where neither a word nor a hit nor an escape is split; how many bytes past `behind` it is.
fn cut_between(text: &[u8], syntax: Syntax, behind: usize, out: &Findings) -> usize {
    let whole = |at: usize| {
        let near = text.get(at.saturating_sub(MAX_ESCAPE)..at).unwrap_or_default();
        !near.iter().any(|byte| matches!(byte, b'\\' | b'&' | b'%'))
    };
    let latest = text.len().saturating_sub(TAIL).max(behind + 1);
    let between = |at: &usize| {
        text.get(*at).is_some_and(|byte| profile::class(*byte) & profile::WORD == 0 && *byte != b'\\')
            && whole(*at)
    };
    let lowest = latest.saturating_sub(MAX_WORD_BACK).max(behind + 1);
    let mut cut = (lowest..=latest).rev().find(between).unwrap_or(latest);
    if !whole(cut) {
        // Escapes everywhere: the last one that ends before.
        let mut at = behind;
        while let Some((taken, _)) = super::trail::step(syntax, text.get(at..cut).unwrap_or_default()) {
            if at + taken > cut.saturating_sub(MAX_ESCAPE) && at > behind {
                break;
            }
            at += taken;
        }
        cut = at.max(behind + 1);
    }
    // A value that begins before the cut is done with as a whole, or not at all.
    for _ in 0..out.trail.found.len() {
        let Some(found) = out.trail.found.iter().find(|found| spans(found, text, cut)) else { break };
        let (start, _) = super::trail::exact(found, text);
        if start <= behind {
            break;
        }
        cut = start;
    }
    cut.saturating_sub(behind)
}

fn spans(found: &super::Found, text: &[u8], cut: usize) -> bool {
    let (start, end) = super::trail::exact(found, text);
    start < cut && end > cut
}

/// Server-sent events: the data of each line is a document of its own.
fn events(bytes: &[u8], place: Place, sink: &mut Sink<'_, '_>) {
    let root = NodeId::root(place);
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let data = line.strip_prefix(b"data:").unwrap_or(line);
        match start(data) {
            None => {}
            Some(b'{' | b'[') => json::scan(data, false, root, sink),
            Some(_) => {
                sink.out.trail.syntax = Syntax::Text;
                sink.value(root, Value::text(data, false));
            }
        }
    }
}
