//! Load balancers that tell who connected.

use std::net::IpAddr;

use probity_model::bundle::{Bundle, ProxyProtocol};
use tokio::io::AsyncWriteExt;

use crate::harness::*;

async fn balanced(trusted: &[&str]) -> Bundle {
    let mut bundle = bundle(&[echo().await]);
    let trusted = trusted.iter().map(ToString::to_string).collect();
    bundle.listeners[0].proxy_protocol = Some(ProxyProtocol { trusted });
    bundle
}

const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

/// Sends the header in two pieces, then the request; gives what was answered.
async fn ask(bench: &Bench, header: &[u8], cut: usize) -> String {
    let mut client = bench.connect().await;
    let (first, rest) = header.split_at(cut.min(header.len()));
    client.stream.write_all(first).await.unwrap();
    client.stream.flush().await.unwrap();
    // The gateway may have closed already: then nothing comes back.
    let _ = client.stream.write_all(&[rest, REQUEST].concat()).await;
    client.rest().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_in_the_header_is_the_client() {
    let bench = Bench::start(&balanced(&["10.0.0.0/8", "127.0.0.1"]).await).await;
    let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xc8, 0x22, 0x01, 0xbb];
    let mut v6 = [0; 36];
    (v6[0], v6[1], v6[15]) = (0x20, 0x01, 9);
    for (header, client) in [
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\r\n".to_vec(), "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::1 ::1 51234 443\r\n".to_vec(), "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (v2(0x21, 0x11, &v4), "203.0.113.9"),
        (v2(0x21, 0x21, &v6), "2001::9"),
        (v2(0x21, 0x11, &[&v4[..], &[4, 0, 2, 1, 1]].concat()), "203.0.113.9"),
        (v2(0x20, 0x00, &[]), "127.0.0.1"),
    ] {
        for cut in [1, 8, header.len() - 1, header.len()] {
            let answer = ask(&bench, &header, cut).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{header:?}: {answer}");
            assert!(answer.contains(&format!("\nx-forwarded-for: {client}\n")), "{header:?}: {answer}");
            assert_eq!(bench.record().client, Some(client.parse::<IpAddr>().unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_header_is_closed() {
    let bench = Bench::start(&balanced(&["127.0.0.1"]).await).await;
    for header in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 443 more\r\n",
        &v2(0x21, 0x12, &[0; 12]),
        &v2(0x21, 0x11, &[0; 11]),
        &v2(0x21, 0x11, &[0xff; 5_000]),
    ] {
        assert_eq!(ask(&bench, header, 4).await, "", "{header:?}");
    }
    let metrics = bench.gateway.metrics();
    assert!(metrics.contains("refusals_total{reason=\"proxy-malformed\"} 6"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_not_believed() {
    let mut bundle = balanced(&["10.0.0.0/8"]).await;
    let bench = Bench::start(&bundle).await;
    assert_eq!(ask(&bench, b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\r\n", 6).await, "");
    assert!(bench.gateway.metrics().contains("refusals_total{reason=\"proxy-untrusted\"} 1"));

    // It may come, go and change under a listener that serves.
    bundle.listeners[0].proxy_protocol = None;
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert!(ask(&bench, b"", 0).await.starts_with("HTTP/1.1 200"));
    assert_eq!(bench.record().client, Some(IpAddr::from([127, 0, 0, 1])));
    bundle.listeners[0].proxy_protocol = Some(ProxyProtocol { trusted: vec!["10.0.0.0/99".into()] });
    let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
    assert!(refused.to_string().contains("`10.0.0.0/99`"), "{refused}");
}
