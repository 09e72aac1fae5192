//! The ledger: both logs under one lock, for one writer and any number of readers in its process.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, RealDisk};
use crate::error::{LedgerError, io_error};
use crate::hash::{Digest, hex};
use crate::log::{self, Log, LogRecovery, Place};
use crate::note::{SigningKey, VerifierKey};
use crate::proof::{ConsistencyProof, InclusionProof, TlogProof};
use crate::{Leaf, LogId};

/// Held for as long as the ledger is open; never part of what is verified.
pub(crate) const LOCK: &str = "lock";

/// The keys that sign the logs. Each log's key name, and so its origin, ends in `/evidence` or `/verdicts`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs the evidence log.
    pub evidence: SigningKey,
    /// Signs the verdicts log.
    pub verdicts: SigningKey,
}

impl Keys {
    fn of(&self, log: LogId) -> &SigningKey {
        match log {
            LogId::Evidence => &self.evidence,
            LogId::Verdicts => &self.verdicts,
        }
    }
}

impl From<SigningKey> for Keys {
    fn from(key: SigningKey) -> Self {
        Self { evidence: key.clone(), verdicts: key }
    }
}

/// What opening had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The evidence log.
    pub evidence: LogRecovery,
    /// The verdicts log.
    pub verdicts: LogRecovery,
}

impl Recovery {
    /// Whether both logs were closed in good order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.evidence.is_clean() && self.verdicts.is_clean()
    }

    /// What was done, in words, one line each; empty after a good close.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (log, recovery) in [(LogId::Evidence, &self.evidence), (LogId::Verdicts, &self.verdicts)] {
            if let Some(size) = recovery.completed_to {
                notes.push(format!("log `{log}`: completed an interrupted append, now {size} leaves"));
            }
            if recovery.removed_tiles > 0 {
                let tiles = recovery.removed_tiles;
                notes.push(format!(
                    "log `{log}`: removed {tiles} tile files of an append that was never acknowledged"
                ));
            }
            if recovery.removed_history_bytes > 0 {
                let bytes = recovery.removed_history_bytes;
                notes.push(format!("log `{log}`: removed {bytes} bytes of a torn checkpoint record"));
            }
        }
        notes
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.notes().join("\n"))
    }
}

/// An open ledger. Share it behind an `Arc`.
pub struct Ledger {
    disk: Box<dyn Disk>,
    // One lock per log, held while a batch is written and while a proof is read; never both at once.
    evidence: Mutex<Log>,
    verdicts: Mutex<Log>,
    /// Closing the file releases the lock on the folder.
    _lock: Option<File>,
}

impl Ledger {
    /// Opens the ledger in `dir`, making it if it is not there, and says what a crash had left to do.
    ///
    /// Compares log and checkpoint at the right edge of each tree; the rest is compared whenever a proof is
    /// made, and wholly by [`crate::verify_dir`].
    ///
    /// # Errors
    /// [`LedgerError::Mismatch`] and [`LedgerError::OtherKey`] name the way out; [`LedgerError::InUse`],
    /// [`LedgerError::Io`].
    pub fn open(dir: impl AsRef<Path>, keys: impl Into<Keys>) -> Result<(Self, Recovery), LedgerError> {
        let dir = dir.as_ref();
        let shown = dir.display().to_string();
        create_folder(dir).map_err(io_error("create", &shown))?;
        let lock = lock(dir)?;
        let (mut ledger, recovery) = Self::open_on(Box::new(RealDisk::new(dir)), &shown, keys)?;
        ledger._lock = Some(lock);
        Ok((ledger, recovery))
    }

    /// Opens a ledger on any [`Disk`]; `shown` names its folder in errors. The caller keeps others out.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_on(
        disk: Box<dyn Disk>,
        shown: &str,
        keys: impl Into<Keys>,
    ) -> Result<(Self, Recovery), LedgerError> {
        let keys = keys.into();
        let open = |id| Log::open(Place { disk: disk.as_ref(), id, folder: shown }, keys.of(id));
        let (evidence, evidence_recovery) = open(LogId::Evidence)?;
        let (verdicts, verdicts_recovery) = open(LogId::Verdicts)?;
        let recovery = Recovery { evidence: evidence_recovery, verdicts: verdicts_recovery };
        let (evidence, verdicts) = (Mutex::new(evidence), Mutex::new(verdicts));
        Ok((Self { disk, evidence, verdicts, _lock: None }, recovery))
    }

    /// Adds leaves; returns their indices once they and the new checkpoint are durable.
    ///
    /// # Errors
    /// [`LedgerError::Leaf`] and [`LedgerError::Batch`] before anything is written; after
    /// [`LedgerError::Io`] the log refuses to write until the ledger is opened again.
    pub fn append(&self, log: LogId, leaves: &[Leaf]) -> Result<Range<u64>, LedgerError> {
        let encode = |(index, leaf): (usize, &Leaf)| {
            leaf.encode().map_err(|source| LedgerError::Leaf { index: index as u64, source })
        };
        let encoded = leaves.iter().enumerate().map(encode).collect::<Result<Vec<_>, _>>()?;
        self.log(log).append(self.disk.as_ref(), &encoded)
    }

    /// The newest signed checkpoint.
    #[must_use]
    pub fn checkpoint(&self, log: LogId) -> Checkpoint {
        self.log(log).checkpoint().clone()
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self, log: LogId) -> u64 {
        self.log(log).checkpoint().size()
    }

    /// Root hash over all leaves.
    #[must_use]
    pub fn root(&self, log: LogId) -> Digest {
        self.log(log).checkpoint().root()
    }

    /// The root hash that the log had at `size` leaves.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Damaged`].
    pub fn root_at(&self, log: LogId, size: u64) -> Result<Digest, LedgerError> {
        self.log(log).root_at(self.disk.as_ref(), size)
    }

    /// The public key that verifies a log's checkpoints.
    #[must_use]
    pub fn verifier(&self, log: LogId) -> VerifierKey {
        self.log(log).key().verifier().clone()
    }

    /// A leaf, proven against the checkpoint before it is returned.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Damaged`].
    pub fn leaf(&self, log: LogId, index: u64) -> Result<Leaf, LedgerError> {
        log::decode(index, &self.leaf_bytes(log, index)?)
    }

    /// The bytes of a leaf, over which its proof is.
    ///
    /// # Errors
    /// As [`Ledger::leaf`].
    pub fn leaf_bytes(&self, log: LogId, index: u64) -> Result<Vec<u8>, LedgerError> {
        self.log(log).leaf(self.disk.as_ref(), index)
    }

    /// Proves that leaf `index` is in the log as of [`Ledger::checkpoint`].
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Damaged`].
    pub fn prove_inclusion(&self, log: LogId, index: u64) -> Result<InclusionProof, LedgerError> {
        self.log(log).prove_inclusion(self.disk.as_ref(), index)
    }

    /// The same proof as text that carries the checkpoint, for use without this ledger.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Damaged`].
    pub fn tlog_proof(&self, log: LogId, index: u64) -> Result<TlogProof, LedgerError> {
        let log = self.log(log);
        let hashes = log.prove_inclusion(self.disk.as_ref(), index)?.hashes;
        Ok(TlogProof { extra: None, index, hashes, checkpoint: log.checkpoint().clone() })
    }

    /// Proves that the log of `to` leaves extends the log of `from` leaves.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Damaged`].
    pub fn prove_consistency(&self, log: LogId, from: u64, to: u64) -> Result<ConsistencyProof, LedgerError> {
        self.log(log).prove_consistency(self.disk.as_ref(), from, to)
    }

    /// Compares the log with a checkpoint of it that was kept elsewhere (in the store, with an auditor).
    ///
    /// # Errors
    /// [`LedgerError::Mismatch`] if the log is shorter or has another past; [`LedgerError::OtherKey`] if the
    /// checkpoint is not this log's.
    pub fn expect(&self, log: LogId, kept: &Checkpoint) -> Result<(), LedgerError> {
        let log = self.log(log);
        log.expect(self.disk.as_ref(), kept)
    }

    fn log(&self, log: LogId) -> MutexGuard<'_, Log> {
        let log = match log {
            LogId::Evidence => &self.evidence,
            LogId::Verdicts => &self.verdicts,
        };
        // A panic amid an append leaves the log marked as broken, which refuses on its own.
        log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Ledger");
        for log in LogId::ALL {
            let checkpoint = self.checkpoint(log);
            debug.field(
                log.as_str(),
                &format!("{} leaves, root {}", checkpoint.size(), hex(&checkpoint.root())),
            );
        }
        debug.finish_non_exhaustive()
    }
}

/// Makes the folder and its missing parents, each durable in its parent before anything is acknowledged in it.
fn create_folder(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        dir.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::create_dir_all(dir)?;
    for folder in missing {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, LedgerError> {
    let path = dir.join(LOCK);
    let shown = path.display().to_string();
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io_error("open", &shown))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse { path: dir.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &shown)(error)),
    }
}
