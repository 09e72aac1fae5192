//! Whatever is done to the files: no record is ever another than was written, and none is missing without a word.

use std::path::Path;

use probity_events::format::{PART_HEAD, PartHead, PartKind, TRAILER};
use probity_events::{Counts, Events, Gap, GapReason, Options, Reader, Record, Recovery, SequenceRange};
use probity_model::Exchange;
use proptest::prelude::*;

use crate::support::{Dice, exchange, folder, gateway, keys, open, options, read_all, record};

/// Batches of one record each; so many in each of two segments.
const EACH: u64 = 6;

fn file(number: u64) -> String {
    format!("segment-{number:016}.events")
}

/// Two segments and an orderly end; `open_end` leaves the last one as a kill would.
fn write(dir: &Path, open_end: bool) {
    let (events, _) = open(dir, options());
    for tag in 0..EACH {
        record(&events, tag);
    }
    events.close_segment().unwrap();
    for tag in EACH..2 * EACH {
        record(&events, tag);
    }
    if open_end {
        let kept: Vec<_> = ["segment-0000000000000002.events", "accepted.counter"]
            .map(|name| (dir.join(name), std::fs::read(dir.join(name)).unwrap()))
            .into();
        drop(events);
        kept.into_iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    }
}

fn edit(dir: &Path, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let path = dir.join(file(number));
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Where each part of a segment begins and ends.
fn parts(bytes: &[u8]) -> Vec<(PartKind, std::ops::Range<usize>)> {
    let mut parts = Vec::new();
    let (_, mut at) = probity_events::format::Header::decode(bytes).unwrap();
    while let Ok(head) = PartHead::decode(&bytes[at..]) {
        let end = at + PART_HEAD + head.length;
        parts.push((head.kind, at..end));
        at = end;
    }
    parts
}

/// Every number from 1 to `last` is read as it was written, or stands in a gap; never both, never neither.
fn assert_complete(reader: Reader, last: u64) -> Vec<Gap> {
    let mut seen = vec![0u32; usize::try_from(last).unwrap() + 1];
    let mut gaps = Vec::new();
    for record in reader {
        match record {
            Ok(Record::Exchange(found)) => {
                assert_eq!(found, Exchange { sequence: found.sequence, ..exchange(found.sequence - 1) });
                seen[usize::try_from(found.sequence).unwrap()] += 1;
            }
            Ok(Record::Gap(gap)) => {
                if let Some(SequenceRange { first, last }) = gap.missing {
                    (first..=last).for_each(|sequence| seen[usize::try_from(sequence).unwrap()] += 1);
                }
                gaps.push(gap);
            }
            Err(_) => {}
        }
    }
    assert!(seen[1..].iter().all(|times| *times == 1), "{seen:?}");
    gaps
}

fn reopened(dir: &Path) -> (Events, Recovery) {
    open(dir, options())
}

fn read(dir: &Path) -> Reader {
    Reader::open(dir, keys(), 1).unwrap()
}

#[test]
fn a_torn_tail_is_cut_and_what_was_counted_is_a_gap() {
    let whole = folder();
    write(whole.path(), true);
    let bytes = std::fs::read(whole.path().join(file(2))).unwrap();
    let (_, last) = parts(&bytes).pop().unwrap();
    for cut in (last.start + 1..last.end).step_by(7).chain([last.end - 1]) {
        let dir = folder();
        for name in [file(1), file(2), "accepted.counter".into()] {
            std::fs::copy(whole.path().join(&name), dir.path().join(&name)).unwrap();
        }
        edit(dir.path(), 2, |bytes| bytes.truncate(cut));
        // Without a repair there is simply no more.
        assert_eq!(read_all(read(dir.path())).0.len() as u64, 2 * EACH - 1);
        let (events, recovery) = reopened(dir.path());
        assert_eq!(recovery.truncated.len(), 1);
        assert_eq!(
            (recovery.truncated[0].offset, recovery.truncated[0].bytes),
            (last.start as u64, (cut - last.start) as u64)
        );
        assert_eq!(recovery.counts, Counts { accepted: 2 * EACH, recorded: 2 * EACH - 1, lost: 1 });
        assert_eq!((recovery.gaps[0].reason, recovery.gaps[0].count), (GapReason::ProcessStopped, 1));
        assert_eq!((recovery.damage, recovery.closed.len()), (vec![], 1));
        assert_eq!(assert_complete(events.reader(1), 2 * EACH - 1), recovery.gaps);
    }
}

#[test]
fn damage_before_the_end_is_kept_and_told_once() {
    let dir = folder();
    write(dir.path(), true);
    let bytes = std::fs::read(dir.path().join(file(2))).unwrap();
    let (_, third) = parts(&bytes).swap_remove(2);
    edit(dir.path(), 2, |bytes| bytes[third.start + 40] ^= 1);
    let size = std::fs::metadata(dir.path().join(file(2))).unwrap().len();
    let lost = SequenceRange { first: EACH + 3, last: EACH + 3 };
    {
        let (events, recovery) = reopened(dir.path());
        assert_eq!((recovery.truncated, recovery.damage.len()), (vec![], 1));
        assert_eq!(recovery.damage[0].offset, third.start as u64);
        assert_eq!(
            recovery.gaps.iter().map(|gap| (gap.reason, gap.missing)).collect::<Vec<_>>(),
            [(GapReason::Damaged, Some(lost))]
        );
        assert_eq!(recovery.counts, Counts { accepted: 2 * EACH, recorded: 2 * EACH - 1, lost: 1 });
        assert!(std::fs::metadata(dir.path().join(file(2))).unwrap().len() > size);
        let gaps = assert_complete(events.reader(1), 2 * EACH);
        assert_eq!(gaps.len(), 1);
        record(&events, 2 * EACH);
    }
    let (events, recovery) = reopened(dir.path());
    assert_eq!((recovery.gaps, recovery.next_sequence), (vec![], 2 * EACH + 2));
    assert_eq!(recovery.counts, Counts { accepted: 2 * EACH + 1, recorded: 2 * EACH, lost: 1 });
    assert_eq!(assert_complete(events.reader(1), 2 * EACH + 1).len(), 1);
}

#[test]
fn a_batch_altered_under_a_matching_checksum_is_damage_even_at_the_end() {
    let dir = folder();
    write(dir.path(), true);
    edit(dir.path(), 2, |bytes| {
        let (_, last) = parts(bytes).pop().unwrap();
        bytes[last.end - 1] ^= 1;
        let crc_at = last.start + PART_HEAD - 4;
        let crc = crc32c::crc32c_append(
            crc32c::crc32c(&bytes[last.start..crc_at]),
            &bytes[last.start + PART_HEAD..last.end],
        );
        bytes[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
    });
    assert_complete(read(dir.path()), 2 * EACH);
    let (events, recovery) = reopened(dir.path());
    assert_eq!((recovery.truncated, recovery.damage.len()), (vec![], 1));
    assert_eq!(recovery.gaps[0].missing, Some(SequenceRange { first: 2 * EACH, last: 2 * EACH }));
    assert_eq!(recovery.counts, Counts { accepted: 2 * EACH, recorded: 2 * EACH - 1, lost: 1 });
    assert_complete(events.reader(1), 2 * EACH);
}

#[test]
fn parts_cannot_be_moved_repeated_or_dropped_unseen() {
    type Change = fn(&mut Vec<u8>, &[u8]);
    // Each is done to the first segment; the other's bytes are at hand. How many records are gone.
    let table: &[(&str, Change, u64)] = &[
        ("drop the second", |bytes, _| drop(bytes.drain(parts(bytes)[1].1.clone())), 1),
        (
            "swap the second and third",
            |bytes, _| {
                let (second, third) = (parts(bytes)[1].1.clone(), parts(bytes)[2].1.clone());
                let swapped = [&bytes[third.clone()], &bytes[second.clone()]].concat();
                bytes.splice(second.start..third.end, swapped);
            },
            // The third is read where it stands; the second comes too late.
            1,
        ),
        (
            "repeat the second",
            |bytes, _| {
                let second = parts(bytes)[1].1.clone();
                let again = bytes[second.clone()].to_vec();
                bytes.splice(second.end..second.end, again);
            },
            0,
        ),
        (
            "take the second of another segment",
            |bytes, other| {
                let (own, foreign) = (parts(bytes)[1].1.clone(), parts(other)[1].1.clone());
                bytes.splice(own, other[foreign].iter().copied());
            },
            1,
        ),
        (
            "cut the footer and the last batch",
            |bytes, _| {
                let last = parts(bytes).iter().rposition(|(kind, _)| *kind == PartKind::Batch).unwrap();
                bytes.truncate(parts(bytes)[last].1.start);
            },
            1,
        ),
        ("cut to the header", |bytes, _| bytes.truncate(parts(bytes)[0].1.start), EACH),
        (
            "insert noise",
            |bytes, _| drop(bytes.splice(parts(bytes)[3].1.start..parts(bytes)[3].1.start, [9; 99])),
            0,
        ),
        ("append noise", |bytes, _| bytes.extend([9; 99]), 0),
    ];
    for (what, change, gone) in table {
        let dir = folder();
        write(dir.path(), false);
        let other = std::fs::read(dir.path().join(file(2))).unwrap();
        edit(dir.path(), 1, |bytes| change(bytes, &other));
        let gaps = assert_complete(read(dir.path()), 2 * EACH);
        assert_eq!(gaps.iter().map(|gap| gap.count).sum::<u64>(), *gone, "{what}: {gaps:?}");
        assert!(
            gaps.iter().all(|gap| gap.reason == GapReason::Damaged || gap.reason == GapReason::Missing),
            "{what}"
        );
        let silent = *gone == 0 && gaps.is_empty() && !what.contains("noise") && !what.contains("repeat");
        assert!(!silent, "{what}");
        let (events, _) = reopened(dir.path());
        record(&events, 2 * EACH);
        let again = assert_complete(events.reader(1), 2 * EACH + 1);
        assert_eq!(again.iter().map(|gap| gap.count).sum::<u64>(), *gone, "{what}: {again:?}");
    }
}

#[test]
fn an_end_that_others_follow_is_damage_and_stays() {
    let dir = folder();
    write(dir.path(), false);
    let mut cut = 0;
    edit(dir.path(), 1, |bytes| {
        let last = parts(bytes).into_iter().rfind(|(kind, _)| *kind == PartKind::Batch).unwrap().1;
        cut = last.end - 5;
        bytes.truncate(cut);
    });
    let missing = Some(SequenceRange { first: EACH, last: EACH });
    for round in 0..2 {
        let (events, recovery) = reopened(dir.path());
        assert_eq!((recovery.truncated, recovery.closed, recovery.damage.len()), (vec![], vec![], 1));
        let told: Vec<_> = recovery.gaps.iter().map(|gap| (gap.reason, gap.missing)).collect();
        assert_eq!(told, [(GapReason::Damaged, missing)].get(round..).unwrap_or_default());
        assert_eq!(std::fs::metadata(dir.path().join(file(1))).unwrap().len(), cut as u64);
        let gaps = assert_complete(events.reader(1), 2 * EACH);
        assert_eq!((gaps.len(), gaps[0].missing), (1, missing));
    }
}

#[test]
fn a_segment_that_is_gone_is_told() {
    let dir = folder();
    write(dir.path(), false);
    {
        let (events, _) = reopened(dir.path());
        record(&events, 2 * EACH);
    }
    std::fs::remove_file(dir.path().join(file(2))).unwrap();
    let missing = Some(SequenceRange { first: EACH + 1, last: 2 * EACH });
    let (events, recovery) = reopened(dir.path());
    assert_eq!((recovery.gaps[0].reason, recovery.gaps[0].missing), (GapReason::Missing, missing));
    assert_eq!(recovery.counts, Counts { accepted: 2 * EACH + 1, recorded: EACH + 1, lost: EACH });
    let gaps = assert_complete(events.reader(1), 2 * EACH + 1);
    assert_eq!((gaps[0].reason, gaps[0].missing), (GapReason::Missing, missing));
    drop(events);
    assert_eq!(reopened(dir.path()).1.gaps, []);
}

#[test]
fn the_newest_segments_gone_are_a_gap_by_the_counter() {
    let dir = folder();
    write(dir.path(), false);
    std::fs::remove_file(dir.path().join(file(2))).unwrap();
    let (_, recovery) = reopened(dir.path());
    assert_eq!(recovery.counts, Counts { accepted: 2 * EACH, recorded: EACH, lost: EACH });
    assert_eq!(recovery.gaps[0].count, EACH);
}

#[test]
fn a_header_that_is_gone_takes_its_segment_and_says_so() {
    for (number, what) in [(1, "the first"), (2, "the newest")] {
        let dir = folder();
        write(dir.path(), false);
        edit(dir.path(), number, |bytes| bytes[30] ^= 0xff);
        let (events, recovery) = reopened(dir.path());
        assert_eq!(recovery.damage.len(), 1, "{what}");
        assert_eq!(recovery.next_sequence, 2 * EACH + 1, "{what}");
        assert!(dir.path().join(file(number)).exists(), "{what}");
        record(&events, 2 * EACH);
        let gaps = assert_complete(events.reader(1), 2 * EACH + 1);
        assert_eq!(gaps.iter().map(|gap| gap.count).sum::<u64>(), EACH, "{what}: {gaps:?}");
    }
}

#[test]
fn a_damaged_counter_is_told() {
    use probity_events::CounterState::{Clean, Missing, Torn};
    type Change = fn(&Path);
    let table: &[(&str, Change, probity_events::CounterState)] = &[
        ("untouched", |_| {}, Clean),
        ("removed", |path| std::fs::remove_file(path).unwrap(), Missing),
        ("emptied", |path| std::fs::write(path, b"").unwrap(), Missing),
        ("cut", |path| std::fs::write(path, &std::fs::read(path).unwrap()[..70]).unwrap(), Torn),
        ("zeroed", |path| std::fs::write(path, [0; 4096]).unwrap(), Torn),
        ("turned back", |path| set_counter(path, 3), Torn),
        ("far ahead", |path| set_counter(path, u64::MAX - 1), Torn),
    ];
    for (what, change, state) in table {
        let dir = folder();
        write(dir.path(), false);
        change(&dir.path().join("accepted.counter"));
        let (events, recovery) = reopened(dir.path());
        assert_eq!(recovery.counter, *state, "{what}");
        let told = recovery.gaps.iter().any(|gap| gap.reason == GapReason::CounterLost && !gap.exact);
        assert_eq!(told, *state != Clean, "{what}");
        assert_eq!(recovery.counts, Counts { accepted: 2 * EACH, recorded: 2 * EACH, lost: 0 }, "{what}");
        record(&events, 2 * EACH);
        assert_eq!(events.counts().accepted, 2 * EACH + 1, "{what}");
    }
}

fn set_counter(path: &Path, value: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[64..72].copy_from_slice(&value.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let dir = folder();
    write(dir.path(), false);
    edit(dir.path(), 2, |bytes| bytes[8] = 2);
    let error = Events::open(dir.path(), gateway(), keys(), options()).unwrap_err();
    assert!(error.to_string().ends_with("segment format 2, expected 1 to 1"), "{error}");
}

#[test]
fn the_trailer_is_what_ends_a_closed_segment() {
    let dir = folder();
    write(dir.path(), false);
    edit(dir.path(), 2, |bytes| bytes.truncate(bytes.len() - TRAILER / 2));
    let (events, recovery) = reopened(dir.path());
    assert_eq!((recovery.truncated.len(), recovery.closed.len(), recovery.gaps.len()), (1, 1, 0));
    assert_complete(events.reader(1), 2 * EACH);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_change_is_survived_and_told(seed in any::<u64>(), open_end in any::<bool>()) {
        let mut dice = Dice(seed);
        let dir = folder();
        write(dir.path(), open_end);
        for _ in 0..=dice.below(3) {
            edit(dir.path(), 1 + dice.below(2), |bytes| {
                let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
                match dice.below(4) {
                    0 => bytes[at] ^= 1 << dice.below(8),
                    1 => bytes.truncate(at),
                    2 => drop(bytes.splice(at..at, [0x50; 40])),
                    _ => {
                        let end = (at + 200).min(bytes.len());
                        bytes[at..end].fill(0);
                    }
                }
            });
            if std::fs::metadata(dir.path().join(file(1))).unwrap().len() == 0 {
                break;
            }
        }
        // A reader alone says only what it can know; a start with the counter accounts for everything.
        for record in read(dir.path()) {
            if let Ok(Record::Exchange(found)) = record {
                prop_assert_eq!(&found, &Exchange { sequence: found.sequence, ..exchange(found.sequence - 1) });
            }
        }
        match Events::open(dir.path(), gateway(), keys(), Options { ..options() }) {
            Ok((events, recovery)) => {
                let counts = recovery.counts;
                prop_assert_eq!(counts.accepted, counts.recorded + counts.lost);
                prop_assert!(counts.accepted >= 2 * EACH);
                let last = recovery.next_sequence - 1;
                record(&events, last);
                assert_complete(events.reader(1), last + 1);
            }
            // Only a key that no longer opens, or a version that is none of ours, stops a start.
            Err(error) => prop_assert!(
                matches!(error, probity_events::EventsError::Key { .. } | probity_events::EventsError::Version { .. }),
                "{:?}", error
            ),
        }
    }
}
