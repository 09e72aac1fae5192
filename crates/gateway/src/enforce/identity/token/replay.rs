//! DPoP proofs seen: each counts once (RFC 9449, section 11.1). Remembered by 128 bits of keyed hash for as long as they
//! could be presented again; where there is no room, proofs are refused rather than forgotten.

use std::collections::HashSet;
use std::sync::Mutex;

use probity_model::Timestamp;

use crate::siphash::SipKey;
use crate::watch::lock;

const SHARDS: usize = 16;

#[derive(Debug)]
pub(super) struct Replay {
    keys: [SipKey; 2],
    shards: [Mutex<Seen>; SHARDS],
}

#[derive(Debug, Default)]
struct Seen {
    young: HashSet<u128>,
    old: HashSet<u128>,
    /// The period of the young generation: time divided by how long a proof can be replayed.
    period: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    First,
    Again,
    /// Nobody can tell any more.
    Full,
}

impl Replay {
    pub fn new(keys: [SipKey; 2]) -> Self {
        Self { keys, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Takes the proof of that name (key and `jti`) into the set. `life_micros` is how long the same proof would be
    /// accepted; `entries` how many may be remembered.
    pub fn see(&self, name: &[u8], now: Timestamp, life_micros: i64, entries: usize) -> Sight {
        let [high, low] = self.keys.map(|key| key.hash(name));
        let hash = u128::from(high) << 64 | u128::from(low);
        let period = now.0.div_euclid(life_micros.max(1));
        #[allow(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
        let mut seen = lock(&self.shards[(low >> 32) as usize % SHARDS]);
        // A period that lies before, by a clock set back, forgets nothing.
        match period.saturating_sub(seen.period) {
            ..=0 => {}
            1 => {
                seen.old = std::mem::take(&mut seen.young);
                seen.period = period;
            }
            _ => *seen = Seen { period, ..Seen::default() },
        }
        if seen.young.contains(&hash) || seen.old.contains(&hash) {
            return Sight::Again;
        }
        if seen.young.len() + seen.old.len() >= entries.div_ceil(SHARDS) {
            return Sight::Full;
        }
        seen.young.insert(hash);
        Sight::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_counts_once_while_it_could_return() {
        let replay = Replay::new([SipKey::new([1; 16]), SipKey::new([2; 16])]);
        let life = 120_000_000;
        let see = |name: &str, seconds: i64| {
            replay.see(name.as_bytes(), Timestamp::from_seconds(seconds), life, 1_000)
        };
        assert_eq!(see("a", 1_000), Sight::First);
        for seconds in [1_000, 1_001, 1_119, 1_120] {
            assert_eq!(see("a", seconds), Sight::Again, "{seconds}");
        }
        assert_eq!(see("b", 1_120), Sight::First);
        assert_eq!(see("b", 900), Sight::Again, "a clock set back");
        assert_eq!(see("b", 1_239), Sight::Again);
        assert_eq!(see("a", 9_000), Sight::First);
        let small = |name: u32| replay.see(&name.to_be_bytes(), Timestamp::from_seconds(9_000), life, 160);
        let sights: Vec<_> = (0..1_000).map(small).collect();
        assert!(sights.contains(&Sight::Full));
        assert!(sights.iter().filter(|sight| **sight == Sight::First).count() <= 176);
    }
}
