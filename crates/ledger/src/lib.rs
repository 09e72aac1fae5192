//! Append-only Merkle logs that anybody can check without trusting us.
//!
//! Two logs, `evidence` and `verdicts`, in C2SP tlog-tiles form (RFC 6962 hashing, SHA-256): tiles and entry
//! bundles that are written once, checkpoints signed as C2SP notes, inclusion and consistency proofs, and the
//! Merkle map whose root a verdict leaf holds. Leaves hold digests, never content.
//!
//! This crate does not judge, does not store evidence and has no clock or network. Writing and recovery are
//! in [`Ledger`], offline verification that names what was changed in [`verify_dir`], the shapes on disk in
//! `tile`, `checkpoint` and `history`, the tree itself in `tree`.

mod checkpoint;
mod disk;
mod error;
mod hash;
mod history;
mod leaf;
mod leaves;
mod ledger;
mod log;
mod map;
mod note;
mod proof;
mod tile;
mod tree;
mod verify;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use checkpoint::{Checkpoint, CheckpointError};
pub use disk::{Disk, Entry, RealDisk};
pub use error::LedgerError;
pub use hash::{Digest, Hasher, from_hex, hex, sha256};
pub use leaf::{Leaf, LeafError, LeafKind, MAX_SUBJECT_BYTES};
pub use leaves::for_each_leaf;
pub use ledger::{Keys, Ledger, Recovery};
pub use log::{LogRecovery, MAX_BATCH};
pub use map::{MAX_KEY_BYTES, MapAnswer, MapEntry, MapError, MapProof, MerkleMap};
pub use note::{NoteError, SigningKey, VerifierKey};
pub use proof::{ConsistencyProof, InclusionProof, ProofError, TlogProof};
pub use verify::{Change, ChangeKind, LogReport, VerifyReport, verify_dir, verify_on};

/// One of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogId {
    /// Digests of evidence, closed segments, administrative acts, configuration, catalogue, inventory.
    Evidence,
    /// Roots of the Merkle map over one hour's verdicts.
    Verdicts,
}

impl LogId {
    /// Both logs, in the order in which they are opened and reported.
    pub const ALL: [Self; 2] = [Self::Evidence, Self::Verdicts];

    /// The log's folder and the last part of its origin.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Verdicts => "verdicts",
        }
    }

    /// The log that an origin or key name ends in, as in `probity.example/evidence`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let (base, last) = name.rsplit_once('/')?;
        if base.is_empty() { None } else { last.parse().ok() }
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogId {
    type Err = UnknownLog;

    fn from_str(text: &str) -> Result<Self, UnknownLog> {
        Self::ALL.into_iter().find(|log| log.as_str() == text).ok_or_else(|| UnknownLog(text.into()))
    }
}

/// A name that is neither log's.
#[derive(Debug, thiserror::Error)]
#[error("no log is called `{0}`: expected `evidence` or `verdicts`")]
pub struct UnknownLog(String);
