//! Every step of the storage fails once, in every way, and then the process or the machine ends: what was
//! acknowledged is there, what is not there is in a gap, and the sums are right.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use probity_events::{
    Counts, Events, EventsError, GapReason, Options, Reader, RecordError, Recovery, Storage as _, Ticket,
};
use probity_model::Exchange;
use probity_model::bundle::OnRecordFailure;

use crate::support::{
    Dice, Fault, FaultyStorage, exchange, folder, gateway, keys, options, read_all, record, tags,
};

const FAULTS: [Fault; 4] = [Fault::Refused, Fault::Done, Fault::Half, Fault::Full];
const ROUNDS: u64 = 5;
const EACH: u64 = 4;

fn with(storage: &FaultyStorage) -> Options {
    Options { storage: Arc::new(storage.clone()), segment_bytes: 2500, ..options() }
}

/// Appends in rounds, waiting for each; the tags whose tickets said yes.
fn work(events: &Events, from: u64) -> BTreeSet<u64> {
    let recorder = events.recorder();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let tickets: Vec<(u64, Ticket)> = (0..EACH)
            .map(|count| {
                let tag = from + round * EACH + count;
                recorder.accepted();
                (tag, recorder.append(exchange(tag)).unwrap())
            })
            .collect();
        acknowledged.extend(tickets.into_iter().filter_map(|(tag, ticket)| ticket.wait().ok().map(|()| tag)));
    }
    acknowledged
}

/// What must hold after any end.
fn assert_kept(
    events: &Events,
    recovery: &Recovery,
    acknowledged: &BTreeSet<u64>,
    accepted: u64,
    what: &str,
) {
    let (exchanges, gaps) = read_all(events.reader(1));
    let found: Vec<u64> = tags(&exchanges);
    let distinct: BTreeSet<u64> = found.iter().copied().collect();
    assert_eq!(distinct.len(), found.len(), "{what}: a record is there twice");
    assert!(
        acknowledged.is_subset(&distinct),
        "{what}: acknowledged and lost: {:?}",
        acknowledged - &distinct
    );
    for exchange_found in &exchanges {
        let tag = exchange_found.request_bytes;
        let written = Exchange { sequence: exchange_found.sequence, ..exchange(tag) };
        assert_eq!(*exchange_found, written, "{what}");
    }
    assert!(exchanges.iter().map(|e| e.sequence).eq(1..=exchanges.len() as u64), "{what}: {gaps:?}");
    let counts = recovery.counts;
    assert_eq!(counts.accepted, accepted, "{what}");
    assert_eq!(counts.recorded, exchanges.len() as u64, "{what}");
    assert_eq!(counts.recorded + counts.lost, counts.accepted, "{what}");
    assert_eq!(gaps.iter().map(|gap| gap.count).sum::<u64>(), counts.lost, "{what}: {gaps:?}");
    assert_eq!(recovery.damage, [], "{what}");
    assert!(gaps.iter().all(|gap| gap.reason != GapReason::Damaged), "{what}: {gaps:?}");
}

/// What is told to the ledger is what stands on disk.
fn assert_digests(events: &Events, storage: &FaultyStorage, what: &str) {
    for segment in events.closed_segments() {
        let bytes = storage.bytes(&segment.file);
        assert_eq!(segment.digest, probity_events::format::sha256(&bytes), "{what}: {segment:?}");
    }
}

fn reopen(dir: &Path, storage: &FaultyStorage) -> (Events, Recovery) {
    Events::open(dir, gateway(), keys(), with(storage)).unwrap()
}

/// Runs the work with one fault and ends it; `None` when the fault's step was never reached.
fn run(step: u64, width: u64, fault: Fault, ending: u64) -> Option<()> {
    let what = format!("steps {step} + {width}, {fault:?}, ending {ending}");
    let dir = folder();
    let storage = FaultyStorage::default();
    let (events, _) = Events::open(dir.path(), gateway(), keys(), with(&storage)).unwrap();
    storage.fail(step, step + width, fault);
    let acknowledged = work(&events, 0);
    let mut dice = Dice(step);
    let mut accepted = ROUNDS * EACH;
    let next = match ending {
        // Killed while calls are on their way.
        0 => {
            events.recorder().accepted();
            accepted += 1;
            storage.switch_off();
            storage.after_kill()
        }
        1 => {
            storage.switch_off();
            storage.after_power_loss(&mut dice)
        }
        _ => {
            events.shutdown();
            storage.clone()
        }
    };
    let struck = storage.struck() > 0;
    drop(events);
    next.heal();
    let (events, recovery) = reopen(dir.path(), &next);
    assert_kept(&events, &recovery, &acknowledged, accepted, &what);
    assert_digests(&events, &next, &what);
    // And life goes on, across one more end.
    let more = work(&events, 1000);
    assert_eq!(more.len() as u64, ROUNDS * EACH, "{what}");
    let all: BTreeSet<u64> = acknowledged.union(&more).copied().collect();
    next.switch_off();
    drop(events);
    let last = next.after_kill();
    let (events, recovery) = reopen(dir.path(), &last);
    assert_kept(&events, &recovery, &all, accepted + ROUNDS * EACH, &what);
    assert_digests(&events, &last, &what);
    struck.then_some(())
}

fn every_step_fails(width: u64) {
    for fault in FAULTS {
        for ending in 0..3 {
            let mut steps = 0;
            while run(steps, width, fault, ending).is_some() {
                steps += 1;
            }
            // Creation, header, dozens of writes and syncs, footers.
            assert!(steps > 15, "{fault:?}: only {steps} steps");
        }
    }
}

#[test]
fn every_step_fails_once_in_every_way() {
    every_step_fails(1);
}

/// So that the way out of a failure fails too.
#[test]
fn every_few_steps_fail_in_every_way() {
    every_step_fails(3);
}

#[test]
fn a_machine_that_stops_anywhere_loses_nothing_acknowledged() {
    for seed in 0..60 {
        let dir = folder();
        let storage = FaultyStorage::default();
        let (events, _) = Events::open(dir.path(), gateway(), keys(), with(&storage)).unwrap();
        let mut dice = Dice(seed);
        storage.fail(dice.below(40), u64::MAX, FAULTS[usize::try_from(dice.below(4)).unwrap()]);
        let acknowledged = work(&events, 0);
        storage.switch_off();
        let next = storage.after_power_loss(&mut dice);
        drop(events);
        let (events, recovery) = reopen(dir.path(), &next);
        let what = format!("seed {seed}");
        assert_kept(&events, &recovery, &acknowledged, ROUNDS * EACH, &what);
        // The counter may have been behind, which is said whatever the numbers.
        assert!(
            recovery.gaps.iter().any(|gap| gap.reason == GapReason::MachineStopped && !gap.exact),
            "{what}"
        );
    }
}

#[test]
fn recovery_that_fails_half_way_is_done_again() {
    for fault in FAULTS {
        for step in 0..12 {
            let dir = folder();
            let storage = FaultyStorage::default();
            let (events, _) = Events::open(dir.path(), gateway(), keys(), with(&storage)).unwrap();
            let acknowledged = work(&events, 0);
            events.recorder().accepted();
            storage.switch_off();
            drop(events);
            let second = storage.after_kill();
            second.fail(step, step + 2, fault);
            // It may fail to open, or open and go on trying; both leave everything for the next.
            if let Ok((events, _)) = Events::open(dir.path(), gateway(), keys(), with(&second)) {
                second.switch_off();
                drop(events);
            }
            let third = second.after_power_loss(&mut Dice(step));
            let (events, mut recovery) = reopen(dir.path(), &third);
            let what = format!("step {step}, {fault:?}");
            // The gap of the first end may be written already.
            recovery.counts.lost = events.counts().lost;
            assert_kept(&events, &recovery, &acknowledged, ROUNDS * EACH + 1, &what);
        }
    }
}

#[test]
fn a_full_disk_under_pass_counts_what_it_drops_and_goes_on() {
    let dir = folder();
    let storage = FaultyStorage::default();
    let options = Options { queue_records: 4, on_full: OnRecordFailure::Pass, ..with(&storage) };
    let (events, _) = Events::open(dir.path(), gateway(), keys(), options).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    events.on_gap(Box::new(move |gap| sink.lock().unwrap().push(gap)));
    record(&events, 0);
    storage.fail(0, u64::MAX, Fault::Full);
    let recorder = events.recorder();
    for tag in 1..=40 {
        recorder.accepted();
        assert_eq!(recorder.append(exchange(tag)).unwrap().wait(), Err(RecordError::Failed), "{tag}");
    }
    assert!(!recorder.refusing());
    let status = events.status();
    assert!(status.failing.is_some() && status.failures > 0, "{status:?}");
    let lost = events.counts().lost;
    assert!((30..40).contains(&lost), "{lost}");
    storage.heal();
    // What waited in memory is written now, and the gap behind it.
    while events.status().failing.is_some() {
        std::thread::yield_now();
    }
    record(&events, 41);
    events.shutdown();
    assert_eq!(events.status().failing, None);
    assert_eq!(events.counts(), Counts { accepted: 42, recorded: 42 - lost, lost });
    assert_eq!(told.lock().unwrap().iter().map(|gap| gap.count).sum::<u64>(), lost);
    assert!(told.lock().unwrap().iter().all(|gap| gap.reason == GapReason::QueueFull));
    let reader = Reader::open_in(dir.path(), Arc::new(storage), keys(), 1).unwrap();
    assert_eq!(read_all(reader).0.len() as u64, 42 - lost);
}

#[test]
fn a_full_disk_under_refuse_turns_traffic_away_until_it_has_room() {
    let dir = folder();
    let storage = FaultyStorage::default();
    let options = Options { queue_records: 4, on_full: OnRecordFailure::Refuse, ..with(&storage) };
    let (events, _) = Events::open(dir.path(), gateway(), keys(), options).unwrap();
    let recorder = events.recorder();
    record(&events, 0);
    assert!(!recorder.refusing());
    storage.fail(0, u64::MAX, Fault::Full);
    let mut full = 0;
    for tag in 1..=20 {
        recorder.accepted();
        match recorder.append(exchange(tag)) {
            Ok(ticket) => assert_eq!(ticket.wait(), Err(RecordError::Failed)),
            Err(error) => {
                assert_eq!(error, RecordError::Full);
                full += 1;
            }
        }
    }
    assert!(full >= 10 && recorder.refusing());
    storage.heal();
    while recorder.refusing() {
        std::thread::yield_now();
    }
    record(&events, 21);
    events.shutdown();
    assert_eq!(events.counts(), Counts { accepted: 22, recorded: 22 - full, lost: full });
}

#[test]
fn an_end_while_the_disk_fails_leaves_the_gap_to_the_next_start() {
    let dir = folder();
    let storage = FaultyStorage::default();
    let (events, _) = Events::open(dir.path(), gateway(), keys(), with(&storage)).unwrap();
    record(&events, 0);
    storage.fail(0, u64::MAX, Fault::Refused);
    let recorder = events.recorder();
    for tag in 1..=5 {
        recorder.accepted();
        assert_eq!(recorder.append(exchange(tag)).unwrap().wait(), Err(RecordError::Failed));
    }
    assert_eq!(events.close_segment(), Err(RecordError::Failed));
    events.shutdown();
    // Whoever still counts keeps the folder.
    let held = Events::open(dir.path(), gateway(), keys(), with(&storage));
    assert!(matches!(held, Err(EventsError::Locked { .. })));
    drop((events, recorder));
    storage.heal();
    let (events, recovery) = reopen(dir.path(), &storage);
    assert_eq!(recovery.counts, Counts { accepted: 6, recorded: 1, lost: 5 });
    assert_eq!((recovery.gaps[0].reason, recovery.gaps[0].count), (GapReason::ProcessStopped, 5));
    assert_eq!(read_all(events.reader(1)).0.len(), 1);
}

#[test]
fn an_end_while_a_batch_does_not_fit_keeps_the_segment_true() {
    let dir = folder();
    let storage = FaultyStorage::default();
    let (events, _) = Events::open(dir.path(), gateway(), keys(), with(&storage)).unwrap();
    record(&events, 0);
    // Room for a footer, not for a batch.
    storage.leave_room(Some(800));
    let recorder = events.recorder();
    recorder.accepted();
    let large = Exchange { query: vec!["x".repeat(700).into()], ..exchange(1) };
    assert_eq!(recorder.append(large).unwrap().wait(), Err(RecordError::Failed));
    drop(recorder);
    events.shutdown();
    drop(events);
    storage.leave_room(None);
    let (events, recovery) = reopen(dir.path(), &storage);
    assert_kept(&events, &recovery, &BTreeSet::from([0]), 2, "no room");
    assert_digests(&events, &storage, "no room");
    assert_eq!(recovery.counts.recorded, 1);
}

#[test]
fn a_start_on_a_full_disk_opens_and_says_so() {
    let dir = folder();
    let storage = FaultyStorage::default();
    let (events, _) = Events::open(dir.path(), gateway(), keys(), with(&storage)).unwrap();
    record(&events, 0);
    events.recorder().accepted();
    storage.switch_off();
    drop(events);
    let full = storage.after_kill();
    full.fail(0, u64::MAX, Fault::Full);
    let (events, recovery) = reopen(dir.path(), &full);
    assert!(recovery.problem.is_some());
    assert_eq!(recovery.counts, Counts { accepted: 2, recorded: 1, lost: 1 });
    assert!(events.status().failing.is_some());
    full.heal();
    while events.status().failing.is_some() {
        std::thread::yield_now();
    }
    record(&events, 1);
    assert_eq!(full.list(dir.path()).unwrap().len(), 2);
    assert_eq!(events.counts(), Counts { accepted: 3, recorded: 2, lost: 1 });
}
