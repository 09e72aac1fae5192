//! Traces of calls: the trace goes on upstream, and its spans say what records say and nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use probity_gateway::{CallTrace, Span, SpanKind, Traces, Tuning, Value};
use probity_model::Timestamp;
use probity_model::bundle::{Bundle, Protection};
use tokio::sync::mpsc::{Receiver, channel};

use crate::harness::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

struct Traced {
    bench: Bench,
    traces: Receiver<CallTrace>,
    dropped: Arc<AtomicU64>,
}

impl Traced {
    async fn start(bundle: &Bundle, ratio: f64, room: usize) -> Self {
        let (sender, traces) = channel(room);
        let dropped = Arc::new(AtomicU64::new(0));
        let given = Traces { sender, ratio, dropped: Arc::clone(&dropped) };
        let tuning = Tuning { workers: Some(1), ..Tuning::default() };
        let bench = Bench::start_with(bundle, |options| options.traces = Some(given), tuning).await;
        Self { bench, traces, dropped }
    }

    async fn ask(&self, path: &str, fields: &str) -> String {
        let text =
            format!("GET {path} HTTP/1.1\r\nHost: clinic.example\r\n{fields}Connection: close\r\n\r\n");
        self.bench.raw(&text).await
    }

    async fn next(&mut self) -> CallTrace {
        tokio::time::timeout(PATIENCE, self.traces.recv()).await.expect("a trace").unwrap()
    }
}

fn clinic(upstreams: &[std::net::SocketAddr]) -> Bundle {
    let mut bundle = bundle(upstreams);
    bundle.services[0].hosts = vec!["*.example".into(), "clinic.example".into()];
    bundle.services[0].operations = vec![operation("clinic", "GET", "/patients/{id}")];
    bundle
}

fn attributes(span: &Span) -> BTreeMap<&'static str, Value> {
    span.attributes.iter().cloned().collect()
}

fn field<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    answer.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on() {
    let mut traced = Traced::start(&clinic(&[echo().await]), 0.0, 8).await;
    let fields = format!("traceparent: {PARENT}-01\r\ntracestate: a=1\r\ntracestate: b=2\r\n");
    let answer = traced.ask("/patients/7021?token=s3cret", &fields).await;
    let trace = traced.next().await;
    assert_eq!(trace.trace_id[..2], [0x0a, 0xf7]);
    assert_eq!(trace.state.as_deref(), Some("a=1,b=2"));
    let [call, stages @ ..] = &trace.spans[..] else { panic!("no spans") };
    assert_eq!(call.parent.unwrap()[..2], [0xb7, 0xad]);
    assert_eq!((call.name.as_str(), call.kind), ("GET /patients/{id}", SpanKind::Server));
    let record = traced.bench.record();
    let said = attributes(call);
    for (name, value) in [
        ("http.request.method", Value::from("GET")),
        ("http.route", Value::from("/patients/{id}")),
        ("http.response.status_code", Value::Number(200)),
        ("server.address", Value::from("clinic.example")),
        ("url.scheme", Value::from("http")),
        ("network.protocol.version", Value::from("1.1")),
        ("probity.revision", Value::Number(1)),
        ("probity.request_id", Value::Text(record.request_id.0.to_string())),
        ("probity.service", Value::from("clinic")),
        ("probity.end", Value::from("complete")),
    ] {
        assert_eq!(said.get(name), Some(&value), "{name} in {said:?}");
    }
    assert!(!call.failed && !said.contains_key("error.type") && !said.contains_key("url.path"));

    // Each stage is a child, inside the call's own time; the upstream's one is who the upstream hears of.
    let names: Vec<_> = stages.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["route", "observe", "GET", "record"]);
    for stage in stages {
        assert_eq!(stage.parent, Some(call.id));
        assert!(
            call.start_ns <= stage.start_ns && stage.start_ns <= stage.end_ns && stage.end_ns <= call.end_ns
        );
    }
    let upstream = &stages[2];
    assert_eq!((upstream.kind, upstream.failed), (SpanKind::Client, false));
    assert_eq!(attributes(upstream)["server.address"], Value::from("127.0.0.1"));
    let id: String = upstream.id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(field(&answer, "traceparent"), [format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01")]);
    assert_eq!(field(&answer, "tracestate"), ["a=1,b=2"]);
    // Distinct ids, and nothing that the client wrote.
    let ids: std::collections::BTreeSet<_> = trace.spans.iter().map(|span| span.id).collect();
    assert_eq!(ids.len(), trace.spans.len());
    let all = format!("{trace:?}");
    assert!(!all.contains("7021") && !all.contains("s3cret") && !all.contains("token"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sampling_follows_the_parent_else_the_ratio() {
    let upstream = echo().await;
    for (ratio, fields, sampled, continued) in [
        (1.0, String::new(), true, false),
        (0.0, String::new(), false, false),
        (1.0, format!("traceparent: {PARENT}-00\r\n"), false, true),
        (0.0, format!("traceparent: {PARENT}-01\r\n"), true, true),
        (1.0, format!("traceparent: {PARENT}-zz\r\ntracestate: a=1\r\n"), true, false),
        (0.0, format!("traceparent: {PARENT}-01\r\ntraceparent: {PARENT}-01\r\n"), false, false),
        (1.0, "tracestate: a=1\r\n".to_owned(), true, false),
    ] {
        let mut traced = Traced::start(&clinic(&[upstream]), ratio, 8).await;
        let answer = traced.ask("/patients/1", &fields).await;
        let [parent] = field(&answer, "traceparent")[..] else { panic!("not one: {answer}") };
        assert_eq!(parent.ends_with("-01"), sampled, "{fields:?} {answer}");
        assert_eq!(parent.contains("0af7651916cd43dd8448eb211c80319c"), continued, "{fields:?}");
        assert_eq!(field(&answer, "tracestate").len(), 0, "of a trace that begins there is none");
        traced.bench.record();
        if sampled {
            assert_eq!(traced.next().await.spans[0].parent.is_some(), continued);
        } else {
            assert!(traced.traces.try_recv().is_err());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_and_what_failed_is_named() {
    let mut bundle = clinic(&[nowhere()]);
    let mut traced = Traced::start(&bundle, 1.0, 8).await;
    traced.ask("/patients/1", "").await;
    let trace = traced.next().await;
    let said = attributes(&trace.spans[0]);
    assert_eq!((trace.spans[0].failed, &said["error.type"]), (true, &Value::from("502")));
    assert_eq!(said["probity.end"], Value::from("upstream-unreachable"));
    let upstream = trace.spans.iter().find(|span| span.kind == SpanKind::Client).unwrap();
    assert!(upstream.failed);

    let network = serde_json::json!({
        "mode": "block", "origins": [], "country_file": null, "maintenance": null,
        "retired": [{"operation": 0, "removed": true, "deprecated": true, "sunset": null, "successor": null}],
        "retries": null, "breaker": null, "health": null,
    });
    bundle.services[0].protection =
        Some(Protection { network: Some(serde_json::from_value(network).unwrap()), ..Protection::default() });
    bundle.created_at = Timestamp(1);
    traced.bench.gateway.apply(sign(&bundle)).unwrap();
    assert!(traced.ask("/patients/1", "").await.starts_with("HTTP/1.1 410"));
    let trace = traced.next().await;
    let said = attributes(&trace.spans[0]);
    let Value::Texts(rules) = &said["probity.decision.rules"] else { panic!("{said:?}") };
    assert!(rules.len() == 1 && rules[0].starts_with("gateway-"), "{rules:?}");
    assert!(!trace.spans[0].failed && trace.spans.iter().any(|span| span.name == "network"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_drops_and_counts() {
    let mut traced = Traced::start(&clinic(&[echo().await]), 1.0, 1).await;
    for _ in 0..3 {
        traced.ask("/patients/1", "").await;
        traced.bench.record();
    }
    let kept = traced.next().await;
    let dropped = traced.dropped.load(Relaxed);
    assert!(traced.traces.try_recv().is_err() && dropped == 2 * kept.spans.len() as u64, "{dropped}");
    let metrics = traced.bench.gateway.metrics();
    assert!(metrics.contains(&format!("probity_gateway_spans_dropped_total {dropped}\n")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_traces_fields_pass_as_they_came() {
    let bench = Bench::start(&clinic(&[echo().await])).await;
    let answer = bench
        .raw("GET /x HTTP/1.1\r\nHost: clinic.example\r\ntraceparent: odd\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(field(&answer, "traceparent"), ["odd"]);
}
