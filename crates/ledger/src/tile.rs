//! Names and contents of the files of a log: C2SP tlog-tiles with tiles of height 8, and entry bundles.

use crate::hash::Digest;

/// Leaves or hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Longest leaf: its length is written as 16 bits.
pub const MAX_LEAF_BYTES: usize = u16::MAX as usize;
/// Bytes of the longest entry bundle.
pub const MAX_BUNDLE_BYTES: u64 = TILE_WIDTH * (MAX_LEAF_BYTES as u64 + 2);
/// Levels of a tree of 2^64 leaves.
pub const MAX_LEVELS: u8 = 8;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Leaves themselves.
    Entries,
    /// Hashes; 0 is the leaf hashes.
    Hashes(u8),
}

/// One tile file; `width` is 256 for a full tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    pub level: Level,
    pub index: u64,
    pub width: u64,
}

impl Tile {
    pub fn full(level: Level, index: u64) -> Self {
        Self { level, index, width: TILE_WIDTH }
    }

    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The file that holds tile `index` in a log of `size` leaves; `None` if that tile is empty then.
    pub fn at_size(level: Level, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_at(level, size);
        let width = hashes.checked_sub(index.checked_mul(TILE_WIDTH)?)?.min(TILE_WIDTH);
        (width > 0).then_some(Self { level, index, width })
    }

    /// Path inside the log's folder.
    pub fn path(&self) -> String {
        if self.is_full() { self.stem() } else { format!("{}/{}", self.partials_folder(), self.width) }
    }

    /// The folder of this tile's partial files.
    pub fn partials_folder(&self) -> String {
        format!("{}.p", self.stem())
    }

    fn stem(&self) -> String {
        let mut parts = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            parts.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        parts.reverse();
        format!("{}/{}", self.level.folder(), parts.join("/"))
    }

    /// Reads a path back; only the canonical spelling is a tile.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let level = match level {
            "entries" => Level::Entries,
            digits => Level::Hashes(digits.parse().ok().filter(|level| *level < MAX_LEVELS)?),
        };
        let (stem, width) = match rest.split_once(".p/") {
            Some((stem, width)) => (stem, width.parse().ok().filter(|width| *width < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for part in stem.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            index = index.checked_mul(1000)?.checked_add(digits.parse::<u16>().ok()?.into())?;
        }
        let tile = Self { level, index, width };
        (width > 0 && tile.path() == path).then_some(tile)
    }

    /// The leaves below this tile.
    pub fn leaves(&self) -> std::ops::Range<u64> {
        let per_hash = leaves_per_hash(self.level);
        let start = self.index.saturating_mul(TILE_WIDTH).saturating_mul(per_hash);
        start..start.saturating_add(self.width.saturating_mul(per_hash))
    }
}

impl Level {
    pub fn folder(self) -> String {
        match self {
            Self::Entries => "tile/entries".into(),
            Self::Hashes(level) => format!("tile/{level}"),
        }
    }
}

/// How many hashes (or entries) stand in a level of a tree of `size` leaves.
pub fn hashes_at(level: Level, size: u64) -> u64 {
    size / leaves_per_hash(level)
}

fn leaves_per_hash(level: Level) -> u64 {
    match level {
        Level::Entries => 1,
        Level::Hashes(level) => 1_u64.checked_shl(8 * u32::from(level)).unwrap_or(u64::MAX),
    }
}

/// Adds one entry to a bundle. `leaf` is at most [`MAX_LEAF_BYTES`] long.
pub fn push_entry(bundle: &mut Vec<u8>, leaf: &[u8]) {
    let len = u16::try_from(leaf.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(leaf);
}

/// Takes the first entry off a bundle; `None` if it is cut short.
pub fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*len).into())
}

/// All entries of a bundle; `None` if it is not a whole number of them.
pub fn entries(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut list = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (entry, after) = split_entry(rest)?;
        list.push(entry);
        rest = after;
    }
    Some(list)
}

/// The hashes of a tile file; `None` if it is not a whole number of them.
pub fn hashes(tile: &[u8]) -> Option<&[Digest]> {
    let (hashes, rest) = tile.as_chunks::<32>();
    rest.is_empty().then_some(hashes)
}

#[cfg(test)]
mod tests;
