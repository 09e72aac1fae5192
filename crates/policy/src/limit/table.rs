//! State of millions of keys in bounded memory: open addressing, 24 bytes a place, locks by shard.
//!
//! A key is a keyed 64-bit hash that the caller makes; among a million keys two are the same with a chance of one in
//! thirty million, and nobody who lacks the hash's key can bring it about. Each key has two buckets of eight places; a
//! place whose [`Slot`] has expired is free. A shard whose two buckets are full doubles, up to the bound; then the place
//! goes that would have expired first, which is the one that forgets least.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A power of two; shards are picked by the highest bits of a key.
const SHARDS: usize = 64;
const SHARD_SHIFT: u32 = 64 - SHARDS.ilog2();
/// Places of a bucket: the keys are one cache line.
const PLACES: usize = 8;
/// Buckets of a shard that holds little.
const LEAST_BUCKETS: usize = 4;
/// Most buckets of a shard, so that the two picks of a key use different bits of it.
const MOST_BUCKETS: usize = 1 << 22;
const SECOND_SHIFT: u32 = 24;

/// What is kept of one key. One that has expired is the same as none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    pub value: u64,
    /// On the caller's clock; 0 for none.
    pub expires: u64,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    keys: [u64; PLACES],
    values: [u64; PLACES],
    expires: [u64; PLACES],
}

const EMPTY: Bucket = Bucket { keys: [0; PLACES], values: [0; PLACES], expires: [0; PLACES] };

#[derive(Debug)]
struct Shard {
    /// A power of two of them.
    buckets: Vec<Bucket>,
    most: usize,
    evicted: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Table {
    shards: Box<[Mutex<Shard>]>,
}

/// Where a place is.
#[derive(Clone, Copy)]
struct At {
    bucket: usize,
    place: usize,
}

impl Table {
    /// A table for so many live keys; it has room for a little more, and takes its memory as keys come.
    pub fn new(keys: usize) -> Self {
        // Two buckets of eight to choose from fill to nine tenths before both are full.
        let wanted = keys.div_ceil(SHARDS).saturating_mul(10).div_ceil(9).div_ceil(PLACES);
        let most = wanted.next_power_of_two().clamp(LEAST_BUCKETS, MOST_BUCKETS);
        let shard = || Mutex::new(Shard { buckets: Vec::new(), most, evicted: 0 });
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    /// Changes what is kept of a key; a new one starts with nothing. A slot left expired is forgotten.
    pub fn update<R>(&self, key: u64, now: u64, change: impl FnOnce(&mut Slot) -> R) -> R {
        self.shard(key).update(key, now, change)
    }

    /// Changes what is kept of a key, if anything is.
    pub fn update_kept<R>(&self, key: u64, now: u64, change: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        let mut shard = self.shard(key);
        let at = shard.find(key, now)?;
        let mut slot = shard.read(at);
        let result = change(&mut slot);
        shard.write(at, key, slot);
        Some(result)
    }

    pub fn peek(&self, key: u64, now: u64) -> Option<Slot> {
        let shard = self.shard(key);
        shard.find(key, now).map(|at| shard.read(at))
    }

    pub fn forget(&self, key: u64) {
        let mut shard = self.shard(key);
        if let Some(at) = shard.find(key, 0) {
            shard.write(at, key, Slot::default());
        }
    }

    /// Keys whose slots have not expired. Walks the whole table.
    pub fn live(&self, now: u64) -> usize {
        self.sum(|shard| {
            shard.buckets.iter().flat_map(|bucket| bucket.expires).filter(|at| *at > now).count()
        })
    }

    /// All of them, by no order. Locks one shard after the other.
    pub fn entries(&self, now: u64) -> Vec<(u64, Slot)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            for bucket in &lock(shard).buckets {
                let slots = bucket.values.into_iter().zip(bucket.expires);
                let slots = slots.map(|(value, expires)| Slot { value, expires });
                all.extend(bucket.keys.into_iter().zip(slots).filter(|(_, slot)| slot.expires > now));
            }
        }
        all
    }

    /// Bytes that the table has taken.
    pub fn bytes(&self) -> usize {
        self.sum(|shard| shard.buckets.len() * size_of::<Bucket>()) + SHARDS * size_of::<Mutex<Shard>>()
    }

    /// Most keys that there will ever be room for.
    pub fn capacity(&self) -> usize {
        self.sum(|shard| shard.most * PLACES)
    }

    /// Keys that were forgotten before they expired.
    pub fn evicted(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).evicted).sum()
    }

    fn sum(&self, of: impl Fn(&Shard) -> usize) -> usize {
        self.shards.iter().map(|shard| of(&lock(shard))).sum()
    }

    #[allow(clippy::indexing_slicing, reason = "as many shards as the shift leaves numbers")]
    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(key >> SHARD_SHIFT) as usize])
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "buckets are masked to the vector's length, places come from the array's"
)]
impl Shard {
    fn picks(&self, key: u64) -> [usize; 2] {
        let mask = self.buckets.len().wrapping_sub(1);
        [key as usize & mask, (key >> SECOND_SHIFT) as usize & mask]
    }

    fn find(&self, key: u64, now: u64) -> Option<At> {
        if self.buckets.is_empty() {
            return None;
        }
        self.picks(key).into_iter().find_map(|bucket| {
            let kept = &self.buckets[bucket];
            let place = (0..PLACES).find(|place| kept.keys[*place] == key && kept.expires[*place] > now)?;
            Some(At { bucket, place })
        })
    }

    fn read(&self, at: At) -> Slot {
        let bucket = &self.buckets[at.bucket];
        Slot { value: bucket.values[at.place], expires: bucket.expires[at.place] }
    }

    fn write(&mut self, at: At, key: u64, slot: Slot) {
        let bucket = &mut self.buckets[at.bucket];
        bucket.keys[at.place] = key;
        bucket.values[at.place] = slot.value;
        bucket.expires[at.place] = slot.expires;
    }

    fn update<R>(&mut self, key: u64, now: u64, change: impl FnOnce(&mut Slot) -> R) -> R {
        if let Some(at) = self.find(key, now) {
            let mut slot = self.read(at);
            let result = change(&mut slot);
            self.write(at, key, slot);
            return result;
        }
        let mut slot = Slot::default();
        let result = change(&mut slot);
        if slot.expires > now {
            let at = self.room(key, now);
            self.write(at, key, slot);
        }
        result
    }

    /// A place for a new key: a free one, of the emptier bucket; else the shard grows; else the place that would have
    /// expired first.
    fn room(&mut self, key: u64, now: u64) -> At {
        if self.buckets.is_empty() {
            self.buckets = vec![EMPTY; LEAST_BUCKETS.min(self.most)];
        }
        loop {
            if let Some(at) = self.free(key, now) {
                return at;
            }
            if self.buckets.len() >= self.most {
                self.evicted += 1;
                return self.first_to_expire(key);
            }
            self.grow(now);
        }
    }

    fn free(&self, key: u64, now: u64) -> Option<At> {
        let free = |bucket: usize| self.buckets[bucket].expires.iter().filter(|at| **at <= now).count();
        let [first, second] = self.picks(key);
        let bucket = if free(second) > free(first) { second } else { first };
        let place = (0..PLACES).find(|place| self.buckets[bucket].expires[*place] <= now)?;
        Some(At { bucket, place })
    }

    fn first_to_expire(&self, key: u64) -> At {
        let [first, second] = self.picks(key);
        let places =
            [first, second].into_iter().flat_map(|bucket| (0..PLACES).map(move |place| At { bucket, place }));
        places
            .min_by_key(|at| self.buckets[at.bucket].expires[at.place])
            .unwrap_or(At { bucket: first, place: 0 })
    }

    fn grow(&mut self, now: u64) {
        let doubled = vec![EMPTY; self.buckets.len() * 2];
        let old = std::mem::replace(&mut self.buckets, doubled);
        for bucket in old {
            for place in 0..PLACES {
                let slot = Slot { value: bucket.values[place], expires: bucket.expires[place] };
                if slot.expires <= now {
                    continue;
                }
                let key = bucket.keys[place];
                let at = self.free(key, now).unwrap_or_else(|| {
                    self.evicted += 1;
                    self.first_to_expire(key)
                });
                self.write(at, key, slot);
            }
        }
    }
}

/// A poisoned lock still guards whole values: nothing panics between the writes of a place.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
