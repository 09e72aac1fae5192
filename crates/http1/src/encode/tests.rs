use super::*;

type Lines<'a> = &'a [(&'a str, &'a str)];

fn show(result: Result<(), Refusal>, out: &BytesMut) -> String {
    match result {
        Ok(()) => String::from_utf8_lossy(out).into_owned(),
        Err(refusal) => {
            assert_eq!(&out[..], b"before", "a refused head leaves no trace");
            refusal.name().to_owned()
        }
    }
}

fn request(method: &str, target: &str, fields: Lines<'_>, framing: BodyFraming) -> String {
    let mut out = BytesMut::from("before");
    let result =
        write_request_head(&mut out, method.as_bytes(), target.as_bytes(), fields.iter().copied(), framing);
    show(result, &out)
}

fn response(status: u16, reason: &str, fields: Lines<'_>, framing: BodyFraming) -> String {
    let mut out = BytesMut::from("before");
    let result = write_response_head(&mut out, status, reason.as_bytes(), fields.iter().copied(), framing);
    show(result, &out)
}

#[test]
fn requests_have_one_spelling() {
    let host: Lines<'_> = &[("host", "a")];
    assert_eq!(request("GET", "/", host, BodyFraming::None), "beforeGET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(
        request("PUT", "/a?b", &[("Host", " a\t"), ("X-A", "")], BodyFraming::Length(10)),
        "beforePUT /a?b HTTP/1.1\r\nHost: a\r\nX-A: \r\ncontent-length: 10\r\n\r\n"
    );
    assert_eq!(
        request("POST", "/", host, BodyFraming::Chunked),
        "beforePOST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    );
}

#[test]
fn requests_that_could_break_framing_are_refused() {
    let host: Lines<'_> = &[("host", "a")];
    for (method, target, fields, framing, expected) in [
        ("", "/", host, BodyFraming::None, "method"),
        ("GET /x HTTP/1.1\r\n", "/", host, BodyFraming::None, "method"),
        ("CONNECT", "a:1", host, BodyFraming::None, "connect"),
        ("GET", "", host, BodyFraming::None, "target-form"),
        ("GET", "/ HTTP/1.1\r\nX: y", host, BodyFraming::None, "target-byte"),
        ("GET", "/\r\n", host, BodyFraming::None, "control-byte"),
        ("GET", "/\0", host, BodyFraming::None, "nul-in-path"),
        ("GET", "/", &[], BodyFraming::None, "host-missing"),
        ("GET", "/", &[("host", "a"), ("Host", "a")], BodyFraming::None, "host-repeated"),
        ("GET", "/", &[("host", "a b")], BodyFraming::None, "host-invalid"),
        ("GET", "/", &[("host", "a"), ("x", "a\r\nb: c")], BodyFraming::None, "control-byte"),
        ("GET", "/", &[("host", "a"), ("x\r\ny", "a")], BodyFraming::None, "field-name"),
        ("GET", "/", &[("host", "a"), ("", "a")], BodyFraming::None, "field-name"),
        ("GET", "/", &[("host", "a"), ("content-length", "1")], BodyFraming::None, "framing-field"),
        ("GET", "/", &[("host", "a"), ("Transfer-Encoding", "chunked")], BodyFraming::None, "framing-field"),
        ("GET", "/", &[("host", "a"), ("Content_Length", "1")], BodyFraming::None, "framing-lookalike"),
        ("GET", "/", host, BodyFraming::UntilClose, "framing-field"),
    ] {
        assert_eq!(request(method, target, fields, framing), expected, "{method:?} {target:?} {fields:?}");
    }
}

#[test]
fn responses_have_one_spelling() {
    assert_eq!(
        response(200, "", &[], BodyFraming::Length(0)),
        "beforeHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    );
    assert_eq!(
        response(299, "", &[("A", "b")], BodyFraming::UntilClose),
        "beforeHTTP/1.1 299 \r\nA: b\r\n\r\n"
    );
    assert_eq!(
        response(404, "Gone fishing", &[], BodyFraming::None),
        "beforeHTTP/1.1 404 Gone fishing\r\n\r\n"
    );
    for (status, reason, framing, expected) in [
        (99, "", BodyFraming::None, "status"),
        (1000, "", BodyFraming::None, "status"),
        (200, "a\r\nb", BodyFraming::None, "control-byte"),
        (204, "", BodyFraming::Length(1), "body-forbidden"),
        (101, "", BodyFraming::Chunked, "body-forbidden"),
    ] {
        assert_eq!(response(status, reason, &[], framing), expected, "{status} {reason:?}");
    }
}

#[test]
fn chunks_and_trailers() {
    let mut out = BytesMut::new();
    write_chunk(&mut out, b"");
    write_chunk(&mut out, &[b'x'; 17]);
    write_last_chunk(&mut out);
    assert_eq!(&out[..], b"11\r\nxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");

    let mut out = BytesMut::from("before");
    let result = write_trailers(&mut out, [("grpc-status", "0")]);
    assert_eq!(show(result, &out), "before0\r\ngrpc-status: 0\r\n\r\n");
    for (name, value, expected) in [
        ("content-length", "1", "trailer-field"),
        ("Host", "a", "trailer-field"),
        ("a", "b\r\n", "control-byte"),
        ("a b", "b", "field-name"),
    ] {
        let mut out = BytesMut::from("before");
        let result = write_trailers(&mut out, [(name, value)]);
        assert_eq!(show(result, &out), expected, "{name}");
    }
}

#[test]
fn bodies_are_held_to_their_framing() {
    let none: [(&str, &str); 0] = [];
    let run = |framing, pieces: &[&str]| {
        let (mut encoder, mut out) = (BodyEncoder::new(framing), BytesMut::new());
        let result = pieces
            .iter()
            .try_for_each(|piece| encoder.encode(piece.as_bytes(), &mut out))
            .and_then(|()| encoder.finish(none, &mut out));
        assert_eq!(encoder.is_done(), result.is_ok());
        result.map(|()| String::from_utf8_lossy(&out).into_owned()).map_err(Refusal::name)
    };
    assert_eq!(run(BodyFraming::Length(3), &["a", "", "bc"]), Ok("abc".into()));
    assert_eq!(run(BodyFraming::Length(3), &["ab"]), Err("body-length"));
    assert_eq!(run(BodyFraming::Length(3), &["ab", "cd"]), Err("body-length"));
    assert_eq!(run(BodyFraming::None, &[""]), Ok("".into()));
    assert_eq!(run(BodyFraming::None, &["a"]), Err("body-length"));
    assert_eq!(run(BodyFraming::Chunked, &["a", "", "bc"]), Ok("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n".into()));
    assert_eq!(run(BodyFraming::UntilClose, &["a", "bc"]), Ok("abc".into()));
}

#[test]
fn nothing_follows_the_end_of_a_body() {
    let none: [(&str, &str); 0] = [];
    let (mut encoder, mut out) = (BodyEncoder::new(BodyFraming::Chunked), BytesMut::new());
    encoder.finish(none, &mut out).unwrap();
    assert_eq!(encoder.encode(b"x", &mut out), Err(Refusal::BodyLength));
    assert_eq!(encoder.finish(none, &mut out), Err(Refusal::BodyLength));
}

#[test]
fn extreme_numbers() {
    let written = response(200, "", &[], BodyFraming::Length(u64::MAX));
    assert!(written.contains("content-length: 18446744073709551615\r\n"));
    let mut out = BytesMut::new();
    write_chunk_head(&mut out, usize::MAX);
    assert_eq!(&out[..], b"ffffffffffffffff\r\n");
}
