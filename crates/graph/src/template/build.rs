//! From evidence to templates: walks the evidence from the root, lets [`super::grouping`] decide at each place, and
//! goes on below a variable with everything that lies below any of its values.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::chance::Chance;
use super::evidence::{self, Evidence, NodeId, ViewId};
use super::fixed::{self, Fixed};
use super::grouping::{self, Branch, Values};
use super::view::{self, Feature, View};

/// Literals at one place; the least called of further ones are taken for values.
pub const MAX_LITERALS: usize = 1024;
/// The same when the evidence is almost full.
pub const MAX_LITERALS_PRESSED: usize = 128;
/// From how full the evidence is pressed, in hundredths.
const PRESSED: usize = 75;
/// Different answers kept below one branch.
const MAX_FEATURES: usize = 4096;

/// Two shapes are variants of one answer if one in this many operations with the rarer of them has both,
const ALIAS_OF_FEW: usize = 5;
/// and one in this many with the other.
const ALIAS_OF_MANY: usize = 10;

/// The new tree, and for each node of the evidence the node of the tree that it is counted under.
pub(super) fn build(evidence: &Evidence, fixed: &Fixed) -> (View, Vec<ViewId>) {
    let documented = (!fixed.is_empty()).then_some(fixed::ROOT);
    let mut build = Build {
        evidence,
        fixed,
        places: Places::new(evidence),
        view: View::new(documented),
        assigned: vec![view::ROOT; evidence.table_len()],
        max_literals: if evidence.fill() > PRESSED { MAX_LITERALS_PRESSED } else { MAX_LITERALS },
    };
    build.place(view::ROOT, &[evidence::ROOT]);
    (build.view, build.assigned)
}

struct Build<'a> {
    evidence: &'a Evidence,
    fixed: &'a Fixed,
    places: Places,
    view: View,
    assigned: Vec<ViewId>,
    max_literals: usize,
}

impl Build<'_> {
    /// Recursion is as deep as a path: `MAX_SEGMENTS`.
    fn place(&mut self, at: ViewId, nodes: &[NodeId]) {
        let evidence = self.evidence;
        let mut words: IndexMap<&Arc<str>, Vec<NodeId>> = IndexMap::new();
        let mut values: Vec<NodeId> = Vec::new();
        let mut methods = 0;
        for id in nodes {
            if let Some(slot) = self.assigned.get_mut(*id as usize) {
                *slot = at;
            }
            let Some(node) = evidence.node(*id) else { continue };
            methods = node.endpoints.iter().fold(methods, |all, endpoint| all | 1 << endpoint.method);
            for (word, child) in &node.words {
                words.entry(word).or_default().push(*child);
            }
            values.extend(node.values);
        }
        let documented = self.view.node_mut(at).and_then(|node| {
            node.methods |= methods;
            node.fixed
        });
        let variable = documented.and_then(|at| self.fixed.child_variable(at));
        let taken = self.values(documented, &words, &values, variable.is_some());
        for ((word, children), is_value) in words.iter().zip(taken) {
            if is_value {
                values.extend(children);
                continue;
            }
            let below = documented.and_then(|at| self.fixed.child_literal(at, word));
            let literal = self.view.add_literal(at, word, below);
            self.place(literal, children);
        }
        if values.is_empty() {
            return;
        }
        let below = self.view.add_variable(at, variable.map(|(id, _)| id), variable.map(|(_, name)| name));
        let features = self.branch(&values, &[]).features.into_iter().map(|(feature, _)| feature).collect();
        if let Some(node) = self.view.node_mut(below) {
            node.features = features;
        }
        self.place(below, &values);
    }

    /// For each word: is it a value?
    fn values(
        &self,
        documented: Option<u32>,
        words: &IndexMap<&Arc<str>, Vec<NodeId>>,
        values: &[NodeId],
        variable: bool,
    ) -> Vec<bool> {
        let mut taken = vec![false; words.len()];
        let open: Vec<usize> = words
            .keys()
            .enumerate()
            .filter(|(_, word)| {
                !is_always_literal(word)
                    && documented.and_then(|at| self.fixed.child_literal(at, word)).is_none()
            })
            .map(|(index, _)| index)
            .collect();
        if open.is_empty() || open.len() == 1 && values.is_empty() && !variable {
            return taken;
        }
        let children =
            |index: &usize| words.get_index(*index).map_or(&[] as &[NodeId], |(_, children)| children);
        let branches: Vec<Branch> =
            open.iter().map(|index| self.branch(children(index), &self.places.aliases)).collect();
        let typed = (variable || !values.is_empty()).then(|| Values {
            branch: self.branch(values, &self.places.aliases),
            textual: self.is_textual(values),
            documented: variable,
        });
        let inside = self
            .places
            .inside(self.evidence, open.iter().flat_map(children).chain(values).copied().collect());
        let decided = grouping::values(&branches, typed.as_ref(), |shape| self.places.chance(shape, &inside));
        for (index, is_value) in open.iter().zip(decided) {
            if let Some(slot) = taken.get_mut(*index) {
                *slot = is_value;
            }
        }
        let mut literals: Vec<(u32, usize)> = open
            .iter()
            .zip(&branches)
            .filter(|(index, _)| taken.get(**index) == Some(&false))
            .map(|(index, branch)| (branch.calls, *index))
            .collect();
        if literals.len() > self.max_literals {
            literals.sort_unstable();
            for (_, index) in literals.iter().take(literals.len() - self.max_literals) {
                if let Some(slot) = taken.get_mut(*index) {
                    *slot = true;
                }
            }
        }
        taken
    }

    fn is_textual(&self, values: &[NodeId]) -> bool {
        let (mut calls, mut textual) = (0u64, 0u64);
        for node in values.iter().filter_map(|id| self.evidence.node(*id)) {
            calls += u64::from(node.calls);
            textual += u64::from(node.textual);
        }
        textual * 2 > calls
    }

    fn branch(&self, nodes: &[NodeId], aliases: &[(u64, u64)]) -> Branch {
        let mut branch = Branch::default();
        let mut waiting: Vec<(NodeId, u8)> = nodes.iter().map(|id| (*id, 0)).collect();
        while let Some((id, depth)) = waiting.pop() {
            let Some(node) = self.evidence.node(id) else { continue };
            if depth == 0 {
                branch.calls = branch.calls.saturating_add(node.calls);
            }
            for endpoint in &node.endpoints {
                for (shape, count) in &endpoint.shapes {
                    let shape = canonical(aliases, *shape);
                    branch.features.push((Feature { method: endpoint.method, depth, shape }, *count));
                }
            }
            if branch.features.len() < MAX_FEATURES {
                waiting.extend(
                    node.words.values().chain(&node.values).map(|child| (*child, depth.saturating_add(1))),
                );
            }
        }
        branch.tidy();
        branch
    }
}

/// Words that no variable takes: the empty segment of a trailing slash, and version marks, which answer alike by their
/// nature.
pub(super) fn is_always_literal(word: &str) -> bool {
    let mut letters = word.bytes();
    match letters.next() {
        None => true,
        Some(b'v' | b'V') => letters.next().is_some_and(|byte| byte.is_ascii_digit()),
        Some(_) => false,
    }
}

/// Which operations answer with which shape, by the tree as it was before this build.
struct Places {
    /// (shape, operation), sorted.
    known: Vec<(u64, u64)>,
    operations: usize,
    /// Shapes that stand for the same answer as another one, sorted.
    aliases: Vec<(u64, u64)>,
}

/// The same for a part of the evidence.
struct Inside {
    shapes: BTreeMap<u64, usize>,
    operations: usize,
}

impl Places {
    fn new(evidence: &Evidence) -> Self {
        let aliases = aliases(evidence);
        let known = operations(evidence, vec![evidence::ROOT], &aliases);
        let operations = distinct_operations(&known);
        Self { known, operations, aliases }
    }

    fn inside(&self, evidence: &Evidence, nodes: Vec<NodeId>) -> Inside {
        let known = operations(evidence, nodes, &self.aliases);
        let operations = distinct_operations(&known);
        let mut shapes = BTreeMap::new();
        for (shape, _) in known {
            *shapes.entry(shape).or_default() += 1;
        }
        Inside { shapes, operations }
    }

    /// How many operations outside of `inside` answer with `shape`.
    fn chance(&self, shape: u64, inside: &Inside) -> Chance {
        let from = self.known.partition_point(|(known, _)| *known < shape);
        let to = self.known.partition_point(|(known, _)| *known <= shape);
        let with = (to - from).saturating_sub(inside.shapes.get(&shape).copied().unwrap_or(0));
        let all = self.operations.saturating_sub(inside.operations);
        Chance { with, all }
    }
}

fn canonical(aliases: &[(u64, u64)], shape: u64) -> u64 {
    let at = aliases.binary_search_by_key(&shape, |(alias, _)| *alias);
    at.ok().and_then(|at| aliases.get(at)).map_or(shape, |(_, canonical)| *canonical)
}

/// Shapes that mostly come from the same paths are variants of one answer, as with an optional field: they count as one,
/// so that two values of a variable that showed one variant each are alike. Judged path by path, as seen: what was taken
/// for one operation may not be one.
fn aliases(evidence: &Evidence) -> Vec<(u64, u64)> {
    let mut pairs: Vec<(u64, u64)> = Vec::new();
    let mut known: Vec<u64> = Vec::new();
    for endpoint in evidence.nodes().flat_map(|node| &node.endpoints) {
        let mut shapes: Vec<u64> = endpoint.shapes.iter().map(|(shape, _)| *shape).collect();
        if endpoint.shapes.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() < 2 {
            continue;
        }
        shapes.sort_unstable();
        for (index, first) in shapes.iter().enumerate() {
            pairs.extend(shapes.iter().skip(index + 1).map(|second| (*first, *second)));
        }
        known.extend(shapes);
    }
    known.sort_unstable();
    pairs.sort_unstable();
    let operations = |shape: u64| {
        let from = known.partition_point(|known| *known < shape);
        known.partition_point(|known| *known <= shape) - from
    };
    let mut aliases: BTreeMap<u64, u64> = BTreeMap::new();
    for run in pairs.chunk_by(|a, b| a == b) {
        let Some((first, second)) = run.first() else { continue };
        let (first_in, second_in) = (operations(*first), operations(*second));
        let (few, many) = (first_in.min(second_in), first_in.max(second_in));
        if run.len() * ALIAS_OF_FEW < few || run.len() * ALIAS_OF_MANY < many {
            continue;
        }
        let canonical = aliases.get(first).copied().unwrap_or(*first);
        aliases.entry(*second).or_insert(canonical);
    }
    aliases.into_iter().collect()
}

fn operations(evidence: &Evidence, nodes: Vec<NodeId>, aliases: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut known = Vec::new();
    let mut waiting = nodes;
    while let Some(id) = waiting.pop() {
        let Some(node) = evidence.node(id) else { continue };
        for endpoint in &node.endpoints {
            let operation = u64::from(node.view) << 8 | u64::from(endpoint.method);
            known.extend(endpoint.shapes.iter().map(|(shape, _)| (canonical(aliases, *shape), operation)));
        }
        waiting.extend(node.words.values().chain(&node.values));
    }
    known.sort_unstable();
    known.dedup();
    known
}

fn distinct_operations(known: &[(u64, u64)]) -> usize {
    let mut operations: Vec<u64> = known.iter().map(|(_, operation)| *operation).collect();
    operations.sort_unstable();
    operations.dedup();
    operations.len()
}
