//! Names the difference between what a file holds and what it must hold: flip, cut, insert, reorder, swap.

use std::collections::HashMap;

use super::report::{Change, ChangeKind, VerifyReport};
use super::scan::Scan;
use crate::LogId;
use crate::hash::{Digest, leaf_hash};
use crate::tile::{Level, TILE_WIDTH, Tile, entries, split_entry};

/// Longest leaf whose true length is searched for after its length field was changed.
const MAX_SEARCH: usize = 4096;

/// A file whose hashes are not those expected.
#[derive(Clone, Debug)]
pub struct TileDiff {
    pub tile: Tile,
    pub found: Vec<Digest>,
    pub expected: Vec<Digest>,
}

/// One named difference between two lists, as places in the expected list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub kind: ChangeKind,
    pub first: usize,
    pub last: usize,
}

/// Names how `found` came from `expected`.
pub fn classify(found: &[Digest], expected: &[Digest]) -> Vec<Difference> {
    let prefix = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let (found, wanted) =
        (found.get(prefix..).unwrap_or_default(), expected.get(prefix..).unwrap_or_default());
    let suffix = found.iter().rev().zip(wanted.iter().rev()).take_while(|(a, b)| a == b).count();
    let found = found.get(..found.len() - suffix).unwrap_or_default();
    let wanted = wanted.get(..wanted.len() - suffix).unwrap_or_default();
    let whole =
        |kind, len: usize| vec![Difference { kind, first: prefix, last: prefix + len.saturating_sub(1) }];
    match (found.len(), wanted.len()) {
        (0, 0) => Vec::new(),
        (0, len) => whole(ChangeKind::Cut, len),
        (len, 0) => whole(ChangeKind::Insert, len),
        (some, len) if some < len && is_subsequence(found, wanted) => {
            runs(prefix, missing(wanted, found), ChangeKind::Cut)
        }
        (some, len) if some > len && is_subsequence(wanted, found) => whole(ChangeKind::Insert, some - len),
        (some, len) if some < len => whole(ChangeKind::Cut, len),
        (some, len) if some > len => whole(ChangeKind::Insert, some),
        (_, len) if sorted(found) == sorted(wanted) => whole(ChangeKind::Reorder, len),
        _ => {
            let differs = found.iter().zip(wanted).enumerate().filter(|(_, (a, b))| a != b);
            runs(prefix, differs.map(|(at, _)| at).collect(), ChangeKind::Flip)
        }
    }
}

fn sorted(list: &[Digest]) -> Vec<Digest> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list
}

fn is_subsequence(short: &[Digest], long: &[Digest]) -> bool {
    let mut rest = long.iter();
    short.iter().all(|wanted| rest.any(|found| found == wanted))
}

/// Places in `long` that `short`, its subsequence, leaves out.
fn missing(long: &[Digest], short: &[Digest]) -> Vec<usize> {
    let mut rest = short.iter().peekable();
    let places = long.iter().enumerate().filter(|(_, hash)| rest.next_if(|next| next == hash).is_none());
    places.map(|(at, _)| at).collect()
}

/// Joins neighbouring places.
fn runs(offset: usize, places: Vec<usize>, kind: ChangeKind) -> Vec<Difference> {
    let mut list: Vec<Difference> = Vec::new();
    for place in places.into_iter().map(|place| place + offset) {
        match list.last_mut() {
            Some(run) if run.last + 1 == place => run.last = place,
            _ => list.push(Difference { kind, first: place, last: place }),
        }
    }
    list
}

/// What an entry bundle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Leaf hashes.
    pub hashes: Vec<Digest>,
    /// The entry whose length field was changed while its leaf was not.
    pub resized: Option<usize>,
    /// Bytes after the last whole entry.
    pub rest: usize,
}

/// Reads a bundle that may be damaged, guided by the hashes that it must give.
pub fn read_bundle(bundle: &[u8], expected: &[Digest]) -> Bundle {
    if let Some(list) = entries(bundle) {
        return Bundle { hashes: list.into_iter().map(leaf_hash).collect(), ..Bundle::default() };
    }
    let mut read = Bundle::default();
    let mut rest = bundle;
    while !rest.is_empty() {
        let wanted = expected.get(read.hashes.len());
        let whole = split_entry(rest).map(|(entry, after)| (leaf_hash(entry), after));
        let fits = whole.is_some_and(|(hash, _)| Some(&hash) == wanted);
        let mut next = whole;
        if !fits
            && read.resized.is_none()
            && let Some(found) = wanted.and_then(|wanted| find_length(rest, wanted))
        {
            read.resized = Some(read.hashes.len());
            next = Some(found);
        }
        let Some((hash, after)) = next else { break };
        read.hashes.push(hash);
        rest = after;
    }
    read.rest = rest.len();
    read
}

/// The length under which the next entry is the one wanted, if there is one.
fn find_length<'a>(rest: &'a [u8], wanted: &Digest) -> Option<(Digest, &'a [u8])> {
    let body = rest.get(2..)?;
    (0..=body.len().min(MAX_SEARCH)).find_map(|len| {
        let (entry, after) = body.split_at_checked(len)?;
        (leaf_hash(entry) == *wanted).then_some((*wanted, after))
    })
}

/// Files that hold exactly what another file must hold were exchanged; they leave the lists of differences.
pub fn name_swaps(scans: &mut [Scan; 2], report: &mut VerifyReport) {
    let mut wanted: HashMap<(bool, Vec<Digest>), (LogId, Tile)> = HashMap::new();
    for scan in scans.iter() {
        for diff in scan.diffs.iter().filter(|diff| !diff.expected.is_empty()) {
            wanted.insert((is_entries(diff), diff.expected.clone()), (scan.log, diff.tile));
        }
    }
    for scan in scans.iter_mut() {
        let log = scan.log;
        scan.diffs.retain(|diff| {
            let Some((other, from)) = wanted.get(&(is_entries(diff), diff.found.clone())) else {
                return true;
            };
            let leaves = diff.tile.leaves();
            report.push(Change {
                log: Some(log),
                kind: ChangeKind::Swap,
                file: Some(format!("{log}/{}", diff.tile.path())),
                leaves: Some((leaves.start, leaves.end - 1)),
                message: format!("the file holds what belongs in `{other}/{}`", from.path()),
            });
            false
        });
    }
}

fn is_entries(diff: &TileDiff) -> bool {
    diff.tile.level == Level::Entries
}

/// Names the differences of files that are neighbours together, as a cut or insert shifts what follows.
pub fn name_diffs(log: LogId, diffs: &[TileDiff], report: &mut VerifyReport) {
    let neighbours =
        |a: &TileDiff, b: &TileDiff| a.tile.level == b.tile.level && a.tile.index + 1 == b.tile.index;
    for run in diffs.chunk_by(neighbours) {
        let Some(first) = run.first() else { continue };
        let found: Vec<Digest> = run.iter().flat_map(|diff| diff.found.iter().copied()).collect();
        let expected: Vec<Digest> = run.iter().flat_map(|diff| diff.expected.iter().copied()).collect();
        for difference in classify(&found, &expected) {
            report.push(named(log, first.tile, run, &difference));
        }
    }
}

fn named(log: LogId, start: Tile, run: &[TileDiff], difference: &Difference) -> Change {
    let width = usize::try_from(TILE_WIDTH).unwrap_or(usize::MAX);
    let holder = run.get(difference.first / width).or(run.last()).map_or(start, |diff| diff.tile);
    let base = start.index * TILE_WIDTH;
    let (first, last) = (base + difference.first as u64, base + difference.last as u64);
    let many = first != last;
    let verb = match difference.kind {
        ChangeKind::Cut => "cut out",
        ChangeKind::Insert => "put in",
        ChangeKind::Reorder => "put in another order",
        _ => "changed",
    };
    let message = match (start.level, many) {
        (Level::Entries, false) => format!("leaf {first} was {verb}"),
        (Level::Entries, true) => format!("leaves {first} to {last} were {verb}"),
        (Level::Hashes(level), false) => format!("hash {first} of level {level} was {verb}"),
        (Level::Hashes(level), true) => format!("hashes {first} to {last} of level {level} were {verb}"),
    };
    let leaves = match start.level {
        Level::Entries | Level::Hashes(0) => Some((first, last)),
        Level::Hashes(_) => None,
    };
    Change {
        log: Some(log),
        kind: difference.kind,
        file: Some(format!("{log}/{}", holder.path())),
        leaves,
        message,
    }
}

#[cfg(test)]
mod tests;
