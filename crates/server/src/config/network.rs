//! `protect.network`: from where calls may come, and what stands before the upstream.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From where calls may come, and what stands before the upstream.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
