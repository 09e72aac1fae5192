//! Gaps: what was accepted and is not (or no longer) on record, and why. A gap never tells more than is known.

use serde::{Deserialize, Serialize};

use probity_model::Timestamp;

/// Gaps kept apart in one segment's footer; further ones are folded into the last.
pub const MAX_GAPS: usize = 4096;

/// So many calls without a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub reason: GapReason,
    /// Calls missing; at least so many when not `exact`.
    pub count: u64,
    pub exact: bool,
    /// They fell between these moments.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The last sequence number before the gap in the record; 0 at its very beginning.
    pub after_sequence: u64,
    /// Set where records with sequence numbers are missing; calls that never got one have none.
    pub missing: Option<SequenceRange>,
}

impl Gap {
    /// Both in one: for lists that are full and losses that follow each other.
    pub(crate) fn fold(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.exact &= other.exact;
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.missing = match (self.missing, other.missing) {
            (Some(a), Some(b)) => {
                Some(SequenceRange { first: a.first.min(b.first), last: a.last.max(b.last) })
            }
            (a, b) => a.or(b),
        };
    }
    /// Appends to a list that never grows past [`MAX_GAPS`].
    pub(crate) fn push(self, list: &mut Vec<Self>) {
        let full = list.len() >= MAX_GAPS;
        match list.last_mut().filter(|last| full || follows(last, &self)) {
            Some(last) => last.fold(&self),
            None => list.push(self),
        }
    }
}

/// Losses of one kind that follow each other within a second are one gap.
fn follows(last: &Gap, next: &Gap) -> bool {
    last.reason == next.reason
        && last.missing.is_none()
        && next.missing.is_none()
        && next.from.since(last.to) < probity_model::time::MICROS_PER_SECOND
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SequenceRange {
    pub first: u64,
    pub last: u64,
}

impl SequenceRange {
    pub const fn count(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
    pub const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// Why. The order is part of the format: add at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The process ended between accepting these calls and syncing their records.
    ProcessStopped,
    /// The machine stopped or restarted; the counter of accepted calls may itself be behind.
    MachineStopped,
    /// The counter of accepted calls is missing or damaged, so that the number is a lower bound.
    CounterLost,
    /// Records could not be written as fast as they came, or not at all, and the queue was full.
    QueueFull,
    /// The record was larger than a record may be.
    TooLarge,
    /// An orderly stop came before these calls ended.
    Unfinished,
    /// Records were written and can no longer be read.
    Damaged,
    /// A whole segment is not where it was.
    Missing,
    /// Kept no longer, by the retention that was configured. Said by the reader only.
    Deleted,
}

impl GapReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProcessStopped => "process-stopped",
            Self::MachineStopped => "machine-stopped",
            Self::CounterLost => "counter-lost",
            Self::QueueFull => "queue-full",
            Self::TooLarge => "too-large",
            Self::Unfinished => "unfinished",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
            Self::Deleted => "deleted",
        }
    }
}
