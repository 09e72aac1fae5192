//! Who may do what: operations, roles and scopes, attribute rules, objects, properties, exceptions in an emergency.
//!
//! Everything is by position of an operation in the service's list, so that a gateway resolves no name. What the parts
//! come to for one call is `probity-policy`'s `authorize`; which fields of a call are looked at is the gateway's.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::principal::PrincipalKind;
use crate::{EnforcementMode, Timestamp};

/// Most rules of each kind in one service.
pub const MAX_RULES: usize = 4_096;
/// Most pointers of one property rule, and deepest pointer.
pub const MAX_POINTERS: usize = 1_024;
/// Longest life of an emergency grant.
pub const MAX_EMERGENCY_MS: u64 = 60 * 60 * 1_000;
/// Most emergency grants that a bundle carries at once.
pub const MAX_EMERGENCY_GRANTS: usize = 256;

/// Of one service. Every part that names the call's operation must be satisfied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationPolicy {
    pub mode: EnforcementMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownOperations>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<AccessRule>,
    /// Operations that no access rule names and that are not stated to be public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<UnlistedOperations>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectBinding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<LearnedBinding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributePolicy>,
    /// Bytes of a body that are held to judge objects and properties; what is longer cannot be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_bytes: Option<u64>,
}

/// What happens to calls for operations that the newest specification does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnknownOperations {
    pub mode: EnforcementMode,
    /// 404 or 403. A known path with another method is answered 405 in any case.
    pub status: u16,
    /// Operations that only an older document has: as unknown as the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnlistedOperations {
    pub mode: EnforcementMode,
    pub operations: Vec<u32>,
}

/// Who may call these operations at all. Every demand that is stated must be met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessRule {
    /// As it stands in the configuration, or `specification`.
    pub name: Arc<str>,
    pub mode: EnforcementMode,
    pub operations: Vec<u32>,
    /// One of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Arc<str>>,
    /// Alternatives; of one of them every scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Vec<Arc<str>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<PrincipalKind>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<Arc<str>>,
    /// Each attribute must have, or contain, one of the values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

/// An object belongs to its caller when the value at `object` is, or is among, what `owner` says of the principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectBinding {
    pub name: Arc<str>,
    pub mode: EnforcementMode,
    pub operations: Vec<u32>,
    pub object: ObjectPlace,
    pub owner: Owner,
    /// Principals with one of these roles or scopes may reach any object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_roles: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_scopes: Vec<Arc<str>>,
    /// 403, or 404 where the object's existence is nobody else's business.
    pub status: u16,
    /// A call or answer that names no object is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// Where a call names its object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectPlace {
    /// A variable of the template.
    Path(Arc<str>),
    Query(Arc<str>),
    /// A request header, in lower case.
    Header(Arc<str>),
    /// JSON pointer into the request's body, `*` for every item or member.
    Body(Arc<str>),
    /// JSON pointer into the answer's body.
    Answer(Arc<str>),
}

/// What of a principal an object is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    Subject,
    Tenant,
    Consumer,
    /// Text, number, or a list of these.
    Attribute(Arc<str>),
}

/// Objects that only those may reach who were given their ids before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LearnedBinding {
    pub name: Arc<str>,
    pub mode: EnforcementMode,
    pub learn: Vec<LearnedFrom>,
    pub operations: Vec<u32>,
    /// A place of the request.
    pub object: ObjectPlace,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_roles: Vec<Arc<str>>,
    pub status: u16,
    /// After a start nothing is known: for so long a call that would be refused is only flagged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warm_up_ms: u64,
}

/// Answers that give ids to their caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LearnedFrom {
    pub operations: Vec<u32>,
    /// JSON pointer into answers of 2xx.
    pub ids: Arc<str>,
}

/// Which fields of bodies a caller may read and write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PropertyRule {
    pub name: Arc<str>,
    pub mode: EnforcementMode,
    pub operations: Vec<u32>,
    /// For whom it stands: principals with one of these roles; everyone when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Arc<str>>,
    /// Principals with one of these are not concerned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_roles: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readable: Option<Fields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<Fields>,
    pub forbidden: Forbidden,
}

/// Fields by JSON pointer, `*` for every item or member. A pointer stands for everything below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fields {
    Only(Vec<Arc<str>>),
    Except(Vec<Arc<str>>),
}

/// What becomes of a field that may not be written or read. Answers are stripped or refused alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forbidden {
    #[default]
    Strip,
    Refuse,
}

/// Rules in Rego over principal and request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttributePolicy {
    pub mode: EnforcementMode,
    /// Operations that are judged; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<u32>>,
    /// Compiled by the server before they are signed, and again by the gateway; see docs/decisions/0010.
    pub modules: Vec<AttributeModule>,
    /// Request headers that the rules read, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Arc<str>>,
    /// Tags and classes of data by operation, where there are any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub described: BTreeMap<u32, OperationWords>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttributeModule {
    /// For messages alone.
    pub name: Arc<str>,
    pub rego: Arc<str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationWords {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Arc<str>>,
}

/// A named caller passes a listed refusal for a short time. Carried by the whole bundle; a gateway looks at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmergencyGrant {
    pub id: Arc<str>,
    /// The rule that would refuse, such as `gateway-role-missing`.
    pub rule: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// Service and operation position; every operation of every service when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<crate::OperationId>,
    pub from: Timestamp,
    pub until: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
