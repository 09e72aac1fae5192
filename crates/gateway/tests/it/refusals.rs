//! What the gateway refuses, by name, and that nothing of it reaches an upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use probity_model::exchange::{End, PathRef};
use probity_model::{Action, EnforcementMode};

use crate::harness::*;

/// Raw requests and the name of their refusal.
const REFUSED: &[(&str, &str, u16)] = &[
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "te-with-cl",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "repeated-cl", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", "cl-not-numeric", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "te-unknown", 501),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "te-doubled", 400),
    ("GET / HTTP/1.1\nHost: a\n\n", "bare-lf", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "bare-cr", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "obs-fold", 400),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "space-before-colon", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host-repeated", 400),
    ("GET / HTTP/1.1\r\n\r\n", "host-missing", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: gold\r\nContent-Length: 1\r\n\r\na", "expect-unknown", 417),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "http10-with-te", 400),
    ("GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n", "dot-segment", 400),
    ("GET /a/%2e%2e/b HTTP/1.1\r\nHost: a\r\n\r\n", "dot-segment", 400),
    ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "nul-in-path", 400),
    ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "connect", 501),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version", 505),
    ("\x16\x03\x01\x02", "request-line", 400),
];

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_requests_reach_nobody() {
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = reached.clone();
    let address = origin(move |_| {
        counter.fetch_add(1, SeqCst);
        async { answer(200, "text/plain", "") }
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    for (request, name, code) in REFUSED {
        let answer = bench.raw(request).await;
        assert_eq!(status(&answer), *code, "{name}");
        assert_eq!(header(&answer, "content-type"), Some("application/problem+json"), "{name}");
        assert_eq!(header(&answer, "connection"), Some("close"), "{name}");
        let problem: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
        assert_eq!(problem["reason"], *name);
        assert_eq!(problem["status"], *code);
        let record = bench.record();
        assert_eq!((record.status, record.end), (*code, End::Refused), "{name}");
        assert_eq!(problem["request_id"], record.request_id.to_string());
        assert_eq!(record.path, PathRef::Segments(Vec::new()));
        let [decision] = record.decisions.as_slice() else { panic!("one decision for {name}") };
        assert_eq!(decision.check.as_str(), "config-baseline");
        assert_eq!(decision.rule.as_str(), format!("gateway-{name}"));
        assert_eq!((decision.mode, decision.action), (EnforcementMode::Block, Action::Refuse));
        assert_eq!(decision.input.found, *name);
    }
    assert_eq!(reached.load(SeqCst), 0);
    bench.is_settled(REFUSED.len() as u64);
    let metrics = bench.gateway.metrics();
    assert!(metrics.contains("probity_gateway_refusals_total{reason=\"dot-segment\"} 2"), "{metrics}");
}

/// The classic: what follows a refused head on the connection is never taken for a request.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_behind_a_refusal() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = bench
        .raw(&format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
            smuggled.len() + 5
        ))
        .await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert_eq!(bench.record().status, 400);
    bench.is_settled(1);
}

/// A malformed body is found after the head was sent on: the upstream never sees it whole.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_bodies_are_refused() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let address = scripted(move |mut client| {
        let told = told.clone();
        async move { told.send(client.rest().await).unwrap() }
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    for (body, name) in [
        ("3\nabc\r\n0\r\n\r\n", "chunk-lf"),
        ("zz\r\nabc\r\n0\r\n\r\n", "chunk-size"),
        ("3\r\nabcd\r\n0\r\n\r\n", "chunk-end"),
        ("0\r\nContent-Length: 5\r\n\r\n", "trailer-field"),
    ] {
        let answer = bench
            .raw(&format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
            .await;
        assert_eq!(status(&answer), 400, "{name}");
        assert!(answer.contains(&format!(r#""reason":"{name}""#)), "{answer}");
        assert!(!heard.recv().await.unwrap().ends_with("0\r\n\r\n"), "{name}");
        let record = bench.record();
        assert_eq!(record.decisions[0].rule.as_str(), format!("gateway-{name}"));
        assert_eq!(record.end, End::Refused);
    }
}

/// Answers that are no HTTP as the gateway accepts it become 502.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_answers_are_refused() {
    for (bytes, name) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"[..], "te-with-cl"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "repeated-cl"),
        (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "bare-lf"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "obs-fold"),
        (b"ICY 200 OK\r\n\r\n", "status-line"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "status"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", "body-forbidden"),
    ] {
        let bench = Bench::start(&bundle(&[canned(bytes).await])).await;
        let answer = bench.connect().await.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&answer), 502, "{name}");
        assert!(body(&answer).contains(r#""reason":"upstream-invalid""#), "{answer}");
        let record = bench.record();
        assert_eq!((record.status, record.end), (502, End::UpstreamInvalid), "{name}");
        assert_eq!(record.decisions[0].input.found, name);
    }
}

/// An answer that breaks off or breaks its framing is cut, never completed.
#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_cut() {
    for (bytes, end) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"[..], End::UpstreamAborted),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", End::UpstreamAborted),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz", End::UpstreamInvalid),
    ] {
        let address = scripted(move |mut client| async move {
            client.until("\r\n\r\n").await;
            client.send(bytes).await;
        })
        .await;
        let bench = Bench::start(&bundle(&[address])).await;
        let answer = bench.raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        assert_eq!(bench.record().end, end);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_time_out() {
    let mut bundle = bundle(&[echo().await]);
    bundle.timeouts.head_ms = 50;
    bundle.timeouts.idle_ms = 50;
    let bench = Bench::start(&bundle).await;
    let answer = bench.raw("GET / HTTP/1.1\r\nHos").await;
    assert_eq!(status(&answer), 408);
    assert_eq!(bench.record().decisions[0].rule.as_str(), "gateway-head-timeout");
    // Without a byte there is no call.
    assert!(bench.connect().await.is_closed().await);
    bench.is_settled(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_past_their_bounds() {
    let mut bundle = bundle(&[echo().await]);
    bundle.limits.head_bytes = 1024;
    bundle.limits.headers = 5;
    let bench = Bench::start(&bundle).await;
    let many = "X: y\r\n".repeat(10);
    assert_eq!(status(&bench.raw(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")).await), 431);
    let long = "y".repeat(2000);
    assert_eq!(status(&bench.raw(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")).await), 431);
    assert_eq!(status(&bench.raw(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")).await), 414);
}
