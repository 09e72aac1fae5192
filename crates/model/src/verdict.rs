//! A verdict: what one control comes to, in one scope, for one hour.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, ControlId, Digest, FrameworkId, Status, Subject, Timestamp};

/// Version of [`Verdict`]; stands in every evidence package.
pub const VERDICT_VERSION: u32 = 1;

/// Most outcomes that one verdict names.
pub const MAX_DECIDING: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictStatus {
    Met,
    NotMet,
    Partial,
    NotApplicable,
    NoEvidence,
}

impl VerdictStatus {
    pub const ALL: [Self; 5] =
        [Self::Met, Self::NotMet, Self::Partial, Self::NotApplicable, Self::NoEvidence];
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not-met",
            Self::Partial => "partial",
            Self::NotApplicable => "not-applicable",
            Self::NoEvidence => "no-evidence",
        }
    }
}

/// Why a verdict is partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PartialBecause {
    /// Every failure is under a live exception.
    Exception,
    /// The checks judge a part; the remainder has no current attestation or connector result.
    Remainder,
}

/// Why there is no evidence for one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingBecause {
    NotInThisVersion,
    NoData,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingEvidence {
    pub check: CheckId,
    pub because: MissingBecause,
    /// Subjects without evidence, for `no-data`; empty when the check saw no subject at all.
    pub subjects: Vec<Subject>,
}

/// How the subjects of one check stand: the latest outcome of each, and how many failed at any moment of the slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckTally {
    pub check: CheckId,
    pub pass: u64,
    pub fail: u64,
    pub not_applicable: u64,
    pub no_evidence: u64,
    /// Subjects that failed at some moment of the slot, whatever they are at its end.
    pub failed_in_slot: u64,
}

/// One outcome behind a verdict, by reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeRef {
    pub subject: Subject,
    pub check: CheckId,
    pub status: Status,
    pub evidence: Digest,
}

/// An hour, or the part of it that the process lived through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Slot {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Closed early by a stop.
    pub short: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    pub version: u32,
    pub framework: FrameworkId,
    pub control: ControlId,
    pub scope: String,
    pub slot: Slot,
    pub status: VerdictStatus,
    pub partial: Option<PartialBecause>,
    pub missing: Vec<MissingEvidence>,
    pub checks: Vec<CheckTally>,
    /// The outcomes that decided, failures first, in the order of check and subject; at most
    /// [`MAX_DECIDING`]. The tally counts all of them, and the slot's evidence holds all of them.
    pub outcomes: Vec<OutcomeRef>,
    pub catalogue: Digest,
}
