//! Decisions of the gateway: explained values, never a sensitive one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, DataClass, Place, RuleId};

/// Every control in the gateway has a mode.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EnforcementMode {
    Off,
    #[default]
    Observe,
    Block,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// What would have been refused passed under an exception that the rule names.
    Allow,
    /// The call passed; the rule only observes.
    Flag,
    Refuse,
    /// The call passed changed: a field masked, dropped or replaced, a header removed or set.
    Change,
}

/// What mattered in the input: where, of which class and type. Never the value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct DecisionInput {
    pub place: Option<Place>,
    pub field: String,
    pub class: Option<DataClass>,
    /// What was found there in words: `te-with-cl`, `string`, `missing`.
    pub found: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    pub check: CheckId,
    pub rule: RuleId,
    pub mode: EnforcementMode,
    pub action: Action,
    pub input: DecisionInput,
    /// Revision of the bundle that decided.
    pub revision: u64,
}
