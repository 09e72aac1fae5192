//! Killed in the middle of traffic and started again: what was answered is recorded or told as a gap.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::binary::Place;
use crate::client::{Connection, Response, curl};
use crate::deadline::wait_for;
use crate::running::Running;
use crate::shop;

const CALLERS: usize = 4;
const ENOUGH: usize = 400;

/// Calls until the other side is gone; each answered call's request id.
fn call(address: SocketAddr, answered: &AtomicUsize, ending: &AtomicBool) -> Vec<String> {
    let mut ids = Vec::new();
    let mut connection = Connection::open(address);
    while !ending.load(Ordering::Acquire) {
        let number = answered.load(Ordering::Relaxed);
        if !connection.try_send(&format!("GET /orders/{number} HTTP/1.1\r\nHost: shop.example\r\n\r\n")) {
            break;
        }
        let Some(answer) = connection.try_receive() else { break };
        assert_eq!(answer.status, 200);
        answered.fetch_add(1, Ordering::Relaxed);
        ids.push(id(&answer));
    }
    ids
}

fn id(answer: &Response) -> String {
    answer.field("x-request-id").unwrap().to_owned()
}

fn sequence(place: &Place, id: &str) -> Option<u64> {
    let answer = place.run(["explain", id, "--format", "json"]);
    (answer.code == Some(0)).then(|| answer.json()["exchange"]["sequence"].as_u64().unwrap())
}

#[test]
fn nothing_that_was_answered_is_silently_lost() {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let (ids, running) = killed_and_started(&place);
    // The first ones were synced long before the end; they are there, and numbers go on behind them.
    let after = curl([running.url("/orders/1")]);
    assert_eq!(after.status, 200);
    let (recorded, lost) = told(&place, ids.len() + 1);
    // What is counted is the truth: at most the calls on their way when it was killed had no answer yet.
    assert!(recorded + lost <= (ids.len() + 1 + CALLERS) as u64, "{recorded} and {lost} of {}", ids.len());
    let first = sequence(&place, &ids[0]).expect("the first call is recorded");
    let last = sequence(&place, &id(&after)).expect("the call after the restart is recorded");
    assert!(first < last && last >= recorded, "{first} {last} {recorded}");
    running.stop();
    place.run(["verify", &place.text("data")]).exits(0).says("2 compared with their leaves");
}

#[test]
fn nothing_that_was_answered_durably_is_lost() {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let text = std::fs::read_to_string(place.path("probity.yaml")).unwrap();
    place.write("probity.yaml", text.replace("    hosts:", "    record: durable\n    hosts:"));
    let (ids, running) = killed_and_started(&place);
    let (recorded, _) = told(&place, ids.len());
    assert!(recorded >= ids.len() as u64, "{recorded} of {}", ids.len());
    for id in ids.iter().rev().take(CALLERS).chain(ids.first()) {
        assert!(sequence(&place, id).is_some(), "`{id}` was answered and has no record");
    }
    running.stop();
    place.run(["verify", &place.text("data")]).exits(0);
}

/// The request ids of the calls that were answered before the kill.
fn killed_and_started(place: &Place) -> (Vec<String>, Running) {
    let running = Running::start(place);
    let address = running.address();
    let (answered, ending) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ids: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..CALLERS).map(|_| scope.spawn(|| call(address, &answered, &ending))).collect();
        wait_for("enough calls", || (answered.load(Ordering::Relaxed) >= ENOUGH).then_some(()));
        running.kill();
        ending.store(true, Ordering::Release);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    assert!(ids.len() >= ENOUGH);
    place.run(["verify", &place.text("data")]).exits(0);
    (ids, Running::start(place))
}

/// Calls recorded and calls told as lost, as soon as both together are all that were `answered`.
fn told(place: &Place, answered: usize) -> (u64, u64) {
    wait_for("every answered call to be recorded or told as lost", || {
        let told = (shop::calls(place), lost(place));
        (told.0 + told.1 >= answered as u64).then_some(told)
    })
}

/// How many calls the check of the record says are missing.
fn lost(place: &Place) -> u64 {
    let findings = place.json(["finding", "list", "--check", "audit-log"]);
    let Some(id) = findings[0]["id"].as_str() else { return 0 };
    let explained = place.json(["explain", id]);
    let stated = &explained["outcome"]["evidence"]["facts"]["log.gaps"];
    let gaps = stated.as_array().unwrap().iter().flat_map(|entry| entry["value"].as_array().unwrap());
    gaps.map(|gap| gap["count"].as_u64().unwrap()).sum()
}
