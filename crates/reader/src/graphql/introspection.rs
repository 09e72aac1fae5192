//! The answer of an introspection query.

use probity_model::bundle::contract::{GraphqlArgument, GraphqlField, GraphqlKind, GraphqlSchema};
use serde_json::Value;

use super::{Collected, Fault, MAX_FIELDS};

/// Lists in lists.
const MAX_NESTING: u32 = 32;

pub(super) fn read(text: &str) -> Result<GraphqlSchema, Fault> {
    let document: Value = serde_json::from_str(text).map_err(|error| {
        let line: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        Fault {
            at: line + error.column().saturating_sub(1),
            message: format!("the file is no JSON: {error}"),
        }
    })?;
    let schema = [document.pointer("/data/__schema"), document.get("__schema")].into_iter().flatten().next();
    let schema = schema.ok_or_else(|| Fault { at: 0, message: "the file has no `__schema`".to_owned() })?;
    collect(schema).and_then(Collected::finish).map_err(|message| Fault { at: 0, message })
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().take(MAX_FIELDS)
}

fn collect(schema: &Value) -> Result<Collected, String> {
    let root = |key: &str| schema.get(key).and_then(|root| text(root, "name")).map(str::to_owned);
    let mut collected = Collected {
        query: root("queryType"),
        mutation: root("mutationType"),
        subscription: root("subscriptionType"),
        explicit: true,
        ..Collected::default()
    };
    for given in schema.get("types").and_then(Value::as_array).into_iter().flatten() {
        let name = text(given, "name").ok_or("a type has no name")?;
        // The types of introspection itself are no part of the service.
        if name.starts_with("__") {
            continue;
        }
        let kind = match text(given, "kind") {
            Some("SCALAR") => GraphqlKind::Scalar,
            Some("OBJECT") => GraphqlKind::Object,
            Some("INTERFACE") => GraphqlKind::Interface,
            Some("UNION") => GraphqlKind::Union,
            Some("ENUM") => GraphqlKind::Enum,
            Some("INPUT_OBJECT") => GraphqlKind::Input,
            _ => return Err(format!("type `{name}` has no kind that is known")),
        };
        let mut fields = Vec::new();
        for field in list(given, "fields") {
            let mut arguments = Vec::new();
            for argument in list(field, "args") {
                let (name, kind, defaulted) = input(argument)?;
                arguments.push(GraphqlArgument { name, kind, defaulted });
            }
            let (name, kind, _) = input(field)?;
            fields.push(GraphqlField { name, kind, arguments });
        }
        for field in list(given, "inputFields") {
            let (name, mut kind, defaulted) = input(field)?;
            if defaulted {
                kind.truncate(kind.strip_suffix('!').map_or(kind.len(), str::len));
            }
            fields.push(GraphqlField { name, kind, arguments: Vec::new() });
        }
        let known = collected.of(name, kind)?;
        known.fields = fields;
        known.values =
            list(given, "enumValues").filter_map(|value| text(value, "name")).map(str::to_owned).collect();
        known.members =
            list(given, "possibleTypes").filter_map(|value| text(value, "name")).map(str::to_owned).collect();
    }
    Ok(collected)
}

/// Name, type, and whether there is a default.
fn input(value: &Value) -> Result<(String, String, bool), String> {
    let name = text(value, "name").ok_or("a field has no name")?;
    let mut kind = String::new();
    let given = value.get("type").ok_or_else(|| format!("field `{name}` has no type"))?;
    write_kind(given, &mut kind, 0).ok_or_else(|| format!("field `{name}` has no type that is known"))?;
    Ok((name.to_owned(), kind, text(value, "defaultValue").is_some()))
}

fn write_kind(value: &Value, out: &mut String, depth: u32) -> Option<()> {
    if depth > MAX_NESTING {
        return None;
    }
    match text(value, "kind")? {
        "NON_NULL" => {
            write_kind(value.get("ofType")?, out, depth + 1)?;
            out.push('!');
        }
        "LIST" => {
            out.push('[');
            write_kind(value.get("ofType")?, out, depth + 1)?;
            out.push(']');
        }
        _ => out.push_str(text(value, "name")?),
    }
    Some(())
}
