//! Bytes that are wiped when dropped and never printed.
//!
//! They live on the heap so that moving the owner leaves no copy behind. They are not locked in memory: a
//! locked arena belongs to the credential leases, which hold secrets for long.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::VaultError;

/// A secret of fixed length.
pub struct SecretBytes<const N: usize>(Box<[u8; N]>);

impl<const N: usize> SecretBytes<N> {
    /// Takes a copy of `bytes` and wipes the original.
    pub fn take(bytes: &mut [u8; N]) -> Self {
        let secret = Self(Box::new(*bytes));
        bytes.zeroize();
        secret
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] when the system's random generator fails.
    pub fn random() -> Result<Self, VaultError> {
        let mut secret = Self(Box::new([0; N]));
        aws_lc_rs::rand::fill(secret.0.as_mut_slice())?;
        Ok(secret)
    }

    /// The secret in clear; the caller must not keep a copy.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) fn filled(fill: impl FnOnce(&mut [u8]) -> Result<(), VaultError>) -> Result<Self, VaultError> {
        let mut secret = Self(Box::new([0; N]));
        fill(secret.0.as_mut_slice())?;
        Ok(secret)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self(Box::new([0; N]));
        (bytes.len() == N).then(|| {
            secret.0.copy_from_slice(bytes);
            secret
        })
    }
}

impl<const N: usize> Drop for SecretBytes<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for SecretBytes<N> {}

impl<const N: usize> fmt::Debug for SecretBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes<{N}>(..)")
    }
}

/// A secret of any length.
pub struct SecretVec(Vec<u8>);

impl SecretVec {
    /// Takes the bytes over; the vector must not be grown afterwards, which is why it is not handed back.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The secret in clear; the caller must not keep a copy.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Keeps the first `len` bytes and wipes the rest at once.
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.0.get_mut(len..) {
            rest.zeroize();
        }
        self.0.truncate(len);
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for SecretVec {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for SecretVec {}

impl fmt::Debug for SecretVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretVec(..)")
    }
}
