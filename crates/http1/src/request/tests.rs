use super::*;

fn parse(text: &str) -> Result<Option<RequestHead>, Refusal> {
    parse_request(&mut BytesMut::from(text.as_bytes()), &Limits::default())
}

fn head(text: &str) -> RequestHead {
    parse(text).unwrap().unwrap()
}

/// Parses a request for `/` with these header lines beside `Host`.
fn with(lines: &str) -> Result<RequestHead, Refusal> {
    parse(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).map(Option::unwrap)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn parts_are_found() {
    let mut buf =
        BytesMut::from("POST /a/b?c=d HTTP/1.1\r\nHost:  A.example:81 \r\nX-Y:\r\nx-y: 2\r\n\r\nbody");
    let head = parse_request(&mut buf, &Limits::default()).unwrap().unwrap();
    assert_eq!(text(head.method()), "POST");
    assert_eq!(text(head.target()), "/a/b?c=d");
    assert_eq!(text(head.path()), "/a/b");
    assert_eq!(head.query().map(text), Some("c=d"));
    assert_eq!(text(head.path_and_query()), "/a/b?c=d");
    assert_eq!(head.host().map(text), Some("A.example:81"));
    assert_eq!(head.header(b"x-Y").map(text), Some(""));
    assert_eq!(head.version(), Version::Http11);
    assert_eq!(head.framing(), BodyFraming::None);
    let names: Vec<_> = head.headers().map(|(name, _)| text(name)).collect();
    assert_eq!(names, ["Host", "X-Y", "x-y"]);
    assert_eq!(&buf[..], b"body");
    assert!(format!("{head:?}").contains("POST") && !format!("{head:?}").contains("c=d"));
}

#[test]
fn heads_share_their_buffer() {
    let head = head("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head.share(head.path()).as_ptr(), head.as_bytes()[4..].as_ptr());
    assert_eq!(head.clone().as_bytes().as_ptr(), head.as_bytes().as_ptr());
}

#[test]
fn absolute_targets_become_origin_form() {
    for (target, path, origin) in [
        ("http://a", "/", "/"),
        ("http://a/", "/", "/"),
        ("http://a/b?c", "/b", "/b?c"),
        ("http://A:80/b?", "/b", "/b?"),
    ] {
        let head = head(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((text(head.path()), text(head.path_and_query())), (path, origin), "{target}");
        assert_eq!(head.target_form(), TargetForm::Absolute);
        assert!(head.host().map(text).unwrap().to_ascii_lowercase().starts_with('a'));
    }
    let head = head("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((text(head.path()), text(head.path_and_query())), ("*", "*"));
}

#[test]
fn keep_alive_follows_version_and_options() {
    for (version, connection, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x-y\r\nConnection: Close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
    ] {
        let head = head(&format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n"));
        assert_eq!(head.keep_alive(), expected, "{version} {connection}");
    }
}

#[test]
fn upgrades_need_both_fields_and_one_protocol() {
    for (lines, expected) in [
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", Some("websocket")),
        ("Connection: keep-alive, upgrade\r\nUpgrade: IRC/6.9\r\n", Some("IRC/6.9")),
        ("Upgrade: websocket\r\n", None),
        ("Connection: upgrade\r\n", None),
        ("Connection: upgrade\r\nUpgrade: h2c\r\n", None),
        ("Connection: upgrade\r\nUpgrade: H2C\r\n", None),
        ("Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", None),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", None),
        ("Connection: upgrade\r\nUpgrade:\r\n", None),
        ("Connection: upgrade\r\nUpgrade: a/\r\n", None),
    ] {
        assert_eq!(with(lines).unwrap().upgrade().map(text), expected, "{lines}");
    }
    let old = head("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(old.upgrade(), None);
}

#[test]
fn expectations_and_trailers() {
    let head = with("Expect: 100-Continue\r\nTE: trailers\r\n").unwrap();
    assert!(head.expect_continue() && head.te_trailers());
    let old = parse("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").unwrap().unwrap();
    assert!(!old.expect_continue() && old.host().is_none());
}

#[test]
fn end_to_end_fields_leave_this_hop_out() {
    let head = with(
        "Connection: close, X-Hop\r\nX-Hop: 1\r\nx-keep: 2\r\nKeep-Alive: 5\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n",
    )
    .unwrap();
    let kept: Vec<_> = head.end_to_end().map(|(name, _)| text(name)).collect();
    assert_eq!(kept, ["Host", "x-keep"]);
    let head = with("Content-Length: 0\r\nTrailer: x\r\n").unwrap();
    assert_eq!(head.end_to_end().map(|(name, _)| text(name)).collect::<Vec<_>>(), ["Host", "Trailer"]);
}

#[test]
fn incomplete_heads_take_nothing() {
    let whole = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for end in 0..whole.len() {
        let mut buf = BytesMut::from(&whole.as_bytes()[..end]);
        assert!(parse_request(&mut buf, &Limits::default()).unwrap().is_none(), "{end}");
        assert_eq!(buf.len(), end);
    }
    assert!(parse(whole).unwrap().is_some());
}

#[test]
fn bounds_hold_exactly() {
    let text = "GET /abc HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    let exact = Limits { head_bytes: text.len(), headers: 2, target_bytes: 4, ..Limits::default() };
    let check = |limits: Limits, expected: &str| {
        let got = parse_request(&mut BytesMut::from(text), &limits).err().map_or("ok", Refusal::name);
        assert_eq!(got, expected, "{limits:?}");
    };
    check(exact, "ok");
    check(Limits { head_bytes: text.len() - 1, ..exact }, "head-too-large");
    check(Limits { head_bytes: 10, ..exact }, "target-too-long");
    check(Limits { headers: 1, ..exact }, "too-many-headers");
    check(Limits { headers: usize::MAX, ..exact }, "ok");
    check(Limits { target_bytes: 3, ..exact }, "target-too-long");
}

#[test]
fn noise_is_refused_before_a_whole_head_arrives() {
    for (noise, expected) in [
        ("\x16\x03\x01\x02", "request-line"),
        ("\n", "bare-lf"),
        ("\rG", "bare-cr"),
        ("\r\n\r\n", "request-line"),
        (" GET", "request-line"),
        ("GET / HTTP/1.1\n", "bare-lf"),
    ] {
        assert_eq!(parse(noise).err().map(Refusal::name), Some(expected), "{noise:?}");
    }
}
