//! HTTP/2 connections of clients: each stream a call of its own, on a task of its own.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use probity_model::Place;
use probity_model::exchange::Protocol;

use super::Line;
use super::call::Call;
use super::refusal::Reason;
use super::{head, pipeline};
use crate::io::{Io, Rewound};
use crate::peer::{Peer, Stream};
use crate::watch::Watched;

/// Flow-control windows: what one stream and one connection may have on the way.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes that one stream may have waiting inside the HTTP/2 layer.
const SEND_BUFFER: usize = 256 * 1024;
/// Streams that a client may open and reset before it counts as an attack (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 32;
/// How long a connection has to end in order once it was asked to.
const GOODBYE_MS: u64 = 1_000;

/// A stream's task; counted while it runs.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

pub(crate) async fn serve(line: Arc<Line>, io: Io, first: BytesMut, watched: Watched) {
    let plan = line.shared().plan();
    let (limits, timeouts) = (plan.bundle.limits, *plan.timeouts());
    drop(plan);
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS);
    let mut handshake = builder.handshake::<_, Bytes>(Rewound::new(first.freeze(), io));
    watched.within(timeouts.head_ms);
    let shaken = poll_fn(|cx| match std::pin::Pin::new(&mut handshake).poll(cx) {
        Poll::Ready(shaken) => Poll::Ready(shaken.ok()),
        Poll::Pending if watched.expired() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let Some(mut connection) = shaken.await else { return };
    let busy = Arc::new(AtomicUsize::new(0));
    let (mut leaving, mut idle) = (false, false);
    loop {
        let accepted = poll_fn(|cx| {
            match connection.poll_accept(cx) {
                Poll::Ready(accepted) => return Poll::Ready(accepted),
                Poll::Pending => {}
            }
            let quiet = busy.load(Relaxed) == 0;
            if quiet && !idle {
                watched.within(if leaving { GOODBYE_MS } else { timeouts.idle_ms });
            }
            idle = quiet;
            let late = quiet && watched.expired();
            if late && leaving {
                return Poll::Ready(None);
            }
            if !leaving && (late || line.shared().is_draining()) {
                leaving = true;
                idle = false;
                connection.graceful_shutdown();
                // It must be polled again to say so.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        match accepted {
            Some(Ok((request, respond))) => {
                idle = false;
                watched.clear();
                busy.fetch_add(1, Relaxed);
                let stream = serve_stream(Arc::clone(&line), request, respond, Busy(Arc::clone(&busy)));
                tokio::spawn(stream);
            }
            Some(Err(_)) | None => return,
        }
    }
}

async fn serve_stream(
    line: Arc<Line>,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    _busy: Busy,
) {
    let watched = line.watch();
    watched.attach_here().await;
    let (parts, receive) = request.into_parts();
    let request = http::Request::from_parts(parts, ());
    let body_follows = !receive.is_end_stream();
    let plan = line.shared().plan();
    match head::request_of_h2(&request, body_follows, &plan.limits) {
        Ok(head) => {
            let declared = head::declared_length(head.framing());
            let mut client = Peer::H2(Box::new(Stream::of_client(receive, respond, declared)));
            pipeline::run(pipeline::accept(&line, head, true), &mut client, &watched).await;
        }
        Err(refusal) => {
            let mut client = Peer::H2(Box::new(Stream::of_client(receive, respond, None)));
            let call = Call::accept(&line, plan, None, Protocol::Http2);
            let reason = Reason::of_client(refusal, Place::RequestHeader);
            pipeline::refuse_unread(call, &mut client, &watched, reason).await;
        }
    }
}
