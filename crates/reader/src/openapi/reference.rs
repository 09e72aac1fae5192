//! The documents of a specification and the references between them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use probity_model::Severity;

use super::MAX_FILES;
use crate::diagnostics::{Diagnostics, quoted};
use crate::yaml::{Node, Tree};

/// References that lead to references.
const MAX_CHAIN: usize = 32;

pub(super) struct Documents {
    trees: Vec<Tree>,
    by_name: HashMap<String, usize>,
}

/// A node of any of the documents.
pub(super) type Key = (usize, u32);

pub(super) fn key(node: Node<'_>) -> Key {
    (std::ptr::from_ref(node.tree()) as usize, node.id())
}

impl Documents {
    pub(super) fn load(
        root: Tree,
        load: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut documents =
            Self { by_name: HashMap::from([(root.file().to_string(), 0)]), trees: vec![root] };
        let mut asked: HashSet<String> = HashSet::new();
        let mut next = 0;
        while let Some(tree) = documents.trees.get(next) {
            next += 1;
            let names: Vec<String> = references(tree)
                .into_iter()
                .filter_map(|node| file_of(tree.file(), node.text()?))
                .filter(|name| !documents.by_name.contains_key(name) && asked.insert(name.clone()))
                .collect();
            for name in names {
                if documents.trees.len() > MAX_FILES {
                    return documents;
                }
                let Some(bytes) = load(&name) else { continue };
                let (tree, told) = Tree::read(&name, &bytes);
                diagnostics.extend(told);
                if let Some(tree) = tree {
                    documents.by_name.insert(name, documents.trees.len());
                    documents.trees.push(tree);
                }
            }
        }
        documents
    }
    pub(super) fn root(&self) -> Option<Node<'_>> {
        self.trees.first().map(Tree::root)
    }
    /// Tells every reference that leads nowhere.
    pub(super) fn check(&self, diagnostics: &mut Diagnostics) {
        let resolver = Resolver::new(self);
        for node in self.trees.iter().flat_map(references) {
            let Some(text) = node.text() else { continue };
            if resolver.target(node, text).is_some() {
                continue;
            }
            let (severity, message, hint) = match text.split_once('#') {
                Some(("", fragment)) if fragment.is_empty() || fragment.starts_with('/') => (
                    Severity::High,
                    format!("reference {} leads nowhere", quoted(text)),
                    "expected a JSON pointer to a part of this document",
                ),
                Some(("", _)) => (
                    Severity::Medium,
                    format!("reference {} names an anchor, which is not followed", quoted(text)),
                    "expected a JSON pointer such as `#/components/schemas/Name`",
                ),
                _ if self.has_file_of(node, text) => (
                    Severity::High,
                    format!("reference {} leads nowhere", quoted(text)),
                    "expected a JSON pointer to a part of that file",
                ),
                _ => (
                    Severity::Medium,
                    format!("reference {} to another document is not followed", quoted(text)),
                    "what it names is left out; bundle the documents into one, or place the file beside this one",
                ),
            };
            diagnostics.push_at(severity, node.span(), message, Some(hint.to_owned()));
        }
    }
    fn has_file_of(&self, node: Node<'_>, text: &str) -> bool {
        file_of(node.tree().file(), text).is_some_and(|name| self.by_name.contains_key(&name))
    }
}

/// Follows references, remembering where they led.
pub(super) struct Resolver<'t> {
    documents: &'t Documents,
    known: RefCell<HashMap<(usize, &'t str), Option<Node<'t>>>>,
}

impl<'t> Resolver<'t> {
    pub(super) fn new(documents: &'t Documents) -> Self {
        Self { documents, known: RefCell::new(HashMap::new()) }
    }
    /// The node itself, or what its `$ref` leads to in the end; `None` when that is nowhere or a circle.
    pub(super) fn resolve(&self, mut node: Node<'t>) -> Option<Node<'t>> {
        for _ in 0..MAX_CHAIN {
            let Some(reference) = node.get("$ref") else { return Some(node) };
            let Some(text) = reference.text() else { return Some(node) };
            node = self.target(reference, text)?;
        }
        None
    }
    /// What the reference `text`, which stands in the document of `node`, names.
    pub(super) fn target(&self, node: Node<'t>, text: &'t str) -> Option<Node<'t>> {
        let known = (std::ptr::from_ref(node.tree()) as usize, text);
        if let Some(target) = self.known.borrow().get(&known) {
            return *target;
        }
        let target = self.find(node.tree(), text);
        self.known.borrow_mut().insert(known, target);
        target
    }
    fn find(&self, here: &'t Tree, text: &str) -> Option<Node<'t>> {
        let (file, fragment) = text.split_once('#').unwrap_or((text, ""));
        let tree = match file {
            "" => here,
            _ => {
                let name = file_of(here.file(), text)?;
                self.documents.trees.get(*self.documents.by_name.get(&name)?)?
            }
        };
        tree.pointer(&percent_decoded(fragment))
    }
}

/// The value of every `$ref`, those in examples and extensions left out.
fn references(tree: &Tree) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    // With each node, whether its keys are names that the author chose and not words of OpenAPI.
    let mut todo = vec![(tree.root(), false)];
    while let Some((node, names)) = todo.pop() {
        todo.extend(node.items().map(|item| (item, false)));
        for entry in node.entries() {
            let (key, value) = (entry.key(), entry.value());
            if names {
                todo.push((value, false));
            } else if key == "$ref" && value.text().is_some() {
                found.push(value);
            } else if !is_data(key) {
                todo.push((value, value.is_mapping() && holds_names(key)));
            }
        }
    }
    found.sort_by_key(|node| node.position());
    found
}

fn is_data(key: &str) -> bool {
    matches!(key, "example" | "examples" | "default" | "enum" | "const" | "mapping") || key.starts_with("x-")
}

fn holds_names(key: &str) -> bool {
    matches!(
        key,
        "properties"
            | "patternProperties"
            | "dependentSchemas"
            | "$defs"
            | "definitions"
            | "schemas"
            | "responses"
            | "parameters"
            | "headers"
            | "requestBodies"
            | "securitySchemes"
            | "links"
            | "callbacks"
            | "paths"
            | "pathItems"
            | "webhooks"
            | "content"
            | "encoding"
            | "variables"
            | "scopes"
    )
}

/// The file that a reference names, as a path relative to what `here` is relative to. `None` for a reference inside
/// the document, a URL, an absolute path.
fn file_of(here: &str, reference: &str) -> Option<String> {
    let file = reference.split('#').next().unwrap_or_default();
    let scheme =
        file.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    if file.is_empty() || scheme || file.starts_with(['/', '\\']) {
        return None;
    }
    let folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
    let absolute = folder.starts_with('/') || here.starts_with('/');
    let file = percent_decoded(file);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(file.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("{}{}", if absolute { "/" } else { "" }, parts.join("/")))
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if let (b'%', [high, low, ..]) = (byte, bytes.as_slice())
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push(high * 16 + low);
            bytes.nth(1);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_files() {
        for (here, reference, expected) in [
            ("api/openapi.yaml", "schemas/pet.yaml#/Pet", Some("api/schemas/pet.yaml")),
            ("api/paths/a.yaml", "../schemas/p%20t.yaml", Some("api/schemas/p t.yaml")),
            ("openapi.yaml", "./a.yaml#/x", Some("a.yaml")),
            ("openapi.yaml", "../a.yaml", Some("../a.yaml")),
            ("/srv/api/o.yaml", "a.yaml", Some("/srv/api/a.yaml")),
            ("o.yaml", "#/components", None),
            ("o.yaml", "https://example.com/a.yaml#/x", None),
            ("o.yaml", "/etc/passwd", None),
            ("o.yaml", "c:/x", None),
        ] {
            assert_eq!(file_of(here, reference).as_deref(), expected, "{reference}");
        }
    }
}
