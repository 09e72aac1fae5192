//! The moment, injected: gaps, batches and segments are stamped with what a [`Clock`] says.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use probity_model::Timestamp;

/// Tells the moment. Tests move their own.
pub trait Clock: Send + Sync + Debug {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
