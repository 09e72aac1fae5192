//! The ordinary life: append, sync, read, close, open again.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use probity_events::{
    CounterState, Counts, Events, EventsError, GapReason, Options, Reader, Record, RecordError,
};
use probity_model::{Exchange, RequestId};

use crate::support::{ManualClock, exchange, gateway, keys, open, options, read_all, record, tags};

#[test]
fn what_is_recorded_is_read_in_order_and_numbered_from_one() {
    let dir = tempfile::tempdir().unwrap();
    let (events, recovery) = open(dir.path(), options());
    assert_eq!((recovery.counter, recovery.next_sequence), (CounterState::Fresh, 1));
    (0..20).for_each(|tag| record(&events, tag));
    let (exchanges, gaps) = read_all(events.reader(1));
    assert_eq!(tags(&exchanges), (0..20).collect::<Vec<_>>());
    assert!(exchanges.iter().map(|exchange| exchange.sequence).eq(1..=20));
    assert_eq!(exchanges[3], Exchange { sequence: 4, ..exchange(3) });
    assert_eq!(gaps, []);
    assert_eq!(events.counts(), Counts { accepted: 20, recorded: 20, lost: 0 });
}

#[test]
fn a_reader_begins_anywhere_and_follows_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), Options { segment_bytes: 2000, ..options() });
    (0..30).for_each(|tag| record(&events, tag));
    assert!(events.closed_segments().len() > 2, "{:?}", events.closed_segments().len());
    for from in 1..=30 {
        let (exchanges, gaps) = read_all(events.reader(from));
        assert!(exchanges.iter().map(|exchange| exchange.sequence).eq(from..=30), "from {from}");
        assert_eq!(gaps, []);
    }
    let mut reader = events.reader(25);
    assert_eq!(reader.by_ref().count(), 6);
    assert!(reader.next().is_none());
    (30..60).for_each(|tag| record(&events, tag));
    events.close_segment().unwrap();
    let (more, _) = read_all(reader);
    assert!(more.iter().map(|exchange| exchange.sequence).eq(31..=60));
}

#[test]
fn a_reader_begins_inside_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Options { sync_interval: Duration::from_millis(10), ..options() };
    let (events, _) = open(dir.path(), slow);
    let recorder = events.recorder();
    let tickets: Vec<_> = (0..50)
        .map(|tag| {
            recorder.accepted();
            recorder.append(exchange(tag)).unwrap()
        })
        .collect();
    tickets.into_iter().for_each(|ticket| ticket.wait().unwrap());
    for from in 1..=50 {
        let (exchanges, gaps) = read_all(events.reader(from));
        assert!(exchanges.iter().map(|exchange| exchange.sequence).eq(from..=50), "from {from}");
        assert_eq!(gaps, []);
    }
}

#[test]
fn one_is_found_by_its_request_id() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), Options { segment_bytes: 4000, ..options() });
    (0..40).for_each(|tag| record(&events, tag));
    let found = events.find(exchange(17).request_id).unwrap().unwrap();
    assert_eq!(found, Exchange { sequence: 18, ..exchange(17) });
    assert_eq!(events.find(RequestId::from_parts(1, [1; 10])).unwrap(), None);
}

#[test]
fn a_restart_goes_on_where_the_last_one_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut next = 1;
    for round in 0..4u64 {
        let (events, recovery) = open(dir.path(), options());
        assert_eq!(recovery.next_sequence, next);
        let state = if round == 0 { CounterState::Fresh } else { CounterState::Clean };
        assert_eq!(recovery.counter, state);
        assert_eq!((recovery.gaps, recovery.damage, recovery.closed), (vec![], vec![], vec![]));
        assert_eq!(recovery.counts, Counts { accepted: next - 1, recorded: next - 1, lost: 0 });
        (0..5).for_each(|tag| record(&events, round * 5 + tag));
        next += 5;
        events.shutdown();
        assert_eq!(events.recorder().append(exchange(99)).unwrap_err(), RecordError::Closed);
    }
    let (exchanges, gaps) = read_all(Reader::open(dir.path(), keys(), 1).unwrap());
    assert_eq!((tags(&exchanges), gaps), ((0..20).collect(), vec![]));
}

#[test]
fn calls_without_a_record_become_a_gap_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), options());
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    events.on_gap(Box::new(move |gap| sink.lock().unwrap().push(gap)));
    record(&events, 1);
    (0..3).for_each(|_| events.recorder().accepted());
    events.shutdown();
    let gaps = told.lock().unwrap().clone();
    assert_eq!((gaps[0].reason, gaps[0].count, gaps[0].after_sequence), (GapReason::Unfinished, 3, 1));
    assert_eq!(events.counts(), Counts { accepted: 4, recorded: 1, lost: 3 });
    // The call that was still on its way when everything ended is told by the next start.
    events.recorder().accepted();
    drop(events);
    let (events, recovery) = open(dir.path(), options());
    assert_eq!((recovery.gaps[0].reason, recovery.gaps[0].count), (GapReason::Unfinished, 1));
    assert_eq!(events.counts(), Counts { accepted: 5, recorded: 1, lost: 4 });
    assert_eq!(events.gaps().iter().map(|gap| gap.count).collect::<Vec<_>>(), [3, 1]);
    let (_, read) = read_all(events.reader(1));
    assert_eq!(read, events.gaps());
}

#[test]
fn callbacks_see_each_batch_once_and_a_panic_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), options());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    events.on_synced(Box::new(|_| panic!("a careless callback")));
    events.on_synced(Box::new(move |batch| {
        sink.lock().unwrap().extend(batch.iter().map(|exchange| (exchange.sequence, exchange.request_bytes)));
    }));
    let (closed, closings) = mpsc::channel();
    events.on_segment_closed(Box::new(move |segment| closed.send(segment).unwrap()));
    (0..10).for_each(|tag| record(&events, tag));
    let answer = events.close_segment().unwrap().unwrap();
    assert_eq!(*seen.lock().unwrap(), (0..10).map(|tag| (tag + 1, tag)).collect::<Vec<_>>());
    assert!(events.status().callback_panics > 0);
    assert_eq!(closings.recv().unwrap(), answer);
    assert_eq!((answer.first_sequence, answer.last_sequence, answer.records), (1, 10, 10));
    let bytes = std::fs::read(dir.path().join(&answer.file)).unwrap();
    assert_eq!(answer.digest, probity_events::format::sha256(&bytes));
    assert_eq!(events.close_segment().unwrap(), None);
    assert_eq!(events.closed_segments(), [answer]);
}

#[test]
fn digests_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), Options { segment_bytes: 2000, ..options() });
    (0..30).for_each(|tag| record(&events, tag));
    events.close_segment().unwrap();
    let before = events.closed_segments();
    drop(events);
    let (events, _) = open(dir.path(), options());
    assert_eq!(events.closed_segments(), before);
    for segment in before {
        let bytes = std::fs::read(dir.path().join(&segment.file)).unwrap();
        assert_eq!(segment.digest, probity_events::format::sha256(&bytes));
        assert_eq!(segment.bytes, bytes.len() as u64);
    }
}

#[test]
fn an_old_segment_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(1_700_000_000);
    let (events, _) = open(dir.path(), Options { clock: clock.clone(), ..options() });
    record(&events, 1);
    assert_eq!(events.closed_segments(), []);
    clock.advance(Duration::from_secs(3601));
    // The writer looks at the hour after each batch.
    record(&events, 2);
    record(&events, 3);
    assert_eq!(events.closed_segments().len(), 1);
}

#[test]
fn the_future_resolves_without_a_runtime() {
    struct Counting(AtomicU64, std::thread::Thread);
    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            self.1.unpark();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), options());
    let recorder = events.recorder();
    recorder.accepted();
    let waker = Arc::new(Counting(AtomicU64::new(0), std::thread::current()));
    let mut future = pin!(recorder.append(exchange(1)).unwrap().synced());
    let waker = Waker::from(waker);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => break result.unwrap(),
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn many_threads_lose_nothing_and_keep_their_own_order() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), Options { segment_bytes: 100_000, ..options() });
    const EACH: u64 = 2000;
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let recorder = events.recorder();
            scope.spawn(move || {
                for count in 0..EACH {
                    recorder.accepted();
                    let ticket = recorder.append(exchange(thread << 32 | count)).unwrap();
                    if count % 500 == 0 {
                        ticket.wait().unwrap();
                    }
                }
            });
        }
    });
    events.shutdown();
    let (exchanges, gaps) = read_all(Reader::open(dir.path(), keys(), 1).unwrap());
    assert_eq!(gaps, []);
    assert!(exchanges.iter().map(|exchange| exchange.sequence).eq(1..=4 * EACH));
    for thread in 0..4 {
        let own = tags(&exchanges).into_iter().filter(|tag| tag >> 32 == thread);
        assert!(own.eq((0..EACH).map(|count| thread << 32 | count)));
    }
    assert_eq!(events.counts(), Counts { accepted: 4 * EACH, recorded: 4 * EACH, lost: 0 });
}

#[test]
fn a_record_beyond_the_limit_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), options());
    let recorder = events.recorder();
    let large = Exchange { query: vec!["x".repeat(2 << 20).into()], ..exchange(1) };
    recorder.accepted();
    assert_eq!(recorder.append(large).unwrap().wait(), Err(RecordError::Failed));
    record(&events, 2);
    events.close_segment().unwrap();
    assert_eq!(events.counts(), Counts { accepted: 2, recorded: 1, lost: 1 });
    let gaps = events.gaps();
    assert_eq!((gaps.len(), gaps[0].reason, gaps[0].count), (1, GapReason::TooLarge, 1));
}

#[test]
fn a_large_commit_is_several_batches() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(
        dir.path(),
        Options { batch_bytes: 64 << 20, sync_interval: Duration::from_millis(10), ..options() },
    );
    let recorder = events.recorder();
    let large = |tag| Exchange { query: vec!["x".repeat(900 << 10).into()], ..exchange(tag) };
    let tickets: Vec<_> = (0..12)
        .map(|tag| {
            recorder.accepted();
            recorder.append(large(tag)).unwrap()
        })
        .collect();
    tickets.into_iter().for_each(|ticket| ticket.wait().unwrap());
    let (exchanges, gaps) = read_all(events.reader(1));
    assert_eq!((tags(&exchanges), gaps), ((0..12).collect(), vec![]));
}

#[test]
fn a_second_writer_and_a_foreign_gateway_are_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), options());
    record(&events, 1);
    let second = Events::open(dir.path(), gateway(), keys(), options());
    assert!(matches!(second, Err(EventsError::Locked { .. })), "{second:?}");
    drop(events);
    let foreign = Events::open(dir.path(), "gateway-2".into(), keys(), options());
    assert!(matches!(foreign, Err(EventsError::Gateway { .. })), "{foreign:?}");
    let other_root = Arc::new(probity_events::EphemeralKeys::new().unwrap());
    let keyless = Events::open(dir.path(), gateway(), other_root.clone(), options());
    assert!(matches!(keyless, Err(EventsError::Key { .. })), "{keyless:?}");
    assert!(Reader::open(dir.path(), other_root, 1).unwrap().all(|record| record.is_err()));
}

#[test]
fn no_value_stands_in_clear_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), options());
    record(&events, 1);
    events.shutdown();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for needle in ["clinic", "patients", "application/json", "/email"] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle.as_bytes()), "{needle}");
        }
    }
}

#[test]
fn records_and_gaps_come_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let (events, _) = open(dir.path(), options());
        record(&events, round);
        events.recorder().accepted();
    }
    let kinds: Vec<String> = Reader::open(dir.path(), keys(), 1)
        .unwrap()
        .map(|record| match record.unwrap() {
            Record::Exchange(exchange) => format!("#{}", exchange.sequence),
            Record::Gap(gap) => format!("gap of {} after #{}", gap.count, gap.after_sequence),
        })
        .collect();
    assert_eq!(kinds, ["#1", "gap of 1 after #1", "#2", "gap of 1 after #2", "#3", "gap of 1 after #3"]);
}

#[test]
fn a_reader_beside_a_busy_writer_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), Options { segment_bytes: 5000, ..options() });
    const RECORDS: u64 = 3000;
    std::thread::scope(|scope| {
        let recorder = events.recorder();
        scope.spawn(move || {
            for tag in 0..RECORDS {
                recorder.accepted();
                let ticket = recorder.append(exchange(tag)).unwrap();
                if tag % 10 == 0 {
                    ticket.wait().unwrap();
                }
            }
        });
        let mut reader = events.reader(1);
        let mut expected = 1;
        while expected <= RECORDS {
            match reader.next() {
                Some(Ok(Record::Exchange(exchange))) => {
                    assert_eq!((exchange.sequence, exchange.request_bytes), (expected, expected - 1));
                    expected += 1;
                }
                Some(other) => panic!("{other:?}"),
                None => std::thread::yield_now(),
            }
        }
    });
}
