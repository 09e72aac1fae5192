//! Remembers what identical inputs came to, so that they are judged once.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use probity_model::{Reason, Status};

/// Results kept per generation; two generations live, the older one goes when the younger is full.
const GENERATION_ENTRIES: usize = 16_384;

/// What the rules of one check said of one input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub status: Status,
    pub reasons: Vec<Reason>,
    /// Why the rules could not be run to their end.
    pub problem: Option<String>,
}

/// 128 bits of two keyed hashes: keys are random for each process, so no input can be made to collide with another.
pub(super) type Key = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Memo {
    keys: (RandomState, RandomState),
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<Said>>,
    old: HashMap<Key, Arc<Said>>,
}

impl Memo {
    pub fn key(&self, input: &impl Hash) -> Key {
        (self.keys.0.hash_one(input), self.keys.1.hash_one(input))
    }

    pub fn recall(&self, key: Key) -> Option<Arc<Said>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = generations.young.get(&key) {
            return Some(Arc::clone(said));
        }
        let said = generations.old.remove(&key)?;
        generations.keep(key, Arc::clone(&said));
        Some(said)
    }

    pub fn remember(&self, key: Key, said: Arc<Said>) {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner).keep(key, said);
    }
}

impl Generations {
    fn keep(&mut self, key: Key, said: Arc<Said>) {
        if self.young.len() >= GENERATION_ENTRIES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, said);
    }
}
