//! Who may do what: operations, roles and scopes, attribute rules, objects, properties.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationPolicy {
    pub mode: EnforcementMode,
}
