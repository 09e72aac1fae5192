//! A strict, bounded JSON reader: a flat tree that borrows the body, in the order of the text.
//!
//! RFC 8259 and nothing beside it: no byte order mark, no trailing text, no lone surrogates, no duplicate keys, since
//! two readers that take different values from one body are a way around every rule. What it is not: a value model;
//! see `schema` for what is asked of the tree.

use std::borrow::Cow;
use std::fmt;

use probity_model::bundle::contract::BodyLimits;

/// Nesting that is read whatever the configuration says: the reader and the judges recurse.
pub const MAX_DEPTH: u32 = 128;
/// Members up to which each key is compared with each.
const FEW_KEYS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// One value or key.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub kind: Kind,
    /// The text holds escapes.
    pub escaped: bool,
    /// Of strings what stands between the quotes; of numbers and booleans the word itself.
    pub text: &'a str,
    /// Where it stands in the source, with its quotes or brackets.
    pub start: u32,
    pub end: u32,
    /// The node behind it and everything in it.
    pub next: u32,
    /// Members or elements.
    pub count: u32,
}

impl<'a> Node<'a> {
    /// A value that stands alone.
    pub const fn scalar(kind: Kind, text: &'a str) -> Self {
        Self { kind, escaped: false, text, start: 0, end: 0, next: 1, count: 0 }
    }
    /// A string's text.
    pub fn string(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescaped(self.text)) } else { Cow::Borrowed(self.text) }
    }
    /// Whether the string's text is `text`.
    pub fn is_text(&self, text: &str) -> bool {
        if self.escaped { unescaped(self.text) == text } else { self.text == text }
    }
}

/// What is wrong with a body as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    Utf8,
    Syntax(&'static str),
    Depth,
    Values,
    Members,
    Elements,
    StringLength,
    NumberLength,
    DuplicateKey,
}

impl JsonFault {
    /// The last word of the rule that it breaks.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Utf8 | Self::Syntax(_) => "syntax",
            Self::Depth => "depth",
            Self::DuplicateKey => "duplicate-key",
            Self::Values | Self::Members | Self::Elements | Self::StringLength | Self::NumberLength => "size",
        }
    }
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Syntax(expected) => expected,
            Self::Depth => "less nesting",
            Self::Values => "fewer values",
            Self::Members => "fewer members in an object",
            Self::Elements => "fewer elements in an array",
            Self::StringLength => "shorter strings",
            Self::NumberLength => "shorter numbers",
            Self::DuplicateKey => "each key once",
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected())
    }
}

/// Reads a whole body. The first node is the root.
pub fn parse<'a>(bytes: &'a [u8], limits: &BodyLimits) -> Result<Vec<Node<'a>>, JsonFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Utf8)?;
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonFault::Values);
    }
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity((bytes.len() / 12).clamp(8, 4_096)),
        limits,
        depth: limits.json_depth.min(MAX_DEPTH),
    };
    parser.space();
    parser.value(0)?;
    parser.space();
    if parser.at < parser.bytes.len() {
        return Err(JsonFault::Syntax("nothing behind the document"));
    }
    Ok(parser.nodes)
}

struct Parser<'a, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    limits: &'l BodyLimits,
    depth: u32,
}

/// A body's length fits into 32 bits, which is checked first.
const fn narrow(at: usize) -> u32 {
    at as u32
}

impl<'a> Parser<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }
    fn slice(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }
    fn push(&mut self, kind: Kind, text: &'a str, start: usize, escaped: bool) -> Result<usize, JsonFault> {
        let index = self.nodes.len();
        if index >= self.limits.json_values as usize {
            return Err(JsonFault::Values);
        }
        self.nodes.push(Node {
            kind,
            escaped,
            text,
            start: narrow(start),
            end: narrow(self.at),
            next: narrow(index + 1),
            count: 0,
        });
        Ok(index)
    }
    fn close(&mut self, index: usize, count: u32) {
        let (next, end) = (narrow(self.nodes.len()), narrow(self.at));
        if let Some(node) = self.nodes.get_mut(index) {
            (node.next, node.end, node.count) = (next, end, count);
        }
    }

    fn value(&mut self, depth: u32) -> Result<(), JsonFault> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::Boolean, start),
            Some(b'f') => self.word("false", Kind::Boolean, start),
            Some(b'n') => self.word("null", Kind::Null, start),
            _ => Err(JsonFault::Syntax("a value")),
        }
    }
    fn word(&mut self, word: &'static str, kind: Kind, start: usize) -> Result<(), JsonFault> {
        if self.bytes.get(start..start + word.len()) != Some(word.as_bytes()) {
            return Err(JsonFault::Syntax("a value"));
        }
        self.at += word.len();
        self.push(kind, word, start, false).map(drop)
    }
    /// Passes over what stands for itself in a string, eight bytes at a time.
    fn plain(&mut self) {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        // The lowest bit that is set tells the first byte below a bound; those above it may be wrong.
        let below = |word: u64, bound: u64| word.wrapping_sub(LOW * bound) & !word & HIGH;
        let is = |word: u64, byte: u8| below(word ^ (LOW * u64::from(byte)), 1);
        while let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*eight);
            let special = is(word, b'"') | is(word, b'\\') | below(word, 0x20);
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
    }
    fn string(&mut self) -> Result<(), JsonFault> {
        let open = self.at;
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => return Err(JsonFault::Syntax("control characters in strings as escapes")),
                None => return Err(JsonFault::Syntax("the end of a string")),
            }
        }
        if self.at - start > self.limits.json_string_bytes as usize {
            return Err(JsonFault::StringLength);
        }
        let text = self.slice(start);
        self.at += 1;
        self.push(Kind::String, text, open, escaped).map(drop)
    }
    fn escape(&mut self) -> Result<(), JsonFault> {
        const FAULT: JsonFault = JsonFault::Syntax("an escape that JSON has");
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = self.unit(self.at + 2).ok_or(FAULT)?;
                self.at += 6;
                match unit {
                    0xD800..=0xDBFF => {
                        let low = (self.bytes.get(self.at..self.at + 2) == Some(b"\\u"))
                            .then(|| self.unit(self.at + 2))
                            .flatten();
                        if !matches!(low, Some(0xDC00..=0xDFFF)) {
                            return Err(JsonFault::Syntax("surrogates in pairs"));
                        }
                        self.at += 6;
                    }
                    0xDC00..=0xDFFF => return Err(JsonFault::Syntax("surrogates in pairs")),
                    _ => {}
                }
            }
            _ => return Err(FAULT),
        }
        Ok(())
    }
    fn unit(&self, at: usize) -> Option<u32> {
        hex(self.bytes.get(at..at + 4)?)
    }
    fn number(&mut self) -> Result<(), JsonFault> {
        const FAULT: JsonFault = JsonFault::Syntax("a number as JSON writes it");
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(FAULT),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(FAULT);
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(FAULT);
            }
            self.digits();
        }
        if self.at - start > self.limits.json_number_bytes as usize {
            return Err(JsonFault::NumberLength);
        }
        let text = self.slice(start);
        self.push(Kind::Number, text, start, false).map(drop)
    }
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }
    fn array(&mut self, depth: u32) -> Result<(), JsonFault> {
        if depth >= self.depth {
            return Err(JsonFault::Depth);
        }
        let index = self.push(Kind::Array, "", self.at, false)?;
        self.at += 1;
        self.space();
        let mut count = 0;
        if self.peek() == Some(b']') {
            self.at += 1;
            self.close(index, 0);
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            count += 1;
            if count > self.limits.json_elements {
                return Err(JsonFault::Elements);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(JsonFault::Syntax("`,` or `]`")),
            }
            self.space();
        }
        self.at += 1;
        self.close(index, count);
        Ok(())
    }
    fn object(&mut self, depth: u32) -> Result<(), JsonFault> {
        if depth >= self.depth {
            return Err(JsonFault::Depth);
        }
        let index = self.push(Kind::Object, "", self.at, false)?;
        self.at += 1;
        self.space();
        let mut count = 0;
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.close(index, 0);
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(JsonFault::Syntax("a key in quotes"));
            }
            self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(JsonFault::Syntax("`:`"));
            }
            self.at += 1;
            self.space();
            self.value(depth + 1)?;
            count += 1;
            if count > self.limits.json_members {
                return Err(JsonFault::Members);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(JsonFault::Syntax("`,` or `}`")),
            }
            self.space();
        }
        self.at += 1;
        self.close(index, count);
        if self.has_duplicate(index) { Err(JsonFault::DuplicateKey) } else { Ok(()) }
    }
    fn has_duplicate(&self, object: usize) -> bool {
        let keys = || members(&self.nodes, object).map(|member| member.key);
        let count = self.nodes.get(object).map_or(0, |node| node.count as usize);
        if count <= FEW_KEYS {
            // Keys that differ in length or in an end are different: mostly that settles it.
            let mut seen = 0u128;
            let told_apart = keys().all(|key| {
                let (first, last) = (key.text.as_bytes().first(), key.text.as_bytes().last());
                let ends = first.map_or(0, |first| u32::from(*first) * 5)
                    + last.map_or(0, |last| u32::from(*last) * 11);
                let bit = 1 << ((ends + narrow(key.text.len()).wrapping_mul(29)) % u128::BITS);
                let new = seen & bit == 0;
                seen |= bit;
                new && !key.escaped
            });
            if told_apart {
                return false;
            }
            return keys().enumerate().any(|(number, key)| {
                keys().take(number).any(|other| {
                    if key.escaped || other.escaped {
                        key.string() == other.string()
                    } else {
                        key.text.len() == other.text.len() && key.text == other.text
                    }
                })
            });
        }
        let mut names: Vec<Cow<'_, str>> = keys().map(|key| key.string()).collect();
        names.sort_unstable();
        names.array_windows().any(|[one, other]| one == other)
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// The text of a string whose escapes were checked.
fn unescaped(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, tail)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let unit = |text: &str| text.as_bytes().get(..4).and_then(hex);
                let mut unit_of = |skip: usize| {
                    let code = chars.as_str().get(skip..).and_then(unit)?;
                    chars = chars.as_str().get(skip + 4..)?.chars();
                    Some(code)
                };
                let first = unit_of(0).unwrap_or(0xFFFD);
                let code = if (0xD800..0xDC00).contains(&first) {
                    let low = unit_of(2).unwrap_or(0xDC00);
                    0x10000 + ((first - 0xD800) << 10) + (low & 0x3FF)
                } else {
                    first
                };
                out.push(char::from_u32(code).unwrap_or('\u{FFFD}'));
            }
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// A key with the index of its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'n, 'a> {
    pub key: &'n Node<'a>,
    /// Index of the key's node.
    pub at: usize,
    pub value: usize,
}

/// The members of the object at `index`.
pub fn members<'n, 'a>(
    nodes: &'n [Node<'a>],
    index: usize,
) -> impl Iterator<Item = Member<'n, 'a>> + use<'n, 'a> {
    let count = nodes.get(index).filter(|node| node.kind == Kind::Object).map_or(0, |node| node.count);
    let mut at = index + 1;
    (0..count).map_while(move |_| {
        let member = Member { key: nodes.get(at)?, at, value: at + 1 };
        at = nodes.get(at + 1)?.next as usize;
        Some(member)
    })
}

/// The indexes of the elements of the array at `index`.
pub fn elements<'n>(nodes: &'n [Node<'_>], index: usize) -> impl Iterator<Item = usize> + use<'n> {
    let array = nodes.get(index).filter(|node| node.kind == Kind::Array);
    let mut at = index + 1;
    (0..array.map_or(0, |node| node.count)).map_while(move |_| {
        let element = at;
        at = nodes.get(at)?.next as usize;
        Some(element)
    })
}

/// The value of a key.
pub fn member(nodes: &[Node<'_>], index: usize, name: &str) -> Option<usize> {
    members(nodes, index).find(|member| member.key.is_text(name)).map(|member| member.value)
}

/// The text without the members whose keys stand at `drop` (node indexes, any order).
pub fn without(source: &[u8], nodes: &[Node<'_>], drop: &[usize]) -> Vec<u8> {
    let mut cuts: Vec<(usize, usize)> = Vec::with_capacity(drop.len());
    let is_dropped = |at: usize| drop.contains(&at);
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Object) {
        let list: Vec<Member<'_, '_>> = members(nodes, index).collect();
        if !list.iter().any(|member| is_dropped(member.at)) {
            continue;
        }
        let end_of = |member: &Member<'_, '_>| nodes.get(member.value).map_or(0, |value| value.end as usize);
        let mut first_kept = false;
        for (number, member) in list.iter().enumerate() {
            if !is_dropped(member.at) {
                first_kept = true;
                continue;
            }
            // With the comma before it once something is kept, else with the comma behind it.
            let before = number.checked_sub(1).and_then(|before| list.get(before)).map(end_of);
            let after = list.get(number + 1).map(|next| next.key.start as usize);
            cuts.push(match (first_kept, before, after) {
                (true, Some(before), _) => (before, end_of(member)),
                (false, _, Some(after)) => (member.key.start as usize, after),
                _ => (member.key.start as usize, end_of(member).min(node.end as usize)),
            });
        }
    }
    cuts.sort_unstable();
    let mut out = Vec::with_capacity(source.len());
    let mut at = 0;
    for (start, end) in cuts {
        if end <= at {
            continue;
        }
        out.extend_from_slice(source.get(at..start.max(at)).unwrap_or_default());
        at = end;
    }
    out.extend_from_slice(source.get(at..).unwrap_or_default());
    out
}

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}
