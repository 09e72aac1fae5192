//! Which closed segments are kept no longer, and their deletion. Oldest first, without holes; the newest segment
//! stays, because it carries the sequence and the totals on.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use probity_model::Timestamp;
use probity_model::time::MICROS_PER_DAY;

use crate::events::{ClosedSegment, Options};
use crate::segment::{self, SegmentList};
use crate::storage::Storage;

/// Why a segment is kept no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Closed longer ago than the days to keep.
    Age,
    /// Beyond the bytes to keep.
    Size,
}

/// A deletion: the ledger's leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedSegment {
    pub segment: ClosedSegment,
    pub expiry: Expiry,
    pub deleted_at: Timestamp,
}

pub(crate) fn expired(list: &SegmentList, options: &Options, now: Timestamp) -> Vec<(ClosedSegment, Expiry)> {
    let mut bytes = list.bytes();
    let too_old = |segment: &ClosedSegment| {
        options.keep_days > 0
            && now.since(segment.closed_at) > i64::from(options.keep_days).saturating_mul(MICROS_PER_DAY)
    };
    let mut out = Vec::new();
    for segment in list.settled() {
        let expiry = match (too_old(&segment), options.keep_bytes > 0 && bytes > options.keep_bytes) {
            (true, _) => Expiry::Age,
            // Not the newest: it would leave nothing.
            (false, true) if !list.is_newest(&segment.file) => Expiry::Size,
            (false, true) => break,
            (false, false) => break,
        };
        bytes = bytes.saturating_sub(segment.bytes);
        out.push((segment, expiry));
    }
    out
}

fn digest(storage: &dyn Storage, path: &Path) -> std::io::Result<[u8; 32]> {
    let file = storage.open(path, false)?;
    let len = file.len()?;
    segment::digest_of(&*file, len).map(segment::finish)
}

/// The newest segment itself is past its time: another must carry the totals on before it goes.
pub(crate) fn needs_carrying(list: &SegmentList, options: &Options, now: Timestamp) -> bool {
    list.newest_is_closed()
        && list
            .closed()
            .last()
            .zip(expired(list, options, now).last())
            .is_some_and(|(newest, (last, expiry))| newest == last && *expiry == Expiry::Age)
}

pub(crate) fn delete(
    dir: &Path,
    list: &Mutex<SegmentList>,
    options: &Options,
    now: Timestamp,
) -> Vec<DeletedSegment> {
    let locked = || list.lock().unwrap_or_else(PoisonError::into_inner);
    let found = expired(&locked(), options, now);
    let mut out = Vec::new();
    for (mut segment, expiry) in found {
        if locked().is_newest(&segment.file) {
            break;
        }
        let path = dir.join(&segment.file);
        if segment.digest == [0; 32] {
            // Damaged: the ledger's leaf still names what exactly went.
            segment.digest = digest(&*options.storage, &path).unwrap_or_default();
        }
        match options.storage.remove(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => break,
        }
        locked().forget(&segment.file);
        out.push(DeletedSegment { segment, expiry, deleted_at: now });
    }
    // A deletion that the machine takes back is found again, and deleted again, by the next call.
    let _ = options.storage.sync_dir(dir);
    out
}
