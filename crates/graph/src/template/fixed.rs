//! Documented templates: they always win, and they say where a path varies before any call has shown it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use probity_model::path::{SegmentKind, TemplateSegment, segment_kind};
use probity_model::{Segment, Template};
use serde::{Deserialize, Serialize};

/// Nodes visited for one look-up.
const MAX_STEPS: u32 = 4096;

pub(super) const ROOT: u32 = 0;

/// A tree of the documented templates. Look-ups prefer, segment by segment, an equal literal, then a literal whose
/// letters are not at hand but look alike, then a variable: the rules of the gateway's router.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Fixed {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Node {
    literals: IndexMap<String, u32>,
    /// Literals that the typing does not keep in clear, such as `2010-04-01`, by what they look like.
    typed: Vec<(SegmentKind, u32)>,
    variable: Option<u32>,
    /// The variable's name as documented, without braces.
    name: String,
    methods: BTreeMap<String, Template>,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Fixed {
    pub fn new(routes: impl IntoIterator<Item = (String, Template)>) -> Self {
        let mut fixed = Self::default();
        for (method, template) in routes {
            fixed.insert(method, template);
        }
        fixed
    }

    fn insert(&mut self, method: String, template: Template) {
        let mut at = ROOT;
        for segment in template.segments() {
            at = match segment {
                TemplateSegment::Literal(text) => self.literal(at, text),
                TemplateSegment::Variable(name) => self.variable_or_insert(at, name),
            };
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.methods.entry(method).or_insert(template);
        }
    }

    fn literal(&mut self, at: u32, text: &str) -> u32 {
        if let Some(known) = self.nodes.get(at as usize).and_then(|node| node.literals.get(text)) {
            return *known;
        }
        let next = self.push();
        let kind = segment_kind(text);
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.literals.insert(text.to_owned(), next);
            if kind != SegmentKind::Word {
                node.typed.push((kind, next));
            }
        }
        next
    }

    fn variable_or_insert(&mut self, at: u32, name: &str) -> u32 {
        if let Some(known) = self.nodes.get(at as usize).and_then(|node| node.variable) {
            return known;
        }
        let next = self.push();
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.name = name.to_owned();
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.variable = Some(next);
        }
        next
    }

    fn push(&mut self) -> u32 {
        self.nodes.push(Node::default());
        (self.nodes.len() - 1) as u32
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    pub fn find(&self, method: &str, path: &[Segment]) -> Option<&Template> {
        if self.is_empty() {
            return None;
        }
        self.search(ROOT, method, path, &mut MAX_STEPS.clone())
    }

    fn search(&self, at: u32, method: &str, path: &[Segment], steps: &mut u32) -> Option<&Template> {
        *steps = steps.checked_sub(1)?;
        let node = self.nodes.get(at as usize)?;
        let Some((segment, rest)) = path.split_first() else { return node.methods.get(method) };
        let equal = segment.word.as_deref().and_then(|word| node.literals.get(word)).copied();
        let alike = node.typed.iter().filter(|(kind, _)| *kind == segment.kind).map(|(_, next)| *next);
        let variable = node.variable.filter(|_| segment.word.as_deref() != Some(""));
        equal.into_iter().chain(alike).chain(variable).find_map(|next| self.search(next, method, rest, steps))
    }

    pub fn child_literal(&self, at: u32, word: &str) -> Option<u32> {
        self.nodes.get(at as usize)?.literals.get(word).copied()
    }

    pub fn child_variable(&self, at: u32) -> Option<(u32, &str)> {
        let next = self.nodes.get(at as usize)?.variable?;
        Some((next, self.nodes.get(next as usize)?.name.as_str()))
    }
}
