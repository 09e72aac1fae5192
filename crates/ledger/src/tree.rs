//! The Merkle tree of RFC 6962: roots, audit paths and consistency paths over any source of node hashes.
//!
//! Pure arithmetic; where hashes come from is the caller's [`Nodes`]. The hash of a node is an argument, as
//! the Merkle map has the same shape under another domain.

use crate::hash::{Digest, node_hash, sha256};

/// Hash of an inner node from its children.
pub type NodeHash = fn(&Digest, &Digest) -> Digest;

/// A source of the hashes of perfect subtrees: `node(h, i)` covers leaves `i << h .. (i + 1) << h`.
pub trait Nodes {
    type Error;
    fn node(&self, height: u32, index: u64) -> Result<Digest, Self::Error>;
}

/// The root of no leaves.
pub fn empty_root() -> Digest {
    sha256(b"")
}

/// Hash of a list of equally high neighbours; `None` for an empty list.
pub fn fold(hashes: &[Digest], node: NodeHash) -> Option<Digest> {
    let mut frontier = Frontier::with(node);
    hashes.iter().for_each(|hash| frontier.push(*hash));
    frontier.fold()
}

/// The perfect subtrees at the right edge of a growing tree; enough to append and to know the root.
#[derive(Clone, Debug)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
    node: NodeHash,
}

impl Frontier {
    pub fn new() -> Self {
        Self::with(node_hash)
    }

    pub fn with(node: NodeHash) -> Self {
        Self { size: 0, peaks: Vec::new(), node }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn push(&mut self, hash: Digest) {
        let mut hash = hash;
        let mut rest = self.size;
        while rest & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = (self.node)(&left, &hash);
            }
            rest >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The perfect subtrees, highest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    fn fold(&self) -> Option<Digest> {
        fold_peaks(&self.peaks, self.node)
    }
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

/// Joins perfect subtrees of falling height, left to right.
pub fn fold_peaks(peaks: &[Digest], node: NodeHash) -> Option<Digest> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node(left, &right)))
}

/// Root over leaves `lo..hi`, where `lo` starts a subtree that is high enough for them.
pub fn range<N: Nodes>(nodes: &N, lo: u64, hi: u64, node: NodeHash) -> Result<Digest, N::Error> {
    let mut peaks = Vec::new();
    let mut at = lo;
    while at < hi {
        let height = at.trailing_zeros().min((hi - at).ilog2());
        peaks.push(nodes.node(height, at >> height)?);
        at += 1 << height;
    }
    Ok(fold_peaks(&peaks, node).unwrap_or_else(empty_root))
}

/// Audit path of leaf `index` in a tree of `size` leaves, lowest first. `index < size`.
pub fn audit_path<N: Nodes>(
    nodes: &N,
    index: u64,
    size: u64,
    node: NodeHash,
) -> Result<Vec<Digest>, N::Error> {
    let (mut lo, mut hi) = (0, size);
    let mut path = Vec::new();
    while hi - lo > 1 {
        let middle = lo + split(hi - lo);
        if index < middle {
            path.push(range(nodes, middle, hi, node)?);
            hi = middle;
        } else {
            path.push(range(nodes, lo, middle, node)?);
            lo = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Consistency path from a tree of `from` leaves to one of `to`; empty where there is nothing to prove.
pub fn consistency_path<N: Nodes>(nodes: &N, from: u64, to: u64) -> Result<Vec<Digest>, N::Error> {
    let mut path = Vec::new();
    if from == 0 || from >= to {
        return Ok(path);
    }
    let (mut lo, mut hi) = (0, to);
    while from != hi {
        let middle = lo + split(hi - lo);
        if from <= middle {
            path.push(range(nodes, middle, hi, node_hash)?);
            hi = middle;
        } else {
            path.push(range(nodes, lo, middle, node_hash)?);
            lo = middle;
        }
    }
    if lo != 0 {
        path.push(range(nodes, lo, hi, node_hash)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that an audit path leads to, or `None` if the path has the wrong length (RFC 9162, 2.1.3.2).
pub fn root_of_path(index: u64, size: u64, leaf: &Digest, path: &[Digest], node: NodeHash) -> Option<Digest> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether a consistency path joins the two roots (RFC 9162, 2.1.4.2).
pub fn is_consistent(from: u64, to: u64, from_root: &Digest, to_root: &Digest, path: &[Digest]) -> bool {
    if from > to {
        return false;
    }
    if from == to {
        return path.is_empty() && from_root == to_root;
    }
    if from == 0 {
        return path.is_empty() && *from_root == empty_root();
    }
    let (first, rest) = if from.is_power_of_two() {
        (from_root, path)
    } else {
        let Some((first, rest)) = path.split_first() else { return false };
        (first, rest)
    };
    let shift = (from - 1).trailing_ones();
    let (mut at, mut last) = ((from - 1) >> shift, (to - 1) >> shift);
    let (mut old, mut new) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == *from_root && new == *to_root
}

/// Largest power of two below `n`, for `n > 1`.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

#[cfg(test)]
mod tests;
