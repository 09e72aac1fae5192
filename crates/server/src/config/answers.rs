//! `protect.answers`: what is put right in answers.

use probity_model::EnforcementMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is put right in answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswersConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
}
