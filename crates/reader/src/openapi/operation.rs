//! One operation: its parameters, bodies, answers and security.

use std::sync::Arc;

use probity_model::specification::{BodySchema, Parameter, ResponseSchema, SecurityNeed, SpecifiedOperation};
use probity_model::{Severity, Span, Template, Timestamp};

use super::document::{Defaults, Reader};
use super::reference::key;
use super::security::parts;
use super::{MAX_TEXT, server, short};
use crate::diagnostics::quoted;
use crate::yaml::{EntryNode, Node};

/// Parameters of one operation.
const MAX_PARAMETERS: usize = 500;
/// Answers of one operation, media types of one body, tags of one operation.
const MAX_RESPONSES: usize = 100;
const MAX_MEDIA_TYPES: usize = 200;
const MAX_TAGS: usize = 50;
const OPERATION_KEYS: [&str; 12] = [
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
];

impl<'t> Reader<'t, '_> {
    pub(super) fn operation(
        &mut self,
        path: EntryNode<'t>,
        item: Node<'t>,
        method: &'static str,
        entry: EntryNode<'t>,
        defaults: &Defaults,
    ) -> Option<SpecifiedOperation> {
        let node = entry.value();
        let span = entry.key_span();
        if !node.is_mapping() {
            let message = format!("operation {} is {}", quoted(method), node.value().kind());
            self.tell_at(Severity::High, span, message, "expected a mapping");
            return None;
        }
        self.check_keys(Severity::Low, node, "an operation", &OPERATION_KEYS);
        self.check_audience(node);
        let text = |key: &str| node.get(key).and_then(short);
        let base_path = server::base_paths(node.get("servers"), &mut self.servers, self.diagnostics)
            .and_then(|paths| paths.into_iter().next())
            .unwrap_or_else(|| defaults.base_path.clone());
        let template = self.template(path, &base_path);
        let parameters = self.parameters(item, node);
        self.check_path_parameters(path.key(), &span, &parameters);
        let security = self.schemes.need(node.get("security"), self.diagnostics);
        let security = security.or_else(|| defaults.security.clone()).unwrap_or(SecurityNeed::Unstated);
        let tags = node.get("tags").into_iter().flat_map(Node::items).take(MAX_TAGS);
        let tags: Vec<String> = tags.filter_map(short).collect();
        self.charge(1 + parts(&security) + tags.len());
        let contract = self.contract(item, node, &security);
        Some(SpecifiedOperation {
            method: Arc::from(method.to_ascii_uppercase()),
            template,
            operation_id: self.operation_id(node),
            summary: text("summary"),
            tags,
            deprecated: node.get("deprecated").and_then(Node::as_bool).unwrap_or(false),
            sunset: self.sunset(node).or_else(|| self.sunset(item)),
            owner: text("x-owner").or_else(|| defaults.owner.clone()),
            audience: text("x-audience").or_else(|| defaults.audience.clone()),
            criticality: text("x-criticality").or_else(|| defaults.criticality.clone()),
            security,
            parameters,
            request: self.request(method, node),
            responses: self.responses(node, &span),
            contract,
            span,
        })
    }

    fn template(&mut self, path: EntryNode<'t>, base_path: &str) -> Template {
        let key = path.key();
        let (plain, rest) = key.split_at(key.find(['?', '#']).unwrap_or(key.len()));
        if !rest.is_empty() {
            let message = format!("path {} carries a query or fragment", quoted(key));
            let hint = "a path is matched without them; its operations cannot be told apart by them";
            self.tell_at(Severity::Medium, path.key_span(), message, hint);
        }
        let slash = if plain.starts_with('/') { "" } else { "/" };
        Template::new(format!("{base_path}{slash}{plain}"))
    }

    fn operation_id(&mut self, node: Node<'t>) -> Option<String> {
        let given = node.get("operationId")?;
        let id = given.text()?;
        match self.operation_ids.get(id).cloned() {
            Some(first) => {
                let message = format!("operation id {} is given twice", quoted(id));
                let hint = format!("it stands on line {} already", first.line);
                self.tell(Severity::High, Some(given), message, &hint);
            }
            None => {
                self.operation_ids.insert(id, given.span());
            }
        }
        short(given)
    }

    fn sunset(&mut self, node: Node<'t>) -> Option<Timestamp> {
        let given = node.get("x-sunset")?;
        let text = given.text().unwrap_or_default();
        let moment = Timestamp::parse(text);
        if moment.is_none() {
            let message = format!("sunset {} is no date", quoted(text));
            self.tell(Severity::Medium, Some(given), message, "expected one such as `2026-12-31`");
        }
        moment
    }

    /// Those of the path, replaced by those of the operation that have the same name and place.
    fn parameters(&mut self, item: Node<'t>, operation: Node<'t>) -> Vec<Parameter> {
        let mut merged = self.parameter_list(item);
        for parameter in self.parameter_list(operation) {
            match merged
                .iter_mut()
                .find(|known| known.name == parameter.name && known.place == parameter.place)
            {
                Some(known) => *known = parameter,
                None => merged.push(parameter),
            }
        }
        merged
    }
    fn parameter_list(&mut self, holder: Node<'t>) -> Vec<Parameter> {
        let mut list: Vec<Parameter> = Vec::new();
        let Some(given) = holder.get("parameters") else { return list };
        if !given.is_sequence() && !given.is_null() {
            let message = format!("`parameters` is {}", given.value().kind());
            self.tell(Severity::High, Some(given), message, "expected a list");
        }
        if given.items().len() > MAX_PARAMETERS {
            let message = format!("more than {MAX_PARAMETERS} parameters; the rest is not read");
            self.tell(Severity::High, Some(given), message, "");
        }
        self.charge(given.items().len().min(MAX_PARAMETERS));
        for told in given.items().take(MAX_PARAMETERS) {
            let Some(node) = self.schemas.resolver.resolve(told) else { continue };
            let Some(parameter) = self.parameter(node) else { continue };
            if list.iter().any(|known| known.name == parameter.name && known.place == parameter.place) {
                let message =
                    format!("{} parameter {} is given twice", parameter.place, quoted(&parameter.name));
                self.tell(Severity::Medium, Some(told), message, "the first of them is read");
                continue;
            }
            list.push(parameter);
        }
        list
    }
    /// A parameter that many operations refer to is read once.
    fn parameter(&mut self, node: Node<'t>) -> Option<Parameter> {
        let known = key(node);
        if let Some(parameter) = self.parameters.get(&known) {
            return parameter.clone();
        }
        let parameter = self.read_parameter(node);
        self.parameters.insert(known, parameter.clone());
        parameter
    }
    fn read_parameter(&mut self, node: Node<'t>) -> Option<Parameter> {
        let Some(name) = node.get("name").and_then(Node::text) else {
            self.tell(Severity::High, Some(node), "a parameter without `name`", "");
            return None;
        };
        if name.len() > MAX_TEXT {
            self.tell(
                Severity::High,
                Some(node),
                format!("a parameter's name is longer than {MAX_TEXT} bytes"),
                "",
            );
            return None;
        }
        let place = node.get("in").and_then(Node::text).unwrap_or_default();
        if !matches!(place, "path" | "query" | "header" | "cookie") {
            let message = format!("parameter {} is in {}", quoted(name), quoted(place));
            self.tell(
                Severity::High,
                Some(node),
                message,
                "expected `in: path`, `query`, `header` or `cookie`",
            );
            return None;
        }
        let required = node.get("required").and_then(Node::as_bool).unwrap_or(false);
        if place == "path" && !required {
            let message = format!("path parameter {} is not required", quoted(name));
            self.tell(Severity::Medium, Some(node), message, "expected `required: true`");
        }
        let content = node.get("content").and_then(|content| content.entries().next());
        let schema = node.get("schema").or_else(|| content.and_then(|content| content.value().get("schema")));
        if schema.is_none() && content.is_none() {
            let message = format!("parameter {} has no `schema`", quoted(name));
            self.tell(Severity::Medium, Some(node), message, "expected `schema` or `content`");
        }
        let (has_schema, class) = match schema {
            Some(schema) => self.schemas.single(name, schema, self.diagnostics),
            None => (false, super::class::of(name, None, "")),
        };
        let class = match node.get("x-data-class").and_then(Node::text) {
            Some("none") => None,
            Some(text) if text.len() <= MAX_TEXT => Some(probity_model::DataClass::parse(text)),
            _ => class,
        };
        Some(Parameter {
            name: name.to_owned(),
            place: place.to_owned(),
            required: required || place == "path",
            has_schema,
            class,
            span: node.span(),
        })
    }
    fn check_path_parameters(&mut self, path: &str, span: &Span, parameters: &[Parameter]) {
        let variables = variables(path);
        for variable in &variables {
            if !parameters.iter().any(|p| p.place == "path" && p.name == *variable) {
                let message = format!("path parameter {} is not declared", quoted(variable));
                let hint = format!("expected a parameter with `in: path` and `name: {variable}`");
                self.tell_at(Severity::High, span.clone(), message, &hint);
            }
        }
        for parameter in
            parameters.iter().filter(|p| p.place == "path" && !variables.contains(&p.name.as_str()))
        {
            let message =
                format!("path parameter {} is not in the path {}", quoted(&parameter.name), quoted(path));
            self.tell_at(Severity::Medium, parameter.span.clone(), message, "");
        }
    }

    fn request(&mut self, method: &str, operation: Node<'t>) -> Vec<BodySchema> {
        let Some(told) = operation.get("requestBody") else { return Vec::new() };
        let Some(node) = self.schemas.resolver.resolve(told) else { return Vec::new() };
        if matches!(method, "get" | "head" | "delete" | "trace") {
            let message = format!("`{method}` has a request body");
            self.tell(Severity::Low, Some(told), message, "intermediaries may drop it or refuse it");
        }
        if node.get("content").is_none() {
            self.tell(
                Severity::Medium,
                Some(node),
                "a request body without `content`",
                "expected its media types",
            );
        }
        self.bodies(node)
    }

    fn responses(&mut self, operation: Node<'t>, span: &Span) -> Vec<ResponseSchema> {
        let Some(given) = operation.get("responses").filter(|node| !node.is_null()) else {
            let severity = if self.is_3_1 { Severity::Medium } else { Severity::High };
            self.tell_at(
                severity,
                span.clone(),
                "the operation has no `responses`",
                "expected at least one answer",
            );
            return Vec::new();
        };
        if !given.is_mapping() {
            let message = format!("`responses` is {}", given.value().kind());
            self.tell(Severity::High, Some(given), message, "expected a mapping of statuses");
            return Vec::new();
        }
        if given.entries().len() > MAX_RESPONSES {
            let message = format!("more than {MAX_RESPONSES} answers; the rest is not read");
            self.tell(Severity::High, Some(given), message, "");
        }
        let mut list = Vec::new();
        for entry in given.entries().take(MAX_RESPONSES).filter(|entry| !entry.key().starts_with("x-")) {
            let status = entry.key();
            if !is_status(status) {
                let message = format!("{} is no status", quoted(status));
                let hint = "expected one such as `200`, `4XX` or `default`";
                self.tell_at(Severity::Medium, entry.key_span(), message, hint);
                continue;
            }
            let Some(node) = self.schemas.resolver.resolve(entry.value()) else { continue };
            if node.get("description").is_none() {
                let message = format!("answer {} has no `description`", quoted(status));
                self.tell_at(Severity::Low, entry.key_span(), message, "");
            }
            list.push(ResponseSchema { status: status.to_owned(), bodies: self.bodies(node) });
        }
        if list.is_empty() {
            self.tell(Severity::Medium, Some(given), "`responses` is empty", "expected at least one answer");
        }
        list
    }

    /// The media types of a body.
    fn bodies(&mut self, holder: Node<'t>) -> Vec<BodySchema> {
        let Some(content) = holder.get("content") else { return Vec::new() };
        if content.entries().len() > MAX_MEDIA_TYPES {
            let message = format!("more than {MAX_MEDIA_TYPES} media types; the rest is not read");
            self.tell(Severity::High, Some(content), message, "");
        }
        self.charge(1 + content.entries().len().min(MAX_MEDIA_TYPES));
        let mut list: Vec<BodySchema> = Vec::new();
        for entry in content.entries().take(MAX_MEDIA_TYPES).filter(|entry| !entry.key().starts_with("x-")) {
            let media_type = entry.key().split(';').next().unwrap_or_default().trim();
            let media_type: String =
                media_type.chars().take(MAX_TEXT).collect::<String>().to_ascii_lowercase();
            let body = self.schemas.body(entry.value().get("schema"), self.diagnostics);
            list.push(BodySchema {
                media_type,
                has_schema: body.has_schema,
                open: body.open,
                open_at: body.open_at,
                fields: body.fields,
            });
        }
        list
    }
}

/// The names in braces.
fn variables(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = path.split(['?', '#']).next().unwrap_or_default();
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        if !names.contains(&name) {
            names.push(name);
        }
        rest = tail;
    }
    names
}

fn is_status(status: &str) -> bool {
    match status.as_bytes() {
        [b'1'..=b'5', a, b] => {
            (a.is_ascii_digit() && b.is_ascii_digit()) || matches!((a, b), (b'X', b'X') | (b'x', b'x'))
        }
        b"default" => true,
        _ => false,
    }
}
