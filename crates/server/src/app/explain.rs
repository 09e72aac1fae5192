//! `probity explain`: a finding, a call, a check or a control, traced to what it rests on.

use probity_events::Record;
use probity_model::verdict::OutcomeRef;
use probity_model::{
    Bundle, Check, Control, Decision, Digest, Exchange, Finding, Outcome, RequestId, Status, Timestamp,
    Verdict,
};
use serde::{Deserialize, Serialize};

use super::App;
use super::command::ExplainedOutcome;
use crate::clock::now;

/// Outcomes of one check that an explanation lists.
const MAX_OUTCOMES: usize = 40;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "explains")]
pub enum Explanation {
    Finding {
        finding: Box<Finding>,
        check: Option<Box<Check>>,
        outcome: Option<Box<ExplainedOutcome>>,
        /// Framework and control that name the check.
        controls: Vec<(String, String)>,
    },
    Call {
        exchange: Box<Exchange>,
        operation: String,
        /// What the gateway decided, in the order of its stages.
        decisions: Vec<ExplainedDecision>,
        /// Sections in force for the call and their modes: what was judged and found nothing.
        enforced: Vec<(String, String)>,
        /// Open findings of the operation.
        findings: Vec<Finding>,
    },
    Check {
        check: Box<Check>,
        controls: Vec<(String, String)>,
        outcomes: Vec<Outcome>,
        total: usize,
    },
    Control {
        framework: String,
        control: Box<Control>,
        verdicts: Vec<Verdict>,
        outcomes: Vec<ExplainedOutcome>,
    },
}

/// One decision with what it counts for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExplainedDecision {
    pub decision: Decision,
    /// Of the check; empty where this version has none of that name.
    pub title: String,
    pub controls: Vec<(String, String)>,
    /// When the revision that decided came into force.
    pub in_force_since: Option<Timestamp>,
}

impl App {
    pub(super) fn explain(&self, what: &str) -> anyhow::Result<Explanation> {
        if what.starts_with("f-") {
            return self.explain_finding(what);
        }
        if let Some(id) = RequestId::parse(what) {
            return self.explain_call(id);
        }
        if let Some(check) = self.catalog.checks().iter().find(|check| check.id.as_str() == what) {
            return Ok(self.explain_check(check));
        }
        if let Some(explanation) = self.explain_control(what)? {
            return Ok(explanation);
        }
        anyhow::bail!(
            "`{what}` names nothing here; expected a finding (`f-...`), a request id (a UUID), a check \
             (`authn-required`) or a control (`pci-dss-4.0.1/6.4.2`, `API1:2023`)"
        )
    }

    fn explain_finding(&self, what: &str) -> anyhow::Result<Explanation> {
        let finding = self.finding_named(what)?;
        let check = self.catalog.checks().iter().find(|check| check.id == finding.check);
        let outcome = self.outcomes.get(&(finding.subject.clone(), finding.check.clone()));
        let outcome =
            outcome.map(|outcome| self.with_evidence(outcome.clone(), finding.evidence)).transpose()?;
        Ok(Explanation::Finding {
            controls: self.controls_of(&finding.check),
            check: check.cloned().map(Box::new),
            outcome: outcome.map(Box::new),
            finding: Box::new(finding),
        })
    }

    fn explain_call(&self, id: RequestId) -> anyhow::Result<Explanation> {
        let record = self.events.reader(1).find_map(|record| match record {
            Ok(Record::Exchange(call)) if call.request_id == id => Some(call),
            _ => None,
        });
        let Some(exchange) = record else { anyhow::bail!("no record has the request id `{id}`") };
        let operation = format!("{} {} {}", exchange.service, exchange.method, exchange.path.display());
        let findings = self
            .findings
            .values()
            .filter(|finding| finding.subject.id == operation && finding.state.as_str() == "open")
            .cloned()
            .collect();
        let bundle = self.handle.block_on(self.store.bundle(exchange.revision))?;
        let bundle: Option<Bundle> = bundle.map(|signed| serde_json::from_str(&signed.bundle)).transpose()?;
        let service = bundle
            .as_ref()
            .and_then(|bundle| bundle.services.iter().find(|service| service.id == exchange.service));
        let decisions = exchange
            .decisions
            .iter()
            .map(|decision| ExplainedDecision {
                decision: decision.clone(),
                title: self
                    .catalog
                    .checks()
                    .iter()
                    .find(|check| check.id == decision.check)
                    .map_or_else(String::new, |check| check.title.clone()),
                controls: self.controls_of(&decision.check),
                in_force_since: bundle.as_ref().map(|bundle| bundle.created_at),
            })
            .collect();
        let enforced = service.map_or_else(Vec::new, super::policy::modes);
        Ok(Explanation::Call { exchange: Box::new(exchange), operation, decisions, enforced, findings })
    }

    fn explain_check(&self, check: &Check) -> Explanation {
        let mut outcomes: Vec<Outcome> =
            self.outcomes.values().filter(|outcome| outcome.check == check.id).cloned().collect();
        outcomes.sort_by_key(|outcome| match outcome.status {
            Status::Fail => 0,
            Status::NoEvidence => 1,
            Status::Pass => 2,
            Status::NotApplicable => 3,
        });
        let total = outcomes.len();
        outcomes.truncate(MAX_OUTCOMES);
        Explanation::Check {
            check: Box::new(check.clone()),
            controls: self.controls_of(&check.id),
            outcomes,
            total,
        }
    }

    /// `framework/control`, or a control's id that only one framework has.
    fn explain_control(&self, what: &str) -> anyhow::Result<Option<Explanation>> {
        let (wanted, id) = match what.split_once('/') {
            Some((framework, id)) => (Some(framework), id),
            None => (None, what),
        };
        let mut matching = Vec::new();
        for framework in self.catalog.frameworks() {
            if wanted.is_none_or(|wanted| framework.id.as_str() == wanted) {
                let found = framework.controls.iter().filter(|control| control.id.as_str() == id);
                matching.extend(found.map(|control| (framework, control)));
            }
        }
        let [(framework, control)] = matching.as_slice() else {
            if matching.is_empty() {
                return Ok(None);
            }
            let names: Vec<String> = matching.iter().map(|(f, c)| format!("{}/{}", f.id, c.id)).collect();
            anyhow::bail!("`{what}` is a control of several frameworks: {}", names.join(", "));
        };
        let verdicts: Vec<Verdict> = self
            .verdicts(self.open_slot(now()))
            .into_iter()
            .filter(|verdict| verdict.framework == framework.id && verdict.control == control.id)
            .collect();
        let mut outcomes = Vec::new();
        for reference in verdicts.iter().flat_map(|verdict| &verdict.outcomes).take(MAX_OUTCOMES) {
            outcomes.extend(self.explained(reference)?);
        }
        Ok(Some(Explanation::Control {
            framework: framework.id.to_string(),
            control: Box::new((*control).clone()),
            verdicts,
            outcomes,
        }))
    }

    /// The outcome behind a reference with its evidence and ledger index.
    pub(super) fn explained(&self, reference: &OutcomeRef) -> anyhow::Result<Option<ExplainedOutcome>> {
        let Some(outcome) = self.outcome_of(reference) else { return Ok(None) };
        self.with_evidence(outcome.clone(), reference.evidence).map(Some)
    }

    pub(super) fn outcome_of(&self, reference: &OutcomeRef) -> Option<&Outcome> {
        self.outcomes.get(&(reference.subject.clone(), reference.check.clone()))
    }

    fn with_evidence(&self, outcome: Outcome, digest: Digest) -> anyhow::Result<ExplainedOutcome> {
        let row = self.handle.block_on(self.store.evidence(&digest))?;
        Ok(ExplainedOutcome {
            outcome,
            evidence: row.as_ref().map(|row| serde_json::from_slice(&row.bytes)).transpose()?,
            ledger_index: row.and_then(|row| row.ledger_index),
        })
    }

    pub(super) fn controls_of(&self, check: &probity_model::CheckId) -> Vec<(String, String)> {
        self.catalog
            .frameworks()
            .iter()
            .flat_map(|framework| {
                let named = framework.controls.iter().filter(|control| control.checks.contains(check));
                named.map(|control| (framework.id.to_string(), control.id.to_string()))
            })
            .collect()
    }
}
