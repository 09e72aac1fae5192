//! Proofs that stand alone: inclusion, consistency, and the C2SP tlog-proof text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError, decimal};
use crate::hash::{Digest, leaf_hash, node_hash};
use crate::note::{MAX_NOTE_BYTES, VerifierKey};
use crate::tree;

const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves has audit paths of 64 hashes and consistency paths of 65.
const MAX_PATH: usize = 65;
/// Longest extra data of a tlog-proof, in bytes.
const MAX_EXTRA: usize = 64 * 1024;

/// Why a proof does not prove.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The path does not lead from the leaf to the root.
    #[error("leaf {index} is not in the log of {size} leaves with that root")]
    NotIncluded {
        /// Index claimed.
        index: u64,
        /// Size claimed.
        size: u64,
    },
    /// The later log does not extend the earlier one.
    #[error("the log of {to} leaves does not extend the log of {from} leaves")]
    NotConsistent {
        /// Earlier size.
        from: u64,
        /// Later size.
        to: u64,
    },
    /// The text is not a proof.
    #[error("not a tlog-proof: {0}")]
    Format(&'static str),
    /// The checkpoint in the proof.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// That a leaf stands at an index of a log of some size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// Index of the leaf.
    pub index: u64,
    /// Size of the log.
    pub size: u64,
    /// Sibling hashes, lowest first (RFC 6962, 2.1.1).
    #[serde(with = "crate::hash::serde_hex_list")]
    pub hashes: Vec<Digest>,
}

impl InclusionProof {
    /// Checks the proof for the bytes of a leaf.
    ///
    /// # Errors
    /// [`ProofError::NotIncluded`].
    pub fn verify(&self, leaf: &[u8], root: &Digest) -> Result<(), ProofError> {
        self.verify_hash(&leaf_hash(leaf), root)
    }

    /// Checks the proof for a leaf's hash.
    ///
    /// # Errors
    /// [`ProofError::NotIncluded`].
    pub fn verify_hash(&self, leaf: &Digest, root: &Digest) -> Result<(), ProofError> {
        let found = tree::root_of_path(self.index, self.size, leaf, &self.hashes, node_hash);
        if found.as_ref() == Some(root) {
            return Ok(());
        }
        Err(ProofError::NotIncluded { index: self.index, size: self.size })
    }
}

/// That a log of `to` leaves extends the log of `from` leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// Earlier size.
    pub from: u64,
    /// Later size.
    pub to: u64,
    /// Node hashes (RFC 6962, 2.1.2).
    #[serde(with = "crate::hash::serde_hex_list")]
    pub hashes: Vec<Digest>,
}

impl ConsistencyProof {
    /// Checks the proof between two roots.
    ///
    /// # Errors
    /// [`ProofError::NotConsistent`].
    pub fn verify(&self, from_root: &Digest, to_root: &Digest) -> Result<(), ProofError> {
        if tree::is_consistent(self.from, self.to, from_root, to_root, &self.hashes) {
            return Ok(());
        }
        Err(ProofError::NotConsistent { from: self.from, to: self.to })
    }
}

/// A self-contained proof of inclusion: index, path and signed checkpoint, as C2SP tlog-proof text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data for the application; not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Index of the leaf.
    pub index: u64,
    /// Sibling hashes, lowest first.
    pub hashes: Vec<Digest>,
    /// The tree head that the path leads to.
    pub checkpoint: Checkpoint,
}

impl TlogProof {
    /// Reads the text form.
    ///
    /// # Errors
    /// [`ProofError::Format`], [`ProofError::Checkpoint`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_NOTE_BYTES + MAX_EXTRA * 2 {
            return Err(ProofError::Format("too long"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Format("no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(PROOF_HEADER) {
            return Err(ProofError::Format("expected `c2sp.org/tlog-proof@v1` in its first line"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => {
                Some(base64_after(line, "extra ").ok_or(ProofError::Format("extra is not base64"))?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(ProofError::Format("no index"))?;
        let mut hashes = Vec::new();
        for line in lines {
            let hash = base64_after(line, "").and_then(|hash| hash.try_into().ok());
            hashes.push(hash.ok_or(ProofError::Format("a hash is not 32 bytes in base64"))?);
            if hashes.len() > MAX_PATH {
                return Err(ProofError::Format("more hashes than any tree has levels"));
            }
        }
        Ok(Self { extra, index, hashes, checkpoint: Checkpoint::parse(checkpoint)? })
    }

    /// Checks that `key` signed the checkpoint and that `leaf` is in its log.
    ///
    /// # Errors
    /// [`ProofError::Checkpoint`], [`ProofError::NotIncluded`].
    pub fn verify(&self, leaf: &[u8], key: &VerifierKey) -> Result<(), ProofError> {
        self.checkpoint.verify(key)?;
        let (size, hashes) = (self.checkpoint.size(), self.hashes.clone());
        InclusionProof { index: self.index, size, hashes }.verify(leaf, &self.checkpoint.root())
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PROOF_HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn base64_after(line: &str, prefix: &str) -> Option<Vec<u8>> {
    STANDARD.decode(line.strip_prefix(prefix)?).ok()
}

#[cfg(test)]
mod tests;
