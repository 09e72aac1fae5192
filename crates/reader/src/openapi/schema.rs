//! Schemas to flat fields: breadth first, so that where a bound cuts, the outer fields are there.
//!
//! `allOf` adds to its schema; `oneOf`, `anyOf`, `then` and `else` add what may be there, never what must. A
//! reference is read with what stands beside it. A schema inside itself is named and not entered again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use probity_model::specification::SchemaField;
use probity_model::{DataClass, Severity, Span};

use super::reference::{Key, Resolver, key};
use super::{
    MAX_BODY_FIELDS, MAX_BODY_SCHEMAS, MAX_FIELD_DEPTH, MAX_FIELDS, MAX_POINTER, MAX_SCHEMAS, MAX_TEXT, class,
};
use crate::diagnostics::{Diagnostics, one_of, quoted};
use crate::yaml::{EntryNode, Node, Value, escape};

/// Compositions inside compositions.
const MAX_COMPOSITION: usize = 40;
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// What a body's schema says.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) has_schema: bool,
    pub(super) open: bool,
    pub(super) open_at: Option<Span>,
    pub(super) fields: Vec<SchemaField>,
}

pub(super) struct Schemas<'t> {
    pub(super) resolver: Resolver<'t>,
    /// `type` may be a list, and `null` a type.
    json_schema: bool,
    /// Bodies already read, by their schema.
    known: HashMap<Key, Body>,
    per_body: usize,
    fields: usize,
    /// Schemas that may still be looked at.
    budget: usize,
    /// Bodies whose fields were cut.
    pub(super) cut: usize,
}

/// What one schema and everything composed into it say.
#[derive(Default)]
struct Facets<'t> {
    types: Vec<&'t str>,
    format: Option<&'t str>,
    class: Option<&'t str>,
    read_only: bool,
    write_only: bool,
    properties: Vec<Property<'t>>,
    index: HashMap<&'t str, usize>,
    required: HashSet<&'t str>,
    items: Vec<Node<'t>>,
    additional: Vec<Node<'t>>,
    closed: bool,
    /// Where it is said in words that any member may be there.
    open_at: Option<Span>,
    seen: HashSet<Key>,
}

struct Property<'t> {
    entry: EntryNode<'t>,
    schemas: Vec<Node<'t>>,
}

/// A field still to be entered.
struct Open<'t> {
    pointer: String,
    facets: Facets<'t>,
    depth: usize,
    inside: Rc<Inside>,
}

/// The schemas that a field stands in.
struct Inside {
    schemas: Vec<Key>,
    outer: Option<Rc<Inside>>,
}

impl Inside {
    fn holds(&self, schema: Key) -> bool {
        let mut next = Some(self);
        while let Some(inside) = next {
            if inside.schemas.contains(&schema) {
                return true;
            }
            next = inside.outer.as_deref();
        }
        false
    }
}

impl<'t> Schemas<'t> {
    /// `bodies` is about how many bodies will be read: many share the bound on all fields.
    pub(super) fn new(resolver: Resolver<'t>, json_schema: bool, bodies: usize) -> Self {
        let per_body = (MAX_FIELDS / 2 / bodies.max(1)).clamp(32, MAX_BODY_FIELDS);
        Self {
            resolver,
            json_schema,
            known: HashMap::new(),
            per_body,
            fields: 0,
            budget: MAX_SCHEMAS,
            cut: 0,
        }
    }

    pub(super) fn body(&mut self, schema: Option<Node<'t>>, diagnostics: &mut Diagnostics) -> Body {
        let Some(schema) = schema else { return Body { open: true, ..Body::default() } };
        // Only what is named is likely to come again; what stands beside a reference may add to it.
        let named = schema.get("$ref").is_some() && schema.entries().len() == 1;
        let known = key(self.resolver.resolve(schema).unwrap_or(schema));
        if let Some(body) = self.known.get(&known).filter(|_| named) {
            let body = if self.fields + body.fields.len() > MAX_FIELDS {
                self.cut += 1;
                Body { fields: Vec::new(), ..body.clone() }
            } else {
                body.clone()
            };
            self.fields += body.fields.len();
            return body;
        }
        let body = self.read_body(schema, diagnostics);
        self.fields += body.fields.len();
        if named {
            self.known.insert(known, body.clone());
        }
        body
    }

    fn read_body(&mut self, schema: Node<'t>, diagnostics: &mut Diagnostics) -> Body {
        let granted = MAX_BODY_SCHEMAS.min(self.budget);
        let mut budget = granted;
        let facets = self.facets(&[schema], &mut budget, diagnostics);
        let (open, open_at) = self.is_open(&facets, &mut budget, diagnostics);
        let limit = self.per_body.min(MAX_FIELDS.saturating_sub(self.fields));
        let mut fields = Vec::new();
        let kind = facets.kind();
        if !matches!(kind, "object" | "array" | "") && limit > 0 {
            fields.push(facets.field(String::new(), "", false, schema.span()));
        }
        let inside = Rc::new(Inside { schemas: self.keys(&[schema]), outer: None });
        let mut todo = VecDeque::from([Open { pointer: String::new(), facets, depth: 0, inside }]);
        let mut cut = false;
        while let Some(open) = todo.pop_front() {
            let list = Rc::new(open.inside);
            for (name, pointer, required, schemas, span) in children(&open.pointer, &open.facets) {
                if fields.len() >= limit || budget == 0 {
                    cut = true;
                    break;
                }
                if pointer.len() > MAX_POINTER {
                    cut = true;
                    continue;
                }
                let facets = self.facets(&schemas, &mut budget, diagnostics);
                fields.push(facets.field(pointer.clone(), name, required, span));
                let keys = self.keys(&schemas);
                let nested = !facets.properties.is_empty()
                    || !facets.items.is_empty()
                    || !facets.additional.is_empty();
                if !nested || keys.iter().any(|key| list.holds(*key)) {
                    continue;
                }
                if open.depth + 1 >= MAX_FIELD_DEPTH {
                    cut = true;
                    continue;
                }
                let inside = Rc::new(Inside { schemas: keys, outer: Some(Rc::clone(&list)) });
                todo.push_back(Open { pointer, facets, depth: open.depth + 1, inside });
            }
        }
        self.cut += usize::from(cut || budget == 0);
        self.budget -= granted - budget;
        Body { has_schema: says_something(schema), open, open_at, fields }
    }

    fn keys(&self, schemas: &[Node<'t>]) -> Vec<Key> {
        schemas.iter().map(|schema| key(self.resolver.resolve(*schema).unwrap_or(*schema))).collect()
    }

    /// Type, format and class of one schema: for parameters.
    pub(super) fn single(
        &mut self,
        name: &str,
        schema: Node<'t>,
        diagnostics: &mut Diagnostics,
    ) -> (bool, Option<DataClass>) {
        let granted = MAX_BODY_SCHEMAS.min(self.budget);
        let mut budget = granted;
        let facets = self.facets(&[schema], &mut budget, diagnostics);
        self.budget -= granted - budget;
        (says_something(schema), facets.class_of(name))
    }

    /// Whether properties that are not declared may be there, and where that is said; for a list, in its items.
    fn is_open(
        &self,
        facets: &Facets<'t>,
        budget: &mut usize,
        diagnostics: &mut Diagnostics,
    ) -> (bool, Option<Span>) {
        let of_object = |facets: &Facets<'t>| {
            (
                !facets.closed,
                facets.open_at.clone().filter(|_| !facets.closed && !facets.properties.is_empty()),
            )
        };
        match facets.kind() {
            "object" | "" => of_object(facets),
            "array" if !facets.items.is_empty() => {
                let items = self.facets(&facets.items, budget, diagnostics);
                match items.kind() {
                    "object" | "" => of_object(&items),
                    kind => (kind == "array", None),
                }
            }
            kind => (kind == "array", None),
        }
    }

    fn facets(&self, schemas: &[Node<'t>], budget: &mut usize, diagnostics: &mut Diagnostics) -> Facets<'t> {
        let mut facets = Facets::default();
        let maybe = schemas.len() > 1;
        for schema in schemas {
            self.collect(*schema, maybe, 0, &mut facets, budget, diagnostics);
        }
        facets
    }

    /// Adds what `node` says. `maybe`: it holds for some values only, so that nothing in it is required.
    fn collect(
        &self,
        node: Node<'t>,
        maybe: bool,
        depth: usize,
        facets: &mut Facets<'t>,
        budget: &mut usize,
        diagnostics: &mut Diagnostics,
    ) {
        if *budget == 0 || depth > MAX_COMPOSITION || !node.is_mapping() || !facets.seen.insert(key(node)) {
            return;
        }
        // A schema with many parts is as dear as many schemas.
        let parts =
            |key: &str| node.get(key).map_or(0, |parts| parts.entries().len().max(parts.items().len()));
        let price = 1 + ["properties", "required", "items", "enum", "patternProperties"]
            .map(parts)
            .iter()
            .sum::<usize>();
        *budget = budget.saturating_sub(price);
        let mut composed: Vec<(Node<'t>, bool)> = Vec::new();
        for entry in node.entries() {
            let value = entry.value();
            match entry.key() {
                "$ref" => {
                    let target = value.text().and_then(|text| self.resolver.target(value, text));
                    composed.extend(target.map(|target| (target, maybe)));
                }
                "type" => self.types(value, facets, diagnostics),
                "format" => {
                    facets.format = facets.format.or(value.text()).filter(|text| text.len() <= MAX_TEXT)
                }
                "x-data-class" => {
                    let class = if value.is_sequence() { value.items().next() } else { Some(value) };
                    facets.class =
                        facets.class.or(class.and_then(Node::text)).filter(|text| text.len() <= MAX_TEXT);
                }
                "readOnly" => facets.read_only |= value.as_bool() == Some(true),
                "writeOnly" => facets.write_only |= value.as_bool() == Some(true),
                "properties" => {
                    if !value.is_mapping() {
                        let message = format!("`properties` is {}", value.value().kind());
                        let hint = "expected a mapping of names to schemas".to_owned();
                        diagnostics.push_at(Severity::High, value.span(), message, Some(hint));
                    }
                    value.entries().for_each(|property| facets.property(property));
                }
                "required" if !maybe => facets.required.extend(value.items().filter_map(Node::text)),
                "items" => {
                    if value.is_sequence() {
                        facets.items.extend(value.items());
                    } else {
                        facets.items.push(value);
                    }
                }
                "prefixItems" => facets.items.extend(value.items()),
                "additionalProperties" | "unevaluatedProperties" => match value.value() {
                    Value::Bool(false) => facets.closed |= !maybe,
                    Value::Bool(true) => {
                        facets.open_at.get_or_insert_with(|| value.span());
                    }
                    Value::Mapping(1..) => facets.additional.push(value),
                    _ => {}
                },
                "patternProperties" => facets.additional.extend(value.entries().map(EntryNode::value)),
                "allOf" => composed.extend(value.items().map(|part| (part, maybe))),
                "oneOf" | "anyOf" => {
                    let is_null = |part: &Node<'t>| part.get("type").and_then(Node::text) == Some("null");
                    let parts: Vec<Node<'t>> = value.items().filter(|part| !is_null(part)).collect();
                    let maybe = maybe || parts.len() > 1;
                    composed.extend(parts.into_iter().map(|part| (part, maybe)));
                }
                "then" | "else" => composed.push((value, true)),
                "enum" => facets.types_of_values(value.items()),
                "const" => facets.types_of_values(std::iter::once(value)),
                _ => {}
            }
        }
        for (part, maybe) in composed {
            self.collect(part, maybe, depth + 1, facets, budget, diagnostics);
        }
    }

    fn types(&self, value: Node<'t>, facets: &mut Facets<'t>, diagnostics: &mut Diagnostics) {
        if value.is_sequence() && !self.json_schema {
            let hint = "OpenAPI 3.0 has one type and `nullable`; lists of types begin with 3.1".to_owned();
            diagnostics.push_at(Severity::Medium, value.span(), "`type` is a list", Some(hint));
        }
        let list: Vec<Node<'t>> = if value.is_sequence() { value.items().collect() } else { vec![value] };
        for node in list {
            // `type: null` without quotes is YAML's null.
            let text = node.text().unwrap_or(if node.is_null() { "null" } else { "" });
            if !TYPES.contains(&text) {
                let message = format!("{} is no type", quoted(text));
                diagnostics.push_at(
                    Severity::Medium,
                    node.span(),
                    message,
                    Some(format!("expected {}", one_of(&TYPES))),
                );
            } else if text != "null" && !facets.types.contains(&text) {
                facets.types.push(text);
            }
        }
    }
}

type Child<'a, 't> = (&'a str, String, bool, Vec<Node<'t>>, Span);

/// Name, pointer, whether required, schemas and place of each field of an object or list.
fn children<'a, 't>(pointer: &'a str, facets: &'a Facets<'t>) -> impl Iterator<Item = Child<'a, 't>> {
    let named = facets.properties.iter().map(move |property| {
        let name = property.entry.key();
        let required = facets.required.contains(name);
        (
            name,
            format!("{pointer}/{}", escape(name)),
            required,
            property.schemas.clone(),
            property.entry.key_span(),
        )
    });
    // Items are called what their list is called.
    let name = pointer.rsplit('/').find(|part| *part != "*").unwrap_or_default();
    let star = [&facets.items, &facets.additional].into_iter().filter_map(move |schemas| {
        let first = schemas.first()?;
        Some((name, format!("{pointer}/*"), false, schemas.clone(), first.span()))
    });
    named.chain(star)
}

impl<'t> Facets<'t> {
    fn property(&mut self, entry: EntryNode<'t>) {
        match self.index.get(entry.key()).and_then(|index| self.properties.get_mut(*index)) {
            Some(property) => property.schemas.push(entry.value()),
            None => {
                self.index.insert(entry.key(), self.properties.len());
                self.properties.push(Property { entry, schemas: vec![entry.value()] });
            }
        }
    }
    /// An enumeration without a type still has one.
    fn types_of_values(&mut self, values: impl Iterator<Item = Node<'t>>) {
        let kinds: HashSet<&str> = values
            .filter_map(|value| match value.value() {
                Value::Text(_) => Some("string"),
                Value::Int(_) => Some("integer"),
                Value::Float(_) => Some("number"),
                Value::Bool(_) => Some("boolean"),
                _ => None,
            })
            .collect();
        if let (true, Some(kind)) = (self.types.is_empty() && kinds.len() == 1, kinds.into_iter().next()) {
            self.types.push(kind);
        }
    }
    /// The JSON type; empty when several are possible or none is said.
    fn kind(&self) -> &'static str {
        let has = |name: &str| self.types.contains(&name);
        let of = |name: &str| TYPES.iter().find(|known| **known == name).copied().unwrap_or_default();
        match self.types.as_slice() {
            [] if !self.properties.is_empty() || !self.additional.is_empty() => "object",
            [] if !self.items.is_empty() => "array",
            [one] => of(one),
            [_, _] if has("integer") && has("number") => "number",
            _ => "",
        }
    }
    fn class_of(&self, name: &str) -> Option<DataClass> {
        match self.class {
            Some("none") => None,
            Some(text) => Some(DataClass::parse(text)),
            None => class::of(name, self.format, self.kind()),
        }
    }
    fn field(&self, pointer: String, name: &str, required: bool, span: Span) -> SchemaField {
        SchemaField {
            pointer,
            kind: self.kind().to_owned(),
            format: self.format.map(str::to_owned),
            required,
            read_only: self.read_only,
            write_only: self.write_only,
            class: self.class_of(name),
            span,
        }
    }
}

/// The schema has at least a type, a reference or properties, itself or by composition.
fn says_something(schema: Node<'_>) -> bool {
    const WORDS: [&str; 12] = [
        "type",
        "$ref",
        "properties",
        "items",
        "prefixItems",
        "allOf",
        "oneOf",
        "anyOf",
        "enum",
        "const",
        "patternProperties",
        "additionalProperties",
    ];
    schema.entries().any(|entry| WORDS.contains(&entry.key()))
}
