//! HTTP/1.1 connections of clients: one call after the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use probity_http1::RequestHead;
use probity_model::Place;
use probity_model::exchange::Protocol;
use tokio::io::AsyncWrite;

use super::Line;
use super::call::Call;
use super::pipeline::{self, Next};
use super::refusal::{self, Reason};
use crate::io::Io;
use crate::peer::{Fault, Peer, Wire};
use crate::watch::Watched;

/// What is still read of a client after its last answer, so that closing does not destroy that answer on its way.
const MAX_LINGER_BYTES: usize = 256 * 1024;
const LINGER_MS: u64 = 1_000;

/// How reading a head ended.
enum Read {
    Head(RequestHead),
    /// Nothing was asked; the connection can go.
    Nothing,
    Odd(Reason),
}

pub(crate) async fn serve(line: Arc<Line>, io: Io, first: BytesMut, watched: Watched) {
    let mut wire = Box::new(Wire::new(io));
    wire.input = first;
    let mut client = Peer::H1(wire);
    loop {
        let call = match read_head(&line, &mut client, &watched).await {
            Read::Head(head) => pipeline::accept(&line, head, false),
            Read::Nothing => return,
            Read::Odd(reason) => {
                let call = Call::accept(&line, line.shared().plan(), None, Protocol::Unknown);
                pipeline::refuse_unread(call, &mut client, &watched, reason).await;
                return linger(&mut client, &watched).await;
            }
        };
        match pipeline::run(call, &mut client, &watched).await {
            Next::Again => {}
            Next::Close => return linger(&mut client, &watched).await,
            Next::Cut => {
                if let Peer::H1(wire) = &client {
                    wire.io.cut();
                }
                return;
            }
        }
    }
}

async fn read_head(line: &Line, client: &mut Peer, watched: &Watched) -> Read {
    let Peer::H1(wire) = client else { return Read::Nothing };
    let plan = line.shared().plan();
    let timeouts = *plan.timeouts();
    let mut begun = !wire.input.is_empty();
    watched.within(if begun { timeouts.head_ms } else { timeouts.idle_ms });
    let read = poll_fn(|cx| {
        match wire.poll_request(cx, &plan.limits) {
            Poll::Ready(Ok(Some(head))) => return Poll::Ready(Read::Head(head)),
            Poll::Ready(Ok(None) | Err(Fault::Closed)) => return Poll::Ready(Read::Nothing),
            Poll::Ready(Err(Fault::Invalid(refusal))) => {
                return Poll::Ready(Read::Odd(Reason::of_client(refusal, Place::RequestHeader)));
            }
            Poll::Pending => {}
        }
        if !begun && !wire.input.is_empty() {
            begun = true;
            watched.within(timeouts.head_ms);
        }
        match begun {
            true if watched.expired() => Poll::Ready(Read::Odd(refusal::HEAD_TIMEOUT)),
            false if watched.expired() || line.shared().is_draining() => Poll::Ready(Read::Nothing),
            _ => Poll::Pending,
        }
    })
    .await;
    watched.clear();
    read
}

/// Closes in order: our side first, then what the client still sends is read away for a moment.
async fn linger(client: &mut Peer, watched: &Watched) {
    let Peer::H1(wire) = client else { return };
    watched.within(LINGER_MS);
    let mut left = MAX_LINGER_BYTES;
    poll_fn(|cx| {
        let late = || if watched.expired() { Poll::Ready(()) } else { Poll::Pending };
        match Pin::new(&mut wire.io).poll_shutdown(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Pending => return late(),
        }
        loop {
            left = left.saturating_sub(wire.input.len());
            wire.input.clear();
            match wire.poll_fill(cx) {
                Poll::Ready(Ok(true)) if left > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return late(),
            }
        }
    })
    .await;
}
