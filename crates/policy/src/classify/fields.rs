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
use super::profile;

/// Most distinct fields of one call; what is found in later ones counts for the field around them.
pub const MAX_FIELDS: usize = 1000;
/// Most fields that are remembered from earlier calls.
const MAX_KEPT: usize = 1000;
/// Longest search for a free slot: bounds what keys made to collide can cost.
const MAX_PROBES: usize = 32;
const MIN_SLOTS: usize = 64;
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
    pointer: u64,
    /// The same, spread for [`Fields::sum`]; 0 for items, which are no fields of their own.
    share: u64,
    /// Of the parent and the own name, for look-ups.
    hash: u64,
    parent: NodeId,
    start: u32,
    end: u32,
    /// The call in which it was last seen.
    seen: u32,
    place: Place,
    context: Context,
    /// Array items are no fields of their own.
    item: bool,
    /// The member (or the items) that came first inside, and the one that came next beside, when last seen: objects of one list have
    /// the same members in the same order.
    first: NodeId,
    next: NodeId,
    /// The latest hit here.
    hit: u32,
}

/// See the module's head. Nodes outlive a call, so that the next one of the same kind finds its fields already judged;
/// `live` holds those of this call.
#[derive(Debug)]
pub struct Fields {
    nodes: Vec<Node>,
    live: Vec<NodeId>,
    /// Names, UTF-8, each with the `":` behind it that JSON has there; cut at their bounds only.
    text: Vec<u8>,
    /// Open addressing; 0 is free.
    slots: Vec<u32>,
    call: u32,
    /// For each place the sum over its live members: the same for one set in any order.
    sums: [u64; PLACES.len()],
}

impl Default for Fields {
    fn default() -> Self {
        let root = |place: Place| Node {
            pointer: OFFSET,
            share: 0,
            hash: 0,
            parent: NodeId::NONE,
            start: 0,
            end: 0,
            seen: 0,
            place,
            context: Context::None,
            item: true,
            first: NodeId::NONE,
            next: NodeId::NONE,
            hit: 0,
        };
        let nodes = PLACES.iter().flat_map(|place| [root(*place), root(*place)]).collect();
        Self {
            nodes,
            live: Vec::new(),
            text: Vec::new(),
            slots: Vec::new(),
            call: 1,
            sums: [0; PLACES.len()],
        }
    }
}

impl Fields {
    /// Pointers or names found at `place`, sorted.
    pub fn names(&self, place: Place) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.at(place).map(|(id, _)| self.pointer(id).into()).collect();
        names.sort();
        names
    }
    /// Fields of this call, array items counted too.
    pub fn len(&self) -> usize {
        self.live.len()
    }
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.live.clear();
        self.sums = [0; PLACES.len()];
        self.call = self.call.wrapping_add(1);
        if self.nodes.len() > ROOTS + MAX_KEPT || self.call == 0 {
            self.nodes.truncate(ROOTS);
            self.text.clear();
            self.slots.clear();
            self.call = 1;
        }
    }

    /// One number for the set of pointers at `place`, whatever their order.
    pub(super) fn sum(&self, place: Place) -> u64 {
        self.sums.get(place as usize).copied().unwrap_or_default()
    }

    fn add(sums: &mut [u64; PLACES.len()], node: &Node) {
        if let Some(sum) = sums.get_mut(node.place as usize) {
            *sum = sum.wrapping_add(node.share);
        }
    }

    fn at(&self, place: Place) -> impl Iterator<Item = (NodeId, &Node)> {
        let live = self.live.iter().filter_map(|id| self.node(*id).map(|node| (*id, node)));
        live.filter(move |(_, node)| node.place == place && !node.item)
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

    /// Where the latest hit at `id` stands, if there was one; to be checked.
    pub(super) fn hit(&self, id: NodeId) -> usize {
        self.node(id).map_or(0, |node| node.hit as usize)
    }
    pub(super) fn set_hit(&mut self, id: NodeId, at: usize) {
        if let (Some(node), Ok(at)) = (self.nodes.get_mut(id.0 as usize), u32::try_from(at)) {
            node.hit = at;
        }
    }

    pub(super) fn parent(&self, id: NodeId) -> NodeId {
        self.node(id).map_or(NodeId::NONE, |node| node.parent)
    }

    pub(super) fn place(&self, id: NodeId) -> Place {
        self.node(id).map_or(Place::ResponseBody, |node| node.place)
    }

    pub(super) fn pointer(&self, id: NodeId) -> String {
        let (mut length, mut at) = (0, id);
        while let Some(node) = self.node(at).filter(|_| !at.is_root()) {
            length += (node.end - node.start) as usize + 1;
            at = node.parent;
        }
        // Names of headers and parameters hang under odd roots and do not begin with `/`.
        let bare = at.0 % 2 == 1 && length > 0;
        let mut out = vec![b'/'; length - usize::from(bare)];
        let (mut end, mut at) = (out.len(), id);
        while let Some(node) = self.node(at).filter(|_| !at.is_root()) {
            let name = self.segment(node);
            let start = end.saturating_sub(name.len());
            if let Some(place) = out.get_mut(start..end) {
                place.copy_from_slice(name);
            }
            end = start.saturating_sub(1);
            at = node.parent;
        }
        String::from_utf8(out).unwrap_or_default()
    }

    #[inline]
    fn segment(&self, node: &Node) -> &[u8] {
        self.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The node of the items of an array: same context as the array.
    pub(super) fn items(&mut self, parent: NodeId) -> NodeId {
        let hint = self.first(parent);
        if self.node(hint).is_some_and(|node| node.item && node.parent == parent) {
            return self.see(hint, parent);
        }
        let hash = quick_hash(parent, b"*").wrapping_add(1);
        let items = match self.find(parent, b"*", hash, true) {
            Some(known) => self.see(known, parent),
            None => self.insert(parent, "*", hash, self.context(parent), true),
        };
        if let Some(node) = self.nodes.get_mut(parent.0 as usize) {
            node.first = items;
        }
        items
    }

    /// The member that most likely comes first inside `parent`.
    pub(super) fn first(&self, parent: NodeId) -> NodeId {
        self.node(parent).map_or(NodeId::NONE, |node| node.first)
    }

    /// The member that most likely comes after `id`.
    pub(super) fn next(&self, id: NodeId) -> NodeId {
        self.node(id).map_or(NodeId::NONE, |node| node.next)
    }

    /// If `bytes` begin with the key that was expected inside `parent`, and with `":`: its node, the likely next one, and
    /// what follows the colon. Names hold no quotes and no escapes, so that no search for the key's end is needed.
    #[inline(always)]
    pub(super) fn expected<'a>(
        &mut self,
        parent: NodeId,
        hint: NodeId,
        bytes: &'a [u8],
    ) -> Option<(NodeId, NodeId, &'a [u8])> {
        let node = self.nodes.get(hint.0 as usize).filter(|node| node.parent == parent && !node.item)?;
        let text = self.text.get(node.start as usize..node.end as usize + 2)?;
        let (key, after) = bytes.split_at_checked(text.len())?;
        if !same(key, text) {
            return None;
        }
        let next = node.next;
        let id = if node.seen == self.call { hint } else { self.see(hint, parent) };
        Some((id, next, after))
    }

    /// The node of a key inside `parent`, and whether the key itself looked like a value. `before` is the member before
    /// it, or `parent`.
    pub(super) fn member(&mut self, parent: NodeId, before: NodeId, key: &[u8]) -> (NodeId, bool) {
        let (id, valued) = self.search(parent, key);
        // A key that looks like a value has a name of another text: no hint leads to it.
        if !valued && let Some(node) = self.nodes.get_mut(before.0 as usize) {
            match before == parent {
                true => node.first = id,
                false => node.next = id,
            }
        }
        (id, valued)
    }

    fn search(&mut self, parent: NodeId, key: &[u8]) -> (NodeId, bool) {
        let hash = quick_hash(parent, key);
        if key.first() != Some(&b'{')
            && let Some(known) = self.find(parent, key, hash, false)
        {
            return (self.see(known, parent), false);
        }
        let (name, hash, valued) = match name_or_kind(key) {
            Ok(name) => (name, hash, false),
            Err(kind) => (kind, quick_hash(parent, kind.as_bytes()), true),
        };
        let known = if valued { self.find(parent, name.as_bytes(), hash, false) } else { None };
        let node = match known {
            Some(known) => self.see(known, parent),
            None => {
                let context = key::context(name.as_bytes(), self.context(parent));
                self.insert(parent, name, hash, context, false)
            }
        };
        (node, valued)
    }

    fn find(&self, parent: NodeId, name: &[u8], hash: u64, item: bool) -> Option<NodeId> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = hash as usize;
        for _ in 0..MAX_PROBES {
            let id = self.slots.get(slot & mask).copied().filter(|id| *id != 0)?;
            if let Some(node) = self.nodes.get(id as usize)
                && node.hash == hash
                && node.parent == parent
                && node.item == item
                && self.segment(node) == name
            {
                return Some(NodeId(id));
            }
            slot = slot.wrapping_add(1);
        }
        None
    }

    /// Counts a node to this call, unless that is full.
    fn see(&mut self, id: NodeId, parent: NodeId) -> NodeId {
        let Some(node) = self.nodes.get_mut(id.0 as usize) else { return parent };
        if node.seen != self.call {
            if self.live.len() >= MAX_FIELDS {
                return parent;
            }
            node.seen = self.call;
            self.live.push(id);
            Self::add(&mut self.sums, node);
        }
        id
    }

    fn insert(&mut self, parent: NodeId, name: &str, hash: u64, context: Context, item: bool) -> NodeId {
        let (Some(around), Ok(id)) = (self.node(parent), u32::try_from(self.nodes.len())) else {
            return parent;
        };
        let (Ok(start), Ok(end)) =
            (u32::try_from(self.text.len()), u32::try_from(self.text.len() + name.len()))
        else {
            return parent;
        };
        let pointer = fnv(fnv(around.pointer, b"/"), name.as_bytes());
        let place = around.place;
        let share = if item { 0 } else { mix(pointer) };
        if self.live.len() >= MAX_FIELDS || !self.claim(hash, id) {
            return parent;
        }
        let node = Node {
            pointer,
            share,
            hash,
            parent,
            start,
            end,
            seen: self.call,
            place,
            context,
            item,
            first: NodeId::NONE,
            next: NodeId::NONE,
            hit: 0,
        };
        Self::add(&mut self.sums, &node);
        self.nodes.push(node);
        self.live.push(NodeId(id));
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        NodeId(id)
    }

    /// A slot for a new node; false if its neighbourhood is full.
    fn claim(&mut self, hash: u64, id: u32) -> bool {
        if self.nodes.len() * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(MIN_SLOTS)];
            for at in ROOTS..self.nodes.len() {
                if let (Some(node), Ok(known)) = (self.nodes.get(at).copied(), u32::try_from(at)) {
                    place(&mut self.slots, node.hash, known);
                }
            }
        }
        place(&mut self.slots, hash, id)
    }
}

fn place(slots: &mut [u32], hash: u64, id: u32) -> bool {
    let mask = slots.len().wrapping_sub(1);
    for step in 0..MAX_PROBES {
        if let Some(slot) = slots.get_mut((hash as usize).wrapping_add(step) & mask)
            && *slot == 0
        {
            *slot = id;
            return true;
        }
    }
    false
}

/// Equality without a call: keys are short.
#[inline(always)]
fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if let (8..=16, Some(head), Some(tail)) = (left.len(), left.first_chunk::<8>(), left.last_chunk::<8>()) {
        return right.first_chunk() == Some(head) && right.last_chunk() == Some(tail);
    }
    if let (4..=7, Some(head), Some(tail)) = (left.len(), left.first_chunk::<4>(), left.last_chunk::<4>()) {
        return right.first_chunk() == Some(head) && right.last_chunk() == Some(tail);
    }
    left == right
}

/// Eight bytes a step; only for look-ups inside one process.
fn quick_hash(parent: NodeId, name: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (u64::from(parent.0) ^ (name.len() as u64) << 32).wrapping_mul(FACTOR);
    let (chunks, rest) = name.as_chunks::<8>();
    for chunk in chunks {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*chunk)).wrapping_mul(FACTOR);
    }
    let mut last = 0u64;
    for byte in rest {
        last = last << 8 | u64::from(*byte);
    }
    hash = (hash.rotate_left(23) ^ last).wrapping_mul(FACTOR);
    hash ^ (hash >> 32)
}

/// Most decimal digits of a key that is a name (`address_line_1`, `ipv4`).
const MAX_NAME_DIGITS: usize = 4;

/// The key, if it is a name; else what takes the place of a key that looks like a value, or that could hold one.
fn name_or_kind(key: &[u8]) -> Result<&str, &'static str> {
    let inner = match key {
        [b'@' | b'$' | b'#' | b'_', rest @ ..] => rest,
        whole => whole,
    };
    let mut seen = 0u8;
    let mut digits = 0usize;
    for byte in inner {
        let class = key_class(*byte);
        seen |= class;
        digits += usize::from(class & KEY_DIGIT);
    }
    let Ok(text) = std::str::from_utf8(key) else { return Err("{token}") };
    if seen & KEY_ODD == 0 && key.len() <= MAX_WORD && (digits == 0 || is_numbered(inner, digits)) {
        return match seen & KEY_WIDE == 0 || text.chars().all(is_name_char) {
            true => Ok(text),
            false => Err("{token}"),
        };
    }
    Err(match segment_kind(text) {
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

const KEY_DIGIT: u8 = 1;
const KEY_ODD: u8 = 2;
const KEY_WIDE: u8 = 4;

#[inline(always)]
fn key_class(byte: u8) -> u8 {
    let class = profile::class(byte);
    if class
        & (profile::HEX
            | profile::LETTER
            | profile::DASH
            | profile::DOT
            | profile::UNDERSCORE
            | profile::COLON)
        != 0
    {
        return 0;
    }
    match byte {
        b'0'..=b'9' => KEY_DIGIT,
        b'[' | b']' => 0,
        0x80.. => KEY_WIDE,
        _ => KEY_ODD,
    }
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
