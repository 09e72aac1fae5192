//! GraphQL schemas, as SDL or as the JSON answer of an introspection query, to what queries are judged by.
//!
//! The first fault ends it: a schema read in part would refuse good queries. Types, fields, arguments, inputs, values
//! and members are kept; descriptions, directives and defaults (but that there is one) are not. What it is not: a
//! reader of queries, which the gateway's judge reads itself.

mod introspection;
mod sdl;

use std::collections::BTreeMap;
use std::sync::Arc;

use probity_model::bundle::contract::{GraphqlField, GraphqlKind, GraphqlSchema, GraphqlType};
use probity_model::{Diagnostic, Severity};

use crate::diagnostics::Position;

/// Bytes of a schema.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Types of a schema; fields of a type.
pub const MAX_TYPES: usize = 20_000;
pub const MAX_FIELDS: usize = 10_000;

/// What ends the reading.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    at: usize,
    message: String,
}

/// Reads a schema.
pub fn read(file: &str, bytes: &[u8]) -> Result<GraphqlSchema, Diagnostic> {
    let tell = |at: Position, message: String| Diagnostic {
        span: at.in_file(&Arc::from(file)),
        severity: Severity::High,
        message,
        hint: Some("expected a GraphQL schema, or the JSON of an introspection query".to_owned()),
    };
    if bytes.len() > MAX_BYTES {
        return Err(tell(Position::START, format!("the file has more than {MAX_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| tell(Position::START, "a byte that is not UTF-8".to_owned()))?;
    let read = if text.trim_start().starts_with('{') { introspection::read(text) } else { sdl::read(text) };
    read.map_err(|fault| {
        let before = text.get(..fault.at).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        tell(Position::of(line, column), fault.message)
    })
}

/// Types as they are collected, extensions joined to what they extend.
#[derive(Default)]
struct Collected {
    types: BTreeMap<String, GraphqlType>,
    /// By object, the interfaces that it implements.
    implements: Vec<(String, String)>,
    query: Option<String>,
    mutation: Option<String>,
    subscription: Option<String>,
    /// `schema { ... }` was written, so that names alone make no roots.
    explicit: bool,
}

impl Collected {
    fn of(&mut self, name: &str, kind: GraphqlKind) -> Result<&mut GraphqlType, String> {
        if self.types.len() >= MAX_TYPES {
            return Err(format!("more than {MAX_TYPES} types"));
        }
        let known = self.types.entry(name.to_owned()).or_insert_with(|| GraphqlType {
            name: name.to_owned(),
            kind,
            fields: Vec::new(),
            values: Vec::new(),
            members: Vec::new(),
        });
        if known.kind == kind { Ok(known) } else { Err(format!("type `{name}` is of two kinds")) }
    }

    fn finish(mut self) -> Result<GraphqlSchema, String> {
        for (object, interface) in &self.implements {
            if let Some(interface) = self.types.get_mut(interface) {
                interface.members.push(object.clone());
            }
        }
        if !self.explicit {
            for (root, name) in [
                (&mut self.query, "Query"),
                (&mut self.mutation, "Mutation"),
                (&mut self.subscription, "Subscription"),
            ] {
                if root.is_none() && self.types.contains_key(name) {
                    *root = Some(name.to_owned());
                }
            }
        }
        if self.query.is_none() {
            return Err("the schema has no query type".to_owned());
        }
        for root in [&self.query, &self.mutation, &self.subscription].into_iter().flatten() {
            if !self.types.get(root).is_some_and(|known| known.kind == GraphqlKind::Object) {
                return Err(format!("root type `{root}` is not defined"));
            }
        }
        let mut types: Vec<GraphqlType> = self.types.into_values().collect();
        for known in &mut types {
            known.fields.sort_by(|one, other| one.name.cmp(&other.name));
            known.members.sort();
            known.members.dedup();
            let twice = |[one, other]: &[GraphqlField; 2]| one.name == other.name;
            if known.fields.array_windows().any(twice) {
                return Err(format!("type `{}` has a field twice", known.name));
            }
        }
        let (query, mutation, subscription) = (self.query, self.mutation, self.subscription);
        Ok(GraphqlSchema { query, mutation, subscription, types })
    }
}

#[cfg(test)]
mod tests;
