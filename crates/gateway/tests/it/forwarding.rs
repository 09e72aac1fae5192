//! What the upstream is told, and what it is not.

use crate::harness::*;

/// The lines that the upstream saw.
async fn seen(bench: &Bench, fields: &str) -> Vec<String> {
    let answer = bench
        .connect()
        .await
        .ask(&format!("GET /p?q=1 HTTP/1.1\r\nHost: api.example:8080\r\n{fields}\r\n"))
        .await;
    body(&answer).lines().map(str::to_owned).collect()
}

fn value<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_believed() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let lines = seen(
        &bench,
        "X-Forwarded-For: 8.8.8.8\r\nForwarded: for=8.8.8.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
         X-Forwarded-Prefix: /x\r\nX-Real-IP: 8.8.8.8\r\nX-Request-Id: mine\r\n",
    )
    .await;
    assert_eq!(value(&lines, "host"), ["api.example:8080"]);
    assert_eq!(value(&lines, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(value(&lines, "x-forwarded-proto"), ["http"]);
    assert_eq!(value(&lines, "x-forwarded-host"), ["api.example:8080"]);
    assert_eq!(value(&lines, "forwarded"), ["for=127.0.0.1;host=\"api.example:8080\";proto=http"]);
    for absent in ["x-forwarded-prefix", "x-real-ip"] {
        assert!(value(&lines, absent).is_empty(), "{absent}");
    }
    let record = bench.record();
    assert_eq!(value(&lines, "x-request-id"), [record.request_id.to_string()]);
    assert_eq!(record.client.unwrap().to_string(), "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxies_are() {
    let mut bundle = bundle(&[echo().await]);
    bundle.forwarding.trusted_proxies = vec!["127.0.0.0/8".into(), "10.0.0.0/8".into()];
    let bench = Bench::start(&bundle).await;
    let lines = seen(
        &bench,
        "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n",
    )
    .await;
    assert_eq!(value(&lines, "x-forwarded-for"), ["203.0.113.9, 10.0.0.4, 127.0.0.1"]);
    assert_eq!(value(&lines, "x-forwarded-proto"), ["https"]);
    assert_eq!(value(&lines, "x-forwarded-host"), ["shop.example"]);
    assert_eq!(bench.record().client.unwrap().to_string(), "203.0.113.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_one_hop_end_here() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let lines = seen(
        &bench,
        "Connection: x-secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic x\r\n\
         Upgrade: h2c\r\nTE: gzip\r\nX-Kept: 2\r\n",
    )
    .await;
    for absent in ["connection", "x-secret", "keep-alive", "proxy-authorization", "upgrade", "te"] {
        assert!(value(&lines, absent).is_empty(), "{absent}: {lines:?}");
    }
    assert_eq!(value(&lines, "x-kept"), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_lose_fields_of_the_hop_and_gain_an_id() {
    let address = canned(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Request-Id: theirs\r\nX-Kept: 2\r\n\r\n",
    )
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let answer = bench.connect().await.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    for absent in ["connection", "x-hop", "keep-alive"] {
        assert_eq!(header(&answer, absent), None, "{answer}");
    }
    assert_eq!(header(&answer, "x-kept"), Some("2"));
    assert_eq!(header(&answer, "x-request-id").unwrap(), bench.record().request_id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_found_by_host_and_path() {
    let (one, two) = (origin(|_| async { answer(200, "text/plain", "one") }).await, echo().await);
    let mut bundle = bundle(&[]);
    let mut first = service("one", &[one]);
    first.hosts = vec!["one.example".into()];
    let mut second = service("two", &[two]);
    second.path_prefix = "/two".into();
    second.strip_prefix = true;
    bundle.services = vec![first, second];
    let bench = Bench::start(&bundle).await;
    let mut client = bench.connect().await;
    for (host, path, expected, service) in [
        ("one.example", "/x", "one", "one"),
        ("ONE.example:80", "/two/x", "one", "one"),
        ("other", "/two/x?y", "GET /x?y HTTP/1.1", "two"),
        ("other", "/two", "GET / HTTP/1.1", "two"),
        ("other", "/twofold", "", "-"),
    ] {
        let answer = client.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        if service == "-" {
            assert_eq!(status(&answer), 404);
            assert!(body(&answer).contains(r#""reason":"no-service""#), "{answer}");
        } else {
            assert!(body(&answer).starts_with(expected), "{answer}");
        }
        assert_eq!(bench.record().service.as_str(), service);
    }
}
