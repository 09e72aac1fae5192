//! Decides calls of a million live callers, N times: `bench_limits N [KEYS] [ALGORITHM]`, the algorithm `bucket`,
//! `window` or `quota`. Prints nanoseconds of a decision, how long the slowest of a hundred thousand took together with
//! the clock that timed it, and bytes of a key. For `valgrind --tool=callgrind`, where the cost of one decision is
//! (Ir[2N] - Ir[N]) / N.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use probity_model::bundle::limits::QuotaPeriod;
use probity_policy::limit::{NANOS_PER_SECOND, Quota, QuotaBook, SlidingWindow, Table, TokenBucket};

const NOON: u64 = 1_795_262_400;
/// Decisions that are timed one by one.
const TIMED: usize = 100_000;

/// Keyed hashes are evenly spread; so is this.
fn key(number: u64) -> u64 {
    let mut key = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at: usize, default: u64| std::env::args().nth(at).map_or(Ok(default), |n| n.parse());
    let (rounds, keys) = (number(1, 2_000_000)?, number(2, 1_000_000)?.max(1));
    let algorithm = std::env::args().nth(3).unwrap_or_else(|| "bucket".to_owned());
    let most = usize::try_from(keys)?;
    let (table, book) = (Table::new(most), QuotaBook::new(most));
    let bucket = TokenBucket::new(1_000, 1, 3_600 * NANOS_PER_SECOND);
    let window = SlidingWindow::new(10_000, 3_600 * NANOS_PER_SECOND);
    let quota = Quota::new(1_000_000, QuotaPeriod::Day, &[]);
    let period = quota.period(NOON);
    let start = NOON * NANOS_PER_SECOND;
    let decide = |key: u64, now: u64| match algorithm.as_str() {
        "quota" => book.take(&quota, key, period, NOON, 1).0.admitted,
        "window" => table.update(key, now, |slot| window.take(slot, now, 1)).admitted,
        _ => table.update(key, now, |slot| bucket.take(slot, now, 1)).admitted,
    };
    (0..keys).for_each(|number| {
        black_box(decide(key(number), start));
    });
    let live = if algorithm == "quota" { book.keys(NOON) } else { table.live(start) };
    let bytes = if algorithm == "quota" { book.bytes() } else { table.bytes() };
    let begun = Instant::now();
    let mut admitted = 0u64;
    for turn in 0..rounds {
        // A caller at random: the next one is never in a cache.
        let who = key(turn.wrapping_mul(0x9e37_79b9)) % keys;
        admitted += u64::from(black_box(decide(key(who), start + turn)));
    }
    let nanos = begun.elapsed().as_nanos() / u128::from(rounds.max(1));
    let mut timed: Vec<u128> = (0..TIMED as u64)
        .map(|turn| {
            let who = key(turn.wrapping_mul(0x51_7cc1)) % keys;
            let begun = Instant::now();
            black_box(decide(key(who), start + rounds + turn));
            begun.elapsed().as_nanos()
        })
        .collect();
    timed.sort_unstable();
    let p99 = timed.get(TIMED * 99 / 100).copied().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        r#"{{"figure":"limits","algorithm":"{algorithm}","rounds":{rounds},"live_keys":{live},"ns_per_decision":{nanos},"p99_ns_timed":{p99},"bytes_per_key":{},"admitted":{admitted}}}"#,
        bytes / live.max(1)
    )?;
    Ok(())
}
