//! HTTP/2 on either side, and the way between the protocols.

use bytes::Bytes;
use probity_model::bundle::UpstreamProtocol;
use probity_model::exchange::{End, Protocol};

use crate::harness::*;

async fn bench(protocol: UpstreamProtocol) -> Bench {
    let mut bundle = bundle(&[echo().await]);
    bundle.services[0].upstreams[0].protocol = protocol;
    Bench::start(&bundle).await
}

fn post(path: &str) -> http::request::Builder {
    http::Request::post(format!("http://api.example{path}")).version(http::Version::HTTP_2)
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_to_either_protocol() {
    for (protocol, version) in [(UpstreamProtocol::Http1, "HTTP/1.1"), (UpstreamProtocol::Http2, "HTTP/2.0")]
    {
        let bench = bench(protocol).await;
        let client = h2_client(bench.address()).await;
        let request = post("/p?q=1")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-a", "y")
            .body(())
            .unwrap();
        let (head, body, _) = h2_ask(&client, request, Some(b"hello")).await.unwrap();
        let text = String::from_utf8(body).unwrap();
        assert_eq!(head.status(), 200);
        assert!(text.contains(&format!(" {version}\n")), "{text}");
        assert!(text.contains("/p?q=1") && text.ends_with("\n\nhello"), "{text}");
        assert!(text.contains("\ncookie: a=1; b=2\n") && text.contains("\nx-a: y\n"), "{text}");
        assert!(text.contains("api.example"), "{text}");
        let record = bench.record();
        assert_eq!(head.headers()["x-request-id"], record.request_id.to_string());
        assert_eq!((record.protocol, record.end, record.request_bytes), (Protocol::Http2, End::Complete, 5));
        let (head, _, _) = h2_ask(&client, get("http://api.example/"), None).await.unwrap();
        assert_eq!(head.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_to_h2() {
    let bench = bench(UpstreamProtocol::Http2).await;
    let mut client = bench.connect().await;
    for _ in 0..3 {
        let answer = client.ask("POST /p HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\n\r\nhi").await;
        assert!(body(&answer).contains("HTTP/2.0") && answer.ends_with("\n\nhi"), "{answer}");
    }
    assert!(bench.gateway.metrics().contains("probity_gateway_upstream_connects_total 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_at_once() {
    let bench = bench(UpstreamProtocol::Http1).await;
    let client = h2_client(bench.address()).await;
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { h2_ask(&client, get(&format!("http://a/{n}")), None).await.unwrap() })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        let (_, body, _) = call.await.unwrap();
        assert!(String::from_utf8(body).unwrap().starts_with(&format!("GET /{n} ")));
    }
    (0..40).for_each(|_| assert_eq!(bench.record().status, 200));
    bench.is_settled(40);
}

/// The same rules as over HTTP/1.1, by the same names.
#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_refused_by_name() {
    let bench = bench(UpstreamProtocol::Auto).await;
    let client = h2_client(bench.address()).await;
    for (request, name, status) in [
        (post("/a/%2e%2e/b").body(()).unwrap(), "dot-segment", 400),
        (post("/%00").body(()).unwrap(), "nul-in-path", 400),
        (post("/").header("host", "other.example").body(()).unwrap(), "host-mismatch", 400),
        (post("/").header("expect", "gold").body(()).unwrap(), "expect-unknown", 417),
        (
            post("/").header("x_content-length", "1").header("content_length", "1").body(()).unwrap(),
            "framing-lookalike",
            400,
        ),
    ] {
        let (head, body, _) = h2_ask(&client, request, None).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((head.status().as_u16(), problem["reason"].as_str()), (status, Some(name)));
        let record = bench.record();
        assert_eq!(record.decisions[0].rule.as_str(), format!("gateway-{name}"));
        assert_eq!(record.end, End::Refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_is_refused_by_name() {
    let bench = bench(UpstreamProtocol::Auto).await;
    let client = h2_client(bench.address()).await;
    let request = http::Request::connect("a.example:443").version(http::Version::HTTP_2).body(()).unwrap();
    let (head, body, _) = h2_ask(&client, request, None).await.unwrap();
    assert_eq!(head.status(), 501);
    assert!(String::from_utf8(body).unwrap().contains(r#""reason":"connect""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_told_to_continue() {
    let bench = bench(UpstreamProtocol::Http1).await;
    let mut client = h2_client(bench.address()).await;
    let request = post("/").header("expect", "100-continue").body(()).unwrap();
    let (mut answer, mut send) = client.send_request(request, false).unwrap();
    let interim = std::future::poll_fn(|cx| answer.poll_informational(cx)).await.unwrap().unwrap();
    assert_eq!(interim.status(), 100);
    send.send_data(Bytes::from_static(b"x"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
}

/// A body that differs from its `content-length` is never completed upstream.
#[tokio::test(flavor = "multi_thread")]
async fn content_length_must_not_lie() {
    let bench = bench(UpstreamProtocol::Http1).await;
    let client = h2_client(bench.address()).await;
    for (declared, sent) in [("10", &b"abc"[..]), ("2", b"abc")] {
        let request = post("/").header("content-length", declared).body(()).unwrap();
        let asked = h2_ask(&client, request, Some(sent)).await;
        match asked {
            // The HTTP/2 layer may reset the stream before the gateway can answer.
            Err(error) => assert!(error.is_reset() || error.is_remote(), "{error}"),
            Ok((head, ..)) => assert_eq!(head.status(), 400),
        }
        assert_ne!(bench.record().end, End::Complete);
    }
}

/// gRPC: HTTP/2 end to end in clear text, with trailers both ways.
#[tokio::test(flavor = "multi_thread")]
async fn grpc_passes_with_trailers() {
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::Frame;
    let address = origin(|request| async move {
        assert_eq!(request.version(), http::Version::HTTP_2);
        assert_eq!(request.headers()["te"], "trailers");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
        hyper::Response::builder()
            .header("content-type", "application/grpc")
            .body(StreamBody::new(futures_util::stream::iter(frames)).boxed())
            .unwrap()
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let client = h2_client(bench.address()).await;
    let request = post("/clinic.Patients/Read")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (head, body, trailers) = h2_ask(&client, request, Some(b"\0\0\0\0\x02hi")).await.unwrap();
    assert_eq!((head.status().as_u16(), body.as_slice()), (200, &b"\0\0\0\0\x02hi"[..]));
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
    let record = bench.record();
    assert_eq!((record.protocol, record.end), (Protocol::Grpc, End::Complete));
}

/// Trailers that come without a body: the head, then the end (a failed gRPC call).
#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_flow_under_flow_control() {
    for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::Http2] {
        let bench = bench(protocol).await;
        let mut client = h2_client(bench.address()).await;
        let body: Vec<u8> = (0..600_000).map(|n| b'a' + (n % 25) as u8).collect();
        let (answer, mut send) = client.send_request(post("/").body(()).unwrap(), false).unwrap();
        let expected = body.clone();
        tokio::spawn(async move {
            let mut left = Bytes::from(body);
            while !left.is_empty() {
                send.reserve_capacity(left.len());
                let room = std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
                let part = left.split_to(room.min(left.len()));
                send.send_data(part, left.is_empty()).unwrap();
            }
        });
        let mut receive = answer.await.unwrap().into_body();
        let mut all = Vec::new();
        while let Some(data) = receive.data().await {
            let data = data.unwrap();
            receive.flow_control().release_capacity(data.len()).unwrap();
            all.extend_from_slice(&data);
        }
        assert!(all.ends_with(&expected));
        assert_eq!(bench.record().request_bytes, 600_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_stream_is_recorded() {
    let silent = scripted(|mut client| async move { drop(client.rest().await) }).await;
    let bench = Bench::start(&bundle(&[silent])).await;
    let mut client = h2_client(bench.address()).await;
    let (answer, mut send) = client.send_request(get("http://a/"), true).unwrap();
    while bench.events.counts().accepted == 0 {
        tokio::task::yield_now().await;
    }
    send.send_reset(h2::Reason::CANCEL);
    drop((answer, send));
    assert_eq!(bench.record().end, End::ClientAborted);
}
