//! The pipeline: what happens to every call, in this order and nowhere else.
//!
//! accept, head -> route -> observe request -> controls over the head -> body, held where a control asks -> controls over it
//! -> upstream -> controls over the answer's head -> its body, held where asked -> controls over it -> relay -> record
//!
//! It is the same for HTTP/1.1 and HTTP/2 on either side. Stages are plain functions; each may end the call with a
//! [`Stop`]. The controls, and their order, are [`crate::enforce`]'s. Bodies stream unless a control asked to hold one.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use h2::client::ResponseFuture;
use probity_http1::{
    BodyDecoder, BodyEncoder, BodyFraming, RequestHead, ResponseHead, Version, write_request_head,
    write_response_head,
};
use probity_model::Place;
use probity_model::bundle::OnRecordFailure;
use probity_model::exchange::{End, Protocol};

use super::call::{Call, micros};
use super::forward::{ForwardedFields, Origin, is_replaced};
use super::refusal::{self, Prepared, Reason, Stop};
use super::{head, tunnel};
use crate::enforce::body::{self, TakeFault};
use crate::enforce::{Answer, Guards, Held};
use crate::metrics::Stage;
use crate::observe::is_grpc;
use crate::pace::Pace;
use crate::peer::{Fault, HIGH_WATER, Peer, Relay, Side, Stream};
use crate::upstream::{Budget, ConnectError, Endpoint, Fresh, Kept};
use crate::watch::Watched;

/// Interim heads that an upstream may send before its answer.
const MAX_INTERIM: usize = 16;

/// What the connection does after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Again,
    /// The answer was sent; what the client still sends is not wanted.
    Close,
    /// The answer was begun and could not be ended.
    Cut,
}

/// The upstream's side of a call.
#[derive(Debug)]
struct Upstream {
    peer: Peer,
    endpoint: Arc<Endpoint>,
    /// Over HTTP/2: the head to come.
    answer: Option<ResponseFuture>,
    /// Interim heads so far.
    interim: usize,
}

/// An answered call, ready to be relayed.
struct Answered {
    upstream: Upstream,
    response: ResponseHead,
    upload: Relay,
}

/// Runs one call.
pub(crate) async fn run(mut call: Call, client: &mut Peer, watched: &Watched) -> Next {
    let next = match pass(&mut call, client, watched).await {
        Ok(next) => next,
        Err(Stop::Refuse(reason, detail)) => refuse(&mut call, client, watched, reason, detail).await,
        Err(Stop::Rule(ruling)) => {
            let mut id = [0; 36];
            let id = call.id.0.hyphenated().encode_lower(&mut id);
            let prepared = Prepared::of_ruling(*ruling, id, call.plan.bundle.revision);
            answer_ourselves(&mut call, client, watched, prepared).await
        }
        Err(Stop::Answer(prepared)) => {
            call.end = End::Complete;
            answer_ourselves(&mut call, client, watched, *prepared).await
        }
        Err(Stop::Abort(end)) => {
            call.end = end;
            if let Peer::H2(stream) = client {
                stream.reset(h2::Reason::INTERNAL_ERROR);
            }
            Next::Cut
        }
    };
    // Traffic does not wait for the disk; a call that does has recorded itself already.
    let _ = call.record();
    next
}

async fn pass(call: &mut Call, client: &mut Peer, watched: &Watched) -> Result<Next, Stop> {
    admit(call)?;
    route(call)?;
    call.lap(Stage::Route);
    call.observe_request();
    call.lap(Stage::Observe);
    let controls = call.service().map(Controls::of).unwrap_or_default();
    controls.judge_request(call, client, watched).await?;
    let asked = ask_upstream(call, client, watched).await;
    call.lap(Stage::Upstream);
    let answered = asked?;
    if answered.response.status() == 101 {
        return tunnel(call, client, watched, answered).await;
    }
    relay_response(call, client, watched, answered, &controls).await
}

/// What is enforced for a call, and what is tried beside it.
#[derive(Debug, Default)]
struct Controls {
    guards: Option<Arc<Guards>>,
    draft: Option<Arc<Guards>>,
}

impl Controls {
    fn of(service: &crate::plan::Service) -> Self {
        Self { guards: service.guards.clone(), draft: service.draft.clone() }
    }

    async fn judge_request(&self, call: &mut Call, client: &mut Peer, watched: &Watched) -> Result<(), Stop> {
        let (guards, draft) = (self.guards.as_deref(), self.draft.as_deref());
        if let Some(draft) = draft {
            call.rehearse(async |call| draft.judge_head(call).await).await;
        }
        if let Some(guards) = guards {
            guards.judge_head(call).await?;
        }
        let wanted = [guards, draft].into_iter().flatten().filter_map(|each| each.wants_body(call)).max();
        let Some(bound) = wanted else { return Ok(()) };
        take_body(call, client, watched, bound).await?;
        call.lap(Stage::Body);
        if let Some(draft) = draft {
            call.rehearse(async |call| draft.judge_body(call).await).await;
        }
        match guards {
            Some(guards) => guards.judge_body(call).await,
            None => Ok(()),
        }
    }
}

/// Refuses everything while there is no good bundle, or no record and none may be lost.
fn admit(call: &Call) -> Result<(), Reason> {
    if call.plan.refusing {
        return Err(refusal::NO_BUNDLE);
    }
    let shared = call.line.shared();
    if call.plan.bundle.record.on_full == OnRecordFailure::Refuse
        && shared.observer.enabled
        && shared.recorder.refusing()
    {
        return Err(refusal::RECORD_FULL);
    }
    Ok(())
}

fn route(call: &mut Call) -> Result<(), Reason> {
    let Some(head) = &call.head else { return Err(refusal::NO_SERVICE) };
    call.origin = Some(Origin::of(head, call.line.peer, call.line.tls.is_some(), &call.plan));
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    call.route = call.plan.route(text(head.method()), head.host().map(text), text(head.path()));
    if call.route.is_some() { Ok(()) } else { Err(refusal::NO_SERVICE) }
}

/// Holds the request's body: all of it, or its beginning once it is longer than `bound`.
async fn take_body(call: &mut Call, client: &mut Peer, watched: &Watched, bound: u64) -> Result<(), Stop> {
    let Some(head) = &call.head else { return Ok(()) };
    if head.framing().is_empty() || head.upgrade().is_some() {
        return Ok(());
    }
    begin_body(call, client);
    let idle_ms = call.plan.timeouts().idle_ms;
    let pace = pace(call, watched);
    let taken = body::take(client, watched, idle_ms, bound, pace).await;
    call.body = taken.map_err(|fault| match fault {
        TakeFault::Source(Fault::Invalid(refusal)) => Reason::of_client(refusal, Place::RequestBody).into(),
        TakeFault::Source(Fault::Closed) => Stop::Abort(End::ClientAborted),
        TakeFault::Late => refusal::BODY_TIMEOUT.into(),
        TakeFault::Slow => refusal::BODY_SLOW.into(),
    })?;
    Ok(())
}

/// The least pace of the call's body. A gRPC call may be a conversation, which rests when it likes.
fn pace(call: &Call, watched: &Watched) -> Pace {
    match call.head.as_ref().is_none_or(is_grpc) {
        true => Pace::none(),
        false => Pace::new(&call.plan.bundle.limits, watched.now_ms()),
    }
}

/// Sets the client's side up for its body, and asks for it where it waits to be asked.
fn begin_body(call: &Call, client: &mut Peer) {
    let Some(head) = &call.head else { return };
    let waits = head.expect_continue() && !head.framing().is_empty();
    match client {
        Peer::H1(wire) => {
            wire.decoder = BodyDecoder::new(head.framing(), &call.plan.limits);
            if waits && wire.input.is_empty() {
                wire.output.extend_from_slice(probity_http1::CONTINUE);
            }
        }
        Peer::H2(stream) if waits => {
            let mut go_on = http::Response::new(());
            *go_on.status_mut() = http::StatusCode::CONTINUE;
            stream.inform(go_on);
        }
        Peer::H2(_) => {}
    }
}

/// How the request's body goes upstream: as it came, unless all of it is held.
fn framing(call: &Call, head: &RequestHead) -> BodyFraming {
    match &call.body {
        Held::Whole { trailers, .. } if !trailers.is_empty() => BodyFraming::Chunked,
        Held::Whole { data, .. } => BodyFraming::Length(data.len() as u64),
        Held::Streaming | Held::Begun(_) => head.framing(),
    }
}

/// Sends the request to the first upstream that can be reached, and waits for the head of its answer.
async fn ask_upstream(call: &mut Call, client: &mut Peer, watched: &Watched) -> Result<Answered, Stop> {
    let plan = Arc::clone(&call.plan);
    let (Some(service), Some(grpc)) =
        (call.route.and_then(|route| plan.service(route)), call.head.as_ref().map(is_grpc))
    else {
        return Err(refusal::NO_SERVICE.into());
    };
    let breaker = service.breaker.as_ref();
    let budget = service.budget.as_ref();
    budget.into_iter().for_each(Budget::earn);
    let attempts = budget.filter(|_| call.is_replayable()).map_or(0, |budget| budget.retries.attempts);
    let mut retried = 0;
    let mut last: Stop = refusal::CIRCUIT_OPEN.into();
    // With retries an upstream may be asked more than once.
    for endpoint in service.turn(usize::from(attempts)) {
        if !endpoint.health.admits(breaker) {
            continue;
        }
        call.exposed_upstream = endpoint.exposed;
        if let Some(trace) = &mut call.trace {
            trace.asked = Some(Arc::clone(endpoint));
        }
        let asked = ask_endpoint(call, client, watched, endpoint, grpc).await;
        let failed = match &asked {
            Ok(answered) => matches!(answered.response.status(), 502..=504),
            Err(Tried::NotReached(_)) => true,
            Err(Tried::Ended(stop)) => is_upstreams(stop),
        };
        endpoint.health.tell(breaker, !failed);
        let again = |on: bool| on && retried < attempts && budget.is_some_and(Budget::spend);
        match asked {
            Ok(answered) if failed && again(budget.is_some_and(|budget| budget.retries.on_status)) => {
                last = refusal::UPSTREAM_ABORTED.into();
                retried += 1;
                drop(answered);
            }
            Ok(answered) => return Ok(answered),
            // Nothing was sent: the next one is no second time.
            Err(Tried::NotReached(stop)) => last = stop,
            Err(Tried::Ended(stop)) if failed && again(true) => {
                last = stop;
                retried += 1;
            }
            Err(Tried::Ended(stop)) => return Err(stop),
        }
    }
    Err(last)
}

/// How asking one upstream ended without an answer.
enum Tried {
    /// Before anything of the call was sent.
    NotReached(Stop),
    Ended(Stop),
}

/// Whether it is the upstream that failed.
fn is_upstreams(stop: &Stop) -> bool {
    matches!(
        stop,
        Stop::Refuse(reason, _)
            if [refusal::UPSTREAM_ABORTED, refusal::UPSTREAM_TIMEOUT].contains(reason)
    )
}

/// Asks one upstream, over a kept connection where there is one.
async fn ask_endpoint(
    call: &mut Call,
    client: &mut Peer,
    watched: &Watched,
    endpoint: &Arc<Endpoint>,
    grpc: bool,
) -> Result<Answered, Tried> {
    let plan = Arc::clone(&call.plan);
    let (worker, timeouts) = (call.line.seat.worker, *plan.timeouts());
    let h2 = endpoint.speaks_h2_in_clear(grpc);
    if let Some(kept) = endpoint.kept(worker, h2, watched.now_ms(), timeouts.idle_ms).await {
        call.line.shared().metrics.upstream_reused.fetch_add(1, Relaxed);
        match ask(call, client, watched, endpoint, kept.into()).await {
            // The upstream closed a kept connection as we wrote to it.
            Err(Stop::Refuse(reason, _)) if reason == refusal::UPSTREAM_ABORTED && call.is_replayable() => {}
            asked => return asked.map_err(Tried::Ended),
        }
    }
    call.line.shared().metrics.upstream_connects.fetch_add(1, Relaxed);
    let head_bytes = plan.bundle.limits.head_bytes;
    match endpoint.connect(worker, h2, timeouts.connect_ms, head_bytes).await {
        Ok(fresh) => ask(call, client, watched, endpoint, fresh).await.map_err(Tried::Ended),
        Err(error) => {
            let service = call.service().map_or("", |service| service.id.as_str());
            tracing::warn!(
                request_id = %call.id,
                service,
                upstream = %endpoint.upstream.host,
                %error,
                "no upstream connection"
            );
            let reason = match &error {
                ConnectError::Timeout => refusal::CONNECT_TIMEOUT,
                _ => refusal::UNREACHABLE,
            };
            let detail = call.line.shared().dev.then(|| error.to_string());
            Err(Tried::NotReached(Stop::Refuse(reason, detail)))
        }
    }
}

/// Sends the head and, as far as the answer does not come first, the body.
async fn ask(
    call: &mut Call,
    client: &mut Peer,
    watched: &Watched,
    endpoint: &Arc<Endpoint>,
    connection: Fresh,
) -> Result<Answered, Stop> {
    let mut upstream = send_head(call, endpoint, connection).await?;
    let timeouts = *call.plan.timeouts();
    call.asked_at = Some(Instant::now());
    let empty = call.head.as_ref().is_none_or(|head| head.framing().is_empty());
    let mut upload = if empty { Relay::empty() } else { Relay::new(std::mem::take(&mut call.request_body)) };
    match &call.body {
        Held::Streaming => begin_body(call, client),
        held => {
            upload.tee.restart();
            upload = upload.after(held.clone());
        }
    }
    let mut pace = pace(call, watched);
    let mut idle_from = watched.now_ms();
    watched.within(if empty {
        timeouts.upstream_ms
    } else {
        timeouts.idle_ms.min(pace.left_ms(0, idle_from))
    });
    let asked = poll_fn(|cx| {
        if upload.is_going() {
            match upload.poll(cx, client, &mut upstream.peer) {
                Poll::Ready(Ok(())) => watched.within(timeouts.upstream_ms),
                Poll::Ready(Err((Side::Source, Fault::Invalid(refusal)))) => {
                    return Poll::Ready(Err(Reason::of_client(refusal, Place::RequestBody).into()));
                }
                Poll::Ready(Err((Side::Source, Fault::Closed))) => {
                    return Poll::Ready(Err(Stop::Abort(End::ClientAborted)));
                }
                // It may have answered before it stopped reading.
                Poll::Ready(Err((Side::Sink, _))) => {
                    upload.abandon();
                    watched.within(timeouts.upstream_ms);
                }
                Poll::Pending => {
                    if upload.took_progress() {
                        idle_from = watched.now_ms();
                        watched.within(timeouts.idle_ms.min(pace.left_ms(upload.bytes, idle_from)));
                    }
                }
            }
        }
        match poll_head(cx, call, client, &mut upstream) {
            Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
            Poll::Ready(Err(Fault::Closed)) => return Poll::Ready(Err(refusal::UPSTREAM_ABORTED.into())),
            Poll::Ready(Err(Fault::Invalid(refusal))) => {
                return Poll::Ready(Err(Reason::of_upstream(refusal).into()));
            }
            Poll::Pending => {}
        }
        // An interim head waits for nothing. Should the client be gone, the next line finds out.
        let _ = client.poll_flush(cx);
        if !upload.is_going() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Stop::Abort(End::ClientAborted)));
        }
        if watched.expired() {
            let now = watched.now_ms();
            let idle_left = (idle_from + timeouts.idle_ms).saturating_sub(now);
            if !upload.is_going() {
                return Poll::Ready(Err(refusal::UPSTREAM_TIMEOUT.into()));
            }
            if upstream.peer.backlog() >= HIGH_WATER && idle_left > 0 {
                // It is the upstream that does not read.
                pace.excuse(now);
                watched.within(idle_left.min(pace.left_ms(upload.bytes, now)));
            } else if pace.is_late(upload.bytes, now) {
                return Poll::Ready(Err(refusal::BODY_SLOW.into()));
            } else {
                return Poll::Ready(Err(refusal::BODY_TIMEOUT.into()));
            }
        }
        Poll::Pending
    })
    .await;
    watched.clear();
    call.request_bytes = upload.bytes;
    if let Some(asked_at) = call.asked_at {
        call.upstream_us = micros(asked_at);
    }
    match asked {
        Ok(response) => Ok(Answered { upstream, response, upload }),
        Err(stop) => {
            call.request_body = std::mem::take(&mut upload.tee);
            Err(stop)
        }
    }
}

/// Writes the request's head into the upstream's buffer, or opens an HTTP/2 stream with it.
async fn send_head(call: &Call, endpoint: &Arc<Endpoint>, connection: Fresh) -> Result<Upstream, Stop> {
    let (Some(head), Some(origin), Some(service)) = (&call.head, &call.origin, call.service()) else {
        return Err(refusal::NO_SERVICE.into());
    };
    let mut forwarded = ForwardedFields::default();
    origin.fields(head.host(), &mut forwarded);
    let mut id = [0; 36];
    let id = call.id.0.hyphenated().encode_lower(&mut id).as_bytes();
    let h2 = matches!(connection, Fresh::H2(_));
    let host = endpoint.host.as_deref().or(head.host()).unwrap_or(endpoint.upstream.host.as_bytes());
    let upgrade = head.upgrade().filter(|_| !h2);
    let own: [Option<(&[u8], &[u8])>; 8] = [
        Some((b"host", host)),
        Some((b"forwarded", &forwarded.forwarded)),
        Some((b"x-forwarded-for", &forwarded.addresses)),
        Some((b"x-forwarded-proto", forwarded.proto.as_bytes())),
        (!forwarded.host.is_empty()).then_some((b"x-forwarded-host", &forwarded.host)),
        Some((b"x-request-id", id)),
        head.te_trailers().then_some((b"te", b"trailers")),
        match (upgrade, head.te_trailers() && !h2) {
            (Some(_), _) => Some((b"connection", b"upgrade")),
            (None, true) => Some((b"connection", b"te")),
            (None, false) => None,
        },
    ];
    let edits = &call.request_edits;
    let kept = head.end_to_end().filter(|(name, _)| {
        !is_replaced(name) && !name.eq_ignore_ascii_case(b"host") && !edits.removes(name)
    });
    let fields = own
        .into_iter()
        .flatten()
        .chain(upgrade.map(|protocol| (&b"upgrade"[..], protocol)))
        .chain(kept)
        .chain(edits.fields());
    let target = head::upstream_target(head, service.cut.as_deref());
    let target = match &call.upstream_query {
        Some(query) => head::with_query(&target, query),
        None => target,
    };
    let framing = framing(call, head);
    let peer = match connection {
        Fresh::H1(mut wire) => {
            let written = write_request_head(&mut wire.output, head.method(), &target, fields, framing);
            written.map_err(|refusal| Reason::of_client(refusal, Place::RequestHeader))?;
            wire.encoder = BodyEncoder::new(framing);
            return Ok(Upstream {
                peer: Peer::H1(wire),
                endpoint: Arc::clone(endpoint),
                answer: None,
                interim: 0,
            });
        }
        Fresh::H2(sender) => sender,
    };
    let request = head::request_for_h2(head.method(), endpoint.tls.is_some(), &target, fields, framing)
        .map_err(|refusal| Reason::of_client(refusal, Place::RequestHeader))?;
    let empty = head.framing().is_empty();
    let mut sender = peer.ready().await.map_err(|_| refusal::UPSTREAM_ABORTED)?;
    let (answer, send) = sender.send_request(request, empty).map_err(|_| refusal::UPSTREAM_ABORTED)?;
    let stream = Stream::of_upstream(send, !empty);
    Ok(Upstream {
        peer: Peer::H2(Box::new(stream)),
        endpoint: Arc::clone(endpoint),
        answer: Some(answer),
        interim: 0,
    })
}

/// The final head of the answer; interim ones are passed on.
fn poll_head(
    cx: &mut Context<'_>,
    call: &Call,
    client: &mut Peer,
    upstream: &mut Upstream,
) -> Poll<Result<ResponseHead, Fault>> {
    loop {
        let response = match (&mut upstream.peer, &mut upstream.answer) {
            (Peer::H1(wire), _) => {
                std::task::ready!(wire.poll_response(cx, &call.plan.limits, call.method()))?
            }
            (Peer::H2(stream), Some(answer)) => {
                let answered =
                    std::task::ready!(std::pin::Pin::new(answer).poll(cx)).map_err(|_| Fault::Closed)?;
                let (parts, receive) = answered.into_parts();
                let body_follows = !receive.is_end_stream();
                let response = http::Response::from_parts(parts, ());
                let head = head::response_of_h2(&response, body_follows, call.method(), &call.plan.limits)?;
                stream.receive_from(receive, head::declared_length(head.framing()));
                head
            }
            (Peer::H2(_), None) => return Poll::Ready(Err(Fault::Closed)),
        };
        if response.status() == 101 && call.head.as_ref().is_none_or(|head| head.upgrade().is_none()) {
            return Poll::Ready(Err(Fault::Invalid(probity_http1::Refusal::Status)));
        }
        if !response.is_interim() {
            return Poll::Ready(Ok(response));
        }
        upstream.interim += 1;
        if upstream.interim > MAX_INTERIM {
            return Poll::Ready(Err(Fault::Invalid(probity_http1::Refusal::Status)));
        }
        pass_interim(call, client, &response);
    }
}

/// Hints before the answer. `100 Continue` was answered by the gateway already.
fn pass_interim(call: &Call, client: &mut Peer, response: &ResponseHead) {
    let http10 = call.head.as_ref().is_some_and(|head| head.version() == Version::Http10);
    if response.status() == 100 || http10 {
        return;
    }
    // A hint that cannot be written is left out: the answer follows in any case.
    match client {
        Peer::H1(wire) => {
            let fields = response.end_to_end();
            let _ = write_response_head(&mut wire.output, response.status(), b"", fields, BodyFraming::None);
        }
        Peer::H2(stream) => {
            if let Ok(head) =
                head::response_for_h2(response.status(), response.end_to_end(), BodyFraming::None)
            {
                stream.inform(head);
            }
        }
    }
}

/// Passes the answer on, records the call, and keeps the upstream's connection where it can be used again.
async fn relay_response(
    call: &mut Call,
    client: &mut Peer,
    watched: &Watched,
    answered: Answered,
    controls: &Controls,
) -> Result<Next, Stop> {
    let Answered { mut upstream, response, mut upload } = answered;
    let framing = response.framing();
    if let Peer::H1(wire) = &mut upstream.peer {
        wire.decoder = BodyDecoder::new(framing, &call.plan.limits);
    }
    let (reusable, mut answer) = (response.keep_alive(), Answer::of(response));
    let (guards, draft) = (controls.guards.as_deref(), controls.draft.as_deref());
    let mut trial = draft.map(|_| answer.clone());
    if let (Some(draft), Some(trial)) = (draft, &mut trial) {
        call.rehearse(async |call| draft.judge_answer_head(call, trial).await).await;
    }
    if let Some(guards) = guards {
        guards.judge_answer_head(call, &mut answer).await?;
    }
    let wanted = guards.and_then(|guards| guards.wants_answer(call, &answer));
    let wanted =
        wanted.max(draft.zip(trial.as_ref()).and_then(|(draft, trial)| draft.wants_answer(call, trial)));
    let mut filter = None;
    if let Some(bound) = wanted.filter(|_| !framing.is_empty()) {
        take_answer(call, watched, &mut upstream, &mut upload, &mut answer, bound, client).await?;
        call.lap(Stage::Upstream);
        let whole = answer.body.whole().is_some();
        if let (Some(draft), Some(trial), true) = (draft, &mut trial, whole) {
            trial.body = answer.body.clone();
            call.rehearse(async |call| draft.judge_answer(call, trial).await).await;
        }
        match guards {
            Some(guards) if whole => guards.judge_answer(call, &mut answer).await?,
            Some(guards) => {
                guards.judge_long_answer(call, &mut answer).await?;
                filter = guards.filter(call, &mut answer)?;
            }
            None => {}
        }
    }
    let closing = call.line.shared().is_draining() || upload.is_going();
    let length = match (&answer.body, &filter) {
        (Held::Whole { data, .. }, _) => Some(data.len() as u64),
        (_, Some(_)) => None,
        _ => head::declared_length(framing),
    };
    let again =
        answer_head(call, client, &answer, closing, filter.is_some()).map_err(|fault| match fault {
            Fault::Invalid(refusal) => Reason::of_upstream(refusal).into(),
            Fault::Closed => Stop::Abort(End::ClientAborted),
        })?;
    let (shown, body) = answer.shown();
    call.response = Some(shown);
    let tee = call.response_tee();
    let durable = call.is_durable();
    let download = if durable { Relay::holding_back(tee, length) } else { Relay::new(tee) };
    let mut download = download.after(body).through(filter);
    let moved = download_all(client, watched, &mut upstream, &mut upload, &mut download, call).await;
    call.lap(Stage::Upstream);
    call.request_bytes = upload.bytes;
    call.response_bytes = download.bytes;
    call.request_body = std::mem::take(&mut upload.tee);
    call.response_body = std::mem::take(&mut download.tee);
    moved?;
    call.end = End::Complete;
    if durable {
        record_first(call, client, watched, &mut download).await?;
    }
    if let Peer::H1(wire) = upstream.peer
        && reusable
        && upload.is_done()
        && wire.is_clean()
    {
        upstream.endpoint.keep(call.line.seat.worker, wire, watched.now_ms());
    }
    Ok(if again && upload.is_done() { Next::Again } else { Next::Close })
}

/// Holds the answer's body: all of it, or its beginning once it is longer than `bound`. What is left of the request
/// goes on meanwhile.
async fn take_answer(
    call: &Call,
    watched: &Watched,
    upstream: &mut Upstream,
    upload: &mut Relay,
    answer: &mut Answer,
    bound: u64,
    client: &mut Peer,
) -> Result<(), Stop> {
    let idle_ms = call.plan.timeouts().idle_ms;
    let sending = |cx: &mut Context<'_>, upstream: &mut Peer| {
        if upload.is_going()
            && !matches!(upload.poll(cx, client, upstream), Poll::Pending | Poll::Ready(Ok(())))
        {
            upload.abandon();
        }
    };
    let taken = body::take_while(&mut upstream.peer, watched, idle_ms, bound, Pace::none(), sending).await;
    answer.body = taken.map_err(|fault| match fault {
        TakeFault::Source(Fault::Invalid(refusal)) => Stop::from(Reason::of_upstream(refusal)),
        TakeFault::Source(Fault::Closed) => refusal::UPSTREAM_ABORTED.into(),
        TakeFault::Late | TakeFault::Slow => refusal::UPSTREAM_TIMEOUT.into(),
    })?;
    Ok(())
}

/// Writes the answer's head for the client. Gives whether the connection goes on.
fn answer_head(
    call: &mut Call,
    client: &mut Peer,
    answer: &Answer,
    closing: bool,
    filtered: bool,
) -> Result<bool, Fault> {
    let response = &answer.head;
    let Some(head) = &call.head else { return Err(Fault::Closed) };
    let mut id = [0; 36];
    let id = call.id.0.hyphenated().encode_lower(&mut id).as_bytes();
    let fields = answer.fields().chain([(&b"x-request-id"[..], id)]);
    let http10 = head.version() == Version::Http10;
    let declared = response.content_length().map_or(BodyFraming::None, BodyFraming::Length);
    let framing = match (&answer.body, response.framing()) {
        (Held::Whole { trailers, .. }, _) if !trailers.is_empty() => BodyFraming::Chunked,
        (Held::Whole { data, .. }, _) => BodyFraming::Length(data.len() as u64),
        (_, BodyFraming::Length(_)) if filtered => BodyFraming::Chunked,
        (_, framing) => framing,
    };
    let body = match (client.is_h2(), framing) {
        (true, BodyFraming::UntilClose | BodyFraming::Chunked) => BodyFraming::Chunked,
        (false, BodyFraming::UntilClose | BodyFraming::Chunked) if http10 => BodyFraming::UntilClose,
        (false, BodyFraming::UntilClose) => BodyFraming::Chunked,
        (_, framing) => framing,
    };
    // Where no body follows, the length that it would have is still told. Not with 204, which has none.
    let stated = if body == BodyFraming::None && answer.status != 204 { declared } else { body };
    match client {
        Peer::H2(stream) => {
            let written = head::response_for_h2(answer.status, fields, stated)?;
            stream.respond(written, !body.is_empty())?;
            call.status = answer.status;
            Ok(true)
        }
        Peer::H1(wire) => {
            let again = head.keep_alive() && !closing && body != BodyFraming::UntilClose;
            let connection: Option<(&[u8], &[u8])> = match (again, http10) {
                (false, _) => Some((b"connection", b"close")),
                (true, true) => Some((b"connection", b"keep-alive")),
                (true, false) => None,
            };
            write_response_head(
                &mut wire.output,
                answer.status,
                if answer.status == response.status() { response.reason() } else { b"" },
                fields.chain(connection),
                stated,
            )?;
            wire.encoder = BodyEncoder::new(body);
            call.status = answer.status;
            Ok(again)
        }
    }
}

/// Moves the answer to the client, and what is left of the request to the upstream.
async fn download_all(
    client: &mut Peer,
    watched: &Watched,
    upstream: &mut Upstream,
    upload: &mut Relay,
    download: &mut Relay,
    call: &Call,
) -> Result<(), Stop> {
    let idle_ms = call.plan.timeouts().idle_ms;
    watched.within(idle_ms);
    let moved = poll_fn(|cx| {
        if upload.is_going()
            && !matches!(upload.poll(cx, client, &mut upstream.peer), Poll::Pending | Poll::Ready(Ok(())))
        {
            // The answer decides, whatever becomes of the request.
            upload.abandon();
        }
        match download.poll(cx, &mut upstream.peer, client) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err((Side::Source, Fault::Closed))) => {
                return Poll::Ready(Err(Stop::Abort(End::UpstreamAborted)));
            }
            Poll::Ready(Err((Side::Source, Fault::Invalid(_)))) => {
                return Poll::Ready(Err(Stop::Abort(End::UpstreamInvalid)));
            }
            Poll::Ready(Err((Side::Sink, Fault::Closed))) => {
                return Poll::Ready(Err(Stop::Abort(End::ClientAborted)));
            }
            // The upstream's body does not keep to its own framing.
            Poll::Ready(Err((Side::Sink, Fault::Invalid(_)))) => {
                return Poll::Ready(Err(Stop::Abort(End::UpstreamInvalid)));
            }
            Poll::Pending => {}
        }
        if download.took_progress() || upload.took_progress() {
            watched.within(idle_ms);
        }
        if !upload.is_going() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Stop::Abort(End::ClientAborted)));
        }
        if watched.expired() {
            let end = if client.backlog() > 0 { End::ClientAborted } else { End::UpstreamTimeout };
            return Poll::Ready(Err(Stop::Abort(end)));
        }
        Poll::Pending
    })
    .await;
    watched.clear();
    moved
}

/// Durable: the end of the answer waits until its record is on disk.
async fn record_first(
    call: &mut Call,
    client: &mut Peer,
    watched: &Watched,
    download: &mut Relay,
) -> Result<(), Stop> {
    let synced = match call.record() {
        Some(Ok(ticket)) => ticket.synced().await,
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    if let Err(error) = synced {
        tracing::error!(request_id = %call.id, %error, "a durable call could not be recorded");
        if call.plan.bundle.record.on_full == OnRecordFailure::Refuse {
            // The client must not take for done what leaves no trace.
            return Err(Stop::Abort(End::Refused));
        }
    }
    let release = |fault| match fault {
        Fault::Closed => Stop::Abort(End::ClientAborted),
        Fault::Invalid(_) => Stop::Abort(End::UpstreamInvalid),
    };
    download.release(client).map_err(release)?;
    watched.within(call.plan.timeouts().idle_ms);
    let flushed = poll_fn(|cx| match client.poll_flush(cx) {
        Poll::Pending if watched.expired() => Poll::Ready(Err(Fault::Closed)),
        poll => poll,
    });
    flushed.await.map_err(release)
}

/// After `101 Switching Protocols`: bytes both ways until both sides are done.
async fn tunnel(
    call: &mut Call,
    client: &mut Peer,
    watched: &Watched,
    answered: Answered,
) -> Result<Next, Stop> {
    let Answered { upstream, response, .. } = answered;
    let (Peer::H1(client), Peer::H1(mut upstream)) = (client, upstream.peer) else {
        return Err(refusal::UPSTREAM_INVALID.into());
    };
    let Some(protocol) = response.upgrade() else {
        return Err(Reason::of_upstream(probity_http1::Refusal::ConnectionOption).into());
    };
    let mut id = [0; 36];
    let id = call.id.0.hyphenated().encode_lower(&mut id).as_bytes();
    let kept = response.end_to_end().filter(|(name, _)| !name.eq_ignore_ascii_case(b"x-request-id"));
    let own: [(&[u8], &[u8]); 3] =
        [(b"connection", b"upgrade"), (b"upgrade", protocol), (b"x-request-id", id)];
    write_response_head(&mut client.output, 101, response.reason(), kept.chain(own), BodyFraming::None)
        .map_err(Reason::of_upstream)?;
    call.status = 101;
    call.protocol =
        if protocol.eq_ignore_ascii_case(b"websocket") { Protocol::Websocket } else { Protocol::Upgraded };
    call.response = Some(response.into());
    let moved = tunnel::join(client, &mut upstream, watched, call.plan.timeouts().idle_ms).await;
    call.lap(Stage::Upstream);
    (call.request_bytes, call.response_bytes) = (moved.up, moved.down);
    call.end = moved.end;
    Ok(Next::Close)
}

/// Answers with a problem, or cuts an answer that was begun.
async fn refuse(
    call: &mut Call,
    client: &mut Peer,
    watched: &Watched,
    reason: Reason,
    detail: Option<String>,
) -> Next {
    call.decide(&reason);
    if call.status != 0 {
        return Next::Cut;
    }
    let mut id = [0; 36];
    let id: &str = call.id.0.hyphenated().encode_lower(&mut id);
    let problem = reason.problem(id, detail.as_deref());
    answer_ourselves(call, client, watched, Prepared::problem(reason.status, problem)).await
}

/// Gives an answer of the gateway's own, or cuts one that was begun.
async fn answer_ourselves(call: &mut Call, client: &mut Peer, watched: &Watched, prepared: Prepared) -> Next {
    if call.status != 0 {
        return Next::Cut;
    }
    let mut id = [0; 36];
    let id: &str = call.id.0.hyphenated().encode_lower(&mut id);
    let bodiless = call.head.as_ref().is_some_and(|head| head.method() == b"HEAD") || prepared.status == 204;
    // What the client sends on is not read: where the next head would begin may be unknown.
    let again =
        call.head.as_ref().is_some_and(|head| {
            head.keep_alive() && (head.framing().is_empty() || call.body.whole().is_some())
        }) && !call.line.shared().is_draining();
    let fields = prepared
        .content_type
        .as_deref()
        .map(|value| (&b"content-type"[..], value.as_bytes()))
        .into_iter()
        .chain(prepared.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
        .chain([(&b"x-request-id"[..], id.as_bytes())]);
    let stated = match prepared.status {
        204 => BodyFraming::None,
        _ => BodyFraming::Length(prepared.body.len() as u64),
    };
    let written = match client {
        Peer::H1(wire) => {
            let close = (!again).then_some((&b"connection"[..], &b"close"[..]));
            let fields = fields.chain(close);
            let written = write_response_head(&mut wire.output, prepared.status, b"", fields, stated);
            wire.encoder = BodyEncoder::new(if bodiless { BodyFraming::None } else { stated });
            written.map_err(Fault::from)
        }
        Peer::H2(stream) => head::response_for_h2(prepared.status, fields, stated)
            .map_err(Fault::from)
            .and_then(|answer| stream.respond(answer, !bodiless)),
    };
    if written.is_err() {
        return Next::Close;
    }
    call.status = prepared.status;
    if !bodiless && client.push(prepared.body.clone()).is_ok() {
        call.response_bytes = prepared.body.len() as u64;
    }
    let _ = client.finish(&probity_http1::FieldBlock::default());
    watched.within(call.plan.timeouts().head_ms);
    let flushed = poll_fn(|cx| match client.poll_flush(cx) {
        Poll::Pending if watched.expired() => Poll::Ready(Err(Fault::Closed)),
        poll => poll,
    })
    .await;
    watched.clear();
    if flushed.is_ok() && again { Next::Again } else { Next::Close }
}

/// Answers what was no call: a head that the codec refused, or that did not come.
pub(crate) async fn refuse_unread(mut call: Call, client: &mut Peer, watched: &Watched, reason: Reason) {
    refuse(&mut call, client, watched, reason, None).await;
    let _ = call.record();
}

impl From<Kept> for Fresh {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::H1(wire) => Self::H1(wire),
            Kept::H2(sender) => Self::H2(sender),
        }
    }
}

/// The request of one call as the pipeline takes it.
pub(crate) fn accept(line: &Arc<super::Line>, head: RequestHead, h2: bool) -> Call {
    let protocol = crate::observe::protocol(&head, h2);
    Call::accept(line, line.shared().plan(), Some(head), protocol)
}
