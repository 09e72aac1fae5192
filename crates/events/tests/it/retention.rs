//! Deletion by age and by size: oldest first, the totals carried on, the reader told.

use std::time::Duration;

use probity_events::{Clock as _, Counts, Expiry, GapReason, Options, SequenceRange};

use crate::support::{ManualClock, open, options, read_all, record, tags};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn old_segments_go_by_age_and_the_sequence_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(1_700_000_000);
    let options = Options { keep_days: 3, clock: clock.clone(), ..options() };
    let (events, _) = open(dir.path(), options.clone());
    for day in 0..5 {
        record(&events, day);
        events.close_segment().unwrap();
        clock.advance(DAY);
    }
    events.recorder().accepted();
    let deleted = events.enforce_retention(clock.now());
    assert_eq!(
        deleted.iter().map(|d| (d.segment.first_sequence, d.expiry)).collect::<Vec<_>>(),
        [(1, Expiry::Age), (2, Expiry::Age)]
    );
    assert_eq!(events.enforce_retention(clock.now()), []);
    let (exchanges, gaps) = read_all(events.reader(1));
    assert_eq!(tags(&exchanges), [2, 3, 4]);
    assert_eq!(
        (gaps[0].reason, gaps[0].missing),
        (GapReason::Deleted, Some(SequenceRange { first: 1, last: 2 }))
    );
    assert_eq!(read_all(events.reader(3)).1, []);

    // Past everything's time the newest goes too, and nothing of what was counted is forgotten.
    clock.advance(30 * DAY);
    assert_eq!(events.enforce_retention(clock.now()).len(), 3);
    assert_eq!(events.counts(), Counts { accepted: 6, recorded: 5, lost: 0 });
    drop(events);
    let (events, recovery) = open(dir.path(), options);
    assert_eq!((recovery.next_sequence, recovery.damage), (6, vec![]));
    assert_eq!(recovery.counts, Counts { accepted: 6, recorded: 5, lost: 1 });
    record(&events, 5);
    let (exchanges, _) = read_all(events.reader(6));
    assert_eq!(tags(&exchanges), [5]);
}

#[test]
fn bytes_beyond_the_limit_go_from_the_oldest_on() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _) = open(dir.path(), Options { keep_bytes: 5000, segment_bytes: 1500, ..options() });
    (0..40).for_each(|tag| record(&events, tag));
    let all = events.closed_segments();
    let expired = events.expired(options().clock.now());
    let deleted = events.enforce_retention(options().clock.now());
    assert!(deleted.len() > 2);
    assert!(deleted.iter().map(|d| (&d.segment, d.expiry)).eq(expired.iter().map(|(s, e)| (s, *e))));
    assert!(deleted.iter().map(|d| &d.segment).eq(all.iter().take(deleted.len())));
    assert!(deleted.iter().all(|d| d.expiry == Expiry::Size && !dir.path().join(&d.segment.file).exists()));
    let kept: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("segment"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert!(kept <= 5000, "{kept}");
    assert_eq!(tags(&read_all(events.reader(1)).0).last(), Some(&39));
}

#[test]
fn a_damaged_segment_goes_in_its_turn() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(1_700_000_000);
    let options = Options { keep_days: 3, clock: clock.clone(), ..options() };
    let (events, _) = open(dir.path(), options.clone());
    for day in 0..4 {
        record(&events, day);
        events.close_segment().unwrap();
        clock.advance(DAY);
    }
    drop(events);
    let damaged = dir.path().join("segment-0000000000000002.events");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    let (events, recovery) = open(dir.path(), options);
    assert_eq!(recovery.damage.len(), 1);
    clock.advance(2 * DAY);
    let deleted = events.enforce_retention(clock.now());
    let files: Vec<_> = deleted
        .iter()
        .map(|deleted| (deleted.segment.first_sequence, deleted.segment.last_sequence))
        .collect();
    assert_eq!(files, [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(deleted[1].segment.digest, probity_events::format::sha256(&bytes));
    assert!(!damaged.exists());
}
