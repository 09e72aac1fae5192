//! Typed reading of our own YAML (`probity.yaml`, catalogue files): values into any `Deserialize` type, and for what
//! does not fit the line and column of the offending key or value, what was found and what was expected.
//!
//! Typing is YAML 1.2's. A text field takes a plain scalar as it is written (`1.20` and `on` stay so); a number or a
//! boolean field takes no quoted text. A key without a value is an empty mapping or list where one is expected.
//! **Every unknown key is refused**, whether or not the type says `deny_unknown_fields`; types meant to be read here
//! avoid `flatten` and `untagged`, which lose the place of a fault and the text of a scalar.
//!
//! As many faults as possible are told at once: a faulty entry is left out and the rest is read on.

mod de;
mod fault;
mod quantity;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Deref;

use probity_model::{Diagnostic, Span};
use serde::de::DeserializeOwned;

pub use quantity::{ByteSize, Duration, QuantityError};

use crate::diagnostics::{Diagnostics, is_error};
use crate::yaml::{Node, Tree};

/// Faults told at once.
pub const MAX_FAULTS: usize = 50;
/// Leaves that [`Located::origins`] lists.
pub const MAX_ORIGINS: usize = 100_000;

/// A value read from a file, with the place of every part of it.
#[derive(Debug)]
pub struct Located<T> {
    pub value: T,
    tree: Tree,
}

impl<T> Located<T> {
    /// Where the value stands that a JSON pointer (`/services/0/name`) names; `None` when the file does not give it.
    pub fn span_of(&self, pointer: &str) -> Option<Span> {
        self.tree.span_of(pointer)
    }
    /// Where the key stands that a JSON pointer ends with.
    pub fn key_span_of(&self, pointer: &str) -> Option<Span> {
        self.tree.key_span_of(pointer)
    }
    /// Every value that the file gives, with its place, in document order.
    pub fn origins(&self) -> Vec<(String, Span)> {
        self.tree.leaves(MAX_ORIGINS).into_iter().map(|(pointer, node)| (pointer, node.span())).collect()
    }
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Reads `text` as a `T`. `file` names it in diagnostics only.
pub fn from_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Vec<Diagnostic>> {
    from_yaml_with_spans(file, text).map(Located::into_value)
}

/// As [`from_yaml`], and keeps where everything stands.
pub fn from_yaml_with_spans<T: DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<Located<T>, Vec<Diagnostic>> {
    let (tree, diagnostics) = Tree::read(file, text.as_bytes());
    let Some(tree) = tree else { return Err(diagnostics) };
    let read = from_node(tree.root());
    if diagnostics.iter().any(is_error) {
        let mut all = Diagnostics::new(tree.file());
        all.extend(diagnostics);
        all.extend(read.err().unwrap_or_default());
        return Err(all.finish());
    }
    read.map(|value| Located { value, tree })
}

/// Reads one value of a tree.
pub fn from_node<T: DeserializeOwned>(node: Node<'_>) -> Result<T, Vec<Diagnostic>> {
    let mut diagnostics = Diagnostics::new(node.tree().file());
    let mut left_out: HashSet<u32> = HashSet::new();
    let mut told = 0;
    loop {
        let fault = match T::deserialize(de::Reading::new(node, &left_out)) {
            Ok(value) if told == 0 => return Ok(value),
            Ok(_) => break,
            Err(fault) => fault,
        };
        if !fault.follows {
            let at = fault.at.unwrap_or_else(|| node.position());
            let severity = probity_model::Severity::High;
            let (message, hint) = fault.text();
            match hint {
                Some(hint) => diagnostics.push_hint(severity, at, message, hint),
                None => diagnostics.push(severity, at, message),
            }
            told += 1;
        }
        // The entry at fault is left out of the next attempt, unless it was already: then nothing more can be said.
        let Some(entry) = fault.entry else { break };
        if told >= MAX_FAULTS || !left_out.insert(entry) {
            break;
        }
    }
    Err(diagnostics.finish())
}
