//! Basic (RFC 7617): names and passwords against Argon2id hashes, with bounds on what guessing may cost.
//!
//! A hash is worked on a blocking thread, only so many at once; what was verified is remembered for a short while under a
//! keyed hash that covers the stored hash too, so that a changed password counts at once. An unknown user costs the same
//! work as a known one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use probity_model::Timestamp;
use probity_model::time::MICROS_PER_SECOND;
use tokio::sync::Semaphore;

use crate::watch::lock;

/// Hashes worked at once; a call beyond them is told to come again.
const AT_ONCE: usize = 2;
/// How long a verified pair is believed unasked.
const REMEMBERED_MICROS: i64 = 60 * MICROS_PER_SECOND;
/// Pairs remembered.
const MAX_REMEMBERED: usize = 10_000;
/// Longest decoded `user:password`.
const MAX_PAIR: usize = 1024;
/// Bounds on what a stored hash may ask for: KiB, passes, lanes.
const MAX_MEMORY: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A password as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    text: Arc<str>,
    params: Params,
    salt: Box<[u8]>,
    hash: Box<[u8]>,
}

/// Why a stored hash cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    #[error("no password hash, expected `$argon2id$v=19$m=...,t=...,p=...$salt$hash`")]
    Form,
    #[error(
        "a password hash beyond what a gateway works on, expected at most m=262144, t=16, p=8 and at least m=8192"
    )]
    Cost,
    #[error("the password cannot be hashed")]
    Work,
}

/// Hashes a password with the usual cost: 19 MiB, two passes.
///
/// # Errors
/// [`PasswordHashError::Work`] where the library refuses.
pub fn hash_password(password: &[u8], salt: &[u8; SALT_BYTES]) -> Result<String, PasswordHashError> {
    let params = Params::default();
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(password, salt, &mut hash)
        .map_err(|_| PasswordHashError::Work)?;
    Ok(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost(),
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    ))
}

/// Whether a gateway can work with that hash.
///
/// # Errors
/// [`PasswordHashError`] says why not.
pub fn check_password_hash(text: &str) -> Result<(), PasswordHashError> {
    Stored::read(text).map(|_| ())
}

impl Stored {
    pub fn read(text: &str) -> Result<Self, PasswordHashError> {
        let form = || PasswordHashError::Form;
        let mut parts = text.strip_prefix("$argon2id$v=19$").ok_or_else(form)?.split('$');
        let (costs, salt, hash) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(costs), Some(salt), Some(hash), None) => (costs, salt, hash),
            _ => return Err(form()),
        };
        let mut costs = costs.split(',');
        let mut cost = |name: &str| -> Option<u32> { costs.next()?.strip_prefix(name)?.parse().ok() };
        let (Some(memory), Some(passes), Some(lanes)) = (cost("m="), cost("t="), cost("p=")) else {
            return Err(form());
        };
        if costs.next().is_some() {
            return Err(form());
        }
        if !(8 * 1024..=MAX_MEMORY).contains(&memory)
            || !(1..=MAX_PASSES).contains(&passes)
            || !(1..=MAX_LANES).contains(&lanes)
        {
            return Err(PasswordHashError::Cost);
        }
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| form());
        let (salt, hash) = (bytes(salt)?, bytes(hash)?);
        if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&hash.len()) {
            return Err(form());
        }
        let params = Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| form())?;
        Ok(Self { text: text.into(), params, salt: salt.into(), hash: hash.into() })
    }

    fn fits(&self, password: &[u8]) -> bool {
        let mut hash = vec![0; self.hash.len()];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
            .hash_password_into(password, &self.salt, &mut hash)
            .is_ok()
            && constant_time::verify_slices_are_equal(&hash, &self.hash).is_ok()
    }
}

/// Whether a pair is who it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Right,
    Wrong,
    /// Too many are being worked on.
    Busy,
}

/// What outlives a bundle.
#[derive(Debug)]
pub(crate) struct Memory {
    seats: Arc<Semaphore>,
    remembered: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { seats: Arc::new(Semaphore::new(AT_ONCE)), remembered: Mutex::default() }
    }
}

impl Memory {
    /// Checks a password. `stored` stands in for an unknown user with `known` false, so that both cost the same.
    pub async fn check(
        &self,
        key: &hmac::Key,
        user: &[u8],
        password: &[u8],
        stored: &Stored,
        known: bool,
        now: Timestamp,
    ) -> Checked {
        let mut context = hmac::Context::with_key(key);
        for part in [b"probity-basic-v1", user, password, stored.text.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let tag: [u8; 32] = context.sign().as_ref().first_chunk().copied().unwrap_or_default();
        if known && lock(&self.remembered).get(&tag).is_some_and(|until| now < *until) {
            return Checked::Right;
        }
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else { return Checked::Busy };
        let (stored, password) = (stored.clone(), password.to_vec());
        let worked = tokio::task::spawn_blocking(move || {
            let fits = stored.fits(&password);
            drop(seat);
            fits
        });
        if !(worked.await.unwrap_or(false) && known) {
            return Checked::Wrong;
        }
        let mut remembered = lock(&self.remembered);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, until| now < *until);
        }
        if remembered.len() < MAX_REMEMBERED {
            remembered.insert(tag, now.plus_micros(REMEMBERED_MICROS));
        }
        Checked::Right
    }
}

/// User and password of the value after `Basic `.
pub(super) fn read_pair(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if value.len() > MAX_PAIR * 4 / 3 + 4 {
        return None;
    }
    let pair = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value)).ok()?;
    let colon = memchr::memchr(b':', &pair)?;
    let (user, password) = pair.split_at_checked(colon)?;
    (!user.is_empty()).then(|| (user.to_vec(), password.get(1..).unwrap_or_default().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap(password: &[u8]) -> Stored {
        let params = Params::new(8 * 1024, 1, 1, Some(32)).unwrap();
        let mut hash = [0; 32];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(password, &[1; 16], &mut hash).unwrap();
        let (salt, hash) = (STANDARD_NO_PAD.encode([1; 16]), STANDARD_NO_PAD.encode(hash));
        Stored::read(&format!("$argon2id$v=19$m=8192,t=1,p=1${salt}${hash}")).unwrap()
    }

    #[test]
    fn stored_hashes_are_bounded() {
        let usual = hash_password(b"correct horse", &[3; 16]).unwrap();
        assert!(usual.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{usual}");
        let stored = Stored::read(&usual).unwrap();
        assert!(stored.fits(b"correct horse") && !stored.fits(b"correct hors"));
        for (text, expected) in [
            ("", PasswordHashError::Form),
            ("$argon2i$v=19$m=19456,t=2,p=1$AQEBAQEBAQE$AQEBAQEBAQEBAQEBAQEBAQ", PasswordHashError::Form),
            ("$argon2id$v=16$m=19456,t=2,p=1$AQEBAQEBAQE$AQEBAQEBAQEBAQEBAQEBAQ", PasswordHashError::Form),
            ("$argon2id$v=19$m=9999999,t=2,p=1$AQEBAQEBAQE$AQEBAQEBAQEBAQEBAQEBAQ", PasswordHashError::Cost),
            ("$argon2id$v=19$m=64,t=2,p=1$AQEBAQEBAQE$AQEBAQEBAQEBAQEBAQEBAQ", PasswordHashError::Cost),
            ("$argon2id$v=19$m=19456,t=99,p=1$AQEBAQEBAQE$AQEBAQEBAQEBAQEBAQEBAQ", PasswordHashError::Cost),
            ("$argon2id$v=19$m=19456,t=2,p=1$short$AQEBAQEBAQEBAQEBAQEBAQ", PasswordHashError::Form),
            ("$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQE$AQEB", PasswordHashError::Form),
            ("$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQE", PasswordHashError::Form),
        ] {
            assert_eq!(check_password_hash(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn pairs() {
        let pair = |text: &str| {
            read_pair(text.as_bytes()).map(|(user, password)| {
                (String::from_utf8(user).unwrap(), String::from_utf8(password).unwrap())
            })
        };
        let own = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(pair("YTpi"), own("a", "b"));
        assert_eq!(pair("YTpiOmM="), own("a", "b:c"));
        assert_eq!(pair("YTpiOmM"), own("a", "b:c"));
        assert_eq!(pair("YTo="), own("a", ""));
        for odd in ["", "OmI=", "YQ==", "!!!", &"A".repeat(5000)] {
            assert_eq!(pair(odd), None, "{odd}");
        }
    }

    #[tokio::test]
    async fn a_verified_pair_is_remembered_and_an_unknown_user_never_right() {
        let (memory, key) = (Memory::default(), hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let (stored, now) = (cheap(b"secret"), Timestamp::from_seconds(1_000));
        let check = |password: &'static [u8], known, now| {
            let (memory, key, stored) = (&memory, &key, &stored);
            async move { memory.check(key, b"ada", password, stored, known, now).await }
        };
        assert_eq!(check(b"wrong", true, now).await, Checked::Wrong);
        assert_eq!(check(b"secret", false, now).await, Checked::Wrong);
        assert_eq!(check(b"secret", true, now).await, Checked::Right);
        let seats = Arc::clone(&memory.seats).acquire_many_owned(AT_ONCE as u32).await.unwrap();
        assert_eq!(check(b"secret", true, now).await, Checked::Right);
        assert_eq!(check(b"other", true, now).await, Checked::Busy);
        assert_eq!(check(b"secret", true, now.plus_micros(REMEMBERED_MICROS)).await, Checked::Busy);
        drop(seats);
    }
}
