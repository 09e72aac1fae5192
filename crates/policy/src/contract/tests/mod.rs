//! Tests of contracts: tables for each keyword and style, agreement with a reference validator, hostile input.

mod body;
mod keywords;
mod parameters;
mod queries;
mod reading;

use super::*;
use probity_model::bundle::contract::*;
use std::borrow::Cow;

/// A contract of one operation over a table of rows.
pub(super) fn contract(rows: &[&str], operation: OperationContract) -> ContractPolicy {
    ContractPolicy {
        tables: vec![SchemaTable(rows.iter().map(|row| Arc::from(*row)).collect())],
        operations: vec![Some(TabledContract { table: 0, contract: Arc::new(operation) })],
        unknown_fields: Unknown::Refuse,
        unknown_response_fields: Unknown::Refuse,
        unknown_parameters: Unknown::Refuse,
        ..ContractPolicy::default()
    }
}

pub(super) fn media(media_type: &str, schema: Option<u32>) -> MediaContract {
    MediaContract { media_type: media_type.to_owned(), schema, encoding: Vec::new() }
}

pub(super) fn rules(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|found| format!("{} {}", found.rule, found.field).trim_end().to_owned()).collect()
}

pub(super) fn no_header<'a>(_: &str) -> Option<Cow<'a, str>> {
    None
}
