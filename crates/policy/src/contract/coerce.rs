//! Text that has no types of its own, as in parameters and forms: what the schema makes of it.
//!
//! Text is written as JSON and judged as such, so that one judge is enough.

use probity_model::bundle::contract::BodyLimits;

use super::json::{Kind, Node, write_string};
use super::number::Number;
use super::schema::{Schema, Table, Types};
use super::validate::is_valid;

/// References and compositions followed.
const MAX_FOLLOWED: u32 = 16;

/// Every type that the schema can take.
pub(crate) fn types_of(table: &Table, schema: &Schema) -> Types {
    types_at(table, schema, 0)
}

fn types_at(table: &Table, schema: &Schema, depth: u32) -> Types {
    let mut types = schema.types;
    if depth > MAX_FOLLOWED {
        return types;
    }
    if let Some(row) = schema.reference {
        types = types.and(types_at(table, table.row(row), depth + 1));
    }
    if let Some(more) = schema.more.as_deref() {
        for part in &more.all_of {
            types = types.and(types_at(table, part, depth + 1));
        }
        for list in [&more.any_of, &more.one_of] {
            if !list.is_empty() {
                let any =
                    list.iter().fold(Types::none(), |any, part| any.or(types_at(table, part, depth + 1)));
                types = types.and(any);
            }
        }
    }
    if types.is_any() {
        // Rules of one type are as good as its name.
        if schema.object.as_deref().is_some_and(|rules| !rules.properties.is_empty()) {
            return Types::only(Kind::Object);
        }
        if schema.array.as_deref().is_some_and(|rules| rules.items.is_some()) {
            return Types::only(Kind::Array);
        }
    }
    types
}

/// The schema of a property, through references and compositions.
pub(crate) fn property<'t>(table: &'t Table, schema: &'t Schema, name: &str) -> Option<&'t Schema> {
    find(table, schema, 0, &mut |schema| {
        let rules = schema.object.as_deref()?;
        rules.property(name).or(rules.additional.as_ref().filter(|schema| !schema.never))
    })
}

/// The schema of a list's items.
pub(crate) fn items<'t>(table: &'t Table, schema: &'t Schema) -> Option<&'t Schema> {
    find(table, schema, 0, &mut |schema| schema.array.as_deref()?.items.as_ref())
}

/// Whether an object of this schema may have a member of this name.
pub(crate) fn declares(table: &Table, schema: &Schema, name: &str) -> bool {
    property(table, schema, name).is_some()
}

fn find<'t, T>(
    table: &'t Table,
    schema: &'t Schema,
    depth: u32,
    look: &mut dyn FnMut(&'t Schema) -> Option<T>,
) -> Option<T> {
    if depth > MAX_FOLLOWED {
        return None;
    }
    if let Some(found) = look(schema) {
        return Some(found);
    }
    if let Some(row) = schema.reference
        && let Some(found) = find(table, table.row(row), depth + 1, look)
    {
        return Some(found);
    }
    let more = schema.more.as_deref()?;
    more.all_of
        .iter()
        .chain(&more.any_of)
        .chain(&more.one_of)
        .find_map(|part| find(table, part, depth + 1, look))
}

/// Whether `text` is a number as JSON writes it.
fn is_number(text: &str) -> bool {
    let limits = BodyLimits::default();
    text.len() <= limits.json_number_bytes as usize
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && super::json::parse(text.as_bytes(), &limits)
            .is_ok_and(|nodes| nodes.first().is_some_and(|node| node.kind == Kind::Number))
        && Number::parse(text).is_some()
}

/// The value that `text` is under `schema`. What fits nowhere is what its letters say.
pub(crate) fn scalar<'x>(table: &Table, schema: &Schema, types: Types, text: &'x str) -> Node<'x> {
    let string = Node::scalar(Kind::String, text);
    let only_strings = !types.has(Kind::Number) && !types.has(Kind::Boolean) && !types.has(Kind::Null);
    if only_strings && types.has(Kind::String) {
        return string;
    }
    let known = [
        (types.has(Kind::Number) && is_number(text)).then(|| Node::scalar(Kind::Number, text)),
        (types.has(Kind::Boolean) && matches!(text, "true" | "false"))
            .then(|| Node::scalar(Kind::Boolean, text)),
        (types.has(Kind::Null) && matches!(text, "" | "null")).then(|| Node::scalar(Kind::Null, "null")),
    ];
    let mut candidates = known.into_iter().flatten();
    if !types.has(Kind::String) {
        return candidates.next().unwrap_or(string);
    }
    let fits = |node: &Node<'_>| is_valid(table, schema, std::slice::from_ref(node));
    if fits(&string) {
        return string;
    }
    candidates.find(fits).unwrap_or(string)
}

/// Appends `text` as the JSON value that it is under `schema`.
pub(crate) fn write(out: &mut String, table: &Table, schema: Option<&Schema>, text: &str) {
    let Some(schema) = schema else { return write_string(out, text) };
    let node = scalar(table, schema, types_of(table, schema), text);
    match node.kind {
        Kind::String => write_string(out, text),
        _ => out.push_str(node.text),
    }
}
