//! The committed segment is the oldest format that is read, and still the one that is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use probity_events::{ClosedSegment, Events, GapReason, KeyError, Options, Reader, SegmentKey, SegmentKeys};
use probity_model::Exchange;
use zeroize::Zeroizing;

use crate::support::{exchange, gateway, options, read_all, record};

const SEGMENT: &str = "segment-0000000000000001.events";
const RECORDS: u64 = 17;

/// One key for all: only ever for bytes that must come out the same.
struct FixedKey;

impl SegmentKeys for FixedKey {
    fn fresh(&self) -> Result<SegmentKey, KeyError> {
        Ok(SegmentKey { key: Zeroizing::new([0x42; 32]), sealed: b"golden".to_vec() })
    }
    fn open(&self, sealed: &[u8]) -> Result<SegmentKey, KeyError> {
        match sealed {
            b"golden" => self.fresh(),
            _ => Err(KeyError::new("not the golden key")),
        }
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/segment-v1.events")
}

/// Batches of one record each, then a gap of two.
fn write(dir: &Path) -> ClosedSegment {
    let (events, _) = Events::open(dir, gateway(), Arc::new(FixedKey), Options { ..options() }).unwrap();
    (0..RECORDS).for_each(|tag| record(&events, tag));
    events.recorder().accepted();
    events.recorder().accepted();
    events.shutdown();
    events.closed_segments().remove(0)
}

#[test]
fn the_oldest_supported_segment_is_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(golden(), dir.path().join(SEGMENT)).unwrap();
    let (exchanges, gaps) = read_all(Reader::open(dir.path(), Arc::new(FixedKey), 1).unwrap());
    let expected = (0..RECORDS).map(|tag| Exchange { sequence: tag + 1, ..exchange(tag) });
    assert!(exchanges.into_iter().eq(expected));
    assert_eq!((gaps.len(), gaps[0].reason, gaps[0].count), (1, GapReason::Unfinished, 2));
}

#[test]
fn today_the_same_bytes_are_written() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let written = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::create_dir_all(golden().parent().unwrap()).unwrap();
        std::fs::write(golden(), &written).unwrap();
    }
    assert!(written == std::fs::read(golden()).unwrap(), "the segment format changed: raise FORMAT_VERSION");
}

#[test]
fn the_oldest_supported_folder_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(golden(), dir.path().join(SEGMENT)).unwrap();
    let (events, recovery) = Events::open(dir.path(), gateway(), Arc::new(FixedKey), options()).unwrap();
    assert_eq!((recovery.next_sequence, recovery.counts.accepted), (RECORDS + 1, RECORDS + 2));
    // The counter was not copied along, which is said.
    assert_eq!((recovery.gaps.len(), recovery.gaps[0].reason), (1, GapReason::CounterLost));
    record(&events, 99);
    assert_eq!(events.find(exchange(99).request_id).unwrap().unwrap().sequence, RECORDS + 1);
}
