//! Bodies in every framing, trailers, streaming, interim answers.

use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use probity_model::exchange::{End, Protocol};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn requests_pass_on_one_connection() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let mut client = bench.connect().await;
    for (request, sent) in [
        ("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", ""),
        ("POST /b?c=d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        (
            "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n3;x=y\r\nbar\r\n0\r\n\r\n",
            "foobar",
        ),
        ("PUT /d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", ""),
    ] {
        let answer = client.ask(request).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let (head, body) = body(&answer).split_once("\n\n").unwrap();
        let line = request.split(" HTTP").next().unwrap();
        assert!(head.starts_with(&format!("{line} HTTP/1.1")), "{head}");
        assert_eq!(body, sent);
        let record = bench.record();
        assert_eq!((record.status, record.end, record.protocol), (200, End::Complete, Protocol::Http11));
        assert_eq!(record.request_bytes, sent.len() as u64);
        assert_eq!(record.response_bytes.to_string(), header(&answer, "content-length").unwrap());
    }
    bench.is_settled(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let mut client = bench.connect().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send([request("/1"), request("/2"), request("/3")].concat()).await;
    for path in ["/1", "/2", "/3"] {
        let answer = client.ask("").await;
        assert!(body(&answer).starts_with(&format!("GET {path} ")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_stream_both_ways() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let mut client = bench.connect().await;
    let body: String = (0..400_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let answer = client
        .ask(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
        .await;
    assert!(answer.ends_with(&body));
    let record = bench.record();
    assert_eq!(record.request_bytes, body.len() as u64);
}

/// Framings of answers: what the upstream sends, what an HTTP/1.1 client and an HTTP/1.0 client get.
#[tokio::test(flavor = "multi_thread")]
async fn framings_of_answers() {
    async fn check(upstream: &'static str, request: &str, ends: &str, closes: bool) {
        let upstream: &'static [u8] = upstream.as_bytes();
        let address = scripted(move |mut client| async move {
            client.until("\r\n\r\n").await;
            client.send(upstream).await;
        })
        .await;
        let bench = Bench::start(&bundle(&[address])).await;
        let mut client = bench.connect().await;
        client.send(request).await;
        let answer = if closes { client.rest().await } else { client.until(ends).await };
        assert!(answer.ends_with(ends), "{answer:?} does not end with {ends:?}");
        assert_eq!(header(&answer, "connection"), closes.then_some("close"), "{answer}");
        assert_eq!(bench.record().end, End::Complete, "{answer}");
    }
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const GET10: &str = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
    const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let counted = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nabc";
    check(counted, GET, "content-length: 3\r\n\r\nabc", false).await;
    check(chunked, GET, "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false).await;
    check(until_close, GET, "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false).await;
    check(counted, GET10, "content-length: 3\r\n\r\nabc", true).await;
    check(chunked, GET10, "connection: close\r\n\r\nabc", true).await;
    check(until_close, GET10, "connection: close\r\n\r\nabc", true).await;
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", HEAD, "content-length: 3\r\n\r\n", false).await;
    check("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", GET, "content-length: 3\r\n\r\n", false)
        .await;
    check("HTTP/1.1 204 No Content\r\n\r\n", GET, "\r\n\r\n", false).await;
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GET, "content-length: 0\r\n\r\n", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_pass() {
    let address =
        canned(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 9\r\n\r\n").await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\r\n").await;
    assert!(client.until("0\r\nX-Sum: 9\r\n\r\n").await.contains("\r\n1\r\na\r\n"));

    let bench = Bench::start(&bundle(&[echo().await])).await;
    let request =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n";
    assert!(bench.connect().await.ask(request).await.ends_with("a\ntrailer x-sum: 7"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_told_to_continue() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let mut client = bench.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    let answer = client.ask("hi").await;
    assert!(answer.ends_with("\n\nhi") && !answer.contains("expect"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_pass_and_100_does_not() {
    let address = canned(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    )
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    assert_eq!(status(&client.until("\r\n\r\nx").await), 200);
}

/// A hint reaches the client before the answer is made; endless hints are no answer.
#[tokio::test(flavor = "multi_thread")]
async fn hints_do_not_wait_and_do_not_pile_up() {
    let (release, released) = tokio::sync::watch::channel(false);
    let address = scripted(move |mut client| {
        let mut released = released.clone();
        async move {
            client.until("\r\n\r\n").await;
            client.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
            released.wait_for(|released| *released).await.unwrap();
            client.send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50)).await;
            client.rest().await;
        }
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&client.until("\r\n\r\n").await), 103);
    release.send(true).unwrap();
    let answer = client.until("upstream-invalid").await;
    assert_eq!(answer.matches("103 Early Hints").count(), 15);
    assert_eq!(bench.record().end, End::UpstreamInvalid);
}

/// A message means the same however its bytes arrive.
#[tokio::test(flavor = "multi_thread")]
async fn requests_may_come_in_pieces() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let mut client = bench.connect().await;
    let request = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\nX-T: u\r\n\r\n";
    for at in 1..request.len() {
        let (first, second) = request.split_at(at);
        client.send(first).await;
        tokio::task::yield_now().await;
        let answer = client.ask(second).await;
        assert_eq!(status(&answer), 200, "cut at {at}: {answer}");
        assert!(answer.ends_with("abc\ntrailer x-t: u"), "cut at {at}: {answer}");
    }
}

/// Each event arrives before the next one is made.
#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_flow() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<&'static str>(1);
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
    let address = origin(move |_| {
        let receiver = receiver.clone();
        async move {
            let events = futures_stream(receiver);
            hyper::Response::builder()
                .header("content-type", "text/event-stream")
                .body(StreamBody::new(events).boxed())
                .unwrap()
        }
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send("GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        sender.send(event).await.unwrap();
        assert!(client.until(event).await.ends_with(event));
    }
    drop(sender);
    client.until("0\r\n\r\n").await;
    assert_eq!(bench.record().end, End::Complete);
}

type Receiver = std::sync::Arc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<&'static str>>>;

fn futures_stream(
    receiver: Receiver,
) -> impl futures_util::Stream<Item = Result<Frame<bytes::Bytes>, std::convert::Infallible>> + Send + Sync {
    futures_util::stream::unfold(receiver, |receiver| async move {
        let event = receiver.lock().await.recv().await?;
        Some((Ok(Frame::data(bytes::Bytes::from_static(event.as_bytes()))), receiver))
    })
}

/// An answer that comes before the body was read ends the call; the connection is not used again.
#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_wins() {
    let address = canned(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc").await;
    let answer = client.rest().await;
    assert_eq!((status(&answer), body(&answer)), (413, "no"));
    assert_eq!(header(&answer, "connection"), Some("close"));
    let record = bench.record();
    assert_eq!((record.status, record.end, record.request_bytes), (413, End::Complete, 3));
}

/// A client that goes away frees the upstream, and the record says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_recorded() {
    let (gone, mut was_gone) = tokio::sync::mpsc::unbounded_channel();
    let address = scripted(move |mut client| {
        let gone = gone.clone();
        async move {
            client.until("\r\n\r\n").await;
            client.rest().await;
            gone.send(()).unwrap();
        }
    })
    .await;
    let bench = Bench::start(&bundle(&[address])).await;
    let mut client = bench.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The call is under way once the counter has moved.
    while bench.events.counts().accepted == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    was_gone.recv().await.unwrap();
    let record = bench.record();
    assert_eq!((record.status, record.end), (0, End::ClientAborted));
    bench.is_settled(1);
}
