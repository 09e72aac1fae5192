use probity_model::outcome::OUTCOME_VERSION;
use probity_model::{Control, Outcome, Subject, SubjectKind, Timestamp};
use proptest::prelude::*;

use super::*;

const AT: Timestamp = Timestamp::from_seconds(7_200);

fn outcome(check: &str, subject: &str, status: Status) -> Outcome {
    Outcome {
        version: OUTCOME_VERSION,
        subject: Subject::new(SubjectKind::Operation, subject),
        check: check.into(),
        status,
        reasons: Vec::new(),
        drift: Vec::new(),
        evidence: Digest([1; 32]),
        catalogue: Digest::default(),
        from: AT,
        to: AT,
    }
}

fn framework(checks: &[&str], mode: Mode) -> Framework {
    Framework {
        id: "f".into(),
        title: "f".into(),
        version: "1".into(),
        publisher: "p".into(),
        reference: None,
        controls: vec![Control {
            id: "1".into(),
            title: "t".into(),
            mode,
            checks: checks.iter().map(|check| (*check).into()).collect(),
            parameters: Default::default(),
            verified: true,
            source: None,
        }],
    }
}

fn slot() -> Slot {
    Slot { from: Timestamp::from_seconds(3_600), to: AT, short: false }
}

fn exception(subject: &str) -> Exception {
    Exception {
        framework: "f".into(),
        control: "1".into(),
        check: "a".into(),
        subject: Subject::new(SubjectKind::Operation, subject),
        from: Timestamp(0),
        until: Timestamp::from_seconds(9_000),
        reason: "r".into(),
        by: "b".into(),
    }
}

fn judge(framework: &Framework, standing: &Standing, remainder: &Remainder) -> Verdict {
    let known: BTreeSet<CheckId> = ["a", "b"].into_iter().map(CheckId::from).collect();
    let assessment =
        Assessment { scope: "all", slot: slot(), catalogue: Digest::default(), known: &known, remainder };
    verdicts(framework, standing, assessment).remove(0)
}

use Status::{Fail, NoEvidence, NotApplicable, Pass};

/// One row of the algebra: checks of the control, outcomes in order, mode, expected.
#[test]
fn the_algebra_as_a_table() {
    type Row =
        (&'static [&'static str], &'static [(&'static str, &'static str, Status)], Mode, VerdictStatus);
    let rows: &[Row] = &[
        (&["a"], &[("a", "s x /", Pass)], Mode::Auto, VerdictStatus::Met),
        (&["a"], &[("a", "s x /", Pass), ("a", "s y /", Fail)], Mode::Auto, VerdictStatus::NotMet),
        (&["a"], &[("a", "s x /", Fail), ("a", "s x /", Pass)], Mode::Auto, VerdictStatus::NotMet),
        (&["a"], &[("a", "s x /", NotApplicable)], Mode::Auto, VerdictStatus::NotApplicable),
        (&["a", "b"], &[("a", "s x /", NotApplicable)], Mode::Auto, VerdictStatus::NoEvidence),
        (&["a", "b"], &[("a", "s x /", NotApplicable), ("b", "s x /", Pass)], Mode::Auto, VerdictStatus::Met),
        (&["a", "z"], &[("a", "s x /", Pass)], Mode::Auto, VerdictStatus::NoEvidence),
        (&["a", "z"], &[("a", "s x /", Fail)], Mode::Auto, VerdictStatus::NotMet),
        (&["a"], &[("a", "s x /", Pass), ("a", "s y /", NoEvidence)], Mode::Auto, VerdictStatus::NoEvidence),
        (&["a"], &[("a", "s x /", NoEvidence), ("a", "s x /", Pass)], Mode::Auto, VerdictStatus::Met),
        (&["a"], &[], Mode::Auto, VerdictStatus::NoEvidence),
        (&["a"], &[("a", "s x /", Pass)], Mode::Partial, VerdictStatus::Partial),
        (&["a"], &[("a", "s x /", NoEvidence)], Mode::Partial, VerdictStatus::NoEvidence),
        (&[], &[], Mode::Auto, VerdictStatus::NoEvidence),
        (&[], &[], Mode::Attest, VerdictStatus::Partial),
    ];
    for (index, (checks, outcomes, mode, expected)) in rows.iter().enumerate() {
        let mut standing = Standing::new(Scope::Everything);
        for (check, subject, status) in *outcomes {
            standing.observe(&outcome(check, subject, *status));
        }
        let verdict = judge(&framework(checks, *mode), &standing, &Remainder::default());
        assert_eq!(verdict.status, *expected, "row {index}");
    }
}

#[test]
fn exceptions_excuse_only_when_they_cover_every_failure() {
    let mut standing = Standing::new(Scope::Everything);
    standing.observe(&outcome("a", "s x /", Fail));
    let mut remainder = Remainder { exceptions: vec![exception("s x /")], ..Remainder::default() };
    let verdict = judge(&framework(&["a"], Mode::Auto), &standing, &remainder);
    assert_eq!((verdict.status, verdict.partial), (VerdictStatus::Partial, Some(PartialBecause::Exception)));

    standing.observe(&outcome("a", "s y /", Fail));
    assert_eq!(judge(&framework(&["a"], Mode::Auto), &standing, &remainder).status, VerdictStatus::NotMet);

    remainder.exceptions.push(Exception { until: Timestamp::from_seconds(7_100), ..exception("s y /") });
    let expired = judge(&framework(&["a"], Mode::Auto), &standing, &remainder);
    assert_eq!(expired.status, VerdictStatus::NotMet);
}

#[test]
fn an_attestation_covers_the_remainder_while_it_is_current() {
    let mut standing = Standing::new(Scope::Everything);
    standing.observe(&outcome("a", "s x /", Pass));
    let mut attestation = Attestation {
        framework: "f".into(),
        control: "1".into(),
        from: Timestamp(0),
        until: AT,
        statement: "done".into(),
        by: "ciso".into(),
    };
    let met = Remainder { attestations: vec![attestation.clone()], ..Remainder::default() };
    assert_eq!(judge(&framework(&["a"], Mode::Partial), &standing, &met).status, VerdictStatus::Met);
    attestation.until = Timestamp(1);
    let stale = Remainder { attestations: vec![attestation], ..Remainder::default() };
    assert_eq!(judge(&framework(&["a"], Mode::Partial), &standing, &stale).status, VerdictStatus::Partial);
}

#[test]
fn a_failure_outside_the_scope_never_counts() {
    let mut standing = Standing::new(Scope::Services(vec!["pay".into()]));
    standing.observe(&outcome("a", "clinic GET /", Fail));
    standing.observe(&outcome("a", "pay GET /", Pass));
    let verdict = judge(&framework(&["a"], Mode::Auto), &standing, &Remainder::default());
    assert_eq!(verdict.status, VerdictStatus::Met);
    assert_eq!(verdict.outcomes.len(), 1);
}

#[test]
fn a_new_slot_forgets_what_was_mended() {
    let mut standing = Standing::new(Scope::Everything);
    standing.observe(&outcome("a", "s x /", Fail));
    standing.observe(&outcome("a", "s x /", Pass));
    standing.begin_slot();
    assert_eq!(
        judge(&framework(&["a"], Mode::Auto), &standing, &Remainder::default()).status,
        VerdictStatus::Met
    );
}

#[test]
fn missing_tells_not_in_this_version_from_no_data() {
    let verdict =
        judge(&framework(&["b", "z"], Mode::Auto), &Standing::new(Scope::Everything), &Remainder::default());
    let because: Vec<_> = verdict.missing.iter().map(|missing| missing.because).collect();
    assert_eq!(because, [MissingBecause::NoData, MissingBecause::NotInThisVersion]);
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Pass), Just(Fail), Just(NotApplicable), Just(NoEvidence)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Feeding outcomes one by one keeps the counts that a recount gives, and met is never reached over a failure
    /// or over missing evidence.
    #[test]
    fn tallies_agree_with_a_recount(events in prop::collection::vec((0..2usize, 0..5usize, any_status()), 0..40)) {
        let mut standing = Standing::new(Scope::Everything);
        let mut latest = std::collections::BTreeMap::new();
        let mut failed = false;
        for (check, subject, status) in events {
            let check = ["a", "b"][check];
            standing.observe(&outcome(check, &format!("s {subject} /"), status));
            latest.insert((check, subject), status);
            failed |= status == Fail;
        }
        for check in ["a", "b"] {
            let tally = standing.tally(&check.into());
            let count = |status| latest.iter().filter(|((c, _), s)| *c == check && **s == status).count() as u64;
            prop_assert_eq!(
                [tally.pass, tally.fail, tally.not_applicable, tally.no_evidence],
                [count(Pass), count(Fail), count(NotApplicable), count(NoEvidence)]
            );
        }
        let verdict = judge(&framework(&["a", "b"], Mode::Auto), &standing, &Remainder::default());
        prop_assert_eq!(failed, verdict.status == VerdictStatus::NotMet);
        if verdict.status == VerdictStatus::Met {
            prop_assert!(latest.values().all(|status| matches!(status, Pass | NotApplicable)));
        }
    }
}
