//! What was revoked. Effective with the next call: every admission looks here, and a look costs one atomic load while
//! nothing has changed.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use probity_model::Timestamp;
use probity_model::time::MICROS_PER_DAY;

use super::cache::Verified;
use crate::watch::lock;

/// Revocations remembered.
const MAX_REVOCATIONS: usize = 100_000;
/// For how long: longer than any token should live.
const KEPT_MICROS: i64 = 30 * MICROS_PER_DAY;

/// What counts no longer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// By the keyed hash of `Proof::credential`.
    Credential([u8; 16]),
    /// Every token of a subject that was issued until now; tokens without `iat` too.
    Subject { issuer: Box<str>, subject: Box<str> },
    /// One token by its `jti`.
    Token { issuer: Box<str>, jti: Box<str> },
}

#[derive(Debug, Default)]
pub(super) struct Revocations {
    /// Grows with each revocation; admissions compare it with what they last saw.
    epoch: AtomicU64,
    known: Mutex<HashMap<Revocation, Timestamp>>,
}

impl Revocations {
    pub fn add(&self, what: &Revocation, at: Timestamp) {
        let mut known = lock(&self.known);
        if known.len() >= MAX_REVOCATIONS {
            known.retain(|_, since| at.since(*since) < KEPT_MICROS);
        }
        if known.len() >= MAX_REVOCATIONS
            && let Some(oldest) = known.iter().min_by_key(|(_, since)| **since).map(|(what, _)| what.clone())
        {
            tracing::warn!("more revocations than can be remembered: the oldest is forgotten");
            known.remove(&oldest);
        }
        known.insert(what.clone(), at);
        self.epoch.fetch_add(1, Release);
    }

    /// Whether that token was revoked. Remembers in the token up to which revocation it was looked at.
    pub fn holds(&self, verified: &Verified) -> bool {
        let epoch = self.epoch.load(Acquire);
        if epoch == 0 || verified.seen_epoch.load(Acquire) == epoch {
            return false;
        }
        let principal = &verified.principal;
        let known = lock(&self.known);
        let issuer = || Box::from(&*principal.issuer);
        let subject = Revocation::Subject { issuer: issuer(), subject: Box::from(&*principal.subject) };
        let revoked = known.contains_key(&Revocation::Credential(principal.proof.credential))
            || known
                .get(&subject)
                .is_some_and(|since| principal.proof.issued_at.is_none_or(|issued| issued <= *since))
            || verified.jti.as_ref().is_some_and(|jti| {
                known.contains_key(&Revocation::Token { issuer: issuer(), jti: jti.clone() })
            });
        if !revoked {
            verified.seen_epoch.store(epoch, Release);
        }
        revoked
    }
}
