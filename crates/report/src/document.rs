//! The report model: one framework, one scope, one slot, with every verdict down to its evidence.

use std::collections::BTreeMap;

use probity_model::verdict::{CheckTally, Slot};
use probity_model::{Control, Digest, Finding, Outcome, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of [`ReportDocument`] as JSON.
pub const REPORT_VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportDocument {
    pub version: u32,
    pub generated_at: Timestamp,
    pub probity: String,
    pub tenant: String,
    pub framework_id: String,
    pub framework_title: String,
    pub framework_version: String,
    pub publisher: String,
    pub reference: Option<String>,
    pub scope: String,
    pub slot: Slot,
    /// The slot is still open.
    pub provisional: bool,
    pub catalogue: Digest,
    pub ledger: LedgerSummary,
    pub inventory: InventorySummary,
    pub controls: Vec<ReportControl>,
    /// Open findings of the checks of this framework, worst first.
    pub findings: Vec<Finding>,
    /// Parameters in force, by check: ours, never the framework's text.
    pub parameters: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerSummary {
    pub verified: bool,
    pub note: String,
    pub evidence: LogSummary,
    pub verdicts: LogSummary,
    /// The verifier key of the evidence log (C2SP vkey).
    pub key: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogSummary {
    pub size: u64,
    pub root: String,
    /// The signed checkpoint, whole.
    pub checkpoint: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InventorySummary {
    pub operations: usize,
    pub documented: usize,
    pub shadow: usize,
    pub zombie: usize,
    pub orphan: usize,
    pub unowned: usize,
    pub calls_recorded: u64,
    pub calls_lost: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportControl {
    pub control: Control,
    pub verdict: Verdict,
    pub checks: Vec<ReportCheck>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportCheck {
    pub id: String,
    /// Absent when the check is not in this version.
    pub title: Option<String>,
    pub remediation: Option<String>,
    pub passes_on: Vec<String>,
    pub tally: CheckTally,
    /// Failures first, then missing evidence, then passes; `outcomes_total` counts all of them.
    pub outcomes: Vec<ReportOutcome>,
    pub outcomes_total: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportOutcome {
    pub outcome: Outcome,
    /// The judged input, as it was hashed; the same digest's evidence is given once, at its first mention.
    pub evidence: Option<Value>,
    /// Index of its leaf in the evidence log.
    pub ledger_index: Option<u64>,
}
