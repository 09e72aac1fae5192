//! Builds a [`Tree`] from the events of either scanner, iteratively, and keeps its bounds.

use std::collections::HashSet;
use std::sync::Arc;

use probity_model::Severity;

use super::{Entry, Fault, Kind, MAX_ALIAS_NODES, MAX_DEPTH, MAX_NODES, Stored, Text, Tree};
use crate::diagnostics::{Diagnostics, Position, quoted};

/// Mappings with more keys than this get a sorted index.
const INDEXED: usize = 8;

pub(super) struct Builder {
    tree: Tree,
    /// Per node: how many nodes it stands for with aliases followed, and how deep it is.
    sizes: Vec<Size>,
    frames: Vec<Frame>,
    /// Entries of the collections still open; each frame owns those from its `first` on.
    pending: Vec<Entry>,
    alias_nodes: u64,
}

#[derive(Clone, Copy)]
struct Size {
    nodes: u64,
    height: u32,
}

struct Frame {
    node: u32,
    mapping: bool,
    first: usize,
    /// The key whose value comes next.
    key: Option<(Text, Position)>,
    /// Some plain key is `<<`.
    merges: bool,
}

impl Builder {
    pub(super) fn new(file: &Arc<str>, text_capacity: usize, json: bool) -> Self {
        let tree = Tree {
            file: Arc::clone(file),
            text: String::with_capacity(text_capacity),
            nodes: Vec::new(),
            entries: Vec::new(),
            order: Vec::new(),
            root: 0,
            json,
        };
        Self { tree, sizes: Vec::new(), frames: Vec::new(), pending: Vec::new(), alias_nodes: 0 }
    }
    /// The next scalar is a key.
    pub(super) fn expects_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.mapping && frame.key.is_none())
    }
    pub(super) fn scalar(&mut self, at: Position, value: &str, plain: bool) -> Result<u32, Fault> {
        let text = self.intern(at, value)?;
        if self.expects_key() {
            self.set_key(text, at, plain && value == "<<");
            return Ok(u32::MAX);
        }
        // A value that is not written at all stands where its key does.
        let at = match self.frames.last().and_then(|frame| frame.key) {
            Some((_, key_at)) if plain && value.is_empty() => key_at,
            _ => at,
        };
        self.leaf(at, Kind::Scalar { text, plain }, Size { nodes: 1, height: 0 })
    }
    pub(super) fn open(&mut self, at: Position, mapping: bool) -> Result<u32, Fault> {
        if self.expects_key() {
            return Err(Fault::new(at, "a key is a list or a mapping").hint("keys are text"));
        }
        if self.frames.len() >= MAX_DEPTH as usize {
            return Err(too_deep(at));
        }
        // The kind is set when the collection closes; till then an alias to it is a cycle.
        let node = self.add(at, Kind::Alias(u32::MAX), Size { nodes: 1, height: 0 })?;
        self.frames.push(Frame { node, mapping, first: self.pending.len(), key: None, merges: false });
        Ok(node)
    }
    pub(super) fn close(&mut self, diagnostics: &mut Diagnostics) -> Result<(), Fault> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let at = self.tree.stored(frame.node).at;
        let mut own: Vec<Entry> = self.pending.split_off(frame.first.min(self.pending.len()));
        if frame.merges {
            self.merge(&mut own, diagnostics)?;
        }
        let order = if frame.mapping { self.sort(&mut own, diagnostics) } else { None };
        let size = own.iter().fold(Size { nodes: 1, height: 0 }, |sum, entry| {
            let size = self.size(entry.value);
            Size { nodes: sum.nodes.saturating_add(size.nodes), height: sum.height.max(size.height + 1) }
        });
        let start = number(self.tree.entries.len(), at)?;
        let len = number(own.len(), at)?;
        if self.tree.entries.len() + own.len() > MAX_NODES {
            return Err(too_many(at));
        }
        self.tree.entries.append(&mut own);
        let kind = if frame.mapping {
            let sorted = match order {
                None => None,
                Some(order) => {
                    let first = number(self.tree.order.len(), at)?;
                    self.tree.order.extend(order.into_iter().map(|index| start + index));
                    Some(first)
                }
            };
            Kind::Mapping { start, len, order: sorted }
        } else {
            Kind::Sequence { start, len }
        };
        if let Some(stored) = self.tree.nodes.get_mut(frame.node as usize) {
            stored.kind = kind;
        }
        if let Some(stored) = self.sizes.get_mut(frame.node as usize) {
            *stored = size;
        }
        self.attach(frame.node, at);
        Ok(())
    }
    pub(super) fn alias(&mut self, at: Position, target: u32) -> Result<(), Fault> {
        let stored = self.tree.stored(target);
        let (target, stored) = match stored.kind {
            Kind::Alias(u32::MAX) => {
                return Err(Fault::new(at, "an alias names the node that it stands in"));
            }
            Kind::Alias(inner) => (inner, self.tree.stored(inner)),
            _ => (target, stored),
        };
        if self.expects_key() {
            let Kind::Scalar { text, .. } = stored.kind else {
                return Err(Fault::new(at, "a key is a list or a mapping").hint("keys are text"));
            };
            self.set_key(text, at, false);
            return Ok(());
        }
        let size = self.size(target);
        self.charge(size.nodes, at)?;
        if self.frames.len() as u64 + u64::from(size.height) > u64::from(MAX_DEPTH) {
            return Err(too_deep(at));
        }
        self.leaf(at, Kind::Alias(target), size).map(|_| ())
    }
    pub(super) fn finish(mut self) -> Result<Tree, Fault> {
        if self.tree.nodes.is_empty() {
            self.add(Position::START, super::NULL, Size { nodes: 1, height: 0 })?;
        }
        self.tree.text.shrink_to_fit();
        Ok(self.tree)
    }

    fn set_key(&mut self, text: Text, at: Position, merge: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some((text, at));
            frame.merges |= merge;
        }
    }
    fn size(&self, node: u32) -> Size {
        self.sizes.get(node as usize).copied().unwrap_or(Size { nodes: 1, height: 0 })
    }
    fn charge(&mut self, nodes: u64, at: Position) -> Result<(), Fault> {
        self.alias_nodes = self.alias_nodes.saturating_add(nodes);
        if self.alias_nodes > MAX_ALIAS_NODES {
            let message = format!("aliases stand for more than {MAX_ALIAS_NODES} nodes");
            return Err(Fault::new(at, message).hint("write the values out, or fewer of them"));
        }
        Ok(())
    }
    fn leaf(&mut self, at: Position, kind: Kind, size: Size) -> Result<u32, Fault> {
        let node = self.add(at, kind, size)?;
        self.attach(node, at);
        Ok(node)
    }
    fn add(&mut self, at: Position, kind: Kind, size: Size) -> Result<u32, Fault> {
        if self.tree.nodes.len() >= MAX_NODES {
            return Err(too_many(at));
        }
        let node = number(self.tree.nodes.len(), at)?;
        self.tree.nodes.push(Stored { at, kind });
        self.sizes.push(size);
        Ok(node)
    }
    /// Gives a finished node to the collection that is open; without one it is the root.
    fn attach(&mut self, node: u32, at: Position) {
        match self.frames.last_mut() {
            None => self.tree.root = node,
            Some(frame) => {
                let (key, at) = frame.key.take().unwrap_or((Text::default(), at));
                self.pending.push(Entry { key, at, value: node });
            }
        }
    }
    fn intern(&mut self, at: Position, value: &str) -> Result<Text, Fault> {
        let start = number(self.tree.text.len(), at)?;
        let len = number(value.len(), at)?;
        self.tree.text.push_str(value);
        Ok(Text { start, len })
    }

    /// Adds what `<<` names, as YAML 1.1 did: own keys win, earlier sources win over later ones.
    fn merge(&mut self, own: &mut Vec<Entry>, diagnostics: &mut Diagnostics) -> Result<(), Fault> {
        let merges: Vec<Entry> = own.extract_if(.., |entry| self.tree.str(entry.key) == "<<").collect();
        let mut sources = Vec::new();
        for entry in merges {
            match self.target(entry.value).1 {
                Kind::Mapping { start, len, .. } => sources.push((entry.at, start, len)),
                Kind::Sequence { start, len } => {
                    for item in self.tree.entry_range(start, len) {
                        match self.target(item.value).1 {
                            Kind::Mapping { start, len, .. } => sources.push((entry.at, start, len)),
                            _ => merge_fault(item.at, diagnostics),
                        }
                    }
                }
                _ => merge_fault(entry.at, diagnostics),
            }
        }
        for (at, start, len) in sources {
            let charged: u64 =
                self.tree.entry_range(start, len).iter().map(|entry| self.size(entry.value).nodes).sum();
            self.charge(charged.saturating_add(1), at)?;
            let known: HashSet<&str> = own.iter().map(|entry| self.tree.str(entry.key)).collect();
            let more: Vec<Entry> = self
                .tree
                .entry_range(start, len)
                .iter()
                .filter(|entry| !known.contains(self.tree.str(entry.key)))
                .copied()
                .collect();
            let height = more.iter().map(|entry| self.size(entry.value).height).max().unwrap_or(0);
            if self.frames.len() as u64 + u64::from(height) + 1 > u64::from(MAX_DEPTH) {
                return Err(too_deep(at));
            }
            own.extend(more);
        }
        Ok(())
    }
    fn target(&self, node: u32) -> (u32, Kind) {
        match self.tree.stored(node).kind {
            Kind::Alias(target) if target != u32::MAX => (target, self.tree.stored(target).kind),
            kind => (node, kind),
        }
    }

    /// Reports keys given twice and keeps the last of them, as most readers do. For a large mapping, returns its
    /// entries' numbers sorted by key.
    fn sort(&self, own: &mut Vec<Entry>, diagnostics: &mut Diagnostics) -> Option<Vec<u32>> {
        let key = |entry: &Entry| self.tree.str(entry.key);
        let sorted = |own: &[Entry]| {
            let mut order: Vec<u32> = (0u32..).take(own.len()).collect();
            order.sort_by(|a, b| {
                let key_of = |index: &u32| own.get(*index as usize).map_or("", key);
                key_of(a).cmp(key_of(b)).then(a.cmp(b))
            });
            order
        };
        let mut order = sorted(own);
        let mut repeated: HashSet<u32> = HashSet::new();
        for (a, b) in order.iter().zip(order.iter().skip(1)) {
            let (Some(first), Some(second)) = (own.get(*a as usize), own.get(*b as usize)) else { continue };
            if key(first) == key(second) {
                let message = format!("key {} is given twice", quoted(key(second)));
                let hint = format!("it stands on line {} already; keep one of them", first.at.line);
                diagnostics.push_hint(Severity::High, second.at, message, hint);
                repeated.insert(*a);
            }
        }
        if !repeated.is_empty() {
            let mut index = 0u32;
            own.retain(|_| {
                index += 1;
                !repeated.contains(&(index - 1))
            });
            order = sorted(own);
        }
        (own.len() > INDEXED).then_some(order)
    }
}

fn number(n: usize, at: Position) -> Result<u32, Fault> {
    u32::try_from(n).map_err(|_| too_many(at))
}

fn too_many(at: Position) -> Fault {
    Fault::new(at, format!("the document has more than {MAX_NODES} values"))
}

fn too_deep(at: Position) -> Fault {
    Fault::new(at, format!("the document is nested deeper than {MAX_DEPTH} levels"))
}

fn merge_fault(at: Position, diagnostics: &mut Diagnostics) {
    diagnostics.push_hint(
        Severity::High,
        at,
        "`<<` names no mapping",
        "expected an alias of a mapping, or a list of such",
    );
}
