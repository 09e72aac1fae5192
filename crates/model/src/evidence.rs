//! Evidence: exactly the input that was judged, as RFC 8785 (JCS) JSON. Its id is the SHA-256 of those bytes.

use serde::Serialize;
use thiserror::Error;

use crate::RuleInput;

/// Version of the evidence document.
pub const EVIDENCE_VERSION: u32 = 1;

#[derive(Debug, Error)]
#[error("the evidence has a value that RFC 8785 cannot represent")]
pub struct EvidenceError(#[source] serde_json::Error);

/// The judged input, ready to be hashed and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    bytes: Vec<u8>,
}

impl Evidence {
    /// Canonical bytes of `input`; the same input gives the same bytes on any machine.
    pub fn of(input: &RuleInput) -> Result<Self, EvidenceError> {
        canonical(input).map(|bytes| Self { bytes })
    }
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// RFC 8785 canonical JSON of any value.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, EvidenceError> {
    serde_json_canonicalizer::to_vec(value).map_err(EvidenceError)
}
