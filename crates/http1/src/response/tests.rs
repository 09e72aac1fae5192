use super::*;

fn parse(text: &[u8], method: &str) -> Result<Option<ResponseHead>, Refusal> {
    parse_response(&mut BytesMut::from(text), &Limits::default(), method.as_bytes())
}

fn check(lines: &str, method: &str, expected: &str) {
    let input = format!("HTTP/1.1 {lines}\r\n");
    let got = match parse(input.as_bytes(), method) {
        Ok(Some(head)) => format!("{:?}{}", head.framing(), if head.keep_alive() { "" } else { " close" }),
        Ok(None) => "more".to_owned(),
        Err(refusal) => refusal.name().to_owned(),
    };
    assert_eq!(got, expected, "{method} {lines:?}");
}

#[test]
fn framing_depends_on_status_and_method() {
    let cl = "Content-Length: 5\r\n";
    let te = "Transfer-Encoding: chunked\r\n";
    check(&format!("200 OK\r\n{cl}"), "GET", "Length(5)");
    check(&format!("200 OK\r\n{te}"), "GET", "Chunked");
    check("200 OK\r\n", "GET", "UntilClose close");
    check(&format!("200 OK\r\n{cl}"), "HEAD", "None");
    check(&format!("200 OK\r\n{te}"), "HEAD", "None");
    check("200 OK\r\n", "HEAD", "None");
    check(&format!("304 Not Modified\r\n{cl}"), "GET", "None");
    check("204 No Content\r\n", "GET", "None");
    check("204 No Content\r\nContent-Length: 0\r\n", "GET", "None");
    check(&format!("204 No Content\r\n{cl}"), "GET", "body-forbidden");
    check(&format!("204 No Content\r\n{te}"), "GET", "body-forbidden");
    check("100 Continue\r\n", "POST", "None");
    check(&format!("103 Early Hints\r\n{cl}"), "GET", "body-forbidden");
    check(&format!("101 Switching Protocols\r\n{te}"), "GET", "body-forbidden");
    check("200 Connected\r\n", "CONNECT", "None");
    check(&format!("200 Connected\r\n{cl}"), "CONNECT", "None");
    check(&format!("403 No\r\n{cl}"), "CONNECT", "Length(5)");
    check(&format!("200 OK\r\n{cl}Connection: close\r\n"), "GET", "Length(5) close");
}

#[test]
fn ambiguous_heads_are_refused() {
    for (lines, expected) in [
        ("200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "repeated-cl"),
        ("200 OK\r\nContent-Length: 1, 1\r\n", "cl-not-numeric"),
        ("200 OK\r\nContent-Length: -1\r\n", "cl-not-numeric"),
        ("200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", "te-with-cl"),
        ("200 OK\r\nTransfer-Encoding: gzip\r\n", "te-unknown"),
        ("200 OK\r\nTransfer-Encoding: chunked, chunked\r\n", "te-doubled"),
        ("200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "te-doubled"),
        ("200 OK\r\nTransfer_Encoding: chunked\r\n", "framing-lookalike"),
        ("200 OK\r\nX: a\r\n b\r\n", "obs-fold"),
        ("200 OK\r\nX : a\r\n", "space-before-colon"),
        ("200 OK\r\nX: a\nY: b\r\n", "bare-lf"),
        ("200 OK\r\nX: a\rY: b\r\n", "bare-cr"),
        ("200 OK\r\nX: \0\r\n", "control-byte"),
        ("200 OK\r\nX\r\n", "field-name"),
        ("200 O\x01K\r\n", "control-byte"),
        ("099 Low\r\n", "status-line"),
        ("20 OK\r\n", "status-line"),
        ("2000 OK\r\n", "status-line"),
        ("abc OK\r\n", "status-line"),
        (" 200 OK\r\n", "status-line"),
    ] {
        check(lines, "GET", expected);
        check(lines, "HEAD", expected);
    }
}

#[test]
fn versions_and_noise() {
    for (text, expected) in [
        (&b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"[..], "ok"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "http10-with-te"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "version"),
        (b"http/1.1 200 OK\r\n\r\n", "status-line"),
        (b"HTTX/1.1 200 OK\r\n\r\n", "status-line"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "status-line"),
        (b"<html>", "status-line"),
    ] {
        let got = parse(text, "GET").err().map_or("ok", Refusal::name);
        assert_eq!(got, expected, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn reasons_are_given_as_received() {
    for (line, expected) in [
        (&b"HTTP/1.1 200 OK"[..], &b"OK"[..]),
        (b"HTTP/1.1 200 ", b""),
        (b"HTTP/1.1 200", b""),
        (b"HTTP/1.1 404 Nicht da \xe9", b"Nicht da \xe9"),
        (b"HTTP/1.1 999 X", b"X"),
    ] {
        let head = parse(&[line, b"\r\nContent-Length: 0\r\n\r\n"].concat(), "GET").unwrap().unwrap();
        assert_eq!(head.reason(), expected);
    }
}

#[test]
fn the_stated_length_survives_head_and_304() {
    let head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", "HEAD").unwrap().unwrap();
    assert_eq!((head.framing(), head.content_length()), (BodyFraming::None, Some(77)));
}

#[test]
fn upgrades_are_named() {
    let head = parse(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET",
    );
    let head = head.unwrap().unwrap();
    assert_eq!(head.upgrade(), Some(&b"websocket"[..]));
    assert!(!head.is_interim() && head.keep_alive());
    let interim = parse(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "GET").unwrap().unwrap();
    assert!(interim.is_interim());
}

#[test]
fn an_upstream_cannot_strip_end_to_end_fields() {
    let head = parse(
        b"HTTP/1.1 200 OK\r\nConnection: content-type, x-hop\r\nContent-Type: a/b\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\n",
        "GET",
    );
    let head = head.unwrap().unwrap();
    let kept: Vec<_> = head.end_to_end().collect();
    assert_eq!(kept, [(&b"Content-Type"[..], &b"a/b"[..])]);
}
