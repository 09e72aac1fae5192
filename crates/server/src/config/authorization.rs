//! `protect.authorization`: who may do what.
//!
//! Whatever names an operation must hold: every rule that selects it, every object, every property. Selections are
//! `METHOD /path` (`GET /v2/items/{id}`, `* /v2/admin/**`); see [`crate::bundle`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use probity_model::bundle::authorization::Forbidden;
use probity_model::{EnforcementMode, PrincipalKind};
use probity_reader::config::{ByteSize, Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may do what.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthorizationConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// Calls for what the newest specification does not have: refused unless this says otherwise.
    pub unknown_operations: Option<EnforcementMode>,
    /// The answer to them: 404 or 403. A known path with another method is answered 405.
    pub unknown_status: u16,
    /// Scopes that the specification's security requirements name are asked for.
    pub scopes_from_specification: bool,
    /// Roles, scopes and more by operation.
    pub rules: Vec<AccessRuleConfig>,
    /// Operations that no rule selects and that the specification does not state to be public.
    pub unlisted_operations: EnforcementMode,
    /// Objects that belong to a caller, by what is known of the caller.
    pub objects: Vec<ObjectConfig>,
    /// Objects that belong to whoever was given their ids.
    pub learned_objects: Vec<LearnedObjectConfig>,
    /// Fields that a caller may read and write.
    pub properties: Vec<PropertyConfig>,
    /// Rego files of the package `probity.authorization`, relative to this file.
    pub policies: Vec<PathBuf>,
    /// Of the policies; the section's when absent.
    pub policies_mode: Option<EnforcementMode>,
    /// Operations that the policies judge; all when empty.
    pub policies_operations: Vec<String>,
    /// Request headers that the policies read.
    pub policies_headers: Vec<String>,
    /// Longest body that is judged; one that is longer is refused where it would have to be.
    pub hold: ByteSize,
}

impl Default for AuthorizationConfig {
    fn default() -> Self {
        Self {
            mode: None,
            unknown_operations: None,
            unknown_status: 404,
            scopes_from_specification: false,
            rules: Vec::new(),
            unlisted_operations: EnforcementMode::Off,
            objects: Vec::new(),
            learned_objects: Vec::new(),
            properties: Vec::new(),
            policies: Vec::new(),
            policies_mode: None,
            policies_operations: Vec::new(),
            policies_headers: Vec::new(),
            hold: ByteSize(1024 * 1024),
        }
    }
}

/// Who may call some operations. Every demand that is given must be met; a rule without demands asks for a proved
/// caller.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessRuleConfig {
    pub name: String,
    pub mode: Option<EnforcementMode>,
    /// Those selected here, and those with one of `tags`.
    pub operations: Vec<String>,
    pub tags: Vec<String>,
    /// But not these.
    pub except: Vec<String>,
    /// One of these roles.
    pub roles: Vec<String>,
    /// All of these scopes.
    pub scopes: Vec<String>,
    /// One of these: `user`, `service`, `partner`.
    pub kinds: Vec<PrincipalKind>,
    pub tenants: Vec<String>,
    pub consumers: Vec<String>,
    /// Each attribute must be, or contain, one of the values.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// The value at `object` must be what `equals` names of the caller.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectConfig {
    pub name: String,
    pub mode: Option<EnforcementMode>,
    pub operations: Vec<String>,
    pub tags: Vec<String>,
    pub except: Vec<String>,
    pub object: PlaceConfig,
    /// `subject`, `tenant`, `consumer`, or the name of an attribute, which may be a list.
    pub equals: String,
    /// Callers with one of these may reach any object.
    pub unless_roles: Vec<String>,
    pub unless_scopes: Vec<String>,
    /// 403, or 404 to hide that the object exists.
    pub status: Option<u16>,
    /// Whether a call or answer that names no object is refused; answers unless this says otherwise.
    pub required: Option<bool>,
}

/// One of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlaceConfig {
    /// A variable of the path's template.
    pub path: Option<String>,
    pub query: Option<String>,
    pub header: Option<String>,
    /// JSON pointer into the request's body, `*` for every item; `/name` in a form.
    pub body: Option<String>,
    /// JSON pointer into the answer's body.
    pub answer: Option<String>,
}

/// An id must have been given to its caller before.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnedObjectConfig {
    pub name: String,
    pub mode: Option<EnforcementMode>,
    /// Answers that give ids.
    pub learn: Vec<LearnConfig>,
    pub operations: Vec<String>,
    pub tags: Vec<String>,
    pub except: Vec<String>,
    pub object: PlaceConfig,
    pub unless_roles: Vec<String>,
    pub status: Option<u16>,
    /// After a start nothing is known; for so long what would be refused is flagged.
    pub warm_up: Duration,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    pub operations: Vec<String>,
    /// JSON pointer such as `/items/*/id`.
    pub ids: String,
}

/// Pointers with `*` for every item; a pointer stands for everything below it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PropertyConfig {
    pub name: String,
    pub mode: Option<EnforcementMode>,
    pub operations: Vec<String>,
    pub tags: Vec<String>,
    pub except: Vec<String>,
    /// For whom it stands; everyone when empty.
    pub roles: Vec<String>,
    pub unless_roles: Vec<String>,
    /// Only these may be read; or, by the other name, all but these.
    pub readable: Option<Vec<String>>,
    pub not_readable: Option<Vec<String>>,
    pub writable: Option<Vec<String>>,
    pub not_writable: Option<Vec<String>>,
    /// `strip` the fields that are not allowed, or `refuse`.
    pub undeclared: Forbidden,
}
