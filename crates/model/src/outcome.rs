//! An outcome: what one check says of one subject over one interval. No evidence is never a pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Digest, RuleId, Source, Subject, Timestamp};

/// Version of [`Outcome`] as written to evidence packages.
pub const OUTCOME_VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Pass,
    Fail,
    NotApplicable,
    NoEvidence,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not-applicable",
            Self::NoEvidence => "no-evidence",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::NotApplicable, Self::NoEvidence]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// Why: which rule, by which source, at which place. A pass has reasons too: the positive observations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    pub rule: RuleId,
    pub source: Option<Source>,
    /// `response.body:/card/number`, `file:line:column`, a header; empty when the subject itself is the place.
    pub place: String,
    pub message: String,
}

/// Two sources that state different values of one fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    pub fact: String,
    pub sources: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    pub version: u32,
    pub subject: Subject,
    pub check: CheckId,
    pub status: Status,
    pub reasons: Vec<Reason>,
    pub drift: Vec<Drift>,
    /// SHA-256 of the evidence bytes.
    pub evidence: Digest,
    /// Digest of the catalogue that judged.
    pub catalogue: Digest,
    pub from: Timestamp,
    pub to: Timestamp,
}
