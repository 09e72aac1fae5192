//! A small GraphQL service: enough of the query language for the clinic's queries and for introspection.
//!
//! It answers queries only: no mutations, subscriptions or directives, which it refuses by name. Parsing is in
//! `parse.rs`, the schema in `schema.rs`, running in `execute.rs`; all three are bounded.

mod execute;
mod parse;
mod schema;

pub(crate) use execute::{execute, is_public};
pub(crate) use parse::parse;

/// A query that cannot be answered; the text goes into the answer's `errors`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("the query is longer than 8192 bytes")]
    TooLong,
    #[error("the query is nested deeper than 20 levels")]
    TooDeep,
    #[error("the answer would have more than 20000 fields")]
    TooWide,
    #[error("expected {expected} at byte {at}")]
    Syntax { expected: &'static str, at: usize },
    #[error("expected a query, found `{0}`")]
    NotAQuery(String),
    #[error("directives are not supported")]
    Directive,
    #[error("expected exactly one operation")]
    OneOperation,
    #[error("no fragment `{0}`")]
    NoFragment(String),
    #[error("no field `{0}` here")]
    NoField(String),
    #[error("expected subfields of `{0}`")]
    NoSubfields(String),
    #[error("expected no subfields of `{0}`")]
    Leaf(String),
    #[error("expected the argument `{0}`")]
    NoArgument(&'static str),
    #[error("not allowed")]
    NotAllowed,
}

#[cfg(test)]
mod tests;
