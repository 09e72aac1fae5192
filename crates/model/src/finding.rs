//! Findings: what is to be fixed. One per (rule, subject, place), with a stable fingerprint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Digest, FindingId, RuleId, Severity, Source, Subject, Timestamp};

/// Version of [`Finding`].
pub const FINDING_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum FindingState {
    Open,
    /// An enforced control keeps it from doing harm; the fault itself is still there.
    Mitigated {
        by: String,
    },
    /// The check passed again.
    Fixed {
        at: Timestamp,
    },
    Muted {
        reason: String,
        until: Timestamp,
        by: String,
    },
}

impl FindingState {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Mitigated { .. } => "mitigated",
            Self::Fixed { .. } => "fixed",
            Self::Muted { .. } => "muted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub version: u32,
    pub id: FindingId,
    /// SHA-256 over rule, subject and place.
    pub fingerprint: Digest,
    pub check: CheckId,
    pub rule: RuleId,
    pub subject: Subject,
    pub place: String,
    pub severity: Severity,
    pub title: String,
    pub message: String,
    pub remediation: String,
    pub source: Option<Source>,
    pub evidence: Digest,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    #[serde(flatten)]
    pub state: FindingState,
}

/// What the fingerprint is taken over, in this order, joined by NUL.
pub fn fingerprint_input(rule: &RuleId, subject: &Subject, place: &str) -> String {
    format!("probity-finding-v1\0{rule}\0{subject}\0{place}")
}
