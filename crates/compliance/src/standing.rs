//! Where each (check, subject) of one scope stands: its latest outcome, and whether it failed inside the open slot.

use std::collections::BTreeMap;

use probity_model::verdict::{CheckTally, OutcomeRef};
use probity_model::{CheckId, Outcome, Status, Subject, SubjectKind};

/// An assessment's boundary: which subjects count. A failure outside never counts inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every subject.
    Everything,
    /// The named services with what belongs to them, and the subjects that belong to no service.
    Services(Vec<String>),
}

impl Scope {
    pub fn contains(&self, subject: &Subject) -> bool {
        let Self::Services(services) = self else { return true };
        match subject.kind {
            SubjectKind::Service => services.contains(&subject.id),
            SubjectKind::Operation | SubjectKind::Field => {
                let service = subject.id.split(' ').next().unwrap_or_default();
                services.iter().any(|name| name == service)
            }
            _ => true,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct CheckStanding {
    latest: BTreeMap<Subject, OutcomeRef>,
    /// The first failing outcome of each subject that failed in the open slot.
    failed: BTreeMap<Subject, OutcomeRef>,
    counts: [u64; 4],
}

/// Fed outcome by outcome; `counts` always equals what a recount of `latest` would give.
#[derive(Clone, Debug)]
pub struct Standing {
    scope: Scope,
    checks: BTreeMap<CheckId, CheckStanding>,
}

impl Standing {
    pub fn new(scope: Scope) -> Self {
        Self { scope, checks: BTreeMap::new() }
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Takes one outcome in; outside the scope it is no one's.
    pub fn observe(&mut self, outcome: &Outcome) {
        if !self.scope.contains(&outcome.subject) {
            return;
        }
        let reference = OutcomeRef {
            subject: outcome.subject.clone(),
            check: outcome.check.clone(),
            status: outcome.status,
            evidence: outcome.evidence,
        };
        let standing = self.checks.entry(outcome.check.clone()).or_default();
        if outcome.status == Status::Fail {
            standing.failed.entry(outcome.subject.clone()).or_insert_with(|| reference.clone());
        }
        standing.count(outcome.status, 1);
        if let Some(previous) = standing.latest.insert(outcome.subject.clone(), reference) {
            standing.count(previous.status, -1);
        }
    }

    /// The subject is gone (an undone merge, a removed service): it no longer stands anywhere. What failed inside
    /// the open slot stays failed for that slot.
    pub fn forget(&mut self, subject: &Subject) {
        for standing in self.checks.values_mut() {
            if let Some(previous) = standing.latest.remove(subject) {
                standing.count(previous.status, -1);
            }
        }
    }

    /// A new slot begins: only what still fails has failed in it.
    pub fn begin_slot(&mut self) {
        for standing in self.checks.values_mut() {
            standing.failed = standing
                .latest
                .iter()
                .filter(|(_, outcome)| outcome.status == Status::Fail)
                .map(|(subject, outcome)| (subject.clone(), outcome.clone()))
                .collect();
        }
    }

    pub fn tally(&self, check: &CheckId) -> CheckTally {
        let (counts, failed) = match self.checks.get(check) {
            Some(standing) => (standing.counts, standing.failed.len()),
            None => ([0; 4], 0),
        };
        let [pass, fail, not_applicable, no_evidence] = counts;
        CheckTally {
            check: check.clone(),
            pass,
            fail,
            not_applicable,
            no_evidence,
            failed_in_slot: failed as u64,
        }
    }

    /// Everything that failed at any moment of the open slot.
    pub fn failures(&self, check: &CheckId) -> impl Iterator<Item = OutcomeRef> + '_ {
        self.checks.get(check).into_iter().flat_map(|standing| standing.failed.values().cloned())
    }

    pub fn with_status(&self, check: &CheckId, status: Status) -> impl Iterator<Item = OutcomeRef> + '_ {
        self.checks
            .get(check)
            .into_iter()
            .flat_map(move |standing| standing.latest.values().filter(move |o| o.status == status).cloned())
    }

    /// Latest outcomes of the named checks, in their order.
    pub fn latest_of<'a>(&'a self, checks: &'a [CheckId]) -> impl Iterator<Item = OutcomeRef> + 'a {
        checks
            .iter()
            .filter_map(|check| self.checks.get(check))
            .flat_map(|standing| standing.latest.values().cloned())
    }
}

impl CheckStanding {
    fn count(&mut self, status: Status, by: i64) {
        let [pass, fail, not_applicable, no_evidence] = &mut self.counts;
        let slot = match status {
            Status::Pass => pass,
            Status::Fail => fail,
            Status::NotApplicable => not_applicable,
            Status::NoEvidence => no_evidence,
        };
        *slot = slot.saturating_add_signed(by);
    }
}
