//! The inventory: every operation that is known, from whichever source, and what was observed of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataClass, OperationId, Place, ServiceId, Signal, Span, Template, Timestamp};

/// A state of an operation; an operation is in a set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    Documented,
    /// Documented, without traffic, still inside the observation window.
    NotYetSeen,
    /// Documented, without traffic, past the observation window.
    Orphan,
    /// Seen in traffic, in no source.
    Shadow,
    /// Past its sunset, or gone from the newest specification, still answered.
    Zombie,
    DeprecatedInUse,
    /// In code or deployment files only.
    Dormant,
    Unowned,
}

impl OperationState {
    pub const ALL: [Self; 8] = [
        Self::Documented,
        Self::NotYetSeen,
        Self::Orphan,
        Self::Shadow,
        Self::Zombie,
        Self::DeprecatedInUse,
        Self::Dormant,
        Self::Unowned,
    ];
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::NotYetSeen => "not-yet-seen",
            Self::Orphan => "orphan",
            Self::Shadow => "shadow",
            Self::Zombie => "zombie",
            Self::DeprecatedInUse => "deprecated-in-use",
            Self::Dormant => "dormant",
            Self::Unowned => "unowned",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenInterval {
    pub first: Timestamp,
    pub last: Timestamp,
}

impl SeenInterval {
    pub const fn at(moment: Timestamp) -> Self {
        Self { first: moment, last: moment }
    }
    pub fn extend(&mut self, moment: Timestamp) {
        self.first = self.first.min(moment);
        self.last = self.last.max(moment);
    }
}

/// A value of the inventory and who said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attributed {
    pub value: String,
    /// `configuration`, `x-owner`, `CODEOWNERS`, `inventory set`, or a place in a file.
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RiskTier {
    Low,
    Moderate,
    High,
}

/// A tier with the formula that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Risk {
    pub tier: RiskTier,
    /// For example `public + card data = high`.
    pub formula: String,
}

/// One class of data in one field of one place of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedClass {
    pub class: DataClass,
    pub place: Place,
    pub field: String,
    pub masked: bool,
    /// Calls in which it was seen, all and those answered to a caller without credential.
    pub calls: u64,
    pub calls_unauthenticated: u64,
    /// Calls with a status below 400 / of 400 and above.
    pub calls_ok: u64,
    pub calls_error: u64,
    pub seen: SeenInterval,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResponsePattern {
    pub shape: u64,
    /// 2 for 2xx.
    pub status_class: u8,
    pub content_type: Arc<str>,
    /// Field pointers; empty until known.
    pub fields: Vec<Arc<str>>,
    pub calls: u64,
}

/// Calls by authentication state and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuthenticationSeen {
    /// Without credential: answered 2xx or 3xx / 401 or 403 / anything else.
    pub none_answered: u64,
    pub none_refused: u64,
    pub none_other: u64,
    /// With a credential.
    pub presented_answered: u64,
    pub presented_refused: u64,
    pub presented_other: u64,
    pub verified_answered: u64,
    pub verified_refused: u64,
    pub verified_other: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SizeSummary {
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub response_bytes_max: u64,
    pub total_us: u64,
    pub total_us_max: u64,
}

/// What traffic showed of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    pub calls: u64,
    pub seen: SeenInterval,
    pub statuses: BTreeMap<u16, u64>,
    pub authentication: AuthenticationSeen,
    /// Credential schemes presented on answered calls.
    pub schemes: BTreeMap<String, u64>,
    /// Distinct callers (verified identities, else credentials, else addresses), bounded; `callers_capped` says so.
    pub callers: u32,
    pub callers_capped: bool,
    pub classes: Vec<ObservedClass>,
    pub patterns: Vec<ResponsePattern>,
    pub signals: BTreeMap<Signal, u64>,
    /// Signals by status class: signal -> calls with status >= 400.
    pub signals_on_error: BTreeMap<Signal, u64>,
    pub protocols: BTreeMap<String, u64>,
    pub tls: BTreeMap<String, u64>,
    pub query: BTreeSet<Arc<str>>,
    /// Content types of requests that were answered below 400.
    #[serde(default)]
    pub request_types: BTreeSet<Arc<str>>,
    pub sizes: SizeSummary,
    /// Most calls of one caller inside one minute, and whether any was answered 429.
    pub burst_per_minute: u64,
    pub limited: u64,
    pub first_sequence: u64,
    pub last_sequence: u64,
}

/// Where the operation is documented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentedAt {
    pub span: Span,
    /// `info.version` of the document.
    pub version: String,
    /// The document is the newest one of its service that the inventory knows.
    pub newest: bool,
    pub deprecated: bool,
    pub sunset: Option<Timestamp>,
}

/// One operation of the inventory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    pub id: OperationId,
    pub service: ServiceId,
    pub method: Arc<str>,
    pub template: Template,
    pub states: BTreeMap<OperationState, SeenInterval>,
    pub owner: Option<Attributed>,
    pub version: Option<Attributed>,
    pub audience: Option<Attributed>,
    pub criticality: Option<Attributed>,
    pub tags: BTreeSet<String>,
    pub risk: Risk,
    pub documented: Option<DocumentedAt>,
    pub observed: Option<Observed>,
}

impl Operation {
    pub fn is(&self, state: OperationState) -> bool {
        self.states.contains_key(&state)
    }
}

/// What a person sets with `probity inventory set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationSettings {
    pub owner: Option<String>,
    pub audience: Option<String>,
    pub criticality: Option<String>,
    pub tags: BTreeSet<String>,
}
