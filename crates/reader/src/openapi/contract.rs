//! What an operation's calls and answers must look like, whole: parameters with their style, bodies by media type,
//! answers by status, and the schemas behind them as JSON Schema 2020-12.
//!
//! Each schema that something refers to becomes one row of the specification's table, written once; a reference is
//! `#/$defs/ROW`, so that circles stay references. OpenAPI 3.0's dialect (`nullable`, boolean exclusive bounds,
//! siblings of `$ref` without meaning) is translated; annotations are left out. A schema that cannot be followed keeps
//! its reference as it stands, which the judge tells as undecidable.
//!
//! More lenient than the letter: `nullable` beside `$ref` or `allOf`, or with an `enum` without null, admits null, as
//! most who write it mean; values of a string's `enum` are strings though YAML reads them as numbers.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use probity_model::bundle::contract::{
    EncodingContract, MediaContract, OperationContract, ParameterContract, ParameterPlace, ParameterStyle,
    RequestContract, ResponseContract, SchemaTable,
};
use probity_model::specification::SecurityNeed;

use super::document::Reader;
use super::reference::{Key, Resolver, key};
use super::{MAX_TEXT, short};
use crate::yaml::{Node, Value};

/// Bytes of all schemas of one specification.
pub const MAX_TABLE_BYTES: usize = 64 * 1024 * 1024;
/// Schemas of one specification.
pub const MAX_ROWS: usize = 500_000;
/// Schemas inside schemas, without references.
const MAX_DEPTH: u32 = 60;
const MAX_PARAMETERS: usize = 500;
const MAX_MEDIA_TYPES: usize = 200;
const MAX_RESPONSES: usize = 100;
/// Subtypes that a discriminator's base is looked through for.
const MAX_SUBTYPES: usize = 1_000;
/// A schema that cannot be judged.
const UNDECIDABLE: &str = "{\"$dynamicRef\":\"\"}";

/// Rows that were read so far.
#[derive(Default)]
pub(super) struct Contracts<'t> {
    rows: Vec<Arc<str>>,
    bytes: usize,
    named: HashMap<Key, u32>,
    texts: HashMap<Arc<str>, u32>,
    /// Rows that are still to be written.
    open: Vec<(u32, Node<'t>)>,
    /// By schema, those that build on it by `allOf`, with their names.
    subtypes: Option<HashMap<Key, Vec<(&'t str, Node<'t>)>>>,
    /// Something was left out.
    pub(super) cut: bool,
}

impl Contracts<'_> {
    pub(super) fn into_table(self) -> SchemaTable {
        SchemaTable(self.rows.into())
    }
}

impl<'t> Reader<'t, '_> {
    /// `None` when a part of it leads nowhere.
    pub(super) fn contract(
        &mut self,
        item: Node<'t>,
        operation: Node<'t>,
        security: &SecurityNeed,
    ) -> Option<Arc<OperationContract>> {
        let mut contracts = std::mem::take(&mut self.contracts);
        let mut writer = Writer {
            contracts: &mut contracts,
            resolver: &self.schemas.resolver,
            root: self.root,
            is_3_1: self.is_3_1,
        };
        let mut contract = writer.operation(item, operation);
        writer.drain();
        self.contracts = contracts;
        // A credential in the query is a declared parameter, judged by who proves callers.
        if let (Some(contract), SecurityNeed::Required(alternatives)) = (&mut contract, security) {
            let needs = alternatives.iter().flatten().map(|(name, _)| name);
            let schemes =
                needs.filter_map(|name| self.schemes.list.iter().find(|scheme| scheme.name == *name));
            let in_query = schemes.filter(|scheme| scheme.kind == "apiKey" && scheme.detail == "query");
            for name in in_query.filter_map(|scheme| scheme.parameter.as_ref()) {
                let is_known =
                    |known: &ParameterContract| known.place == ParameterPlace::Query && known.name == *name;
                if !contract.parameters.iter().any(is_known) {
                    contract.parameters.push(credential(name));
                }
            }
        }
        contract.map(Arc::new)
    }
}

struct Writer<'w, 't> {
    contracts: &'w mut Contracts<'t>,
    resolver: &'w Resolver<'t>,
    root: Option<Node<'t>>,
    is_3_1: bool,
}

impl<'t> Writer<'_, 't> {
    fn operation(&mut self, item: Node<'t>, operation: Node<'t>) -> Option<OperationContract> {
        let mut parameters: Vec<ParameterContract> = Vec::new();
        for holder in [item, operation] {
            let own = holder.get("parameters").into_iter().flat_map(Node::items).take(MAX_PARAMETERS);
            let first_of_own = parameters.len();
            for told in own {
                let Some(parameter) = self.parameter(self.resolver.resolve(told)?) else { continue };
                let same = |known: &ParameterContract| {
                    known.name == parameter.name && known.place == parameter.place
                };
                match parameters.iter().position(same) {
                    // The first of two in one list counts.
                    Some(known) if known >= first_of_own => {}
                    Some(known) => {
                        parameters.get_mut(known).into_iter().for_each(|known| *known = parameter.clone())
                    }
                    None => parameters.push(parameter),
                }
            }
        }
        parameters.retain(|parameter| {
            parameter.place != ParameterPlace::Header
                || !["accept", "content-type", "authorization"]
                    .iter()
                    .any(|name| parameter.name.eq_ignore_ascii_case(name))
        });
        let request = match operation.get("requestBody").filter(|body| !body.is_null()) {
            Some(told) => {
                let body = self.resolver.resolve(told)?;
                let required = body.get("required").and_then(Node::as_bool).unwrap_or(false);
                Some(RequestContract { required, content: self.content(body) })
            }
            None => None,
        };
        let mut responses = Vec::new();
        for entry in operation.get("responses").into_iter().flat_map(Node::entries).take(MAX_RESPONSES) {
            if entry.key().starts_with("x-") {
                continue;
            }
            let response = self.resolver.resolve(entry.value())?;
            let status = entry.key().chars().take(MAX_TEXT).collect();
            responses.push(ResponseContract { status, content: self.content(response) });
        }
        Some(OperationContract { parameters, request, responses })
    }

    fn parameter(&mut self, node: Node<'t>) -> Option<ParameterContract> {
        let name = node.get("name").and_then(Node::text).filter(|name| name.len() <= MAX_TEXT)?;
        let place = match node.get("in").and_then(Node::text)? {
            "path" => ParameterPlace::Path,
            "query" => ParameterPlace::Query,
            "header" => ParameterPlace::Header,
            "cookie" => ParameterPlace::Cookie,
            _ => return None,
        };
        let flag = |key: &str| node.get(key).and_then(Node::as_bool);
        let style = style_of(node.get("style").and_then(Node::text), place);
        let content = node.get("content").and_then(|content| content.entries().next());
        let schema = match content {
            Some(content) => content.value().get("schema"),
            None => node.get("schema"),
        };
        Some(ParameterContract {
            name: name.to_owned(),
            place,
            required: flag("required").unwrap_or(false) || place == ParameterPlace::Path,
            style,
            explode: flag("explode").unwrap_or(style == ParameterStyle::Form),
            allow_reserved: flag("allowReserved").unwrap_or(false),
            allow_empty: flag("allowEmptyValue").unwrap_or(false),
            content: content.map(|content| media_type(content.key())),
            schema: schema.map(|schema| self.row(schema)),
        })
    }

    fn content(&mut self, holder: Node<'t>) -> Vec<MediaContract> {
        let entries = holder.get("content").into_iter().flat_map(Node::entries).take(MAX_MEDIA_TYPES);
        let entries = entries.filter(|entry| !entry.key().starts_with("x-"));
        entries
            .map(|entry| {
                let media = self.resolver.resolve(entry.value()).unwrap_or(entry.value());
                MediaContract {
                    media_type: media_type(entry.key()),
                    schema: media.get("schema").map(|schema| self.row(schema)),
                    encoding: encodings(media),
                }
            })
            .collect()
    }

    /// The row of a schema that stands in an operation.
    fn row(&mut self, schema: Node<'t>) -> u32 {
        if let Some(target) = self.target(schema)
            && schema.entries().len() == 1
        {
            return self.named(target);
        }
        let mut text = String::new();
        self.write(&mut text, schema, 0);
        if let Some(row) = self.contracts.texts.get(text.as_str()) {
            return *row;
        }
        let text: Arc<str> = text.into();
        let row = self.next();
        self.put(row, Arc::clone(&text));
        self.contracts.texts.insert(text, row);
        row
    }
    fn next(&mut self) -> u32 {
        let row = self.contracts.rows.len();
        self.contracts.rows.push(UNDECIDABLE.into());
        u32::try_from(row).unwrap_or(u32::MAX)
    }
    fn put(&mut self, row: u32, text: Arc<str>) {
        self.contracts.bytes += text.len();
        if self.contracts.bytes > MAX_TABLE_BYTES || row as usize >= MAX_ROWS {
            self.contracts.cut = true;
            return;
        }
        if let Some(place) = self.contracts.rows.get_mut(row as usize) {
            *place = text;
        }
    }
    /// The row of a schema that is referred to.
    fn named(&mut self, target: Node<'t>) -> u32 {
        let known = key(target);
        if let Some(row) = self.contracts.named.get(&known) {
            return *row;
        }
        let row = self.next();
        self.contracts.named.insert(known, row);
        self.contracts.open.push((row, target));
        row
    }
    /// Writes the rows that references have asked for.
    fn drain(&mut self) {
        while let Some((row, node)) = self.contracts.open.pop() {
            if self.contracts.cut {
                continue;
            }
            let mut text = String::new();
            self.write(&mut text, node, 0);
            self.put(row, text.into());
        }
    }
    fn target(&self, schema: Node<'t>) -> Option<Node<'t>> {
        let reference = schema.get("$ref")?;
        self.resolver.target(reference, reference.text()?)
    }

    fn write(&mut self, out: &mut String, schema: Node<'t>, depth: u32) {
        if depth > MAX_DEPTH {
            out.push_str(UNDECIDABLE);
            return;
        }
        match schema.value() {
            Value::Mapping(_) => self.mapping(out, schema, depth),
            Value::Bool(false) => out.push_str("false"),
            Value::Bool(true) | Value::Null => out.push_str("true"),
            _ => out.push_str(UNDECIDABLE),
        }
    }

    fn mapping(&mut self, out: &mut String, schema: Node<'t>, depth: u32) {
        let flag = |key: &str| schema.get(key).and_then(Node::as_bool) == Some(true);
        let nullable = !self.is_3_1 && flag("nullable");
        let plain_reference = !self.is_3_1 && schema.get("$ref").is_some();
        // `nullable` joins the type where there is one; elsewhere null is an alternative.
        let typed = schema.get("type").is_some_and(|kind| kind.text().is_some());
        let mixed = ["allOf", "anyOf", "oneOf", "not"].iter().any(|key| schema.get(key).is_some());
        let wraps = nullable
            && (plain_reference || !typed || mixed)
            && (plain_reference || schema.entries().len() > 1);
        let mut object = Object::open(out);
        for (flagged, key) in [
            (self.is_marked(schema, "readOnly"), "readOnly"),
            (self.is_marked(schema, "writeOnly"), "writeOnly"),
        ] {
            if flagged {
                object.key(key).push_str("true");
            }
        }
        if wraps {
            object.key("anyOf").push_str("[{\"type\":\"null\"},");
            {
                let mut inner = Object::open(object.out);
                self.keywords(&mut inner, schema, plain_reference, false, depth);
                inner.close();
            }
            object.out.push(']');
        } else {
            self.keywords(&mut object, schema, plain_reference, nullable, depth);
        }
        object.close();
    }

    /// The flag itself, or that of what the schema refers to.
    fn is_marked(&self, schema: Node<'t>, flag: &str) -> bool {
        let on = |node: Node<'t>| node.get(flag).and_then(Node::as_bool) == Some(true);
        on(schema) || self.resolver.resolve(schema).is_some_and(on)
    }

    fn keywords(
        &mut self,
        out: &mut Object<'_>,
        schema: Node<'t>,
        only_reference: bool,
        nullable: bool,
        depth: u32,
    ) {
        if let Some(reference) = schema.get("$ref").and_then(Node::text) {
            match self.target(schema) {
                Some(target) => {
                    let row = self.named(target);
                    let _ = write!(out.key("$ref"), "\"#/$defs/{row}\"");
                }
                None => string(out.key("$ref"), reference),
            }
        }
        if only_reference {
            return;
        }
        let is_string = schema.get("type").and_then(Node::text) == Some("string");
        for entry in schema.entries() {
            let (key, value) = (entry.key(), entry.value());
            match key {
                "type" => {
                    let text = out.key(key);
                    if value.is_sequence() {
                        list(text, value.items(), |text, item| string(text, type_name(item)));
                    } else if nullable {
                        text.push('[');
                        string(text, type_name(value));
                        text.push_str(",\"null\"]");
                    } else {
                        string(text, type_name(value));
                    }
                }
                "enum" => {
                    let text = out.key(key);
                    let has_null = value.items().any(Node::is_null);
                    list(text, value.items(), |text, item| match item.text().filter(|_| is_string) {
                        Some(words) => string(text, words),
                        None => literal(text, item, 0),
                    });
                    if nullable && !has_null && text.ends_with(']') {
                        text.pop();
                        text.push_str(if value.items().len() == 0 { "null]" } else { ",null]" });
                    }
                }
                "const" => match value.text().filter(|_| is_string) {
                    Some(words) => string(out.key(key), words),
                    None => literal(out.key(key), value, 0),
                },
                "required" => list(out.key(key), value.items(), |text, item| {
                    string(text, item.text().unwrap_or_default());
                }),
                "pattern" | "format" | "$dynamicRef" | "$recursiveRef" => {
                    if let Some(words) = value.text() {
                        string(out.key(key), words);
                    }
                }
                "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
                | "minContains" | "maxContains" | "multipleOf" | "uniqueItems" => {
                    literal(out.key(key), value, 0)
                }
                "minimum" | "maximum" => {
                    let exclusive = if key == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
                    let strict = schema.get(exclusive).and_then(Node::as_bool) == Some(true);
                    literal(out.key(if strict { exclusive } else { key }), value, 0);
                }
                // As a boolean it was said with the bound.
                "exclusiveMinimum" | "exclusiveMaximum" if value.as_bool().is_none() => {
                    literal(out.key(key), value, 0)
                }
                "items"
                | "contains"
                | "not"
                | "if"
                | "then"
                | "else"
                | "additionalProperties"
                | "propertyNames"
                | "unevaluatedItems"
                | "unevaluatedProperties" => {
                    self.write(out.key(key), value, depth + 1);
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                    list(out.key(key), value.items(), |text, item| self.write(text, item, depth + 1));
                }
                "properties" | "patternProperties" | "dependentSchemas" => {
                    let mut inner = Object::open(out.key(key));
                    for entry in value.entries() {
                        self.write(inner.key(entry.key()), entry.value(), depth + 1);
                    }
                    inner.close();
                }
                "dependentRequired" => literal(out.key(key), value, 0),
                "discriminator" => self.discriminator(out, schema, value),
                _ => {}
            }
        }
    }

    fn discriminator(&mut self, out: &mut Object<'_>, schema: Node<'t>, given: Node<'t>) {
        let Some(property) = given.get("propertyName").and_then(Node::text) else { return };
        let mut mapping: Vec<(&'t str, Option<u32>)> = Vec::new();
        for entry in given.get("mapping").into_iter().flat_map(Node::entries) {
            let target = entry.value().text().and_then(|text| {
                let by_name = || {
                    let schemas = self.root?.get("components")?.get("schemas")?;
                    schemas.get(text)
                };
                by_name().or_else(|| self.resolver.target(entry.value(), text))
            });
            mapping.push((entry.key(), target.map(|target| self.named(target))));
        }
        // Without a mapping, and beside it, schemas go by their names.
        let alternatives =
            ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)).flat_map(Node::items);
        let mut named: Vec<(&'t str, Node<'t>)> = Vec::new();
        let mut any = false;
        for alternative in alternatives {
            any = true;
            let Some(text) = alternative.get("$ref").and_then(Node::text) else { continue };
            if let (Some(name), Some(target)) = (text.rsplit('/').next(), self.target(alternative)) {
                named.push((name, target));
            }
        }
        if !any {
            named = self.subtypes(schema);
        }
        for (name, target) in named {
            if !mapping.iter().any(|(known, _)| *known == name) {
                mapping.push((name, Some(self.named(target))));
            }
        }
        let mut object = Object::open(out.key("discriminator"));
        string(object.key("propertyName"), property);
        let mut inner = Object::open(object.key("mapping"));
        for (name, row) in mapping {
            let text = inner.key(name);
            match row {
                Some(row) => {
                    let _ = write!(text, "\"#/$defs/{row}\"");
                }
                None => text.push_str("\"\""),
            }
        }
        inner.close();
        object.close();
    }

    /// The named schemas that build on `base`, directly or not.
    fn subtypes(&mut self, base: Node<'t>) -> Vec<(&'t str, Node<'t>)> {
        if self.contracts.subtypes.is_none() {
            let mut found: HashMap<Key, Vec<(&'t str, Node<'t>)>> = HashMap::new();
            let schemas = self.root.and_then(|root| root.get("components")?.get("schemas"));
            for entry in schemas.into_iter().flat_map(Node::entries) {
                for part in entry.value().get("allOf").into_iter().flat_map(Node::items) {
                    if let Some(parent) = self.target(part) {
                        found.entry(key(parent)).or_default().push((entry.key(), entry.value()));
                    }
                }
            }
            self.contracts.subtypes = Some(found);
        }
        let Some(known) = &self.contracts.subtypes else { return Vec::new() };
        let mut out: Vec<(&'t str, Node<'t>)> = Vec::new();
        let mut todo = vec![key(base)];
        while let Some(parent) = todo.pop() {
            for (name, node) in known.get(&parent).into_iter().flatten() {
                if out.len() < MAX_SUBTYPES && !out.iter().any(|(other, _)| other == name) {
                    out.push((name, *node));
                    todo.push(key(*node));
                }
            }
        }
        out
    }
}

fn credential(name: &str) -> ParameterContract {
    ParameterContract {
        name: name.to_owned(),
        place: ParameterPlace::Query,
        required: false,
        style: ParameterStyle::Form,
        explode: true,
        allow_reserved: false,
        allow_empty: true,
        content: None,
        schema: None,
    }
}

fn media_type(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.chars().take(MAX_TEXT).collect::<String>().to_ascii_lowercase()
}

fn style_of(text: Option<&str>, place: ParameterPlace) -> ParameterStyle {
    use ParameterPlace::{Cookie, Header, Path, Query};
    match (text, place) {
        (Some("label"), Path) => ParameterStyle::Label,
        (Some("matrix"), Path) => ParameterStyle::Matrix,
        (Some("spaceDelimited"), Query) => ParameterStyle::SpaceDelimited,
        (Some("pipeDelimited"), Query) => ParameterStyle::PipeDelimited,
        (Some("deepObject"), Query) => ParameterStyle::DeepObject,
        (_, Path | Header) => ParameterStyle::Simple,
        (_, Query | Cookie) => ParameterStyle::Form,
    }
}

fn encodings(media: Node<'_>) -> Vec<EncodingContract> {
    let entries = media.get("encoding").into_iter().flat_map(Node::entries).take(MAX_PARAMETERS);
    let read = entries.map(|entry| {
        let node = entry.value();
        let style = style_of(node.get("style").and_then(Node::text), ParameterPlace::Query);
        let types = node.get("contentType").and_then(short).unwrap_or_default();
        EncodingContract {
            name: entry.key().chars().take(MAX_TEXT).collect(),
            content_types: types.split(',').map(media_type).filter(|name| !name.is_empty()).collect(),
            style,
            explode: node.get("explode").and_then(Node::as_bool).unwrap_or(style == ParameterStyle::Form),
        }
    });
    read.collect()
}

/// `type: null` without quotes is YAML's null.
fn type_name(node: Node<'_>) -> &str {
    node.text().unwrap_or(if node.is_null() { "null" } else { "" })
}

/// A JSON object that is being written.
struct Object<'o> {
    out: &'o mut String,
    first: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }
    /// Writes a key; the value is the caller's.
    fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        string(self.out, key);
        self.out.push(':');
        self.out
    }
    fn close(self) {
        self.out.push('}');
    }
}

fn string(out: &mut String, text: &str) {
    // A string always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn list<'t>(
    out: &mut String,
    items: impl Iterator<Item = Node<'t>>,
    mut write: impl FnMut(&mut String, Node<'t>),
) {
    out.push('[');
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// A value as JSON.
fn literal(out: &mut String, node: Node<'_>, depth: u32) {
    match node.value() {
        _ if depth > MAX_DEPTH => out.push_str("null"),
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Float(value) if value.is_finite() => {
            let _ = write!(out, "{value:?}");
        }
        Value::Float(_) => out.push_str("null"),
        Value::Text(text) => string(out, text),
        Value::Sequence(_) => list(out, node.items(), |out, item| literal(out, item, depth + 1)),
        Value::Mapping(_) => {
            let mut object = Object::open(out);
            for entry in node.entries() {
                literal(object.key(entry.key()), entry.value(), depth + 1);
            }
            object.close();
        }
    }
}
