//! A leaf: what happened, to what, its digest, and when. Canonical JSON (RFC 8785), format version 1.
//!
//! Never content: the digest stands for it. Unknown kinds do not read, so a new kind is a new build; a
//! changed meaning is a new version.

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, leaf_hash};

/// Longest subject, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 1024;

const VERSION: u8 = 1;
/// Integers beyond this do not survive every JSON reader (RFC 8785, 3.2.2.3).
const MAX_AT: i64 = (1 << 53) - 1;

/// What a leaf records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LeafKind {
    /// Evidence that was judged; the digest is the evidence id.
    Evidence,
    /// A closed segment of exchanges with its sequence range in the subject.
    Segment,
    /// An act of an administrator.
    AdministrativeAct,
    /// A configuration that came into force.
    Configuration,
    /// A bundle that gateways enforce.
    Bundle,
    /// A catalogue version that came into force.
    Catalogue,
    /// An inventory or version change.
    Inventory,
    /// The verdicts of one hour; the digest is the root of their Merkle map.
    Verdicts,
    /// Exchanges that were lost.
    Gap,
    /// Data removed by retention.
    RetentionDeletion,
    /// A person's attestation or a periodic review.
    Attestation,
    /// A checkpoint of the other log, or of another ledger.
    Checkpoint,
    /// The start of a ledger epoch; the digest is that of the last checkpoint before it, if any.
    Epoch,
}

/// Why bytes are not a leaf, or a leaf cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// The subject is empty or too long.
    #[error("leaf subject of {0} bytes: expected 1 to {MAX_SUBJECT_BYTES}")]
    Subject(usize),
    /// The time is outside what JSON carries exactly.
    #[error("leaf time {0}: expected milliseconds since 1970 below 2^53")]
    At(i64),
    /// Not a leaf of a known version.
    #[error("not a leaf: {0}")]
    Format(String),
    /// JSON of a leaf, but not its canonical spelling.
    #[error("leaf is not in its canonical form")]
    NotCanonical,
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// What happened.
    pub kind: LeafKind,
    /// The id of what it happened to: an evidence id, a segment name with its range, an hour and catalogue.
    pub subject: String,
    /// SHA-256 of the content.
    #[serde(with = "crate::hash::serde_hex")]
    pub digest: Digest,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

/// The written form; fields in the order of RFC 8785.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    at: i64,
    #[serde(with = "crate::hash::serde_hex")]
    digest: Digest,
    kind: LeafKind,
    subject: std::borrow::Cow<'a, str>,
    v: u8,
}

impl Leaf {
    /// The bytes that the log holds.
    ///
    /// # Errors
    /// [`LeafError::Subject`] or [`LeafError::At`].
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        if self.subject.is_empty() || self.subject.len() > MAX_SUBJECT_BYTES {
            return Err(LeafError::Subject(self.subject.len()));
        }
        if !(0..=MAX_AT).contains(&self.at) {
            return Err(LeafError::At(self.at));
        }
        let subject = self.subject.as_str().into();
        let written = Written { at: self.at, digest: self.digest, kind: self.kind, subject, v: VERSION };
        serde_json::to_vec(&written).map_err(|error| LeafError::Format(error.to_string()))
    }

    /// Reads what [`Leaf::encode`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`LeafError::Format`], [`LeafError::NotCanonical`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let written: Written<'_> =
            serde_json::from_slice(bytes).map_err(|error| LeafError::Format(error.to_string()))?;
        if written.v != VERSION {
            return Err(LeafError::Format(format!("version {}, expected {VERSION}", written.v)));
        }
        let leaf = Self {
            kind: written.kind,
            subject: written.subject.into_owned(),
            digest: written.digest,
            at: written.at,
        };
        if leaf.encode()? == bytes { Ok(leaf) } else { Err(LeafError::NotCanonical) }
    }

    /// The RFC 6962 hash under which the leaf stands in the tree.
    ///
    /// # Errors
    /// As [`Leaf::encode`].
    pub fn hash(&self) -> Result<Digest, LeafError> {
        self.encode().map(|bytes| leaf_hash(&bytes))
    }
}

#[cfg(test)]
mod tests;
