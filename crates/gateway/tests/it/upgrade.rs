//! WebSocket and other upgrades.

use probity_model::exchange::{End, Protocol};

use crate::harness::*;

/// Switches to a protocol that says everything back in upper case.
async fn upgrading(protocol: &'static str) -> std::net::SocketAddr {
    scripted(move |mut client| async move {
        use tokio::io::AsyncWriteExt;
        let head = client.until("\r\n\r\n").await;
        if header(&head, "upgrade") != Some(protocol) || header(&head, "connection") != Some("upgrade") {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain").await;
            return;
        }
        client.send(format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nX-Up: 1\r\n\r\nhello ")).await;
        let line = client.until("\n").await;
        client.send(line.to_uppercase()).await;
        client.stream.shutdown().await.unwrap();
        client.rest().await;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_pass() {
    for (protocol, recorded) in [("websocket", Protocol::Websocket), ("lines/1", Protocol::Upgraded)] {
        let bench = Bench::start(&bundle(&[upgrading(protocol).await])).await;
        let mut client = bench.connect().await;
        // The first bytes come with the head: they belong to the new protocol.
        client
            .send(format!("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Key: x\r\n\r\nab"))
            .await;
        let head = client.until("\r\n\r\n").await;
        assert_eq!(status(&head), 101);
        assert_eq!(header(&head, "upgrade"), Some(protocol));
        assert_eq!(header(&head, "connection"), Some("upgrade"));
        assert_eq!(header(&head, "x-up"), Some("1"));
        client.until("hello ").await;
        client.send("c\n").await;
        assert_eq!(client.until("\n").await, "ABC\n");
        drop(client);
        let record = bench.record();
        assert_eq!((record.status, record.protocol), (101, recorded));
        assert_eq!((record.request_bytes, record.response_bytes), (4, 10));
        assert!(matches!(record.end, End::Complete), "{:?}", record.end);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h2c_and_lists_are_not_switched_to() {
    let bench = Bench::start(&bundle(&[upgrading("websocket").await])).await;
    for protocol in ["h2c", "websocket, h2c"] {
        let answer = bench
            .connect()
            .await
            .ask(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"))
            .await;
        assert_eq!((status(&answer), body(&answer)), (200, "plain"), "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_may_be_declined() {
    let bench = Bench::start(&bundle(&[echo().await])).await;
    let mut client = bench.connect().await;
    for _ in 0..2 {
        let answer = client
            .ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await;
        assert_eq!(status(&answer), 200);
        assert!(body(&answer).contains("\nupgrade: websocket\n"), "{answer}");
    }
}
