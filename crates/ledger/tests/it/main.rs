//! The ledger through its public surface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

mod crash;
mod golden;
mod kill;
mod memory;
mod oracle;
mod tamper;
mod writing;

use probity_ledger::{Leaf, LeafKind, LogId, SigningKey, sha256};

/// A folder for a test. Syncing a memory file system costs nothing, and a kill loses nothing that the kernel
/// has; what a power cut loses is the matter of `memory`.
pub fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
}

pub const NAME: &str = "probity.example";

pub fn key() -> SigningKey {
    SigningKey::from_seed(&[42; 32], NAME).unwrap()
}

pub fn leaf(number: u64) -> Leaf {
    Leaf {
        kind: if number.is_multiple_of(7) { LeafKind::Segment } else { LeafKind::Evidence },
        subject: format!("subject-{number}"),
        digest: sha256(&number.to_be_bytes()),
        at: 1_700_000_000_000 + i64::try_from(number).unwrap(),
    }
}

pub fn leaves(range: std::ops::Range<u64>) -> Vec<Leaf> {
    range.map(leaf).collect()
}

pub const EVIDENCE: LogId = LogId::Evidence;
pub const VERDICTS: LogId = LogId::Verdicts;
