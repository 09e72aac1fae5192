//! One spanned tree for YAML and JSON: every key and value knows its line and column.
//!
//! YAML is scanned by `saphyr-parser` (its event stream, never its recursive loader), JSON by a small scanner of our
//! own, because YAML's escapes are not JSON's and documents of tens of megabytes are usual. Aliases stay references
//! to the anchored node, so that nothing is copied; what they would expand to is counted and bounded. Scalars keep
//! their text: how a plain scalar is typed (YAML 1.2 core schema) is decided when it is looked at.
//!
//! What this is not: typed reading, which is [`crate::config`]. The building is in `build`.

mod build;
mod json;
mod parse;
mod scalar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use probity_model::{Diagnostic, Severity, Span};

use crate::diagnostics::{Diagnostics, Position};

/// Bytes of a document.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Nesting of a document, with aliases followed.
pub const MAX_DEPTH: u32 = 200;
/// Keys and values of a document.
pub const MAX_NODES: usize = 8_000_000;
/// Nodes that all aliases and merges of a document may stand for.
pub const MAX_ALIAS_NODES: u64 = 100_000;

/// A document. Nodes are looked at through [`Node`], which is a cheap copy.
pub struct Tree {
    file: Arc<str>,
    text: String,
    nodes: Vec<Stored>,
    entries: Vec<Entry>,
    /// Entry numbers of large mappings, sorted by key.
    order: Vec<u32>,
    root: u32,
    json: bool,
}

#[derive(Clone, Copy)]
struct Stored {
    at: Position,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// `plain`: unquoted, so that it may be a number, a boolean or null.
    Scalar {
        text: Text,
        plain: bool,
    },
    Sequence {
        start: u32,
        len: u32,
    },
    /// `order` is where the sorted entry numbers start, when there are any.
    Mapping {
        start: u32,
        len: u32,
        order: Option<u32>,
    },
    Alias(u32),
}

/// A range of [`Tree::text`].
#[derive(Clone, Copy, Default)]
struct Text {
    start: u32,
    len: u32,
}

/// A key with its value, or an item of a sequence (its key is empty).
#[derive(Clone, Copy)]
struct Entry {
    key: Text,
    at: Position,
    value: u32,
}

impl Tree {
    /// Reads the first document of `bytes`. `None` when it is no YAML and no JSON; the diagnostics say where.
    pub fn read(file: &str, bytes: &[u8]) -> (Option<Self>, Vec<Diagnostic>) {
        let file: Arc<str> = file.into();
        let mut diagnostics = Diagnostics::new(&file);
        let tree = match read(&file, bytes, &mut diagnostics) {
            Ok(tree) => Some(tree),
            Err(fault) => {
                diagnostics.add_fault(fault);
                None
            }
        };
        (tree, diagnostics.finish())
    }
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }
    /// It was read as JSON, not as YAML.
    pub fn is_json(&self) -> bool {
        self.json
    }
    pub fn root(&self) -> Node<'_> {
        Node { tree: self, id: self.root }
    }
    /// The node that a JSON pointer (RFC 6901) names.
    pub fn pointer(&self, pointer: &str) -> Option<Node<'_>> {
        let mut node = self.root();
        for token in pointer_tokens(pointer)? {
            node = node.child(&token)?;
        }
        Some(node)
    }
    /// Where the value of a JSON pointer stands.
    pub fn span_of(&self, pointer: &str) -> Option<Span> {
        self.pointer(pointer).map(Node::span)
    }
    /// Where the last key of a JSON pointer stands; an item of a sequence is its own key.
    pub fn key_span_of(&self, pointer: &str) -> Option<Span> {
        let (parent, last) = pointer.rsplit_once('/')?;
        let node = self.pointer(parent)?;
        let key = unescape(last);
        match node.entry(&key) {
            Some(entry) => Some(entry.key_span()),
            None => node.child(&key).map(Node::span),
        }
    }
    /// Every scalar and every empty collection with its pointer, in document order; at most `limit` of them.
    pub fn leaves(&self, limit: usize) -> Vec<(String, Node<'_>)> {
        let mut out = Vec::new();
        let mut todo = vec![(String::new(), self.root())];
        while let Some((pointer, node)) = todo.pop() {
            if out.len() >= limit {
                break;
            }
            let first = todo.len();
            match node.value() {
                Value::Mapping(1..) => {
                    todo.extend(
                        node.entries().map(|e| (format!("{pointer}/{}", escape(e.key())), e.value())),
                    );
                }
                Value::Sequence(1..) => {
                    todo.extend(node.items().enumerate().map(|(i, item)| (format!("{pointer}/{i}"), item)));
                }
                _ => out.push((pointer, node)),
            }
            if let Some(added) = todo.get_mut(first..) {
                added.reverse();
            }
        }
        out
    }
    fn str(&self, text: Text) -> &str {
        let start = text.start as usize;
        self.text.get(start..start + text.len as usize).unwrap_or_default()
    }
    fn entry_range(&self, start: u32, len: u32) -> &[Entry] {
        let start = start as usize;
        self.entries.get(start..start + len as usize).unwrap_or_default()
    }
    fn stored(&self, id: u32) -> Stored {
        self.nodes.get(id as usize).copied().unwrap_or(Stored { at: Position::START, kind: NULL })
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({}, {} nodes)", self.file, self.nodes.len())
    }
}

const NULL: Kind = Kind::Scalar { text: Text { start: 0, len: 0 }, plain: true };

/// What stops the reading of a document.
#[derive(Debug)]
struct Fault {
    at: Position,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }
    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Diagnostics {
    fn add_fault(&mut self, fault: Fault) {
        match fault.hint {
            Some(hint) => self.push_hint(Severity::High, fault.at, fault.message, hint),
            None => self.push(Severity::High, fault.at, fault.message),
        }
    }
}

fn read(file: &Arc<str>, bytes: &[u8], diagnostics: &mut Diagnostics) -> Result<Tree, Fault> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", bytes.len());
        return Err(Fault::new(Position::START, message));
    }
    let text = utf8(bytes)?;
    if !matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) {
        return parse::yaml(file, text, diagnostics);
    }
    // What opens like JSON is JSON first; a flow collection of YAML also opens so, unless the name says JSON.
    let mut json_diagnostics = Diagnostics::new(file);
    match json::json(file, text, &mut json_diagnostics) {
        Ok(tree) => {
            diagnostics.extend(json_diagnostics.finish());
            Ok(tree)
        }
        Err(fault) if named_json(file) => Err(fault),
        Err(fault) => parse::yaml(file, text, diagnostics).map_err(|yaml| {
            // The reader of the two that got further knows better what is wrong.
            if fault.at >= yaml.at { fault } else { yaml }
        }),
    }
}

fn named_json(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, ending)| {
        ["json", "har", "geojson"].iter().any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// The text without a byte order mark.
fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            return Err(Fault::new(Position::START, "the file is UTF-16").hint("save it as UTF-8"));
        }
        _ => {}
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + valid.iter().filter(|b| **b == b'\n').count();
        let tail = valid.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let column = 1 + tail.iter().filter(|b| (**b & 0xC0) != 0x80).count();
        Fault::new(Position::of(line, column), "a byte that is not UTF-8").hint("save the file as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// One value of a [`Tree`], aliases already followed.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    id: u32,
}

/// A value as YAML 1.2's core schema types it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'t> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'t str),
    /// With its count of items.
    Sequence(usize),
    /// With its count of keys.
    Mapping(usize),
}

impl Value<'_> {
    /// `a list`, `text`, `a number`: for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

impl<'t> Node<'t> {
    fn resolved(self) -> Stored {
        let stored = self.tree.stored(self.id);
        match stored.kind {
            // An alias never names an alias: the builder resolves it.
            Kind::Alias(target) => self.tree.stored(target),
            _ => stored,
        }
    }
    /// The same for every alias of one anchor; for finding cycles and remembering visits.
    pub fn id(self) -> u32 {
        match self.tree.stored(self.id).kind {
            Kind::Alias(target) => target,
            _ => self.id,
        }
    }
    pub fn tree(self) -> &'t Tree {
        self.tree
    }
    pub fn position(self) -> Position {
        self.resolved().at
    }
    pub fn span(self) -> Span {
        self.position().in_file(&self.tree.file)
    }
    pub fn value(self) -> Value<'t> {
        match self.resolved().kind {
            Kind::Scalar { text, plain: false } => Value::Text(self.tree.str(text)),
            Kind::Scalar { text, plain: true } => scalar::plain(self.tree.str(text)),
            Kind::Sequence { len, .. } => Value::Sequence(len as usize),
            Kind::Mapping { len, .. } => Value::Mapping(len as usize),
            Kind::Alias(_) => Value::Null,
        }
    }
    /// The text of a scalar as it was written, whatever its type: `1.20` stays `1.20`. `None` for null and collections.
    pub fn text(self) -> Option<&'t str> {
        match self.resolved().kind {
            Kind::Scalar { text, plain } => {
                let text = self.tree.str(text);
                (!plain || !scalar::is_null(text)).then_some(text)
            }
            _ => None,
        }
    }
    /// A quoted string, or a plain scalar that is no number, boolean or null.
    pub fn as_str(self) -> Option<&'t str> {
        match self.value() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
    pub fn as_bool(self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }
    pub fn is_null(self) -> bool {
        matches!(self.value(), Value::Null)
    }
    pub fn is_mapping(self) -> bool {
        matches!(self.resolved().kind, Kind::Mapping { .. })
    }
    pub fn is_sequence(self) -> bool {
        matches!(self.resolved().kind, Kind::Sequence { .. })
    }
    /// The value of `key`, when this is a mapping that has it.
    pub fn get(self, key: &str) -> Option<Node<'t>> {
        self.entry(key).map(EntryNode::value)
    }
    pub fn entry(self, key: &str) -> Option<EntryNode<'t>> {
        let tree = self.tree;
        let Kind::Mapping { start, len, order } = self.resolved().kind else { return None };
        let number = match order {
            None => {
                let found =
                    tree.entry_range(start, len).iter().position(|entry| tree.str(entry.key) == key)?;
                start + u32::try_from(found).ok()?
            }
            Some(order) => {
                let order = tree.order.get(order as usize..(order + len) as usize)?;
                let key_of =
                    |number: &u32| tree.entries.get(*number as usize).map_or("", |entry| tree.str(entry.key));
                let found = order.binary_search_by(|number| key_of(number).cmp(key)).ok()?;
                *order.get(found)?
            }
        };
        Some(EntryNode { tree, number })
    }
    /// A key of a mapping, or a decimal index of a sequence.
    fn child(self, token: &str) -> Option<Node<'t>> {
        if self.is_sequence() {
            let index: usize = token.parse().ok()?;
            return self.items().nth(index);
        }
        self.get(token)
    }
    /// Keys with their values in document order; empty unless this is a mapping.
    pub fn entries(self) -> impl ExactSizeIterator<Item = EntryNode<'t>> + DoubleEndedIterator + use<'t> {
        let (start, len) = match self.resolved().kind {
            Kind::Mapping { start, len, .. } => (start, len),
            _ => (0, 0),
        };
        let tree = self.tree;
        (start..start + len).map(move |number| EntryNode { tree, number })
    }
    /// Items in order; empty unless this is a sequence.
    pub fn items(self) -> impl ExactSizeIterator<Item = Node<'t>> + use<'t> {
        self.numbered_items().map(|(_, item)| item)
    }
    /// Items with their number, which is that of one entry of the document and of no other.
    pub(crate) fn numbered_items(self) -> impl ExactSizeIterator<Item = (u32, Node<'t>)> + use<'t> {
        let (start, len) = match self.resolved().kind {
            Kind::Sequence { start, len } => (start, len),
            _ => (0, 0),
        };
        let tree = self.tree;
        (start..start + len).map(move |number| (number, EntryNode { tree, number }.value()))
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.value(), self.span())
    }
}

/// A key with its value.
#[derive(Clone, Copy)]
pub struct EntryNode<'t> {
    tree: &'t Tree,
    number: u32,
}

impl<'t> EntryNode<'t> {
    fn entry(self) -> Option<&'t Entry> {
        self.tree.entries.get(self.number as usize)
    }
    /// The same for one entry of the document, and for no other.
    pub fn number(self) -> u32 {
        self.number
    }
    pub fn key(self) -> &'t str {
        self.entry().map_or("", |entry| self.tree.str(entry.key))
    }
    pub fn key_position(self) -> Position {
        self.entry().map_or(Position::START, |entry| entry.at)
    }
    pub fn key_span(self) -> Span {
        self.key_position().in_file(&self.tree.file)
    }
    pub fn value(self) -> Node<'t> {
        Node { tree: self.tree, id: self.entry().map_or(self.tree.root, |entry| entry.value) }
    }
}

impl fmt::Debug for EntryNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.key(), self.value())
    }
}

/// The tokens of a JSON pointer, unescaped; `None` when it is none.
pub fn pointer_tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    Some(pointer.strip_prefix('/')?.split('/').map(unescape).collect())
}

/// A key as a token of a JSON pointer.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}
