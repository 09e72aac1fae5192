//! Traces on their way to a collector: OTLP over HTTP, in JSON (opentelemetry-proto 1, `/v1/traces`).
//!
//! The gateway makes spans and hands them over a bounded channel; here they are gathered, posted and, where the
//! collector is away or slow, dropped and counted. Nothing waits for a collector but this task.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, bail};
use probity_gateway::{CallTrace, Span, SpanKind, Traces, Value};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use tracing::warn;
use zeroize::Zeroizing;

use crate::sources::Loaded;

/// Calls whose spans wait to be sent.
const QUEUE: usize = 2_048;
/// Calls in one export.
const BATCH: usize = 256;
/// How long spans are gathered.
const LINGER: Duration = Duration::from_millis(500);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before an export is tried again; after the last one it is dropped.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
const MAX_HEADERS_BYTES: u64 = 64 * 1024;

const SERVICE: &str = "probity-gateway";

/// Takes spans from a gateway to a collector.
#[derive(Debug)]
pub struct Exporter {
    client: reqwest::Client,
    url: url::Url,
    headers: HeaderMap,
    gateway: String,
    receiver: Receiver<CallTrace>,
    dropped: Arc<AtomicU64>,
}

/// The exporter that a configuration asks for, and the gateway's end of it.
pub fn exporter(loaded: &Loaded) -> anyhow::Result<Option<(Traces, Exporter)>> {
    let Some(otlp) = &loaded.config.telemetry.otlp else { return Ok(None) };
    let url = otlp.url().map_err(|problem| anyhow::anyhow!("endpoint `{}`: {problem}", otlp.endpoint))?;
    let headers = match &otlp.headers_file {
        Some(file) => read_headers(&loaded.path(file))?,
        None => HeaderMap::new(),
    };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .context("no HTTP client for traces")?;
    let (sender, receiver) = channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let traces = Traces { sender, ratio: otlp.ratio, dropped: Arc::clone(&dropped) };
    let gateway = loaded.config.gateway.id.clone();
    Ok(Some((traces, Exporter { client, url, headers, gateway, receiver, dropped })))
}

/// `name: value` lines; the values are secrets.
fn read_headers(file: &Path) -> anyhow::Result<HeaderMap> {
    let about = || format!("cannot read the headers `{}`", file.display());
    if std::fs::metadata(file).with_context(about)?.len() > MAX_HEADERS_BYTES {
        bail!("`{}` is longer than {MAX_HEADERS_BYTES} bytes", file.display());
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).with_context(about)?);
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let odd = || format!("`{}`, line {}: expected `name: value`", file.display(), number + 1);
        let (name, value) = line.split_once(':').with_context(odd)?;
        let mut value = HeaderValue::from_str(value.trim()).ok().with_context(odd)?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.trim().as_bytes()).ok().with_context(odd)?, value);
    }
    Ok(headers)
}

impl Exporter {
    /// Sends until told to stop, and then what is left, once.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let stopping = tokio::select! {
                _ = &mut stop => true,
                taken = self.receiver.recv_many(&mut batch, BATCH) => taken == 0,
            };
            if !stopping && batch.len() < BATCH {
                tokio::time::sleep(LINGER).await;
            }
            while batch.len() < BATCH
                && let Ok(trace) = self.receiver.try_recv()
            {
                batch.push(trace);
            }
            if !batch.is_empty() {
                let pauses = if stopping { &[][..] } else { &PAUSES[..] };
                self.deliver(&batch, pauses).await;
                batch.clear();
            } else if stopping {
                return;
            }
            if stopping {
                stop = closed();
            }
        }
    }

    async fn deliver(&self, batch: &[CallTrace], pauses: &[Duration]) {
        let body = match serde_json::to_vec(&request(&self.gateway, batch)) {
            Ok(body) => body,
            Err(_) => return self.drop_all(batch),
        };
        let mut pauses = pauses.iter();
        loop {
            let problem = match self.post(body.clone()).await {
                Ok(status) if status.is_success() => return,
                // What the collector calls malformed stays so.
                Ok(status) if !matches!(status.as_u16(), 429 | 502..=504) => {
                    warn!(status = status.as_u16(), "the collector refused traces");
                    return self.drop_all(batch);
                }
                Ok(status) => status.to_string(),
                Err(error) => error.without_url().to_string(),
            };
            let Some(pause) = pauses.next() else {
                warn!(problem, "traces could not be delivered");
                return self.drop_all(batch);
            };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn post(&self, body: Vec<u8>) -> reqwest::Result<reqwest::StatusCode> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        Ok(request.header("content-type", "application/json").body(body).send().await?.status())
    }

    fn drop_all(&self, batch: &[CallTrace]) {
        let spans: usize = batch.iter().map(|trace| trace.spans.len()).sum();
        self.dropped.fetch_add(spans as u64, Relaxed);
    }
}

/// A stop that has come already.
fn closed() -> oneshot::Receiver<()> {
    oneshot::channel().1
}

// The shapes of opentelemetry/proto/trace/v1/trace.proto in protobuf's JSON, with ids in hex as OTLP wants them.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    resource_spans: [ResourceSpans; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: Resource,
    scope_spans: [ScopeSpans; 1],
}

#[derive(Serialize)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<OtlpSpan>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    /// 64-bit numbers are text in protobuf's JSON.
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct Attribute {
    key: &'static str,
    value: AnyValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::enum_variant_names, reason = "OTLP's own names")]
enum AnyValue {
    StringValue(String),
    IntValue(String),
    ArrayValue { values: Vec<AnyValue> },
}

const STATUS_ERROR: u8 = 2;

fn request(gateway: &str, batch: &[CallTrace]) -> Export {
    let version = env!("CARGO_PKG_VERSION");
    let text = |key, text: &str| Attribute { key, value: AnyValue::StringValue(text.to_owned()) };
    let attributes = vec![
        text("service.name", SERVICE),
        text("service.instance.id", gateway),
        text("service.version", version),
    ];
    let spans = batch.iter().flat_map(|trace| trace.spans.iter().map(move |each| span(trace, each)));
    Export {
        resource_spans: [ResourceSpans {
            resource: Resource { attributes },
            scope_spans: [ScopeSpans { scope: Scope { name: SERVICE, version }, spans: spans.collect() }],
        }],
    }
}

fn span(trace: &CallTrace, span: &Span) -> OtlpSpan {
    OtlpSpan {
        trace_id: hex(&trace.trace_id),
        span_id: hex(&span.id),
        trace_state: trace.state.clone(),
        parent_span_id: span.parent.as_ref().map(|parent| hex(parent)),
        name: span.name.clone(),
        kind: match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        start_time_unix_nano: span.start_ns.to_string(),
        end_time_unix_nano: span.end_ns.to_string(),
        attributes: span
            .attributes
            .iter()
            .map(|(key, given)| Attribute { key, value: value(given) })
            .collect(),
        status: span.failed.then_some(Status { code: STATUS_ERROR }),
    }
}

fn value(value: &Value) -> AnyValue {
    match value {
        Value::Text(text) => AnyValue::StringValue(text.clone()),
        Value::Number(number) => AnyValue::IntValue(number.to_string()),
        Value::Texts(texts) => {
            AnyValue::ArrayValue { values: texts.iter().cloned().map(AnyValue::StringValue).collect() }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests;
