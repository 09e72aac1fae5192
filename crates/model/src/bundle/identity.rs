//! How callers are proved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

pub mod token;

pub use self::token::{Issuer, StepUp, TokenDemand, TokenPolicy};

/// For the whole gateway: issuers, keys, revocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IdentityPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenPolicy>,
}

/// Of one service: which proofs count here, and what each operation asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceIdentity {
    pub mode: EnforcementMode,
}
