//! Tables with a clock that the test moves; what must hold for any sequence is in [`properties`].

use probity_model::bundle::limits::{QuotaPeriod, ZoneOffset};

use super::quota::Reservation;
use super::*;

mod properties;

const S: u64 = NANOS_PER_SECOND;

/// Takes one each at these moments; which were admitted.
fn admitted(times: &[u64], mut take: impl FnMut(u64) -> Verdict) -> Vec<bool> {
    times.iter().map(|at| take(*at).admitted).collect()
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let bucket = TokenBucket::new(3, 2, S);
    let mut slot = Slot::default();
    let start = 100 * S;
    let times = [0, 0, 0, 0, S / 2 - 1, S / 2, S / 2, 2 * S, 2 * S, 2 * S, 2 * S].map(|at| start + at);
    let expected = [true, true, true, false, false, true, false, true, true, true, false];
    assert_eq!(admitted(&times, |at| bucket.take(&mut slot, at, 1)), expected);
}

#[test]
fn a_bucket_tells_what_is_left_and_when() {
    let bucket = TokenBucket::new(4, 1, S);
    let mut slot = Slot::default();
    let first = bucket.take(&mut slot, 10 * S, 3);
    assert_eq!(first, Verdict { admitted: true, limit: 4, remaining: 1, reset_ns: 3 * S, retry_ns: 0 });
    let refused = bucket.take(&mut slot, 10 * S, 2);
    assert_eq!(refused, Verdict { admitted: false, limit: 4, remaining: 1, reset_ns: 3 * S, retry_ns: S });
    assert!(bucket.take(&mut slot, 11 * S, 2).admitted);
    assert_eq!(bucket.take(&mut slot, 11 * S, 5).retry_ns, NEVER);
    bucket.give_back(&mut slot, 2);
    assert_eq!(bucket.take(&mut slot, 11 * S, 0).remaining, 2);
    bucket.charge(&mut slot, 11 * S, 10);
    assert_eq!(bucket.take(&mut slot, 11 * S, 1).retry_ns, 9 * S);
}

#[test]
fn an_uneven_rate_is_rounded_against_the_caller() {
    let bucket = TokenBucket::new(1, 3, S);
    let mut slot = Slot::default();
    assert!(bucket.take(&mut slot, S, 1).admitted);
    assert_eq!(bucket.take(&mut slot, S, 1).retry_ns, 333_333_334);
}

#[test]
fn a_small_window_is_exact() {
    let window = SlidingWindow::new(3, 7 * S);
    let mut slot = Slot::default();
    let times = [70, 72, 74, 74, 77, 78, 79, 80, 85].map(|at| at * S);
    // What came at 70 is in the lane that ends at 71, and leaves when 78 begins.
    let expected = [true, true, true, false, false, true, false, true, true];
    assert_eq!(admitted(&times, |at| window.take(&mut slot, at, 1)), expected);
    let mut slot = Slot::default();
    assert!(window.take(&mut slot, 70 * S, 3).admitted);
    let refused = window.take(&mut slot, 71 * S, 1);
    assert_eq!((refused.remaining, refused.retry_ns), (0, 7 * S));
    assert!(window.take(&mut slot, 78 * S, 3).admitted);
    assert_eq!(window.take(&mut slot, 78 * S, 4).retry_ns, NEVER);
    window.give_back(&mut slot, 2);
    assert_eq!(window.counted(&slot, 78 * S), 1);
}

#[test]
fn a_large_window_weighs_the_former_one() {
    let window = SlidingWindow::new(1_000, 10 * S);
    let mut slot = Slot::default();
    assert!(window.take(&mut slot, 100 * S, 1_000).admitted);
    let refused = window.take(&mut slot, 109 * S, 1);
    assert_eq!((refused.remaining, refused.retry_ns), (0, S + S / 100));
    assert!(!window.take(&mut slot, 110 * S, 1).admitted);
    let half = window.take(&mut slot, 115 * S, 400);
    assert_eq!((half.admitted, half.remaining), (true, 100));
    let refused = window.take(&mut slot, 115 * S, 200);
    assert_eq!((refused.admitted, refused.retry_ns), (false, S));
    assert!(window.take(&mut slot, 116 * S, 200).admitted);
    // Long after, nothing is left of it.
    assert_eq!(window.counted(&slot, 140 * S), 0);
}

#[test]
fn a_clock_that_lags_behind_is_no_new_window() {
    for limit in [5, 1_000] {
        let window = SlidingWindow::new(limit, 10 * S);
        let mut slot = Slot::default();
        assert!(window.take(&mut slot, 100 * S, u64::from(limit)).admitted);
        assert!(!window.take(&mut slot, 98 * S, 1).admitted, "{limit}");
        assert!(!window.take(&mut slot, 100 * S, 1).admitted, "{limit}");
    }
}

#[test]
fn failures_are_counted_past_any_limit() {
    let window = SlidingWindow::new(255, 10 * S);
    let mut slot = Slot::default();
    assert_eq!((0..300).map(|_| window.count(&mut slot, 5 * S)).max(), Some(256));
    assert_eq!(window.counted(&slot, 30 * S), 0);
    let large = SlidingWindow::new(u32::MAX, 10 * S);
    let mut slot = Slot::default();
    assert_eq!((0..300).map(|_| large.count(&mut slot, 5 * S)).max(), Some(300));
}

#[test]
fn different_things_are_estimated() {
    let mut slot = Slot::default();
    let mix = |n: u64| {
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hasher::write_u64(&mut hasher, n);
        std::hash::Hasher::finish(&hasher)
    };
    for _ in 0..100 {
        assert_eq!(distinct::see(&mut slot, S, S, 77), 1);
    }
    for wanted in [5u32, 10, 20, 50, 100] {
        let mut slot = Slot::default();
        let seen = (0..u64::from(wanted)).map(|n| distinct::see(&mut slot, S, S, mix(n))).last().unwrap();
        assert!(seen.abs_diff(wanted) <= wanted / 4 + 2, "{seen} for {wanted}");
    }
    assert_eq!(distinct::see(&mut slot, 2 * S, S, 3), 1);
}

#[test]
fn what_goes_on_at_once_is_counted() {
    let flight = InFlight::default();
    assert_eq!((flight.enter(7, 2), flight.enter(7, 2), flight.enter(7, 2)), (Some(1), Some(2), None));
    assert_eq!(flight.enter(8, 2), Some(1));
    flight.leave(7);
    assert_eq!((flight.of(7), flight.enter(7, 2)), (1, Some(2)));
    for key in [7, 7, 8] {
        flight.leave(key);
    }
    assert_eq!(flight.keys(), 0);
    assert_eq!(flight.enter(7, 0), None);
}

/// `YYYY-MM-DDTHH:MM:SSZ` in Unix seconds.
fn at(text: &str) -> i64 {
    probity_model::Timestamp::parse(text).unwrap().0 / 1_000_000
}

#[test]
fn periods_of_the_calendar() {
    let vienna = [
        ZoneOffset { from: i64::MIN, offset_seconds: 3600 },
        ZoneOffset { from: at("2026-03-29T01:00:00Z"), offset_seconds: 7200 },
        ZoneOffset { from: at("2026-10-25T01:00:00Z"), offset_seconds: 3600 },
    ];
    // The clock jumps from midnight to one: the day begins with the jump.
    let beirut = [
        ZoneOffset { from: i64::MIN, offset_seconds: 7200 },
        ZoneOffset { from: at("2026-03-28T22:00:00Z"), offset_seconds: 10_800 },
    ];
    let (day, month) = (QuotaPeriod::Day, QuotaPeriod::Month);
    let rows: [(&str, QuotaPeriod, &[ZoneOffset], &str, &str); 12] = [
        ("2026-11-21T21:38:45Z", day, &[], "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("2026-11-21T00:00:00Z", day, &[], "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("2026-11-30T23:59:59Z", month, &[], "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12-31T23:59:59Z", month, &[], "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2028-02-29T12:00:00Z", month, &[], "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("2100-02-28T12:00:00Z", month, &[], "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"),
        ("2026-07-01T22:30:00Z", day, &vienna, "2026-07-01T22:00:00Z", "2026-07-02T22:00:00Z"),
        ("2026-03-29T12:00:00Z", day, &vienna, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-10-25T12:00:00Z", day, &vienna, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("2026-10-31T23:30:00Z", month, &vienna, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("2026-03-29T12:00:00Z", day, &beirut, "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"),
        ("2026-03-28T21:59:59Z", day, &beirut, "2026-03-27T22:00:00Z", "2026-03-28T22:00:00Z"),
    ];
    for (moment, period, zone, begins, ends) in rows {
        assert_eq!(calendar::period(at(moment), period, zone), (at(begins), at(ends)), "{moment} {period:?}");
    }
}

#[test]
fn a_quota_ends_with_its_period() {
    let book = QuotaBook::new(100);
    let quota = Quota::new(2, QuotaPeriod::Day, &[]);
    let noon = u64::try_from(at("2026-11-21T12:00:00Z")).unwrap();
    let today = quota.period(noon);
    let take = |period, at| book.take(&quota, 9, period, at, 1).0;
    assert_eq!(take(today, noon).remaining, 1);
    assert!(take(today, noon).admitted);
    let refused = take(today, noon);
    assert_eq!((refused.admitted, refused.retry_ns), (false, 12 * 3600 * S));
    let tomorrow = quota.period(today.ends);
    assert!(today.holds(noon) && !today.holds(today.ends) && tomorrow.holds(today.ends));
    assert_eq!(take(tomorrow, today.ends).remaining, 1);
    book.give_back(9, today.ends, 1);
    assert_eq!(take(tomorrow, today.ends).remaining, 1);
    assert_eq!(book.take(&quota, 9, tomorrow, today.ends, 3).0.retry_ns, NEVER);
}

#[test]
fn what_is_reserved_is_never_less_than_what_was_used() {
    for limit in [1, 2, 3, 10, 63, 64, 100, 1_000, 100_000] {
        let book = QuotaBook::new(100);
        let quota = Quota::new(limit, QuotaPeriod::Month, &[]);
        let noon = u64::try_from(at("2026-11-21T12:00:00Z")).unwrap();
        let period = quota.period(noon);
        let (mut written, mut writes) = (0, 0u64);
        for used in 1..=limit {
            let (verdict, reservation) = book.take(&quota, 5, period, noon, 1);
            assert!(verdict.admitted);
            if let Some(Reservation { used, .. }) = reservation {
                (written, writes) = (used, writes + 1);
            }
            assert!(written >= used && written <= limit, "{limit}: {used} used, {written} written");
            assert!(written - used <= 2 * (limit / 64).max(1), "{limit}: {used} used, {written} written");
        }
        assert!(writes <= 2 + limit.min(130), "{limit}: {writes} writes");
    }
}
