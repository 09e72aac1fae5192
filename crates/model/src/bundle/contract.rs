//! What requests and answers must look like: schemas of the specification, and bounds that hold without one.
//!
//! Schemas are JSON Schema 2020-12 as text, each once in a table; a reference inside one is `#/$defs/N`, where `N`
//! is a row of the same table. What is *not* here: reading a specification (`probity-reader`), judging a call
//! (`probity-policy`).

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ContractPolicy {
    /// For requests.
    pub mode: EnforcementMode,
    /// For answers.
    pub responses: EnforcementMode,
    /// Body fields that the schema does not declare.
    pub unknown_fields: Unknown,
    /// The same in answers.
    pub unknown_response_fields: Unknown,
    /// Query parameters that the operation does not declare. `strip` is not known here and counts as `refuse`.
    pub unknown_parameters: Unknown,
    pub limits: BodyLimits,
    /// Rules of single operations, by their index among the service's operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<OperationRule>,
    /// Tables of schemas, one for each specification.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<SchemaTable>,
    /// Beside the service's operations, by index; absent where no specification knows the operation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Option<TabledContract>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graphql: Option<GraphqlPolicy>,
}

/// What becomes of what nobody declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Part of the contract: judged by the section's mode.
    Refuse,
    /// Taken out; the call goes on.
    Strip,
    /// Recorded; the call goes on as it is, in every mode.
    #[default]
    Flag,
    Allow,
}

/// A body longer than what is held whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Oversize {
    #[default]
    Refuse,
    /// It passes unread and is flagged.
    Stream,
}

/// Bounds of bodies, with and without a specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BodyLimits {
    /// Bytes of a request body; also how much is held before the upstream sees a byte.
    pub body_bytes: u64,
    /// Bytes of an answer that are held and judged; a longer one passes and is flagged, or is refused.
    pub response_bytes: u64,
    pub oversize: Oversize,
    pub response_oversize: Oversize,
    /// Nesting of JSON.
    pub json_depth: u32,
    /// Values and keys of one JSON document.
    pub json_values: u32,
    /// Members of one object, and elements of one array.
    pub json_members: u32,
    pub json_elements: u32,
    /// Bytes of one string or key as written.
    pub json_string_bytes: u32,
    /// Bytes of one number as written.
    pub json_number_bytes: u32,
    /// Parts of a multipart body, and fields of a form.
    pub form_fields: u32,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            response_bytes: 4 * 1024 * 1024,
            oversize: Oversize::Refuse,
            response_oversize: Oversize::Stream,
            json_depth: 32,
            json_values: 100_000,
            json_members: 1_000,
            json_elements: 20_000,
            json_string_bytes: 256 * 1024,
            json_number_bytes: 64,
            form_fields: 1_000,
        }
    }
}

/// What one operation has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OperationRule {
    pub operation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oversize: Option<Oversize>,
}

/// Rows of JSON Schema text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SchemaTable(pub Arc<[Arc<str>]>);

/// A contract and the table that its schemas stand in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TabledContract {
    pub table: u32,
    pub contract: Arc<OperationContract>,
}

/// What one operation declares of its calls and answers. Schemas are rows of the specification's table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OperationContract {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterContract>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestContract>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<ResponseContract>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParameterContract {
    pub name: String,
    pub place: ParameterPlace,
    pub required: bool,
    pub style: ParameterStyle,
    pub explode: bool,
    /// `:/?#[]@!$&'()*+,;=` stand for themselves in the value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_reserved: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_empty: bool,
    /// The value is a document of this media type, not styled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterPlace {
    Path,
    Query,
    Header,
    Cookie,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ParameterStyle {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestContract {
    pub required: bool,
    pub content: Vec<MediaContract>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseContract {
    /// `200`, `4XX`, `default`.
    pub status: String,
    pub content: Vec<MediaContract>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MediaContract {
    /// Lower case, without parameters; `text/*` and `*/*` are ranges.
    pub media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// Of single properties, in forms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encoding: Vec<EncodingContract>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EncodingContract {
    pub name: String,
    /// Media types that a part may have; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content_types: Vec<String>,
    pub style: ParameterStyle,
    pub explode: bool,
}

/// What a GraphQL endpoint takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GraphqlPolicy {
    /// Paths as the client sends them, such as `/graphql`.
    pub paths: Vec<String>,
    pub limits: GraphqlLimits,
    /// Cost of single fields, `Type.field` or `field`; 1 for the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<FieldCost>,
    /// Arguments that say how many a list has, such as `first`.
    pub multipliers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Arc<GraphqlSchema>>,
}

impl Default for GraphqlPolicy {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            limits: GraphqlLimits::default(),
            costs: Vec::new(),
            multipliers: ["first", "last", "limit", "pageSize", "take"].map(str::to_owned).to_vec(),
            schema: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GraphqlLimits {
    pub query_bytes: u32,
    pub depth: u32,
    pub cost: u64,
    pub aliases: u32,
    /// Fields as written, fragments counted each time they are used.
    pub fields: u32,
    pub directives: u32,
    /// Operations of one batch.
    pub batch: u32,
    pub introspection: bool,
}

impl Default for GraphqlLimits {
    fn default() -> Self {
        Self {
            query_bytes: 16 * 1024,
            depth: 10,
            cost: 1_000,
            aliases: 15,
            fields: 500,
            directives: 20,
            batch: 5,
            introspection: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldCost {
    pub field: String,
    pub cost: u32,
}

/// A GraphQL schema, as far as queries are judged by it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphqlSchema {
    pub query: Option<String>,
    pub mutation: Option<String>,
    pub subscription: Option<String>,
    /// Sorted by name.
    pub types: Vec<GraphqlType>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphqlType {
    pub name: String,
    pub kind: GraphqlKind,
    /// Of objects, interfaces and inputs; sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<GraphqlField>,
    /// Values of an enumeration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Objects that a union or interface stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GraphqlKind {
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    Input,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphqlField {
    pub name: String,
    /// As GraphQL writes it: `[Patient!]!`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<GraphqlArgument>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphqlArgument {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// It has a default, so that it may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub defaulted: bool,
}
