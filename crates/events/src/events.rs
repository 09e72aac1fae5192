//! The public face: opens a folder of segments, hands out recorders and readers, and ends in order.
//!
//! One [`Events`] is one writer of one folder; a lock keeps a second process out. Callbacks run on the writer's
//! thread, after the batch they speak of is synced and its tickets are told.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use probity_model::bundle::OnRecordFailure;
use probity_model::{Exchange, GatewayId, RequestId, Timestamp};

use crate::clock::{Clock, SystemClock};
use crate::gap::Gap;
use crate::keys::{KeyError, SegmentKeys};
use crate::queue::{Command, Limits, RecordError, Recorder, Shared};
use crate::reader::{ReadError, Reader};
use crate::recovery::{self, Recovery};
use crate::retention::{self, DeletedSegment, Expiry};
use crate::segment::SegmentList;
use crate::storage::{DiskStorage, Storage};
use crate::writer::{Callbacks, Writer};

/// How long a batch gathers at most before it is synced.
pub const MAX_SYNC_INTERVAL: Duration = Duration::from_millis(10);

/// Called on the writer's thread with each synced batch.
pub type SyncedCallback = Box<dyn FnMut(&[Exchange]) + Send>;

/// How to keep records.
#[derive(Clone, Debug)]
pub struct Options {
    /// Closed segments older than this are deleted by [`Events::enforce_retention`]; 0 keeps them whatever their age.
    pub keep_days: u32,
    /// The oldest closed segments beyond so many bytes are deleted; 0 keeps them whatever their size.
    pub keep_bytes: u64,
    /// A segment of this size is closed and the next one begun.
    pub segment_bytes: u64,
    /// So is one this old, so that its digest reaches the ledger and its age can end it.
    pub segment_age: Duration,
    /// How long a batch gathers before it is synced; at most [`MAX_SYNC_INTERVAL`].
    pub sync_interval: Duration,
    /// A batch of this many bytes does not wait for the interval's end.
    pub batch_bytes: usize,
    /// Records that wait for the writer at most.
    pub queue_records: usize,
    /// How long a failing disk is left alone before the next attempt.
    pub retry_interval: Duration,
    /// What happens to traffic while records cannot be kept.
    pub on_full: OnRecordFailure,
    pub clock: Arc<dyn Clock>,
    pub storage: Arc<dyn Storage>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep_days: 365,
            keep_bytes: 64 * 1024 * 1024 * 1024,
            segment_bytes: 64 * 1024 * 1024,
            segment_age: Duration::from_secs(3600),
            sync_interval: Duration::from_millis(5),
            batch_bytes: 1024 * 1024,
            queue_records: 65_536,
            retry_interval: Duration::from_millis(100),
            on_full: OnRecordFailure::Pass,
            clock: Arc::new(SystemClock),
            storage: Arc::new(DiskStorage),
        }
    }
}

/// Why a folder of segments cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error("`{}` is in use by another process", dir.display())]
    Locked { dir: PathBuf },
    #[error("`{}`: cannot {action}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The newest segment's key: going on would begin the sequence anew, so it is refused.
    #[error("`{}`: its key cannot be opened, so that its sequence numbers cannot be continued", path.display())]
    Key {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error("`{}`: written by gateway `{found}`, expected `{expected}`", path.display())]
    Gateway { path: PathBuf, found: GatewayId, expected: GatewayId },
    /// A newer version wrote here; an older one must not.
    #[error("`{}`: {source}", path.display())]
    Version { path: PathBuf, source: crate::format::FormatError },
}

/// A segment that will not change any more: the ledger's leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedSegment {
    /// Name inside the folder.
    pub file: String,
    pub first_sequence: u64,
    /// `first_sequence - 1` when the segment holds gaps alone.
    pub last_sequence: u64,
    /// Readable records in it.
    pub records: u64,
    pub gaps: Vec<Gap>,
    /// SHA-256 of the file's bytes.
    pub digest: [u8; 32],
    pub bytes: u64,
    pub closed_at: Timestamp,
}

/// Calls over the gateway's life. `accepted - recorded - lost` are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    /// Synced, and readable as far as is known.
    pub recorded: u64,
    /// In a gap, or counted to be written as one.
    pub lost: u64,
}

/// How recording goes, for health pages and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The error of the last attempt to write, while attempts fail.
    pub failing: Option<String>,
    /// Attempts that failed since the start.
    pub failures: u64,
    /// Segments that were left behind because syncing them failed; the next start closes them.
    pub abandoned: u64,
    /// Callbacks that panicked; the writer went on.
    pub callback_panics: u64,
    /// Records that wait for the writer.
    pub waiting: usize,
    /// The newest sequence number on disk.
    pub last_sequence: u64,
}

/// The record of one gateway.
pub struct Events {
    dir: PathBuf,
    shared: Arc<Shared>,
    segments: Arc<Mutex<SegmentList>>,
    callbacks: Arc<Mutex<Callbacks>>,
    keys: Arc<dyn SegmentKeys>,
    options: Options,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("dir", &self.dir)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Events {
    /// Opens the folder, repairs what an earlier end left, accounts for every accepted call, and starts the writer.
    ///
    /// A disk that takes no bytes does not fail this: what is to be written stays in memory, is tried again, and
    /// [`Recovery::problem`] says so.
    ///
    /// # Errors
    /// [`EventsError`] when another process has the folder, it cannot be read, or going on would not be safe.
    pub fn open(
        dir: &Path,
        gateway: GatewayId,
        keys: Arc<dyn SegmentKeys>,
        options: Options,
    ) -> Result<(Self, Recovery), EventsError> {
        let options = Options { sync_interval: options.sync_interval.min(MAX_SYNC_INTERVAL), ..options };
        let (state, recovery) = recovery::recover(dir, &gateway, &keys, &options)?;
        let limits = Limits {
            records: options.queue_records.max(1),
            batch_bytes: options.batch_bytes.max(1),
            on_full: options.on_full,
        };
        let counts = state.counts();
        let shared = Arc::new(Shared::new(state.counter, limits, counts.recorded, counts.lost));
        let segments = Arc::new(Mutex::new(state.segments));
        let callbacks = Arc::new(Mutex::new(Callbacks::default()));
        let mut writer = Writer::new(
            dir.to_owned(),
            gateway,
            Arc::clone(&keys),
            options.clone(),
            Arc::clone(&shared),
            Arc::clone(&segments),
            Arc::clone(&callbacks),
            state.resume,
        );
        let mut recovery = recovery;
        if let Err(problem) = writer.write_found_gaps() {
            recovery.problem.get_or_insert(problem);
        }
        let thread = std::thread::Builder::new()
            .name("probity-events".into())
            .spawn(move || writer.run())
            .map_err(|source| EventsError::Io { action: "start the writer of", path: dir.into(), source })?;
        let thread = Mutex::new(Some(thread));
        Ok((Self { dir: dir.into(), shared, segments, callbacks, keys, options, thread }, recovery))
    }

    pub fn recorder(&self) -> Recorder {
        Recorder::new(Arc::clone(&self.shared))
    }

    /// Calls `callback` with the exchanges of each synced batch, in order, on the writer's thread: it delays the
    /// next batch, so it should be quick and must not wait for records of its own.
    pub fn on_synced(&self, callback: SyncedCallback) {
        self.callbacks().synced.push(callback);
    }
    /// Calls `callback` for each segment that is closed while running; those that a start closed are in
    /// [`Recovery::closed`].
    pub fn on_segment_closed(&self, callback: Box<dyn FnMut(ClosedSegment) + Send>) {
        self.callbacks().closed.push(callback);
    }
    /// Calls `callback` for each gap that is written while running; those that a start found are in
    /// [`Recovery::gaps`].
    pub fn on_gap(&self, callback: Box<dyn FnMut(Gap) + Send>) {
        self.callbacks().gap.push(callback);
    }

    /// Reads what is synced, from this sequence number on. At its end it yields `None`; asked again later, it goes
    /// on with what was synced since.
    pub fn reader(&self, from_sequence: u64) -> Reader {
        Reader::following(
            self.dir.clone(),
            Arc::clone(&self.options.storage),
            Arc::clone(&self.keys),
            Arc::clone(&self.segments),
            from_sequence,
        )
    }
    /// The exchange of this request, if it is on record.
    ///
    /// # Errors
    /// [`ReadError`] when segments cannot be read.
    pub fn find(&self, request_id: RequestId) -> Result<Option<Exchange>, ReadError> {
        self.reader(1).find(request_id)
    }

    /// Writes what waits and closes the open segment; `None` when none was open.
    ///
    /// # Errors
    /// [`RecordError::Failed`] when the disk fails, [`RecordError::Closed`] after a shutdown or from a callback.
    pub fn close_segment(&self) -> Result<Option<ClosedSegment>, RecordError> {
        self.ask(Command::Close).and_then(std::convert::identity)
    }

    pub fn counts(&self) -> Counts {
        // In this order: what is recorded or lost was accepted before.
        let recorded = self.shared.recorded.load(Ordering::Acquire);
        let lost = self.shared.lost.load(Ordering::Acquire);
        let accepted = self.shared.counter.value().max(recorded.saturating_add(lost));
        Counts { accepted, recorded, lost }
    }
    /// Every gap in the segments that are kept, oldest first.
    pub fn gaps(&self) -> Vec<Gap> {
        self.segments().gaps()
    }
    /// Every closed segment that is kept, oldest first, so that a leaf that a stop kept from the ledger is caught up.
    pub fn closed_segments(&self) -> Vec<ClosedSegment> {
        self.segments().closed().cloned().collect()
    }
    pub fn status(&self) -> Status {
        let mut status = self.segments().status.clone();
        status.waiting = self.shared.queue().exchanges.len();
        status
    }

    /// The segments that [`Events::enforce_retention`] would delete, and why.
    pub fn expired(&self, now: Timestamp) -> Vec<(ClosedSegment, Expiry)> {
        retention::expired(&self.segments(), &self.options, now)
    }
    /// Deletes, oldest first, the closed segments that are past their time or beyond the bytes to keep. What could
    /// not be deleted is left for the next call.
    pub fn enforce_retention(&self, now: Timestamp) -> Vec<DeletedSegment> {
        let carries = retention::needs_carrying(&self.segments(), &self.options, now);
        if carries {
            // Where it fails the newest segment stays, and is tried again by the next call.
            let _ = self.ask(Command::Carry);
        }
        retention::delete(&self.dir, &self.segments, &self.options, now)
    }

    /// Ends in order: writes what waits, writes what is unfinished as a gap, closes the segment. Called again, or by
    /// the drop of `Events` after it, it does nothing.
    pub fn shutdown(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        self.shared.command(Command::Stop);
        // A callback that ends its own recording cannot wait for itself.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }

    fn ask<T>(&self, command: impl FnOnce(mpsc::SyncSender<T>) -> Command) -> Result<T, RecordError> {
        let writer = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let id = writer.as_ref().map(|thread| thread.thread().id()).ok_or(RecordError::Closed)?;
        drop(writer);
        if id == std::thread::current().id() {
            return Err(RecordError::Closed);
        }
        let (reply, answer) = mpsc::sync_channel(1);
        self.shared.command(command(reply));
        answer.recv().map_err(|_| RecordError::Closed)
    }
    fn segments(&self) -> std::sync::MutexGuard<'_, SegmentList> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn callbacks(&self) -> std::sync::MutexGuard<'_, Callbacks> {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shutdown();
    }
}
