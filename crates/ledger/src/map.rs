//! The Merkle map: a commitment to sorted keys and their values that proves presence and absence.
//!
//! Entries stand sorted in a tree of RFC 6962's shape under hashes of its own domain; the root binds their
//! number. A key is absent if two neighbours enclose it, or if it lies before the first or after the last.
//! The map is not kept: whoever has the entries builds it again, and must find the same root.

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, concat};
use crate::tree::{self, Nodes};

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 4096;

const FORMAT: &str = "probity-map-proof/1";
const LEAF: &[u8] = b"probity map leaf v1\0";
const NODE: &[u8] = b"probity map node v1\0";
const ROOT: &[u8] = b"probity map root v1\0";

/// Why a map cannot be built, or a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// A key that does not come after the one before it.
    #[error("map key {0} is not above the key before it: expected sorted keys, each once")]
    Order(usize),
    /// A key that is too long.
    #[error("map key {0} is longer than {MAX_KEY_BYTES} bytes")]
    Key(usize),
    /// A proof of another format.
    #[error("map proof format `{0}`: expected `probity-map-proof/1`")]
    Format(String),
    /// The proof does not lead to the root, or does not settle the key.
    #[error("map proof does not hold: {0}")]
    Proof(&'static str),
}

/// A map built from all its entries.
#[derive(Clone, Debug)]
pub struct MerkleMap {
    entries: Vec<(Vec<u8>, Digest)>,
    /// `levels[h][i]`: hash of the perfect subtree of height `h` and index `i`.
    levels: Vec<Vec<Digest>>,
}

/// What a proof says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapAnswer {
    /// The key has this value.
    Present(Digest),
    /// The map does not have the key.
    Absent,
}

/// An entry with its place and path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapEntry {
    /// Place among the sorted entries.
    pub index: u64,
    /// The key.
    #[serde(with = "crate::hash::serde_hex")]
    pub key: Vec<u8>,
    /// Its value.
    #[serde(with = "crate::hash::serde_hex")]
    pub value: Digest,
    /// Sibling hashes, lowest first.
    #[serde(with = "crate::hash::serde_hex_list")]
    pub hashes: Vec<Digest>,
}

/// Proof that a key is present (one entry) or absent (its neighbours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapProof {
    format: String,
    size: u64,
    entries: Vec<MapEntry>,
}

impl MerkleMap {
    /// Builds the map from entries in rising order of their keys.
    ///
    /// # Errors
    /// [`MapError::Order`], [`MapError::Key`].
    pub fn from_sorted<K: Into<Vec<u8>>>(
        entries: impl IntoIterator<Item = (K, Digest)>,
    ) -> Result<Self, MapError> {
        let mut list: Vec<(Vec<u8>, Digest)> = Vec::new();
        for (number, (key, value)) in entries.into_iter().enumerate() {
            let key = key.into();
            if key.len() > MAX_KEY_BYTES {
                return Err(MapError::Key(number));
            }
            if list.last().is_some_and(|(before, _)| *before >= key) {
                return Err(MapError::Order(number));
            }
            list.push((key, value));
        }
        let mut levels = vec![list.iter().map(|(key, value)| leaf(key, value)).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let (pairs, _) = below.as_chunks::<2>();
            levels.push(pairs.iter().map(|[left, right]| node(left, right)).collect());
        }
        Ok(Self { entries: list, levels })
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The commitment to all entries.
    #[must_use]
    pub fn root(&self) -> Digest {
        let size = self.entries.len() as u64;
        // `node` answers every subtree inside the map, so this default is never taken.
        root(size, &tree::range(self, 0, size, node).unwrap_or_default())
    }

    /// Proves that `key` is present with its value, or absent.
    #[must_use]
    pub fn prove(&self, key: &[u8]) -> MapProof {
        let places = match self.entries.binary_search_by(|(entry, _)| entry.as_slice().cmp(key)) {
            Ok(at) => vec![at],
            Err(after) => after.checked_sub(1).into_iter().chain([after]).collect(),
        };
        let entries = places.into_iter().filter_map(|at| self.entry(at)).collect();
        MapProof { format: FORMAT.into(), size: self.entries.len() as u64, entries }
    }

    fn entry(&self, at: usize) -> Option<MapEntry> {
        let (key, value) = self.entries.get(at)?;
        let hashes = tree::audit_path(self, at as u64, self.entries.len() as u64, node).ok()?;
        Some(MapEntry { index: at as u64, key: key.clone(), value: *value, hashes })
    }
}

impl Nodes for MerkleMap {
    type Error = MapError;

    fn node(&self, height: u32, index: u64) -> Result<Digest, MapError> {
        let level = usize::try_from(height).ok().and_then(|height| self.levels.get(height));
        let hash = level.zip(usize::try_from(index).ok()).and_then(|(level, index)| level.get(index));
        hash.copied().ok_or(MapError::Proof("no such subtree"))
    }
}

impl MapProof {
    /// What the proof says about `key` in the map with that root.
    ///
    /// # Errors
    /// [`MapError::Format`], [`MapError::Proof`].
    pub fn verify(&self, map_root: &Digest, key: &[u8]) -> Result<MapAnswer, MapError> {
        if self.format != FORMAT {
            return Err(MapError::Format(self.format.clone()));
        }
        for entry in &self.entries {
            let hash = leaf(&entry.key, &entry.value);
            let found = tree::root_of_path(entry.index, self.size, &hash, &entry.hashes, node);
            if found.map(|found| root(self.size, &found)).as_ref() != Some(map_root) {
                return Err(MapError::Proof("an entry does not lead to the root"));
            }
        }
        let last = self.size.saturating_sub(1);
        match self.entries.as_slice() {
            [one] if one.key == key => Ok(MapAnswer::Present(one.value)),
            [one] if one.index == 0 && key < one.key.as_slice() => Ok(MapAnswer::Absent),
            [one] if one.index == last && key > one.key.as_slice() => Ok(MapAnswer::Absent),
            [one, two]
                if one.index.checked_add(1) == Some(two.index)
                    && one.key.as_slice() < key
                    && key < two.key.as_slice() =>
            {
                Ok(MapAnswer::Absent)
            }
            [] if self.size == 0 && root(0, &tree::empty_root()) == *map_root => Ok(MapAnswer::Absent),
            _ => Err(MapError::Proof("its entries do not settle the key")),
        }
    }

    /// Number of entries in the map.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The entry, or the neighbours of the gap.
    #[must_use]
    pub fn entries(&self) -> &[MapEntry] {
        &self.entries
    }
}

fn leaf(key: &[u8], value: &Digest) -> Digest {
    concat(&[LEAF, &(key.len() as u64).to_be_bytes(), key, value])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    concat(&[NODE, left, right])
}

fn root(size: u64, tree: &Digest) -> Digest {
    concat(&[ROOT, &size.to_be_bytes(), tree])
}

#[cfg(test)]
mod tests;
