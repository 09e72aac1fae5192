//! A specification as the reader hands it on: flat operations, fields and schemes with their spans.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataClass, Span, Template};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Specification {
    pub file: Arc<str>,
    /// `3.0.3`, `3.1.0`.
    pub openapi: String,
    pub title: String,
    pub version: String,
    /// Path prefixes of `servers`, without a trailing slash; `""` when there is none.
    pub base_paths: Vec<String>,
    /// Of the document, its paths and its operations, each once.
    pub servers: Vec<SpecifiedServer>,
    pub owner: Option<String>,
    /// `x-audience`: public, partner, internal.
    pub audience: Option<String>,
    pub security_schemes: Vec<SecurityScheme>,
    pub operations: Vec<SpecifiedOperation>,
    /// Schemas that the operations' contracts refer to.
    #[serde(default)]
    pub schemas: crate::bundle::contract::SchemaTable,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpecifiedServer {
    /// With the defaults of its variables; may be relative.
    pub url: String,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecurityScheme {
    pub name: String,
    /// `http`, `apiKey`, `oauth2`, `openIdConnect`, `mutualTLS`.
    pub kind: String,
    /// `bearer`, `basic` for `http`; the place (`header`, `query`, `cookie`) for `apiKey`.
    pub detail: String,
    /// Header, query or cookie name for `apiKey`.
    pub parameter: Option<String>,
    pub span: Span,
}

/// What an operation demands of its caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityNeed {
    /// Nothing is stated, neither on the operation nor for the document.
    Unstated,
    /// Stated to be public: `security: []` or an empty alternative.
    Public,
    /// Alternatives, each a list of schemes with scopes.
    Required(Vec<Vec<(String, Vec<String>)>>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpecifiedOperation {
    /// Upper case.
    pub method: Arc<str>,
    /// With the base path in front.
    pub template: Template,
    pub operation_id: Option<String>,
    pub summary: Option<String>,
    pub tags: Vec<String>,
    pub deprecated: bool,
    /// `x-sunset`, RFC 3339 date.
    pub sunset: Option<crate::Timestamp>,
    /// `x-owner` of the operation, else of its path, else of the document.
    pub owner: Option<String>,
    pub audience: Option<String>,
    pub criticality: Option<String>,
    pub security: SecurityNeed,
    pub parameters: Vec<Parameter>,
    pub request: Vec<BodySchema>,
    pub responses: Vec<ResponseSchema>,
    /// The same whole, for judging calls; absent when it could not be read whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Arc<crate::bundle::contract::OperationContract>>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    pub name: String,
    /// `path`, `query`, `header`, `cookie`.
    pub place: String,
    pub required: bool,
    pub has_schema: bool,
    pub class: Option<DataClass>,
    pub span: Span,
}

/// One media type of a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BodySchema {
    pub media_type: String,
    /// A schema with at least a type, a reference or properties stands there.
    pub has_schema: bool,
    /// Whether undeclared properties are allowed (`additionalProperties` not `false`).
    pub open: bool,
    /// Where the schema says in words that they are (`additionalProperties: true`).
    pub open_at: Option<Span>,
    pub fields: Vec<SchemaField>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseSchema {
    /// `200`, `4XX`, `default`.
    pub status: String,
    pub bodies: Vec<BodySchema>,
}

/// One field of a body, flattened: JSON pointer with `*` for array items and map values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaField {
    pub pointer: String,
    /// JSON type, empty when open.
    pub kind: String,
    pub format: Option<String>,
    pub required: bool,
    pub read_only: bool,
    pub write_only: bool,
    /// `x-data-class`, or what format and name say for sure.
    pub class: Option<DataClass>,
    pub span: Span,
}
