//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): structured fields that name each limit, what
//! it gives, and of the tightest what is left.

use std::fmt::Write;

use probity_model::bundle::limits::{Limit, LimitAlgorithm, QuotaPeriod};
use probity_policy::limit::{NANOS_PER_SECOND, NEVER, Verdict};

/// The item of one limit in `RateLimit-Policy`. Names are tokens, so that they need no escape.
pub(super) fn policy(limit: &Limit) -> String {
    let name = &limit.name;
    match &limit.algorithm {
        LimitAlgorithm::TokenBucket { burst, rate, per_ms } => {
            let window = u64::from(*burst).saturating_mul(*per_ms).div_ceil(u64::from(*rate).max(1) * 1_000);
            format!("\"{name}\";q={burst};w={}", window.max(1))
        }
        LimitAlgorithm::SlidingWindow { limit, window_ms } => {
            format!("\"{name}\";q={limit};w={}", window_ms.div_ceil(1_000).max(1))
        }
        LimitAlgorithm::Quota { limit, period, .. } => {
            let days = match period {
                QuotaPeriod::Day => 1,
                QuotaPeriod::Month => 30,
            };
            format!("\"{name}\";q={limit};w={}", days * 86_400)
        }
        LimitAlgorithm::Concurrency { limit } => format!("\"{name}\";q={limit};qu=\"concurrent-requests\""),
    }
}

/// The value of `RateLimit`.
pub(super) fn state(name: &str, verdict: &Verdict) -> String {
    let mut out = format!("\"{name}\";r={}", verdict.remaining);
    let wait = if verdict.admitted { verdict.reset_ns } else { verdict.retry_ns };
    if wait > 0 && wait != NEVER {
        let _ = write!(out, ";t={}", seconds(wait));
    }
    out
}

pub(super) const fn seconds(ns: u64) -> u64 {
    ns.div_ceil(NANOS_PER_SECOND)
}

/// Whether one is nearer to its end than another.
pub(super) fn is_tighter(one: &Verdict, other: &Verdict) -> bool {
    u128::from(one.remaining) * u128::from(other.limit.max(1))
        < u128::from(other.remaining) * u128::from(one.limit.max(1))
}

#[cfg(test)]
mod tests {
    use probity_model::EnforcementMode;
    use probity_model::bundle::limits::{LimitCost, LimitMatch};

    use super::*;

    #[test]
    fn fields_are_structured() {
        let limit = |algorithm| Limit {
            name: "api".into(),
            mode: EnforcementMode::Block,
            by: vec![],
            applies: LimitMatch::default(),
            algorithm,
            cost: LimitCost::default(),
        };
        for (algorithm, expected) in [
            (LimitAlgorithm::TokenBucket { burst: 200, rate: 100, per_ms: 1_000 }, "\"api\";q=200;w=2"),
            (LimitAlgorithm::TokenBucket { burst: 1, rate: 100, per_ms: 1_000 }, "\"api\";q=1;w=1"),
            (LimitAlgorithm::SlidingWindow { limit: 30, window_ms: 60_000 }, "\"api\";q=30;w=60"),
            (
                LimitAlgorithm::Quota { limit: 9, period: QuotaPeriod::Day, zone: vec![] },
                "\"api\";q=9;w=86400",
            ),
            (LimitAlgorithm::Concurrency { limit: 4 }, "\"api\";q=4;qu=\"concurrent-requests\""),
        ] {
            assert_eq!(policy(&limit(algorithm)), expected);
        }
        let verdict =
            Verdict { admitted: true, limit: 10, remaining: 4, reset_ns: 1_500_000_000, retry_ns: 0 };
        assert_eq!(state("api", &verdict), "\"api\";r=4;t=2");
        let refused = Verdict { admitted: false, remaining: 0, retry_ns: NEVER, ..verdict };
        assert_eq!(state("api", &refused), "\"api\";r=0");
        assert!(is_tighter(&refused, &verdict) && !is_tighter(&verdict, &verdict));
        assert!(is_tighter(&Verdict { limit: 100, remaining: 30, ..verdict }, &verdict));
    }
}
