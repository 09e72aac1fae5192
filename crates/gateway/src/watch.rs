//! Deadlines without a timer per read: one coarse clock and one sweep for all connections of a worker.
//!
//! A task keeps one [`Watched`], moves its deadline with a plain store, and asks [`Watched::expired`] whenever it
//! would wait. The sweep wakes tasks whose deadline has passed; it decides nothing itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// How coarse deadlines are. They are never early, and late by at most two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(100);

const NEVER: u64 = u64::MAX;

/// One task's deadline.
#[derive(Debug)]
struct Watch {
    deadline: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

/// All watches of one worker.
#[derive(Debug)]
pub(crate) struct Watches {
    epoch: Instant,
    now_ms: AtomicU64,
    slots: Mutex<Slots>,
    filled: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Slots {
    watches: Vec<Option<Arc<Watch>>>,
    free: Vec<usize>,
}

impl Slots {
    fn is_empty(&self) -> bool {
        self.watches.len() == self.free.len()
    }
}

impl Watches {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            now_ms: AtomicU64::new(0),
            slots: Mutex::default(),
            filled: tokio::sync::Notify::new(),
        })
    }

    /// A watch without a deadline, until it is dropped.
    pub fn enter(self: &Arc<Self>) -> Watched {
        let watch = Arc::new(Watch { deadline: AtomicU64::new(NEVER), waker: Mutex::new(None) });
        let mut slots = lock(&self.slots);
        if slots.is_empty() {
            self.tick();
            self.filled.notify_one();
        }
        let slot = match slots.free.pop() {
            Some(slot) => slot,
            None => {
                slots.watches.push(None);
                slots.watches.len() - 1
            }
        };
        if let Some(place) = slots.watches.get_mut(slot) {
            *place = Some(Arc::clone(&watch));
        }
        Watched { watch, watches: Arc::clone(self), slot }
    }

    /// Wakes everyone, so that all see a changed state such as draining.
    pub fn wake_all(&self) {
        self.wake(|_| true);
    }

    /// Sweeps for ever; sleeps while nobody is watched.
    pub async fn sweep(&self) {
        loop {
            let idle = lock(&self.slots).is_empty();
            if idle {
                self.filled.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.tick();
            let now = self.now_ms();
            self.wake(|watch| watch.deadline.load(Relaxed) <= now);
        }
    }

    fn wake(&self, due: impl Fn(&Watch) -> bool) {
        // Wakers run outside the lock: they may drop a task, and with it a watch.
        let wakers: Vec<Waker> = lock(&self.slots)
            .watches
            .iter()
            .flatten()
            .filter(|watch| due(watch))
            .filter_map(|watch| lock(&watch.waker).clone())
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn tick(&self) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(NEVER - 1);
        self.now_ms.store(now, Relaxed);
    }

    /// Milliseconds since the worker began, as of the last tick.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Relaxed)
    }

    /// The same from the clock itself: ticks rest while nobody is watched.
    pub fn now_fresh_ms(&self) -> u64 {
        self.tick();
        self.now_ms()
    }
}

/// The place of one task among the watched.
#[derive(Debug)]
pub(crate) struct Watched {
    watch: Arc<Watch>,
    watches: Arc<Watches>,
    slot: usize,
}

impl Watched {
    /// Names the task to wake. Once for each task: a task keeps its waker.
    pub fn attach(&self, cx: &Context<'_>) {
        *lock(&self.watch.waker) = Some(cx.waker().clone());
    }

    /// The same as a future, to be awaited first of all in a task.
    pub async fn attach_here(&self) {
        std::future::poll_fn(|cx| {
            self.attach(cx);
            std::task::Poll::Ready(())
        })
        .await;
    }

    /// Sets the deadline so many milliseconds from now, rounded up to ticks.
    pub fn within(&self, ms: u64) {
        let tick = TICK.as_millis() as u64;
        self.watch.deadline.store(self.watches.now_ms().saturating_add(ms).saturating_add(tick), Relaxed);
    }

    pub fn clear(&self) {
        self.watch.deadline.store(NEVER, Relaxed);
    }

    pub fn expired(&self) -> bool {
        self.watch.deadline.load(Relaxed) <= self.watches.now_ms()
    }

    pub fn now_ms(&self) -> u64 {
        self.watches.now_ms()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut slots = lock(&self.watches.slots);
        if let Some(place) = slots.watches.get_mut(self.slot) {
            *place = None;
        }
        slots.free.push(self.slot);
    }
}

/// A poisoned lock still guards whole values here: every critical section is a single assignment.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
