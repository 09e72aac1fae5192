//! C2SP checkpoints: origin, size and root of a log at one moment, signed as a note.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Digest;
use crate::note::{Note, NoteError, SigningKey, VerifierKey};
use crate::{LogId, hex};

/// What is wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text.
    #[error("not a checkpoint: {0}")]
    Format(&'static str),
    /// Signed for another log than its origin says.
    #[error("checkpoint of origin `{found}` is signed for `{expected}`")]
    Origin {
        /// What the key speaks for.
        expected: String,
        /// What the checkpoint says.
        found: String,
    },
}

/// A checkpoint as it stands on disk; [`Checkpoint::verify`] says whether a key signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Digest,
    note: String,
}

impl Checkpoint {
    /// Signs a tree head; the origin is the key's name.
    pub(crate) fn sign(key: &SigningKey, size: u64, root: Digest) -> Self {
        let origin = key.verifier().name().to_owned();
        let note = key.sign_note(&format!("{origin}\n{size}\n{}\n", STANDARD.encode(root)));
        Self { origin, size, root, note }
    }

    /// Reads a checkpoint without judging its signatures.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] or [`CheckpointError::Format`].
    pub fn parse(note: &str) -> Result<Self, CheckpointError> {
        let mut lines = Note::parse(note)?.text.strip_suffix('\n').unwrap_or_default().split('\n');
        let origin =
            lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Format("no origin"))?;
        let size = lines.next().and_then(decimal).ok_or(CheckpointError::Format("no tree size"))?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok());
        let root =
            root.and_then(|root| root.try_into().ok()).ok_or(CheckpointError::Format("no root hash"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Format("empty extension line"));
        }
        Ok(Self { origin: origin.into(), size, root, note: note.into() })
    }

    /// Checks that `key` signed this checkpoint, under the origin that the checkpoint states.
    ///
    /// A key named for no log (`probity.example`) speaks for both its logs.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`], [`NoteError::Unsigned`] or [`NoteError::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), CheckpointError> {
        let key = match self.log() {
            Some(log) if key.is_for(log) => key.for_log(log),
            _ => key.clone(),
        };
        if self.origin != key.name() {
            return Err(CheckpointError::Origin { expected: key.name().into(), found: self.origin.clone() });
        }
        Ok(key.check(&Note::parse(&self.note)?)?)
    }

    /// The log's identity.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Which of our logs the origin names.
    #[must_use]
    pub fn log(&self) -> Option<LogId> {
        LogId::of_name(&self.origin)
    }

    /// Leaves in the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root hash over them.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root
    }

    /// The signed note, to be kept and handed out as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.note
    }

    /// Ids of the keys that the note claims to be signed with.
    pub(crate) fn claimed_keys(&self) -> Vec<String> {
        let signatures = Note::parse(&self.note).map(|note| note.signatures).unwrap_or_default();
        signatures.iter().map(|signature| format!("{} {}", signature.name, hex(&signature.id))).collect()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note)
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(note: &str) -> Result<Self, CheckpointError> {
        Self::parse(note)
    }
}

/// ASCII decimal without sign and leading zeros.
pub fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
