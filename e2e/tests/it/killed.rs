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
    let running = Running::start(&place);
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

    let running = Running::start(&place);
    let after = curl([running.url("/orders/1")]);
    assert_eq!(after.status, 200);
    let told = wait_for("every answered call to be recorded or told as lost", || {
        let (recorded, lost) = (shop::calls(&place), lost(&place));
        (recorded + lost > ids.len() as u64).then_some((recorded, lost))
    });
    // What is counted is the truth: at most the calls on their way when it was killed had no answer yet.
    assert!(told.0 + told.1 <= (ids.len() + CALLERS + 1) as u64, "{told:?} of {}", ids.len());
    // The first ones were synced long before the end; they are there, and numbers go on behind them.
    let first = sequence(&place, &ids[0]).expect("the first call is recorded");
    let last = sequence(&place, &id(&after)).expect("the call after the restart is recorded");
    assert!(first < last && last + 1 >= told.0, "{first} {last} {told:?}");
    running.stop();
    place.run(["verify", &place.text("data")]).exits(0).says("2 compared with their leaves");
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
