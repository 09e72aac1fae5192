//! Random histories of writes, against the same history in plain collections.

use std::collections::BTreeMap;

use probity_model::{CheckId, Finding, Outcome, Severity, Status, Subject, SubjectKind};
use probity_store::{Act, FindingFilter, OutcomeFilter, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::databases::Place;
use crate::fixtures::{digest, finding, finding_states, outcome};

const CASES: u32 = 48;

on_each_database!(outcomes_follow_the_model, findings_follow_the_model, any_state_and_document_comes_back);

/// Few ids, so that histories meet themselves; among them every kind of character.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab%_\\\\]{0,2}",
        1 => proptest::collection::vec(any::<char>(), 0..4).prop_map(|text| text.into_iter().collect()),
    ]
}

fn a_subject() -> impl Strategy<Value = Subject> {
    let kind = prop_oneof![Just(SubjectKind::Service), Just(SubjectKind::Operation)];
    (kind, id()).prop_map(|(kind, id)| Subject::new(kind, id))
}

fn status() -> impl Strategy<Value = Status> {
    proptest::sample::select(vec![Status::Pass, Status::Fail, Status::NotApplicable, Status::NoEvidence])
}

fn check_id() -> impl Strategy<Value = CheckId> {
    id().prop_map(CheckId::from)
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<Outcome>),
    Forget(Subject),
    Read(OutcomeFilter),
}

fn step() -> impl Strategy<Value = Step> {
    let one = (a_subject(), id(), status(), any::<String>())
        .prop_map(|(subject, check, status, text)| outcome(subject, &check, status, &text));
    let filter =
        (proptest::option::of(check_id()), proptest::option::of(a_subject()), proptest::option::of(status()))
            .prop_map(|(check, subject, status)| OutcomeFilter { check, subject, status });
    prop_oneof![
        3 => proptest::collection::vec(one, 0..6).prop_map(Step::Put),
        1 => a_subject().prop_map(Step::Forget),
        2 => filter.prop_map(Step::Read),
    ]
}

/// The same values in every run; what one case leaves in the store, the next begins with.
fn generated<S: Strategy>(strategy: &S) -> Vec<S::Value> {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// The store's order of text is that of its keys, where NUL and backslash are written as two characters.
fn in_key_order(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\0', "\\0")
}

async fn outcomes_follow_the_model(place: Place) {
    let store = place.open().await;
    let mut model: BTreeMap<(Subject, CheckId), Outcome> = BTreeMap::new();
    for history in generated(&proptest::collection::vec(step(), 1..8)) {
        for step in history {
            match step {
                Step::Put(outcomes) => {
                    store.put_outcomes(&outcomes).await.unwrap();
                    model.extend(
                        outcomes.into_iter().map(|one| ((one.subject.clone(), one.check.clone()), one)),
                    );
                }
                Step::Forget(subject) => {
                    store.forget_subject(&subject).await.unwrap();
                    model.retain(|(known, _), _| *known != subject);
                }
                Step::Read(filter) => same_outcomes(&store, &model, &filter).await,
            }
        }
        same_outcomes(&store, &model, &OutcomeFilter::default()).await;
    }
    assert!(model.len() > 20, "the histories were too short to say anything: {}", model.len());
}

async fn same_outcomes(store: &Store, model: &BTreeMap<(Subject, CheckId), Outcome>, filter: &OutcomeFilter) {
    let mut expected: Vec<&Outcome> = model
        .values()
        .filter(|one| filter.check.as_ref().is_none_or(|check| *check == one.check))
        .filter(|one| filter.subject.as_ref().is_none_or(|subject| *subject == one.subject))
        .filter(|one| filter.status.is_none_or(|status| status == one.status))
        .collect();
    expected.sort_by_key(|one| {
        (in_key_order(one.check.as_str()), one.subject.kind.as_str(), in_key_order(&one.subject.id))
    });
    let read = store.outcomes(filter).await.unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{filter:?}");
}

fn severity() -> impl Strategy<Value = Severity> {
    use Severity::{Critical, High, Info, Low, Medium};
    proptest::sample::select(vec![Info, Low, Medium, High, Critical])
}

fn a_finding() -> impl Strategy<Value = Finding> {
    (id(), severity(), 0..4_i64, 0..4_usize, a_subject(), check_id()).prop_map(
        |(id, severity, seen, state, subject, check)| Finding {
            subject,
            check,
            ..finding(&id, severity, seen, finding_states(&id)[state].clone())
        },
    )
}

fn finding_filter() -> impl Strategy<Value = FindingFilter> {
    let states = ["open", "mitigated", "fixed", "muted"].map(str::to_owned).to_vec();
    (
        proptest::option::of(proptest::sample::select(states)),
        proptest::option::of(severity()),
        proptest::option::of(check_id()),
        proptest::option::weighted(0.3, a_subject()),
    )
        .prop_map(|(state, at_least, check, subject)| FindingFilter { state, at_least, check, subject })
}

async fn findings_follow_the_model(place: Place) {
    let store = place.open().await;
    let mut model: BTreeMap<String, Finding> = BTreeMap::new();
    let history =
        (proptest::collection::vec(a_finding(), 0..8), proptest::collection::vec(finding_filter(), 4), id());
    for (batch, filters, prefix) in generated(&history) {
        store.put_findings(&batch).await.unwrap();
        model.extend(batch.into_iter().map(|one| (one.id.as_str().to_owned(), one)));
        for filter in filters.iter().chain([&FindingFilter::default()]) {
            let mut expected: Vec<&Finding> = model
                .values()
                .filter(|one| filter.state.as_ref().is_none_or(|state| state == one.state.as_str()))
                .filter(|one| filter.at_least.is_none_or(|least| one.severity >= least))
                .filter(|one| filter.check.as_ref().is_none_or(|check| *check == one.check))
                .filter(|one| filter.subject.as_ref().is_none_or(|subject| *subject == one.subject))
                .collect();
            expected.sort_by_key(|one| {
                (std::cmp::Reverse((one.severity, one.last_seen)), in_key_order(one.id.as_str()))
            });
            let read = store.findings(filter).await.unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        }
        let mut expected: Vec<&Finding> =
            model.values().filter(|one| one.id.as_str().starts_with(&prefix)).collect();
        expected.sort_by_key(|one| in_key_order(one.id.as_str()));
        let read = store.finding(&prefix).await.unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{prefix:?}");
    }
    assert!(model.len() > 20, "the histories were too short to say anything: {}", model.len());
}

fn json() -> impl Strategy<Value = Value> {
    let finite = any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

async fn any_state_and_document_comes_back(place: Place) {
    let store = place.open().await;
    let row = (any::<String>(), any::<Vec<u8>>(), json());
    let mut model = BTreeMap::new();
    for (key, value, document) in generated(&row) {
        let key: String = key.chars().take(100).collect();
        store.put_state(&key, &value).await.unwrap();
        let act = Act {
            at: probity_model::Timestamp(1),
            actor: key.clone(),
            kind: key.clone(),
            document,
            digest: digest(1),
            ledger_index: None,
        };
        store.put_act(&act).await.unwrap();
        assert_eq!(store.acts(1).await.unwrap(), [act]);
        model.insert(key, value);
    }
    for (key, value) in model {
        assert_eq!(store.state(&key).await.unwrap(), Some(value), "{key:?}");
    }
}
