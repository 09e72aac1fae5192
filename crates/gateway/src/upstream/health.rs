//! Whether an upstream is worth asking: what its last answers say (the breaker), what it says when asked (the check), and
//! how often a service may ask twice (the budget).

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use probity_http1::{BodyFraming, Limits, write_request_head};
use probity_model::bundle::network::{Breaker, HealthCheck, Retries};

use super::{Endpoint, Fresh};
use crate::gateway::now;

/// Retries that a quiet service may have saved up.
const MAX_SAVED: i64 = 10 * FULL;
/// One retry, in hundredths.
const FULL: i64 = 100;

/// What is known of an upstream; lives as long as its connections do.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failures: AtomicU32,
    /// Milliseconds of the wall clock; 0 while closed.
    open_until: AtomicU64,
    /// One call may try an upstream whose time is up.
    probing: AtomicBool,
    down: AtomicBool,
    /// Which of the checks that were started for it is in force.
    generation: AtomicU64,
}

impl Health {
    /// Whether a call may be sent there. An open breaker lets one call through once its time is up.
    pub fn admits(&self, breaker: Option<&Breaker>) -> bool {
        if breaker.is_none() {
            return true;
        }
        match self.open_until.load(Relaxed) {
            0 => true,
            until if until > now_ms() => false,
            _ => !self.probing.swap(true, Relaxed),
        }
    }

    /// Whether the check took it out.
    pub fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    /// Takes what became of a call.
    pub fn tell(&self, breaker: Option<&Breaker>, well: bool) {
        let Some(breaker) = breaker else { return };
        if well {
            self.failures.store(0, Relaxed);
            self.open_until.store(0, Relaxed);
        } else if self.failures.fetch_add(1, Relaxed).saturating_add(1) >= breaker.failures {
            self.open_until.store(now_ms().saturating_add(breaker.open_ms).max(1), Relaxed);
        }
        self.probing.store(false, Relaxed);
    }

    /// Starts a check of its own count; any before it ends by itself.
    pub fn next_generation(&self) -> u64 {
        self.down.store(false, Relaxed);
        self.generation.fetch_add(1, Relaxed) + 1
    }
}

/// How many retries a service has left: every call earns a part of one.
#[derive(Debug)]
pub(crate) struct Budget {
    pub retries: Retries,
    saved: AtomicI64,
}

impl Budget {
    pub fn new(retries: Retries) -> Self {
        Self { retries, saved: AtomicI64::new(FULL) }
    }

    pub fn earn(&self) {
        if self.saved.load(Relaxed) < MAX_SAVED {
            self.saved.fetch_add(i64::from(self.retries.budget_percent), Relaxed);
        }
    }

    /// Takes one retry, if there is one.
    pub fn spend(&self) -> bool {
        self.saved.fetch_update(Relaxed, Relaxed, |saved| (saved >= FULL).then_some(saved - FULL)).is_ok()
    }
}

/// Asks an upstream at intervals, until it or this check is no longer in use.
pub(crate) async fn watch(endpoint: Weak<Endpoint>, check: HealthCheck, generation: u64, worker: usize) {
    let (mut good, mut bad) = (0_u32, 0_u32);
    loop {
        tokio::time::sleep(Duration::from_millis(check.every_ms)).await;
        let Some(endpoint) = endpoint.upgrade() else { return };
        if endpoint.health.generation.load(Relaxed) != generation {
            return;
        }
        let asked = tokio::time::timeout(
            Duration::from_millis(check.timeout_ms.max(1)),
            ask(&endpoint, &check.path, worker, check.timeout_ms),
        );
        let well = matches!(asked.await, Ok(Some(status)) if status < 400);
        (good, bad) = if well { (good.saturating_add(1), 0) } else { (0, bad.saturating_add(1)) };
        let (was, name) = (endpoint.health.is_down(), &endpoint.upstream.host);
        if !was && bad >= check.unhealthy {
            tracing::warn!(upstream = %name, port = endpoint.upstream.port, "taken out: its health check fails");
            endpoint.health.down.store(true, Relaxed);
        } else if was && good >= check.healthy {
            tracing::info!(upstream = %name, port = endpoint.upstream.port, "taken in again");
            endpoint.health.down.store(false, Relaxed);
        }
    }
}

/// The status of one answer, on a connection of its own.
async fn ask(endpoint: &Arc<Endpoint>, path: &str, worker: usize, connect_ms: u64) -> Option<u16> {
    let limits = Limits::default();
    let h2 = endpoint.speaks_h2_in_clear(false);
    let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    let host = endpoint.host.as_deref().unwrap_or(endpoint.upstream.host.as_bytes());
    match endpoint.connect(worker, h2, connect_ms, head_bytes).await.ok()? {
        Fresh::H1(mut wire) => {
            let fields: [(&[u8], &[u8]); 3] =
                [(b"host", host), (b"user-agent", b"probity-health"), (b"connection", b"close")];
            write_request_head(&mut wire.output, b"GET", path.as_bytes(), fields, BodyFraming::None).ok()?;
            poll_fn(|cx| wire.poll_flush(cx)).await.ok()?;
            loop {
                let head = poll_fn(|cx| wire.poll_response(cx, &limits, b"GET")).await.ok()?;
                if !head.is_interim() {
                    return Some(head.status());
                }
            }
        }
        Fresh::H2(sender) => {
            let scheme = if endpoint.tls.is_some() { "https" } else { "http" };
            let host = std::str::from_utf8(host).ok()?;
            let request = http::Request::get(format!("{scheme}://{host}{path}")).body(()).ok()?;
            let (answer, _) = sender.ready().await.ok()?.send_request(request, true).ok()?;
            Some(answer.await.ok()?.status().as_u16())
        }
    }
}

fn now_ms() -> u64 {
    u64::try_from(now().as_micros() / 1_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_and_lets_one_try() {
        let health = Health::default();
        let breaker = Breaker { failures: 2, open_ms: 0 };
        let breaker = Some(&breaker);
        health.tell(breaker, false);
        assert!(health.admits(breaker));
        health.tell(breaker, false);
        // Its time is up at once: one call tries, others wait for what becomes of it.
        assert!(health.admits(breaker));
        assert!(!health.admits(breaker));
        health.tell(breaker, true);
        assert!(health.admits(breaker) && health.admits(breaker));
        let long = Breaker { failures: 1, open_ms: 60_000 };
        health.tell(Some(&long), false);
        assert!(!health.admits(Some(&long)));
        assert!(health.admits(None));
    }

    #[test]
    fn retries_are_earned() {
        let budget = Budget::new(Retries { attempts: 1, budget_percent: 20, on_status: false });
        assert!(budget.spend());
        assert!(!budget.spend());
        (0..5).for_each(|_| budget.earn());
        assert!(budget.spend());
        assert!(!budget.spend());
        (0..1_000).for_each(|_| budget.earn());
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 10);
    }
}
