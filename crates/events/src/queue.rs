//! Between callers and the writer: records are encoded on the caller's thread and added to one shared batch under
//! a short lock; nobody waits for the disk but who asks a [`Ticket`].
//!
//! The lock of [`Queue`] is held for copying one encoded record, by the writer for swapping buffers, never while
//! anything is encoded, encrypted, written or synced.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use probity_model::bundle::OnRecordFailure;
use probity_model::{Exchange, Timestamp};

use crate::codec::{self, MAX_RECORD};
use crate::counter::Counter;
use crate::events::ClosedSegment;
use crate::gap::GapReason;

/// Bytes of encoded records that wait at most, whatever their number.
pub const MAX_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Why a record was not taken, or is not known to be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The queue is full and traffic is to be refused; the call is counted as lost.
    #[error("records cannot be kept as fast as they come, traffic is to be refused")]
    Full,
    /// Not synced: the disk fails, or the record was dropped and counted. A record that waits in memory may still
    /// reach the disk later.
    #[error("the record is not known to be on disk")]
    Failed,
    #[error("recording has been shut down")]
    Closed,
}

/// Hands exchanges to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

impl Recorder {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Counts one call, when its head is read. The count survives the process: what is counted and never appended
    /// becomes a gap.
    pub fn accepted(&self) {
        self.shared.counter.increment();
    }

    /// Hands over the record of a call that was counted by [`Recorder::accepted`]. Never waits for the disk. Any
    /// sequence number in it is replaced by the writer.
    ///
    /// Under [`OnRecordFailure::Pass`] a record that finds the queue full is dropped, counted as lost, and the
    /// ticket says [`RecordError::Failed`].
    ///
    /// # Errors
    /// [`RecordError::Full`] under [`OnRecordFailure::Refuse`] (the call is counted as lost), [`RecordError::Closed`]
    /// after a shutdown (the next start counts it).
    pub fn append(&self, mut exchange: Exchange) -> Result<Ticket, RecordError> {
        exchange.sequence = 0;
        // A thread that is being torn down has no scratch left; it pays an allocation instead.
        let mut exchange = Some(exchange);
        let mut take = |scratch: &mut Vec<u8>| {
            exchange.take().map_or(Err(RecordError::Closed), |exchange| self.append_with(exchange, scratch))
        };
        match SCRATCH.try_with(|scratch| scratch.try_borrow_mut().ok().map(|mut scratch| take(&mut scratch)))
        {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => take(&mut Vec::new()),
        }
    }

    /// Records cannot be kept right now and traffic is to be refused ([`OnRecordFailure::Refuse`]): ask before a
    /// call is served. Clears by itself when the disk takes records again.
    #[must_use]
    pub fn refusing(&self) -> bool {
        matches!(self.shared.limits.on_full, OnRecordFailure::Refuse)
            && self.shared.failing.load(Ordering::Acquire)
    }

    fn append_with(&self, exchange: Exchange, scratch: &mut Vec<u8>) -> Result<Ticket, RecordError> {
        scratch.clear();
        let encoded = codec::encode_record(&exchange, scratch).is_ok() && scratch.len() <= MAX_RECORD;
        let mut queue = self.shared.queue();
        if queue.closed {
            return Err(RecordError::Closed);
        }
        if !encoded {
            scratch.shrink_to(SCRATCH_KEPT);
            return Ok(self.shared.drop_one(queue, GapReason::TooLarge, exchange.started_at));
        }
        let limits = &self.shared.limits;
        let full = queue.exchanges.len() >= limits.records || queue.bytes.len() >= MAX_QUEUE_BYTES;
        if full {
            let ticket = self.shared.drop_one(queue, GapReason::QueueFull, exchange.started_at);
            return match limits.on_full {
                OnRecordFailure::Pass => Ok(ticket),
                OnRecordFailure::Refuse => Err(RecordError::Full),
            };
        }
        codec::put_length(scratch.len(), &mut queue.bytes);
        queue.bytes.extend_from_slice(scratch);
        queue.exchanges.push(exchange);
        let ticket = Ticket { completion: Arc::clone(&queue.completion) };
        let wake = match queue.writer {
            WriterState::Busy => false,
            WriterState::Idle => true,
            WriterState::Gathering => limits.is_large(&queue),
        };
        if wake {
            queue.writer = WriterState::Busy;
        }
        drop(queue);
        if wake {
            self.shared.wake.notify_one();
        }
        Ok(ticket)
    }
}

/// What the scratch buffer of a thread keeps after an odd, large record.
const SCRATCH_KEPT: usize = 4096;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Stands for one appended record; forget it, wait for it, or await it.
#[derive(Debug)]
#[must_use = "an appended record is on disk only when its ticket says so; drop it knowingly where traffic does not wait"]
pub struct Ticket {
    completion: Arc<Completion>,
}

impl Ticket {
    /// Resolves when the record's batch is synced, or as soon as syncing it failed.
    pub fn synced(self) -> Synced {
        Synced { completion: self.completion, registered: None }
    }
    /// Blocks until the record's batch is synced, or until syncing it failed.
    ///
    /// # Errors
    /// [`RecordError::Failed`], [`RecordError::Closed`].
    pub fn wait(self) -> Result<(), RecordError> {
        self.completion.wait()
    }
}

/// The future of [`Ticket::synced`]; needs no particular runtime.
#[derive(Debug)]
pub struct Synced {
    completion: Arc<Completion>,
    registered: Option<Waker>,
}

impl Future for Synced {
    type Output = Result<(), RecordError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.completion.result() {
            return Poll::Ready(result);
        }
        let completion = Arc::clone(&self.completion);
        let mut wakers = completion.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // Again under the lock: the writer sets the state before it takes the wakers.
        if let Some(result) = completion.result() {
            return Poll::Ready(result);
        }
        if !self.registered.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            wakers.push(context.waker().clone());
            self.registered = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// Shared by all tickets of one batch.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    state: AtomicU8,
    wakers: Mutex<Vec<Waker>>,
    done: Condvar,
}

const PENDING: u8 = 0;
const SYNCED: u8 = 1;
const FAILED: u8 = 2;
const CLOSED: u8 = 3;

impl Completion {
    pub(crate) fn failed() -> Self {
        Self { state: AtomicU8::new(FAILED), ..Self::default() }
    }
    /// The first result stands: a batch that failed and is written later has told its waiters already.
    pub(crate) fn complete(&self, result: Result<(), RecordError>) {
        let state = match result {
            Ok(()) => SYNCED,
            Err(RecordError::Closed) => CLOSED,
            Err(RecordError::Full | RecordError::Failed) => FAILED,
        };
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.state.compare_exchange(PENDING, state, Ordering::AcqRel, Ordering::Acquire);
        let waiting = std::mem::take(&mut *wakers);
        drop(wakers);
        self.done.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }
    fn result(&self) -> Option<Result<(), RecordError>> {
        match self.state.load(Ordering::Acquire) {
            PENDING => None,
            SYNCED => Some(Ok(())),
            CLOSED => Some(Err(RecordError::Closed)),
            _ => Some(Err(RecordError::Failed)),
        }
    }
    fn wait(&self) -> Result<(), RecordError> {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = self.result() {
                return result;
            }
            wakers = self.done.wait(wakers).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What callers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    /// The writer waits here.
    pub(crate) wake: Condvar,
    pub(crate) counter: Counter,
    pub(crate) limits: Limits,
    /// Synced records, ever.
    pub(crate) recorded: AtomicU64,
    /// Calls without a readable record, ever; those not yet written as a gap are among them.
    pub(crate) lost: AtomicU64,
    /// The last attempt to write failed.
    pub(crate) failing: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: usize,
    /// A batch this large does not wait for the interval's end.
    pub(crate) batch_bytes: usize,
    pub(crate) on_full: OnRecordFailure,
}

impl Limits {
    /// Waiting longer gains nothing, or would fill the queue.
    pub(crate) fn is_large(&self, queue: &Queue) -> bool {
        queue.bytes.len() >= self.batch_bytes || queue.exchanges.len() >= self.records.div_ceil(2)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Length-prefixed encoded records, one for each exchange.
    pub(crate) bytes: Vec<u8>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) completion: Arc<Completion>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) commands: Vec<Command>,
    pub(crate) writer: WriterState,
    pub(crate) closed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriterState {
    /// It looks at the queue again by itself.
    #[default]
    Busy,
    /// It waits for a first record.
    Idle,
    /// It waits for a batch to grow.
    Gathering,
}

/// Calls dropped at the queue, not yet written as a gap. One for each reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) reason: GapReason,
    pub(crate) count: u64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

pub(crate) type Reply<T> = std::sync::mpsc::SyncSender<T>;

#[derive(Debug)]
pub(crate) enum Command {
    /// Write what waits and close the open segment.
    Close(Reply<Result<Option<ClosedSegment>, RecordError>>),
    /// Make sure that an open segment carries the totals on, so that every closed one may be deleted.
    Carry(Reply<Result<(), RecordError>>),
    /// Write what waits, count what is unfinished, close and end.
    Stop,
}

impl Shared {
    pub(crate) fn new(counter: Counter, limits: Limits, recorded: u64, lost: u64) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            counter,
            limits,
            recorded: AtomicU64::new(recorded),
            lost: AtomicU64::new(lost),
            failing: AtomicBool::new(false),
        }
    }
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn command(&self, command: Command) {
        let mut queue = self.queue();
        // After the end nobody answers: dropping the command tells its sender.
        if queue.closed {
            return;
        }
        queue.closed = matches!(command, Command::Stop);
        queue.commands.push(command);
        queue.writer = WriterState::Busy;
        drop(queue);
        self.wake.notify_one();
    }
    fn drop_one(&self, mut queue: MutexGuard<'_, Queue>, reason: GapReason, at: Timestamp) -> Ticket {
        self.lost.fetch_add(1, Ordering::Relaxed);
        match queue.losses.iter_mut().find(|loss| loss.reason == reason) {
            Some(loss) => {
                loss.count = loss.count.saturating_add(1);
                loss.from = loss.from.min(at);
                loss.to = loss.to.max(at);
            }
            None => queue.losses.push(Loss { reason, count: 1, from: at, to: at }),
        }
        let wake = queue.writer == WriterState::Idle;
        if wake {
            queue.writer = WriterState::Busy;
        }
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ticket { completion: Arc::new(Completion::failed()) }
    }
}
