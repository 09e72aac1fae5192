//! The report model of one framework, filled from the open slot.

use std::collections::BTreeMap;

use probity_ledger::LogId;
use probity_model::{CheckId, Digest, FrameworkId, Status, Verdict};
use probity_report::{
    InventorySummary, LedgerSummary, LogSummary, REPORT_VERSION, ReportCheck, ReportControl, ReportDocument,
    ReportOutcome,
};

use super::App;
use super::command::ExplainedOutcome;
use crate::clock::now;

/// Outcomes that a report lists for one check of one control; the tally counts all.
const MAX_OUTCOMES: usize = 200;

impl App {
    pub(super) fn report_document(
        &self,
        id: &FrameworkId,
        scope: Option<&str>,
    ) -> anyhow::Result<ReportDocument> {
        let at = now();
        let framework = self.framework(id)?.clone();
        let name = match (scope, self.scopes.iter().find(|scope| scope.frameworks.contains(id))) {
            (Some(name), _) => name.to_owned(),
            (None, Some(first)) => first.name.clone(),
            (None, None) => anyhow::bail!("no scope counts for `{id}`"),
        };
        if !self.scopes.iter().any(|scope| scope.name == name && scope.frameworks.contains(id)) {
            let known: Vec<&str> = self.scopes.iter().map(|scope| scope.name.as_str()).collect();
            anyhow::bail!("no scope `{name}` counts for `{id}`, expected one of {}", known.join(", "));
        }
        let slot = self.open_slot(at);
        let verdicts: Vec<Verdict> = self
            .verdicts(slot)
            .into_iter()
            .filter(|verdict| verdict.framework == *id && verdict.scope == name)
            .collect();
        let mut controls = Vec::new();
        let mut parameters = BTreeMap::new();
        let mut mentioned = BTreeMap::new();
        for (control, verdict) in framework.controls.iter().zip(verdicts) {
            let mut checks = Vec::new();
            for tally in &verdict.checks {
                checks.push(self.report_check(&tally.check, tally.clone(), &name, &mut mentioned)?);
                if let Some(check) = self.catalog.checks().iter().find(|check| check.id == tally.check)
                    && !check.params.is_empty()
                {
                    parameters.insert(check.id.to_string(), check.params.clone());
                }
            }
            controls.push(ReportControl { control: control.clone(), verdict, checks });
        }
        let named: Vec<&CheckId> = framework.controls.iter().flat_map(|control| &control.checks).collect();
        let findings = self
            .finding_list(Some("open"), None, None)
            .into_iter()
            .filter(|finding| named.contains(&&finding.check))
            .collect();
        let status = self.status();
        Ok(ReportDocument {
            version: REPORT_VERSION,
            generated_at: at,
            probity: env!("CARGO_PKG_VERSION").to_owned(),
            tenant: self.vault.tenant().to_owned(),
            framework_id: framework.id.to_string(),
            framework_title: framework.title.clone(),
            framework_version: framework.version.clone(),
            publisher: framework.publisher.clone(),
            reference: framework.reference.clone(),
            scope: name,
            slot,
            provisional: true,
            catalogue: self.catalogue,
            ledger: self.report_ledger(&status),
            inventory: InventorySummary {
                operations: status.inventory.operations,
                documented: status.inventory.documented,
                shadow: status.inventory.shadow,
                zombie: status.inventory.zombie,
                orphan: status.inventory.orphan,
                unowned: status.inventory.unowned,
                calls_recorded: status.records.recorded,
                calls_lost: status.records.lost,
            },
            controls,
            findings,
            parameters,
        })
    }

    fn report_ledger(&self, status: &super::Status) -> LedgerSummary {
        let log = |id: LogId, size: u64, root: &str| LogSummary {
            size,
            root: root.to_owned(),
            checkpoint: self.ledger.checkpoint(id).as_str().to_owned(),
        };
        LedgerSummary {
            verified: status.ledger.verified,
            note: status.ledger.note.clone(),
            evidence: log(LogId::Evidence, status.ledger.evidence.size, &status.ledger.evidence.root),
            verdicts: log(LogId::Verdicts, status.ledger.verdicts.size, &status.ledger.verdicts.root),
            key: self.ledger.verifier(LogId::Evidence).encode(),
        }
    }

    fn report_check(
        &self,
        id: &CheckId,
        tally: probity_model::verdict::CheckTally,
        scope: &str,
        mentioned: &mut BTreeMap<Digest, Option<u64>>,
    ) -> anyhow::Result<ReportCheck> {
        let check = self.catalog.checks().iter().find(|check| check.id == *id);
        let standing = self.scopes.iter().find(|known| known.name == scope).map(|scope| &scope.standing);
        let mut references: Vec<_> = standing
            .into_iter()
            .flat_map(|standing| standing.latest_of(std::slice::from_ref(id)).collect::<Vec<_>>())
            .collect();
        references.sort_by_key(|reference| match reference.status {
            Status::Fail => 0,
            Status::NoEvidence => 1,
            Status::Pass => 2,
            Status::NotApplicable => 3,
        });
        let outcomes_total = references.len();
        let mut outcomes = Vec::new();
        for reference in references.iter().take(MAX_OUTCOMES) {
            let known = mentioned.get(&reference.evidence).copied();
            let explained = match known {
                // Given already, where the evidence was mentioned first.
                Some(ledger_index) => self.outcome_of(reference).map(|outcome| ExplainedOutcome {
                    outcome: outcome.clone(),
                    evidence: None,
                    ledger_index,
                }),
                None => self.explained(reference)?,
            };
            let Some(explained) = explained else { continue };
            mentioned.insert(reference.evidence, explained.ledger_index);
            outcomes.push(ReportOutcome {
                outcome: explained.outcome,
                evidence: explained.evidence,
                ledger_index: explained.ledger_index,
            });
        }
        Ok(ReportCheck {
            id: id.to_string(),
            title: check.map(|check| check.title.clone()),
            remediation: check.map(|check| check.remediation.clone()),
            passes_on: check.map(|check| check.passes_on.clone()).unwrap_or_default(),
            tally,
            outcomes,
            outcomes_total,
        })
    }
}
