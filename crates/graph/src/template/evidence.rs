//! What was seen, as it was seen: a tree of paths in which every word is its own child and all typed values of one
//! place share a child. Nothing is decided here, so that every decision of [`super::grouping`] can be taken back.
//!
//! Bounded: past [`MAX_NODES`] or [`MAX_ENDPOINTS`] no word gets a child of its own any more, and values that belong to a variable for sure
//! are folded into the shared child by [`Evidence::absorb`].

use std::sync::Arc;

use indexmap::IndexMap;
use probity_model::Segment;
use probity_model::path::{MAX_WORD, SegmentKind};
use serde::{Deserialize, Serialize};

/// Nodes kept for one service, about 200 bytes each.
pub const MAX_NODES: usize = 32_768;
/// Methods of nodes kept for one service.
pub const MAX_ENDPOINTS: usize = 2 * MAX_NODES;
/// Answer shapes kept for one method of one node.
pub const MAX_SHAPES: usize = 8;
/// Methods told apart for one service: those of RFC 9110 and PATCH, and room for some of WebDAV.
pub const MAX_METHODS: usize = 16;

pub(super) type NodeId = u32;
pub(super) type MethodId = u8;
pub(super) type ViewId = u32;

pub(super) const ROOT: NodeId = 0;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Node {
    pub words: IndexMap<Arc<str>, NodeId>,
    /// Where typed values and absorbed words go.
    pub values: Option<NodeId>,
    pub endpoints: Vec<Endpoint>,
    /// Calls that ended here or below.
    pub calls: u32,
    /// The node of the current [`super::view::View`] that this one is counted under.
    pub view: ViewId,
    /// Typed values that were counted here and looked like text rather than like a number or key.
    pub textual: u32,
}

/// The calls of one method that ended at one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub method: MethodId,
    pub calls: u32,
    /// Good answers by their shape. Errors look alike everywhere: they say nothing about the operation.
    pub shapes: Vec<(u64, u32)>,
}

impl Endpoint {
    /// True if the shape was new here.
    fn count(&mut self, shape: Option<u64>) -> bool {
        self.calls = self.calls.saturating_add(1);
        let Some(shape) = shape else { return false };
        self.add(shape, 1)
    }

    fn add(&mut self, shape: u64, count: u32) -> bool {
        if let Some((_, known)) = self.shapes.iter_mut().find(|(known, _)| *known == shape) {
            *known = known.saturating_add(count);
            return false;
        }
        if self.shapes.len() < MAX_SHAPES {
            self.shapes.push((shape, count));
            return true;
        }
        // A shape seen once makes room, so that one that comes to stay gets in.
        if let Some(rare) = self.shapes.iter_mut().find(|(_, known)| *known <= 1) {
            *rare = (shape, count);
        }
        false
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Evidence {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    endpoints: usize,
    methods: Vec<Arc<str>>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), endpoints: 0, methods: Vec::new() }
    }
}

/// The word that a segment is looked up by; everything else is a value. Records are read from files too, so a word that
/// the typing would not have passed counts as a value.
pub(super) fn word(segment: &Segment) -> Option<&Arc<str>> {
    segment.word.as_ref().filter(|word| word.len() <= MAX_WORD && !word.contains(['{', '}', '/']))
}

const fn is_textual(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Slug | SegmentKind::Code | SegmentKind::Token | SegmentKind::Word)
}

impl Evidence {
    pub fn live(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// No word gets a node of its own any more.
    pub fn is_full(&self) -> bool {
        self.fill() >= 100
    }

    /// How full, in hundredths.
    pub fn fill(&self) -> usize {
        (self.live() * 100 / MAX_NODES).max(self.endpoints * 100 / MAX_ENDPOINTS)
    }

    /// Forgets what [`Self::absorb`] or the caller took away.
    pub fn recount(&mut self) {
        self.endpoints = self.nodes.iter().map(|node| node.endpoints.len()).sum();
    }

    /// Length of a table indexed by node.
    pub fn table_len(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.iter_mut()
    }

    pub fn method(&self, name: &str) -> Option<MethodId> {
        self.methods.iter().position(|known| **known == *name).and_then(|at| MethodId::try_from(at).ok())
    }

    pub fn method_name(&self, id: MethodId) -> &str {
        self.methods.get(usize::from(id)).map_or("", |name| name)
    }

    /// `None` past [`MAX_METHODS`].
    pub fn method_or_insert(&mut self, name: &str) -> Option<MethodId> {
        if let Some(known) = self.method(name) {
            return Some(known);
        }
        if self.methods.len() >= MAX_METHODS || name.len() > MAX_WORD {
            return None;
        }
        self.methods.push(name.into());
        self.method(name)
    }

    pub fn child(&self, parent: NodeId, segment: &Segment) -> Option<NodeId> {
        let node = self.node(parent)?;
        match word(segment) {
            Some(word) => node.words.get(word.as_ref()).copied(),
            None => node.values,
        }
    }

    /// A new child for `segment`, counted under `view`. A word becomes a value when the tree is full; `None` when not
    /// even a value's child fits.
    pub fn insert(&mut self, parent: NodeId, segment: &Segment, view: ViewId) -> Option<NodeId> {
        let own = word(segment).filter(|_| !self.is_full());
        if own.is_none()
            && let Some(values) = self.node(parent)?.values
        {
            return Some(values);
        }
        if self.live() >= MAX_NODES + MAX_NODES / 8 {
            return None;
        }
        let id = self.allocate(Node { view, ..Node::default() });
        let node = self.node_mut(parent)?;
        match own {
            Some(word) => {
                node.words.insert(Arc::clone(word), id);
            }
            None => node.values = Some(id),
        }
        Some(id)
    }

    fn allocate(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop()
            && let Some(slot) = self.node_mut(id)
        {
            *slot = node;
            return id;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as NodeId
    }

    /// Counts that a path went through `id`.
    pub fn pass(&mut self, id: NodeId, segment: &Segment) {
        if let Some(node) = self.node_mut(id) {
            node.calls = node.calls.saturating_add(1);
            node.textual = node.textual.saturating_add(u32::from(is_textual(segment.kind)));
        }
    }

    /// Counts one call that ended at `id`; `shape` for good answers only. True if it taught something new; `None` past
    /// [`MAX_ENDPOINTS`].
    pub fn count(&mut self, id: NodeId, method: MethodId, shape: Option<u64>) -> Option<bool> {
        let full = self.endpoints >= MAX_ENDPOINTS;
        let node = self.node_mut(id)?;
        if let Some(endpoint) = node.endpoints.iter_mut().find(|endpoint| endpoint.method == method) {
            return Some(endpoint.count(shape));
        }
        if full {
            return None;
        }
        let mut endpoint = Endpoint { method, calls: 0, shapes: Vec::new() };
        endpoint.count(shape);
        node.endpoints.push(endpoint);
        self.endpoints += 1;
        Some(true)
    }

    /// Folds the word children of `parent` for which `fold` says so into its values' child.
    pub fn absorb(&mut self, parent: NodeId, fold: impl Fn(&Node) -> bool) {
        let Some(node) = self.node(parent) else { return };
        let gone: Vec<(Arc<str>, NodeId)> = node
            .words
            .iter()
            .filter(|(_, id)| self.node(**id).is_some_and(&fold))
            .map(|(word, id)| (Arc::clone(word), *id))
            .collect();
        for (word, id) in gone {
            let Some(node) = self.node_mut(parent) else { return };
            node.words.swap_remove(&word);
            match node.values {
                Some(values) => self.merge(id, values),
                None => node.values = Some(id),
            }
        }
    }

    /// Moves everything from `from` into `into` and frees `from`.
    fn merge(&mut self, from: NodeId, into: NodeId) {
        let mut waiting = vec![(from, into)];
        while let Some((from, into)) = waiting.pop() {
            let Some(taken) = self.node_mut(from).map(std::mem::take) else { continue };
            self.free.push(from);
            let Some(node) = self.node_mut(into) else { continue };
            node.calls = node.calls.saturating_add(taken.calls);
            node.textual = node.textual.saturating_add(taken.textual);
            for endpoint in taken.endpoints {
                match node.endpoints.iter_mut().find(|known| known.method == endpoint.method) {
                    Some(known) => {
                        known.calls = known.calls.saturating_add(endpoint.calls);
                        for (shape, count) in endpoint.shapes {
                            known.add(shape, count);
                        }
                    }
                    None => node.endpoints.push(endpoint),
                }
            }
            for (word, id) in taken.words {
                match node.words.get(&word) {
                    Some(known) => waiting.push((id, *known)),
                    None => {
                        node.words.insert(word, id);
                    }
                }
            }
            match (node.values, taken.values) {
                (Some(known), Some(id)) => waiting.push((id, known)),
                (None, Some(id)) => node.values = Some(id),
                (_, None) => {}
            }
        }
    }
}
