//! The arithmetic of limits: what a call may still take, given what was taken before.
//!
//! Pure: the time is an argument (nanoseconds of a clock that only the caller knows), state is a [`Slot`] of sixteen
//! bytes that the caller keeps, usually in a [`Table`]. What is *not* here: who is counted together (the gateway hashes
//! that into a key), what a refusal looks like, what survives a restart (the gateway's journal).
//!
//! [`bucket`] is the token bucket, [`window`] the sliding window, [`quota`] the calendar's quotas over [`calendar`],
//! [`flight`] what goes on at the same moment, [`distinct`] estimates how many different things were seen.

pub mod bucket;
pub mod calendar;
pub mod distinct;
pub mod flight;
pub mod quota;
pub mod table;
pub mod window;

pub use bucket::TokenBucket;
pub use flight::InFlight;
pub use quota::{Quota, QuotaBook};
pub use table::{Slot, Table};
pub use window::SlidingWindow;

pub const NANOS_PER_MS: u64 = 1_000_000;
pub const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// Of [`Verdict::retry_ns`]: no waiting helps, the cost is more than the limit ever gives.
pub const NEVER: u64 = u64::MAX;

/// What a limit says to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub admitted: bool,
    /// What the limit gives at most.
    pub limit: u64,
    /// What is left of it after this call.
    pub remaining: u64,
    /// Until all of it is there again, if nothing more is taken.
    pub reset_ns: u64,
    /// Until the same call would be admitted; 0 when it was.
    pub retry_ns: u64,
}

#[cfg(test)]
mod tests;
