//! `protect.contract`: what calls and answers must look like, and bounds that hold without a specification.

use std::collections::BTreeMap;
use std::path::PathBuf;

use probity_model::EnforcementMode;
use probity_model::bundle::contract::{Oversize, Unknown};
use probity_reader::config::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What calls must look like.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContractConfig {
    /// For requests and answers; `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// For requests; `mode` when absent.
    pub requests: Option<EnforcementMode>,
    /// For answers; `observe` when absent, `off` when `mode` is off.
    pub responses: Option<EnforcementMode>,
    /// Body fields that the schema does not declare: refuse (when absent), strip, flag, allow.
    pub unknown_fields: Option<Unknown>,
    /// The same in answers; flag when absent.
    pub unknown_response_fields: Option<Unknown>,
    /// Query parameters that the operation does not declare; flag when absent.
    pub unknown_parameters: Option<Unknown>,
    /// What becomes of schemas that cannot be judged (patterns with back references, unresolved references): `refuse`
    /// the configuration in block mode (when absent), or `flag` the calls that meet them.
    pub undecidable: Undecidable,
    pub limits: BodyLimitsConfig,
    /// By operation, as `POST /v2/uploads`.
    pub operations: BTreeMap<String, OperationLimitsConfig>,
    pub graphql: Option<GraphqlConfig>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Undecidable {
    #[default]
    Refuse,
    Flag,
}

/// Bounds of bodies; the defaults are in brackets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodyLimitsConfig {
    /// A request body (1MiB), held whole before the upstream sees a byte.
    pub body: Option<ByteSize>,
    /// An answer's body that is judged (4MiB).
    pub response: Option<ByteSize>,
    /// A longer request body: refuse (413), or stream (it passes unread and is flagged).
    pub oversize: Option<Oversize>,
    /// A longer answer: stream when absent.
    pub response_oversize: Option<Oversize>,
    /// Nesting of JSON (32; at most 128).
    pub json_depth: Option<u32>,
    /// Values and keys of one document (100000).
    pub json_values: Option<u32>,
    /// Members of one object (1000).
    pub json_members: Option<u32>,
    /// Elements of one array (20000).
    pub json_elements: Option<u32>,
    /// One string or key (256KiB).
    pub json_string: Option<ByteSize>,
    /// Digits of one number (64).
    pub json_number: Option<u32>,
    /// Fields of a form and parts of a multipart body (1000).
    pub form_fields: Option<u32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OperationLimitsConfig {
    /// A request body of this operation.
    pub body: Option<ByteSize>,
    pub oversize: Option<Oversize>,
}

/// A GraphQL endpoint. Its bounds hold without a schema.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GraphqlConfig {
    /// Paths as clients send them; `/graphql` when empty.
    pub paths: Vec<String>,
    /// SDL, or the JSON of an introspection query, relative to this file.
    pub schema: Option<PathBuf>,
    /// Levels of fields (10).
    pub depth: Option<u32>,
    /// Cost of one operation (1000): 1 for each field, or as `costs` says, times what lists are asked to hold.
    pub cost: Option<u64>,
    /// Cost of single fields: `Type.field` or `field`.
    pub costs: BTreeMap<String, u32>,
    /// Arguments that say how many a list holds (first, last, limit, pageSize, take).
    pub multipliers: Vec<String>,
    /// Aliases of one operation (15).
    pub aliases: Option<u32>,
    /// Fields of one operation, fragments counted each time (500).
    pub fields: Option<u32>,
    /// Directives of one operation (20).
    pub directives: Option<u32>,
    /// Requests at once (5).
    pub batch: Option<u32>,
    /// Bytes of a query (16KiB).
    pub query: Option<ByteSize>,
    /// `__schema` and `__type` are answered; off when absent.
    pub introspection: bool,
}
