//! Quotas of the calendar: how much of a day or a month was used, and how much of it is reserved ahead on disk.
//!
//! A restart must not give twice what was used, and no call waits for the disk. So use is reserved ahead in leases: a
//! take that comes near the end of what is reserved asks for the next lease. After an unclean stop the reservation counts
//! as used. What the caller has to do with a [`Reservation`] is to write it down; this module does no I/O.

use probity_model::bundle::limits::{QuotaPeriod, ZoneOffset};

use super::{NANOS_PER_SECOND, NEVER, Slot, Table, Verdict, calendar};

/// A lease is this part of the quota: what an unclean stop may cost a caller is at most twice that.
const LEASE_PART: u64 = 64;

/// A quota: so much each period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u64,
    period: QuotaPeriod,
    zone: Box<[ZoneOffset]>,
}

/// To be written down: in the period that ends then (Unix seconds), this much of the key counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub key: u64,
    pub ends: u64,
    pub used: u64,
}

/// The period that a moment lies in, in Unix seconds. The caller keeps it while it lasts: the calendar costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    pub begins: u64,
    pub ends: u64,
}

impl Period {
    pub const fn holds(&self, at: u64) -> bool {
        self.begins <= at && at < self.ends
    }
}

/// Use by key, on the clock of Unix seconds. A slot's value is what was used; it expires with its period.
#[derive(Debug)]
pub struct QuotaBook(Table);

impl Quota {
    pub fn new(limit: u64, period: QuotaPeriod, zone: &[ZoneOffset]) -> Self {
        Self { limit: limit.max(1), period, zone: zone.into() }
    }

    pub const fn limit(&self) -> u64 {
        self.limit
    }

    pub fn period(&self, at: u64) -> Period {
        let (begins, ends) = calendar::period(i64::try_from(at).unwrap_or(i64::MAX), self.period, &self.zone);
        Period { begins: u64::try_from(begins).unwrap_or(0), ends: u64::try_from(ends).unwrap_or(u64::MAX) }
    }

    const fn lease(&self) -> u64 {
        let lease = self.limit / LEASE_PART;
        if lease == 0 { 1 } else { lease }
    }

    /// What stands on disk once so much was used: the end of the lease after the next half. Never less than was used.
    fn reserved(&self, used: u64) -> u64 {
        let lease = self.lease();
        let ahead = used.saturating_add((lease / 2).max(1));
        ahead.div_ceil(lease).saturating_mul(lease).min(self.limit.max(used))
    }

    fn reservation(&self, key: u64, before: u64, slot: &Slot) -> Option<Reservation> {
        let used = self.reserved(slot.value);
        (before == 0 || used != self.reserved(before)).then_some(Reservation {
            key,
            ends: slot.expires,
            used,
        })
    }
}

impl QuotaBook {
    /// A book of so many keys.
    pub fn new(keys: usize) -> Self {
        Self(Table::new(keys))
    }

    /// Takes from a key's quota in the period that `at` lies in. What has to be written down comes with the verdict.
    pub fn take(
        &self,
        quota: &Quota,
        key: u64,
        period: Period,
        at: u64,
        cost: u64,
    ) -> (Verdict, Option<Reservation>) {
        let left_ns = period.ends.saturating_sub(at).saturating_mul(NANOS_PER_SECOND);
        let verdict = |used: u64, admitted, retry_ns| Verdict {
            admitted,
            limit: quota.limit,
            remaining: quota.limit.saturating_sub(used),
            reset_ns: left_ns,
            retry_ns,
        };
        self.0.update(key, at, |slot| {
            let before = slot.value;
            let used = before.saturating_add(cost);
            if used > quota.limit {
                let retry_ns = if cost > quota.limit { NEVER } else { left_ns.max(1) };
                return (verdict(before, false, retry_ns), None);
            }
            *slot = Slot { value: used, expires: period.ends };
            (verdict(used, true, 0), quota.reservation(key, before, slot))
        })
    }

    /// Takes what was used already, whatever is left.
    pub fn charge(&self, quota: &Quota, key: u64, period: Period, at: u64, cost: u64) -> Option<Reservation> {
        self.0.update(key, at, |slot| {
            let before = slot.value;
            *slot = Slot { value: before.saturating_add(cost), expires: period.ends };
            quota.reservation(key, before, slot)
        })
    }

    /// Gives back what a call took that another limit then refused.
    pub fn give_back(&self, key: u64, at: u64, cost: u64) {
        self.0.update_kept(key, at, |slot| slot.value = slot.value.saturating_sub(cost));
    }

    /// Takes in what was written down before a restart.
    pub fn recall(&self, kept: Reservation, at: u64) {
        self.0.update(kept.key, at, |slot| *slot = Slot { value: kept.used, expires: kept.ends });
    }

    /// What was used in periods that still last, exactly: to be written down when nothing is taken any more.
    pub fn settle(&self, at: u64) -> Vec<Reservation> {
        let entries = self.0.entries(at).into_iter();
        entries.map(|(key, slot)| Reservation { key, ends: slot.expires, used: slot.value }).collect()
    }

    /// Bytes that the book has taken.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Keys whose period lasts.
    pub fn keys(&self, at: u64) -> usize {
        self.0.live(at)
    }
}
