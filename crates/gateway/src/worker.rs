//! Workers: threads with a single-threaded runtime each. A connection stays on its worker for life, with its upstream
//! connections, so that no call crosses threads.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::gateway::Shared;
use crate::watch::{Watches, lock};

/// How often kept upstream connections are looked over.
const PRUNE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Worker {
    pub index: usize,
    pub handle: Handle,
    pub watches: Arc<Watches>,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub fn start(index: usize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, watches) = (Arc::new(Notify::new()), Watches::new());
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name(format!("probity-gateway-{index}")).spawn(move || {
                runtime.block_on(stopped.notified());
                // Not waiting for a name that is being looked up.
                runtime.shutdown_background();
            })?;
        let sweeper = Arc::clone(&watches);
        handle.spawn(async move { sweeper.sweep().await });
        Ok(Self { index, handle, watches, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Looks after the upstream connections of this worker for as long as the gateway lives.
    pub fn keep_house(&self, shared: &Arc<Shared>) {
        let (shared, index, watches) = (Arc::downgrade(shared), self.index, Arc::clone(&self.watches));
        self.handle.spawn(async move {
            loop {
                tokio::time::sleep(PRUNE_EVERY).await;
                let Some(shared) = shared.upgrade() else { return };
                let plan = shared.plan();
                let idle_ms = plan.timeouts().idle_ms;
                plan.endpoints().for_each(|endpoint| endpoint.prune(index, watches.now_fresh_ms(), idle_ms));
            }
        });
    }

    /// Ends the thread and with it every task that is left.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    pub fn join(&self) {
        self.stop();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!(worker = self.index, "a worker ended by a panic");
        }
    }
}
