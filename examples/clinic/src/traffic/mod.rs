//! The demo's traffic: real HTTP calls of several consumers, the same ones in the same order for the same seed.
//!
//! Six consumers call: the mobile app (several patients, one on an old version), clinic staff, an administrator,
//! the insurer over HTTP/2, the nightly job, and an attacker. Each caller has one kept-alive connection and its
//! own order of calls; callers run side by side. Every call carries its intent and, if it meets one, the id of
//! the planted fault, so that what a gateway wrongly blocks or lets through can be counted afterwards.
//!
//! What each consumer does is in `callers/`, how a call travels in `connection.rs` and `websocket.rs`.

mod call;
mod callers;
mod connection;
mod report;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use self::report::{CallRecord, ConsumerCounts, FaultCounts, Intent, TrafficReport};

use self::callers::{Caller, callers};
use self::connection::Connection;

/// Fewest calls of a run: below that, not every operation would be called.
pub const CALLS_MIN: usize = 600;

/// Where the calls go. Clear text only.
#[derive(Debug, Clone)]
pub struct Target {
    /// What is connected to: the gateway, or the clinic itself.
    pub authority: SocketAddr,
    /// The `Host` that the calls name.
    pub host: String,
}

/// How much traffic, and which.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Calls altogether; raised to [`CALLS_MIN`].
    pub calls: usize,
    /// Calls under way at once; raised to 1.
    pub concurrency: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { seed: 20_261_102, calls: 720, concurrency: 8 }
    }
}

/// Makes the planned calls and tells how they went. It never fails as a whole: a call without an answer is
/// counted under `failed`.
pub async fn drive(base: &Target, plan: &Plan) -> TrafficReport {
    let started = Instant::now();
    let permits = Arc::new(Semaphore::new(plan.concurrency.clamp(1, Semaphore::MAX_PERMITS)));
    let mut running = JoinSet::new();
    for (index, caller) in callers(plan.seed, plan.calls.max(CALLS_MIN)).into_iter().enumerate() {
        let connection = Connection::new(base.clone(), caller.protocol, index);
        running.spawn(run(caller, connection, Arc::clone(&permits)));
    }
    let mut labels = Vec::new();
    let mut lost = 0;
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(mut records) => labels.append(&mut records),
            Err(_) => lost += 1,
        }
    }
    labels.sort_by(|a, b| (&a.consumer, &a.caller, a.sequence).cmp(&(&b.consumer, &b.caller, b.sequence)));
    TrafficReport::of(labels, lost, started.elapsed())
}

async fn run(mut caller: Caller, mut connection: Connection, permits: Arc<Semaphore>) -> Vec<CallRecord> {
    let mut records = Vec::with_capacity(caller.calls);
    for sequence in 0..caller.calls {
        let call = caller.next_call();
        // The semaphore is never closed; without a permit the call would merely not be held back.
        let permit = permits.acquire().await.ok();
        let answer = connection.send(&call).await;
        drop(permit);
        if let Ok(answer) = &answer {
            caller.remember(&call, answer);
        }
        records.push(CallRecord::of(&caller, sequence, &call, answer));
    }
    records
}
