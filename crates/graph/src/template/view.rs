//! What the evidence is taken to mean: the tree of templates. Built whole by [`super::build`], and grown by one node at
//! a time between two builds.

use std::sync::Arc;

use indexmap::IndexMap;
use probity_model::{Segment, Template};
use serde::{Deserialize, Serialize};

use super::evidence::{MethodId, ViewId, word};
use super::name;

/// Nodes visited for one look-up: bounds backtracking.
const MAX_STEPS: u32 = 256;

pub(super) const ROOT: ViewId = 0;

/// A good answer's place below a segment: method, how many segments further down, shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Feature {
    pub method: MethodId,
    pub depth: u8,
    pub shape: u64,
}

impl Feature {
    pub fn place(self) -> (MethodId, u8) {
        (self.method, self.depth)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ViewNode {
    pub template: Template,
    pub literals: IndexMap<Arc<str>, ViewId>,
    pub variable: Option<ViewId>,
    /// Bit by [`MethodId`]: which methods are operations here.
    pub methods: u32,
    /// Of a variable: the answers below its values, sorted.
    pub features: Vec<Feature>,
    /// The documented tree's node for this template's path, where there is one.
    pub fixed: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct View {
    nodes: Vec<ViewNode>,
}

impl View {
    pub fn new(fixed: Option<u32>) -> Self {
        let mut view = Self { nodes: Vec::new() };
        view.push(Template::new(""), fixed);
        view
    }

    fn push(&mut self, template: Template, fixed: Option<u32>) -> ViewId {
        self.nodes.push(ViewNode {
            template,
            literals: IndexMap::new(),
            variable: None,
            methods: 0,
            features: Vec::new(),
            fixed,
        });
        (self.nodes.len() - 1) as ViewId
    }

    pub fn node(&self, id: ViewId) -> Option<&ViewNode> {
        self.nodes.get(id as usize)
    }

    pub fn node_mut(&mut self, id: ViewId) -> Option<&mut ViewNode> {
        self.nodes.get_mut(id as usize)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &ViewNode> {
        self.nodes.iter()
    }

    pub fn add_literal(&mut self, parent: ViewId, word: &Arc<str>, fixed: Option<u32>) -> ViewId {
        let text = self.node(parent).map_or("", |node| node.template.as_str());
        let template = Template::new(format!("{text}/{word}"));
        let id = self.push(template, fixed);
        if let Some(node) = self.node_mut(parent) {
            node.literals.insert(Arc::clone(word), id);
        }
        id
    }

    /// `documented` is the name that a specification gives to the variable at this place.
    pub fn add_variable(&mut self, parent: ViewId, fixed: Option<u32>, documented: Option<&str>) -> ViewId {
        let text = self.node(parent).map_or("", |node| node.template.as_str());
        let template = Template::new(format!("{text}/{{{}}}", name::variable(text, documented)));
        let id = self.push(template, fixed);
        if let Some(node) = self.node_mut(parent) {
            node.variable = Some(id);
        }
        id
    }

    pub fn is_operation(&self, id: ViewId, method: MethodId) -> bool {
        self.node(id).is_some_and(|node| node.methods & (1 << method) != 0)
    }

    /// The operation that a call belongs to: literals before variables.
    pub fn find(&self, method: MethodId, path: &[Segment]) -> Option<ViewId> {
        self.search(ROOT, method, path, &mut MAX_STEPS.clone())
    }

    fn search(&self, at: ViewId, method: MethodId, path: &[Segment], steps: &mut u32) -> Option<ViewId> {
        *steps = steps.checked_sub(1)?;
        let node = self.node(at)?;
        let Some((segment, rest)) = path.split_first() else {
            return self.is_operation(at, method).then_some(at);
        };
        let literal = word(segment).and_then(|word| node.literals.get(word.as_ref())).copied();
        literal.into_iter().chain(node.variable).find_map(|next| self.search(next, method, rest, steps))
    }
}
