//! Learning path templates from traffic: which segments of a path vary.
//!
//! [`Learner::observe`] writes each call into the [`evidence`] and answers from the [`view`], the tree of templates as
//! they are believed in now. From time to time, so seldom that it costs little for each call, [`build`] makes that tree
//! anew from all evidence: words that turned out to be values join a variable, a value that turned out to be a literal
//! leaves it. What changes its name on the way is told by [`Learner::renames`]. [`fixed`] are the documented templates.
//!
//! Not here: typing of segments (`probity_model::path`), matching of known templates in the gateway
//! (`probity_policy::route`), counting (`crate::inventory`).

mod build;
mod chance;
mod evidence;
mod fixed;
mod grouping;
mod name;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use probity_model::path::SegmentKind;
use probity_model::path::{MAX_SEGMENTS, TemplateSegment};
use probity_model::{Segment, Template};
use serde::{Deserialize, Serialize};

pub use build::{MAX_LITERALS, MAX_LITERALS_PRESSED};
pub use evidence::{MAX_ENDPOINTS, MAX_METHODS, MAX_NODES, MAX_SHAPES};

use evidence::{Evidence, MethodId, NodeId, ViewId};
use fixed::Fixed;
use view::{Feature, View};

/// Values of one variable that keep their own evidence, the most called ones: only they can leave it again.
pub const MAX_VALUES: usize = 64;
/// The same when the evidence is almost full.
pub const MAX_VALUES_PRESSED: usize = 4;
/// Renames kept until [`Learner::renames`] takes them; past them the oldest are forgotten.
pub const MAX_RENAMES: usize = 65_536;
/// Calls between two builds, at least.
const BUILD_EVERY: usize = 64;
/// Calls between two builds for each node of the evidence: a build visits all of them a few times.
const CALLS_PER_NODE: usize = 2;

/// A template that changed its name: what was counted under `from` belongs to `into` now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    pub method: String,
    pub from: Template,
    pub into: Template,
}

/// Learns the templates of one service. Fixed templates (from specifications) always win.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Learner {
    fixed: Fixed,
    evidence: Evidence,
    view: View,
    renames: Vec<Rename>,
    /// Calls since the last build.
    calls: usize,
    /// Something was seen since the last build that it did not know.
    news: bool,
}

impl Default for Learner {
    fn default() -> Self {
        Self {
            fixed: Fixed::default(),
            evidence: Evidence::default(),
            view: View::new(None),
            renames: Vec::new(),
            calls: 0,
            news: false,
        }
    }
}

impl Learner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the fixed templates: (method, template) as documented. Learned templates that they cover are renamed.
    pub fn fix(&mut self, routes: impl IntoIterator<Item = (String, Template)>) {
        self.fixed = Fixed::new(routes);
        self.build();
        let covered: Vec<(ViewId, MethodId, Rename)> = self
            .operations()
            .filter_map(|(id, method, template)| {
                let name = self.evidence.method_name(method);
                let into = self.fixed.find(name, &as_path(template))?.clone();
                Some((id, method, Rename { method: name.to_owned(), from: template.clone(), into }))
            })
            .collect();
        for (id, method, rename) in covered {
            if let Some(node) = self.view.node_mut(id) {
                node.methods &= !(1 << method);
            }
            for node in self.evidence.nodes_mut().filter(|node| node.view == id) {
                node.endpoints.retain(|endpoint| endpoint.method != method);
            }
            self.evidence.recount();
            if rename.from != rename.into {
                self.rename(rename);
            }
        }
    }

    /// One call. `None`: the path is not an operation as far as is known (only ever answered 404, 405 or 410), or it is
    /// past a limit. The answer is the best that is known now; [`Learner::renames`] tells when it changes.
    pub fn observe(&mut self, method: &str, path: &[Segment], status: u16, shape: u64) -> Option<Template> {
        if let Some(template) = self.fixed.find(method, path) {
            return Some(template.clone());
        }
        if path.is_empty() || path.len() > MAX_SEGMENTS {
            return None;
        }
        self.calls += 1;
        if status >= 400 {
            let known = self.evidence.method(method).and_then(|method| self.view.find(method, path));
            if known.is_some() || matches!(status, 404 | 405 | 410) {
                return self.view.node(known?).map(|node| node.template.clone());
            }
        }
        let method = self.evidence.method_or_insert(method)?;
        let shape = (200..300).contains(&status).then_some(shape);
        let leaf = self.record(method, path, shape)?;
        if self.news && self.calls >= BUILD_EVERY.max(self.evidence.live() * CALLS_PER_NODE) {
            self.build();
        }
        let view = self.evidence.node(leaf)?.view;
        self.view.node(view).map(|node| node.template.clone())
    }

    /// The operation that a call belongs to, as far as is known now; nothing is learned from asking.
    pub fn assign(&self, method: &str, path: &[Segment]) -> Option<Template> {
        if let Some(template) = self.fixed.find(method, path) {
            return Some(template.clone());
        }
        let id = self.view.find(self.evidence.method(method)?, path)?;
        self.view.node(id).map(|node| node.template.clone())
    }

    /// Takes everything into account that was seen until now. [`Learner::observe`] does so by itself, but not after
    /// every call; worth calling before the inventory is shown or kept.
    pub fn settle(&mut self) {
        if self.news {
            self.build();
        }
    }

    /// Templates that were renamed since the last call, oldest first; to be applied in this order.
    pub fn renames(&mut self) -> Vec<Rename> {
        std::mem::take(&mut self.renames)
    }

    /// Every learned template that is not fixed.
    pub fn learned(&self) -> Vec<(String, Template)> {
        self.operations()
            .map(|(_, method, template)| (self.evidence.method_name(method).to_owned(), template.clone()))
            .collect()
    }

    /// Nodes of evidence held; never more than [`MAX_NODES`] and an eighth.
    pub fn size(&self) -> usize {
        self.evidence.live()
    }

    fn operations(&self) -> impl Iterator<Item = (ViewId, MethodId, &Template)> {
        self.view.nodes().enumerate().flat_map(|(id, node)| {
            (0..MAX_METHODS as MethodId)
                .filter(|method| node.methods & (1 << method) != 0)
                .map(move |method| (id as ViewId, method, &node.template))
        })
    }

    /// Writes the call into the evidence; the node it ended at.
    fn record(&mut self, method: MethodId, path: &[Segment], shape: Option<u64>) -> Option<NodeId> {
        let mut at = evidence::ROOT;
        for (index, segment) in path.iter().enumerate() {
            at = match self.evidence.child(at, segment) {
                Some(child) => child,
                None => {
                    self.news = true;
                    let below = (path.len() - index - 1) as u8;
                    let answer = shape.map(|shape| Feature { method, depth: below, shape });
                    let view = self.provisional(self.evidence.node(at)?.view, segment, answer)?;
                    self.evidence.insert(at, segment, view)?
                }
            };
            self.evidence.pass(at, segment);
        }
        self.news |= self.evidence.count(at, method, shape)?;
        let view = self.evidence.node(at)?.view;
        self.view.node_mut(view)?.methods |= 1 << method;
        Some(at)
    }

    /// Where a segment that was never seen here belongs until the next build: to the variable if it answers like its
    /// values, or with an error, or if the place is documented as one.
    fn provisional(&mut self, parent: ViewId, segment: &Segment, answer: Option<Feature>) -> Option<ViewId> {
        let node = self.view.node(parent)?;
        let own = evidence::word(segment).filter(|_| !self.evidence.is_full());
        if let Some(known) = own.and_then(|word| node.literals.get(word.as_ref())) {
            return Some(*known);
        }
        let documented = node.fixed;
        let in_document = documented.and_then(|at| self.fixed.child_variable(at));
        let literal = own.is_some_and(|word| {
            build::is_always_literal(word)
                || documented.and_then(|at| self.fixed.child_literal(at, word)).is_some()
        });
        let alike = |id: ViewId| {
            let features = self.view.node(id).map_or(&[] as &[Feature], |node| &node.features);
            answer.is_none_or(|answer| features.binary_search(&answer).is_ok())
        };
        let joins = own.is_none() || !literal && (in_document.is_some() || node.variable.is_some_and(alike));
        if joins {
            return Some(node.variable.unwrap_or_else(|| {
                self.view.add_variable(
                    parent,
                    in_document.map(|(id, _)| id),
                    in_document.map(|(_, name)| name),
                )
            }));
        }
        let word = own?;
        let below = documented.and_then(|at| self.fixed.child_literal(at, word));
        Some(self.view.add_literal(parent, word, below))
    }

    fn rename(&mut self, rename: Rename) {
        self.renames.push(rename);
        if self.renames.len() >= 2 * MAX_RENAMES {
            self.renames.drain(..MAX_RENAMES);
        }
    }

    fn build(&mut self) {
        let (view, assigned) = build::build(&self.evidence, &self.fixed);
        self.tell_renames(&view, &assigned);
        for (node, now) in self.evidence.nodes_mut().zip(&assigned) {
            node.view = *now;
        }
        self.view = view;
        self.absorb();
        self.news = false;
        self.calls = 0;
    }

    /// A template that is gone passes its counts on to where most of its calls are now.
    fn tell_renames(&mut self, view: &View, assigned: &[ViewId]) {
        let mut moved: BTreeMap<(MethodId, ViewId), BTreeMap<ViewId, u32>> = BTreeMap::new();
        for (node, now) in self.evidence.nodes_mut().zip(assigned) {
            for endpoint in &node.endpoints {
                let calls = moved.entry((endpoint.method, node.view)).or_default().entry(*now).or_default();
                *calls = calls.saturating_add(endpoint.calls);
            }
        }
        let mut kept: BTreeSet<(MethodId, &Template)> = BTreeSet::new();
        for node in view.nodes() {
            kept.extend(
                (0..MAX_METHODS as MethodId)
                    .filter(|m| node.methods & (1 << m) != 0)
                    .map(|m| (m, &node.template)),
            );
        }
        let mut told = Vec::new();
        for ((method, was), now) in moved {
            let Some(from) = self.view.node(was).map(|node| &node.template) else { continue };
            let most = now.into_iter().max_by_key(|(id, calls)| (*calls, std::cmp::Reverse(*id)));
            let Some(into) = most.and_then(|(id, _)| view.node(id)).map(|node| &node.template) else {
                continue;
            };
            if from != into && !kept.contains(&(method, from)) {
                let method = self.evidence.method_name(method).to_owned();
                told.push(Rename { method, from: from.clone(), into: into.clone() });
            }
        }
        for rename in told {
            self.rename(rename);
        }
    }

    /// Folds the least called values of each variable together.
    fn absorb(&mut self) {
        let pressed = self.evidence.fill() > 50;
        let keep = if pressed { MAX_VALUES_PRESSED } else { MAX_VALUES };
        for parent in 0..self.evidence.table_len() as NodeId {
            let Some(node) = self.evidence.node(parent).filter(|node| node.words.len() > keep) else {
                continue;
            };
            let Some(variable) = self.view.node(node.view).and_then(|node| node.variable) else { continue };
            let calls = |id: &NodeId| {
                self.evidence.node(*id).filter(|child| child.view == variable).map(|child| child.calls)
            };
            let mut values: Vec<u32> = node.words.values().filter_map(calls).collect();
            if values.len() <= keep {
                continue;
            }
            values.sort_unstable_by(|a, b| b.cmp(a));
            let least = values.get(keep.saturating_sub(1)).copied().unwrap_or(0);
            self.evidence.absorb(parent, |child| child.view == variable && child.calls <= least);
        }
        self.evidence.recount();
    }
}

/// A template as a path that it would match. What varies looks like a UUID, which no documented literal does.
fn as_path(template: &Template) -> Vec<Segment> {
    template
        .segments()
        .map(|segment| match segment {
            TemplateSegment::Literal(text) => {
                Segment { kind: SegmentKind::Word, word: Some(Arc::from(text)), hash: 0 }
            }
            TemplateSegment::Variable(_) => Segment { kind: SegmentKind::Uuid, word: None, hash: 0 },
        })
        .collect()
}
