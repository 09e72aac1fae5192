//! A process that commits in a loop is killed: every row that it was told of is there, and no batch in parts.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use probity_model::{Status, Timestamp};
use probity_store::{Act, EvidenceRow, OutcomeFilter, SlotRow, Store, Target};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

use crate::databases::block_on;
use crate::fixtures::{digest, outcome, slot, subject, verdict};

const PATH: &str = "PROBITY_STORE_CRASH";
const VERDICTS: usize = 40;
const ROUNDS: u64 = 6;
/// Commits that a round waits for before it kills.
const ACKNOWLEDGED: u64 = 5;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probity.sqlite");
    let mut last = None;
    for round in 0..ROUNDS {
        let acknowledged = kill_after(&path, ACKNOWLEDGED + round);
        assert!(acknowledged > last, "round {round} acknowledged nothing: {acknowledged:?} after {last:?}");
        last = acknowledged;
        block_on(everything_is_there(&path, last.unwrap()));
    }
}

/// The last number that the child said, also of those that it said while it was being killed.
fn kill_after(path: &Path, acknowledged: u64) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::commits_until_killed", "--exact", "--ignored", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers =
        said.by_ref().filter_map(|line| line.ok()?.strip_prefix("acknowledged ")?.parse::<u64>().ok());
    let mut last = None;
    for _ in 0..acknowledged {
        last = numbers.next().or(last);
    }
    child.kill().unwrap();
    last = numbers.last().or(last);
    assert!(!child.wait().unwrap().success(), "the child ended before it was killed");
    last
}

/// Each number is written as a slot with verdicts, an outcome, evidence with its index, and an act; then said.
#[test]
#[ignore = "run by what_was_acknowledged_survives_a_kill, which kills it"]
fn commits_until_killed() {
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    block_on(async {
        let store = Store::open(&Target::Sqlite(path)).await.unwrap();
        let first = store.acts(1).await.unwrap().first().map_or(0, |act| act.ledger_index.unwrap() + 1);
        for number in first.. {
            write(&store, number).await;
            let mut out = std::io::stdout().lock();
            writeln!(out, "\nacknowledged {number}").unwrap();
            out.flush().unwrap();
        }
    });
}

async fn write(store: &Store, number: u64) {
    let row = slot_row(number);
    let verdicts: Vec<_> = (0..VERDICTS).map(|v| verdict(row.slot, "pci", &format!("{v}"), "all")).collect();
    store.put_slot(&row, &verdicts).await.unwrap();
    let text = number.to_string();
    store.put_outcomes(&[outcome(subject(&text), "check", Status::Pass, &text)]).await.unwrap();
    store.put_evidence(&[EvidenceRow { ledger_index: None, ..evidence(number) }]).await.unwrap();
    store.set_evidence_index(&[(digest(number), number)]).await.unwrap();
    store.put_state("last", text.as_bytes()).await.unwrap();
    let act = Act {
        at: Timestamp(1),
        actor: "a person".to_owned(),
        kind: "finding.mute".to_owned(),
        document: json!({"number": number}),
        digest: digest(number),
        ledger_index: Some(number),
    };
    store.put_act(&act).await.unwrap();
}

fn slot_row(number: u64) -> SlotRow {
    let from = i64::try_from(number).unwrap();
    SlotRow {
        slot: slot(from, from + 1),
        catalogue: digest(2),
        root: digest(number),
        ledger_index: Some(number),
    }
}

fn evidence(number: u64) -> EvidenceRow {
    EvidenceRow {
        digest: digest(number),
        bytes: vec![7; 9_000],
        at: Timestamp(0),
        ledger_index: Some(number),
    }
}

async fn everything_is_there(path: &Path, last: u64) {
    let store = Store::open(&Target::Sqlite(path.to_owned())).await.unwrap();
    let outcomes = store.outcomes(&OutcomeFilter::default()).await.unwrap();
    let acts = store.acts(u64::MAX).await.unwrap();
    for number in 0..=last {
        let text = number.to_string();
        assert!(
            outcomes.contains(&outcome(subject(&text), "check", Status::Pass, &text)),
            "outcome {number}"
        );
        assert_eq!(store.evidence(&digest(number)).await.unwrap(), Some(evidence(number)));
        assert!(acts.iter().any(|act| act.document == json!({"number": number})), "act {number}");
    }
    let said: u64 = String::from_utf8(store.state("last").await.unwrap().unwrap()).unwrap().parse().unwrap();
    assert!(said >= last);
    // Also the slot that was written when the kill came is there whole, or not at all.
    let slots = store.slots(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert!(slots.len() > usize::try_from(last).unwrap());
    for (number, row) in (0..).zip(slots) {
        assert_eq!(row, slot_row(number));
        assert_eq!(store.verdicts(row.slot.from, None).await.unwrap().len(), VERDICTS, "slot {number}");
    }
    store.close().await.unwrap();
    let raw = Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
    let query = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA integrity_check");
    let verdict: String = raw.query_one_raw(query).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(verdict, "ok");
    raw.close().await.unwrap();
}
