//! The sealed blob, version 1: what leaves the vault and may be kept anywhere.
//!
//! | bytes | meaning |
//! |---|---|
//! | 4 | `PRBV` |
//! | 1 | format version, 1 |
//! | 1 | kind: 1 tenant key, 2 data key, 3 value, 4 signing seed |
//! | 16 | id of the key that seals |
//! | 16 | id of the sealed object, random |
//! | 12 | nonce, random |
//! | n + 16 | AES-256-GCM ciphertext and tag |
//!
//! The key of each blob is HKDF-SHA-256 of the sealing key over kind, purpose and object id, so no AES key
//! seals twice and the bound on random nonces is never near. Authenticated with it: the header, purpose,
//! tenant and the caller's associated data, each with its length.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;

use crate::{SecretBytes, SecretVec, VaultError};

/// First bytes of every blob.
pub const MAGIC: [u8; 4] = *b"PRBV";
/// The format written; older supported versions are read too.
pub const VERSION: u8 = 1;
/// Bytes before the ciphertext.
pub const HEADER_LEN: usize = BOUND_LEN + NONCE_LEN;
/// Bytes that a blob is longer than its plaintext.
pub const OVERHEAD: usize = HEADER_LEN + TAG_LEN;
/// Longest plaintext sealed in one blob; longer data is sealed in pieces with a data key.
pub const MAX_PLAINTEXT: usize = 64 * 1024 * 1024;

const ID_LEN: usize = 16;
const TAG_LEN: usize = 16;
const BOUND_LEN: usize = MAGIC.len() + 2 + 2 * ID_LEN;
const HKDF_SALT: &[u8] = b"probity vault blob v1";

/// A random 128-bit key or object id.
pub(crate) type Id = [u8; ID_LEN];

/// What a blob holds; part of what is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    TenantKey = 1,
    DataKey = 2,
    Value = 3,
    Seed = 4,
}

/// Everything that a blob is bound to beside its own header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'a> {
    pub kind: Kind,
    pub purpose: &'a str,
    pub tenant: &'a str,
    pub aad: &'a [u8],
}

pub(crate) fn random_id() -> Result<Id, VaultError> {
    let mut id = [0; ID_LEN];
    aws_lc_rs::rand::fill(&mut id)?;
    Ok(id)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// HKDF-SHA-256 of a uniformly random key, separated by labels.
pub(crate) fn derive<const N: usize>(
    key: &SecretBytes<32>,
    salt: &[u8],
    info: &[&[u8]],
) -> Result<SecretBytes<N>, VaultError> {
    struct Len(usize);
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let lengths: Vec<[u8; 4]> = info.iter().map(|part| len32(part)).collect();
    let labelled: Vec<&[u8]> =
        lengths.iter().zip(info).flat_map(|(len, part)| [len.as_slice(), part]).collect();
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.expose());
    SecretBytes::filled(|out| Ok(prk.expand(&labelled, Len(N))?.fill(out)?))
}

/// Seals `plaintext`; returns the blob and the id given to the object.
pub(crate) fn seal(
    key: &SecretBytes<32>,
    key_id: Id,
    binding: Binding<'_>,
    plaintext: &[u8],
) -> Result<(Vec<u8>, Id), VaultError> {
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(VaultError::Format("longer than 64 MiB: seal it in pieces with a data key"));
    }
    let id = random_id()?;
    let mut nonce = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce)?;
    let mut blob = Vec::with_capacity(plaintext.len() + OVERHEAD);
    blob.extend_from_slice(&MAGIC);
    blob.extend_from_slice(&[VERSION, binding.kind as u8]);
    blob.extend_from_slice(&key_id);
    blob.extend_from_slice(&id);
    let aad = authenticated(&blob, binding);
    blob.extend_from_slice(&nonce);
    blob.extend_from_slice(plaintext);
    let (_, body) = blob.split_at_mut_checked(HEADER_LEN).ok_or(VaultError::Crypto)?;
    let tag = cipher(key, binding, &id)?.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(aad),
        body,
    )?;
    blob.extend_from_slice(tag.as_ref());
    Ok((blob, id))
}

/// A blob taken apart, not yet authenticated.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    pub key_id: Id,
    pub id: Id,
    bound: &'a [u8],
    kind: u8,
    nonce: [u8; NONCE_LEN],
    body: &'a [u8],
}

impl<'a> Parsed<'a> {
    pub fn new(blob: &'a [u8]) -> Result<Self, VaultError> {
        let short = VaultError::Format("too short");
        let (bound, rest) = blob.split_at_checked(BOUND_LEN).ok_or(short)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(VaultError::Format("too short"))?;
        let (magic, after) = bound.split_first_chunk().ok_or(VaultError::Format("too short"))?;
        let ([version, kind], ids) = after.split_first_chunk().ok_or(VaultError::Format("too short"))?;
        let (key_id, id) = ids.split_first_chunk().ok_or(VaultError::Format("too short"))?;
        let id = id.first_chunk().ok_or(VaultError::Format("too short"))?;
        if *magic != MAGIC {
            return Err(VaultError::Format("expected it to start with `PRBV`"));
        }
        if *version != VERSION {
            return Err(VaultError::Format("unknown format version, expected 1"));
        }
        if body.len() < TAG_LEN || body.len() > MAX_PLAINTEXT + TAG_LEN {
            return Err(VaultError::Format("ciphertext shorter than its tag or longer than 64 MiB"));
        }
        Ok(Self { key_id: *key_id, id: *id, bound, kind: *kind, nonce: *nonce, body })
    }

    pub fn open(&self, key: &SecretBytes<32>, binding: Binding<'_>) -> Result<SecretVec, VaultError> {
        if self.kind != binding.kind as u8 {
            return Err(VaultError::Sealed);
        }
        let mut buffer = SecretVec::new(self.body.to_vec());
        let aad = Aad::from(authenticated(self.bound, binding));
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let len = cipher(key, binding, &self.id)?
            .open_in_place(nonce, aad, buffer.as_mut())
            .map_err(|_| VaultError::Sealed)?
            .len();
        buffer.truncate(len);
        Ok(buffer)
    }
}

fn cipher(key: &SecretBytes<32>, binding: Binding<'_>, id: &Id) -> Result<LessSafeKey, VaultError> {
    let kind = [binding.kind as u8];
    let derived: SecretBytes<32> =
        derive(key, HKDF_SALT, &[&kind, binding.purpose.as_bytes(), id.as_slice()])?;
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.expose())?))
}

/// Length-prefixed, so that no two bindings give the same bytes.
fn authenticated(bound: &[u8], binding: Binding<'_>) -> Vec<u8> {
    let parts = [bound, binding.purpose.as_bytes(), binding.tenant.as_bytes(), binding.aad];
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        out.extend_from_slice(&len32(part));
        out.extend_from_slice(part);
    }
    out
}

/// Lengths above 4 GiB cannot occur: `MAX_PLAINTEXT` and memory bound them; saturation keeps this total.
fn len32(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
