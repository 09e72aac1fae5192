//! The document as a whole: title, servers, security, paths.

use std::collections::HashMap;
use std::sync::Arc;

use probity_model::specification::{
    Parameter, SecurityNeed, Specification, SpecifiedOperation, SpecifiedServer,
};
use probity_model::{Severity, Span};

use super::contract::Contracts;
use super::reference::{Documents, Key, Resolver};
use super::schema::Schemas;
use super::security::Schemes;
use super::{MAX_OPERATIONS, MAX_PARTS, MAX_POINTER, server, short};
use crate::diagnostics::{Diagnostics, one_of, quoted};
use crate::nearest::nearest;
use crate::yaml::Node;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const DOCUMENT_KEYS: [&str; 10] = [
    "openapi",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
    "externalDocs",
];
const PATH_KEYS: [&str; 13] = [
    "$ref",
    "summary",
    "description",
    "servers",
    "parameters",
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
];

pub(super) struct Reader<'t, 'd> {
    pub(super) root: Option<Node<'t>>,
    pub(super) diagnostics: &'d mut Diagnostics,
    pub(super) schemas: Schemas<'t>,
    pub(super) contracts: Contracts<'t>,
    pub(super) schemes: Schemes<'t>,
    pub(super) is_3_1: bool,
    /// Where each operation id was first given.
    pub(super) operation_ids: HashMap<&'t str, Span>,
    operations: Vec<SpecifiedOperation>,
    pub(super) servers: Vec<SpecifiedServer>,
    pub(super) parameters: HashMap<Key, Option<Parameter>>,
    /// Parts that may still be read.
    parts: usize,
}

/// What an operation takes from its document and its path where it says nothing itself.
#[derive(Clone)]
pub(super) struct Defaults {
    pub(super) base_path: String,
    pub(super) owner: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) criticality: Option<String>,
    pub(super) security: Option<SecurityNeed>,
}

impl<'t, 'd> Reader<'t, 'd> {
    pub(super) fn new(documents: &'t Documents, diagnostics: &'d mut Diagnostics) -> Self {
        let root = documents.root();
        let version = root.and_then(|root| root.get("openapi")).and_then(Node::text).unwrap_or_default();
        let is_3_1 = version.starts_with("3.1");
        let paths = root.and_then(|root| root.get("paths"));
        // About three bodies per operation, about two operations per path.
        let bodies = paths.map_or(0, |paths| paths.entries().len()) * 6;
        let resolver = Resolver::new(documents);
        let components = root.and_then(|root| root.get("components"));
        let schemes = components.and_then(|components| components.get("securitySchemes"));
        let schemes = Schemes::read(schemes, &resolver, diagnostics);
        Self {
            root,
            diagnostics,
            schemas: Schemas::new(resolver, is_3_1, bodies),
            contracts: Contracts::default(),
            schemes,
            is_3_1,
            operation_ids: HashMap::new(),
            operations: Vec::new(),
            servers: Vec::new(),
            parameters: HashMap::new(),
            parts: MAX_PARTS,
        }
    }
    /// Takes so many parts off what may be read.
    pub(super) fn charge(&mut self, parts: usize) {
        self.parts = self.parts.saturating_sub(parts);
    }

    pub(super) fn read(mut self) -> Specification {
        let info = self.get("info");
        let text = |key: &str| info.and_then(|info| info.get(key)).and_then(short);
        let (title, version) = (text("title"), text("version"));
        self.check_head(title.is_some(), version.is_some());
        let base_paths = server::base_paths(self.get("servers"), &mut self.servers, self.diagnostics)
            .unwrap_or(vec![String::new()]);
        let security = self.schemes.need(self.get("security"), self.diagnostics);
        let extension = |key: &str| {
            let on = |node: Option<Node<'t>>| node.and_then(|node| node.get(key)).and_then(short);
            on(self.root).or_else(|| on(info))
        };
        let (owner, audience, criticality) =
            (extension("x-owner"), extension("x-audience"), extension("x-criticality"));
        for holder in [self.root, info].into_iter().flatten() {
            self.check_audience(holder);
        }
        let defaults = Defaults {
            base_path: base_paths.first().cloned().unwrap_or_default(),
            owner: owner.clone(),
            audience: audience.clone(),
            criticality,
            security,
        };
        self.paths(&defaults);
        if self.schemas.cut > 0 {
            let message =
                format!("{} bodies have more fields than are read; the outer ones are", self.schemas.cut);
            self.tell(Severity::Info, self.root, message, "");
        }
        if self.contracts.cut {
            let message = "the schemas are more than are kept; what refers to the rest cannot be judged";
            self.tell(Severity::High, self.root, message, "split the document");
        }
        Specification {
            file: self.root.map_or_else(|| Arc::from(""), |root| Arc::clone(root.tree().file())),
            openapi: self.get("openapi").and_then(Node::text).unwrap_or_default().to_owned(),
            title: title.unwrap_or_default(),
            version: version.unwrap_or_default(),
            base_paths,
            servers: self.servers,
            owner,
            audience,
            security_schemes: self.schemes.list,
            operations: self.operations,
            schemas: self.contracts.into_table(),
        }
    }

    fn get(&self, key: &str) -> Option<Node<'t>> {
        self.root.and_then(|root| root.get(key)).filter(|node| !node.is_null())
    }
    pub(super) fn tell(
        &mut self,
        severity: Severity,
        node: Option<Node<'t>>,
        message: impl Into<String>,
        hint: &str,
    ) {
        if let Some(node) = node {
            self.tell_at(severity, node.span(), message, hint);
        }
    }
    pub(super) fn tell_at(&mut self, severity: Severity, span: Span, message: impl Into<String>, hint: &str) {
        self.diagnostics.push_at(severity, span, message, (!hint.is_empty()).then(|| hint.to_owned()));
    }
    /// Tells the keys of `node` that OpenAPI does not know.
    pub(super) fn check_keys(&mut self, severity: Severity, node: Node<'t>, of: &str, known: &[&str]) {
        for entry in node.entries() {
            let key = entry.key();
            if known.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let hint = match nearest(key, known) {
                Some(near) => format!("did you mean {}?", quoted(near)),
                None => format!("expected {}, or a key that begins with `x-`", one_of(known)),
            };
            self.tell_at(severity, entry.key_span(), format!("unknown key {} in {of}", quoted(key)), &hint);
        }
    }
    pub(super) fn check_audience(&mut self, holder: Node<'t>) {
        let Some(audience) = holder.get("x-audience") else { return };
        let text = audience.text().unwrap_or_default();
        if !matches!(text, "public" | "partner" | "internal") {
            let message = format!("audience {} is unknown", quoted(text));
            self.tell(Severity::Low, Some(audience), message, "expected `public`, `partner` or `internal`");
        }
    }
    fn check_head(&mut self, has_title: bool, has_version: bool) {
        let Some(root) = self.root else { return };
        self.check_keys(Severity::Low, root, "the document", &DOCUMENT_KEYS);
        let info = self.get("info");
        if info.is_none() {
            self.tell(
                Severity::Medium,
                Some(root),
                "the document has no `info`",
                "expected `title` and `version` in it",
            );
        } else {
            for (given, key) in [(has_title, "title"), (has_version, "version")] {
                if !given {
                    self.tell(Severity::Medium, info, format!("`info` has no `{key}`"), "");
                }
            }
        }
        let described = self.is_3_1 && ["webhooks", "components"].iter().any(|key| self.get(key).is_some());
        if self.get("paths").is_none() && !described {
            self.tell(
                Severity::High,
                Some(root),
                "the document has no `paths`",
                "expected the paths that it serves",
            );
        }
    }

    fn paths(&mut self, defaults: &Defaults) {
        let Some(paths) = self.get("paths") else { return };
        if !paths.is_mapping() {
            let message = format!("`paths` is {}", paths.value().kind());
            return self.tell(Severity::High, Some(paths), message, "expected a mapping of paths");
        }
        // By shape and method, the path that has them.
        let mut shapes: HashMap<(String, &str), (&str, Span)> = HashMap::new();
        for entry in paths.entries() {
            let path = entry.key();
            if path.starts_with("x-") {
                continue;
            }
            if path.len() > MAX_POINTER {
                let message = format!("path {} is longer than {MAX_POINTER} bytes", quoted(path));
                self.tell_at(Severity::High, entry.key_span(), message, "it is left out");
                continue;
            }
            if !path.starts_with('/') {
                let message = format!("path {} does not begin with `/`", quoted(path));
                self.tell_at(Severity::High, entry.key_span(), message, "it is read as if it did");
            }
            let told = entry.value();
            let Some(item) = self.schemas.resolver.resolve(told) else { continue };
            if !item.is_mapping() {
                let message = format!("path {} is {}", quoted(path), item.value().kind());
                self.tell_at(Severity::High, entry.key_span(), message, "expected a mapping of methods");
                continue;
            }
            self.check_keys(Severity::Medium, item, "a path", &PATH_KEYS);
            let defaults = self.path_defaults(item, defaults);
            let shape = shape(path);
            for operation in item.entries() {
                let Some(method) = METHODS.into_iter().find(|method| *method == operation.key()) else {
                    continue;
                };
                if self.operations.len() >= MAX_OPERATIONS || self.parts == 0 {
                    let message =
                        format!("the first {} operations are read, the rest is not", self.operations.len());
                    return self.tell_at(Severity::High, entry.key_span(), message, "");
                }
                match shapes.get(&(shape.clone(), method)) {
                    // Two operations that a query or fragment tells apart are told below, as such.
                    Some((other, span)) if !path.contains(['?', '#']) => {
                        let message = format!("{} has the same shape as {}", quoted(path), quoted(other));
                        let hint = format!(
                            "no request can tell their `{method}` apart; the other is on line {}",
                            span.line
                        );
                        self.tell_at(Severity::High, entry.key_span(), message, &hint);
                    }
                    Some(_) => {}
                    None => {
                        shapes.insert((shape.clone(), method), (path, entry.key_span()));
                    }
                }
                if let Some(operation) = self.operation(entry, item, method, operation, &defaults) {
                    self.operations.push(operation);
                }
            }
        }
    }

    fn path_defaults(&mut self, item: Node<'t>, outer: &Defaults) -> Defaults {
        let text = |key: &str| item.get(key).and_then(short);
        self.check_audience(item);
        let base_path = server::base_paths(item.get("servers"), &mut self.servers, self.diagnostics);
        Defaults {
            base_path: base_path
                .and_then(|paths| paths.into_iter().next())
                .unwrap_or_else(|| outer.base_path.clone()),
            owner: text("x-owner").or_else(|| outer.owner.clone()),
            audience: text("x-audience").or_else(|| outer.audience.clone()),
            criticality: text("x-criticality").or_else(|| outer.criticality.clone()),
            security: outer.security.clone(),
        }
    }
}

/// The path with the names of its variables taken out.
fn shape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '{' => {
                inside = true;
                out.push('{');
            }
            '}' => {
                inside = false;
                out.push('}');
            }
            _ if inside => {}
            c => out.push(c),
        }
    }
    out
}
