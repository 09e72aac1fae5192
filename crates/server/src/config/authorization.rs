//! `protect.authorization`: who may do what.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may do what.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthorizationConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
