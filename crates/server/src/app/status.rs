//! What stands at one glance: inventory counts, frameworks, ledger. The numbers of `probity up` and `probity demo`.

use probity_ledger::LogId;
use probity_model::inventory::OperationState;
use probity_model::verdict::VerdictStatus;
use probity_model::{FrameworkId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::App;
use crate::clock::now;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct InventoryCounts {
    pub operations: usize,
    pub documented: usize,
    pub shadow: usize,
    pub zombie: usize,
    pub orphan: usize,
    pub not_yet_seen: usize,
    pub deprecated_in_use: usize,
    pub unowned: usize,
}

/// One framework in one scope.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FrameworkCounts {
    pub id: FrameworkId,
    pub title: String,
    pub scope: String,
    pub controls: usize,
    pub met: usize,
    pub not_met: usize,
    pub partial: usize,
    pub not_applicable: usize,
    pub no_evidence: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogStatus {
    pub size: u64,
    pub root: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LedgerStatus {
    pub verified: bool,
    /// What verification found, or why it is not anchored.
    pub note: String,
    pub evidence: LogStatus,
    pub verdicts: LogStatus,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RecordStatus {
    pub accepted: u64,
    pub recorded: u64,
    pub lost: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    pub at: Timestamp,
    pub started_at: Timestamp,
    pub inventory: InventoryCounts,
    pub open_findings: usize,
    pub frameworks: Vec<FrameworkCounts>,
    pub ledger: LedgerStatus,
    pub records: RecordStatus,
    /// What could not be read of the configured sources.
    pub problems: Vec<String>,
}

impl App {
    pub(super) fn status(&self) -> Status {
        let at = now();
        let count = |state| self.reconciled.count(state);
        let counts = self.events.counts();
        Status {
            at,
            started_at: self.started_at,
            inventory: InventoryCounts {
                operations: self.reconciled.operations.len(),
                documented: count(OperationState::Documented),
                shadow: count(OperationState::Shadow),
                zombie: count(OperationState::Zombie),
                orphan: count(OperationState::Orphan),
                not_yet_seen: count(OperationState::NotYetSeen),
                deprecated_in_use: count(OperationState::DeprecatedInUse),
                unowned: count(OperationState::Unowned),
            },
            open_findings: self.findings.values().filter(|finding| finding.state.as_str() == "open").count(),
            frameworks: self.framework_counts(at),
            ledger: self.ledger_status(),
            records: RecordStatus { accepted: counts.accepted, recorded: counts.recorded, lost: counts.lost },
            problems: self.source_diagnostics.iter().map(ToString::to_string).collect(),
        }
    }

    fn framework_counts(&self, at: Timestamp) -> Vec<FrameworkCounts> {
        let verdicts = self.verdicts(self.open_slot(at));
        let mut out: Vec<FrameworkCounts> = Vec::new();
        for verdict in &verdicts {
            let known =
                out.iter().position(|counts| counts.id == verdict.framework && counts.scope == verdict.scope);
            let index = known.unwrap_or_else(|| {
                let framework = self.catalog.frameworks().iter().find(|f| f.id == verdict.framework);
                out.push(FrameworkCounts {
                    id: verdict.framework.clone(),
                    title: framework.map(|f| f.title.clone()).unwrap_or_default(),
                    scope: verdict.scope.clone(),
                    controls: 0,
                    met: 0,
                    not_met: 0,
                    partial: 0,
                    not_applicable: 0,
                    no_evidence: 0,
                });
                out.len() - 1
            });
            let Some(counts) = out.get_mut(index) else { continue };
            counts.controls += 1;
            match verdict.status {
                VerdictStatus::Met => counts.met += 1,
                VerdictStatus::NotMet => counts.not_met += 1,
                VerdictStatus::Partial => counts.partial += 1,
                VerdictStatus::NotApplicable => counts.not_applicable += 1,
                VerdictStatus::NoEvidence => counts.no_evidence += 1,
            }
        }
        out
    }

    /// Verifies the ledger on disk as an outsider would.
    pub(super) fn ledger_status(&self) -> LedgerStatus {
        let log = |id: LogId| LogStatus {
            size: self.ledger.size(id),
            root: probity_ledger::hex(&self.ledger.root(id)),
        };
        let keys = LogId::ALL.map(|log| self.ledger.verifier(log));
        let report = probity_ledger::verify_dir(self.data.join("ledger"), keys, None);
        LedgerStatus {
            verified: report.is_intact(),
            note: report.summary(),
            evidence: log(LogId::Evidence),
            verdicts: log(LogId::Verdicts),
        }
    }
}
