//! Readers beside a writer: they see a batch whole or not at all, and nobody is turned away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use probity_model::Timestamp;
use probity_model::inventory::Operation;
use probity_store::{EvidenceRow, Store};

use crate::databases::Place;
use crate::fixtures::{digest, operation};

const OPERATIONS: usize = 50;
const GENERATIONS: usize = 15;
const READERS: usize = 3;

on_each_database!(readers_see_whole_batches, writers_wait_for_each_other, a_write_given_up_leaves_nothing);

fn generation(number: usize) -> Vec<Operation> {
    let small = |index| Operation {
        observed: None,
        tags: Default::default(),
        ..operation(&format!("operation {index}"), &number.to_string())
    };
    (0..OPERATIONS).map(small).collect()
}

async fn readers_see_whole_batches(place: Place) {
    let store = place.open().await;
    store.put_operations(&generation(0), &[]).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..READERS).map(|_| tokio::spawn(watch_generations(store.clone(), done.clone()))).collect();
    for number in 1..=GENERATIONS {
        store.put_operations(&generation(number), &[]).await.unwrap();
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), GENERATIONS);
    }
}

/// The generation read last, which is begun after the writer's end.
async fn watch_generations(store: Store, done: Arc<AtomicBool>) -> usize {
    let mut latest = 0;
    loop {
        let last = done.load(Ordering::Acquire);
        let read = store.operations().await.unwrap();
        assert_eq!(read.len(), OPERATIONS);
        let first = read[0].service.clone();
        assert!(read.iter().all(|operation| operation.service == first), "a batch was seen in parts");
        let number: usize = first.as_str().parse().unwrap();
        assert!(number >= latest, "generation {number} was read after {latest}");
        latest = number;
        if last {
            return latest;
        }
    }
}

async fn writers_wait_for_each_other(place: Place) {
    let stores = [place.open().await, place.open().await];
    let write = async |store: Store, name: &'static str| {
        for number in 0..40_u32 {
            store.put_state(&format!("{name} {number}"), &number.to_be_bytes()).await.unwrap();
        }
    };
    let [one, two] = stores.clone();
    tokio::join!(write(one.clone(), "a"), write(one, "b"), write(two.clone(), "c"), write(two, "d"));
    for name in ["a", "b", "c", "d"] {
        for number in 0..40_u32 {
            let value = stores[0].state(&format!("{name} {number}")).await.unwrap();
            assert_eq!(value, Some(number.to_be_bytes().to_vec()), "{name} {number}");
        }
    }
}

async fn a_write_given_up_leaves_nothing(place: Place) {
    /// More than one statement takes.
    const ROWS: u64 = 4_000;
    let store = place.open().await;
    let mut batches = Vec::new();
    for (batch, polls) in (0..).zip([1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 80]) {
        let numbers = batch * ROWS..(batch + 1) * ROWS;
        let rows: Vec<_> = numbers.clone().map(evidence).collect();
        let dropped = give_up(polls, store.put_evidence(&rows)).await;
        batches.push((numbers, dropped));
    }
    store.put_evidence(&[evidence(u64::MAX)]).await.unwrap();
    // A commit that was on its way when its future was dropped is decided once the connections are closed.
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(store.evidence(&digest(u64::MAX)).await.unwrap(), Some(evidence(u64::MAX)));
    for (numbers, dropped) in &batches {
        let first = store.evidence(&digest(numbers.start)).await.unwrap().is_some();
        let last = store.evidence(&digest(numbers.end - 1)).await.unwrap().is_some();
        assert_eq!(first, last, "a batch stayed in parts");
        assert!(first || *dropped, "an acknowledged batch is not there");
    }
    let given_up = batches.iter().filter(|(_, dropped)| *dropped).count();
    assert!(given_up > 1, "too few writes were given up in the middle: {given_up}");
}

fn evidence(number: u64) -> EvidenceRow {
    EvidenceRow { digest: digest(number), bytes: vec![1], at: Timestamp(0), ledger_index: None }
}

/// Polls `work` at most `polls` times and drops it; whether it was not done by then.
async fn give_up<F: Future<Output = T>, T>(polls: usize, work: F) -> bool {
    let mut work = std::pin::pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        std::task::Poll::Ready(_) => std::task::Poll::Ready(false),
        std::task::Poll::Pending if left <= 1 => std::task::Poll::Ready(true),
        std::task::Poll::Pending => {
            left -= 1;
            std::task::Poll::Pending
        }
    })
    .await
}
