//! The gateway's journal of quotas: what of a day or a month counts as used, kept across restarts.
//!
//! A file of records of 32 bytes, only ever appended to: key, end of the period, use, and a keyed tag over them and their
//! place. Of a key the last record counts. Records are reservations, written ahead of use (`probity-policy` says when): a
//! thread of its own writes each as it comes and syncs once each [`SYNC_EVERY`]. Hence what may be given twice:
//! after the process was killed, nothing that was written, which is all but what came in the last moments; after the
//! machine stopped, what was used in the last interval beyond its lease. In either case the rest of a lease is lost to its
//! owner. After a drain the exact use stands there.
//!
//! On start the records that still matter go to a new file and the old ones are removed; a start that fails half way
//! leaves both, and of both the higher use counts.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use probity_events::{Storage, StorageFile};
use probity_policy::limit::quota::Reservation;

use crate::siphash::SipKey;
use crate::watch::lock;

/// How often what was written is synced.
pub(crate) const SYNC_EVERY: Duration = Duration::from_secs(1);
const RECORD: usize = 32;
/// Records read or written at once.
const BATCH: usize = 1024;
/// Most keys that wait to be written; where the disk takes none, further ones count as lost.
const MAX_WAITING: usize = 1 << 17;
/// A file of so many records (128 MiB) is made shorter while it is in use.
const MAX_RECORDS: u64 = 4 << 20;
const PREFIX: &str = "quota-";
const SUFFIX: &str = ".journal";

/// The file that is written to.
#[derive(Debug)]
pub(crate) struct Writer {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    key: SipKey,
    file: Box<dyn StorageFile>,
    records: u64,
    dirty: bool,
}

/// What a start found.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    pub kept: Vec<Reservation>,
    /// Records that could not be read, other than a last one that was cut off.
    pub damaged: u64,
}

impl Writer {
    /// Opens the journal of a folder. `now` in Unix seconds: what ended before is dropped.
    pub fn open(
        storage: Arc<dyn Storage>,
        folder: &Path,
        key: SipKey,
        now: u64,
    ) -> io::Result<(Self, Recalled)> {
        let mut numbers: Vec<u64> =
            storage.list(folder)?.iter().filter_map(|name| number(name.to_str()?)).collect();
        numbers.sort_unstable();
        let mut recalled = Recalled::default();
        let mut all: HashMap<u64, Reservation> = HashMap::new();
        for old in &numbers {
            let file = storage.open(&path(folder, *old), false)?;
            for (key, found) in fold(file.as_ref(), key, now, &mut recalled.damaged)? {
                let kept = all.entry(key).or_insert(found);
                if (found.ends, found.used) > (kept.ends, kept.used) {
                    *kept = found;
                }
            }
        }
        recalled.kept = all.into_values().collect();
        let number = numbers.last().map_or(1, |last| last + 1);
        let file = storage.create(&path(folder, number))?;
        let mut writer = Self { storage, folder: folder.to_owned(), key, file, records: 0, dirty: true };
        writer.write(&recalled.kept)?;
        writer.sync()?;
        writer.storage.sync_dir(folder)?;
        for old in numbers {
            writer.storage.remove(&path(folder, old))?;
        }
        Ok((writer, recalled))
    }

    /// Appends records. One that fails is written again at the same place by the next.
    pub fn write(&mut self, reservations: &[Reservation]) -> io::Result<()> {
        for batch in reservations.chunks(BATCH) {
            let mut bytes = Vec::with_capacity(batch.len() * RECORD);
            for (place, each) in (self.records..).zip(batch) {
                bytes.extend_from_slice(&record(self.key, place, *each));
            }
            self.dirty = true;
            self.file.write_all_at(&bytes, self.records * RECORD as u64)?;
            self.records += batch.len() as u64;
        }
        Ok(())
    }

    pub fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Moves what still matters to a new file once this one is long.
    fn shorten(&mut self, now: u64) -> io::Result<()> {
        if self.records < MAX_RECORDS {
            return Ok(());
        }
        let (next, _) = Self::open(Arc::clone(&self.storage), &self.folder, self.key, now)?;
        *self = next;
        Ok(())
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:08}{SUFFIX}"))
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

fn record(key: SipKey, place: u64, reservation: Reservation) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    let (body, tag) = bytes.split_at_mut(24);
    let words = [reservation.key, reservation.ends, reservation.used];
    body.iter_mut().zip(words.into_iter().flat_map(u64::to_le_bytes)).for_each(|(to, from)| *to = from);
    tag.copy_from_slice(&key.chain(place, body).to_le_bytes());
    bytes
}

/// The last record of each key.
fn fold(
    file: &dyn StorageFile,
    key: SipKey,
    now: u64,
    damaged: &mut u64,
) -> io::Result<HashMap<u64, Reservation>> {
    let mut all = HashMap::new();
    let mut buffer = vec![0; BATCH * RECORD];
    let (mut place, mut odd) = (0u64, 0u64);
    loop {
        let read = file.read_at(&mut buffer, place * RECORD as u64)?;
        let (records, _cut_off) = buffer.get(..read).unwrap_or_default().as_chunks::<RECORD>();
        for bytes in records {
            match parse(key, place, bytes) {
                Some(found) => {
                    // An odd one with others after it was no write that was cut off.
                    *damaged += std::mem::take(&mut odd);
                    if found.ends > now {
                        all.insert(found.key, found);
                    }
                }
                None => odd += 1,
            }
            place += 1;
        }
        if records.len() < BATCH {
            return Ok(all);
        }
    }
}

fn parse(key: SipKey, place: u64, bytes: &[u8; RECORD]) -> Option<Reservation> {
    let (body, tag) = bytes.split_at(24);
    if tag != key.chain(place, body).to_le_bytes() {
        return None;
    }
    let mut words = body.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    Some(Reservation { key: words.next()?, ends: words.next()?, used: words.next()? })
}

/// The journal as calls see it: they leave what is to be written, and never wait.
#[derive(Debug)]
pub(crate) struct Journal {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Desk {
    state: Mutex<Waiting>,
    left: Condvar,
    failures: AtomicU64,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Of a key only the last counts.
    all: HashMap<u64, Reservation>,
    closing: bool,
}

impl Journal {
    /// Starts the thread that writes.
    pub fn start(writer: Writer) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let writing = Arc::clone(&desk);
        let thread = std::thread::Builder::new()
            .name("probity-quotas".to_owned())
            .spawn(move || writing.write_until_closed(writer))?;
        Ok(Self { desk, thread: Mutex::new(Some(thread)) })
    }

    pub fn append(&self, reservation: Reservation) {
        let mut waiting = lock(&self.desk.state);
        if waiting.all.len() >= MAX_WAITING && !waiting.all.contains_key(&reservation.key) {
            self.desk.lost.fetch_add(1, Relaxed);
            return;
        }
        waiting.all.insert(reservation.key, reservation);
        drop(waiting);
        self.desk.left.notify_one();
    }

    /// Writes the exact use, syncs, and ends. Nothing may be taken any more.
    pub fn close(&self, settled: Vec<Reservation>) {
        let mut waiting = lock(&self.desk.state);
        if !std::mem::replace(&mut waiting.closing, true) {
            waiting.all.extend(settled.into_iter().map(|each| (each.key, each)));
        }
        drop(waiting);
        self.desk.left.notify_one();
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal of quotas ended by a panic");
        }
    }

    /// Writes and syncs that failed, and reservations that found no room.
    pub fn failures(&self) -> (u64, u64) {
        (self.desk.failures.load(Relaxed), self.desk.lost.load(Relaxed))
    }
}

impl Desk {
    fn write_until_closed(&self, mut writer: Writer) {
        let mut synced = Instant::now();
        loop {
            let (batch, closing) = self.wait(&writer, synced);
            let written = writer.write(&batch);
            if let Err(error) = &written {
                self.failed(error);
                self.put_back(batch);
            }
            if closing || synced.elapsed() >= SYNC_EVERY {
                synced = Instant::now();
                if let Err(error) = writer.sync().and_then(|()| writer.shorten(unix_seconds())) {
                    self.failed(&error);
                }
            }
            if closing {
                return;
            }
            if written.is_err() {
                std::thread::sleep(SYNC_EVERY);
            }
        }
    }

    /// What is to be written: at once when there is something, at the next sync when something written is not synced.
    fn wait(&self, writer: &Writer, synced: Instant) -> (Vec<Reservation>, bool) {
        let mut waiting = lock(&self.state);
        while waiting.all.is_empty() && !waiting.closing {
            if !writer.dirty {
                waiting = self.left.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = SYNC_EVERY.saturating_sub(synced.elapsed());
            if left.is_zero() {
                break;
            }
            waiting = self.left.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        (waiting.all.drain().map(|(_, each)| each).collect(), waiting.closing)
    }

    fn put_back(&self, batch: Vec<Reservation>) {
        let mut waiting = lock(&self.state);
        for each in batch {
            waiting.all.entry(each.key).or_insert(each);
        }
    }

    fn failed(&self, error: &io::Error) {
        if self.failures.fetch_add(1, Relaxed) == 0 {
            tracing::error!(%error, "the journal of quotas cannot be written: a restart may give used quota again");
        }
    }
}

fn unix_seconds() -> u64 {
    u64::try_from(crate::gateway::now().0 / probity_model::time::MICROS_PER_SECOND).unwrap_or(0)
}

#[cfg(test)]
mod tests;
