//! From where, and what stands before the upstream: addresses, countries, maintenance, retries, circuit breaker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkPolicy {
    pub mode: EnforcementMode,
}
