//! HTTP/2 connections of clients: each stream a call of its own, on a task of its own.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use probity_http1::BodyEvent;
use probity_model::Place;
use probity_model::bundle::ConnectionLimits;
use probity_model::exchange::Protocol;
use probity_policy::limit::{NANOS_PER_MS, NANOS_PER_SECOND, Slot, TokenBucket};

use super::Line;
use super::call::Call;
use super::pipeline::Next;
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
/// Streams that we may have to reset because the client broke the protocol on them (CVE-2025-8671).
const MAX_ERROR_RESETS: usize = 128;
/// In which a client may reset [`ConnectionLimits::resets`] streams.
const RESET_WINDOW_NS: u64 = 10 * NANOS_PER_SECOND;
/// What is still read of a request that was answered before its end.
const MAX_LINGER_BYTES: usize = 64 * 1024;
const LINGER_MS: u64 = 1_000;
/// How long a connection has to end in order once it was asked to.
const GOODBYE_MS: u64 = 1_000;

/// A stream's task; counted while it runs.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Streams that the client of one connection gave up.
struct Resets {
    seen: Arc<AtomicU64>,
    judged: u64,
    bucket: Option<TokenBucket>,
    slot: Slot,
}

impl Resets {
    fn new(limits: &ConnectionLimits) -> Self {
        let most = u64::from(limits.resets);
        Self {
            seen: Arc::default(),
            judged: 0,
            bucket: (most > 0).then(|| TokenBucket::new(most, most, RESET_WINDOW_NS)),
            slot: Slot::default(),
        }
    }

    /// Says so once.
    fn are_too_many(&mut self, now_ms: u64) -> bool {
        let Some(bucket) = &self.bucket else { return false };
        let seen = self.seen.load(Relaxed);
        let new = seen - std::mem::replace(&mut self.judged, seen);
        if new == 0 || bucket.take(&mut self.slot, (now_ms + 1) * NANOS_PER_MS, new).admitted {
            return false;
        }
        self.bucket = None;
        true
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
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(Some(MAX_ERROR_RESETS));
    let mut handshake = builder.handshake::<_, Bytes>(Rewound::new(first.freeze(), io));
    watched.within(timeouts.head_ms);
    let shaken = poll_fn(|cx| match std::pin::Pin::new(&mut handshake).poll(cx) {
        Poll::Ready(shaken) => Poll::Ready(shaken.ok()),
        Poll::Pending if watched.expired() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let Some(mut connection) = shaken.await else { return };
    let busy = Arc::new(AtomicUsize::new(0));
    let mut resets = Resets::new(&limits);
    let (mut leaving, mut idle) = (false, false);
    loop {
        let accepted = poll_fn(|cx| {
            if resets.are_too_many(watched.now_ms()) {
                line.shared().metrics.refused("too-many-resets");
                leaving = true;
                connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
            }
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
                let stream = serve_stream(
                    Arc::clone(&line),
                    request,
                    respond,
                    Busy(Arc::clone(&busy)),
                    Arc::clone(&resets.seen),
                );
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
    resets: Arc<AtomicU64>,
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
            let next = pipeline::run(pipeline::accept(&line, head, true), &mut client, &watched).await;
            if next != Next::Cut {
                linger(&mut client, &watched).await;
            }
            if let Peer::H2(stream) = &client
                && stream.was_reset()
            {
                resets.fetch_add(1, Relaxed);
            }
        }
        Err(refusal) => {
            let mut client = Peer::H2(Box::new(Stream::of_client(receive, respond, None)));
            let call = Call::accept(&line, plan, None, Protocol::Http2);
            let reason = Reason::of_client(refusal, Place::RequestHeader);
            pipeline::refuse_unread(call, &mut client, &watched, reason).await;
        }
    }
}

/// Reads on for a little of a request that was answered before its end: the reset that ends such a stream makes some
/// clients throw the answer away.
async fn linger(client: &mut Peer, watched: &Watched) {
    let mut read = 0;
    watched.within(LINGER_MS);
    poll_fn(|cx| {
        loop {
            match client.poll_event(cx) {
                Poll::Ready(Ok(BodyEvent::Data(data))) if read + data.len() <= MAX_LINGER_BYTES => {
                    read += data.len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if watched.expired() => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    watched.clear();
}
