//! Node hashes of a log from its tile files, for the proofs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use super::Place;
use crate::LedgerError;
use crate::hash::{Digest, node_hash};
use crate::tile::{self, Level, MAX_LEVELS, TILE_WIDTH, Tile};
use crate::tree::{self, Nodes};

/// Node hashes from tile files, each file read once.
pub struct TileNodes<'a> {
    place: Place<'a>,
    size: u64,
    read: Mutex<HashMap<Tile, Vec<Digest>>>,
}

impl<'a> TileNodes<'a> {
    pub fn new(place: Place<'a>, size: u64) -> Self {
        Self { place, size, read: Mutex::default() }
    }

    fn hashes(&self, tile: &Tile) -> Result<Vec<Digest>, LedgerError> {
        let bytes = self.place.tile(tile)?;
        let hashes = tile::hashes(&bytes).filter(|hashes| hashes.len() as u64 == tile.width);
        let wrong = || self.place.damaged(format!("`{}` has a wrong length", tile.path()));
        hashes.map(<[Digest]>::to_vec).ok_or_else(wrong)
    }

    fn fold(hashes: &[Digest], from: u64, len: u64) -> Option<Digest> {
        let from = usize::try_from(from).ok()?;
        let hashes = hashes.get(from..from.checked_add(usize::try_from(len).ok()?)?)?;
        tree::fold(hashes, node_hash)
    }
}

impl Nodes for TileNodes<'_> {
    type Error = LedgerError;

    fn node(&self, height: u32, index: u64) -> Result<Digest, LedgerError> {
        let damaged = |what: String| self.place.damaged(what);
        let level = Level::Hashes(u8::try_from(height / 8).unwrap_or(MAX_LEVELS));
        let len = 1_u64 << (height % 8);
        let first = index.saturating_mul(len);
        let tile = Tile::at_size(level, first / TILE_WIDTH, self.size)
            .ok_or_else(|| damaged(format!("no tile holds node {index} of height {height}")))?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let hashes = match read.entry(tile) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.hashes(&tile)?),
        };
        Self::fold(hashes, first % TILE_WIDTH, len)
            .ok_or_else(|| damaged(format!("`{}` is too short", tile.path())))
    }
}
