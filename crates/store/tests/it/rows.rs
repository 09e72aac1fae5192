//! Each noun: what is written comes back, what replaces what, in which order, and what is refused.

use std::collections::BTreeMap;

use probity_model::finding::FindingState;
use probity_model::inventory::OperationSettings;
use probity_model::{OperationId, Severity, Status, Subject, SubjectKind, Timestamp};
use probity_store::{
    Act, ConsumerRow, CredentialRow, Delivery, EvidenceRow, FindingFilter, MAX_NAME_BYTES, MAX_SUBJECT_BYTES,
    OutcomeFilter, RemainderRow, RevocationRow, SegmentRow, SlotRow, StoreError,
};

use crate::databases::Place;
use crate::fixtures::{
    ODD, digest, document, finding, finding_states, operation, outcome, settings, signed_bundle, slot,
    subject, verdict,
};

on_each_database!(
    state_is_bytes_under_a_key,
    operations_are_replaced_and_removed,
    settings_outlive_their_operation,
    outcomes_are_one_for_each_subject_and_check,
    findings_come_worst_first,
    findings_are_found_by_the_exact_beginning_of_their_id,
    evidence_is_written_once_and_indexed_later,
    a_slot_is_kept_with_all_its_verdicts,
    acts_are_numbered,
    a_bundle_revision_is_written_once,
    segments_are_ordered_by_sequence,
    exceptions_and_attestations_are_added_in_order,
    deliveries_wait_for_their_time,
    callers_and_their_credentials,
    batches_beyond_the_bind_limit,
    what_does_not_fit_is_refused_as_a_whole,
);

/// Text in an order that no language sorts by.
fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

async fn state_is_bytes_under_a_key(place: Place) {
    let store = place.open().await;
    assert_eq!(store.state("never written").await.unwrap(), None);
    for (number, key) in ODD.iter().enumerate() {
        store.put_state(key, &[0, 255, u8::try_from(number).unwrap()]).await.unwrap();
    }
    store.put_state("empty", b"").await.unwrap();
    store.close().await.unwrap();
    let store = place.open().await;
    for (number, key) in ODD.iter().enumerate() {
        let value = store.state(key).await.unwrap().unwrap();
        assert_eq!(value, [0, 255, u8::try_from(number).unwrap()], "{key:?}");
    }
    assert_eq!(store.state("empty").await.unwrap().as_deref(), Some(&b""[..]));
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    store.put_state("empty", &large).await.unwrap();
    assert_eq!(store.state("empty").await.unwrap().unwrap(), large);
}

async fn operations_are_replaced_and_removed(place: Place) {
    let store = place.open().await;
    let all: Vec<_> = ODD.iter().map(|id| operation(id, id)).collect();
    store.put_operations(&all, &[]).await.unwrap();
    store.close().await.unwrap();
    let store = place.open().await;
    for known in &all {
        assert_eq!(store.operation(&known.id).await.unwrap().as_ref(), Some(known));
    }
    let ids: Vec<_> = store.operations().await.unwrap().into_iter().map(|operation| operation.id).collect();
    let plain: Vec<_> = ids.iter().filter(|id| !id.as_str().contains(['\0', '\\'])).cloned().collect();
    assert_eq!(plain, sorted(plain.clone()));
    assert_eq!(sorted(ids), sorted(ODD.map(OperationId::from)));

    let removed: Vec<OperationId> = all.iter().skip(1).map(|operation| operation.id.clone()).collect();
    let changed = [
        operation("new", "old"),
        operation(ODD[0], "changed"),
        operation("new", "new"),
        operation(ODD[3], "both"),
    ];
    store.put_operations(&changed, &removed).await.unwrap();
    let left = store.operations().await.unwrap();
    assert_eq!(left, [changed[1].clone(), changed[3].clone(), changed[2].clone()]);
    assert_eq!(store.operation(&"absent".into()).await.unwrap(), None);
    store.put_operations(&[], &[]).await.unwrap();
}

async fn settings_outlive_their_operation(place: Place) {
    let store = place.open().await;
    let mut expected: BTreeMap<OperationId, OperationSettings> = BTreeMap::new();
    for id in ODD {
        store.put_operation_settings(&id.into(), &OperationSettings::default()).await.unwrap();
        store.put_operation_settings(&id.into(), &settings(id)).await.unwrap();
        expected.insert(id.into(), settings(id));
    }
    store.put_operations(&[operation("a", "b")], &[]).await.unwrap();
    store.put_operations(&[], &ODD.map(OperationId::from)).await.unwrap();
    assert_eq!(store.operation_settings().await.unwrap(), expected);
}

async fn outcomes_are_one_for_each_subject_and_check(place: Place) {
    let store = place.open().await;
    let mut expected = Vec::new();
    for id in ODD {
        store.put_outcomes(&[outcome(subject(id), "check-b", Status::Fail, "before")]).await.unwrap();
        expected.push(outcome(subject(id), "check-b", Status::Pass, id));
    }
    let kinds = [SubjectKind::Service, SubjectKind::Organisation];
    expected.extend(kinds.map(|kind| outcome(Subject::new(kind, ""), "check-b", Status::NoEvidence, "")));
    expected.push(outcome(subject(""), "check-a", Status::NotApplicable, ""));
    expected.push(outcome(subject(""), "CHECK-C", Status::Fail, ""));
    let twice = outcome(subject(ODD[2]), "check-b", Status::Fail, "first of two in one call");
    let batch: Vec<_> = std::iter::once(twice).chain(expected.iter().cloned()).collect();
    store.put_outcomes(&batch).await.unwrap();
    store.put_outcomes(&[]).await.unwrap();

    let read = store.outcomes(&OutcomeFilter::default()).await.unwrap();
    assert_eq!(read.len(), expected.len());
    assert!(expected.iter().all(|outcome| read.contains(outcome)));
    let order = |outcome: &&probity_model::Outcome| !outcome.subject.id.contains(['\0', '\\']);
    let keys =
        read.iter().filter(order).map(|o| (o.check.clone(), o.subject.kind.as_str(), o.subject.id.clone()));
    let keys: Vec<_> = keys.collect();
    assert_eq!(keys, sorted(keys.clone()));

    let check = async |filter: OutcomeFilter, expected: usize| {
        assert_eq!(store.outcomes(&filter).await.unwrap().len(), expected, "{filter:?}");
    };
    let filter = OutcomeFilter::default;
    check(OutcomeFilter { check: Some("check-b".into()), ..filter() }, ODD.len() + 2).await;
    check(OutcomeFilter { check: Some("check-c".into()), ..filter() }, 0).await;
    check(OutcomeFilter { subject: Some(subject("")), ..filter() }, 3).await;
    check(OutcomeFilter { subject: Some(Subject::new(SubjectKind::Service, "")), ..filter() }, 1).await;
    check(OutcomeFilter { status: Some(Status::Pass), ..filter() }, ODD.len()).await;
    check(OutcomeFilter { status: Some(Status::Fail), subject: Some(subject("%")), ..filter() }, 0).await;
    let all = OutcomeFilter {
        check: Some("check-b".into()),
        subject: Some(subject("%")),
        status: Some(Status::Pass),
    };
    check(all, 1).await;

    store.forget_subject(&subject("")).await.unwrap();
    store.forget_subject(&subject("a\0b")).await.unwrap();
    store.forget_subject(&subject("never known")).await.unwrap();
    check(OutcomeFilter { subject: Some(subject("")), ..filter() }, 0).await;
    check(OutcomeFilter { subject: Some(Subject::new(SubjectKind::Service, "")), ..filter() }, 1).await;
    check(OutcomeFilter { subject: Some(subject("a\\0b")), ..filter() }, 1).await;
    check(filter(), expected.len() - 4).await;
}

async fn findings_come_worst_first(place: Place) {
    let store = place.open().await;
    let [open, mitigated, fixed, muted] = finding_states("so\0");
    let ordered = [
        finding("Z", Severity::Critical, i64::from(i32::MAX), open.clone()),
        finding("a", Severity::Critical, 5, mitigated),
        finding("b", Severity::High, 9, open.clone()),
        finding("A", Severity::High, 8, fixed),
        finding("B", Severity::High, 8, muted),
        finding("_", Severity::High, 8, open.clone()),
        finding("a%", Severity::High, 8, open.clone()),
        finding("é", Severity::High, 8, open.clone()),
        finding("low", Severity::Low, i64::from(i32::MAX), open.clone()),
        finding("info", Severity::Info, -5, open.clone()),
    ];
    let before = finding("b", Severity::Info, 1, FindingState::Open);
    store
        .put_findings(&[before.clone(), finding("low", Severity::Info, 1, FindingState::Open)])
        .await
        .unwrap();
    let batch: Vec<_> = std::iter::once(before).chain(ordered.iter().rev().cloned()).collect();
    store.put_findings(&batch).await.unwrap();
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(store.findings(&FindingFilter::default()).await.unwrap(), ordered);

    let check = async |filter: FindingFilter, expected: &[&str]| {
        let found = store.findings(&filter).await.unwrap();
        let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids, expected, "{filter:?}");
    };
    let filter = FindingFilter::default;
    check(FindingFilter { state: Some("mitigated".into()), ..filter() }, &["a"]).await;
    check(FindingFilter { state: Some("fixed".into()), ..filter() }, &["A"]).await;
    check(FindingFilter { state: Some("muted".into()), ..filter() }, &["B"]).await;
    check(FindingFilter { state: Some("op%".into()), ..filter() }, &[]).await;
    check(FindingFilter { at_least: Some(Severity::Critical), ..filter() }, &["Z", "a"]).await;
    check(
        FindingFilter { at_least: Some(Severity::Low), state: Some("open".into()), ..filter() },
        &["Z", "b", "_", "a%", "é", "low"],
    )
    .await;
    check(FindingFilter { subject: Some(subject("a")), ..filter() }, &["a"]).await;
    check(FindingFilter { subject: Some(Subject::new(SubjectKind::Service, "a")), ..filter() }, &[]).await;
    check(FindingFilter { check: Some("authn".into()), ..filter() }, &[]).await;
    let one = FindingFilter {
        check: Some("authn-required".into()),
        subject: Some(subject("B")),
        state: Some("muted".into()),
        at_least: Some(Severity::High),
    };
    check(one, &["B"]).await;
}

async fn findings_are_found_by_the_exact_beginning_of_their_id(place: Place) {
    let store = place.open().await;
    let hex = ["f-00", "f-0a", "f-0b", "f-ab1", "f-ab2", "f-ff", "F-AB1", "g"];
    let ids: Vec<&str> = hex.iter().chain(&ODD).copied().collect();
    let all: Vec<_> = ids.iter().map(|id| finding(id, Severity::Low, 1, FindingState::Open)).collect();
    store.put_findings(&all).await.unwrap();
    let more = [
        "f", "f-", "f-0", "f-ab", "f-ab1", "f-AB", "f_", "f%", "%a", "a", "a\\", "e", "\u{d7ff}", "nope",
        "f-ff0",
    ];
    for prefix in more.iter().chain(&ODD) {
        let found = store.finding(prefix).await.unwrap();
        let found = sorted(found.iter().map(|finding| finding.id.as_str()));
        let expected = sorted(ids.iter().copied().filter(|id| id.starts_with(prefix)));
        assert_eq!(found, expected, "{prefix:?}");
    }
    let order = store.finding("f-").await.unwrap();
    let order: Vec<&str> = order.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(order, ["f-00", "f-0a", "f-0b", "f-ab1", "f-ab2", "f-ff"]);
}

async fn evidence_is_written_once_and_indexed_later(place: Place) {
    let store = place.open().await;
    let row = |number: u64, bytes: &[u8], ledger_index| EvidenceRow {
        digest: digest(number),
        bytes: bytes.to_vec(),
        at: Timestamp(i64::try_from(number).unwrap_or(i64::MIN)),
        ledger_index,
    };
    let first = row(1, b"\0\xff first", None);
    let second = row(u64::MAX, b"", Some(7));
    store
        .put_evidence(&[first.clone(), second.clone(), row(1, b"same digest in one call", None)])
        .await
        .unwrap();
    store.put_evidence(&[row(1, b"other", None), row(u64::MAX, b"other", Some(9))]).await.unwrap();
    store.put_evidence(&[]).await.unwrap();
    assert_eq!(store.evidence(&digest(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(store.evidence(&digest(u64::MAX)).await.unwrap(), Some(second));
    assert_eq!(store.evidence(&digest(3)).await.unwrap(), None);

    store.set_evidence_index(&[(digest(1), 5), (digest(1), 0)]).await.unwrap();
    assert_eq!(store.evidence(&digest(1)).await.unwrap().unwrap().ledger_index, Some(0));
    let largest = i64::MAX.unsigned_abs();
    store.set_evidence_index(&[(digest(1), largest)]).await.unwrap();
    assert_eq!(store.evidence(&digest(1)).await.unwrap().unwrap().ledger_index, Some(largest));

    let unknown = store.set_evidence_index(&[(digest(1), 3), (digest(99), 4)]).await;
    assert!(matches!(unknown, Err(StoreError::Missing { .. })), "{unknown:?}");
    let large = store.set_evidence_index(&[(digest(1), largest + 1)]).await;
    assert!(matches!(large, Err(StoreError::NumberTooLarge { .. })), "{large:?}");
    assert_eq!(store.evidence(&digest(1)).await.unwrap().unwrap().ledger_index, Some(largest));
}

async fn a_slot_is_kept_with_all_its_verdicts(place: Place) {
    let store = place.open().await;
    assert_eq!(store.latest_slot().await.unwrap(), None);
    let row = |slot, ledger_index| SlotRow { slot, catalogue: digest(2), root: digest(8), ledger_index };
    let (early, late, short) = (slot(-10, 0), slot(0, 10), slot(0, 4));
    let short = probity_model::verdict::Slot { short: true, ..short };
    for (slot, index) in [(late, Some(2)), (early, None), (short, Some(u64::MAX))] {
        store.put_slot(&row(slot, index), &[verdict(slot, "pci", "1.1", "all")]).await.unwrap();
    }
    assert_eq!(store.latest_slot().await.unwrap(), Some(row(late, Some(2))));
    let all = [row(early, None), row(short, Some(u64::MAX)), row(late, Some(2))];
    let check = async |from: i64, to: i64, expected: &[SlotRow]| {
        assert_eq!(store.slots(Timestamp(from), Timestamp(to)).await.unwrap(), expected, "{from}..{to}");
    };
    check(i64::MIN, i64::MAX, &all).await;
    check(-10, 0, &all[..1]).await;
    check(-9, 1, &all[1..]).await;
    check(0, 0, &[]).await;
    check(1, i64::MAX, &[]).await;

    let mut verdicts: Vec<_> = ODD.iter().map(|text| verdict(early, "pci", text, "all")).collect();
    verdicts.push(verdict(early, "pci", "", "payments"));
    verdicts.push(verdict(early, "owasp", "", "all"));
    store.put_slot(&row(early, Some(1)), &verdicts).await.unwrap();
    let read = store.verdicts(Timestamp(-10), None).await.unwrap();
    assert_eq!(read.len(), verdicts.len());
    assert!(verdicts.iter().all(|verdict| read.contains(verdict)));
    let first: Vec<_> =
        read.iter().take(3).map(|v| (v.framework.as_str(), v.control.as_str(), v.scope.as_str())).collect();
    assert_eq!(first, [("owasp", "", "all"), ("pci", "", "all"), ("pci", "", "payments")]);
    let owasp = store.verdicts(Timestamp(-10), Some(&"owasp".into())).await.unwrap();
    assert_eq!(owasp, [verdict(early, "owasp", "", "all")]);
    assert_eq!(store.verdicts(Timestamp(0), Some(&"pci".into())).await.unwrap().len(), 2);
    assert_eq!(store.verdicts(Timestamp(1), None).await.unwrap(), []);

    let twice = [verdict(early, "a", "b", "c"), verdict(early, "a", "b", "c")];
    let twice = store.put_slot(&row(early, Some(1)), &twice).await;
    assert!(matches!(twice, Err(StoreError::Query { .. })), "{twice:?}");
    let foreign = store.put_slot(&row(early, Some(1)), &[verdict(late, "a", "b", "c")]).await;
    assert!(matches!(foreign, Err(StoreError::ForeignVerdict { .. })), "{foreign:?}");
    assert_eq!(store.verdicts(Timestamp(-10), None).await.unwrap(), read);
}

async fn acts_are_numbered(place: Place) {
    let store = place.open().await;
    let acts: Vec<Act> = ODD
        .iter()
        .map(|text| Act {
            at: Timestamp(7),
            actor: (*text).to_owned(),
            kind: (*text).to_owned(),
            document: document(text),
            digest: digest(6),
            ledger_index: Some(u64::MAX),
        })
        .collect();
    let mut numbers = Vec::new();
    for act in &acts {
        numbers.push(store.put_act(act).await.unwrap());
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let newest_first: Vec<Act> = acts.iter().rev().cloned().collect();
    assert_eq!(store.acts(u64::MAX).await.unwrap(), newest_first);
    assert_eq!(store.acts(2).await.unwrap(), newest_first[..2]);
    assert_eq!(store.acts(0).await.unwrap(), []);
    // Equal is not enough for a digest: the text must be the same too.
    let text = serde_json::to_string(&store.acts(1).await.unwrap()[0].document).unwrap();
    assert_eq!(text, serde_json::to_string(&newest_first[0].document).unwrap());
}

async fn a_bundle_revision_is_written_once(place: Place) {
    let store = place.open().await;
    assert_eq!(store.latest_bundle().await.unwrap(), None);
    for (revision, text) in (1..).zip(ODD) {
        store.put_bundle(revision, &signed_bundle(text), Timestamp(1)).await.unwrap();
        assert_eq!(store.latest_bundle().await.unwrap(), Some((revision, signed_bundle(text))));
    }
    store.put_bundle(1, &signed_bundle(ODD[0]), Timestamp(2)).await.unwrap();
    let other = store.put_bundle(1, &signed_bundle("other"), Timestamp(2)).await;
    assert!(matches!(other, Err(StoreError::RevisionTaken { revision: 1, .. })), "{other:?}");
    let large = store.put_bundle(u64::MAX, &signed_bundle(""), Timestamp(2)).await;
    assert!(matches!(large, Err(StoreError::NumberTooLarge { .. })), "{large:?}");
    let last = (u64::try_from(ODD.len()).unwrap(), signed_bundle(ODD[ODD.len() - 1]));
    assert_eq!(store.latest_bundle().await.unwrap(), Some(last));
}

async fn segments_are_ordered_by_sequence(place: Place) {
    let store = place.open().await;
    let segment = |file: &str, first_sequence: u64, deleted_at| SegmentRow {
        file: file.to_owned(),
        first_sequence,
        last_sequence: u64::MAX,
        records: 3,
        digest: digest(9),
        ledger_index: None,
        closed_at: Timestamp(1),
        deleted_at,
    };
    let mut expected = Vec::new();
    for (number, file) in (0..).zip(ODD).collect::<Vec<_>>().into_iter().rev() {
        store.put_segment(&segment(file, 0, None)).await.unwrap();
        store.put_segment(&segment(file, number, Some(Timestamp(2)))).await.unwrap();
        expected.insert(0, segment(file, number, Some(Timestamp(2))));
    }
    assert_eq!(store.segments().await.unwrap(), expected);
}

async fn exceptions_and_attestations_are_added_in_order(place: Place) {
    let store = place.open().await;
    let mut expected = Vec::new();
    for (text, kind) in ODD.iter().zip(["exception", "attestation"].iter().cycle()) {
        let row = RemainderRow { kind: (*kind).to_owned(), document: document(text) };
        store.put_remainder(&row).await.unwrap();
        expected.push(row);
    }
    store.put_remainder(&expected[0].clone()).await.unwrap();
    expected.push(expected[0].clone());
    assert_eq!(store.remainder().await.unwrap(), expected);
    let other = RemainderRow { kind: "wish".to_owned(), document: document("") };
    let refused = store.put_remainder(&other).await;
    assert!(matches!(refused, Err(StoreError::UnknownWord { .. })), "{refused:?}");
}

async fn deliveries_wait_for_their_time(place: Place) {
    let store = place.open().await;
    let delivery = |id: &str, next_at: i64| Delivery {
        id: id.to_owned(),
        url: id.to_owned(),
        event: id.to_owned(),
        body: format!("{{\"odd\": {id:?}}}\0"),
        attempts: u32::MAX,
        next_at: Timestamp(next_at),
        state: "pending".to_owned(),
        last_error: Some(id.to_owned()),
    };
    let all: Vec<Delivery> = (0..).zip(ODD).map(|(number, id)| delivery(id, 100 - number)).collect();
    for one in &all {
        store.enqueue_delivery(one).await.unwrap();
        store.enqueue_delivery(&delivery(&one.id, 0)).await.unwrap();
    }
    let newest_first: Vec<Delivery> = all.iter().rev().cloned().collect();
    assert_eq!(store.deliveries(u64::MAX).await.unwrap(), newest_first);
    assert_eq!(store.deliveries(1).await.unwrap(), newest_first[..1]);
    assert_eq!(store.due_deliveries(Timestamp(76), u64::MAX).await.unwrap(), []);
    assert_eq!(store.due_deliveries(Timestamp(78), u64::MAX).await.unwrap(), newest_first[..2]);
    assert_eq!(store.due_deliveries(Timestamp(i64::MAX), 3).await.unwrap(), newest_first[..3]);

    let mut arrived = newest_first[0].clone();
    arrived.state = "delivered".to_owned();
    arrived.last_error = None;
    let mut later = newest_first[1].clone();
    later.next_at = Timestamp(i64::from(i32::MAX));
    let mut given_up = newest_first[2].clone();
    given_up.state = "failed".to_owned();
    for changed in [&arrived, &later, &given_up] {
        store.update_delivery(changed).await.unwrap();
    }
    assert_eq!(store.due_deliveries(Timestamp(100), 1).await.unwrap(), newest_first[3..4]);
    assert_eq!(store.deliveries(4).await.unwrap(), [arrived, later, given_up, newest_first[3].clone()]);

    let unknown = store.update_delivery(&delivery("unknown", 1)).await;
    assert!(matches!(unknown, Err(StoreError::Missing { .. })), "{unknown:?}");
    let mut odd = all[0].clone();
    odd.state = "lost".to_owned();
    let refused = store.update_delivery(&odd).await;
    assert!(matches!(refused, Err(StoreError::UnknownWord { .. })), "{refused:?}");
}

async fn batches_beyond_the_bind_limit(place: Place) {
    const MANY: u64 = 7_000;
    let store = place.open().await;
    let ids: Vec<String> = (0..MANY).map(|number| format!("operation {number:05}")).collect();
    let outcomes: Vec<_> = ids.iter().map(|id| outcome(subject(id), "check", Status::Pass, "")).collect();
    store.put_outcomes(&outcomes).await.unwrap();
    assert_eq!(store.outcomes(&OutcomeFilter::default()).await.unwrap(), outcomes);

    let evidence: Vec<_> = (0..MANY)
        .map(|number| EvidenceRow {
            digest: digest(number),
            bytes: vec![1],
            at: Timestamp(0),
            ledger_index: None,
        })
        .collect();
    store.put_evidence(&evidence).await.unwrap();
    let indices: Vec<_> = (0..MANY).map(|number| (digest(number), number)).collect();
    store.set_evidence_index(&indices).await.unwrap();
    assert_eq!(store.evidence(&digest(MANY - 1)).await.unwrap().unwrap().ledger_index, Some(MANY - 1));

    let small = |id: &String| probity_model::inventory::Operation {
        observed: None,
        tags: Default::default(),
        ..operation(id, "")
    };
    let operations: Vec<_> = ids.iter().map(small).collect();
    store.put_operations(&operations, &[]).await.unwrap();
    let removed: Vec<OperationId> = operations.iter().skip(1).map(|operation| operation.id.clone()).collect();
    store.put_operations(&[], &removed).await.unwrap();
    assert_eq!(store.operations().await.unwrap(), operations[..1]);

    let slot = slot(0, 1);
    let verdicts: Vec<_> = ids.iter().map(|id| verdict(slot, "f", id, "all")).collect();
    let row = SlotRow { slot, catalogue: digest(2), root: digest(8), ledger_index: None };
    store.put_slot(&row, &verdicts).await.unwrap();
    assert_eq!(store.verdicts(Timestamp(0), None).await.unwrap(), verdicts);
}

async fn what_does_not_fit_is_refused_as_a_whole(place: Place) {
    let store = place.open().await;
    // Without repetition, so that PostgreSQL cannot shorten the index entry.
    let long: String =
        (0..u32::MAX).map(|number| format!("{:x}", number.wrapping_mul(2_654_435_761))).take(600).collect();
    let fits = &long[..MAX_SUBJECT_BYTES];
    let check = &long[long.len() - MAX_NAME_BYTES..];
    let largest = outcome(Subject::new(SubjectKind::Specification, fits), check, Status::Pass, "");
    store.put_outcomes(std::slice::from_ref(&largest)).await.unwrap();
    store.put_operations(&[operation(fits, "")], &[]).await.unwrap();
    store
        .put_findings(&[probity_model::Finding {
            subject: subject(fits),
            ..finding(check, Severity::Low, 1, FindingState::Open)
        }])
        .await
        .unwrap();
    let control = &long[..MAX_NAME_BYTES];
    let row = SlotRow { slot: slot(0, 1), catalogue: digest(2), root: digest(8), ledger_index: None };
    store.put_slot(&row, &[verdict(slot(0, 1), check, control, &check.replace('a', "b"))]).await.unwrap();

    let beyond = &long[..MAX_SUBJECT_BYTES + 1];
    let batch = [
        outcome(subject("fits"), "check", Status::Pass, ""),
        outcome(subject(beyond), "check", Status::Pass, ""),
    ];
    let refused = store.put_outcomes(&batch).await;
    assert!(matches!(refused, Err(StoreError::KeyTooLong { .. })), "{refused:?}");
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("the subject id of 2049 bytes") && text.contains("at most 2048"), "{text}");
    assert_eq!(store.outcomes(&OutcomeFilter::default()).await.unwrap(), [largest]);

    // A moment that its own text cannot say would stop the next start.
    let until = FindingState::Muted { reason: String::new(), until: Timestamp(i64::MAX), by: String::new() };
    let refused = store.put_findings(&[finding("forever", Severity::Low, 1, until)]).await;
    assert!(matches!(refused, Err(StoreError::Unwritable { .. })), "{refused:?}");
    assert_eq!(store.finding("forever").await.unwrap(), []);
}

async fn callers_and_their_credentials(place: Place) {
    use probity_model::bundle::identity::{Consumer, Credential, Revocation, SecretScheme};
    let store = place.open().await;
    let consumer = |name: &str, owner: &str| ConsumerRow {
        consumer: Consumer { name: name.into(), roles: vec![name.into()], ..Consumer::default() },
        owner: Some(owner.to_owned()),
        created_at: Timestamp(1),
        created_by: "ada".to_owned(),
    };
    let credential = |id: &str, consumer: &str, revoked_at| CredentialRow {
        id: id.into(),
        consumer: consumer.into(),
        hint: "prb_live_a...".to_owned(),
        credential: Some(Credential {
            id: id.into(),
            hash: digest(7),
            consumer: 0,
            scheme: SecretScheme::Any,
            roles: None,
            scopes: None,
            environment: None,
            issued_at: None,
            expires_at: None,
            revoked: false,
        }),
        password: None,
        issued_at: Timestamp(2),
        issued_by: "ada".to_owned(),
        expires_at: None,
        revoked_at,
        replaced_by: None,
    };
    for name in ODD {
        store.put_consumer(&consumer(name, "first")).await.unwrap();
    }
    store.put_consumer(&consumer(ODD[2], "second")).await.unwrap();
    let both = [credential("k-1", ODD[2], None), credential("k-2", ODD[3], None)];
    store.put_credentials(&both).await.unwrap();
    store.put_credentials(&[credential("k-1", ODD[2], Some(Timestamp(9)))]).await.unwrap();
    let revocation = |subject: &str| RevocationRow {
        revocation: Revocation { subject: Some(subject.into()), ..Revocation::default() },
        reason: "left".to_owned(),
        by: "ada".to_owned(),
        at: Timestamp(3),
    };
    for subject in ["b", "a"] {
        store.add_revocation(&revocation(subject)).await.unwrap();
    }
    store.close().await.unwrap();
    let store = place.open().await;
    let known = store.consumers().await.unwrap();
    assert_eq!(known.len(), ODD.len());
    assert!(known.contains(&consumer(ODD[2], "second")) && known.contains(&consumer(ODD[3], "first")));
    assert_eq!(store.credentials(None).await.unwrap().len(), 2);
    let one = store.credentials(Some(ODD[2])).await.unwrap();
    assert_eq!(one, [credential("k-1", ODD[2], Some(Timestamp(9)))]);
    assert_eq!(store.credentials(Some("nobody")).await.unwrap(), []);
    assert_eq!(store.revocations().await.unwrap(), [revocation("b"), revocation("a")]);
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    assert!(store.put_consumer(&consumer(&long, "first")).await.is_err());
}
