//! `protect.limits`: how often, how much and how many at once.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often, how much and how many at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsPolicyConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
