//! Security schemes and what an operation demands of its caller.

use std::collections::{HashMap, HashSet};

use probity_model::Severity;
use probity_model::specification::{SecurityNeed, SecurityScheme};

use super::reference::Resolver;
use super::short;
use crate::diagnostics::{Diagnostics, one_of, quoted};
use crate::nearest::nearest;
use crate::yaml::{EntryNode, Node};

/// Alternatives of one need, schemes of one alternative, scopes of one scheme.
const MAX_ALTERNATIVES: usize = 64;
const MAX_TOGETHER: usize = 16;
const MAX_SCOPES: usize = 128;

const KINDS: [&str; 5] = ["http", "apiKey", "oauth2", "openIdConnect", "mutualTLS"];

/// How many names a need holds.
pub(super) fn parts(need: &SecurityNeed) -> usize {
    match need {
        SecurityNeed::Required(alternatives) => {
            alternatives.iter().flatten().map(|(_, scopes)| 1 + scopes.len()).sum()
        }
        _ => 0,
    }
}

pub(super) struct Schemes<'t> {
    pub(super) list: Vec<SecurityScheme>,
    names: Vec<&'t str>,
    known: HashSet<&'t str>,
    /// OAuth 2 scopes by scheme, where the document lists any.
    scopes: HashMap<&'t str, HashSet<&'t str>>,
}

impl<'t> Schemes<'t> {
    pub(super) fn read(
        schemes: Option<Node<'t>>,
        resolver: &Resolver<'t>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut read =
            Self { list: Vec::new(), names: Vec::new(), known: HashSet::new(), scopes: HashMap::new() };
        for entry in schemes.into_iter().flat_map(Node::entries) {
            read.names.push(entry.key());
            read.known.insert(entry.key());
            if let Some(node) = resolver.resolve(entry.value()) {
                read.scheme(entry, node, diagnostics);
            }
        }
        read
    }
    fn scheme(&mut self, entry: EntryNode<'t>, node: Node<'t>, diagnostics: &mut Diagnostics) {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let mut fault = |message: String, hint: &str| {
            diagnostics.push_at(Severity::High, entry.key_span(), message, Some(hint.to_owned()));
        };
        let name = quoted(entry.key());
        let kind = text("type").unwrap_or_default();
        if !KINDS.contains(&kind) {
            let hint = format!("expected {}", one_of(&KINDS));
            fault(format!("security scheme {name} has type {}", quoted(kind)), &hint);
        }
        let (detail, parameter) = match kind {
            "http" => {
                let scheme = text("scheme").unwrap_or_default();
                if scheme.is_empty() {
                    fault(
                        format!("security scheme {name} has no `scheme`"),
                        "expected one such as `bearer` or `basic`",
                    );
                }
                (scheme.to_ascii_lowercase(), None)
            }
            "apiKey" => {
                let place = text("in").unwrap_or_default();
                if !matches!(place, "header" | "query" | "cookie") {
                    fault(
                        format!("security scheme {name} is in {}", quoted(place)),
                        "expected `in: header`, `query` or `cookie`",
                    );
                }
                let parameter = text("name").map(str::to_owned);
                if parameter.is_none() {
                    fault(
                        format!("security scheme {name} has no `name`"),
                        "expected the name of its parameter",
                    );
                }
                (place.to_owned(), parameter)
            }
            "oauth2" => {
                let flows: Vec<_> = node.get("flows").into_iter().flat_map(Node::entries).collect();
                let flows: Vec<_> = flows.into_iter().filter(|flow| !flow.key().starts_with("x-")).collect();
                if flows.is_empty() {
                    fault(format!("security scheme {name} has no `flows`"), "expected at least one flow");
                }
                let scopes: HashSet<&str> = flows
                    .iter()
                    .filter_map(|flow| flow.value().get("scopes"))
                    .flat_map(Node::entries)
                    .map(EntryNode::key)
                    .collect();
                self.scopes.insert(entry.key(), scopes);
                (flows.iter().map(|flow| flow.key()).collect::<Vec<_>>().join(","), None)
            }
            "openIdConnect" => (text("openIdConnectUrl").unwrap_or_default().to_owned(), None),
            _ => (String::new(), None),
        };
        self.list.push(SecurityScheme {
            name: entry.key().to_owned(),
            kind: kind.to_owned(),
            detail,
            parameter,
            span: entry.key_span(),
        });
    }

    /// What a `security` list demands; `None` when it is not given.
    pub(super) fn need(
        &self,
        security: Option<Node<'t>>,
        diagnostics: &mut Diagnostics,
    ) -> Option<SecurityNeed> {
        let security = security?;
        if !security.is_sequence() {
            let message = format!("`security` is {}", security.value().kind());
            let hint = "expected a list of alternatives, `[]` for none".to_owned();
            diagnostics.push_at(Severity::High, security.span(), message, Some(hint));
            return None;
        }
        let mut alternatives = Vec::new();
        let mut public = security.items().len() == 0;
        for alternative in security.items().take(MAX_ALTERNATIVES) {
            public |= alternative.is_mapping() && alternative.entries().len() == 0;
            let schemes: Vec<(String, Vec<String>)> = alternative
                .entries()
                .take(MAX_TOGETHER)
                .map(|scheme| self.scheme_need(scheme, diagnostics))
                .collect();
            alternatives.push(schemes);
        }
        Some(if public { SecurityNeed::Public } else { SecurityNeed::Required(alternatives) })
    }
    fn scheme_need(&self, scheme: EntryNode<'t>, diagnostics: &mut Diagnostics) -> (String, Vec<String>) {
        let name = scheme.key();
        if !self.known.contains(name) {
            let hint = match nearest(name, &self.names) {
                Some(near) => format!("did you mean {}?", quoted(near)),
                None if self.names.is_empty() => "the document declares no security scheme".to_owned(),
                None => format!("expected {}", one_of(&self.names)),
            };
            let message = format!("unknown security scheme {}", quoted(name));
            diagnostics.push_at(Severity::High, scheme.key_span(), message, Some(hint));
        }
        let known = self.scopes.get(name).filter(|scopes| !scopes.is_empty());
        let scopes: Vec<String> = scheme
            .value()
            .items()
            .take(MAX_SCOPES)
            .filter_map(|scope| {
                let text = scope.text()?;
                if known.is_some_and(|known| !known.contains(text)) {
                    let message = format!("scope {} is not declared by {}", quoted(text), quoted(name));
                    diagnostics.push_at(Severity::Low, scope.span(), message, None);
                }
                short(scope)
            })
            .collect();
        (name.to_owned(), scopes)
    }
}
