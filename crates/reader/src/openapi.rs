//! OpenAPI 3.0 and 3.1, in JSON or YAML: operations, parameters, security and the fields of every body, flat and with
//! their places, and what is structurally wrong with the document.
//!
//! A faulty part is told and left out; the rest is read. References inside the document are followed, and those to
//! other files when the caller hands these over ([`read_with`]). Callbacks and webhooks are no operations that this
//! service answers, and are passed over. What this is not: judging whether the described API is a good one, which
//! the checks of the catalogue do from what is read here.
//!
//! Severities: high, a part cannot be relied on (broken reference, contradiction, undeclared path parameter);
//! medium, it is read, though the document breaks the specification or something is left out; low, a slip.

mod class;
mod contract;
mod document;
mod operation;
mod reference;
mod schema;
mod security;
mod server;

use std::sync::Arc;

use probity_model::specification::Specification;
use probity_model::{Diagnostic, Severity};

use crate::diagnostics::{Diagnostics, Position, quoted};
use crate::yaml::{Node, Tree};

/// Operations of one specification.
pub const MAX_OPERATIONS: usize = 100_000;
/// Fields kept of one body, and of all bodies of a specification.
pub const MAX_BODY_FIELDS: usize = 1_000;
pub const MAX_FIELDS: usize = 1_000_000;
/// Nesting of the fields of a body.
pub const MAX_FIELD_DEPTH: usize = 12;
/// Schemas looked at for one body; a property counts as one, however often it is met.
pub const MAX_BODY_SCHEMAS: usize = 40_000;
/// Schemas looked at for all bodies and parameters of a specification.
pub const MAX_SCHEMAS: usize = 5_000_000;
/// Parameters, answers, bodies, tags and scopes read, over all operations: references make a short document long.
pub const MAX_PARTS: usize = 2_000_000;
/// Characters kept of a title, a summary, a name.
pub const MAX_TEXT: usize = 300;
/// Bytes of a base path or of a field's pointer.
pub const MAX_POINTER: usize = 1_024;
/// Files that one specification may refer to, directly or not.
pub const MAX_FILES: usize = 200;

/// Reads one file. `None` when it is no OpenAPI document of a version that is read here.
pub fn read(file: &str, bytes: &[u8]) -> (Option<Specification>, Vec<Diagnostic>) {
    read_with(file, bytes, &mut |_| None)
}

/// As [`read`], and follows references to other files. `load` is given a path: that of the reference, joined to the
/// file that it stands in and normalised, so relative to what `file` is relative to. It decides what may be opened
/// (the path may begin with `..`) and returns the bytes. URLs and absolute paths are never asked for.
pub fn read_with(
    file: &str,
    bytes: &[u8],
    load: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> (Option<Specification>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::new(&Arc::from(file));
    let (tree, told) = Tree::read(file, bytes);
    diagnostics.extend(told);
    let Some(tree) = tree else { return (None, diagnostics.finish()) };
    if !is_supported(tree.root(), &mut diagnostics) {
        return (None, diagnostics.finish());
    }
    let documents = reference::Documents::load(tree, load, &mut diagnostics);
    documents.check(&mut diagnostics);
    let specification = document::Reader::new(&documents, &mut diagnostics).read();
    (Some(specification), diagnostics.finish())
}

/// Whether a file looks like an API description at all, read here or not: for choosing files of a folder.
pub fn is_candidate(file: &str, bytes: &[u8]) -> bool {
    let (tree, _) = Tree::read(file, bytes);
    tree.is_some_and(|tree| ["openapi", "swagger"].iter().any(|key| tree.root().get(key).is_some()))
}

/// The text of a scalar, cut where it is longer than any that is meant to be read.
fn short(node: Node<'_>) -> Option<String> {
    let text = node.text()?;
    Some(match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text.to_owned(),
    })
}

fn is_supported(root: Node<'_>, diagnostics: &mut Diagnostics) -> bool {
    const SUPPORTED: &str = "expected `openapi: 3.0.x` or `openapi: 3.1.x`";
    let mut refuse = |at: Position, message: String, hint: String| {
        diagnostics.push_hint(Severity::High, at, message, hint);
        false
    };
    if !root.is_mapping() {
        return refuse(
            root.position(),
            format!("the document is {}", root.value().kind()),
            SUPPORTED.to_owned(),
        );
    }
    if let Some(version) = root.get("openapi") {
        let text = version.text().unwrap_or_default();
        if ["3.0", "3.1"].iter().any(|line| text == *line || text.starts_with(&format!("{line}."))) {
            return true;
        }
        return refuse(
            version.position(),
            format!("OpenAPI {} is not read", quoted(text)),
            SUPPORTED.to_owned(),
        );
    }
    match root.get("swagger") {
        Some(version) => refuse(
            version.position(),
            format!("OpenAPI (Swagger) {} is not read", quoted(version.text().unwrap_or_default())),
            format!("{SUPPORTED}; convert the document first"),
        ),
        None => {
            refuse(root.position(), "the document names no OpenAPI version".to_owned(), SUPPORTED.to_owned())
        }
    }
}
