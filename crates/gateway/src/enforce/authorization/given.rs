//! Ids that callers were given: who received one may come back for it.
//!
//! Only keyed hashes are kept, bounded, and for the life of the process. When a shard is full its older half is
//! forgotten; what is forgotten must be listed again.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use probity_model::Principal;

use crate::siphash::SipKey;
use crate::watch::lock;

const SHARDS: usize = 16;
/// Ids in each half of a shard: at most two million in all, some 40 MB.
const MAX_YOUNG: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Given {
    shards: [Mutex<Shard>; SHARDS],
    key: OnceLock<SipKey>,
    started: OnceLock<Instant>,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Given {
    /// Milliseconds since the first bundle that learns.
    pub fn age_ms(&self) -> u64 {
        u64::try_from(self.started.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn remember(&self, family: &str, principal: &Principal, id: &str) {
        let hash = self.hash(family, principal, id);
        let mut shard = lock(self.shard(hash));
        if shard.young.contains(&hash) {
            return;
        }
        if shard.young.len() >= MAX_YOUNG {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(hash);
    }

    pub fn has(&self, family: &str, principal: &Principal, id: &str) -> bool {
        let hash = self.hash(family, principal, id);
        let mut shard = lock(self.shard(hash));
        if shard.young.contains(&hash) {
            return true;
        }
        let known = shard.old.contains(&hash);
        if known && shard.young.len() < MAX_YOUNG {
            shard.young.insert(hash);
        }
        known
    }

    #[allow(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[hash as usize % SHARDS]
    }

    fn hash(&self, family: &str, principal: &Principal, id: &str) -> u64 {
        let key = self.key.get_or_init(|| {
            let mut random = [0; 16];
            // Without random numbers a gateway does not start.
            let _ = aws_lc_rs::rand::fill(&mut random);
            SipKey::new(random)
        });
        let mut text = Vec::with_capacity(96);
        for part in [family, &principal.issuer, &principal.subject, id] {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        key.hash(&text)
    }
}
