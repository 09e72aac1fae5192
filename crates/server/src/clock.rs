//! The one place that reads the wall clock for the control plane.

use std::time::{SystemTime, UNIX_EPOCH};

use probity_model::Timestamp;

/// Now, in microseconds since 1970; 0 for a clock set before that.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
