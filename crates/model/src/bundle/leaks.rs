//! What becomes of sensitive data in answers, and in requests where asked: by class, role and environment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeakPolicy {
    pub mode: EnforcementMode,
}
