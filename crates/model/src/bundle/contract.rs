//! What requests and answers must look like: schemas of the specification, and bounds that hold without one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContractPolicy {
    pub mode: EnforcementMode,
}
