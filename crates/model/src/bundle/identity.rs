//! How callers are proved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// For the whole gateway: issuers, keys, revocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IdentityPolicy {}

/// Of one service: which proofs count here, and what each operation asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceIdentity {
    pub mode: EnforcementMode,
}
