//! The least pace of a request's body: who sends a few bytes now and then keeps a call open for ever, and many such calls
//! keep a gateway busy (slow POST). The pace is an average since the body was asked for, after a time of grace.

use probity_model::bundle::ConnectionLimits;

/// One body's pace. Times are a worker's coarse milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Bytes a second; 0 asks for none.
    rate: u64,
    grace_ms: u64,
    began_ms: u64,
}

impl Pace {
    pub fn new(limits: &ConnectionLimits, began_ms: u64) -> Self {
        Self {
            rate: u64::from(limits.body_bytes_per_second),
            grace_ms: u64::from(limits.body_grace_ms),
            began_ms,
        }
    }

    /// Asks for nothing: a body that is a conversation (gRPC), or an answer's.
    pub const fn none() -> Self {
        Self { rate: 0, grace_ms: 0, began_ms: 0 }
    }

    /// Milliseconds from now until more has to be there than these bytes.
    pub fn left_ms(&self, bytes: u64, now_ms: u64) -> u64 {
        match bytes.saturating_mul(1_000).checked_div(self.rate) {
            Some(earned) => {
                self.began_ms.saturating_add(self.grace_ms).saturating_add(earned).saturating_sub(now_ms)
            }
            None => u64::MAX,
        }
    }

    pub fn is_late(&self, bytes: u64, now_ms: u64) -> bool {
        self.left_ms(bytes, now_ms) == 0
    }

    /// It was not the sender that waited: its time begins anew.
    pub fn excuse(&mut self, now_ms: u64) {
        self.began_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_must_keep_its_pace() {
        let limits = ConnectionLimits {
            body_bytes_per_second: 100,
            body_grace_ms: 5_000,
            ..ConnectionLimits::default()
        };
        let mut pace = Pace::new(&limits, 1_000);
        for (bytes, now, left) in [
            (0, 1_000, 5_000),
            (0, 5_999, 1),
            (0, 6_000, 0),
            (100, 6_000, 1_000),
            (100, 7_000, 0),
            (9_000, 7_000, 89_000),
        ] {
            assert_eq!(pace.left_ms(bytes, now), left, "{bytes} bytes at {now}");
            assert_eq!(pace.is_late(bytes, now), left == 0);
        }
        pace.excuse(10_000);
        assert_eq!(pace.left_ms(0, 10_000), 5_000);
        assert!(!Pace::none().is_late(0, u64::MAX - 1));
        let any = Pace::new(&ConnectionLimits { body_bytes_per_second: 0, ..limits }, 0);
        assert!(!any.is_late(0, 1 << 40));
    }
}
