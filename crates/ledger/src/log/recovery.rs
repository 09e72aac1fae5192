//! Opening a log: which checkpoint to go on from, whether the tiles agree, what an interrupted append left.
//!
//! Refuses what no crash can have made; `log` says in which order an append writes.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::{
    CHECKPOINT, CHECKPOINT_NEXT, Edge, HISTORY_NEXT, LogRecovery, Place, edge_tiles, levels, make_folders,
    replace_checkpoint,
};
use crate::checkpoint::Checkpoint;
use crate::disk::{self, parent};
use crate::error::{LedgerError, io_error};
use crate::hash::{Digest, hex, leaf_hash};
use crate::history::{self, HEADER, Record};
use crate::note::{MAX_NOTE_BYTES, SigningKey};
use crate::tile::{self, Level, MAX_BUNDLE_BYTES, MAX_LEVELS, TILE_WIDTH, Tile};
use crate::tree;

/// How much of the history is read on opening; holds many records.
const HISTORY_TAIL: usize = 2 * history::MAX_RECORD;

/// Finds the checkpoint to go on from, by history and file, and makes both say it.
pub fn checkpoint(
    place: &Place<'_>,
    key: &SigningKey,
    recovery: &mut LogRecovery,
) -> Result<(Checkpoint, String), LedgerError> {
    for next in [CHECKPOINT_NEXT, HISTORY_NEXT].map(|file| place.path(file)) {
        match place.disk.remove(&next) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(io_error("remove", &next)(error));
            }
            _ => {}
        }
    }
    let tail = HistoryTail::read(place)?;
    let file = place.read(CHECKPOINT, MAX_NOTE_BYTES as u64)?;
    let Some(file) = file else { return first_checkpoint(place, key, &tail, recovery) };
    let file = String::from_utf8(file).map_err(|_| place.mismatch("file `checkpoint` is not text"))?;
    let Some(behind) = tail.records.iter().rev().position(|r| r.checkpoint.as_str() == file) else {
        return Err(place.mismatch("file `checkpoint` is not the last record of its history"));
    };
    if behind > 1 {
        return Err(place.mismatch(format!("file `checkpoint` was rolled back by {behind} records")));
    }
    let Some(last) = tail.records.last() else {
        return Err(place.mismatch("file `checkpoints.log` holds no record"));
    };
    accept(place, key, &last.checkpoint)?;
    drop_torn(place, &tail, recovery)?;
    if behind == 1 {
        complete(place, &last.checkpoint)?;
        recovery.completed_to = Some(last.checkpoint.size());
    }
    Ok((last.checkpoint.clone(), last.digest.clone()))
}

/// Without a file `checkpoint` nothing was ever acknowledged, so only the making of the log may be seen.
fn first_checkpoint(
    place: &Place<'_>,
    key: &SigningKey,
    tail: &HistoryTail,
    recovery: &mut LogRecovery,
) -> Result<(Checkpoint, String), LedgerError> {
    let missing = || place.mismatch("file `checkpoint` is missing");
    if tail.records.len() > 1 || tail.records.iter().any(|record| record.checkpoint.size() > 0) {
        return Err(missing());
    }
    if !disk::list(place.disk, &place.path("tile")).map_err(io_error("list", &place.path("tile")))?.is_empty()
    {
        return Err(missing());
    }
    recovery.created = true;
    let mut folders = BTreeSet::new();
    let path = place.path(history::FILE);
    make_folders(place, parent(&path), &mut folders)?;
    let (checkpoint, chain) = match tail.records.first() {
        Some(record) => {
            accept(place, key, &record.checkpoint)?;
            drop_torn(place, tail, recovery)?;
            (record.checkpoint.clone(), record.digest.clone())
        }
        None => {
            let checkpoint = Checkpoint::sign(key, 0, tree::empty_root());
            let (record, digest) = history::record(history::START, &checkpoint);
            // Renamed into place, so that a history without header or first record is never a crash.
            let next = place.path(HISTORY_NEXT);
            let text = [HEADER, &record].concat();
            place.disk.create(&next, text.as_bytes()).map_err(io_error("write", &next))?;
            place.sync(&next)?;
            place.disk.rename(&next, &path).map_err(io_error("rename", &next))?;
            (checkpoint, digest)
        }
    };
    folders.insert(parent(&path).to_owned());
    folders.insert(String::new());
    folders.iter().try_for_each(|folder| place.sync(folder))?;
    replace_checkpoint(place, &checkpoint)?;
    Ok((checkpoint, chain))
}

/// The file `checkpoint` lags by one: make durable again what the failed append may have left in doubt.
fn complete(place: &Place<'_>, last: &Checkpoint) -> Result<(), LedgerError> {
    for tile in edge_tiles(last.size()) {
        let path = place.path(&tile.path());
        if place.read(&tile.path(), MAX_BUNDLE_BYTES)?.is_some() {
            place.sync(&path)?;
            place.sync(parent(&path))?;
        }
    }
    place.sync(&place.path(history::FILE))?;
    replace_checkpoint(place, last)
}

/// The checkpoint must be signed by this log's key.
pub fn accept(place: &Place<'_>, key: &SigningKey, checkpoint: &Checkpoint) -> Result<(), LedgerError> {
    checkpoint.verify(key.verifier()).map_err(|source| LedgerError::OtherKey {
        log: place.id,
        key: key.verifier().encode(),
        found: checkpoint.claimed_keys().join(", "),
        folder: place.folder.into(),
        source: Box::new(source),
    })
}

fn drop_torn(place: &Place<'_>, tail: &HistoryTail, recovery: &mut LogRecovery) -> Result<(), LedgerError> {
    let Some(last) = tail.records.last() else { return Ok(()) };
    let whole = tail.offset + last.at.end as u64;
    recovery.removed_history_bytes = tail.end - whole;
    if tail.end > whole {
        let path = place.path(history::FILE);
        place.disk.truncate(&path, whole).map_err(io_error("cut", &path))?;
        place.sync(&path)?;
    }
    Ok(())
}

/// The end of the history file.
struct HistoryTail {
    offset: u64,
    end: u64,
    records: Vec<Record>,
}

impl HistoryTail {
    fn read(place: &Place<'_>) -> Result<Self, LedgerError> {
        let path = place.path(history::FILE);
        let end = match place.disk.len(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { offset: 0, end: 0, records: Vec::new() });
            }
            other => other.map_err(io_error("read", &path))?,
        };
        let from = end.saturating_sub(HISTORY_TAIL as u64);
        let bytes = place.disk.read_at(&path, from, HISTORY_TAIL).map_err(io_error("read", &path))?;
        let headed = bytes.starts_with(HEADER.as_bytes());
        let skip = if from > 0 { history::next_record(&bytes) } else { headed.then_some(HEADER.len()) };
        let skip = skip.ok_or_else(|| place.mismatch("file `checkpoints.log` has no header or record"))?;
        let (records, damage) = history::records(bytes.get(skip..).unwrap_or_default());
        let whole = records.last().map_or(0, |record| record.at.end);
        if damage.iter().any(|damage| damage.at < whole) {
            return Err(place.mismatch("file `checkpoints.log` is damaged before its last record"));
        }
        Ok(Self { offset: from + skip as u64, end, records })
    }
}

/// Reads the right edge and compares it with the checkpoint.
pub fn edge(place: &Place<'_>, checkpoint: &Checkpoint) -> Result<Edge, LedgerError> {
    let size = checkpoint.size();
    let mut edge = Edge { size, levels: vec![Vec::new(); usize::from(MAX_LEVELS)], bundle: Vec::new() };
    for tile in edge_tiles(size) {
        let Some(bytes) = place.read(&tile.path(), MAX_BUNDLE_BYTES)? else {
            let full = place.read(&Tile::full(tile.level, tile.index).path(), MAX_BUNDLE_BYTES)?.is_some();
            let why =
                if full { ", while a later full tile is there: the checkpoint was rolled back" } else { "" };
            return Err(place.mismatch(format!("`{}` is missing{why}", tile.path())));
        };
        match tile.level {
            Level::Entries => edge.bundle = bytes,
            Level::Hashes(level) => {
                let hashes = tile::hashes(&bytes).filter(|hashes| hashes.len() as u64 == tile.width);
                let hashes =
                    hashes.ok_or_else(|| place.mismatch(format!("`{}` has a wrong length", tile.path())))?;
                if let Some(slot) = edge.levels.get_mut(usize::from(level)) {
                    slot.extend_from_slice(hashes);
                }
            }
        }
    }
    let entries = tile::entries(&edge.bundle).unwrap_or_default();
    let hashes: Vec<Digest> = entries.into_iter().map(leaf_hash).collect();
    if edge.levels.first() != Some(&hashes) {
        return Err(place.mismatch("its last leaves are not those that its tiles hash"));
    }
    let root = edge.root();
    if root != checkpoint.root() {
        let (found, stated) = (hex(&root), hex(&checkpoint.root()));
        return Err(place.mismatch(format!("its tiles give root {found}, the checkpoint states {stated}")));
    }
    Ok(edge)
}

/// Removes tile files past `size`. One append leaves at most one partial file of each level, so more of
/// them are no torn append but a checkpoint that was rolled back.
pub fn remove_past(place: &Place<'_>, size: u64) -> Result<u64, LedgerError> {
    let mut past = Vec::new();
    for level in levels() {
        let mut found = tiles_from(place, level, tile::hashes_at(level, size) / TILE_WIDTH)?;
        found.retain(|tile| Tile::at_size(level, tile.index, size).is_none_or(|at| tile.width > at.width));
        if found.iter().filter(|tile| !tile.is_full()).count() > 1 {
            return Err(place.mismatch(format!(
                "`{}` holds several steps past the checkpoint's {size} leaves: it was rolled back",
                level.folder()
            )));
        }
        past.append(&mut found);
    }
    for tile in &past {
        let path = place.path(&tile.path());
        place.disk.remove(&path).map_err(io_error("remove", &path))?;
    }
    Ok(past.len() as u64)
}

/// Tile files of a level from tile `first` on. Folders before it are not entered.
fn tiles_from(place: &Place<'_>, level: Level, first: u64) -> Result<Vec<Tile>, LedgerError> {
    let mut found = Vec::new();
    let mut folders = vec![level.folder()];
    while let Some(folder) = folders.pop() {
        let path = place.path(&folder);
        for entry in disk::list(place.disk, &path).map_err(io_error("list", &path))? {
            let inner = format!("{folder}/{}", entry.name);
            if entry.folder {
                if may_hold(&inner, level, first) {
                    folders.push(inner);
                }
            } else if let Some(tile) = Tile::parse(&inner).filter(|tile| tile.index >= first) {
                found.push(tile);
            }
        }
    }
    Ok(found)
}

/// Whether a folder such as `x001` or `x001/234.p` can hold tile `first` or a later one.
fn may_hold(folder: &str, level: Level, first: u64) -> bool {
    let stem = folder.strip_prefix(&level.folder()).unwrap_or_default().trim_start_matches('/');
    let (mut low, mut leaf) = (0_u64, false);
    let mut depth = 0_u32;
    for part in stem.split('/') {
        leaf = !part.starts_with('x');
        let digits = part.trim_start_matches('x').trim_end_matches(".p");
        low = low.saturating_mul(1000).saturating_add(digits.parse().unwrap_or(0));
        depth += 1;
    }
    if leaf {
        return low >= first;
    }
    // Below `x001` lie 001000..001999, and with more digits also every later number.
    let spelled = first.to_string().len().div_ceil(3).max(1);
    let below = u32::try_from(spelled).unwrap_or(u32::MAX).saturating_sub(depth).max(1);
    let high = (low + 1).saturating_mul(1000_u64.saturating_pow(below));
    high > first
}

#[cfg(test)]
mod tests;
