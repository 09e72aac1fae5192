//! Why the ledger refused.

use std::io;

use crate::{LeafError, LogId, NoteError};

/// Why the ledger refused. A mismatch names the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process has the ledger open.
    #[error("ledger `{path}` is open in another process: expected one writer")]
    InUse {
        /// The ledger's folder.
        path: String,
    },
    /// The log and its checkpoint disagree.
    #[error(
        "log `{log}` does not agree with its checkpoint: {what}; run `probity verify {folder}` to see what was changed, then restore the folder from a copy, or move it aside to start a new ledger epoch"
    )]
    Mismatch {
        /// The log.
        log: LogId,
        /// What was found.
        what: String,
        /// The ledger's folder.
        folder: String,
    },
    /// The checkpoint was signed by another key, or its signature is bad.
    #[error(
        "checkpoint of log `{log}` in `{folder}` is not signed by key `{key}` (it carries: {found}); give the signing key that belongs to this folder, or move the folder aside to start a new ledger epoch"
    )]
    OtherKey {
        /// The log.
        log: LogId,
        /// The key that was given.
        key: String,
        /// Keys that the checkpoint names.
        found: String,
        /// The ledger's folder.
        folder: String,
        /// What did not verify.
        source: Box<crate::CheckpointError>,
    },
    /// A file changed since the ledger was opened, or before, in a part that opening does not read.
    #[error("log `{log}` is damaged: {what}; run `probity verify {folder}`")]
    Damaged {
        /// The log.
        log: LogId,
        /// What was found.
        what: String,
        /// The ledger's folder.
        folder: String,
    },
    /// A leaf that cannot be written or read.
    #[error("leaf {index} of the batch or log cannot be used")]
    Leaf {
        /// Its place.
        index: u64,
        /// What is wrong with it.
        source: LeafError,
    },
    /// More leaves at once than one batch takes.
    #[error("{0} leaves in one batch: expected at most {max}", max = crate::MAX_BATCH)]
    Batch(usize),
    /// An index or size that the log does not have.
    #[error("log `{log}` has {size} leaves: {wanted} is out of range")]
    OutOfRange {
        /// The log.
        log: LogId,
        /// Its size.
        size: u64,
        /// What was asked for.
        wanted: u64,
    },
    /// An append failed earlier, so what is on disk is in doubt until the ledger is opened again.
    #[error("an earlier append to log `{0}` failed: open the ledger again")]
    Broken(LogId),
    /// The signing key.
    #[error(transparent)]
    Key(#[from] NoteError),
}

pub(crate) fn io_error(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io { action, path, source }
}
