//! From outcomes to verdicts: the algebra of control x scope x hour. Pure; no clock, no store, no cryptography.
//!
//! [`Standing`] holds where each (check, subject) stands inside one scope and is fed outcome by outcome, so that one
//! changed operation costs its own checks only. [`verdicts`] reads a standing through a framework. What counts as an
//! outcome is `probity-policy`'s; sealing verdicts is `probity-ledger`'s.

mod remainder;
mod standing;

pub use remainder::{Attestation, Exception, Remainder};
pub use standing::{Scope, Standing};

use std::collections::BTreeSet;

use probity_model::control::Control;
use probity_model::verdict::{
    CheckTally, MAX_DECIDING, MissingBecause, MissingEvidence, OutcomeRef, PartialBecause, Slot,
    VERDICT_VERSION,
};
use probity_model::{CheckId, Digest, Framework, Mode, Status, Verdict, VerdictStatus};

/// Subjects named for one check without evidence; the tally counts them all.
pub const MAX_MISSING_SUBJECTS: usize = 20;

/// What the verdicts of one slot are computed from, besides the standing.
#[derive(Clone, Copy, Debug)]
pub struct Assessment<'a> {
    pub scope: &'a str,
    pub slot: Slot,
    pub catalogue: Digest,
    /// Checks that this version can judge.
    pub known: &'a BTreeSet<CheckId>,
    pub remainder: &'a Remainder,
}

/// One verdict for each control of `framework`, in its order.
pub fn verdicts(framework: &Framework, standing: &Standing, assessment: Assessment<'_>) -> Vec<Verdict> {
    framework.controls.iter().map(|control| verdict(framework, control, standing, assessment)).collect()
}

/// First match wins: failed, all not applicable, evidence missing, remainder open, met.
pub fn verdict(
    framework: &Framework,
    control: &Control,
    standing: &Standing,
    assessment: Assessment<'_>,
) -> Verdict {
    let checks: Vec<CheckTally> = control.checks.iter().map(|check| standing.tally(check)).collect();
    let missing = missing(control, standing, assessment.known);
    let failures = deciding_failures(control, standing);
    let (status, partial) = if !failures.is_empty() {
        let excepted = failures.iter().all(|failure| {
            assessment.remainder.excepts(&framework.id, &control.id, failure, assessment.slot.to)
        });
        match excepted {
            true => (VerdictStatus::Partial, Some(PartialBecause::Exception)),
            false => (VerdictStatus::NotMet, None),
        }
    } else if all_not_applicable(&checks) {
        (VerdictStatus::NotApplicable, None)
    } else if !missing.is_empty() || checks.is_empty() && control.mode == Mode::Auto {
        (VerdictStatus::NoEvidence, None)
    } else if control.mode != Mode::Auto
        && !assessment.remainder.attested(&framework.id, &control.id, assessment.slot.to)
    {
        (VerdictStatus::Partial, Some(PartialBecause::Remainder))
    } else {
        (VerdictStatus::Met, None)
    };
    let outcomes = match failures.is_empty() {
        false => failures.into_iter().take(MAX_DECIDING).collect(),
        true => standing.latest_of(&control.checks).take(MAX_DECIDING).collect(),
    };
    Verdict {
        version: VERDICT_VERSION,
        framework: framework.id.clone(),
        control: control.id.clone(),
        scope: assessment.scope.to_owned(),
        slot: assessment.slot,
        status,
        partial,
        missing,
        checks,
        outcomes,
        catalogue: assessment.catalogue,
    }
}

fn deciding_failures(control: &Control, standing: &Standing) -> Vec<OutcomeRef> {
    control.checks.iter().flat_map(|check| standing.failures(check)).collect()
}

fn all_not_applicable(checks: &[CheckTally]) -> bool {
    !checks.is_empty()
        && checks.iter().all(|tally| {
            tally.not_applicable > 0 && tally.pass == 0 && tally.fail == 0 && tally.no_evidence == 0
        })
}

fn missing(control: &Control, standing: &Standing, known: &BTreeSet<CheckId>) -> Vec<MissingEvidence> {
    let mut out = Vec::new();
    for check in &control.checks {
        if !known.contains(check) {
            out.push(MissingEvidence {
                check: check.clone(),
                because: MissingBecause::NotInThisVersion,
                subjects: Vec::new(),
            });
            continue;
        }
        let tally = standing.tally(check);
        let judged = tally.pass + tally.fail + tally.not_applicable + tally.no_evidence;
        if judged == 0 || tally.no_evidence > 0 {
            let subjects = standing
                .with_status(check, Status::NoEvidence)
                .take(MAX_MISSING_SUBJECTS)
                .map(|outcome| outcome.subject)
                .collect();
            out.push(MissingEvidence { check: check.clone(), because: MissingBecause::NoData, subjects });
        }
    }
    out
}

#[cfg(test)]
mod tests;
