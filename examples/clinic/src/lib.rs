//! The demo clinic: a believable API, in memory, with faults planted on purpose, and the seeded traffic that
//! calls it.
//!
//! It is not a sample of good code to copy into a service: `FAULTS.md` lists what is wrong with it and why. It
//! knows nothing of the gateway in front of it and holds synthetic data only. Start with [`serve`] and
//! [`traffic::drive`]; the documents that describe it (specification, owners, deployment files) are in
//! [`documents`].

pub mod credentials;
pub mod documents;
pub mod exploits;
mod graphql;
mod headers;
mod input;
mod problem;
mod routes;
mod seed;
mod state;
pub mod traffic;

use std::future::Future;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;

/// How long open connections may take to end once `shutdown` has completed. Event streams and chats are ended
/// by it, ordinary calls finish long before.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Why the clinic stopped other than by its shutdown signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the clinic's listener failed")]
    Listener(#[source] std::io::Error),
}

/// Serves the clinic on `listener`, HTTP/1.1 and clear-text HTTP/2, until `shutdown` completes.
///
/// Each call starts from the same seeded data; nothing is kept after it returns.
pub async fn serve(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let signal = async move {
        shutdown.await;
        let _ = stopping.send(true);
    };
    // Without this, the parts of a small answer wait for each other's acknowledgement.
    let listener = listener.tap_io(|stream| {
        // An error means that the connection is gone already, which reading from it will tell.
        let _ = stream.set_nodelay(true);
    });
    let served = axum::serve(listener, router()).with_graceful_shutdown(signal);
    let overdue = async move {
        // An error means that the signal side is gone, which only happens once the server has ended.
        if stopped.wait_for(|stopping| *stopping).await.is_ok() {
            tokio::time::sleep(SHUTDOWN_GRACE).await;
        }
    };
    tokio::select! {
        outcome = served => outcome.map_err(ServeError::Listener),
        () = overdue => Ok(()),
    }
}

/// The whole API over freshly seeded data.
pub fn router() -> axum::Router {
    routes::router(state::Shared::seeded())
}
