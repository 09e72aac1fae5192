//! Data keys of segments, behind a trait: the server hands out the vault's, tests their own.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// Longest sealed key that a segment's header carries.
pub const MAX_SEALED_KEY: usize = 1024;

const PURPOSE: &[u8] = b"probity-events ephemeral segment key v1";

/// Makes and opens the data keys of segments. Each segment has its own key; the header carries it sealed.
pub trait SegmentKeys: Send + Sync {
    /// A new random key, in clear and sealed.
    ///
    /// # Errors
    /// [`KeyError`] when no key can be made.
    fn fresh(&self) -> Result<SegmentKey, KeyError>;
    /// The key behind `sealed`.
    ///
    /// # Errors
    /// [`KeyError`] when these bytes were not sealed by the same owner, or the key behind them was destroyed.
    fn open(&self, sealed: &[u8]) -> Result<SegmentKey, KeyError>;
}

/// One segment's key.
pub struct SegmentKey {
    pub key: Zeroizing<[u8; 32]>,
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SegmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentKey").field("sealed", &self.sealed.len()).finish_non_exhaustive()
    }
}

/// A key could not be made or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment key: {0}")]
pub struct KeyError(String);

impl KeyError {
    /// `reason` in words, without key material.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// Keys sealed under one key that is held in memory alone: for tests, benches and throw-away data.
pub struct EphemeralKeys {
    root: LessSafeKey,
}

impl EphemeralKeys {
    /// Under a random root; what it sealed is lost with it.
    ///
    /// # Errors
    /// [`KeyError`] when the system gives no randomness.
    pub fn new() -> Result<Self, KeyError> {
        let mut root = Zeroizing::new([0u8; 32]);
        rand::fill(root.as_mut_slice()).map_err(|_| KeyError::new("no randomness"))?;
        Self::with_root(&root)
    }
    /// Under a given root, so that another process of the same test reads the same segments.
    ///
    /// # Errors
    /// [`KeyError`] when the key is refused.
    pub fn with_root(root: &[u8; 32]) -> Result<Self, KeyError> {
        let key = UnboundKey::new(&AES_256_GCM, root).map_err(|_| KeyError::new("root refused"))?;
        Ok(Self { root: LessSafeKey::new(key) })
    }
}

impl fmt::Debug for EphemeralKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralKeys").finish_non_exhaustive()
    }
}

impl SegmentKeys for EphemeralKeys {
    fn fresh(&self) -> Result<SegmentKey, KeyError> {
        let mut key = Zeroizing::new([0u8; 32]);
        let mut nonce = [0u8; NONCE_LEN];
        rand::fill(key.as_mut_slice()).map_err(|_| KeyError::new("no randomness"))?;
        rand::fill(&mut nonce).map_err(|_| KeyError::new("no randomness"))?;
        let mut body = key.to_vec();
        self.root
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(PURPOSE), &mut body)
            .map_err(|_| KeyError::new("sealing failed"))?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        Ok(SegmentKey { key, sealed })
    }
    fn open(&self, sealed: &[u8]) -> Result<SegmentKey, KeyError> {
        let refused = || KeyError::new("not sealed by this root");
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = self
            .root
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(PURPOSE), &mut body)
            .map_err(|_| refused())?;
        let key = <[u8; 32]>::try_from(&*plain).map_err(|_| refused())?;
        Ok(SegmentKey { key: Zeroizing::new(key), sealed: sealed.to_vec() })
    }
}
