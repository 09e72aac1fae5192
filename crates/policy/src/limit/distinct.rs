//! How many different things were seen, in one word: linear counting (Whang, Vander-Zanden, Taylor, 1990) over 64 bits.
//! Right to within one or two up to ten, to about a tenth up to [`MOST`]; the same thing seen again never counts.

use super::Slot;

/// The highest estimate: all 64 bits are set.
pub const MOST: u32 = 266;

/// `-64 ln(zeros / 64)`, rounded, by the number of bits that are set.
const ESTIMATES: [u16; 65] = [
    0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 23, 24, 25, 27, 29, 30, 32, 33, 35,
    37, 39, 40, 42, 44, 46, 49, 51, 53, 55, 58, 60, 63, 65, 68, 71, 74, 78, 81, 85, 89, 93, 97, 102, 107,
    113, 119, 126, 133, 142, 151, 163, 177, 196, 222, 266, 266,
];

/// Sees a thing by its hash. What is remembered ends one window after the first thing of it.
pub fn see(slot: &mut Slot, now: u64, window_ns: u64, hash: u64) -> u32 {
    if slot.expires <= now {
        *slot = Slot { value: 0, expires: now.saturating_add(window_ns.max(1)) };
    }
    slot.value |= 1 << (hash & 63);
    seen(slot)
}

/// How many different things a live slot has seen.
pub fn seen(slot: &Slot) -> u32 {
    ESTIMATES.get(slot.value.count_ones() as usize).map_or(MOST, |estimate| u32::from(*estimate))
}
