//! What the gateway puts right in answers: error bodies, banners, security headers, CORS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerPolicy {
    pub mode: EnforcementMode,
}
