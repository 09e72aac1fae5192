//! The names of fields as a tree: one node for each object key at each place, `*` for the items of an array.
//!
//! A repeated field (the hundredth item of a list) costs one look-up and no memory. A key that itself looks like a value
//! is kept as `{kind}` only, so that no value enters a pointer; since such a name never holds `/` or `~`, pointers need
//! no escapes.

use std::sync::Arc;

use probity_model::Place;
use probity_model::path::{MAX_WORD, SegmentKind, segment_kind};

use super::findings::{OFFSET, fnv, mix};
use super::key::{self, Context};

/// Most distinct fields of one call; what is found in later ones counts for the field around them.
pub const MAX_FIELDS: usize = 1000;
const SLOTS: usize = 2048;
/// Longest search for a free slot: bounds what keys made to collide can cost.
const MAX_PROBES: usize = 24;
const PLACES: [Place; 6] = [
    Place::RequestPath,
    Place::RequestQuery,
    Place::RequestHeader,
    Place::RequestBody,
    Place::ResponseHeader,
    Place::ResponseBody,
];
/// Two roots for each place: of pointers (`/a/b`) and of plain names.
const ROOTS: usize = 2 * PLACES.len();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

impl NodeId {
    pub(super) const NONE: Self = Self(u32::MAX);
    /// Where pointers of a place begin.
    pub(super) const fn root(place: Place) -> Self {
        Self(place as u32 * 2)
    }
    /// Where plain names (headers, parameters) of a place hang.
    pub(super) const fn names(place: Place) -> Self {
        Self(place as u32 * 2 + 1)
    }
    const fn is_root(self) -> bool {
        (self.0 as usize) < ROOTS
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// FNV state after the whole pointer.
    hash: u64,
    parent: NodeId,
    start: u32,
    length: u32,
    context: Context,
    /// Array items are no fields of their own.
    item: bool,
}

/// See the module's head.
#[derive(Debug)]
pub struct Fields {
    nodes: Vec<Node>,
    text: Vec<u8>,
    slots: Vec<u32>,
}

impl Default for Fields {
    fn default() -> Self {
        let root = Node {
            hash: OFFSET,
            parent: NodeId::NONE,
            start: 0,
            length: 0,
            context: Context::None,
            item: true,
        };
        Self { nodes: vec![root; ROOTS], text: Vec::new(), slots: vec![0; SLOTS] }
    }
}

impl Fields {
    /// Pointers or names found at `place`, sorted.
    pub fn names(&self, place: Place) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.at(place).map(|id| self.pointer(id).into()).collect();
        names.sort();
        names
    }
    pub fn len(&self) -> usize {
        self.nodes.len() - ROOTS
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn clear(&mut self) {
        if self.nodes.len() > ROOTS {
            self.nodes.truncate(ROOTS);
            self.text.clear();
            self.slots.fill(0);
        }
    }

    /// One number for the set of pointers at `place`, whatever their order.
    pub(super) fn sum(&self, place: Place) -> u64 {
        let hashes = self.at(place).filter_map(|id| self.node(id)).map(|node| mix(node.hash));
        hashes.fold(0, u64::wrapping_add)
    }

    fn at(&self, place: Place) -> impl Iterator<Item = NodeId> {
        let own = self.nodes.iter().enumerate().skip(ROOTS).filter(|(_, node)| !node.item);
        own.filter_map(|(index, _)| u32::try_from(index).ok().map(NodeId))
            .filter(move |id| self.place(*id) == place)
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    pub(super) fn context(&self, id: NodeId) -> Context {
        self.node(id).map_or(Context::None, |node| node.context)
    }

    /// The last part of a pointer.
    pub(super) fn name(&self, id: NodeId) -> &[u8] {
        self.node(id).map_or(b"", |node| self.segment(node))
    }

    pub(super) fn parent(&self, id: NodeId) -> NodeId {
        self.node(id).map_or(NodeId::NONE, |node| node.parent)
    }

    pub(super) fn place(&self, id: NodeId) -> Place {
        let mut at = id;
        while !at.is_root() {
            let Some(node) = self.node(at) else { break };
            at = node.parent;
        }
        PLACES.get(at.0 as usize / 2).copied().unwrap_or(Place::ResponseBody)
    }

    pub(super) fn pointer(&self, id: NodeId) -> String {
        let mut parts = Vec::new();
        let mut at = id;
        while !at.is_root() {
            let Some(node) = self.node(at) else { break };
            parts.push(self.segment(node));
            at = node.parent;
        }
        let bare = at.0 % 2 == 1;
        let mut out = String::new();
        for (index, part) in parts.iter().rev().enumerate() {
            if index > 0 || !bare {
                out.push('/');
            }
            out.push_str(&String::from_utf8_lossy(part));
        }
        out
    }

    fn segment(&self, node: &Node) -> &[u8] {
        let start = node.start as usize;
        self.text.get(start..start + node.length as usize).unwrap_or_default()
    }

    /// The node of the items of an array: same context as the array.
    pub(super) fn items(&mut self, parent: NodeId) -> NodeId {
        let context = self.context(parent);
        self.find_or_insert(parent, b"*", true, |_| context)
    }

    /// The node of a key inside `parent`; whether the key itself looked like a value.
    pub(super) fn member(&mut self, parent: NodeId, key: &[u8]) -> (NodeId, bool) {
        match key_kind(key) {
            None => (self.named(parent, key), false),
            Some(kind) => (self.named(parent, kind.as_bytes()), true),
        }
    }

    fn named(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        self.find_or_insert(parent, name, false, |around| key::context(name, around))
    }

    fn find_or_insert(
        &mut self,
        parent: NodeId,
        name: &[u8],
        item: bool,
        context: impl FnOnce(Context) -> Context,
    ) -> NodeId {
        let Some(&Node { hash, context: around, .. }) = self.node(parent) else { return parent };
        let hash = fnv(fnv(hash, b"/"), name);
        let mut slot = (hash ^ u64::from(parent.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 20;
        for _ in 0..MAX_PROBES {
            let Some(place) = self.slots.get(slot as usize % SLOTS).copied() else { break };
            if place == 0 {
                return self.insert(
                    slot as usize % SLOTS,
                    Node {
                        hash,
                        parent,
                        start: u32::try_from(self.text.len()).unwrap_or(u32::MAX),
                        length: u32::try_from(name.len()).unwrap_or(u32::MAX),
                        context: context(around),
                        item,
                    },
                    name,
                );
            }
            let known = NodeId(place);
            if let Some(node) = self.node(known)
                && node.hash == hash
                && node.parent == parent
                && node.item == item
                && self.segment(node) == name
            {
                return known;
            }
            slot = slot.wrapping_add(1);
        }
        parent
    }

    fn insert(&mut self, slot: usize, node: Node, name: &[u8]) -> NodeId {
        let Ok(id) = u32::try_from(self.nodes.len()) else { return node.parent };
        if self.len() >= MAX_FIELDS {
            return node.parent;
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = id;
        }
        self.nodes.push(node);
        self.text.extend_from_slice(name);
        NodeId(id)
    }
}

/// Most decimal digits of a key that is a name (`address_line_1`, `ipv4`).
const MAX_NAME_DIGITS: usize = 4;

/// `None` for a name; what takes its place for a key that looks like a value, or that could hold one.
fn key_kind(key: &[u8]) -> Option<&'static str> {
    let inner = match key {
        [b'@' | b'$' | b'#' | b'_', rest @ ..] => rest,
        whole => whole,
    };
    let (mut digits, mut odd, mut wide) = (0, 0, 0);
    for byte in inner {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' | b'.' | b':' => {}
            b'[' | b']' => {}
            b'0'..=b'9' => digits += 1,
            0x80.. => wide += 1,
            _ => odd += 1,
        }
    }
    let length = key.len();
    if odd == 0 && length <= MAX_WORD && (digits == 0 || is_numbered(inner, digits)) {
        return match wide == 0 || std::str::from_utf8(key).is_ok_and(|text| text.chars().all(is_name_char)) {
            true => None,
            false => Some("{token}"),
        };
    }
    let Ok(text) = std::str::from_utf8(key) else { return Some("{token}") };
    Some(match segment_kind(text) {
        SegmentKind::Int => "{int}",
        SegmentKind::Decimal => "{decimal}",
        SegmentKind::Uuid => "{uuid}",
        SegmentKind::Hex => "{hex}",
        SegmentKind::Date => "{date}",
        SegmentKind::Email => "{email}",
        SegmentKind::Code => "{code}",
        SegmentKind::Slug => "{slug}",
        SegmentKind::Word | SegmentKind::Token => "{token}",
    })
}

/// Letters first, few digits, and not a date, a hex run or a code such as `AB-1234`.
fn is_numbered(key: &[u8], digits: usize) -> bool {
    let letters = key.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let lower = key.iter().any(u8::is_ascii_lowercase);
    let hex = key.len() >= 8 && key.iter().all(u8::is_ascii_hexdigit);
    key.first().is_some_and(u8::is_ascii_alphabetic)
        && (digits <= MAX_NAME_DIGITS.min(letters))
        && !hex
        && (lower || digits <= 2)
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '$' | '#' | ':' | '[' | ']')
}
