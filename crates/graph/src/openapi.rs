//! What traffic shows of a service as an OpenAPI 3.1 document, for review: a beginning where no specification exists.
//!
//! It says what was seen and nothing more: templates, methods, names of query parameters and of answer fields, statuses
//! and content types. Types stand where structure or a class of data makes them sure; everything else is left open.
//! Nothing is required but path variables, and no object is closed. What it is not: a contract, until somebody read it
//! and put it among the service's `specifications`.

use std::collections::BTreeMap;

use probity_model::inventory::{Observed, Operation};
use probity_model::path::TemplateSegment;
use probity_model::{DataClass, ServiceId};
use serde_json::{Map, Value, json};

/// Nesting of a schema that is written.
const MAX_DEPTH: usize = 24;
const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

/// The document of those operations of a service that no specification has. `cut` is the prefix that the service's own
/// paths do not have. `None` when there is none.
pub fn learned<'o>(
    service: &ServiceId,
    operations: impl IntoIterator<Item = &'o Operation>,
    cut: &str,
) -> Option<Value> {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let Some(observed) = &operation.observed else { continue };
        let known = METHODS.contains(&&*operation.method);
        if operation.service != *service || operation.documented.is_some() || !known {
            continue;
        }
        let template = operation.template.as_str();
        let path = template.strip_prefix(cut).filter(|rest| rest.starts_with('/')).unwrap_or(template);
        let described = described(operation, observed);
        paths.entry(path.to_owned()).or_default().insert(operation.method.to_ascii_lowercase(), described);
    }
    if paths.is_empty() {
        return None;
    }
    Some(json!({
        "openapi": "3.1.0",
        "info": {
            "title": service.as_str(),
            "version": "learned",
            "description": "Learned from traffic. It says what was seen, not what is meant: review names, types and \
                what is required before it is enforced.",
        },
        "paths": paths,
    }))
}

fn described(operation: &Operation, observed: &Observed) -> Value {
    let mut out = Map::new();
    out.insert("x-calls-seen".to_owned(), observed.calls.into());
    let variables = operation.template.segments().filter_map(|segment| match segment {
        TemplateSegment::Variable(name) => Some(name),
        TemplateSegment::Literal(_) => None,
    });
    let mut parameters: Vec<Value> = variables
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    // A name in braces stands for one that was no name.
    let names = observed.query.iter().filter(|name| !name.is_empty() && !name.starts_with('{'));
    parameters.extend(names.map(|name| json!({"name": &**name, "in": "query", "schema": {}})));
    if !parameters.is_empty() {
        out.insert("parameters".to_owned(), parameters.into());
    }
    let sent: Map<String, Value> = observed
        .request_types
        .iter()
        .filter_map(|kind| media_type(kind))
        .map(|kind| (kind, json!({})))
        .collect();
    if !sent.is_empty() && !matches!(&*operation.method, "GET" | "HEAD" | "TRACE") {
        out.insert("requestBody".to_owned(), json!({"content": sent}));
    }
    let responses: Map<String, Value> = observed
        .statuses
        .keys()
        .filter(|status| (200..600).contains(*status))
        .map(|status| (status.to_string(), answer(*status, observed)))
        .collect();
    out.insert("responses".to_owned(), responses.into());
    out.into()
}

/// Bodies are remembered by the class of their status.
fn answer(status: u16, observed: &Observed) -> Value {
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    let of_class = |class: u8| u16::from(class) == status / 100;
    let bodiless = matches!(status, 204 | 205 | 304);
    for pattern in observed.patterns.iter().filter(|pattern| of_class(pattern.status_class) && !bodiless) {
        let Some(kind) = media_type(&pattern.content_type) else { continue };
        let shape = shapes.entry(kind).or_default();
        for field in &pattern.fields {
            shape.add(field);
        }
    }
    for class in observed.classes.iter().filter(|class| class.place == probity_model::Place::ResponseBody) {
        if let Some(kind) = type_of(&class.class) {
            for shape in shapes.values_mut() {
                shape.hint(&class.field, kind);
            }
        }
    }
    let mut out = Map::new();
    out.insert("description".to_owned(), "seen in traffic".into());
    if !shapes.is_empty() {
        let content: Map<String, Value> = shapes
            .into_iter()
            .map(|(kind, shape)| {
                let media = if shape.is_leaf() { json!({}) } else { json!({"schema": shape.schema(0)}) };
                (kind, media)
            })
            .collect();
        out.insert("content".to_owned(), content.into());
    }
    out.into()
}

/// Without parameters; `None` for what is no media type.
fn media_type(text: &str) -> Option<String> {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').filter(|(kind, rest)| !kind.is_empty() && !rest.is_empty())?;
    Some(essence)
}

/// Classes whose values are texts wherever they stand.
fn type_of(class: &DataClass) -> Option<&'static str> {
    matches!(
        class,
        DataClass::Email
            | DataClass::Iban
            | DataClass::PersonName
            | DataClass::PostalAddress
            | DataClass::Password
            | DataClass::PrivateKey
            | DataClass::IpAddress
    )
    .then_some("string")
}

/// Fields as a tree.
#[derive(Default)]
struct Shape {
    fields: BTreeMap<String, Shape>,
    items: Option<Box<Shape>>,
    /// Members were seen whose names were no names.
    mapped: bool,
    kind: Option<&'static str>,
}

impl Shape {
    fn is_leaf(&self) -> bool {
        self.fields.is_empty() && self.items.is_none() && !self.mapped
    }
    fn steps(pointer: &str) -> impl Iterator<Item = String> {
        let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
        pointer
            .split('/')
            .filter(|step| !step.is_empty())
            .take(MAX_DEPTH)
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
    }
    fn add(&mut self, pointer: &str) {
        let mut here = self;
        for step in Self::steps(pointer) {
            if step.starts_with('{') {
                here.mapped = true;
                return;
            }
            here = match step.as_str() {
                "*" => here.items.get_or_insert_default(),
                _ => here.fields.entry(step).or_default(),
            };
        }
    }
    /// Says the type of a field that is there already.
    fn hint(&mut self, pointer: &str, kind: &'static str) {
        let mut here = self;
        for step in Self::steps(pointer) {
            let next = if step == "*" { here.items.as_deref_mut() } else { here.fields.get_mut(&step) };
            let Some(next) = next else { return };
            here = next;
        }
        if here.is_leaf() {
            here.kind = Some(kind);
        }
    }
    fn schema(&self, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return json!({});
        }
        let object = !self.fields.is_empty() || self.mapped;
        let mut out = Map::new();
        match (object, &self.items) {
            // Both were seen at one place: neither is said.
            (true, Some(_)) => return json!({}),
            (true, None) => {
                out.insert("type".to_owned(), json!(["object", "null"]));
                let fields: Map<String, Value> =
                    self.fields.iter().map(|(name, shape)| (name.clone(), shape.schema(depth + 1))).collect();
                out.insert("properties".to_owned(), fields.into());
                if self.mapped {
                    out.insert("additionalProperties".to_owned(), true.into());
                }
            }
            (false, Some(items)) => {
                out.insert("type".to_owned(), json!(["array", "null"]));
                out.insert("items".to_owned(), items.schema(depth + 1));
            }
            (false, None) => {
                if let Some(kind) = self.kind {
                    out.insert("type".to_owned(), json!([kind, "null"]));
                }
            }
        }
        out.into()
    }
}
