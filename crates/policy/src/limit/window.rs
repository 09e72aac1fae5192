//! Sliding window. Up to [`EXACT_MOST`] it is kept in eight lanes of a seventh of the window each: never more than the
//! limit in *any* window, at the price that a count leaves up to a seventh late. Above, in two whole windows, the former
//! one weighted by what of it is still inside: at most the limit in any aligned window and, as the weighting takes the
//! former one's calls for evenly spread, less than twice the limit in any other.

use super::{NEVER, Slot, Verdict};

/// The highest limit that is kept in lanes: one byte each.
pub const EXACT_MOST: u32 = 255;
const LANES: u64 = 8;
const LANE_BITS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    limit: u32,
    window_ns: u64,
}

/// The state as of now, whichever way it is kept.
#[derive(Clone, Copy, Debug)]
struct State {
    /// Number of the newest lane or window.
    index: u64,
    value: u64,
}

impl SlidingWindow {
    pub fn new(limit: u32, window_ns: u64) -> Self {
        Self { limit: limit.max(1), window_ns: window_ns.max(LANES) }
    }

    pub const fn limit(&self) -> u32 {
        self.limit
    }

    pub const fn window_ns(&self) -> u64 {
        self.window_ns
    }

    const fn is_exact(&self) -> bool {
        self.limit <= EXACT_MOST
    }

    const fn lane_ns(&self) -> u64 {
        self.window_ns.div_ceil(LANES - 1)
    }

    pub fn take(&self, slot: &mut Slot, now: u64, cost: u64) -> Verdict {
        let state = self.state(slot, now);
        let used = self.used(state, now);
        let limit = u64::from(self.limit);
        if used.saturating_add(cost) > limit {
            let retry_ns = if cost > limit { NEVER } else { self.wait(state, now, cost) };
            return self.verdict(used, false, now, state, retry_ns);
        }
        self.add(slot, state, cost);
        self.verdict(used + cost, true, now, state, 0)
    }

    /// Counts without a limit; gives what the window now holds, at most what can be counted.
    pub fn count(&self, slot: &mut Slot, now: u64) -> u64 {
        let state = self.state(slot, now);
        let used = self.used(state, now);
        if !self.is_exact() || used < u64::from(EXACT_MOST) {
            self.add(slot, state, 1);
        }
        used + 1
    }

    /// What the window holds.
    pub fn counted(&self, slot: &Slot, now: u64) -> u64 {
        self.used(self.state(slot, now), now)
    }

    /// Takes what was used already, whatever is left.
    pub fn charge(&self, slot: &mut Slot, now: u64, cost: u64) {
        let state = self.state(slot, now);
        self.add(slot, state, cost);
    }

    /// Gives back what a call took at this moment that another limit then refused.
    pub fn give_back(&self, slot: &mut Slot, cost: u64) {
        let newest = slot.value & self.newest_mask();
        slot.value -= newest.min(cost);
    }

    const fn newest_mask(&self) -> u64 {
        if self.is_exact() { u8::MAX as u64 } else { u32::MAX as u64 }
    }

    fn state(&self, slot: &Slot, now: u64) -> State {
        let (width, kept, bits) =
            if self.is_exact() { (self.lane_ns(), LANES, LANE_BITS) } else { (self.window_ns, 2, 32) };
        let index = now / width;
        // The slot expires when its newest lane has left the window, which tells the lane's number.
        let newest = (slot.expires / width).saturating_sub(kept);
        // A clock read a moment before another thread's may lie behind: that counts as the same moment.
        let index = if slot.expires == 0 { index } else { index.max(newest) };
        let age = (index - newest.min(index)).saturating_mul(bits);
        let shift = u32::try_from(age).unwrap_or(u32::MAX);
        let value = if slot.expires == 0 { 0 } else { slot.value.checked_shl(shift).unwrap_or(0) };
        State { index, value }
    }

    fn used(&self, state: State, now: u64) -> u64 {
        if self.is_exact() {
            return state.value.to_le_bytes().into_iter().map(u64::from).sum();
        }
        let (former, current) = (state.value >> 32, state.value & u64::from(u32::MAX));
        let inside = self.window_ns - self.elapsed(state, now);
        let weighted = (u128::from(former) * u128::from(inside)).div_ceil(u128::from(self.window_ns));
        current + u64::try_from(weighted).unwrap_or(u64::MAX)
    }

    /// Time since the newest window began.
    fn elapsed(&self, state: State, now: u64) -> u64 {
        now.saturating_sub(state.index.saturating_mul(self.window_ns)).min(self.window_ns)
    }

    fn add(&self, slot: &mut Slot, state: State, cost: u64) {
        let mask = self.newest_mask();
        let newest = state.value & mask;
        slot.value = (state.value & !mask) | newest.saturating_add(cost).min(mask);
        let (width, kept) = if self.is_exact() { (self.lane_ns(), LANES) } else { (self.window_ns, 2) };
        slot.expires = state.index.saturating_add(kept).saturating_mul(width);
    }

    /// Until `cost`, which fits the limit, fits what is left.
    fn wait(&self, state: State, now: u64, cost: u64) -> u64 {
        let room = u64::from(self.limit) - cost;
        if self.is_exact() {
            let mut used = self.used(state, now);
            for (age, count) in state.value.to_le_bytes().into_iter().enumerate().rev() {
                let age = age as u64;
                used -= u64::from(count);
                if used <= room {
                    let leaves = (state.index - age.min(state.index) + LANES) * self.lane_ns();
                    return leaves.saturating_sub(now).max(1);
                }
            }
            return self.window_ns;
        }
        let (former, current) = (state.value >> 32, state.value & u64::from(u32::MAX));
        let elapsed = self.elapsed(state, now);
        // The share of a window that must have passed before this much of `count` is left.
        let passed = |count: u64, room: u64| {
            let keep = u128::from(self.window_ns) * u128::from(room) / u128::from(count.max(1));
            self.window_ns - u64::try_from(keep).unwrap_or(u64::MAX).min(self.window_ns)
        };
        if current <= room {
            return passed(former, room - current).saturating_sub(elapsed).max(1);
        }
        (self.window_ns - elapsed) + passed(current, room)
    }

    fn verdict(&self, used: u64, admitted: bool, now: u64, state: State, retry_ns: u64) -> Verdict {
        let limit = u64::from(self.limit);
        let ends = if self.is_exact() {
            (state.index + LANES) * self.lane_ns()
        } else {
            (state.index + 2) * self.window_ns
        };
        let reset_ns = if used == 0 { 0 } else { ends.saturating_sub(now) };
        Verdict { admitted, limit, remaining: limit.saturating_sub(used), reset_ns, retry_ns }
    }
}
