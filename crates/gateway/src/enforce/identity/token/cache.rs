//! What was verified a moment ago, and what was refused. Bounded in entries and bytes; found by a hash under a key of this
//! process, and believed only if the whole token is the same.
//!
//! Two generations each: the older one goes when the younger is full, and what is used moves over. That is nearly least
//! recently used, without a list to keep in order.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use probity_model::Timestamp;
use probity_model::principal::Principal;

use super::fault::TokenFault;
use crate::siphash::SipKey;
use crate::watch::lock;

/// Parts with a lock each.
const SHARDS: usize = 16;
/// Bytes of tokens that one entry stands for; longer ones count as several.
const USUAL_TOKEN: usize = 1024;

/// Everything that a token says, judged.
#[derive(Debug)]
pub(super) struct Verified {
    /// Index among the issuers of the policy.
    pub issuer: usize,
    pub audiences: Box<[Box<str>]>,
    pub confirmation: Confirmation,
    /// `exp` with the clock skew: no call is admitted from then on.
    pub ends_at: Timestamp,
    /// It is verified anew from then on.
    pub believed_until: Timestamp,
    /// `auth_time`, and nothing else.
    pub authenticated_at: Option<Timestamp>,
    pub jti: Option<Box<str>>,
    pub principal: Arc<Principal>,
    pub seen_epoch: AtomicU64,
}

/// RFC 7800 `cnf`: what the sender must prove to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Confirmation {
    /// RFC 9449: thumbprint of the key of its proofs.
    pub jkt: Option<Box<str>>,
    /// RFC 8705: SHA-256 of its certificate.
    pub certificate: Option<[u8; 32]>,
}

impl Confirmation {
    pub fn is_some(&self) -> bool {
        self.jkt.is_some() || self.certificate.is_some()
    }
}

#[derive(Debug)]
pub(super) struct Cache {
    key: SipKey,
    shards: [Mutex<Generations<Entry>>; SHARDS],
}

#[derive(Clone, Debug)]
struct Entry {
    token: Arc<[u8]>,
    verified: Arc<Verified>,
}

#[derive(Debug)]
struct Generations<E> {
    young: HashMap<u64, E>,
    old: HashMap<u64, E>,
    /// Room taken and given in the young generation, in entries.
    taken: usize,
    room: usize,
}

impl<E: Clone> Generations<E> {
    fn new(room: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), taken: 0, room: room.max(1) }
    }

    fn insert(&mut self, hash: u64, entry: E, size: usize) {
        if self.taken + size > self.room {
            self.old = std::mem::take(&mut self.young);
            self.taken = 0;
        }
        if self.young.insert(hash, entry).is_none() {
            self.taken += size;
        }
    }

    fn find(&mut self, hash: u64, size: usize) -> Option<&E> {
        if !self.young.contains_key(&hash) {
            let entry = self.old.remove(&hash)?;
            self.insert(hash, entry, size);
        }
        self.young.get(&hash)
    }

    fn remove(&mut self, hash: u64) {
        self.old.remove(&hash);
        // The room stays taken until the generation goes: a bound need not be exact.
        self.young.remove(&hash);
    }
}

impl Cache {
    pub fn new(entries: usize, [key, _]: [SipKey; 2]) -> Self {
        let room = entries.div_ceil(2 * SHARDS);
        Self { key, shards: std::array::from_fn(|_| Mutex::new(Generations::new(room))) }
    }

    pub fn find(&self, token: &[u8], now: Timestamp) -> Option<Arc<Verified>> {
        let hash = self.key.hash(token);
        let mut shard = lock(shard(&self.shards, hash));
        let entry = shard.find(hash, size(token))?;
        if *entry.token != *token {
            return None;
        }
        if now >= entry.verified.believed_until {
            shard.remove(hash);
            return None;
        }
        Some(Arc::clone(&entry.verified))
    }

    pub fn keep(&self, token: &[u8], verified: Arc<Verified>) {
        let hash = self.key.hash(token);
        let entry = Entry { token: token.into(), verified };
        lock(shard(&self.shards, hash)).insert(hash, entry, size(token));
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard)).map(|shard| shard.young.len() + shard.old.len()).sum()
    }
}

fn size(token: &[u8]) -> usize {
    token.len().div_ceil(USUAL_TOKEN).max(1)
}

#[allow(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
fn shard<E>(shards: &[Mutex<Generations<E>>; SHARDS], hash: u64) -> &Mutex<Generations<E>> {
    &shards[(hash >> 32) as usize % SHARDS]
}

/// Tokens that are known to be bad, by 128 bits of keyed hash: their bytes are not kept.
#[derive(Debug)]
pub(super) struct Negative {
    keys: [SipKey; 2],
    shards: [Mutex<Generations<Refused>>; SHARDS],
}

#[derive(Clone, Debug)]
struct Refused {
    check: u64,
    fault: TokenFault,
    until: Timestamp,
}

impl Negative {
    pub fn new(entries: usize, keys: [SipKey; 2]) -> Self {
        let room = entries.div_ceil(2 * SHARDS);
        Self { keys, shards: std::array::from_fn(|_| Mutex::new(Generations::new(room))) }
    }

    pub fn find(&self, token: &[u8], now: Timestamp) -> Option<TokenFault> {
        let [first, second] = self.keys.map(|key| key.hash(token));
        let mut shard = lock(shard(&self.shards, first));
        let refused = shard.find(first, 1)?;
        (refused.check == second && now < refused.until).then(|| refused.fault.clone())
    }

    pub fn keep(&self, token: &[u8], fault: &TokenFault, now: Timestamp, seconds: u32) {
        let [first, check] = self.keys.map(|key| key.hash(token));
        let refused =
            Refused { check, fault: fault.clone(), until: now.plus_micros(super::seconds(seconds)) };
        lock(shard(&self.shards, first)).insert(first, refused, 1);
    }
}
