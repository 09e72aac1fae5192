//! What goes on at the same moment, by key. Bounded by the calls that a gateway has open: a key without any is gone.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A power of two.
const SHARDS: usize = 16;
/// Most keys of a shard; beyond it new ones are refused.
const MAX_KEYS: usize = 1 << 16;

/// Keys are keyed hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Hashed>>;

#[derive(Debug)]
pub struct InFlight {
    shards: [Mutex<ByHash<u32>>; SHARDS],
}

impl Default for InFlight {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl InFlight {
    /// One more of a key, if that stays within the limit: how many there are then. Each one entered has to leave.
    pub fn enter(&self, key: u64, limit: u32) -> Option<u32> {
        let mut shard = self.shard(key);
        let now = shard.get(&key).copied().unwrap_or(0);
        if now >= limit || (now == 0 && shard.len() >= MAX_KEYS) {
            return None;
        }
        shard.insert(key, now + 1);
        Some(now + 1)
    }

    pub fn leave(&self, key: u64) {
        let mut shard = self.shard(key);
        match shard.get_mut(&key) {
            Some(now) if *now > 1 => *now -= 1,
            _ => drop(shard.remove(&key)),
        }
    }

    pub fn of(&self, key: u64) -> u32 {
        self.shard(key).get(&key).copied().unwrap_or(0)
    }

    /// Keys of which there is at least one.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    #[allow(clippy::indexing_slicing, reason = "taken modulo the number of shards")]
    fn shard(&self, key: u64) -> MutexGuard<'_, ByHash<u32>> {
        // The map itself uses the low and the highest bits.
        self.shards[(key >> 32) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
