//! Paths without their values: segments typed by their letters, and templates such as `/patients/{id}`.
//!
//! Typing is lexical only and happens in the gateway, so that no raw path enters a record. Learning which segments
//! are variables is `probity-graph`'s; matching known templates is `probity-policy`'s.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Segments beyond this many are folded into the last one, typed `Token`.
pub const MAX_SEGMENTS: usize = 32;
/// Words longer than this are typed `Token`.
pub const MAX_WORD: usize = 48;

/// What a segment looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Letters, with `-`, `_` or `.` between them, a single digit among them (`oauth2`, `tier-1`), and version marks
    /// such as `v1`: kept in clear.
    Word,
    Int,
    Decimal,
    Uuid,
    /// Eight or more hexadecimal digits with at least one decimal digit.
    Hex,
    Date,
    Email,
    /// Letters and digits mixed, as in order codes (`AB-1234`).
    Code,
    /// Several words joined by `-` or `_` with digits, as in article slugs.
    Slug,
    /// Anything else: base64, long or percent-encoded text.
    Token,
}

impl SegmentKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Int => "int",
            Self::Decimal => "decimal",
            Self::Uuid => "uuid",
            Self::Hex => "hex",
            Self::Date => "date",
            Self::Email => "email",
            Self::Code => "code",
            Self::Slug => "slug",
            Self::Token => "token",
        }
    }
}

/// One typed segment. `word` is set for [`SegmentKind::Word`] only; `hash` is a keyed hash of the raw segment
/// (0 where no joining is wanted), so that distinct values can be counted and never read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    pub kind: SegmentKind,
    pub word: Option<Arc<str>>,
    pub hash: u64,
}

impl Segment {
    /// Types one raw segment. `hash` is the caller's keyed hash of it.
    pub fn of(raw: &str, hash: u64) -> Self {
        let kind = segment_kind(raw);
        let word = matches!(kind, SegmentKind::Word).then(|| raw.into());
        Self { kind, word, hash }
    }
    /// The word itself, else `{kind}`.
    pub fn display(&self) -> String {
        match &self.word {
            Some(word) => word.to_string(),
            None => format!("{{{}}}", self.kind.as_str()),
        }
    }
}

/// Types the segments of a raw path (query already cut off); empty segments are kept as empty words.
pub fn segments(path: &str, hash: impl Fn(&str) -> u64) -> Vec<Segment> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut rest = path;
    let mut out = Vec::with_capacity(8);
    while out.len() + 1 < MAX_SEGMENTS {
        let Some((head, tail)) = rest.split_once('/') else { break };
        out.push(Segment::of(head, hash(head)));
        rest = tail;
    }
    if rest.contains('/') {
        out.push(Segment { kind: SegmentKind::Token, word: None, hash: hash(rest) });
    } else {
        out.push(Segment::of(rest, hash(rest)));
    }
    out
}

/// What `raw` looks like, by its letters alone.
pub fn segment_kind(raw: &str) -> SegmentKind {
    let bytes = raw.as_bytes();
    let (mut digits, mut letters, mut hex, mut joints, mut dots, mut other) = (0, 0, 0, 0, 0, 0);
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'f' | b'A'..=b'F' => {
                letters += 1;
                hex += 1;
            }
            b'g'..=b'z' | b'G'..=b'Z' => letters += 1,
            b'-' | b'_' => joints += 1,
            // As in `$count` and `$metadata`, the system resources of OData.
            b'$' if index == 0 => joints += 1,
            b'.' => dots += 1,
            _ => other += 1,
        }
    }
    let length = bytes.len();
    if other == 0 && digits == 0 && length <= MAX_WORD {
        return SegmentKind::Word;
    }
    if digits == length {
        return SegmentKind::Int;
    }
    if is_version(bytes) {
        return SegmentKind::Word;
    }
    if is_uuid(bytes) {
        return SegmentKind::Uuid;
    }
    if is_date(bytes) {
        return SegmentKind::Date;
    }
    if raw.contains('@') && dots > 0 || raw.contains("%40") {
        return SegmentKind::Email;
    }
    if other > 0 || length > 64 {
        return SegmentKind::Token;
    }
    if letters == 0 && digits > 0 && dots == 1 && joints <= 1 {
        return SegmentKind::Decimal;
    }
    if digits + hex == length && length >= 8 {
        return SegmentKind::Hex;
    }
    if digits == 1 && length <= MAX_WORD && bytes.iter().any(u8::is_ascii_lowercase) {
        return SegmentKind::Word;
    }
    if joints > 0 && letters > digits {
        return SegmentKind::Slug;
    }
    if length <= 24 { SegmentKind::Code } else { SegmentKind::Token }
}

fn is_version(bytes: &[u8]) -> bool {
    match bytes {
        [b'v' | b'V', rest @ ..] => {
            (1..=8).contains(&rest.len())
                && rest.first().is_some_and(u8::is_ascii_digit)
                && rest.iter().all(|b| {
                    b.is_ascii_digit() || matches!(b, b'.' | b'a' | b'b' | b'l' | b'p' | b'h' | b'e' | b't')
                })
        }
        _ => false,
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_date(bytes: &[u8]) -> bool {
    let Some(date) = bytes.get(..10) else { return false };
    date.iter().enumerate().all(|(index, byte)| match index {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    }) && matches!(bytes.get(10), None | Some(b'T' | b't'))
}

/// A path template: literal segments and `{name}` variables, as in OpenAPI.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Template(Arc<str>);

impl Template {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub fn segments(&self) -> impl Iterator<Item = TemplateSegment<'_>> {
        self.0.strip_prefix('/').unwrap_or(&self.0).split('/').map(TemplateSegment::of)
    }
    /// The template with every variable's name left out: equal for operations that differ in names only.
    pub fn shape(&self) -> String {
        self.segments().fold(String::new(), |shape, segment| match segment {
            TemplateSegment::Literal(text) => shape + "/" + text,
            TemplateSegment::Variable(_) => shape + "/{}",
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.0)
    }
}

/// One segment of a [`Template`]. A segment that only partly varies (`{name}.json`) counts as a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateSegment<'a> {
    Literal(&'a str),
    Variable(&'a str),
}

impl<'a> TemplateSegment<'a> {
    fn of(text: &'a str) -> Self {
        match text.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
            Some((name, _)) => Self::Variable(name),
            None => Self::Literal(text),
        }
    }
}
