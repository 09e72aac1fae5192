//! Reads one log wholly and holds its parts against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::compare::{TileDiff, bundle_hashes, name_diffs};
use super::report::{Change, ChangeKind, LogReport, VerifyReport};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::disk::{self, Disk};
use crate::hash::{Digest, hex, node_hash};
use crate::history::{self, HEADER, Record};
use crate::log::{CHECKPOINT, CHECKPOINT_NEXT, levels};
use crate::note::{MAX_NOTE_BYTES, VerifierKey};
use crate::tile::{self, Level, MAX_BUNDLE_BYTES, MAX_LEVELS, TILE_WIDTH, Tile};
use crate::tree::{self, Frontier};
use crate::{LogId, NoteError};

/// Most differing files kept for naming; beyond them a log is not repaired leaf by leaf anyway.
const MAX_DIFFS: usize = 4096;
/// Longest history read.
const MAX_HISTORY_BYTES: u64 = 4 << 30;

/// One log, read.
#[derive(Debug)]
pub struct Scan {
    pub log: LogId,
    /// Files that do not hold what they must.
    pub diffs: Vec<TileDiff>,
    report: LogReport,
}

/// A root that the log must have had at a size.
#[derive(Clone, Debug)]
struct Root {
    size: u64,
    root: Digest,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A record of the history, by number from 1.
    Record(usize),
    /// A checkpoint from outside, by number.
    Anchor(usize),
}

/// A hash in an older file that is not the one in the newest.
#[derive(Clone, Debug)]
struct Older {
    tile: Tile,
    at: u64,
}

/// Which of two disagreeing files leads to the checkpoint's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Entries,
    Hashes,
}

struct Reader<'a> {
    disk: &'a dyn Disk,
    log: LogId,
    keys: Vec<VerifierKey>,
    report: &'a mut VerifyReport,
    tiles: BTreeSet<Tile>,
    read: u64,
    /// A file is gone or unreadable, so a root that does not come out proves nothing more.
    incomplete: bool,
}

/// What the pass over all leaves gathers.
#[derive(Default)]
struct Pass {
    diffs: Vec<TileDiff>,
    older: Vec<Older>,
    /// Hash of each full level-0 tile, as chosen.
    chosen: Vec<Digest>,
    /// Full tiles whose leaves and hashes agree with each other but not with the level above.
    doubted: Vec<u64>,
    /// Roots that did not come out.
    failed: Vec<Root>,
    passed: Vec<Root>,
    /// The last tile has two readings that differ; which leaf hashes each gives.
    tail: Vec<(Truth, Vec<Digest>)>,
}

impl Scan {
    pub fn run(
        disk: &dyn Disk,
        log: LogId,
        keys: &[VerifierKey],
        anchors: &[Checkpoint],
        report: &mut VerifyReport,
    ) -> Self {
        let mut reader = Reader {
            disk,
            log,
            keys: Vec::new(),
            report,
            tiles: BTreeSet::new(),
            read: 0,
            incomplete: false,
        };
        reader.walk();
        let history = reader.history();
        let file = reader.checkpoint_file();
        // Folders that were exchanged are verified as what they hold.
        let newest = history.last().map(|record| &record.checkpoint).or(file.as_ref());
        let held = newest.and_then(Checkpoint::log).unwrap_or(log);
        if held != log {
            reader.change(ChangeKind::Swap, CHECKPOINT, None, format!("the folder holds the log `{held}`"));
        }
        let keys: Vec<_> = keys.iter().filter(|key| key.is_for(held)).map(|key| key.for_log(held)).collect();
        reader.keys = keys;
        let signed = reader.signatures(&history, file.as_ref());
        let reference = reader.reference(&history, file);
        let size = reference.as_ref().map_or_else(|| reader.widest(), Checkpoint::size);
        let origin = reference.as_ref().map_or_else(String::new, |reference| reference.origin().to_owned());
        let given: Vec<&Checkpoint> = anchors.iter().filter(|anchor| anchor.origin() == origin).collect();
        let roots = reader.roots(&history, &given, reference.as_ref(), size);
        let pass = reader.leaves(size, &roots);
        let (diffs, root) = reader.judge(pass, reference.as_ref(), &given, size);
        let matched = reader.anchors(&given, size, &root.1);
        reader.past(size);
        let report = LogReport {
            log,
            origin,
            size,
            root: hex(&root.0),
            checkpoints: history.len() as u64,
            tiles: reader.read,
            signed,
            anchors: matched,
        };
        Self { log, diffs, report }
    }

    pub fn finish(self, report: &mut VerifyReport) {
        name_diffs(self.log, &self.diffs, report);
        report.logs.push(self.report);
    }
}

impl Reader<'_> {
    fn change(&mut self, kind: ChangeKind, file: &str, leaves: Option<(u64, u64)>, message: String) {
        let file = Some(format!("{}/{file}", self.log));
        self.report.push(Change { log: Some(self.log), kind, file, leaves, message });
    }

    fn unreadable(&mut self, file: &str, error: &io::Error) {
        self.incomplete = true;
        self.change(ChangeKind::Unreadable, file, None, format!("the file cannot be read: {error}"));
    }

    fn read(&mut self, file: &str, limit: u64) -> Option<Vec<u8>> {
        match disk::read(self.disk, &format!("{}/{file}", self.log), limit) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(file, &error);
                None
            }
        }
    }

    /// Lists every file; what no log has is named.
    fn walk(&mut self) {
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let path = format!("{}/{folder}", self.log);
            let entries = match disk::list(self.disk, path.trim_end_matches('/')) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unreadable(&folder, &error);
                    continue;
                }
            };
            for entry in entries {
                let inner = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
                if entry.folder {
                    folders.push(inner);
                } else if let Some(tile) = Tile::parse(&inner) {
                    self.tiles.insert(tile);
                } else if inner == CHECKPOINT_NEXT {
                    self.report.notes.push(format!("`{}/{inner}`: left by an interrupted append", self.log));
                } else if inner != CHECKPOINT && inner != history::FILE {
                    self.change(ChangeKind::Insert, &inner, None, "the file is no part of a log".into());
                }
            }
        }
    }

    fn checkpoint_file(&mut self) -> Option<Checkpoint> {
        let Some(bytes) = self.read(CHECKPOINT, MAX_NOTE_BYTES as u64) else {
            self.change(ChangeKind::Missing, CHECKPOINT, None, "the checkpoint is missing".into());
            return None;
        };
        let parsed = std::str::from_utf8(&bytes).map(Checkpoint::parse);
        match parsed {
            Ok(Ok(checkpoint)) => Some(checkpoint),
            Ok(Err(error)) => {
                self.change(
                    ChangeKind::Flip,
                    CHECKPOINT,
                    None,
                    format!("the checkpoint was changed: {error}"),
                );
                None
            }
            Err(_) => {
                self.change(
                    ChangeKind::Flip,
                    CHECKPOINT,
                    None,
                    "the checkpoint was changed: not text".into(),
                );
                None
            }
        }
    }

    fn history(&mut self) -> Vec<Record> {
        let Some(bytes) = self.read(history::FILE, MAX_HISTORY_BYTES) else {
            let message = "the history of checkpoints is missing".to_owned();
            self.change(ChangeKind::Missing, history::FILE, None, message);
            return Vec::new();
        };
        let body = bytes.strip_prefix(HEADER.as_bytes());
        if body.is_none() {
            self.change(ChangeKind::Flip, history::FILE, None, "its first line was changed".into());
        }
        let start = history::next_record(&bytes).unwrap_or(bytes.len());
        let body = body.unwrap_or_else(|| bytes.get(start..).unwrap_or_default());
        let (records, damage) = history::records(body);
        for damage in &damage {
            let before = records.iter().filter(|record| record.at.end <= damage.at).count();
            let kind = if damage.what.contains("cut short") { ChangeKind::Cut } else { ChangeKind::Flip };
            let message = format!("after checkpoint record {before}: {}", damage.what);
            self.change(kind, history::FILE, None, message);
        }
        if damage.is_empty() {
            self.chain(&records);
        }
        records
    }

    /// Holds each record against the one before.
    fn chain(&mut self, records: &[Record]) {
        let known: BTreeMap<&str, usize> =
            records.iter().enumerate().map(|(at, record)| (record.digest.as_str(), at + 1)).collect();
        let mut before = history::START;
        let mut last_size = None;
        let mut reported = false;
        for (at, record) in records.iter().enumerate() {
            let number = at + 1;
            let follows = record.before == before;
            let size = record.checkpoint.size();
            let grows = last_size.is_none_or(|last| last < size);
            if !follows && !reported {
                let twice = known.get(record.digest.as_str()).is_some_and(|last| *last != number)
                    || records.iter().take(at).any(|earlier| earlier.digest == record.digest);
                let elsewhere = known.contains_key(record.before.as_str());
                let (kind, what) = if twice {
                    (ChangeKind::Insert, "stands in the history twice".to_owned())
                } else if elsewhere || (record.before == history::START && at > 0) {
                    (ChangeKind::Reorder, "stands in another place than it was written to".to_owned())
                } else if at == 0 || grows {
                    (ChangeKind::Cut, "follows records that were cut out".to_owned())
                } else {
                    (ChangeKind::Insert, format!("of {size} leaves was put in"))
                };
                self.change(kind, history::FILE, None, format!("checkpoint record {number} {what}"));
                // What follows a break is out of step as well; one name is enough.
                reported = matches!(kind, ChangeKind::Reorder | ChangeKind::Insert);
            } else if follows && !grows {
                let message = format!("checkpoint record {number} does not grow: {size} leaves");
                self.change(ChangeKind::Rewrite, history::FILE, None, message);
            }
            before = &record.digest;
            last_size = Some(size);
        }
    }

    /// Checks every signature; `None` without a key for this log.
    fn signatures(&mut self, history: &[Record], file: Option<&Checkpoint>) -> Option<bool> {
        if self.keys.is_empty() {
            return None;
        }
        let mut all = !history.is_empty();
        for (at, record) in history.iter().enumerate() {
            if let Err(error) = self.signed(&record.checkpoint) {
                all = false;
                self.unsigned(history::FILE, &format!("checkpoint record {}", at + 1), &error);
            }
        }
        if let Some(file) = file
            && let Err(error) = self.signed(file)
        {
            all = false;
            self.unsigned(CHECKPOINT, "the checkpoint", &error);
        }
        Some(all)
    }

    fn signed(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let mut result = Ok(());
        for key in &self.keys {
            result = checkpoint.verify(key);
            // A bad signature of a key that is named outweighs a good one of another.
            if matches!(result, Ok(()) | Err(CheckpointError::Note(NoteError::BadSignature(_)))) {
                break;
            }
        }
        result
    }

    fn unsigned(&mut self, file: &str, what: &str, error: &CheckpointError) {
        let kind = match error {
            CheckpointError::Origin { .. } => ChangeKind::Swap,
            _ => ChangeKind::BadSignature,
        };
        self.change(kind, file, None, format!("{what}: {error}"));
    }

    /// The checkpoint that the rest is held against, after comparing the file with its history.
    fn reference(&mut self, history: &[Record], file: Option<Checkpoint>) -> Option<Checkpoint> {
        let last = history.last().map(|record| record.checkpoint.clone());
        let (Some(file), Some(last)) = (&file, &last) else { return last.or(file) };
        let behind = history.iter().rev().position(|record| record.checkpoint.as_str() == file.as_str());
        match behind {
            Some(0) => {}
            Some(1) => self.report.notes.push(format!(
                "`{}/{CHECKPOINT}` is one record behind its history: an interrupted append, completed when the ledger is opened",
                self.log
            )),
            Some(behind) => {
                let message = format!(
                    "the checkpoint was rolled back by {behind} records to {} leaves; the history goes on to {}",
                    file.size(),
                    last.size()
                );
                self.change(ChangeKind::RollBack, CHECKPOINT, None, message);
            }
            None if file.size() > last.size() => {
                let message = format!(
                    "the history ends at {} leaves, the checkpoint states {}: its last records were cut",
                    last.size(),
                    file.size()
                );
                self.change(ChangeKind::Cut, history::FILE, None, message);
                return Some(file.clone());
            }
            None => {
                let message = format!("the checkpoint of {} leaves was changed: its history does not hold it", file.size());
                self.change(ChangeKind::Flip, CHECKPOINT, None, message);
            }
        }
        Some(last.clone())
    }

    /// Leaves that the hash tiles hold, for a log without any checkpoint.
    fn widest(&self) -> u64 {
        let ends =
            self.tiles.iter().filter(|tile| tile.level == Level::Hashes(0)).map(|tile| tile.leaves().end);
        ends.max().unwrap_or(0)
    }

    /// Every root that must come out on the way, by size.
    fn roots(
        &mut self,
        history: &[Record],
        given: &[&Checkpoint],
        reference: Option<&Checkpoint>,
        size: u64,
    ) -> Vec<Root> {
        let records =
            history.iter().enumerate().map(|(at, record)| (&record.checkpoint, Source::Record(at + 1)));
        let anchors = given.iter().enumerate().map(|(at, anchor)| (*anchor, Source::Anchor(at)));
        let root = |(checkpoint, source): (&Checkpoint, Source)| Root {
            size: checkpoint.size(),
            root: checkpoint.root(),
            source,
        };
        // The reference itself is judged last, with everything that could lead to it.
        let is_reference = |root: &Root| {
            matches!(root.source, Source::Record(_))
                && reference.is_some_and(|r| r.size() == root.size && r.root() == root.root)
        };
        let mut roots: Vec<Root> = records
            .chain(anchors)
            .map(root)
            .filter(|root| root.size <= size && !is_reference(root))
            .collect();
        roots.sort_by_key(|root| root.size);
        roots
    }

    /// Goes through all leaves once.
    fn leaves(&mut self, size: u64, roots: &[Root]) -> Pass {
        let above = self.level(1, size);
        let mut pass = Pass::default();
        let mut upper = Frontier::new();
        let mut roots = roots.iter().peekable();
        while let Some(root) = roots.next_if(|root| root.size == 0) {
            pass.settle(root, tree::empty_root());
        }
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let hashes = self.hash_tile(index, size);
            let entries = self.entry_tile(index, size, hashes.as_deref().unwrap_or_default());
            let start = index * TILE_WIDTH;
            let width = (size - start).min(TILE_WIDTH);
            let full = width == TILE_WIDTH;
            let witness = usize::try_from(index).ok().and_then(|index| above.get(index)).copied();
            let truth = choose(full, witness.as_ref(), hashes.as_deref(), entries.as_deref());
            let chosen = match truth {
                Truth::Entries => entries.as_deref(),
                Truth::Hashes => hashes.as_deref(),
            };
            let mut inner = Frontier::new();
            for hash in chosen.unwrap_or_default() {
                inner.push(*hash);
                let at = start + inner.size();
                while let Some(root) = roots.next_if(|root| root.size == at) {
                    let peaks = [upper.peaks(), inner.peaks()].concat();
                    pass.settle(root, tree::fold_peaks(&peaks, node_hash).unwrap_or_else(tree::empty_root));
                }
            }
            // Sizes that the file is too short to reach.
            while let Some(root) = roots.next_if(|root| root.size <= start + width) {
                pass.failed.push(root.clone());
            }
            self.older(&mut pass, index, width, chosen.unwrap_or_default());
            if full {
                let folded =
                    chosen.and_then(|hashes| tree::fold(hashes, node_hash)).or(witness).unwrap_or_default();
                upper.push(folded);
                pass.chosen.push(folded);
                if witness.is_some_and(|witness| witness != folded) {
                    pass.doubted.push(index);
                }
            } else {
                pass.tail.extend(hashes.clone().map(|hashes| (Truth::Hashes, hashes)));
                pass.tail.extend(entries.clone().map(|entries| (Truth::Entries, entries)));
            }
            pass.difference(index, size, truth, hashes, entries);
        }
        pass
    }

    /// The hashes of a level, as its files hold them.
    fn level(&mut self, level: u8, size: u64) -> Vec<Digest> {
        let level = Level::Hashes(level);
        let count = tile::hashes_at(level, size);
        let mut list = Vec::new();
        for index in 0..count.div_ceil(TILE_WIDTH) {
            let bytes = self.tile(level, index, size).unwrap_or_default();
            let width = (count - index * TILE_WIDTH).min(TILE_WIDTH);
            let (hashes, _) = bytes.as_chunks::<32>();
            let width = usize::try_from(width).unwrap_or(usize::MAX);
            let short = width.saturating_sub(hashes.len());
            list.extend(hashes.iter().take(width).copied().chain(std::iter::repeat_n([0; 32], short)));
        }
        list
    }

    fn hash_tile(&mut self, index: u64, size: u64) -> Option<Vec<Digest>> {
        let bytes = self.tile(Level::Hashes(0), index, size)?;
        Some(bytes.as_chunks::<32>().0.to_vec())
    }

    fn entry_tile(&mut self, index: u64, size: u64, expected: &[Digest]) -> Option<Vec<Digest>> {
        let bytes = self.tile(Level::Entries, index, size)?;
        let (hashes, changed) = bundle_hashes(&bytes, expected);
        if let Some(at) = changed {
            let leaf = index * TILE_WIDTH + at as u64;
            let file = Tile::at_size(Level::Entries, index, size).map(|tile| tile.path()).unwrap_or_default();
            self.change(
                ChangeKind::Flip,
                &file,
                Some((leaf, leaf)),
                format!("the length of leaf {leaf} was changed"),
            );
        }
        Some(hashes)
    }

    /// The content of a tile at `size`, from the file that must hold it.
    fn tile(&mut self, level: Level, index: u64, size: u64) -> Option<Vec<u8>> {
        let tile = Tile::at_size(level, index, size)?;
        self.read += 1;
        let bytes = self.read(&tile.path(), MAX_BUNDLE_BYTES);
        if bytes.is_none() {
            let later =
                self.tiles.iter().find(|t| (t.level, t.index) == (level, index) && t.width > tile.width);
            let leaves = tile.leaves();
            let leaves = Some((leaves.start, leaves.end - 1));
            if let Some(later) = later.map(Tile::path) {
                let message = format!(
                    "the file that the checkpoint of {size} leaves needs is gone, a later one is there: the checkpoint was rolled back (`{later}`)"
                );
                self.change(ChangeKind::RollBack, &tile.path(), leaves, message);
            } else {
                self.change(ChangeKind::Missing, &tile.path(), leaves, "the tile is missing".into());
            }
            self.incomplete = true;
        }
        bytes
    }

    /// Partial files that stayed from earlier checkpoints must be the start of the newest.
    fn older(&mut self, pass: &mut Pass, index: u64, width: u64, chosen: &[Digest]) {
        for level in [Level::Entries, Level::Hashes(0)] {
            let (from, to) = (Tile { level, index, width: 1 }, Tile { level, index, width });
            let tiles: Vec<Tile> = self.tiles.range(from..to).copied().collect();
            for tile in tiles {
                let Some(bytes) = self.read(&tile.path(), MAX_BUNDLE_BYTES) else { continue };
                self.read += 1;
                let start = chosen.get(..usize::try_from(tile.width).unwrap_or(usize::MAX)).unwrap_or(chosen);
                let found = match level {
                    Level::Entries => bundle_hashes(&bytes, start).0,
                    Level::Hashes(_) => bytes.as_chunks::<32>().0.to_vec(),
                };
                let at = found.iter().zip(start).position(|(a, b)| a != b);
                let at = at.or_else(|| (found.len() != start.len()).then_some(found.len().min(start.len())));
                if let Some(at) = at {
                    pass.older.push(Older { tile, at: index * TILE_WIDTH + at as u64 });
                }
            }
        }
    }

    /// Decides what is true, names what follows from it, and returns the differing files and the root (with
    /// whether it is the checkpoint's).
    fn judge(
        &mut self,
        mut pass: Pass,
        reference: Option<&Checkpoint>,
        given: &[&Checkpoint],
        size: u64,
    ) -> (Vec<TileDiff>, (Digest, Outcome)) {
        let mut upper = Frontier::new();
        pass.chosen.iter().for_each(|hash| upper.push(*hash));
        let mut witness = Frontier::new();
        self.level(1, size).iter().for_each(|hash| witness.push(*hash));
        let tails: Vec<(Truth, Vec<Digest>)> = if pass.tail.is_empty() {
            vec![(Truth::Hashes, Vec::new())]
        } else {
            std::mem::take(&mut pass.tail)
        };
        let root = |upper: &Frontier, tail: &[Digest]| {
            let mut inner = Frontier::new();
            tail.iter().for_each(|hash| inner.push(*hash));
            let peaks = [upper.peaks(), inner.peaks()].concat();
            tree::fold_peaks(&peaks, node_hash).unwrap_or_else(tree::empty_root)
        };
        let wanted = reference.map(Checkpoint::root);
        let fits = |upper: &Frontier| {
            tails.iter().find(|(_, tail)| Some(root(upper, tail)) == wanted).map(|(truth, _)| *truth)
        };
        let (truth, by_witness) = match (fits(&upper), fits(&witness)) {
            (Some(truth), _) => (Some(truth), false),
            (None, Some(truth)) => (Some(truth), true),
            (None, None) => (None, false),
        };
        if truth == Some(Truth::Entries) {
            pass.flip_tail(size);
        }
        let tail = tails.iter().find(|(kind, _)| truth.is_none_or(|truth| truth == *kind));
        let tail = tail.map(|(_, tail)| tail.clone()).unwrap_or_default();
        let computed = root(&upper, &tail);
        let outcome = Outcome {
            sound: truth.is_some() && !by_witness,
            passed: pass.passed.clone(),
            failed: pass.failed.clone(),
        };
        if by_witness {
            for index in std::mem::take(&mut pass.doubted) {
                let leaves = Tile::full(Level::Entries, index).leaves();
                let (first, last) = (leaves.start, leaves.end - 1);
                let message = format!("leaves {first} to {last} were changed together with their hashes");
                self.change(
                    ChangeKind::Rewrite,
                    &Tile::full(Level::Entries, index).path(),
                    Some((first, last)),
                    message,
                );
            }
        } else if outcome.sound {
            self.upper_levels(&pass.chosen, size, &mut pass.diffs);
            self.older_files(&pass.older);
            self.false_records(&outcome);
        } else if !self.incomplete && reference.is_some() {
            self.rewritten(&pass, given, size);
        }
        if !outcome.sound && !by_witness {
            self.doubtful_older(&pass.older);
        }
        pass.diffs.sort_by_key(|diff| diff.tile);
        (pass.diffs, (computed, outcome))
    }

    /// Levels above the leaves follow from them.
    fn upper_levels(&mut self, chosen: &[Digest], size: u64, diffs: &mut Vec<TileDiff>) {
        let mut computed = chosen.to_vec();
        for level in 1..MAX_LEVELS {
            let width = usize::try_from(TILE_WIDTH).unwrap_or(usize::MAX);
            for (index, expected) in (0_u64..).zip(computed.chunks(width)) {
                let level = Level::Hashes(level);
                let Some(tile) = Tile::at_size(level, index, size) else { continue };
                // Read before by `level`, which named it if it is missing.
                let bytes = disk::read(self.disk, &format!("{}/{}", self.log, tile.path()), MAX_BUNDLE_BYTES);
                let Some(bytes) = bytes.ok().flatten() else {
                    if level != Level::Hashes(1) {
                        self.change(ChangeKind::Missing, &tile.path(), None, "the tile is missing".into());
                    }
                    continue;
                };
                self.read += u64::from(level != Level::Hashes(1));
                let found = bytes.as_chunks::<32>().0.to_vec();
                if found != expected {
                    diffs.push(TileDiff { tile, found, expected: expected.to_vec() });
                } else if bytes.len() != found.len() * 32 {
                    self.change(
                        ChangeKind::Insert,
                        &tile.path(),
                        None,
                        "bytes were put in after its hashes".into(),
                    );
                }
            }
            let full = computed.chunks_exact(width);
            computed = full.filter_map(|hashes| tree::fold(hashes, node_hash)).collect();
        }
    }

    fn older_files(&mut self, older: &[Older]) {
        for Older { tile, at } in older {
            let message = format!("leaf {at} was changed in a tile of an earlier checkpoint");
            self.change(ChangeKind::Flip, &tile.path(), Some((*at, *at)), message);
        }
    }

    fn doubtful_older(&mut self, older: &[Older]) {
        if let Some(Older { tile, at }) = older.iter().min_by_key(|older| older.at) {
            let message = format!("leaf {at} was changed: a tile of an earlier checkpoint holds another");
            self.change(ChangeKind::Rewrite, &tile.path(), Some((*at, *at)), message);
        }
    }

    /// The data leads to the newest checkpoint, so a record that it does not pass states a false root.
    fn false_records(&mut self, outcome: &Outcome) {
        for root in &outcome.failed {
            if let Source::Record(number) = root.source {
                let message = format!(
                    "checkpoint record {number} states a root that its {} leaves never had",
                    root.size
                );
                self.change(ChangeKind::Flip, history::FILE, None, message);
            }
        }
    }

    /// Nothing leads to the newest checkpoint: says where the past stops being the one that was signed.
    fn rewritten(&mut self, pass: &Pass, given: &[&Checkpoint], size: u64) {
        let first_failed = pass.failed.iter().map(|root| root.size).min().unwrap_or(size);
        let last_good = pass.passed.iter().map(|root| root.size).filter(|good| *good < first_failed).max();
        let from = last_good.unwrap_or(0);
        let leaves = Some((from, first_failed.saturating_sub(1).max(from)));
        let witness = if given.is_empty() { "" } else { " or the given ones" };
        let message = format!(
            "leaves {from} to {} or the checkpoint of {first_failed} leaves were changed: the root is not the one in the checkpoints{witness}",
            first_failed.saturating_sub(1).max(from)
        );
        self.change(ChangeKind::Rewrite, CHECKPOINT, leaves, message);
    }

    /// Holds the log against the given checkpoints; returns the sizes that it extends.
    fn anchors(&mut self, given: &[&Checkpoint], size: u64, outcome: &Outcome) -> Vec<u64> {
        let mut matched = Vec::new();
        for (at, anchor) in given.iter().enumerate() {
            if !self.keys.is_empty()
                && let Err(error) = self.signed(anchor)
            {
                self.change(ChangeKind::Unusable, CHECKPOINT, None, format!("the given checkpoint: {error}"));
                continue;
            }
            let known = anchor.size();
            if known > size {
                let message =
                    format!("the log was rolled back: it has {size} leaves, the given checkpoint {known}");
                self.change(ChangeKind::RollBack, CHECKPOINT, Some((size, known - 1)), message);
            } else if outcome.failed.iter().any(|root| root.source == Source::Anchor(at)) {
                let good = outcome.passed.iter().map(|root| root.size).filter(|good| *good < known).max();
                // Only roots from outside are beyond the forger's reach.
                let from = good.filter(|_| !outcome.sound).unwrap_or(0);
                let message = format!(
                    "leaves {from} to {} are not those of the given checkpoint of {known} leaves: the past was rewritten",
                    known - 1
                );
                self.change(ChangeKind::Rewrite, CHECKPOINT, Some((from, known - 1)), message);
            } else {
                matched.push(known);
            }
        }
        matched
    }

    /// Files past the newest checkpoint: an interrupted append leaves one step, a roll back several.
    fn past(&mut self, size: u64) {
        let mut steps = 0;
        let mut count = 0;
        let mut last = None;
        for level in levels() {
            let past = self.tiles.iter().filter(|tile| tile.level == level);
            let past: Vec<Tile> = past
                .filter(|tile| Tile::at_size(level, tile.index, size).is_none_or(|at| tile.width > at.width))
                .copied()
                .collect();
            steps = steps.max(past.iter().filter(|tile| !tile.is_full()).count());
            count += past.len();
            last = last.max(past.last().copied());
        }
        let Some(last) = last else { return };
        if steps > 1 {
            let end = last.leaves().end;
            let message = format!(
                "the log was rolled back: the checkpoint states {size} leaves, tiles reach further in {steps} steps"
            );
            self.change(ChangeKind::RollBack, &last.path(), Some((size, end.saturating_sub(1))), message);
        } else {
            let note = format!(
                "log `{}`: {count} tile files past the checkpoint of {size} leaves, left by an append that was never acknowledged; opening the ledger removes them",
                self.log
            );
            self.report.notes.push(note);
        }
    }
}

/// What the data says about the roots.
#[derive(Debug)]
struct Outcome {
    /// The data leads to the newest checkpoint.
    sound: bool,
    passed: Vec<Root>,
    failed: Vec<Root>,
}

impl Pass {
    fn settle(&mut self, root: &Root, found: Digest) {
        let list = if root.root == found { &mut self.passed } else { &mut self.failed };
        list.push(root.clone());
    }

    /// Keeps the two readings of a tile if they differ, the untrue one as found.
    fn difference(
        &mut self,
        index: u64,
        size: u64,
        truth: Truth,
        hashes: Option<Vec<Digest>>,
        entries: Option<Vec<Digest>>,
    ) {
        let (Some(hashes), Some(entries)) = (hashes, entries) else { return };
        if hashes == entries || self.diffs.len() >= MAX_DIFFS {
            return;
        }
        let (level, found, expected) = match truth {
            Truth::Hashes => (Level::Entries, entries, hashes),
            Truth::Entries => (Level::Hashes(0), hashes, entries),
        };
        let tile = Tile::at_size(level, index, size);
        self.diffs.extend(tile.map(|tile| TileDiff { tile, found, expected }));
    }

    /// The last tile's hashes turned out to be the untrue reading.
    fn flip_tail(&mut self, size: u64) {
        let last = size / TILE_WIDTH;
        for diff in
            self.diffs.iter_mut().filter(|diff| diff.tile.index == last && diff.tile.level == Level::Entries)
        {
            std::mem::swap(&mut diff.found, &mut diff.expected);
            diff.tile.level = Level::Hashes(0);
        }
    }
}

/// The level above settles which reading of a full tile is true; the last tile waits for the root.
fn choose(
    full: bool,
    witness: Option<&Digest>,
    hashes: Option<&[Digest]>,
    entries: Option<&[Digest]>,
) -> Truth {
    match (hashes, entries) {
        (None, Some(_)) => Truth::Entries,
        (Some(hashes), Some(entries)) if full && hashes != entries => {
            let fits = |list: &[Digest]| tree::fold(list, node_hash).as_ref() == witness;
            if !fits(hashes) && fits(entries) { Truth::Entries } else { Truth::Hashes }
        }
        _ => Truth::Hashes,
    }
}
