//! What holds for any calls at any times.

use proptest::prelude::*;

use super::*;

/// Moments of calls, each with its cost.
fn calls() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0u64..2_000_000_000, 1u64..4), 1..200).prop_map(|steps| {
        let mut now = 50 * S;
        let mut calls = Vec::new();
        for (step, cost) in steps {
            // Mostly close together, sometimes not at all.
            now += if step % 3 == 0 { step } else { step % 1_000_000 };
            calls.push((now, cost));
        }
        calls
    })
}

/// The most that was admitted in any half-open span of this length.
fn most_within(admitted: &[(u64, u64)], span: u64) -> u64 {
    let from = |start: usize| {
        let first = admitted[start].0;
        admitted[start..].iter().take_while(|(at, _)| at - first < span).map(|(_, cost)| cost).sum()
    };
    (0..admitted.len()).map(from).max().unwrap_or(0)
}

fn run(
    calls: &[(u64, u64)],
    mut take: impl FnMut(u64, u64) -> Verdict,
) -> Result<Vec<(u64, u64)>, TestCaseError> {
    let mut admitted = Vec::new();
    for (at, cost) in calls {
        let verdict = take(*at, *cost);
        prop_assert!(verdict.remaining <= verdict.limit);
        prop_assert_eq!(verdict.admitted, verdict.retry_ns == 0);
        if verdict.admitted {
            admitted.push((*at, *cost));
        }
    }
    Ok(admitted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bucket_never_gives_more(calls in calls(), burst in 1u64..20, rate in 1u64..50, per in 1u64..3) {
        let bucket = TokenBucket::new(burst, rate, per * S);
        let mut slot = Slot::default();
        let admitted = run(&calls, |at, cost| bucket.take(&mut slot, at, cost))?;
        for start in 0..admitted.len() {
            let mut sum = 0u64;
            for (at, cost) in &admitted[start..] {
                sum += cost;
                let passed = u128::from(at - admitted[start].0);
                let allowed = u128::from(burst) + passed * u128::from(rate) / u128::from(per * S);
                prop_assert!(u128::from(sum) <= allowed, "{} in {} ns", sum, passed);
            }
        }
    }

    #[test]
    fn waiting_as_told_is_enough(calls in calls(), limit in 3u32..400, window in 1u64..5, bucket in any::<bool>()) {
        let (tokens, sliding) = (TokenBucket::new(u64::from(limit), 7, S), SlidingWindow::new(limit, window * S));
        let take = |slot: &mut Slot, at, cost| match bucket {
            true => tokens.take(slot, at, cost),
            false => sliding.take(slot, at, cost),
        };
        let mut slot = Slot::default();
        for (at, cost) in calls {
            let verdict = take(&mut slot, at, cost);
            if !verdict.admitted {
                let mut later = slot;
                prop_assert!(take(&mut later, at + verdict.retry_ns, cost).admitted, "{:?}", verdict);
            }
        }
    }

    #[test]
    fn a_small_window_never_holds_more(calls in calls(), limit in 1u32..=255, window in 1u64..5) {
        let sliding = SlidingWindow::new(limit, window * S);
        let mut slot = Slot::default();
        let admitted = run(&calls, |at, cost| sliding.take(&mut slot, at, cost))?;
        prop_assert!(most_within(&admitted, window * S) <= u64::from(limit));
    }

    #[test]
    fn a_large_window_keeps_its_bound(calls in calls(), window in 1u64..5) {
        let limit = 256;
        let sliding = SlidingWindow::new(limit, window * S);
        let mut slot = Slot::default();
        let admitted = run(&calls, |at, cost| sliding.take(&mut slot, at, cost))?;
        prop_assert!(most_within(&admitted, window * S) < 2 * u64::from(limit));
        let mut by_window = std::collections::BTreeMap::new();
        admitted.iter().for_each(|(at, cost)| *by_window.entry(at / (window * S)).or_insert(0) += cost);
        prop_assert!(by_window.values().all(|sum| *sum <= u64::from(limit)));
    }

    #[test]
    fn giving_back_undoes_a_take(calls in calls(), limit in 4u32..400) {
        let (tokens, sliding) = (TokenBucket::new(u64::from(limit), 7, S), SlidingWindow::new(limit, S));
        let (mut bucket, mut window) = (Slot::default(), Slot::default());
        for (at, cost) in calls {
            if tokens.take(&mut bucket, at, cost).admitted {
                tokens.give_back(&mut bucket, cost);
            }
            prop_assert_eq!(tokens.take(&mut bucket, at, 0).remaining, u64::from(limit));
            if sliding.take(&mut window, at, cost).admitted {
                sliding.give_back(&mut window, cost);
            }
            prop_assert_eq!(sliding.counted(&window, at), 0);
        }
    }

    /// Against a plain map: nothing is made up, nothing live is lost before the table is full.
    #[test]
    fn a_table_is_a_map(steps in prop::collection::vec((any::<u64>(), 0u64..500, 1u64..60), 1..600)) {
        let table = Table::new(100_000);
        let mut map = std::collections::HashMap::<u64, Slot>::new();
        let mut now = 1;
        for (random, key, lives) in steps {
            now += random % 3;
            let key = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let kept = map.get(&key).copied().filter(|slot| slot.expires > now);
            prop_assert_eq!(table.peek(key, now), kept);
            let slot = Slot { value: random, expires: now + lives };
            table.update(key, now, |found| {
                assert_eq!(*found, kept.unwrap_or_default());
                *found = slot;
            });
            map.insert(key, slot);
        }
        map.retain(|_, slot| slot.expires > now);
        prop_assert_eq!(table.live(now), map.len());
        prop_assert_eq!(table.entries(now).into_iter().collect::<std::collections::HashMap<_, _>>(), map);
        prop_assert_eq!(table.evicted(), 0);
    }
}

#[test]
fn a_full_table_forgets_what_would_end_first() {
    let table = Table::new(1_000);
    let capacity = table.capacity();
    assert!((1_000..5_000).contains(&capacity), "{capacity}");
    let key =
        |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let keep = |n: u64, expires| table.update(key(n), 1, |slot| *slot = Slot { value: n, expires });
    (0..20_000).for_each(|n| keep(n, 100 + n));
    assert!(table.live(1) <= capacity);
    assert!(table.live(1) > capacity * 9 / 10, "{} of {capacity}", table.live(1));
    assert!(table.evicted() >= 20_000 - capacity as u64);
    assert!(table.bytes() <= capacity * 24 + 64 * 64);
    // The last ones live longest and are all but all there.
    let kept = (19_000..20_000).filter(|n| table.peek(key(*n), 1).is_some()).count();
    assert!(kept > 950, "{kept}");
    // What has ended makes room again.
    let evicted = table.evicted();
    assert_eq!(table.live(30_000), 0);
    (0..500).for_each(|n| table.update(key(n), 30_000, |slot| *slot = Slot { value: n, expires: 40_000 }));
    assert_eq!((table.live(30_000), table.evicted()), (500, evicted));
    table.forget(key(3));
    assert_eq!((table.peek(key(3), 30_000), table.live(30_000)), (None, 499));
}

#[test]
fn a_table_takes_memory_as_keys_come() {
    let table = Table::new(1_000_000);
    assert!(table.bytes() < 100_000);
    let key =
        |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..10_000).for_each(|n| table.update(key(n), 1, |slot| slot.expires = 2));
    assert_eq!((table.live(1), table.evicted()), (10_000, 0));
    assert!(table.bytes() < 10_000 * 100, "{}", table.bytes());
}

/// Many threads on few keys: what is given is what the limit has, to the piece.
#[test]
fn threads_share_one_allowance() {
    let (table, bucket) = (Table::new(100), TokenBucket::new(1_000, 1, 1_000 * S));
    let flight = InFlight::default();
    let admitted: u64 = std::thread::scope(|scope| {
        let work = || {
            let mut admitted = 0;
            for _ in 0..1_000 {
                let verdict = table.update(42, S, |slot| bucket.take(slot, S, 1));
                admitted += u64::from(verdict.admitted);
                if flight.enter(1, 2).is_some() {
                    assert!(flight.of(1) <= 2);
                    flight.leave(1);
                }
            }
            admitted
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((admitted, flight.keys()), (1_000, 0));
}
