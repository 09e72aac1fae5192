//! Reading the leaves of a log from its folder without opening it: no lock, no key, nothing changed. What is read is not
//! verified here; [`crate::verify_dir`] does that.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::disk::{RealDisk, read};
use crate::error::LedgerError;
use crate::log::{CHECKPOINT, Place, decode};
use crate::tile::{self, Level, MAX_BUNDLE_BYTES, TILE_WIDTH, Tile};
use crate::{Leaf, LogId};

const MAX_CHECKPOINT_BYTES: u64 = 64 * 1024;

/// Gives each leaf that the log's checkpoint covers to `each`, in order. A log that was never written has none.
///
/// # Errors
/// What cannot be read or is not a leaf, by its place.
pub fn for_each_leaf(
    dir: impl AsRef<Path>,
    log: LogId,
    mut each: impl FnMut(u64, Leaf),
) -> Result<u64, LedgerError> {
    let disk = RealDisk::new(dir.as_ref());
    let folder = dir.as_ref().display().to_string();
    let place = Place { disk: &disk, id: log, folder: &folder };
    let damaged = |what: String| LedgerError::Damaged { log, what, folder: folder.clone() };
    let load = |file: &str, limit| {
        let path = place.path(file);
        read(&disk, &path, limit).map_err(|source| LedgerError::Io { action: "read", path, source })
    };
    let Some(note) = load(CHECKPOINT, MAX_CHECKPOINT_BYTES)? else { return Ok(0) };
    let note = String::from_utf8(note).map_err(|_| damaged("its checkpoint is not text".to_owned()))?;
    let checkpoint = Checkpoint::parse(&note).map_err(|error| damaged(error.to_string()))?;
    let size = checkpoint.size();
    let mut index = 0;
    while index < size {
        let Some(tile) = Tile::at_size(Level::Entries, index / TILE_WIDTH, size) else { break };
        let missing = || damaged(format!("the entries from leaf {index} are missing"));
        let bundle = load(&tile.path(), MAX_BUNDLE_BYTES)?.ok_or_else(missing)?;
        let entries = tile::entries(&bundle).ok_or_else(missing)?;
        if entries.is_empty() {
            return Err(missing());
        }
        for bytes in entries {
            each(index, decode(index, bytes)?);
            index += 1;
        }
    }
    Ok(size)
}
