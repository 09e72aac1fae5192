//! Secrets inside a bundle: AES-256-GCM under a key that only the server and the gateway's process hold. The bundle on disk
//! tells nothing without it.
//!
//! The nonce is derived from name and secret, so that the same configuration seals to the same bundle. It repeats for the
//! same name and secret alone, which shows nothing new.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use probity_model::bundle::identity::token::SealedSecret;
use zeroize::Zeroizing;

const DOMAIN: &[u8] = b"probity-bundle-secret-v1\n";
/// Bytes of a secret.
const MAX_SECRET: usize = 64 * 1024;

/// Why a secret cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the secret `{0}` is too long")]
    TooLong(String),
    #[error("the secret `{0}` does not open, expected one sealed under this gateway's key")]
    Sealed(String),
    #[error("the cryptographic library refuses")]
    Crypto,
}

/// Seals a secret for the gateways that hold `key`.
pub fn seal_secret(key: &[u8; 32], name: &str, secret: &[u8]) -> Result<SealedSecret, SealError> {
    if secret.len() > MAX_SECRET {
        return Err(SealError::TooLong(name.to_owned()));
    }
    let (encryption, derivation) = keys(key)?;
    let mut context = hmac::Context::with_key(&derivation);
    context.update(&(name.len() as u64).to_be_bytes());
    context.update(name.as_bytes());
    context.update(secret);
    let nonce: [u8; NONCE_LEN] = context.sign().as_ref().first_chunk().copied().ok_or(SealError::Crypto)?;
    let mut text = Zeroizing::new(secret.to_vec());
    let tag = encryption
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad(name), &mut text)
        .map_err(|_| SealError::Crypto)?;
    Ok(SealedSecret { ciphertext: crate::bundle::hex(&[&nonce, text.as_slice(), tag.as_ref()].concat()) })
}

pub(super) fn open(
    key: &[u8; 32],
    name: &str,
    sealed: &SealedSecret,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let refused = || SealError::Sealed(name.to_owned());
    if sealed.ciphertext.len() > MAX_SECRET * 2 + 64 {
        return Err(SealError::TooLong(name.to_owned()));
    }
    let bytes = crate::bundle::unhex(&sealed.ciphertext).ok_or_else(refused)?;
    let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
    let mut text = Zeroizing::new(text.to_vec());
    let (encryption, _) = keys(key)?;
    let len = encryption
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(name), &mut text)
        .map_err(|_| refused())?
        .len();
    text.truncate(len);
    Ok(text)
}

fn aad(name: &str) -> Aad<Vec<u8>> {
    Aad::from([DOMAIN, name.as_bytes()].concat())
}

/// One key for each use.
fn keys(key: &[u8; 32]) -> Result<(LessSafeKey, hmac::Key), SealError> {
    let root = hmac::Key::new(hmac::HMAC_SHA256, key);
    let encryption = hmac::sign(&root, b"probity-bundle-secret-v1 encryption");
    let derivation = hmac::sign(&root, b"probity-bundle-secret-v1 nonce");
    let encryption = UnboundKey::new(&AES_256_GCM, encryption.as_ref()).map_err(|_| SealError::Crypto)?;
    Ok((LessSafeKey::new(encryption), hmac::Key::new(hmac::HMAC_SHA256, derivation.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_under_its_key_and_name_alone() {
        let sealed = seal_secret(&[1; 32], "client", b"hunter2").unwrap();
        assert_eq!(sealed, seal_secret(&[1; 32], "client", b"hunter2").unwrap());
        assert_ne!(sealed, seal_secret(&[1; 32], "client", b"hunter3").unwrap());
        assert!(!sealed.ciphertext.contains(&crate::bundle::hex(b"hunter2")));
        assert_eq!(open(&[1; 32], "client", &sealed).unwrap().as_slice(), b"hunter2");
        let refused = Err(SealError::Sealed("client".to_owned()));
        assert_eq!(open(&[2; 32], "client", &sealed), refused);
        assert_eq!(open(&[1; 32], "other", &sealed), Err(SealError::Sealed("other".to_owned())));
        for text in ["", "zz", "00", &sealed.ciphertext[2..], &"0".repeat(64)] {
            let odd = SealedSecret { ciphertext: text.to_owned() };
            assert_eq!(open(&[1; 32], "client", &odd), refused, "{text}");
        }
        assert!(seal_secret(&[1; 32], "client", &vec![0; MAX_SECRET + 1]).is_err());
    }
}
