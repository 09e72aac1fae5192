//! Traces: one span for each call and one for each stage of it, after OpenTelemetry's conventions for HTTP, under the
//! trace that the client continues or a new one (W3C Trace Context). Absent unless asked for: a call then pays a branch.
//!
//! [`context`] reads and writes the fields, [`describe`] says what a call's span tells. Spans say what records say: route template, status, rules; never a raw path,
//! a query, a field's value or an address of a client. They are handed to a bounded channel, and dropped and counted
//! where it is full; who sends them on is the server's business.

mod context;
mod describe;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use probity_http1::RequestHead;
use tokio::sync::mpsc::Sender;

use self::context::Context;
pub(crate) use self::describe::describe;
use crate::enforce::FieldEdits;
use crate::metrics::Stage;
use crate::upstream::Endpoint;

/// Stages of one call that become spans.
const MAX_LAPS: usize = 32;

/// Where spans of calls go, and of which calls.
#[derive(Clone, Debug)]
pub struct Traces {
    pub sender: Sender<CallTrace>,
    /// Of the calls that begin a trace, the part that is sampled: 0 to 1. A call that continues one is sampled as it says.
    pub ratio: f64,
    /// Spans that found no room here; who sends them adds those that could not be delivered.
    pub dropped: Arc<AtomicU64>,
}

/// The spans of one call; the first is the call's own, the others are its children.
#[derive(Clone, Debug, PartialEq)]
pub struct CallTrace {
    pub trace_id: [u8; 16],
    /// `tracestate`, as it came.
    pub state: Option<String>,
    pub spans: Vec<Span>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    pub name: String,
    pub kind: SpanKind,
    /// Nanoseconds since 1970.
    pub start_ns: u64,
    pub end_ns: u64,
    pub attributes: Vec<(&'static str, Value)>,
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Internal,
    Server,
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
    Texts(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

/// The trace of a call that is under way.
#[derive(Debug)]
pub(crate) struct Trace {
    context: Context,
    own: [u8; 8],
    /// Of the span that the upstream's spans will be children of.
    upstream: [u8; 8],
    laps: Vec<(Stage, Instant, Instant)>,
    /// Whom the call was passed to, last.
    pub asked: Option<Arc<Endpoint>>,
}

/// What a call has to say at its end.
#[derive(Debug)]
pub(crate) struct CallEnd {
    pub name: String,
    pub attributes: Vec<(&'static str, Value)>,
    pub failed: bool,
    pub method: &'static str,
    /// Of the upstream's answer.
    pub upstream_status: Option<u16>,
    /// Nanoseconds since 1970 at `started`.
    pub start_ns: u64,
    pub started: Instant,
}

impl Trace {
    /// Continues the client's trace, or begins one. `None` where no random numbers can be had.
    pub fn begin(traces: &Traces, head: &RequestHead) -> Option<Box<Self>> {
        let [own, upstream, first, second] = random()?;
        let new_id = || {
            let mut id = [0; 16];
            id.iter_mut().zip(first.iter().chain(&second)).for_each(|(into, byte)| *into = *byte);
            id
        };
        let context = Context::of(head).unwrap_or_else(|| Context::new(new_id(), traces.ratio));
        Some(Box::new(Self { context, own, upstream, laps: Vec::new(), asked: None }))
    }

    /// Puts the trace's fields in the place of the client's, for the upstream.
    pub fn edit(&self, edits: &mut FieldEdits) {
        edits.set("traceparent", self.context.traceparent(self.upstream));
        match &self.context.state {
            Some(state) => edits.set("tracestate", state.as_str()),
            None => edits.remove("tracestate"),
        }
    }

    pub fn is_sampled(&self) -> bool {
        self.context.sampled
    }

    /// Takes a stage that has ended. All that is waited of the upstream is one span.
    pub fn lap(&mut self, stage: Stage, from: Instant, to: Instant) {
        if !self.context.sampled || self.laps.len() >= MAX_LAPS {
            return;
        }
        let before = self.laps.iter_mut().find(|(known, ..)| stage == Stage::Upstream && *known == stage);
        match before {
            Some((.., end)) => *end = to,
            None => self.laps.push((stage, from, to)),
        }
    }

    /// Hands the spans over.
    pub fn end(self, traces: &Traces, end: CallEnd) {
        if !self.context.sampled {
            return;
        }
        let count = self.laps.len() as u64 + 1;
        let sent = self.spans(end).is_some_and(|trace| traces.sender.try_send(trace).is_ok());
        if !sent {
            traces.dropped.fetch_add(count, Relaxed);
        }
    }

    fn spans(self, end: CallEnd) -> Option<CallTrace> {
        let at = |moment: Instant| {
            let since = moment.saturating_duration_since(end.started).as_nanos();
            end.start_ns.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
        };
        let ids: [[u8; 8]; MAX_LAPS] = random()?;
        let end_ns = self.laps.iter().map(|(.., to)| at(*to)).max().unwrap_or(end.start_ns);
        let mut spans = Vec::with_capacity(self.laps.len() + 1);
        spans.push(Span {
            id: self.own,
            parent: self.context.parent,
            name: end.name,
            kind: SpanKind::Server,
            start_ns: end.start_ns,
            end_ns,
            attributes: end.attributes,
            failed: end.failed,
        });
        for ((stage, from, to), id) in self.laps.iter().zip(ids) {
            let mut span = Span {
                id,
                parent: Some(self.own),
                name: stage.name().to_owned(),
                kind: SpanKind::Internal,
                start_ns: at(*from),
                end_ns: at(*to),
                attributes: Vec::new(),
                failed: false,
            };
            if *stage == Stage::Upstream {
                (span.id, span.kind, span.name) = (self.upstream, SpanKind::Client, end.method.to_owned());
                span.attributes.push(("http.request.method", end.method.into()));
                if let Some(endpoint) = &self.asked {
                    let host = endpoint.upstream.host.as_str();
                    let port = endpoint.upstream.port;
                    span.attributes.extend([("server.address", host.into()), ("server.port", port.into())]);
                }
                let status = end.upstream_status;
                span.attributes.extend(status.map(|status| ("http.response.status_code", status.into())));
                span.failed = status.is_none_or(|status| status >= 400);
                if let Some(status) = status.filter(|_| span.failed) {
                    span.attributes.push(("error.type", Value::Text(status.to_string())));
                }
            }
            spans.push(span);
        }
        Some(CallTrace { trace_id: self.context.id, state: self.context.state, spans })
    }
}

/// Random ids, none of them zero.
fn random<const N: usize>() -> Option<[[u8; 8]; N]> {
    let mut ids = [[0; 8]; N];
    aws_lc_rs::rand::fill(ids.as_flattened_mut()).ok()?;
    // All zeros means no id at all.
    ids.iter_mut().for_each(|[.., last]| *last = (*last).max(1));
    Some(ids)
}
