//! Every step of the storage fails, and then the process or the machine ends: what counted as used still does.

use std::collections::BTreeMap;
use std::ffi::OsString;

use probity_model::bundle::limits::QuotaPeriod;
use probity_policy::limit::{Quota, QuotaBook};

use super::*;

const NOW: u64 = 1_800_000_000;
const FOLDER: &str = "/quotas";

/// Files in memory: what was written, and what of it was synced.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    written: BTreeMap<PathBuf, Vec<u8>>,
    synced: BTreeMap<PathBuf, Vec<u8>>,
    /// Names that survive.
    named: Vec<PathBuf>,
    steps: u64,
    fails_at: Option<(u64, Fault)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing is done.
    Refused,
    /// Half of it is done, and reported as failed.
    Half,
    /// All of it is done, and reported as failed.
    Done,
}

#[derive(Debug)]
struct Open(Disk, PathBuf);

impl Disk {
    /// Whether this step is to be done, and whether it reports success.
    fn step(&self) -> (Option<Fault>, io::Result<()>) {
        let mut files = lock(&self.0);
        files.steps += 1;
        match files.fails_at {
            Some((at, fault)) if files.steps > at => {
                files.fails_at = Some((u64::MAX, fault));
                (Some(fault), Err(io::Error::other("told to fail")))
            }
            _ => (None, Ok(())),
        }
    }

    /// What is there after the machine stopped: what was synced, and by chance what was not.
    fn after_power_loss(&self, chance: u64) -> Self {
        let files = lock(&self.0);
        let mut kept = files.synced.clone();
        for (path, bytes) in &files.written {
            if files.named.contains(path) && !chance.is_multiple_of(3) {
                let synced = kept.get(path).map_or(0, Vec::len);
                let more = (bytes.len().saturating_sub(synced)) as u64 * (chance % 5) / 4;
                let end = bytes.len().min(synced + usize::try_from(more).unwrap());
                kept.insert(path.clone(), bytes[..end].to_vec());
            }
        }
        kept.retain(|path, _| files.named.contains(path));
        Self::of(kept)
    }

    fn after_kill(&self) -> Self {
        Self::of(lock(&self.0).written.clone())
    }

    fn of(files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let named = files.keys().cloned().collect();
        let files = Files { written: files.clone(), synced: files, named, ..Files::default() };
        Self(Arc::new(Mutex::new(files)))
    }

    fn fail(&self, at: u64, fault: Fault) {
        let mut files = lock(&self.0);
        files.fails_at = Some((files.steps + at, fault));
    }

    fn has_failed(&self) -> bool {
        matches!(lock(&self.0).fails_at, Some((u64::MAX, _)))
    }
}

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let (fault, result) = self.step();
        if fault != Some(Fault::Refused) {
            let mut files = lock(&self.0);
            if files.written.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            files.written.insert(path.to_owned(), Vec::new());
        }
        result.map(|()| Box::new(Open(self.clone(), path.to_owned())) as Box<dyn StorageFile>)
    }
    fn open(&self, path: &Path, _: bool) -> io::Result<Box<dyn StorageFile>> {
        self.step().1.map(|()| Box::new(Open(self.clone(), path.to_owned())) as Box<dyn StorageFile>)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        assert_eq!(dir, Path::new(FOLDER));
        Ok(lock(&self.0).written.keys().map(|path| path.file_name().unwrap().to_owned()).collect())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let (fault, result) = self.step();
        if fault != Some(Fault::Refused) {
            let mut files = lock(&self.0);
            files.written.remove(path);
            files.synced.remove(path);
        }
        result
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let (fault, result) = self.step();
        if fault != Some(Fault::Refused) {
            let mut files = lock(&self.0);
            files.named = files.written.keys().cloned().collect();
        }
        result
    }
    fn boot(&self) -> [u8; 16] {
        [0; 16]
    }
}

impl StorageFile for Open {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (fault, result) = self.0.step();
        let part = match fault {
            Some(Fault::Refused) => 0,
            Some(Fault::Half) => bytes.len() / 2,
            _ => bytes.len(),
        };
        let mut files = lock(&self.0.0);
        let file = files.written.get_mut(&self.1).unwrap();
        let offset = usize::try_from(offset).unwrap();
        file.resize(file.len().max(offset + part), 0);
        file[offset..offset + part].copy_from_slice(&bytes[..part]);
        result
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let files = lock(&self.0.0);
        let file = files.written.get(&self.1).map(Vec::as_slice).unwrap_or_default();
        let rest = file.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let part = rest.len().min(buffer.len());
        buffer[..part].copy_from_slice(&rest[..part]);
        Ok(part)
    }
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.0.0).written.get(&self.1).map_or(0, Vec::len) as u64)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        lock(&self.0.0).written.get_mut(&self.1).unwrap().truncate(usize::try_from(len).unwrap());
        Ok(())
    }
    fn sync_data(&mut self) -> io::Result<()> {
        let (fault, result) = self.0.step();
        if !matches!(fault, Some(Fault::Refused | Fault::Half)) {
            let mut files = lock(&self.0.0);
            if let Some(bytes) = files.written.get(&self.1).cloned() {
                files.synced.insert(self.1.clone(), bytes);
            }
        }
        result
    }
}

fn key() -> SipKey {
    SipKey::new([9; 16])
}

fn open(disk: &Disk) -> io::Result<(Writer, Recalled)> {
    Writer::open(Arc::new(disk.clone()), Path::new(FOLDER), key(), NOW)
}

fn recalled(disk: &Disk) -> (QuotaBook, Recalled) {
    let (_, recalled) = open(disk).unwrap();
    let book = QuotaBook::new(1_000);
    recalled.kept.iter().for_each(|kept| book.recall(*kept, NOW));
    (book, recalled)
}

fn used(book: &QuotaBook) -> BTreeMap<u64, u64> {
    book.settle(NOW).into_iter().map(|each| (each.key, each.used)).collect()
}

const KEYS: u64 = 5;
const LIMIT: u64 = 300;

/// Calls of a few keys, written as the thread does: what fails is tried again. Gives what was used at the last sync that
/// succeeded, and what was used in the end.
fn work(book: &QuotaBook, writer: &mut Writer, rounds: u64) -> (BTreeMap<u64, u64>, BTreeMap<u64, u64>) {
    let quota = Quota::new(LIMIT, QuotaPeriod::Day, &[]);
    let period = quota.period(NOW);
    let (mut waiting, mut synced) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..rounds {
        for call in 0..7 {
            let key = (round * 3 + call * call) % KEYS;
            if let (_, Some(reservation)) = book.take(&quota, key, period, NOW, 1 + call % 2) {
                waiting.insert(reservation.key, reservation);
            }
        }
        let batch: Vec<Reservation> = waiting.values().copied().collect();
        if writer.write(&batch).is_ok() {
            waiting.clear();
        }
        if round % 3 == 2 && waiting.is_empty() && writer.sync().is_ok() {
            synced = used(book);
        }
    }
    // What a dying process had not written yet does not count as written.
    let written = used(book).into_iter().filter(|(key, _)| !waiting.contains_key(key)).collect();
    (synced, written)
}

fn assert_not_given_again(
    book: &QuotaBook,
    at_least: &BTreeMap<u64, u64>,
    exact: &BTreeMap<u64, u64>,
    what: &str,
) {
    let now = used(book);
    for (key, used) in at_least {
        let found = now.get(key).copied().unwrap_or(0);
        assert!(found >= *used, "{what}: {used} of {key} were used, {found} are known");
    }
    for (key, found) in &now {
        let used = exact.get(key).copied().unwrap_or(0);
        assert!(*found <= used + 2 * (LIMIT / 64), "{what}: {found} of {key} are counted, {used} were used");
    }
}

#[test]
fn use_survives_a_clean_stop_exactly() {
    let disk = Disk::default();
    let (mut writer, first) = open(&disk).unwrap();
    assert!(first.kept.is_empty());
    let book = QuotaBook::new(1_000);
    work(&book, &mut writer, 20);
    writer.write(&book.settle(NOW)).unwrap();
    writer.sync().unwrap();
    let before = used(&book);
    drop(writer);
    let (book, found) = recalled(&disk.after_power_loss(0));
    assert_eq!((used(&book), found.damaged), (before, 0));
    // What has ended is not carried on.
    let (_, late) =
        Writer::open(Arc::new(disk.after_kill()), Path::new(FOLDER), key(), NOW + 86_400).unwrap();
    assert!(late.kept.is_empty());
}

#[test]
fn every_step_fails_and_nothing_used_is_given_again() {
    for fault in [Fault::Refused, Fault::Half, Fault::Done] {
        for power in [false, true] {
            let mut steps = 0;
            loop {
                let what = format!("{fault:?} at step {steps}, machine stops: {power}");
                let disk = Disk::default();
                let (mut writer, _) = open(&disk).unwrap();
                let book = QuotaBook::new(1_000);
                disk.fail(steps, fault);
                let (synced, written) = work(&book, &mut writer, 20);
                let struck = disk.has_failed();
                drop(writer);
                let next = if power { disk.after_power_loss(steps) } else { disk.after_kill() };
                let (again, found) = recalled(&next);
                let least = if power { &synced } else { &written };
                assert_not_given_again(&again, least, &used(&book), &what);
                assert!(found.damaged <= 1, "{what}: {}", found.damaged);
                if !struck {
                    break;
                }
                steps += 1;
            }
            assert!(steps > 15, "{fault:?}: only {steps} steps");
        }
    }
}

#[test]
fn a_start_that_fails_half_way_is_done_again() {
    for fault in [Fault::Refused, Fault::Half, Fault::Done] {
        for step in 0..7 {
            for power in [false, true] {
                let what = format!("{fault:?} at step {step}, machine stops: {power}");
                let disk = Disk::default();
                let (mut writer, _) = open(&disk).unwrap();
                let book = QuotaBook::new(1_000);
                work(&book, &mut writer, 12);
                writer.sync().unwrap();
                let (before, synced) = (used(&book), used(&book));
                drop(writer);
                let second = disk.after_kill();
                second.fail(step, fault);
                let _ = open(&second).map(|(writer, _)| drop(writer));
                let third = if power { second.after_power_loss(step) } else { second.after_kill() };
                let (again, _) = recalled(&third);
                assert_not_given_again(&again, &synced, &before, &what);
            }
        }
    }
}

#[test]
fn damage_is_told_and_loses_only_itself() {
    let disk = Disk::default();
    let (mut writer, _) = open(&disk).unwrap();
    let each = |key| Reservation { key, ends: NOW + 10, used: key + 1 };
    writer.write(&(0..3000).map(each).collect::<Vec<_>>()).unwrap();
    drop(writer);
    let broken = disk.after_kill();
    lock(&broken.0).written.values_mut().for_each(|file| {
        file[40] ^= 1;
        file.extend_from_slice(&[7; 20]);
    });
    let (_, found) = recalled(&broken);
    assert_eq!((found.kept.len(), found.damaged), (2999, 1));
    // Another key reads nothing of it, and says so.
    let (_, other) =
        Writer::open(Arc::new(disk.after_kill()), Path::new(FOLDER), SipKey::new([1; 16]), NOW).unwrap();
    assert_eq!(other.kept, []);
}

#[test]
fn the_thread_writes_what_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(probity_events::DiskStorage);
    let (writer, _) = Writer::open(Arc::clone(&storage), folder.path(), key(), NOW).unwrap();
    let journal = Journal::start(writer).unwrap();
    let each = |used| Reservation { key: used % 7, ends: NOW + 10, used };
    (0..100).for_each(|used| journal.append(each(used)));
    journal.close(vec![each(3)]);
    // Closing again changes nothing.
    journal.close(vec![each(10)]);
    assert_eq!(journal.failures(), (0, 0));
    let (_, found) = Writer::open(storage, folder.path(), key(), NOW).unwrap();
    let mut used: Vec<(u64, u64)> = found.kept.iter().map(|each| (each.key, each.used)).collect();
    used.sort_unstable();
    assert_eq!(used, [(0, 98), (1, 99), (2, 93), (3, 3), (4, 95), (5, 96), (6, 97)]);
}
