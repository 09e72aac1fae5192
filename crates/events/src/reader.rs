//! Reads exchanges and gaps in their order, beside a running writer or from a folder alone.
//!
//! Whatever is not there is said: sequence numbers that no readable batch holds come out as a [`Gap`]. A torn tail
//! at the very end is no loss, since nobody was told of it. Records that a failing disk made the writer write twice
//! come out once.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use probity_model::{Exchange, RequestId, Timestamp};

use crate::codec;
use crate::format::{self, FormatError, SegmentCipher};
use crate::gap::{Gap, GapReason, SequenceRange};
use crate::keys::{KeyError, SegmentKeys};
use crate::recovery;
use crate::scan::{FileView, Scan, Step};
use crate::segment::{SegmentList, SegmentState};
use crate::storage::{DiskStorage, Storage};

/// One entry of the record.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every entry is an exchange; a box would cost each an allocation"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Exchange(Exchange),
    Gap(Gap),
}

/// A segment that cannot be opened. The reader goes on with the next one, and what is missing becomes a gap.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("`{}`: cannot be read", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}`: its key cannot be opened", path.display())]
    Key {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error("`{}`: its header cannot be read", path.display())]
    Header {
        path: PathBuf,
        #[source]
        source: FormatError,
    },
}

/// An iterator over the record; it may go on after `None` when the writer runs.
pub struct Reader {
    dir: PathBuf,
    storage: Arc<dyn Storage>,
    keys: Arc<dyn SegmentKeys>,
    /// The writer's, which says how far is synced; `None` for a folder alone.
    following: Option<Arc<Mutex<SegmentList>>>,
    /// The next sequence number to give.
    expected: u64,
    /// Segments up to this number are done.
    done: u64,
    begun: bool,
    current: Option<Current>,
    pending: VecDeque<Gap>,
    /// Gaps given at `expected`, so that a batch that was written twice gives them once.
    given: Vec<Gap>,
    /// Something unreadable was passed that no missing sequence number explains yet.
    damaged: bool,
    last_commit: Option<Timestamp>,
}

struct Current {
    number: u64,
    path: PathBuf,
    scan: Scan,
    /// Of the batch being given: the next record's place in its bytes, and its number.
    at: usize,
    sequence: u64,
    /// After the batch's last record.
    until: u64,
    /// Records of damaged parts at the end, by their claims.
    claimed: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("dir", &self.dir)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads a folder that no writer has open, from this sequence number on.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the folder cannot be listed.
    pub fn open(dir: &Path, keys: Arc<dyn SegmentKeys>, from_sequence: u64) -> Result<Self, ReadError> {
        Self::open_in(dir, Arc::new(DiskStorage), keys, from_sequence)
    }
    /// The same on a given storage.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the folder cannot be listed.
    pub fn open_in(
        dir: &Path,
        storage: Arc<dyn Storage>,
        keys: Arc<dyn SegmentKeys>,
        from_sequence: u64,
    ) -> Result<Self, ReadError> {
        let listed = storage.list(dir);
        listed.map_err(|source| ReadError::Io { path: dir.into(), source })?;
        Ok(Self::new(dir.into(), storage, keys, None, from_sequence))
    }
    pub(crate) fn following(
        dir: PathBuf,
        storage: Arc<dyn Storage>,
        keys: Arc<dyn SegmentKeys>,
        segments: Arc<Mutex<SegmentList>>,
        from_sequence: u64,
    ) -> Self {
        Self::new(dir, storage, keys, Some(segments), from_sequence)
    }
    fn new(
        dir: PathBuf,
        storage: Arc<dyn Storage>,
        keys: Arc<dyn SegmentKeys>,
        following: Option<Arc<Mutex<SegmentList>>>,
        from_sequence: u64,
    ) -> Self {
        Self {
            dir,
            storage,
            keys,
            following,
            expected: from_sequence.max(1),
            done: 0,
            begun: false,
            current: None,
            pending: VecDeque::new(),
            given: Vec::new(),
            damaged: false,
            last_commit: None,
        }
    }

    /// The exchange of this request, from here on.
    ///
    /// # Errors
    /// The first [`ReadError`], when the request was not found in what could be read.
    pub fn find(mut self, request_id: RequestId) -> Result<Option<Exchange>, ReadError> {
        let wanted = request_id.0.into_bytes();
        let mut failed = None;
        loop {
            match self.advance(|record| codec::request_id_of(record).is_none_or(|id| *id == wanted)) {
                Some(Ok(Record::Exchange(exchange))) if exchange.request_id == request_id => {
                    return Ok(Some(exchange));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => failed = failed.or(Some(error)),
                None => return failed.map_or(Ok(None), Err),
            }
        }
    }

    /// The next entry; records that are not wanted are passed without being decoded.
    fn advance(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<Result<Record, ReadError>> {
        loop {
            if let Some(gap) = self.pending.pop_front() {
                return Some(Ok(Record::Gap(gap)));
            }
            if let Some(current) = &mut self.current
                && current.sequence < current.until
            {
                if let Some(exchange) = self.next_record(&wanted) {
                    return Some(Ok(Record::Exchange(exchange)));
                }
                continue;
            }
            let went_on = match self.current {
                Some(_) => self.next_batch(),
                None => self.next_segment(),
            };
            match went_on {
                Ok(true) => {}
                Ok(false) if self.pending.is_empty() => return None,
                Ok(false) => {}
                Err(error) => {
                    if let Some(current) = self.current.take() {
                        self.done = current.number;
                    }
                    (self.damaged, self.begun) = (true, true);
                    return Some(Err(error));
                }
            }
        }
    }

    fn next_record(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<Exchange> {
        let current = self.current.as_mut()?;
        let sequence = current.sequence;
        let bytes = current.scan.records().get(current.at..).unwrap_or_default();
        let Some((record, rest)) = codec::split_record(bytes) else {
            // Fewer records than the batch says: what follows tells of those missing.
            current.sequence = current.until;
            current.claimed = current.claimed.max(current.until);
            self.damaged = true;
            return None;
        };
        current.at += bytes.len() - rest.len();
        current.sequence += 1;
        if sequence < self.expected {
            return None;
        }
        if !wanted(record) {
            self.given_up_to(sequence + 1);
            return None;
        }
        match codec::decode_record(record, sequence) {
            Ok(exchange) => {
                self.given_up_to(sequence + 1);
                Some(exchange)
            }
            Err(_) => {
                self.damaged = true;
                self.goes_on_at(sequence + 1, self.last_commit);
                None
            }
        }
    }

    fn given_up_to(&mut self, next: u64) {
        self.expected = next;
        self.given.clear();
    }

    /// Steps to the next batch of the current segment, or past its end; `false` where more may come later.
    fn next_batch(&mut self) -> Result<bool, ReadError> {
        let expected = self.expected;
        let limit = self.current.as_ref().and_then(|current| self.readable(current.number));
        let Some(current) = &mut self.current else { return Ok(true) };
        if let Some(len) = limit {
            current.scan.view.len = len;
        }
        let step = current.scan.step(|head| {
            let next = head.first_sequence.saturating_add(u64::from(head.records));
            next > expected || (head.records == 0 && head.first_sequence >= expected)
        });
        match step.map_err(|source| ReadError::Io { path: current.path.clone(), source })? {
            // What was unreadable before it lies before what is asked for.
            Step::Skipped => self.damaged = false,
            Step::Batch(head, batch) => {
                (current.at, current.sequence) = (0, head.first_sequence);
                current.until = head.first_sequence.saturating_add(u64::from(head.records));
                current.claimed = 0;
                // Inside a batch, its gaps lie before.
                if head.first_sequence >= expected {
                    self.goes_on_at(head.first_sequence, Some(batch.committed_at));
                    self.explain_damage(batch.committed_at);
                    self.give_gaps(batch.gaps);
                }
                self.last_commit = Some(batch.committed_at);
            }
            Step::Damage(damage) => {
                if let Some((first, records)) = damage.claims {
                    current.claimed = current.claimed.max(first.saturating_add(u64::from(records)));
                }
                self.damaged = true;
            }
            Step::Footer(footer) => {
                let number = current.number;
                self.goes_on_at(footer.last_sequence.saturating_add(1), Some(footer.closed_at));
                self.explain_damage(footer.closed_at);
                self.last_commit = Some(footer.closed_at);
                self.leave(number);
            }
            Step::Torn { .. } | Step::End => return Ok(self.at_end()),
        }
        Ok(true)
    }

    /// Without a footer: the next segment says whether anything is missing; when there is none, the claims of
    /// damaged parts do. `false` where the writer may add more.
    fn at_end(&mut self) -> bool {
        let Some(current) = &self.current else { return true };
        let (number, claimed, offset) = (current.number, current.claimed, current.scan.offset);
        if self.following.is_some() {
            // Synced since it was asked last, or closed since.
            if self.readable(number).is_some_and(|len| len > offset) {
                return true;
            }
            if self.is_active(number) {
                return false;
            }
        } else if self.damaged && self.is_last(number) {
            self.goes_on_at(claimed, self.last_commit);
            self.explain_damage(self.last_commit.unwrap_or_default());
        }
        self.leave(number);
        true
    }

    /// Opens the next segment; `false` when there is none.
    fn next_segment(&mut self) -> Result<bool, ReadError> {
        let numbers = self.numbers()?;
        let Some(number) = (if self.begun { numbers.first().copied() } else { self.first_wanted(&numbers) })
        else {
            return Ok(false);
        };
        self.done = number;
        let path = self.dir.join(format::file_name(number));
        let file = match self.storage.open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.readable(number).is_none() => {
                // Deleted by the retention after the list was taken.
                self.begun = false;
                return Ok(true);
            }
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        let io = |source| ReadError::Io { path: path.clone(), source };
        let len = match self.readable(number) {
            Some(len) => len,
            None => file.len().map_err(io)?,
        };
        let mut view = FileView::new(file, len);
        let (header, bytes) = match view.header().map_err(io)? {
            Ok((header, _)) if header.number != number => {
                return Err(ReadError::Header { path, source: FormatError::Content("header") });
            }
            Ok(found) => found,
            Err(_) if self.is_last(number) && matches!(view.next_part(0), Ok(Ok(None))) => {
                // Cut short while it was made: it held nothing.
                return Ok(true);
            }
            Err(source) => return Err(ReadError::Header { path, source }),
        };
        let key = match self.keys.open(&header.sealed_key) {
            Ok(key) => key,
            Err(source) => return Err(ReadError::Key { path, source }),
        };
        let cipher = match SegmentCipher::new(&key, &bytes) {
            Ok(cipher) => cipher,
            Err(source) => return Err(ReadError::Header { path, source }),
        };
        self.goes_on_at(header.first_sequence, Some(header.created_at));
        self.begun = true;
        let scan = Scan::new(view, cipher, bytes.len() as u64);
        self.current = Some(Current { number, path, scan, at: 0, sequence: 0, until: 0, claimed: 0 });
        Ok(true)
    }

    /// The newest segment that begins at or before what is asked for, else the oldest.
    fn first_wanted(&self, numbers: &[u64]) -> Option<u64> {
        let begins_before = |number: &&u64| {
            let path = self.dir.join(format::file_name(**number));
            let header = self.storage.open(&path, false).and_then(|file| {
                let len = file.len()?;
                FileView::new(file, len).header()
            });
            matches!(header, Ok(Ok((header, _))) if header.first_sequence <= self.expected)
        };
        numbers.iter().rev().find(begins_before).or(numbers.first()).copied()
    }

    /// Segments not yet read, in order.
    fn numbers(&self) -> Result<Vec<u64>, ReadError> {
        let all = match &self.following {
            Some(list) => {
                let list = list.lock().unwrap_or_else(PoisonError::into_inner);
                list.entries.iter().map(|entry| entry.number).collect()
            }
            None => recovery::numbers(&*self.storage, &self.dir)
                .map_err(|source| ReadError::Io { path: self.dir.clone(), source })?,
        };
        Ok(all.into_iter().filter(|number| *number > self.done).collect())
    }
    /// How much of a segment the writer says is synced; `None` for a folder alone, or for one that is gone.
    fn readable(&self, number: u64) -> Option<u64> {
        let list = self.following.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        list.entries.iter().rev().find(|entry| entry.number == number).map(|entry| match &entry.state {
            SegmentState::Closed(segment) => segment.bytes,
            SegmentState::Unclosed { bytes, .. } => *bytes,
            SegmentState::Active { synced, .. } => *synced,
        })
    }
    fn is_active(&self, number: u64) -> bool {
        self.following.as_ref().is_some_and(|list| {
            let list = list.lock().unwrap_or_else(PoisonError::into_inner);
            list.entries
                .iter()
                .any(|entry| entry.number == number && matches!(entry.state, SegmentState::Active { .. }))
        })
    }
    fn is_last(&self, number: u64) -> bool {
        recovery::numbers(&*self.storage, &self.dir)
            .is_ok_and(|numbers| numbers.last().is_none_or(|last| *last <= number))
    }

    fn leave(&mut self, number: u64) {
        self.current = None;
        self.done = number;
    }

    /// What comes next has this number: anything between is missing.
    fn goes_on_at(&mut self, first: u64, at: Option<Timestamp>) {
        if first <= self.expected {
            return;
        }
        let reason = match (self.damaged, self.begun) {
            (true, _) => GapReason::Damaged,
            (false, false) => GapReason::Deleted,
            (false, true) => GapReason::Missing,
        };
        let missing = SequenceRange { first: self.expected, last: first - 1 };
        let to = at.or(self.last_commit).unwrap_or_default();
        self.pending.push_back(Gap {
            reason,
            count: missing.count(),
            exact: true,
            from: self.last_commit.unwrap_or(to).min(to),
            to,
            after_sequence: self.expected - 1,
            missing: Some(missing),
        });
        self.damaged = false;
        self.given_up_to(first);
    }

    /// Damage that no missing number explains took what carries none: gaps.
    fn explain_damage(&mut self, at: Timestamp) {
        if std::mem::take(&mut self.damaged) {
            let from = self.last_commit.unwrap_or(at).min(at);
            self.pending.push_back(Gap {
                reason: GapReason::Damaged,
                count: 0,
                exact: false,
                from,
                to: at,
                after_sequence: self.expected - 1,
                missing: None,
            });
        }
    }

    /// Those with missing numbers were found by reading; a batch that was written twice gives the others once.
    fn give_gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps.into_iter().filter(|gap| gap.missing.is_none()) {
            if !self.given.contains(&gap) {
                self.given.push(gap);
                self.pending.push_back(gap);
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance(|_| true)
    }
}
