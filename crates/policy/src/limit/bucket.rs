//! Token bucket as the generic cell rate algorithm (ITU-T I.371): the whole state is the moment at which the bucket will
//! be full again, so a slot that has expired is a full bucket and can be forgotten.

use super::{NEVER, Slot, Verdict};

/// So many at once (`burst`), then one each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    burst: u64,
    interval_ns: u64,
}

impl TokenBucket {
    /// `rate` each `per_ns`. The interval is rounded up: never more than was said.
    pub fn new(burst: u64, rate: u64, per_ns: u64) -> Self {
        Self { burst: burst.max(1), interval_ns: per_ns.div_ceil(rate.max(1)).max(1) }
    }

    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// Time in which an empty bucket fills.
    pub const fn fill_ns(&self) -> u64 {
        self.burst.saturating_mul(self.interval_ns)
    }

    pub fn take(&self, slot: &mut Slot, now: u64, cost: u64) -> Verdict {
        let full_at = slot.expires.max(now);
        let next = full_at.saturating_add(cost.saturating_mul(self.interval_ns));
        let horizon = now.saturating_add(self.fill_ns());
        if next > horizon {
            let retry_ns = if cost > self.burst { NEVER } else { next - horizon };
            return self.verdict(full_at - now, false, retry_ns);
        }
        slot.expires = next;
        self.verdict(next - now, true, 0)
    }

    /// Takes what was used already, whatever is left: further calls wait until it is made up for.
    pub fn charge(&self, slot: &mut Slot, now: u64, cost: u64) {
        slot.expires = slot.expires.max(now).saturating_add(cost.saturating_mul(self.interval_ns));
    }

    /// Gives back what a call took that another limit then refused.
    pub fn give_back(&self, slot: &mut Slot, cost: u64) {
        slot.expires = slot.expires.saturating_sub(cost.saturating_mul(self.interval_ns));
    }

    fn verdict(&self, owed_ns: u64, admitted: bool, retry_ns: u64) -> Verdict {
        let remaining = self.fill_ns().saturating_sub(owed_ns) / self.interval_ns;
        Verdict { admitted, limit: self.burst, remaining, reset_ns: owed_ns, retry_ns }
    }
}
