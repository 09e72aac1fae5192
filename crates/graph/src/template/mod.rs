//! Learning path templates from traffic: which segments of a path vary.

use std::collections::{BTreeMap, BTreeSet};

use probity_model::{Segment, Template};
use serde::{Deserialize, Serialize};

/// A template that changed its name: what was counted under `from` belongs to `into` now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub method: String,
    pub from: Template,
    pub into: Template,
}

/// Learns the templates of one service. Fixed templates (from specifications) always win.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Learner {
    fixed: BTreeMap<String, BTreeSet<Template>>,
    known: BTreeSet<(String, Template)>,
}

impl Learner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the fixed templates: (method, template) as documented.
    pub fn fix(&mut self, routes: impl IntoIterator<Item = (String, Template)>) {
        self.fixed.clear();
        for (method, template) in routes {
            self.fixed.entry(method).or_default().insert(template);
        }
    }

    /// One call. `None`: the path is not an operation as far as is known (only ever answered 404).
    pub fn observe(&mut self, method: &str, path: &[Segment], status: u16, _shape: u64) -> Option<Template> {
        if let Some(template) = self.fixed_match(method, path) {
            return Some(template);
        }
        let template = lexical(path);
        let key = (method.to_owned(), template);
        if status == 404 && !self.known.contains(&key) {
            return None;
        }
        self.known.insert(key.clone());
        Some(key.1)
    }

    /// Templates that were renamed since the last call.
    pub fn renames(&mut self) -> Vec<Rename> {
        Vec::new()
    }

    /// Every learned template that is not fixed.
    pub fn learned(&self) -> Vec<(String, Template)> {
        self.known.iter().cloned().collect()
    }

    fn fixed_match(&self, method: &str, path: &[Segment]) -> Option<Template> {
        let templates = self.fixed.get(method)?;
        templates.iter().find(|template| matches(template, path)).cloned()
    }
}

fn matches(template: &Template, path: &[Segment]) -> bool {
    use probity_model::path::TemplateSegment::{Literal, Variable};
    template.segments().count() == path.len()
        && template.segments().zip(path).all(|(segment, seen)| match segment {
            Literal(text) => seen.word.as_deref() == Some(text),
            Variable(_) => true,
        })
}

fn lexical(path: &[Segment]) -> Template {
    Template::new(path.iter().fold(String::new(), |text, segment| text + "/" + &segment.display()))
}
