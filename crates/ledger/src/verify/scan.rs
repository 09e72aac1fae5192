//! Reads one log wholly and holds its leaves, tiles and roots against each other. Its checkpoints are in
//! `records`.

use std::collections::BTreeSet;
use std::io;

use super::compare::{TileDiff, name_diffs, read_bundle};
use super::report::{Change, ChangeKind, LogReport, VerifyReport};
use crate::LogId;
use crate::checkpoint::Checkpoint;
use crate::disk::{self, Disk};
use crate::hash::{Digest, hex, node_hash};
use crate::history::{self, Record};
use crate::log::{CHECKPOINT, CHECKPOINT_NEXT, HISTORY_NEXT, levels};
use crate::note::VerifierKey;
use crate::tile::{self, Level, MAX_BUNDLE_BYTES, MAX_LEVELS, TILE_WIDTH, Tile};
use crate::tree::{self, Frontier};

/// Most differing files kept for naming; beyond them a log is not repaired leaf by leaf anyway.
const MAX_DIFFS: usize = 4096;
/// How often a log that is being written to is read again.
const MAX_ATTEMPTS: u32 = 8;

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
pub struct Root {
    pub size: u64,
    root: Digest,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A record of the history, by number from 1.
    Record(usize),
    /// A checkpoint from outside, by number.
    Anchor(usize),
}

/// A place in an older file that does not hold what the newest does, counted over its level.
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

pub struct Reader<'a> {
    disk: &'a dyn Disk,
    pub log: LogId,
    pub keys: Vec<VerifierKey>,
    pub report: &'a mut VerifyReport,
    tiles: BTreeSet<Tile>,
    read: u64,
    /// Bytes of the history that were read; it is longer later if the log is being written to.
    pub history_len: u64,
    /// A file is gone or unreadable, so a root that does not come out proves nothing more.
    incomplete: bool,
}

/// What the pass over all leaves gathers.
#[derive(Default)]
struct Pass {
    diffs: Vec<TileDiff>,
    older: Vec<Older>,
    /// The files of level 1, the witness of which reading of a full level-0 tile is true.
    above: Vec<Option<Vec<Digest>>>,
    /// Hash of each full level-0 tile, as chosen.
    chosen: Vec<Digest>,
    /// Full tiles whose leaves and hashes agree with each other but not with the level above.
    doubted: Vec<u64>,
    /// Roots that did not come out.
    failed: Vec<Root>,
    passed: Vec<Root>,
    /// The tree over them, as chosen and as the level above says.
    upper: Frontier,
    witnessed: Frontier,
    /// The leaves of the last, partial tile.
    tail: Frontier,
}

impl Scan {
    /// Reads a log. One that grows meanwhile may look changed, so then it is read again.
    pub fn run(
        disk: &dyn Disk,
        log: LogId,
        keys: &[VerifierKey],
        anchors: &[Checkpoint],
        report: &mut VerifyReport,
    ) -> Self {
        let history = format!("{log}/{}", history::FILE);
        let mut attempt = 1;
        loop {
            let mut own = VerifyReport::new("");
            let before = disk.len(&history).ok();
            let scan = Self::once(disk, log, keys, anchors, &mut own);
            let grows = disk.len(&history).ok() != before;
            if own.is_intact() || !grows || attempt == MAX_ATTEMPTS {
                report.absorb(own);
                return scan;
            }
            attempt += 1;
        }
    }

    fn once(
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
            history_len: 0,
            incomplete: false,
        };
        reader.walk();
        // In this order: the file never states more than a history that is read after it.
        let file = reader.checkpoint_file();
        let history = reader.history();
        // Folders that were exchanged are verified as what they hold.
        let newest = history.last().map(|record| &record.checkpoint).or(file.as_ref());
        let held = newest.and_then(Checkpoint::log).unwrap_or(log);
        if held != log {
            reader.change(ChangeKind::Swap, CHECKPOINT, None, format!("the folder holds the log `{held}`"));
        }
        let keys: Vec<_> = keys.iter().filter(|key| key.is_for(held)).map(|key| key.for_log(held)).collect();
        reader.keys = keys;
        let file = file.filter(|file| reader.is_own(file, held));
        let signed = reader.signatures(&history, file.as_ref());
        let reference = reader.reference(&history, file);
        let size = reference.as_ref().map_or_else(|| reader.widest(), Checkpoint::size);
        let origin = reference.as_ref().map_or_else(String::new, |reference| reference.origin().to_owned());
        let given: Vec<&Checkpoint> = anchors.iter().filter(|anchor| anchor.origin() == origin).collect();
        let roots = reader.roots(&history, &given, reference.as_ref(), size);
        let pass = reader.leaves(size, &roots, reference.as_ref().map(Checkpoint::root));
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
    pub fn change(&mut self, kind: ChangeKind, file: &str, leaves: Option<(u64, u64)>, message: String) {
        let file = Some(format!("{}/{file}", self.log));
        self.report.push(Change { log: Some(self.log), kind, file, leaves, message });
    }

    fn unreadable(&mut self, file: &str, error: &io::Error) {
        self.incomplete = true;
        self.change(ChangeKind::Unreadable, file, None, format!("the file cannot be read: {error}"));
    }

    pub fn read(&mut self, file: &str, limit: u64) -> Option<Vec<u8>> {
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
                } else if inner == CHECKPOINT_NEXT || inner == HISTORY_NEXT {
                    self.report.notes.push(format!("`{}/{inner}`: left by an interrupted append", self.log));
                } else if inner != CHECKPOINT && inner != history::FILE {
                    self.change(ChangeKind::Insert, &inner, None, "the file is no part of a log".into());
                }
            }
        }
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
    fn leaves(&mut self, size: u64, roots: &[Root], wanted: Option<Digest>) -> Pass {
        let mut pass = Pass { above: self.level(1, size), ..Pass::default() };
        let mut roots = roots.iter().peekable();
        while let Some(root) = roots.next_if(|root| root.size == 0) {
            pass.settle(root, tree::empty_root());
        }
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let hashes = self.hash_tile(Level::Hashes(0), index, size);
            let entries = self.entry_tile(index, size, hashes.as_deref().unwrap_or_default());
            let start = index * TILE_WIDTH;
            let width = (size - start).min(TILE_WIDTH);
            let full = width == TILE_WIDTH;
            let witness = pass.witness(index);
            let truth = match full {
                true => choose(witness.as_ref(), hashes.as_deref(), entries.as_deref()),
                false => pass.choose_tail(wanted, hashes.as_deref(), entries.as_deref()),
            };
            let chosen = match truth {
                Truth::Entries => entries.as_deref(),
                Truth::Hashes => hashes.as_deref(),
            };
            let mut inner = Frontier::new();
            for hash in chosen.unwrap_or_default() {
                inner.push(*hash);
                let at = start + inner.size();
                while let Some(root) = roots.next_if(|root| root.size == at) {
                    pass.settle(root, join(&pass.upper, &inner));
                }
            }
            // Sizes that the file is too short to reach.
            while let Some(root) = roots.next_if(|root| root.size <= start + width) {
                pass.failed.push(root.clone());
            }
            for level in [Level::Entries, Level::Hashes(0)] {
                pass.older.extend(self.older(level, index, width, chosen.unwrap_or_default()));
            }
            if full {
                let folded =
                    chosen.and_then(|hashes| tree::fold(hashes, node_hash)).or(witness).unwrap_or_default();
                pass.upper.push(folded);
                pass.witnessed.push(witness.unwrap_or(folded));
                pass.chosen.push(folded);
                if witness.is_some_and(|witness| witness != folded) {
                    pass.doubted.push(index);
                }
            } else {
                pass.tail = inner;
            }
            pass.difference(index, size, truth, hashes, entries);
        }
        pass
    }

    /// The hashes of a level, file by file, as they are.
    fn level(&mut self, level: u8, size: u64) -> Vec<Option<Vec<Digest>>> {
        let level = Level::Hashes(level);
        let files = tile::hashes_at(level, size).div_ceil(TILE_WIDTH);
        (0..files).map(|index| self.hash_tile(level, index, size)).collect()
    }

    fn hash_tile(&mut self, level: Level, index: u64, size: u64) -> Option<Vec<Digest>> {
        let bytes = self.tile(level, index, size)?;
        let tile = Tile::at_size(level, index, size)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() && hashes.len() as u64 >= tile.width {
            self.appended(&tile, rest.len(), "hashes");
        }
        Some(hashes.to_vec())
    }

    fn entry_tile(&mut self, index: u64, size: u64, expected: &[Digest]) -> Option<Vec<Digest>> {
        let bytes = self.tile(Level::Entries, index, size)?;
        let tile = Tile::at_size(Level::Entries, index, size)?;
        let bundle = read_bundle(&bytes, expected);
        if let Some(at) = bundle.resized {
            let leaf = index * TILE_WIDTH + at as u64;
            let message = format!("the length of leaf {leaf} was changed");
            self.change(ChangeKind::Flip, &tile.path(), Some((leaf, leaf)), message);
        }
        if bundle.rest > 0 && bundle.hashes.len() as u64 >= tile.width {
            self.appended(&tile, bundle.rest, "leaves");
        }
        Some(bundle.hashes)
    }

    fn appended(&mut self, tile: &Tile, bytes: usize, after: &str) {
        let message = format!("{bytes} bytes were put in after its {after}");
        self.change(ChangeKind::Insert, &tile.path(), None, message);
    }

    /// The content of a tile at `size`, from the file that must hold it.
    fn tile(&mut self, level: Level, index: u64, size: u64) -> Option<Vec<u8>> {
        let tile = Tile::at_size(level, index, size)?;
        self.read += 1;
        let bytes = self.read(&tile.path(), MAX_BUNDLE_BYTES).or_else(|| self.start_of_full(&tile));
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

    /// Whether the log was written to since its history was read.
    pub fn is_growing(&self) -> bool {
        self.disk.len(&format!("{}/{}", self.log, history::FILE)).is_ok_and(|len| len > self.history_len)
    }

    /// An append that fills a tile removes its partial files; what they held is the start of the full one.
    fn start_of_full(&mut self, tile: &Tile) -> Option<Vec<u8>> {
        if tile.is_full() || !self.is_growing() {
            return None;
        }
        let bytes = self.read(&Tile::full(tile.level, tile.index).path(), MAX_BUNDLE_BYTES)?;
        let width = usize::try_from(tile.width).unwrap_or(usize::MAX);
        let len = match tile.level {
            Level::Entries => tile::entries(&bytes)?.iter().take(width).map(|entry| entry.len() + 2).sum(),
            Level::Hashes(_) => width * 32,
        };
        bytes.get(..len).map(<[u8]>::to_vec)
    }

    /// Partial files that stayed from earlier checkpoints must be the start of the newest.
    fn older(&mut self, level: Level, index: u64, width: u64, chosen: &[Digest]) -> Vec<Older> {
        let (from, to) = (Tile { level, index, width: 1 }, Tile { level, index, width });
        let tiles: Vec<Tile> = self.tiles.range(from..to).copied().collect();
        let mut older = Vec::new();
        for tile in tiles {
            let Some(bytes) = self.read(&tile.path(), MAX_BUNDLE_BYTES) else { continue };
            self.read += 1;
            let start = chosen.get(..usize::try_from(tile.width).unwrap_or(usize::MAX)).unwrap_or(chosen);
            let (found, resized, rest) = match level {
                Level::Entries => {
                    let bundle = read_bundle(&bytes, start);
                    (bundle.hashes, bundle.resized, bundle.rest)
                }
                Level::Hashes(_) => {
                    let (hashes, rest) = bytes.as_chunks::<32>();
                    (hashes.to_vec(), None, rest.len())
                }
            };
            let same = found.iter().zip(start).take_while(|(a, b)| a == b).count();
            let whole = found.len() == start.len() && same == start.len() && rest == 0;
            if let Some(at) = resized.or_else(|| (!whole).then_some(same)) {
                older.push(Older { tile, at: index * TILE_WIDTH + at as u64 });
            }
        }
        older
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
        let wanted = reference.map(Checkpoint::root);
        let computed = join(&pass.upper, &pass.tail);
        let sound = Some(computed) == wanted;
        let by_witness = !sound && Some(join(&pass.witnessed, &pass.tail)) == wanted;
        let outcome = Outcome { sound, passed: pass.passed.clone(), failed: pass.failed.clone() };
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
            self.upper_levels(&mut pass, size);
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
    fn upper_levels(&mut self, pass: &mut Pass, size: u64) {
        let width = usize::try_from(TILE_WIDTH).unwrap_or(usize::MAX);
        let mut computed = pass.chosen.clone();
        let mut above = std::mem::take(&mut pass.above).into_iter();
        for level in 1..MAX_LEVELS {
            for (index, expected) in (0_u64..).zip(computed.chunks(width)) {
                let Some(tile) = Tile::at_size(Level::Hashes(level), index, size) else { continue };
                // The first of these levels was read before the leaves, as their witness.
                let found =
                    if level == 1 { above.next().flatten() } else { self.hash_tile(tile.level, index, size) };
                if let Some(found) = found.filter(|found| found != expected) {
                    pass.diffs.push(TileDiff { tile, found, expected: expected.to_vec() });
                }
                pass.older.extend(self.older(tile.level, index, tile.width, expected));
            }
            let full = computed.chunks_exact(width);
            computed = full.filter_map(|hashes| tree::fold(hashes, node_hash)).collect();
        }
    }

    fn older_files(&mut self, older: &[Older]) {
        for Older { tile, at } in older {
            let (what, leaves) = match tile.level {
                Level::Entries | Level::Hashes(0) => (format!("leaf {at}"), Some((*at, *at))),
                Level::Hashes(level) => (format!("hash {at} of level {level}"), None),
            };
            let message = format!("{what} was changed in a tile of an earlier checkpoint");
            self.change(ChangeKind::Flip, &tile.path(), leaves, message);
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
pub struct Outcome {
    /// The data leads to the newest checkpoint.
    pub sound: bool,
    pub passed: Vec<Root>,
    pub failed: Vec<Root>,
}

impl Pass {
    /// What level 1 says of full level-0 tile `index`.
    fn witness(&self, index: u64) -> Option<Digest> {
        let file = self.above.get(usize::try_from(index / TILE_WIDTH).ok()?)?.as_deref()?;
        file.get(usize::try_from(index % TILE_WIDTH).ok()?).copied()
    }

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

    /// The root settles which reading of the last tile is true.
    fn choose_tail(
        &self,
        wanted: Option<Digest>,
        hashes: Option<&[Digest]>,
        entries: Option<&[Digest]>,
    ) -> Truth {
        let fits = |list: &[Digest]| {
            let mut inner = Frontier::new();
            list.iter().for_each(|hash| inner.push(*hash));
            [&self.upper, &self.witnessed].into_iter().any(|upper| Some(join(upper, &inner)) == wanted)
        };
        match (hashes, entries) {
            (None, Some(_)) => Truth::Entries,
            (Some(hashes), Some(entries)) if hashes != entries && !fits(hashes) && fits(entries) => {
                Truth::Entries
            }
            _ => Truth::Hashes,
        }
    }
}

/// The root over full tiles and the leaves after them.
fn join(upper: &Frontier, tail: &Frontier) -> Digest {
    let peaks = [upper.peaks(), tail.peaks()].concat();
    tree::fold_peaks(&peaks, node_hash).unwrap_or_else(tree::empty_root)
}

/// The level above settles which reading of a full tile is true.
fn choose(witness: Option<&Digest>, hashes: Option<&[Digest]>, entries: Option<&[Digest]>) -> Truth {
    match (hashes, entries) {
        (None, Some(_)) => Truth::Entries,
        (Some(hashes), Some(entries)) if hashes != entries => {
            let fits = |list: &[Digest]| tree::fold(list, node_hash).as_ref() == witness;
            if !fits(hashes) && fits(entries) { Truth::Entries } else { Truth::Hashes }
        }
        _ => Truth::Hashes,
    }
}
