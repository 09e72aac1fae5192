//! API keys of Probity: `prb_<environment>_<secret><checksum>`, and the hash by which any secret is looked up.
//!
//! The form lets a scanner find a leaked key, and lets a gateway refuse what was mistyped or made up without a look-up. The
//! checksum is no protection: 190 random bits are. Issuing and keeping is the server's.

use aws_lc_rs::{digest, hmac};
use probity_model::Digest;

/// What every key begins with.
pub const KEY_PREFIX: &str = "prb_";
/// Signs of the secret: 32 of 62 are 190 bits.
const SECRET_SIGNS: usize = 32;
/// Signs of the checksum: six of 62 hold 32 bits.
const CHECKSUM_SIGNS: usize = 6;
/// Longest name of an environment inside a key.
const MAX_ENVIRONMENT: usize = 16;
/// Longest key; nothing longer is read.
const MAX_KEY_BYTES: usize = KEY_PREFIX.len() + MAX_ENVIRONMENT + 1 + SECRET_SIGNS + CHECKSUM_SIGNS;
/// Signs that lists show of a key, after prefix and environment.
const SHOWN_SIGNS: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random bytes below it map evenly on the alphabet.
const EVEN: u8 = 248;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("no API key, expected `prb_<environment>_...`")]
    Form,
    #[error("a mistyped API key: its checksum does not fit")]
    Checksum,
    #[error("unusable environment, expected 1 to 16 lower-case letters and digits")]
    Environment,
    #[error("too little randomness")]
    Random,
}

/// A fresh key out of random bytes; 64 are always enough in practice, and more are asked for where they are not.
///
/// # Errors
/// [`KeyFault::Environment`], and [`KeyFault::Random`] where the bytes do not suffice.
pub fn mint_key(environment: &str, random: &[u8]) -> Result<String, KeyFault> {
    if !is_environment(environment.as_bytes()) {
        return Err(KeyFault::Environment);
    }
    let mut key = format!("{KEY_PREFIX}{environment}_");
    let signs = random
        .iter()
        .filter(|byte| **byte < EVEN)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 62)))
        .take(SECRET_SIGNS);
    let before = key.len();
    key.extend(signs.map(|sign| char::from(*sign)));
    if key.len() - before < SECRET_SIGNS {
        return Err(KeyFault::Random);
    }
    let checksum = checksum(key.as_bytes());
    key.extend(checksum.iter().map(|sign| char::from(*sign)));
    Ok(key)
}

/// The environment of a well-formed key.
///
/// # Errors
/// [`KeyFault::Form`] or [`KeyFault::Checksum`].
pub fn check_key(key: &[u8]) -> Result<&[u8], KeyFault> {
    if key.len() > MAX_KEY_BYTES {
        return Err(KeyFault::Form);
    }
    let rest = key.strip_prefix(KEY_PREFIX.as_bytes()).ok_or(KeyFault::Form)?;
    let end = memchr::memchr(b'_', rest).ok_or(KeyFault::Form)?;
    let (environment, secret) = rest.split_at_checked(end).ok_or(KeyFault::Form)?;
    let secret = secret.get(1..).unwrap_or_default();
    if !is_environment(environment)
        || secret.len() != SECRET_SIGNS + CHECKSUM_SIGNS
        || !secret.iter().all(u8::is_ascii_alphanumeric)
    {
        return Err(KeyFault::Form);
    }
    let (checked, sum) = key.split_at_checked(key.len() - CHECKSUM_SIGNS).ok_or(KeyFault::Form)?;
    if checksum(checked) == *sum { Ok(environment) } else { Err(KeyFault::Checksum) }
}

/// What lists show of a key: enough to tell it from others, too little to use it.
pub fn key_hint(key: &str) -> String {
    let shown = match key.strip_prefix(KEY_PREFIX).and_then(|rest| rest.find('_')) {
        Some(end) => KEY_PREFIX.len() + end + 1 + SHOWN_SIGNS,
        None => SHOWN_SIGNS.min(key.len() / 4),
    };
    key.chars().take(shown).collect::<String>() + "..."
}

/// The hash that a bundle holds of a secret, from the secret's SHA-256. `identity_key` is the key of records.
pub fn credential_hash(identity_key: &[u8; 32], sha256: &[u8; 32]) -> Digest {
    look_up_hash(&look_up_key(identity_key), sha256)
}

/// SHA-256 of a secret: what a configuration may hold in its place.
pub fn secret_digest(secret: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, secret).as_ref().first_chunk().copied().unwrap_or_default()
}

pub(super) fn look_up_key(identity_key: &[u8; 32]) -> hmac::Key {
    let root = hmac::Key::new(hmac::HMAC_SHA256, identity_key);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, b"probity-credential-directory-v1").as_ref())
}

pub(super) fn look_up_hash(key: &hmac::Key, sha256: &[u8; 32]) -> Digest {
    Digest(hmac::sign(key, sha256).as_ref().first_chunk().copied().unwrap_or_default())
}

fn is_environment(name: &[u8]) -> bool {
    (1..=MAX_ENVIRONMENT).contains(&name.len())
        && name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// CRC-32C in six signs, the highest first.
fn checksum(text: &[u8]) -> [u8; CHECKSUM_SIGNS] {
    let mut rest = crc32c::crc32c(text);
    let mut signs = [b'0'; CHECKSUM_SIGNS];
    for sign in signs.iter_mut().rev() {
        *sign = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_keys_are_keys() {
        let key = mint_key("live", &[7; 64]).unwrap();
        assert_eq!(key.len(), "prb_live_".len() + 38);
        assert_eq!(check_key(key.as_bytes()), Ok(&b"live"[..]));
        assert_eq!(key_hint(&key), "prb_live_777777...");
        for (odd, expected) in [
            (String::new(), KeyFault::Form),
            ("prb_live_".into(), KeyFault::Form),
            (key.replace("prb_", "prc_"), KeyFault::Form),
            (key.replace("live", "Live"), KeyFault::Form),
            (key.replace("live", "test"), KeyFault::Checksum),
            (format!("{key}0"), KeyFault::Form),
            (key[..key.len() - 1].to_owned(), KeyFault::Form),
            (format!("{}\u{e9}", &key[..key.len() - 2]), KeyFault::Form),
        ] {
            assert_eq!(check_key(odd.as_bytes()), Err(expected), "{odd}");
        }
        assert_eq!(mint_key("", &[7; 64]), Err(KeyFault::Environment));
        assert_eq!(mint_key("a_b", &[7; 64]), Err(KeyFault::Environment));
        assert_eq!(mint_key("live", &[255; 64]), Err(KeyFault::Random));
        assert_eq!(key_hint("cldemo_pat1_Zr8wQ2nLx5Vt9KfB"), "cldemo...");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_minted_key_checks_and_no_changed_one(
            environment in "[a-z0-9]{1,16}", random: [u8; 32], more: [u8; 32], at in 0usize..64, sign in "[0-9A-Za-z]"
        ) {
            let random = [random, more].concat();
            prop_assume!(random.iter().filter(|byte| **byte < EVEN).count() >= SECRET_SIGNS);
            let key = mint_key(&environment, &random).unwrap();
            prop_assert!(key.len() <= MAX_KEY_BYTES);
            prop_assert_eq!(check_key(key.as_bytes()), Ok(environment.as_bytes()));
            let at = at % key.len();
            let mut changed = key.clone().into_bytes();
            changed[at] = sign.as_bytes()[0];
            if changed != key.as_bytes() {
                prop_assert!(check_key(&changed).is_err());
            }
        }

        #[test]
        fn nothing_panics(text: Vec<u8>) {
            let _ = check_key(&text);
            let _ = check_key(&[KEY_PREFIX.as_bytes(), &text].concat());
            let _ = key_hint(&String::from_utf8_lossy(&text));
        }
    }
}
