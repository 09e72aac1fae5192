//! `protect.contract`: what calls must look like.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What calls must look like.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContractConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
