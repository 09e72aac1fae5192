//! `protect.leaks`: what becomes of sensitive data.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of sensitive data.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeaksConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
