//! After an upgrade: bytes both ways, unread.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use probity_model::exchange::End;
use tokio::io::AsyncWrite;

use crate::peer::{Fault, HIGH_WATER, Wire};
use crate::watch::Watched;

/// What a tunnel moved, and who ended it.
#[derive(Debug)]
pub(crate) struct Moved {
    pub up: u64,
    pub down: u64,
    pub end: End,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: u64,
    done: bool,
}

/// Joins the two until both have closed, one fails, or neither says anything for too long.
pub(crate) async fn join(client: &mut Wire, upstream: &mut Wire, watched: &Watched, idle_ms: u64) -> Moved {
    let (mut up, mut down) = (Way::default(), Way::default());
    watched.within(idle_ms);
    let end = poll_fn(|cx| {
        let before = up.bytes + down.bytes;
        let failed = [
            (up.poll(cx, client, upstream), End::UpstreamAborted),
            (down.poll(cx, upstream, client), End::ClientAborted),
        ];
        if let Some((_, end)) = failed.into_iter().find(|(poll, _)| matches!(poll, Poll::Ready(Err(_)))) {
            return Poll::Ready(end);
        }
        if up.done && down.done {
            return Poll::Ready(End::Complete);
        }
        if up.bytes + down.bytes > before {
            watched.within(idle_ms);
        }
        // Silence on both sides ends a tunnel in order.
        if watched.expired() { Poll::Ready(End::Complete) } else { Poll::Pending }
    })
    .await;
    watched.clear();
    Moved { up: up.bytes, down: down.bytes, end }
}

impl Way {
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Wire, to: &mut Wire) -> Poll<Result<(), Fault>> {
        while !self.done {
            if !from.input.is_empty() {
                self.bytes += from.input.len() as u64;
                to.output.unsplit(from.input.split());
            }
            if to.backlog() >= HIGH_WATER {
                std::task::ready!(to.poll_flush(cx))?;
            }
            match from.poll_fill(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => {
                    std::task::ready!(to.poll_flush(cx))?;
                    // A side that is closed already needs no goodbye.
                    std::task::ready!(Pin::new(&mut to.io).poll_shutdown(cx)).ok();
                    self.done = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {
                    return match to.poll_flush(cx) {
                        Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
                        _ => Poll::Pending,
                    };
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
