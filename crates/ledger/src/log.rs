//! One log on disk: append in an order that survives a crash at any step, recovery, reading with proof.
//!
//! Order of an append: new tile files (a tile file is written once, never changed), their sync, the sync of
//! their folders, the record in `checkpoints.log` with its sync, the file `checkpoint` with its sync; only then
//! is it acknowledged and are partial tiles that a full one replaces removed. So the last whole record of the
//! history never states more than the tiles hold, and whatever lies past it was never acknowledged.

mod nodes;
mod recovery;

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use self::nodes::TileNodes;
use crate::checkpoint::Checkpoint;
use crate::disk::{self, Disk, parent};
use crate::error::{LedgerError, io_error};
use crate::hash::{Digest, hex, leaf_hash, node_hash};
use crate::history;
use crate::note::SigningKey;
use crate::proof::{ConsistencyProof, InclusionProof};
use crate::tile::{self, Level, MAX_BUNDLE_BYTES, MAX_LEVELS, TILE_WIDTH, Tile};
use crate::tree::{self, Nodes as _};
use crate::{Leaf, LogId};

/// Most leaves in one append.
pub const MAX_BATCH: usize = 65_536;
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const CHECKPOINT_NEXT: &str = "checkpoint.next";
pub(crate) const HISTORY_NEXT: &str = "checkpoints.log.next";

/// What opening one log had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogRecovery {
    /// The log was made.
    pub created: bool,
    /// An append had reached its history record but not the file `checkpoint`; it was completed to this size.
    pub completed_to: Option<u64>,
    /// Tile files of an append that never completed, removed.
    pub removed_tiles: u64,
    /// Bytes of a torn history record, removed.
    pub removed_history_bytes: u64,
}

impl LogRecovery {
    /// Whether the log was closed in good order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self { created: self.created, ..Self::default() }
    }
}

/// The right edge of the tree: what an append needs.
#[derive(Clone, Debug, Default)]
struct Edge {
    size: u64,
    /// Hashes of the partial tile of each level, at most 255.
    levels: Vec<Vec<Digest>>,
    /// The partial entry bundle.
    bundle: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Log {
    id: LogId,
    folder: String,
    key: SigningKey,
    edge: Edge,
    checkpoint: Checkpoint,
    /// Digest of the last record in the history.
    chain: String,
    broken: bool,
}

/// What every function here needs to name a file or an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub disk: &'a dyn Disk,
    pub id: LogId,
    /// The ledger's folder as the user named it, for errors.
    pub folder: &'a str,
}

impl Place<'_> {
    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.id)
    }

    fn mismatch(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::Mismatch { log: self.id, what: what.into(), folder: self.folder.into() }
    }

    fn damaged(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::Damaged { log: self.id, what: what.into(), folder: self.folder.into() }
    }

    fn read(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let path = self.path(file);
        disk::read(self.disk, &path, limit).map_err(io_error("read", &path))
    }

    fn sync(&self, path: &str) -> Result<(), LedgerError> {
        self.disk.sync(path).map_err(io_error("sync", path))
    }

    /// The bytes of a tile; if the partial file is gone, the start of the full one.
    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, LedgerError> {
        if let Some(bytes) = self.read(&tile.path(), MAX_BUNDLE_BYTES)? {
            return Ok(bytes);
        }
        let full = Tile::full(tile.level, tile.index);
        let bytes = if tile.is_full() { None } else { self.read(&full.path(), MAX_BUNDLE_BYTES)? };
        let mut bytes = bytes.ok_or_else(|| self.damaged(format!("`{}` is missing", tile.path())))?;
        if tile.level != Level::Entries {
            bytes.truncate(usize::try_from(tile.width * 32).unwrap_or(usize::MAX));
        }
        Ok(bytes)
    }
}

impl Log {
    pub fn open(place: Place<'_>, key: &SigningKey) -> Result<(Self, LogRecovery), LedgerError> {
        let key = key.for_log(place.id);
        let mut recovery = LogRecovery::default();
        let (checkpoint, chain) = recovery::checkpoint(&place, &key, &mut recovery)?;
        let edge = recovery::edge(&place, &checkpoint)?;
        recovery.removed_tiles = recovery::remove_past(&place, edge.size)?;
        let folder = place.folder.to_owned();
        Ok((Self { id: place.id, folder, key, edge, checkpoint, chain, broken: false }, recovery))
    }

    fn place<'a>(&'a self, disk: &'a dyn Disk) -> Place<'a> {
        Place { disk, id: self.id, folder: &self.folder }
    }

    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    pub fn append(&mut self, disk: &dyn Disk, leaves: &[Vec<u8>]) -> Result<Range<u64>, LedgerError> {
        if self.broken {
            return Err(LedgerError::Broken(self.id));
        }
        if leaves.len() > MAX_BATCH {
            return Err(LedgerError::Batch(leaves.len()));
        }
        let start = self.edge.size;
        if leaves.is_empty() {
            return Ok(start..start);
        }
        let (edge, files) = self.edge.extended(leaves);
        let checkpoint = Checkpoint::sign(&self.key, edge.size, edge.root());
        self.broken = true;
        let place = self.place(disk);
        write_tiles(&place, &files)?;
        let chain = append_history(&place, &self.chain, &checkpoint)?;
        replace_checkpoint(&place, &checkpoint)?;
        self.chain = chain;
        self.edge = edge;
        self.checkpoint = checkpoint;
        self.broken = false;
        remove_replaced(&self.place(disk), &files);
        Ok(start..self.edge.size)
    }

    /// The bytes of a leaf, proven against the checkpoint.
    pub fn leaf(&self, disk: &dyn Disk, index: u64) -> Result<Vec<u8>, LedgerError> {
        let size = self.edge.size;
        let place = self.place(disk);
        let out_of_range = LedgerError::OutOfRange { log: self.id, size, wanted: index };
        let tile = Tile::at_size(Level::Entries, index / TILE_WIDTH, size).filter(|_| index < size);
        let bundle = place.tile(&tile.ok_or(out_of_range)?)?;
        let damaged = || place.damaged(format!("entry bundle of leaf {index} cannot be read"));
        let entries = tile::entries(&bundle).ok_or_else(damaged)?;
        let leaf = usize::try_from(index % TILE_WIDTH).ok().and_then(|at| entries.get(at));
        let leaf = leaf.ok_or_else(damaged)?.to_vec();
        self.inclusion(disk, index, Some(&leaf_hash(&leaf)))?;
        Ok(leaf)
    }

    pub fn prove_inclusion(&self, disk: &dyn Disk, index: u64) -> Result<InclusionProof, LedgerError> {
        self.inclusion(disk, index, None)
    }

    fn inclusion(
        &self,
        disk: &dyn Disk,
        index: u64,
        leaf: Option<&Digest>,
    ) -> Result<InclusionProof, LedgerError> {
        let size = self.edge.size;
        if index >= size {
            return Err(LedgerError::OutOfRange { log: self.id, size, wanted: index });
        }
        let nodes = TileNodes::new(self.place(disk), size);
        let hashes = tree::audit_path(&nodes, index, size, node_hash)?;
        let leaf = leaf.map_or_else(|| nodes.node(0, index), |leaf| Ok(*leaf))?;
        let proof = InclusionProof { index, size, hashes };
        // Opening reads the right edge only: a change elsewhere shows here, before a false proof leaves.
        let proven = proof.verify_hash(&leaf, &self.checkpoint.root());
        proven.map_err(|error| self.place(disk).damaged(error.to_string()))?;
        Ok(proof)
    }

    pub fn prove_consistency(
        &self,
        disk: &dyn Disk,
        from: u64,
        to: u64,
    ) -> Result<ConsistencyProof, LedgerError> {
        let size = self.edge.size;
        if to > size || from > to {
            return Err(LedgerError::OutOfRange { log: self.id, size, wanted: to.max(from) });
        }
        let nodes = TileNodes::new(self.place(disk), size);
        Ok(ConsistencyProof { from, to, hashes: tree::consistency_path(&nodes, from, to)? })
    }

    pub fn expect(&self, disk: &dyn Disk, kept: &Checkpoint) -> Result<(), LedgerError> {
        let place = self.place(disk);
        recovery::accept(&place, &self.key, kept)?;
        let (size, known) = (self.edge.size, kept.size());
        if known > size {
            return Err(place.mismatch(format!("it was rolled back: {size} leaves now, {known} were signed")));
        }
        let root = self.root_at(disk, known)?;
        if root == kept.root() {
            return Ok(());
        }
        let (found, signed) = (hex(&root), hex(&kept.root()));
        Err(place.mismatch(format!("its first {known} leaves give root {found}, {signed} was signed")))
    }

    /// The root that the log had at `size` leaves.
    pub fn root_at(&self, disk: &dyn Disk, size: u64) -> Result<Digest, LedgerError> {
        if size > self.edge.size {
            return Err(LedgerError::OutOfRange { log: self.id, size: self.edge.size, wanted: size });
        }
        tree::range(&TileNodes::new(self.place(disk), self.edge.size), 0, size, node_hash)
    }
}

impl Edge {
    fn push(&mut self, leaf: &[u8], files: &mut Vec<(Tile, Vec<u8>)>) {
        tile::push_entry(&mut self.bundle, leaf);
        let mut hash = leaf_hash(leaf);
        let mut index = self.size / TILE_WIDTH;
        self.size += 1;
        if self.size.is_multiple_of(TILE_WIDTH) {
            files.push((Tile::full(Level::Entries, index), std::mem::take(&mut self.bundle)));
        }
        for level in 0..MAX_LEVELS {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.resize(at + 1, Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(at) else { return };
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                return;
            }
            let full = std::mem::take(hashes);
            files.push((Tile::full(Level::Hashes(level), index), full.concat()));
            let Some(folded) = tree::fold(&full, node_hash) else { return };
            hash = folded;
            index /= TILE_WIDTH;
        }
    }

    /// The edge after `leaves`, and the tile files that are new then.
    fn extended(&self, leaves: &[Vec<u8>]) -> (Self, Vec<(Tile, Vec<u8>)>) {
        let mut edge = self.clone();
        let mut files = Vec::new();
        leaves.iter().for_each(|leaf| edge.push(leaf, &mut files));
        for tile in edge_tiles(edge.size) {
            if !edge_tiles(self.size).any(|known| known == tile) {
                files.push((tile, edge.content(&tile)));
            }
        }
        (edge, files)
    }

    fn content(&self, tile: &Tile) -> Vec<u8> {
        match tile.level {
            Level::Entries => self.bundle.clone(),
            Level::Hashes(level) => {
                self.levels.get(usize::from(level)).map(|h| h.concat()).unwrap_or_default()
            }
        }
    }

    fn root(&self) -> Digest {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while let Some(height) = rest.len().checked_ilog2() {
                let Some((perfect, after)) = rest.split_at_checked(1 << height) else { break };
                peaks.extend(tree::fold(perfect, node_hash));
                rest = after;
            }
        }
        tree::fold_peaks(&peaks, node_hash).unwrap_or_else(tree::empty_root)
    }
}

/// The partial tiles of a log of `size` leaves.
pub(crate) fn edge_tiles(size: u64) -> impl Iterator<Item = Tile> {
    levels().filter_map(move |level| {
        let hashes = tile::hashes_at(level, size);
        let width = hashes % TILE_WIDTH;
        (width > 0).then_some(Tile { level, index: hashes / TILE_WIDTH, width })
    })
}

pub(crate) fn levels() -> impl Iterator<Item = Level> {
    std::iter::once(Level::Entries).chain((0..MAX_LEVELS).map(Level::Hashes))
}

fn write_tiles(place: &Place<'_>, files: &[(Tile, Vec<u8>)]) -> Result<(), LedgerError> {
    let mut folders = BTreeSet::new();
    for (tile, bytes) in files {
        let path = place.path(&tile.path());
        make_folders(place, parent(&path), &mut folders)?;
        place.disk.create(&path, bytes).map_err(io_error("write", &path))?;
        folders.insert(parent(&path).to_owned());
    }
    for (tile, _) in files {
        place.sync(&place.path(&tile.path()))?;
    }
    folders.iter().try_for_each(|folder| place.sync(folder))
}

/// Makes the missing folders down to `path`; notes those whose names changed.
fn make_folders(place: &Place<'_>, path: &str, changed: &mut BTreeSet<String>) -> Result<(), LedgerError> {
    if path.is_empty() || changed.contains(path) {
        return Ok(());
    }
    make_folders(place, parent(path), changed)?;
    if place.disk.create_folder(path).map_err(io_error("create", path))? {
        changed.insert(parent(path).to_owned());
        changed.insert(path.to_owned());
    }
    Ok(())
}

/// Adds a record after the one with digest `before`; returns its digest.
fn append_history(place: &Place<'_>, before: &str, checkpoint: &Checkpoint) -> Result<String, LedgerError> {
    let path = place.path(history::FILE);
    let (record, digest) = history::record(before, checkpoint);
    place.disk.append(&path, record.as_bytes()).map_err(io_error("write", &path))?;
    place.sync(&path)?;
    Ok(digest)
}

fn replace_checkpoint(place: &Place<'_>, checkpoint: &Checkpoint) -> Result<(), LedgerError> {
    let (next, path) = (place.path(CHECKPOINT_NEXT), place.path(CHECKPOINT));
    place.disk.create(&next, checkpoint.as_str().as_bytes()).map_err(io_error("write", &next))?;
    place.sync(&next)?;
    place.disk.rename(&next, &path).map_err(io_error("rename", &next))?;
    place.sync(parent(&path))
}

/// Partial tiles of a tile that is full now; the checkpoint that needed them is not the last any more. A
/// failure leaves a file that verification accepts, so it is ignored.
fn remove_replaced(place: &Place<'_>, files: &[(Tile, Vec<u8>)]) {
    for (tile, _) in files.iter().filter(|(tile, _)| tile.is_full()) {
        let folder = place.path(&tile.partials_folder());
        for entry in disk::list(place.disk, &folder).unwrap_or_default() {
            let _ = place.disk.remove(&format!("{folder}/{}", entry.name));
        }
        let _ = place.disk.remove_folder(&folder);
    }
}

/// Decodes leaf bytes for callers.
pub(crate) fn decode(index: u64, bytes: &[u8]) -> Result<Leaf, LedgerError> {
    Leaf::decode(bytes).map_err(|source| LedgerError::Leaf { index, source })
}

#[cfg(test)]
mod tests;
