//! What a start does: reads the footers of closed segments, scans the others part by part, cuts a torn tail, closes
//! what was left open, and accounts for every accepted call.
//!
//! A segment that an earlier process left open is never written on: its next batch would be encrypted under an
//! index that a torn batch may have used. It is closed as it is, and the next record begins a new one.
//!
//! Damage is never cut and never skipped in silence: it stays where it is, becomes a [`Gap`] when sequence numbers
//! are missing, and is told in [`Recovery::damage`]. Damage inside closed segments is found by a reader, not here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use probity_model::{GatewayId, Timestamp};

use crate::counter::{Counter, CounterError, CounterState, Found, LockedCounter};
use crate::events::{ClosedSegment, Counts, EventsError, Options};
use crate::format::{self, Footer, FormatError, Header, Previous, SegmentCipher, Totals};
use crate::gap::{Gap, GapReason, SequenceRange};
use crate::keys::SegmentKeys;
use crate::scan::{DamagedPart, FileView, Scan, Step};
use crate::segment::{self, SegmentEntry, SegmentList, SegmentState};
use crate::storage::{Storage, StorageFile};
use crate::writer::Resume;

/// What a start found and did.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// After the repair: nothing is on its way yet.
    pub counts: Counts,
    /// The first sequence number that is kept; 1 when nothing was deleted.
    pub first_sequence: u64,
    /// The number that the next record gets.
    pub next_sequence: u64,
    pub segments: usize,
    pub counter: CounterState,
    /// Tails that a crash left unfinished, and that were cut.
    pub truncated: Vec<Truncated>,
    /// What can no longer be read.
    pub damage: Vec<Damage>,
    /// Gaps found now; the server signs them by a leaf. Earlier ones are in [`crate::Events::gaps`].
    pub gaps: Vec<Gap>,
    /// Segments that were open, and are closed now.
    pub closed: Vec<ClosedSegment>,
    /// What could not be written; it is tried again while running.
    pub problem: Option<String>,
}

/// A torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated {
    pub file: String,
    /// Where the file ends now; 0 when it held nothing and was removed.
    pub offset: u64,
    pub bytes: u64,
}

/// A place that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: String,
    pub offset: u64,
    pub bytes: u64,
    pub what: String,
}

pub(crate) struct State {
    pub(crate) counter: Counter,
    pub(crate) segments: SegmentList,
    pub(crate) resume: Resume,
}

impl State {
    pub(crate) fn counts(&self) -> Counts {
        counts_of(&self.resume, self.counter.value())
    }
}

/// As they will be once the gaps that were found are written.
fn counts_of(resume: &Resume, accepted: u64) -> Counts {
    let found = |missing: bool| -> u64 {
        resume.found.iter().filter(|gap| gap.missing.is_some() == missing).map(|gap| gap.count).sum()
    };
    let unreadable = resume.totals.unreadable.saturating_add(found(true));
    let lost = resume.totals.lost.saturating_add(found(false));
    Counts {
        accepted,
        recorded: resume.next_sequence.saturating_sub(1).saturating_sub(unreadable),
        lost: lost.saturating_add(unreadable),
    }
}

/// One segment's file, as far as it could be understood.
struct Inspected {
    number: u64,
    path: PathBuf,
    bytes: u64,
    content: Content,
}

enum Content {
    Closed(Box<(Header, Footer)>),
    Open(Box<OpenSegment>),
    /// Header or key are gone; what the clear fronts of its parts claim.
    Unreadable {
        claims: Option<(u64, u64)>,
        what: String,
    },
    /// No whole header, and no whole batch: what is left of making a segment, or of destroying one.
    Nothing {
        what: String,
    },
}

/// A segment without a footer.
struct OpenSegment {
    header: Header,
    cipher: SegmentCipher,
    walked: Walked,
}

/// What a walk through an open segment found.
#[derive(Default)]
struct Walked {
    /// After the last readable record, or what a damaged end claims.
    next_sequence: u64,
    records: u64,
    batches: u64,
    totals: Totals,
    gaps: Vec<Gap>,
    damage: Vec<DamagedPart>,
    /// Sequence numbers that damage took.
    missing: Vec<SequenceRange>,
    /// Where a torn tail begins.
    torn: Option<u64>,
    end: u64,
    last_commit: Timestamp,
}

pub(crate) fn recover(
    dir: &Path,
    gateway: &GatewayId,
    keys: &Arc<dyn SegmentKeys>,
    options: &Options,
) -> Result<(State, Recovery), EventsError> {
    let io = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| EventsError::Io { action, path, source }
    };
    create_dir(dir).map_err(io("create", dir))?;
    let lock = LockedCounter::lock(dir).map_err(|error| match error {
        CounterError::Locked => EventsError::Locked { dir: dir.into() },
        CounterError::Io(source) => EventsError::Io { action: "lock", path: dir.into(), source },
    })?;
    let storage = &*options.storage;
    let numbers = numbers(storage, dir).map_err(io("list", dir))?;
    let mut inspected = Vec::with_capacity(numbers.len());
    for number in &numbers {
        let newest = Some(number) == numbers.last();
        let found = inspect(storage, dir, *number, gateway, &**keys, newest)?;
        inspected.push(found);
    }
    let mut repair = Repair::new(storage, dir, options.clock.now());
    repair.numbers_seen(&numbers);
    let firsts: Vec<Option<u64>> = inspected.iter().map(Inspected::first_sequence).collect();
    let mut any = false;
    for (position, segment) in inspected.into_iter().enumerate() {
        let following = firsts.get(position + 1..).and_then(|rest| rest.iter().flatten().next().copied());
        any |= !matches!(segment.content, Content::Nothing { .. });
        repair.segment(segment, following).map_err(io("read", dir))?;
    }
    repair.digests().map_err(io("read", dir))?;
    let known = any.then_some(repair.resume.totals.accepted);
    let (counter, found) = lock.open(dir, storage.boot(), known).map_err(io("open the counter in", dir))?;
    repair.account(&counter, found);
    let Repair { list, resume, mut recovery, .. } = repair;
    recovery.counter = found.state;
    recovery.gaps.clone_from(&resume.found);
    recovery.segments = list.entries.len();
    recovery.first_sequence = list.entries.first().map_or(1, |entry| entry.first_sequence);
    recovery.next_sequence = resume.next_sequence;
    recovery.counts = counts_of(&resume, counter.value());
    let mut list = list;
    list.status.last_sequence = resume.next_sequence.saturating_sub(1);
    Ok((State { counter, segments: list, resume }, recovery))
}

fn create_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The numbers of the segments in a folder, in order.
pub(crate) fn numbers(storage: &dyn Storage, dir: &Path) -> io::Result<Vec<u64>> {
    let names = storage.list(dir)?;
    let mut numbers: Vec<u64> =
        names.iter().filter_map(|name| name.to_str().and_then(format::file_number)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn inspect(
    storage: &dyn Storage,
    dir: &Path,
    number: u64,
    gateway: &GatewayId,
    keys: &dyn SegmentKeys,
    newest: bool,
) -> Result<Inspected, EventsError> {
    let path = dir.join(format::file_name(number));
    let failed = |source: io::Error| EventsError::Io { action: "read", path: path.clone(), source };
    let file = storage.open(&path, false).map_err(failed)?;
    let bytes = file.len().map_err(failed)?;
    let mut view = FileView::new(file, bytes);
    let unreadable = |view: &mut FileView, what: String| -> Result<Content, EventsError> {
        Ok(Content::Unreadable { claims: clear_claims(view).map_err(failed)?, what })
    };
    let content = match view.header().map_err(failed)? {
        Err(source @ (FormatError::Version(_) | FormatError::ExchangeVersion(_))) => {
            return Err(EventsError::Version { path, source });
        }
        Err(error) => match clear_claims(&mut view).map_err(failed)? {
            None => Content::Nothing { what: error.to_string() },
            claims => Content::Unreadable { claims, what: error.to_string() },
        },
        Ok((header, _)) if header.gateway != *gateway => {
            return Err(EventsError::Gateway { path, found: header.gateway, expected: gateway.clone() });
        }
        Ok((header, _)) if header.number != number => {
            unreadable(&mut view, format!("its header is that of segment {}", header.number))?
        }
        Ok((header, header_bytes)) => match keys.open(&header.sealed_key) {
            Err(source) if newest => return Err(EventsError::Key { path, source }),
            Err(error) => unreadable(&mut view, error.to_string())?,
            Ok(key) => match SegmentCipher::new(&key, &header_bytes) {
                Err(error) => unreadable(&mut view, error.to_string())?,
                Ok(cipher) => match view.footer(&cipher).map_err(failed)? {
                    Some((footer, _)) => Content::Closed(Box::new((header, footer))),
                    None => {
                        let opened = walk(view, cipher, header, header_bytes.len() as u64).map_err(failed)?;
                        Content::Open(Box::new(opened))
                    }
                },
            },
        },
    };
    Ok(Inspected { number, path, bytes, content })
}

/// First and last sequence that whole parts of an unreadable segment name in clear. Unauthenticated: they only ever
/// say how much is missing.
fn clear_claims(view: &mut FileView) -> io::Result<Option<(u64, u64)>> {
    let (mut at, mut claims) = (0, None);
    while let Ok(Some((offset, head))) = view.next_part(at)? {
        let next = head.first_sequence.saturating_add(u64::from(head.records));
        let (first, known) = claims.unwrap_or((head.first_sequence, next));
        claims = Some((first, next.max(known)));
        at = offset + (format::PART_HEAD + head.length) as u64;
    }
    Ok(claims)
}

fn walk(
    view: FileView,
    cipher: SegmentCipher,
    header: Header,
    header_length: u64,
) -> io::Result<OpenSegment> {
    let mut walked = Walked {
        next_sequence: header.first_sequence,
        totals: header.totals,
        last_commit: header.created_at,
        end: header_length,
        ..Walked::default()
    };
    let mut scan = Scan::new(view, cipher, header_length);
    // Of damaged parts at the end; a whole batch after them says better.
    let mut claimed = 0;
    loop {
        match scan.step(|_| true)? {
            Step::Batch(head, batch) => {
                if head.first_sequence > walked.next_sequence {
                    let last = head.first_sequence - 1;
                    walked.missing.push(SequenceRange { first: walked.next_sequence, last });
                }
                let next = head.first_sequence.saturating_add(u64::from(head.records));
                walked.next_sequence = walked.next_sequence.max(next);
                walked.records += u64::from(head.records);
                walked.totals = batch.totals;
                walked.last_commit = batch.committed_at;
                batch.gaps.into_iter().for_each(|gap| gap.push(&mut walked.gaps));
                claimed = 0;
            }
            Step::Damage(damage) => {
                if let Some((first, records)) = damage.claims
                    && first == walked.next_sequence.max(claimed)
                {
                    claimed = first.saturating_add(u64::from(records));
                }
                walked.damage.push(damage);
            }
            // A footer whose trailer was not found at the file's end is handled as damage by the scan.
            Step::Footer(_) | Step::Skipped => {}
            Step::Torn { offset } => {
                walked.torn = Some(offset);
                break;
            }
            Step::End => break,
        }
    }
    if claimed > walked.next_sequence {
        walked.missing.push(SequenceRange { first: walked.next_sequence, last: claimed - 1 });
        walked.next_sequence = claimed;
    }
    walked.batches = scan.index;
    walked.end = walked.torn.unwrap_or(scan.view.len);
    Ok(OpenSegment { header, cipher: scan.into_cipher(), walked })
}

impl Inspected {
    fn first_sequence(&self) -> Option<u64> {
        match &self.content {
            Content::Closed(closed) => Some(closed.0.first_sequence),
            Content::Open(open) => Some(open.header.first_sequence),
            Content::Unreadable { .. } | Content::Nothing { .. } => None,
        }
    }
}

/// Goes through the segments in their order, repairs, and adds up.
struct Repair<'a> {
    storage: &'a dyn Storage,
    dir: &'a Path,
    now: Timestamp,
    /// The next sequence number; `None` before the first segment.
    expected: Option<u64>,
    list: SegmentList,
    resume: Resume,
    recovery: Recovery,
    /// What headers say of the segments before them.
    previous: Vec<Previous>,
    missing: Vec<(SequenceRange, GapReason, Timestamp, Timestamp)>,
}

impl<'a> Repair<'a> {
    fn new(storage: &'a dyn Storage, dir: &'a Path, now: Timestamp) -> Self {
        Self {
            storage,
            dir,
            now,
            expected: None,
            list: SegmentList::default(),
            resume: Resume {
                next_sequence: 1,
                next_number: 1,
                previous: None,
                totals: Totals::default(),
                found: Vec::new(),
                last_commit: now,
            },
            recovery: Recovery {
                counts: Counts::default(),
                first_sequence: 1,
                next_sequence: 1,
                segments: 0,
                counter: CounterState::Fresh,
                truncated: Vec::new(),
                damage: Vec::new(),
                gaps: Vec::new(),
                closed: Vec::new(),
                problem: None,
            },
            previous: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn numbers_seen(&mut self, numbers: &[u64]) {
        self.resume.next_number = numbers.last().map_or(1, |number| number.saturating_add(1));
    }

    /// `following` is the first sequence of the next segment whose header is whole.
    fn segment(&mut self, segment: Inspected, following: Option<u64>) -> io::Result<()> {
        let Inspected { number, path, bytes, content } = segment;
        match content {
            Content::Nothing { what } => {
                let file = format::file_name(number);
                // What follows goes on where the one before ended, so nobody was told of anything in it. At the
                // very end the counter says what is missing.
                let held_nothing = following.is_none_or(|first| first <= self.expected.unwrap_or(first));
                if !held_nothing {
                    self.recovery.damage.push(Damage { file, offset: 0, bytes, what });
                } else if let Err(error) = self.storage.remove(&path) {
                    self.recovery.problem.get_or_insert(format!("cannot remove `{file}`: {error}"));
                } else {
                    self.recovery.truncated.push(Truncated { file, offset: 0, bytes });
                }
            }
            Content::Unreadable { claims, what } => {
                let file = format::file_name(number);
                self.recovery.damage.push(Damage { file, offset: 0, bytes, what });
                // What lies in it is known for sure when the next segment begins; at the end, from its claims.
                if let (None, Some((_, next))) = (following, claims) {
                    self.goes_on_at(next, GapReason::Damaged);
                }
                let first_sequence = claims.map_or(self.expected.unwrap_or(1), |(first, _)| first);
                let state = SegmentState::Unclosed { bytes, gaps: Vec::new() };
                self.list.put(SegmentEntry { number, first_sequence, state });
                self.resume.previous = None;
            }
            Content::Closed(closed) => {
                let (header, footer) = *closed;
                self.begins(&header);
                self.ends(footer.last_sequence.saturating_add(1), footer.totals, footer.closed_at);
                let closed = segment::closed_segment(number, footer, [0; 32], bytes);
                let state = SegmentState::Closed(closed);
                self.list.put(SegmentEntry { number, first_sequence: header.first_sequence, state });
            }
            Content::Open(open) => self.open_segment(number, path, bytes, *open, following)?,
        }
        Ok(())
    }

    fn open_segment(
        &mut self,
        number: u64,
        path: PathBuf,
        bytes: u64,
        open: OpenSegment,
        following: Option<u64>,
    ) -> io::Result<()> {
        let OpenSegment { header, cipher, walked } = open;
        let file = format::file_name(number);
        self.begins(&header);
        for damage in &walked.damage {
            let DamagedPart { offset, bytes, what, .. } = damage.clone();
            self.recovery.damage.push(Damage { file: file.clone(), offset, bytes, what });
        }
        for range in &walked.missing {
            self.missing.push((*range, GapReason::Damaged, header.created_at, walked.last_commit));
        }
        // A later segment that goes on right here says that the tail was never told of; if it begins later, the
        // tail held records that were, and stays as it is.
        let lost_tail = following.is_some_and(|first| first > walked.next_sequence);
        if let (Some(offset), true) = (walked.torn, lost_tail) {
            let what = "the end of the segment cannot be read".into();
            self.recovery.damage.push(Damage { file: file.clone(), offset, bytes: bytes - offset, what });
        }
        self.ends(walked.next_sequence, walked.totals, walked.last_commit);
        let entry = |state| SegmentEntry { number, first_sequence: header.first_sequence, state };
        if lost_tail {
            self.list.put(entry(SegmentState::Unclosed { bytes, gaps: walked.gaps }));
            self.resume.previous = None;
            return Ok(());
        }
        let gaps = walked.gaps.clone();
        match self.close(&path, number, &header, &cipher, walked, bytes) {
            Ok((closed, truncated)) => {
                self.recovery.truncated.extend(truncated);
                self.recovery.closed.push(closed.clone());
                self.resume.previous = Some(Previous { number, digest: closed.digest });
                self.list.put(entry(SegmentState::Closed(closed)));
            }
            Err(error) => {
                // Left for the next start; new records go into a new segment anyway.
                self.recovery.problem.get_or_insert(format!("cannot close `{file}`: {error}"));
                self.list.put(entry(SegmentState::Unclosed { bytes, gaps }));
                self.resume.previous = None;
            }
        }
        Ok(())
    }

    fn close(
        &self,
        path: &Path,
        number: u64,
        header: &Header,
        cipher: &SegmentCipher,
        walked: Walked,
        bytes: u64,
    ) -> io::Result<(ClosedSegment, Option<Truncated>)> {
        let mut file = self.storage.open(path, true)?;
        let truncated = (walked.end < bytes).then(|| Truncated {
            file: format::file_name(number),
            offset: walked.end,
            bytes: bytes - walked.end,
        });
        if truncated.is_some() {
            file.set_len(walked.end)?;
        }
        let mut digest = segment::digest_of(&*file, walked.end)?;
        let footer = Footer {
            records: walked.records,
            batches: walked.batches,
            first_sequence: header.first_sequence,
            last_sequence: walked.next_sequence.saturating_sub(1),
            // Not when it is repaired, but when its last batch was written: retention counts from there.
            closed_at: walked.last_commit,
            totals: walked.totals,
            gaps: walked.gaps,
            chain: segment::finish(digest.clone()),
        };
        let mut out = Vec::new();
        cipher.seal_footer(&footer, &mut out).map_err(io::Error::other)?;
        file.write_all_at(&out, walked.end)?;
        file.sync_data()?;
        digest.update(&out);
        let bytes = walked.end + out.len() as u64;
        Ok((segment::closed_segment(number, footer, segment::finish(digest), bytes), truncated))
    }

    fn begins(&mut self, header: &Header) {
        self.previous.extend(header.previous);
        match self.expected {
            // Older ones may have been deleted; that is told by the ledger's leaves.
            None => self.expected = Some(header.first_sequence),
            Some(_) => {
                let reason = match self.recovery.damage.is_empty() {
                    true => GapReason::Missing,
                    false => GapReason::Damaged,
                };
                self.goes_on_at(header.first_sequence, reason);
            }
        }
        self.add_totals(header.totals);
        self.resume.last_commit = header.created_at;
    }

    fn ends(&mut self, next_sequence: u64, totals: Totals, at: Timestamp) {
        self.expected = Some(self.expected.unwrap_or(1).max(next_sequence));
        self.add_totals(totals);
        self.resume.last_commit = at;
    }

    fn goes_on_at(&mut self, first: u64, reason: GapReason) {
        let expected = self.expected.unwrap_or(1);
        if first > expected {
            let range = SequenceRange { first: expected, last: first - 1 };
            self.missing.push((range, reason, self.resume.last_commit, self.resume.last_commit));
            self.expected = Some(first);
        }
    }

    /// They only ever grow, also where a damaged segment lies between.
    fn add_totals(&mut self, totals: Totals) {
        let known = &mut self.resume.totals;
        known.accepted = known.accepted.max(totals.accepted);
        known.lost = known.lost.max(totals.lost);
        known.unreadable = known.unreadable.max(totals.unreadable);
    }

    /// Fills in the digests of closed segments: from the header that follows, else from the file.
    fn digests(&mut self) -> io::Result<()> {
        let newest = self.list.entries.last().map(|entry| entry.number);
        for entry in &mut self.list.entries {
            let number = entry.number;
            let SegmentState::Closed(closed) = &mut entry.state else { continue };
            if closed.digest == [0; 32] {
                closed.digest = match self.previous.iter().find(|previous| previous.number == number) {
                    Some(previous) => previous.digest,
                    None => {
                        let file: Box<dyn StorageFile> =
                            self.storage.open(&self.dir.join(format::file_name(number)), false)?;
                        segment::finish(segment::digest_of(&*file, closed.bytes)?)
                    }
                };
            }
            if newest == Some(number) {
                self.resume.previous = Some(Previous { number, digest: closed.digest });
            }
        }
        Ok(())
    }

    /// Turns what is missing into gaps, each once.
    fn account(&mut self, counter: &Counter, found: Found) {
        self.resume.next_sequence = self.expected.unwrap_or(1);
        let told = self.list.gaps();
        let is_told = |range: SequenceRange| {
            told.iter().filter_map(|gap| gap.missing).any(|missing| missing.covers(range))
        };
        for (range, reason, from, to) in std::mem::take(&mut self.missing) {
            if !is_told(range) {
                self.resume.found.push(Gap {
                    reason,
                    count: range.count(),
                    exact: true,
                    from,
                    to,
                    after_sequence: range.first.saturating_sub(1),
                    missing: Some(range),
                });
            }
        }
        let sequenced = self.resume.next_sequence.saturating_sub(1);
        let settled = sequenced.saturating_add(self.resume.totals.lost);
        counter.raise(settled);
        let count = counter.value() - settled;
        let (reason, exact) = match found.state {
            CounterState::Fresh | CounterState::Clean => (GapReason::Unfinished, true),
            CounterState::ProcessStopped => (GapReason::ProcessStopped, true),
            CounterState::MachineStopped => (GapReason::MachineStopped, false),
            CounterState::Missing | CounterState::Torn => (GapReason::CounterLost, false),
        };
        // Where the number is a lower bound, even none is said.
        if count > 0 || !exact {
            self.resume.found.push(Gap {
                reason,
                count,
                exact,
                from: self.resume.last_commit.min(self.now),
                to: self.now,
                after_sequence: sequenced,
                missing: None,
            });
        }
    }
}
