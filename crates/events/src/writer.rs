//! The one thread that writes: gathers a batch, encrypts it, writes and syncs it, tells the tickets, closes segments.
//!
//! A disk that fails is tried again, with everything kept in memory that was taken from the queue. Two kinds of
//! failure differ. A write that does not fit is repeated later byte for byte at the same place. After a failed sync
//! nothing is known of the pages behind it, so the segment is cut to what was synced and left, and its last batch is
//! encrypted anew into the next segment under the same sequence numbers; a reader that finds both takes one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use probity_model::{Exchange, GatewayId, Timestamp};

use crate::codec;
use crate::events::{ClosedSegment, Options, SyncedCallback};
use crate::format::{BatchHead, Header, MAX_BATCH, Previous, Totals};
use crate::gap::{Gap, GapReason};
use crate::keys::SegmentKeys;
use crate::queue::{Command, Completion, Loss, Queue, RecordError, Reply, Shared, WriterState};
use crate::segment::{ActiveSegment, SegmentEntry, SegmentList, SegmentState, WriteError};

/// What a buffer keeps of its size between batches.
const BUFFER_KEPT: usize = 4 * 1024 * 1024;
/// The same in exchanges.
const EXCHANGES_KEPT: usize = 8 * 1024;

#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) synced: Vec<SyncedCallback>,
    pub(crate) closed: Vec<Box<dyn FnMut(ClosedSegment) + Send>>,
    pub(crate) gap: Vec<Box<dyn FnMut(Gap) + Send>>,
}

/// Where recovery left off.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) next_sequence: u64,
    pub(crate) next_number: u64,
    pub(crate) previous: Option<Previous>,
    /// Without `found`.
    pub(crate) totals: Totals,
    /// Gaps that recovery found, to be written first; `Recovery` tells of them, no callback does.
    pub(crate) found: Vec<Gap>,
    /// When the last batch was committed.
    pub(crate) last_commit: Timestamp,
}

pub(crate) struct Writer {
    dir: PathBuf,
    gateway: GatewayId,
    keys: Arc<dyn SegmentKeys>,
    options: Options,
    shared: Arc<Shared>,
    segments: Arc<Mutex<SegmentList>>,
    callbacks: Arc<Mutex<Callbacks>>,
    resume: Resume,
    active: Option<ActiveSegment>,
    sealed: Vec<u8>,
    spare: (Vec<u8>, Vec<Exchange>),
    first_try: Option<Work>,
    /// Taken from the queue, to be done after the batch taken with them.
    commands: Vec<Command>,
}

/// One commit: what was taken from the queue, until it is synced or given up.
#[derive(Debug, Default)]
struct Work {
    bytes: Vec<u8>,
    exchanges: Vec<Exchange>,
    waiting: Waiting,
    gaps: Vec<Gap>,
    /// Found by recovery, which tells of them itself.
    quiet: bool,
    /// The bytes in `Writer::sealed` are this work's, for the active segment.
    is_sealed: bool,
    /// The segment already has these bytes; only the sync is missing.
    is_written: bool,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.gaps.is_empty()
    }
}

/// The tickets of one batch; told of failure when nothing else was told before the batch is gone.
#[derive(Debug, Default)]
struct Waiting(Arc<Completion>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.complete(Err(RecordError::Failed));
    }
}

/// Ends the queue whatever ends the thread.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        queue.commands.clear();
        queue.completion.complete(Err(RecordError::Closed));
    }
}

impl Writer {
    #[allow(clippy::too_many_arguments, reason = "called once, by `Events::open`")]
    pub(crate) fn new(
        dir: PathBuf,
        gateway: GatewayId,
        keys: Arc<dyn SegmentKeys>,
        options: Options,
        shared: Arc<Shared>,
        segments: Arc<Mutex<SegmentList>>,
        callbacks: Arc<Mutex<Callbacks>>,
        resume: Resume,
    ) -> Self {
        Self {
            dir,
            gateway,
            keys,
            options,
            shared,
            segments,
            callbacks,
            resume,
            active: None,
            sealed: Vec::new(),
            spare: (Vec::new(), Vec::new()),
            first_try: None,
            commands: Vec::new(),
        }
    }

    /// Writes what recovery found, once, before any traffic; the thread goes on trying if that fails.
    pub(crate) fn write_found_gaps(&mut self) -> Result<(), String> {
        let gaps = std::mem::take(&mut self.resume.found);
        if gaps.is_empty() {
            return Ok(());
        }
        let mut work = Work { gaps, quiet: true, ..Work::default() };
        match self.try_commit(&mut work) {
            Ok(()) => {
                self.committed(work);
                Ok(())
            }
            Err(error) => {
                self.failed(&error, &work);
                self.first_try = Some(work);
                Err(error.to_string())
            }
        }
    }

    pub(crate) fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.shared));
        if let Some(work) = self.first_try.take() {
            self.commit(work);
        }
        loop {
            let work = self.gather();
            if !work.is_empty() {
                self.commit(work);
            }
            if self.segment_is_done() {
                let _ = self.close_active();
            }
            for command in std::mem::take(&mut self.commands) {
                match command {
                    Command::Close(reply) => self.answer_close(reply),
                    Command::Carry(reply) => {
                        let _ = reply.send(self.carry());
                    }
                    Command::Stop => return self.stop(),
                }
            }
        }
    }

    /// Waits for a first record, then for the batch to grow or the interval to end, and takes what is there.
    fn gather(&mut self) -> Work {
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.queue();
        while queue.exchanges.is_empty() && queue.losses.is_empty() && queue.commands.is_empty() {
            queue.writer = WriterState::Idle;
            queue = match self.time_to_close() {
                Some(Duration::ZERO) => break,
                Some(rest) => shared.wake.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0,
                None => shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let deadline = Instant::now() + self.options.sync_interval;
        while !queue.exchanges.is_empty() && queue.commands.is_empty() && !shared.limits.is_large(&queue) {
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            queue.writer = WriterState::Gathering;
            queue = shared.wake.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.writer = WriterState::Busy;
        self.commands.append(&mut queue.commands);
        self.take(queue)
    }

    fn take(&mut self, mut queue: MutexGuard<'_, Queue>) -> Work {
        let (bytes, exchanges) = std::mem::take(&mut self.spare);
        let completion = Arc::default();
        let mut work = Work {
            bytes: std::mem::replace(&mut queue.bytes, bytes),
            exchanges: std::mem::replace(&mut queue.exchanges, exchanges),
            waiting: Waiting(std::mem::replace(&mut queue.completion, completion)),
            ..Work::default()
        };
        let losses = std::mem::take(&mut queue.losses);
        drop(queue);
        let after_sequence = self.resume.next_sequence.saturating_sub(1);
        work.gaps.extend(losses.into_iter().map(|loss| gap_of(loss, after_sequence)));
        work
    }

    /// Commits, however often it takes; gives up only when recording ends.
    fn commit(&mut self, mut work: Work) {
        let mut last_try = false;
        loop {
            match self.try_commit(&mut work) {
                Ok(()) => return self.committed(work),
                Err(error) => self.failed(&error, &work),
            }
            if last_try {
                break;
            }
            last_try = self.wait_before_retry();
        }
        // Its batch may stand in the segment in part, so the segment is not gone on with. The next start finds these
        // calls accepted and not recorded.
        if let Some(active) = self.active.take() {
            self.abandon(active);
        }
    }

    /// Answers commands with failure meanwhile; `true` when recording ends.
    fn wait_before_retry(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let deadline = Instant::now() + self.options.retry_interval;
        let mut queue = shared.queue();
        loop {
            queue.commands.retain(refuse_unless_stop);
            self.commands.retain(refuse_unless_stop);
            let rest = deadline.saturating_duration_since(Instant::now());
            if queue.closed || rest.is_zero() {
                return queue.closed;
            }
            queue.writer = WriterState::Busy;
            queue = shared.wake.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn try_commit(&mut self, work: &mut Work) -> Result<(), WriteError> {
        let mut active = match self.active.take() {
            Some(active) => active,
            None => {
                (work.is_sealed, work.is_written) = (false, false);
                self.create()?
            }
        };
        let result = self.commit_to(&mut active, work);
        match &result {
            Err(error) if !error.is_full() || work.is_written => {
                // Sealed anew for the next segment.
                self.abandon(active);
            }
            _ => self.active = Some(active),
        }
        result
    }

    fn commit_to(&mut self, active: &mut ActiveSegment, work: &mut Work) -> Result<(), WriteError> {
        if !work.is_sealed {
            self.sealed.clear();
            self.seal(active, work)?;
            work.is_sealed = true;
        }
        active.write(&self.sealed)?;
        work.is_written = true;
        active.sync(&*self.options.storage, &self.dir)
    }

    /// As one batch, or as many as its bytes need.
    fn seal(&mut self, active: &mut ActiveSegment, work: &Work) -> Result<(), WriteError> {
        let sequenced = self.resume.next_sequence.saturating_sub(1) + work.exchanges.len() as u64;
        let totals = self.totals_with(&work.gaps);
        self.shared.counter.raise(sequenced.saturating_add(totals.lost));
        let totals = Totals { accepted: self.shared.counter.value(), ..totals };
        let committed_at = self.options.clock.now();
        let mut head = BatchHead { committed_at, totals, gaps: work.gaps.clone() };
        let (mut sequence, mut rest, mut left) =
            (self.resume.next_sequence, work.bytes.as_slice(), work.exchanges.len());
        loop {
            let (count, bytes) = if rest.len() <= MAX_BATCH { (left, rest.len()) } else { chunk(rest) };
            let Some((records, tail)) = rest.split_at_checked(bytes) else { break };
            let records_here = u32::try_from(count).unwrap_or(u32::MAX);
            active.seal(sequence, records_here, &head, records, &mut self.sealed)?;
            head.gaps = Vec::new();
            (sequence, rest, left) = (sequence + count as u64, tail, left.saturating_sub(count));
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn totals_with(&self, gaps: &[Gap]) -> Totals {
        gaps.iter().fold(self.resume.totals, |mut totals, gap| {
            match gap.missing {
                Some(_) => totals.unreadable = totals.unreadable.saturating_add(gap.count),
                None => totals.lost = totals.lost.saturating_add(gap.count),
            }
            totals
        })
    }

    fn committed(&mut self, mut work: Work) {
        let first = self.resume.next_sequence;
        let count = work.exchanges.len() as u64;
        for (exchange, sequence) in work.exchanges.iter_mut().zip(first..) {
            exchange.sequence = sequence;
        }
        self.resume.totals = self.totals_with(&work.gaps);
        self.resume.next_sequence = first + count;
        self.resume.last_commit = self.options.clock.now();
        if let Some(active) = &self.active {
            let mut segments = self.segments();
            segments.put(SegmentEntry {
                number: active.number,
                first_sequence: active.first_sequence,
                state: SegmentState::Active { synced: active.synced, gaps: active.gaps().to_vec() },
            });
            segments.status.last_sequence = first + count - 1;
        }
        self.shared.recorded.fetch_add(count, Ordering::Release);
        if self.shared.failing.load(Ordering::Relaxed) {
            // Tickets were told of failure meanwhile. Whoever sees that the disk is well again gets one that is told
            // of success, so they are exchanged first.
            self.shared.queue().completion = Arc::default();
            self.shared.failing.store(false, Ordering::Release);
            self.segments().status.failing = None;
        }
        work.waiting.0.complete(Ok(()));
        if !work.exchanges.is_empty() {
            self.tell(|callbacks| &mut callbacks.synced, |callback| callback(&work.exchanges));
        }
        if !work.quiet {
            for gap in &work.gaps {
                self.tell(|callbacks| &mut callbacks.gap, |callback| callback(*gap));
            }
        }
        let (mut bytes, mut exchanges) =
            (std::mem::take(&mut work.bytes), std::mem::take(&mut work.exchanges));
        bytes.clear();
        bytes.shrink_to(BUFFER_KEPT);
        exchanges.clear();
        exchanges.shrink_to(EXCHANGES_KEPT);
        self.sealed.clear();
        self.sealed.shrink_to(BUFFER_KEPT);
        self.spare = (bytes, exchanges);
    }

    fn failed(&mut self, error: &WriteError, work: &Work) {
        self.shared.failing.store(true, Ordering::Relaxed);
        {
            let mut segments = self.segments();
            segments.status.failing = Some(error.to_string());
            segments.status.failures += 1;
        }
        // Nobody waits for a disk that fails; the records themselves wait on.
        work.waiting.0.complete(Err(RecordError::Failed));
        let waiting = std::mem::replace(&mut self.shared.queue().completion, Arc::new(Completion::failed()));
        waiting.complete(Err(RecordError::Failed));
    }

    fn create(&mut self) -> Result<ActiveSegment, WriteError> {
        let number = self.resume.next_number;
        // Spent even if this fails: a half-made file may keep the name.
        self.resume.next_number += 1;
        let header = Header {
            gateway: self.gateway.clone(),
            number,
            first_sequence: self.resume.next_sequence,
            created_at: self.options.clock.now(),
            previous: self.resume.previous,
            totals: Totals { accepted: self.shared.counter.value(), ..self.resume.totals },
            sealed_key: Vec::new(),
        };
        ActiveSegment::create(&*self.options.storage, &self.dir, header, &*self.keys)
    }

    fn abandon(&mut self, active: ActiveSegment) {
        let number = active.number;
        let entry = active.abandon(&*self.options.storage);
        if entry.is_some() {
            self.resume.previous = None;
        }
        let mut segments = self.segments();
        segments.status.abandoned += u64::from(entry.is_some());
        match entry {
            Some(entry) => segments.put(entry),
            None => segments.drop_number(number),
        }
    }

    fn close_active(&mut self) -> Result<Option<ClosedSegment>, WriteError> {
        let Some(mut active) = self.active.take() else { return Ok(None) };
        let now = self.options.clock.now();
        let totals = Totals { accepted: self.shared.counter.value(), ..self.resume.totals };
        match active.close(self.resume.next_sequence, now, totals) {
            Ok(closed) => {
                self.resume.previous = Some(Previous { number: active.number, digest: closed.digest });
                self.segments().put(SegmentEntry {
                    number: active.number,
                    first_sequence: active.first_sequence,
                    state: SegmentState::Closed(closed.clone()),
                });
                self.tell(|callbacks| &mut callbacks.closed, |callback| callback(closed.clone()));
                Ok(Some(closed))
            }
            Err(error) => {
                self.abandon(active);
                let mut segments = self.segments();
                segments.status.failures += 1;
                Err(error)
            }
        }
    }

    fn answer_close(&mut self, reply: Reply<Result<Option<ClosedSegment>, RecordError>>) {
        let _ = reply.send(self.close_active().map_err(|_| RecordError::Failed));
    }

    /// A segment with its header alone: all that was ever counted stands in it.
    fn carry(&mut self) -> Result<(), RecordError> {
        if self.active.is_some() {
            return Ok(());
        }
        let mut active = self.create().map_err(|_| RecordError::Failed)?;
        if active.sync(&*self.options.storage, &self.dir).is_err() {
            self.abandon(active);
            return Err(RecordError::Failed);
        }
        self.segments().put(SegmentEntry {
            number: active.number,
            first_sequence: active.first_sequence,
            state: SegmentState::Active { synced: active.synced, gaps: Vec::new() },
        });
        self.active = Some(active);
        Ok(())
    }

    fn stop(mut self) {
        let queue = Arc::clone(&self.shared);
        // What came between the last batch and the end; nothing comes after it.
        let work = self.take(queue.queue());
        if !work.is_empty() {
            self.commit(work);
        }
        let settled = self.resume.next_sequence.saturating_sub(1).saturating_add(self.resume.totals.lost);
        let unfinished = self.shared.counter.value().saturating_sub(settled);
        if unfinished > 0 && !self.shared.failing.load(Ordering::Relaxed) {
            let gap = Gap {
                reason: GapReason::Unfinished,
                count: unfinished,
                exact: true,
                from: self.resume.last_commit,
                to: self.options.clock.now(),
                after_sequence: self.resume.next_sequence.saturating_sub(1),
                missing: None,
            };
            let mut work = Work { gaps: vec![gap], ..Work::default() };
            match self.try_commit(&mut work) {
                Ok(()) => {
                    self.shared.lost.fetch_add(unfinished, Ordering::Release);
                    self.committed(work);
                }
                Err(error) => {
                    self.failed(&error, &work);
                    if let Some(active) = self.active.take() {
                        self.abandon(active);
                    }
                }
            }
        }
        let closed = self.close_active();
        if closed.is_ok() && !self.shared.failing.load(Ordering::Relaxed) {
            // Without the mark the next start says that the process stopped; the numbers are the same.
            let _ = self.shared.counter.close();
        }
    }

    fn segment_is_done(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.written >= self.options.segment_bytes)
            || self.time_to_close() == Some(Duration::ZERO)
    }

    /// How long the open segment may stay open.
    fn time_to_close(&self) -> Option<Duration> {
        let active = self.active.as_ref()?;
        let open = Duration::from_micros(
            u64::try_from(self.options.clock.now().since(active.created_at)).unwrap_or(0),
        );
        Some(self.options.segment_age.saturating_sub(open))
    }

    /// Runs callbacks of one kind without holding their lock, so that one may register another; a panic is counted
    /// and ends nothing.
    fn tell<C: ?Sized>(&self, kind: impl Fn(&mut Callbacks) -> &mut Vec<Box<C>>, call: impl Fn(&mut Box<C>)) {
        let locked = || self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut callbacks = std::mem::take(kind(&mut locked()));
        for callback in &mut callbacks {
            if catch_unwind(AssertUnwindSafe(|| call(callback))).is_err() {
                self.segments().status.callback_panics += 1;
            }
        }
        let mut held = locked();
        let registered = kind(&mut held);
        callbacks.append(registered);
        *registered = callbacks;
    }

    fn segments(&self) -> MutexGuard<'_, SegmentList> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `false` for an answered command.
fn refuse_unless_stop(command: &Command) -> bool {
    match command {
        Command::Stop => return true,
        Command::Close(reply) => drop(reply.try_send(Err(RecordError::Failed))),
        Command::Carry(reply) => drop(reply.try_send(Err(RecordError::Failed))),
    }
    false
}

fn gap_of(loss: Loss, after_sequence: u64) -> Gap {
    let Loss { reason, count, from, to } = loss;
    Gap { reason, count, exact: true, from, to, after_sequence, missing: None }
}

/// Number and bytes of the leading records that fill one batch: at least one record.
fn chunk(bytes: &[u8]) -> (usize, usize) {
    let (mut count, mut rest) = (0, bytes);
    while let Some((_, tail)) = codec::split_record(rest) {
        if count > 0 && bytes.len() - tail.len() > MAX_BATCH {
            break;
        }
        (count, rest) = (count + 1, tail);
    }
    (count, bytes.len() - rest.len())
}
