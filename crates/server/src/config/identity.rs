//! `protect.identity`: which proofs of a caller count here, and what operations ask for.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which proofs of a caller count here, and what operations ask for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceIdentityConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
