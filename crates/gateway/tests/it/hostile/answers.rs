//! Upstreams that are hostile themselves: framing, bombs, and data that must not leave.

use std::net::SocketAddr;
use std::sync::LazyLock;

use super::bodies::gzip;
use super::{Expect, Row, Seen, get, passed, replaced, row};
use crate::harness::*;

struct Answer {
    name: &'static str,
    bytes: Vec<u8>,
    expect: Expect,
    /// Whether the operation has a contract.
    judged: bool,
}

fn sized(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const JSON: &str = "Content-Type: application/json\r\n";

fn framing() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let broken = || replaced(502, "gateway-upstream-invalid");
    let raw = |text: &str| text.as_bytes().to_vec();
    vec![
        ("no HTTP", raw("hello\r\n\r\n"), broken()),
        ("HTTP/0.9", raw("<html></html>"), broken()),
        ("a status of letters", raw("HTTP/1.1 abc OK\r\n\r\n"), broken()),
        ("a status of four digits", raw("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"), broken()),
        ("a status below all", raw("HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"), broken()),
        (
            "length and chunks",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            broken(),
        ),
        (
            "two lengths",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
            broken(),
        ),
        ("a length of a sign", raw("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc"), broken()),
        ("a length of letters", raw("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc"), broken()),
        (
            "an unknown transfer coding",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: evil\r\n\r\nabc"),
            broken(),
        ),
        ("bare line feeds", raw("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), broken()),
        (
            "a bare return in a field",
            raw("HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n"),
            broken(),
        ),
        ("a folded field", raw("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"), broken()),
        ("NUL in a field", raw("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"), broken()),
        ("a space before a colon", raw("HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n"), broken()),
        (
            "a field of 200 KiB",
            raw(&format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "y".repeat(200 << 10))),
            broken(),
        ),
        (
            "5,000 fields",
            raw(&format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(5_000))),
            broken(),
        ),
        (
            "a switch nobody asked for",
            raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
            broken(),
        ),
        ("interim answers without end", raw(&"HTTP/1.1 102 Processing\r\n\r\n".repeat(5_000)), broken()),
        (
            "two answers",
            raw(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            ),
            passed(&["GET /raw/"], &[]),
        ),
    ]
}

fn bodies() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let gzipped =
        |fields: &str, body: &[u8]| sized(&format!("{JSON}Content-Encoding: gzip\r\n{fields}"), body);
    let undecodable = || replaced(502, "gateway-undecodable");
    let bomb = gzip(&vec![b' '; 4 << 20]);
    vec![
        ("a zip bomb", gzipped("", &bomb), undecodable()),
        (
            "a bomb in a bomb",
            sized(&format!("{JSON}Content-Encoding: gzip, gzip\r\n"), &gzip(&bomb)),
            undecodable(),
        ),
        ("gzip that is none", gzipped("", b"xxxxxxxx"), undecodable()),
        ("gzip cut", gzipped("", &gzip(br#"{"name":"abcdefghijklmnop"}"#)[..20]), undecodable()),
        ("an unknown coding", sized(&format!("{JSON}Content-Encoding: evil\r\n"), b"xxxx"), undecodable()),
        (
            "brotli that is none",
            sized(&format!("{JSON}Content-Encoding: br\r\n"), b"\xff\xff\xff\xff"),
            undecodable(),
        ),
        (
            "zstd that is none",
            sized(&format!("{JSON}Content-Encoding: zstd\r\n"), b"\x28\xb5\x2f\xfd\xff"),
            undecodable(),
        ),
        (
            "a card number",
            sized(JSON, br#"{"pan":"4111111111111111"}"#),
            replaced(200, "gateway-response-mask"),
        ),
        (
            "a card number under gzip",
            gzipped("", &gzip(br#"{"pan":"4111111111111111"}"#)),
            replaced(200, "gateway-response-mask"),
        ),
        ("a card's code", sized(JSON, br#"{"cvv":"123"}"#), replaced(502, "gateway-response-block")),
        (
            "a stack trace",
            sized(
                JSON,
                br#"{"error":"java.lang.NullPointerException\n\tat com.clinic.Api.load(Api.java:42)"}"#,
            ),
            replaced(200, "gateway-error-body"),
        ),
        (
            "an error page",
            b"HTTP/1.1 500 X\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\noops".to_vec(),
            replaced(500, "gateway-error-body"),
        ),
        (
            "a banner",
            sized(&format!("{JSON}Server: nginx/1.0\r\nX-Powered-By: PHP/5\r\n"), b"{}"),
            replaced(200, "gateway-banner"),
        ),
    ]
}

fn judged() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let wrong = |word: &str| replaced(502, &format!("contract-response-{word}"));
    let json = |body: &[u8]| sized(JSON, body);
    vec![
        ("a good one", json(br#"{"name":"x"}"#), passed(&["GET /raw/judged/"], &[])),
        ("a field that is not declared", json(br#"{"name":"x","ssn":"1"}"#), wrong("unknown-field")),
        ("another type", json(br#"{"name":7}"#), wrong("type")),
        ("a field missing", json(b"{}"), wrong("required")),
        ("no JSON", json(b"<html>"), wrong("syntax")),
        ("a key twice", json(br#"{"name":"x","name":"y"}"#), wrong("duplicate-key")),
        ("100,000 deep", json(&b"[".repeat(100_000)), wrong("depth")),
        ("another content type", sized("Content-Type: text/html\r\n", b"<b>"), wrong("content-type")),
        ("another status", b"HTTP/1.1 203 X\r\nContent-Length: 0\r\n\r\n".to_vec(), wrong("status")),
    ]
}

static ANSWERS: LazyLock<Vec<Answer>> = LazyLock::new(|| {
    let of = |rows: Vec<(&'static str, Vec<u8>, Expect)>, judged| {
        rows.into_iter().map(move |(name, bytes, expect)| Answer { name, bytes, expect, judged })
    };
    of(framing(), false).chain(of(bodies(), false)).chain(of(judged(), true)).collect()
});

/// Answers with the bytes whose number the path ends in, and closes.
pub async fn upstream(seen: Seen) -> SocketAddr {
    scripted(move |mut client| {
        let seen = seen.clone();
        async move {
            let head = client.until("\r\n\r\n").await;
            let number =
                head.split(' ').nth(1).and_then(|path| path.rsplit('/').next()?.parse::<usize>().ok());
            seen.lock().unwrap().push(head);
            let answer =
                number.and_then(|number| ANSWERS.get(number)).map_or(&b""[..], |answer| &answer.bytes);
            // The gateway may have seen enough before all is written.
            use tokio::io::AsyncWriteExt as _;
            client.stream.write_all(answer).await.unwrap_or_default();
            client.stream.shutdown().await.unwrap_or_default();
            client.rest().await;
        }
    })
    .await
}

pub fn rows() -> Vec<Row> {
    let numbered = ANSWERS.iter().enumerate();
    numbered
        .map(|(number, answer)| {
            let folder = if answer.judged { "judged" } else { "free" };
            row(
                "upstream's answer",
                answer.name,
                get(&format!("/raw/{folder}/{number}"), ""),
                answer.expect.clone(),
            )
        })
        .collect()
}
