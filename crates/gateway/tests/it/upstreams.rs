//! Upstreams: kept connections, failover, retries, failures by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use probity_model::exchange::End;

use crate::harness::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = opened.clone();
    let address = scripted(move |mut client| {
        counter.fetch_add(1, SeqCst);
        async move {
            loop {
                let mut one = [0];
                if !matches!(client.stream.peek(&mut one).await, Ok(1..)) {
                    return;
                }
                client.until("\r\n\r\n").await;
                client.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await;
            }
        }
    })
    .await;
    let bench = Bench::start_with(&bundle(&[address]), |_| {}, one_worker()).await;
    for _ in 0..3 {
        let mut client = bench.connect().await;
        for _ in 0..3 {
            assert_eq!(status(&client.ask(GET).await), 200);
        }
    }
    assert_eq!(opened.load(SeqCst), 1);
    assert!(bench.gateway.metrics().contains("probity_gateway_upstream_reused_total 8"));
}

fn one_worker() -> probity_gateway::Tuning {
    probity_gateway::Tuning { workers: Some(1), ..Default::default() }
}

/// The upstream answers once, then reads the next request and closes without an answer: only what can be repeated is.
#[tokio::test(flavor = "multi_thread")]
async fn stale_connections_are_retried_once() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = opened.clone();
    let address = scripted(move |mut client| {
        counter.fetch_add(1, SeqCst);
        async move {
            client.until("\r\n\r\n").await;
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await;
            client.until("\r\n\r\n").await;
        }
    })
    .await;
    let bench = Bench::start_with(&bundle(&[address]), |_| {}, one_worker()).await;
    let mut client = bench.connect().await;
    assert_eq!(status(&client.ask(GET).await), 200);
    assert_eq!(status(&client.ask(GET).await), 200);
    assert_eq!(opened.load(SeqCst), 2);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let answer = client.ask(post).await;
    assert_eq!(status(&answer), 502);
    assert!(answer.contains("upstream-aborted"), "{answer}");
    assert_eq!(opened.load(SeqCst), 2);
    let ends: Vec<_> = (0..3).map(|_| bench.record().end).collect();
    assert_eq!(ends, [End::Complete, End::Complete, End::UpstreamAborted]);
}

/// A kept connection that the upstream has closed is not used, whatever the request.
#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_are_noticed() {
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let address = scripted(move |mut client| {
        let closed = closed.clone();
        async move {
            client.until("\r\n\r\n").await;
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await;
            drop(client);
            closed.send(()).unwrap();
        }
    })
    .await;
    let bench = Bench::start_with(&bundle(&[address]), |_| {}, one_worker()).await;
    let mut client = bench.connect().await;
    for _ in 0..5 {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(status(&client.ask(post).await), 200);
        was_closed.recv().await.unwrap();
        // The loop of the worker has seen the close once it has served another connection.
        assert_eq!(status(&bench.raw("GET / HTTP/1.1\r\n\r\n").await), 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_take_turns_and_failures_fail_over() {
    let one = origin(|_| async { answer(200, "text/plain", "1") }).await;
    let two = origin(|_| async { answer(200, "text/plain", "2") }).await;
    let bench = Bench::start(&bundle(&[one, nowhere(), two])).await;
    let mut client = bench.connect().await;
    let mut seen = String::new();
    for _ in 0..6 {
        seen += body(&client.ask(GET).await);
    }
    assert_eq!(seen, "122122");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_names() {
    let silent = scripted(|mut client| async move { drop(client.rest().await) }).await;
    let closing = scripted(|mut client| async move { drop(client.until("\r\n\r\n").await) }).await;
    for (upstream, code, name, end) in [
        (nowhere(), 502, "upstream-unreachable", End::UpstreamUnreachable),
        (silent, 504, "upstream-timeout", End::UpstreamTimeout),
        (closing, 502, "upstream-aborted", End::UpstreamAborted),
    ] {
        let mut bundle = bundle(&[upstream]);
        bundle.timeouts.upstream_ms = 50;
        let bench = Bench::start(&bundle).await;
        let answer = bench.connect().await.ask(GET).await;
        assert_eq!(status(&answer), code, "{name}");
        assert!(body(&answer).contains(&format!(r#""reason":"{name}""#)), "{answer}");
        assert!(!answer.contains("detail"), "{answer}");
        let record = bench.record();
        assert_eq!((record.status, record.end), (code, end), "{name}");
        assert!(record.decisions.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_inside_a_body_ends_the_call() {
    let address = scripted(|mut client| async move {
        client.until("\r\n\r\n").await;
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").await;
        client.rest().await;
    })
    .await;
    let mut bundle = bundle(&[address]);
    bundle.timeouts.idle_ms = 50;
    let bench = Bench::start(&bundle).await;
    assert!(bench.raw(GET).await.ends_with("abc"));
    assert_eq!(bench.record().end, End::UpstreamTimeout);
}

/// Backpressure: a client that does not read stops the upstream, and the gateway does not take the rest into memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_upstream() {
    use tokio::io::AsyncWriteExt;
    const WHOLE: usize = 256 * 1024 * 1024;
    /// A write that waits this long waits for the reader.
    const QUIET: std::time::Duration = std::time::Duration::from_millis(300);
    let (stopped, mut has_stopped) = tokio::sync::mpsc::unbounded_channel();
    let address = scripted(move |mut client| {
        let stopped = stopped.clone();
        async move {
            client.until("\r\n\r\n").await;
            client.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {WHOLE}\r\n\r\n")).await;
            let piece = vec![b'x'; 64 * 1024];
            let mut sent = 0;
            while let Ok(Ok(())) = tokio::time::timeout(QUIET, client.stream.write_all(&piece)).await {
                sent += piece.len();
            }
            stopped.send(sent).unwrap();
            client.rest().await;
        }
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send(GET).await;
    client.until("\r\n\r\n").await;
    let sent = has_stopped.recv().await.unwrap();
    assert!(sent < WHOLE / 4, "{sent} bytes were taken");
    drop(client);
    assert_eq!(bench.record().end, End::ClientAborted);
}
