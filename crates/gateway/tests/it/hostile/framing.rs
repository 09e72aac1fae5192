//! Messages that do not say clearly where they end: the codec's own corpus, here through the gateway, and more.

use super::{Row, passed, refused, row};

/// What the codec is compared with other servers by; its first lines tell the form.
const CODEC: &str = include_str!("../../../../http1/tests/corpus/requests.txt");

/// Refusals that do not answer with 400.
fn status(name: &str) -> u16 {
    match name {
        "connect" | "te-unknown" => 501,
        "version" => 505,
        "expect-unknown" => 417,
        "too-many-headers" | "head-too-large" | "trailers-too-large" => 431,
        "target-too-long" => 414,
        _ => 400,
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, count, length) = match escape.as_bytes()[0] {
            b'r' => (b'\r', 1, 1),
            b'n' => (b'\n', 1, 1),
            b't' => (b'\t', 1, 1),
            b'0' => (0, 1, 1),
            b'\\' => (b'\\', 1, 1),
            b'x' => (u8::from_str_radix(&escape[1..3], 16).unwrap(), 1, 3),
            b'{' => {
                let (inner, _) = escape[1..].split_once('}').unwrap();
                let (count, letter) = inner.split_once(':').unwrap();
                (letter.as_bytes()[0], count.parse().unwrap(), inner.len() + 2)
            }
            other => panic!("unknown escape `{other}`"),
        };
        bytes.extend(std::iter::repeat_n(byte, count));
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Every case of the codec that ends in a refusal; those that are cut off end by time, which `refusals` judges.
fn of_the_codec() -> impl Iterator<Item = Row> {
    // The preface of HTTP/2 is another protocol here: `frames` has it.
    let cases = CODEC.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases = cases.filter(|line| !line.contains("| h2-preface |"));
    cases.filter_map(|line| {
        let (verdict, rest) = line.split_once(" | ").unwrap();
        let (name, bytes) = rest.split_once(" | ").unwrap();
        let (before, refusal) = verdict.split_once('+').filter(|(_, refusal)| *refusal != "more")?;
        let expect = refused(status(refusal), &format!("gateway-{refusal}"));
        Some(Row { before: before.parse().unwrap(), ..row("framing", name, unescape(bytes), expect) })
    })
}

pub fn rows() -> Vec<Row> {
    let smuggled = "GET /admin HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    let post = |fields: &str, body: &str| {
        format!("POST /free HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{fields}\r\n{body}")
    };
    let many = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    let own = [
        (
            "smuggled behind a chunked end",
            post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{smuggled}")),
            refused(400, "gateway-te-with-cl"),
        ),
        (
            "smuggled behind a short length",
            post("Content-Length: 0\r\nContent-Length: 60\r\n", smuggled),
            refused(400, "gateway-repeated-cl"),
        ),
        ("length as a list", post("Content-Length: 3, 3\r\n", "abc"), refused(400, "gateway-cl-not-numeric")),
        (
            "length past 64 bits",
            post("Content-Length: 18446744073709551616\r\n", ""),
            refused(400, "gateway-cl-not-numeric"),
        ),
        (
            "chunk size past 64 bits",
            post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\nabc\r\n0\r\n\r\n"),
            refused(400, "gateway-chunk-size"),
        ),
        (
            "chunk size of a sign",
            post("Transfer-Encoding: chunked\r\n", "-1\r\na\r\n0\r\n\r\n"),
            refused(400, "gateway-chunk-size"),
        ),
        (
            "length without a body, then another call",
            post("Content-Length: 0\r\n", smuggled),
            passed(&["POST /free"], &["/admin"]),
        ),
        (
            "bytes after the last chunk",
            post("Transfer-Encoding: chunked\r\n", &format!("3\r\nabc\r\n0\r\n\r\n{smuggled}")),
            passed(&["\n\nabc"], &["/admin"]),
        ),
        (
            "a trailer that would be a field",
            post("Transfer-Encoding: chunked\r\n", "0\r\nAuthorization: x\r\n\r\n"),
            refused(400, "gateway-trailer-field"),
        ),
        (
            "TE of gzip under chunked",
            post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            refused(501, "gateway-te-unknown"),
        ),
        ("TE identity", post("Transfer-Encoding: identity\r\n", ""), refused(501, "gateway-te-unknown")),
        (
            "TE with a vertical tab",
            post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
            refused(400, "gateway-control-byte"),
        ),
        (
            "HTTP/1.0 with TE",
            "POST /free HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            refused(400, "gateway-http10-with-te"),
        ),
        ("HTTP/0.9", "GET /\r\n\r\n".into(), refused(400, "gateway-request-line")),
        ("HTTP/3 in a line", "GET / HTTP/3.0\r\nHost: a\r\n\r\n".into(), refused(505, "gateway-version")),
        (
            "a TLS hello",
            "\x16\x03\x01\x02\0\x01\0\x01\x03\x03\r\n\r\n".into(),
            refused(400, "gateway-request-line"),
        ),
        ("an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n\r\n".into(), refused(400, "gateway-request-line")),
        ("an SMTP greeting", "EHLO a.example\r\n\r\n".into(), refused(400, "gateway-request-line")),
        (
            "100 fields too many",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", many(200)),
            refused(431, "gateway-too-many-headers"),
        ),
        (
            "10,000 fields",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", many(10_000)),
            refused(431, "gateway-head-too-large"),
        ),
        (
            "a field of 100 KiB",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(100 << 10)),
            refused(431, "gateway-head-too-large"),
        ),
        (
            "a field name of 100 KiB",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}: y\r\n\r\n", "x".repeat(100 << 10)),
            refused(431, "gateway-head-too-large"),
        ),
        (
            "a target of 100 KiB",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(100 << 10)),
            refused(414, "gateway-target-too-long"),
        ),
        (
            "a method of 100 KiB",
            format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "Y".repeat(100 << 10)),
            refused(414, "gateway-target-too-long"),
        ),
        ("a line without end", "A".repeat(200 << 10), refused(414, "gateway-target-too-long")),
    ];
    of_the_codec().chain(own.map(|(name, bytes, expect)| row("framing", name, bytes, expect))).collect()
}
