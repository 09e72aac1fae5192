//! Single flight: those who want the same thing at the same time wait for one who fetches it. The fetch is a task of its
//! own, so that a caller who goes away takes nothing from the others.

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::watch::lock;

/// At most one fetch at a time.
#[derive(Debug)]
pub(super) struct Flight<T> {
    current: Arc<Mutex<Option<Awaited<T>>>>,
}

/// Empty until the answer is there.
type Awaited<T> = watch::Receiver<Option<T>>;

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { current: Arc::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Joins the flight, or begins one where `allowed` says so, which is asked while no other can begin or end one.
    /// `None` when there is nothing to wait for, or the task was ended before it had an answer.
    pub async fn join<F>(&self, allowed: impl FnOnce() -> bool, begin: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut answer = self.start(allowed, begin)?;
        let value = answer.wait_for(Option::is_some).await.ok()?;
        value.clone()
    }

    /// As [`Flight::join`], without waiting.
    pub fn start<F>(&self, allowed: impl FnOnce() -> bool, begin: impl FnOnce() -> F) -> Option<Awaited<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut current = lock(&self.current);
        // A closed channel without an answer is a task that died with its worker.
        if let Some(answer) = current.as_ref()
            && answer.has_changed().is_ok()
        {
            return Some(answer.clone());
        }
        if !allowed() {
            return None;
        }
        let (send, answer) = watch::channel(None);
        *current = Some(answer.clone());
        drop(current);
        let (slot, fetch) = (Arc::clone(&self.current), begin());
        tokio::spawn(async move {
            let value = fetch.await;
            // Before anyone learns of it: those who come from now on see what was fetched, and may begin anew.
            let mut current = lock(&slot);
            *current = None;
            send.send_replace(Some(value));
        });
        Some(answer)
    }
}
