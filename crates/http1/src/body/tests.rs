use super::*;

fn limits() -> Limits {
    Limits { chunk_extension_bytes: 20, trailer_bytes: 40, trailers: 2, ..Limits::default() }
}

/// Feeds the pieces one by one and renders what came out: data, `|` and trailers at the end, `+` for a
/// missing end, or the name of the refusal; bytes left over follow in brackets.
fn run<'a>(framing: BodyFraming, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut decoder = BodyDecoder::new(framing, &limits());
    let (mut buf, mut out) = (BytesMut::new(), String::new());
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buf) {
                Ok(Some(BodyEvent::Data(data))) => {
                    assert!(!data.is_empty());
                    out += std::str::from_utf8(&data).unwrap();
                }
                Ok(Some(BodyEvent::End(trailers))) => {
                    out += "|";
                    for (name, value) in &trailers {
                        out +=
                            &format!("{}={};", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                    }
                }
                Ok(None) => break,
                Err(refusal) => return refusal.name().to_owned(),
            }
        }
    }
    if !decoder.is_done() {
        out += "+";
    } else if !buf.is_empty() {
        out += &format!("[{}]", String::from_utf8_lossy(&buf));
    }
    out
}

/// Whole, and byte by byte.
fn check(framing: BodyFraming, input: &str, expected: &str) {
    assert_eq!(run(framing, [input.as_bytes()]), expected, "{input:?}");
    assert_eq!(
        run(framing, input.as_bytes().chunks(1)),
        expected.replace(['[', ']'], ""),
        "{input:?} by bytes"
    );
}

#[test]
fn counted_bodies() {
    assert_eq!(run(BodyFraming::Length(3), [&b"abcdef"[..]]), "abc|[def]");
    assert_eq!(run(BodyFraming::Length(3), [&b"ab"[..]]), "ab+");
    assert_eq!(run(BodyFraming::Length(0), [&b"x"[..]]), "|[x]");
    assert_eq!(run(BodyFraming::None, [&b"x"[..]]), "|[x]");
    assert_eq!(run(BodyFraming::UntilClose, [&b"x"[..], b"y"]), "xy+");
}

#[test]
fn chunked_bodies() {
    for (input, expected) in [
        ("3\r\nabc\r\n0\r\n\r\n", "abc|"),
        ("00000003\r\nabc\r\n000\r\n\r\n", "abc|"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789|"),
        ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc|"),
        ("3;x=y\r\nabc\r\n0;z\r\n\r\n", "abc|"),
        ("3;x=\"a b\"\r\nabc\r\n0\r\n\r\n", "abc|"),
        ("0\r\nA: 1\r\nb: 2\r\n\r\n", "|A=1;b=2;"),
        ("0\r\n", "+"),
        ("3\r\nab", "ab+"),
        ("000000003\r\nabc", "chunk-size"),
        ("fffffffff\r\n", "chunk-size"),
        ("\r\n", "chunk-size"),
        ("\n", "chunk-size"),
        (";x\r\n", "chunk-size"),
        ("x\r\n", "chunk-size"),
        ("-1\r\n", "chunk-size"),
        ("+1\r\n", "chunk-size"),
        ("0x1\r\na\r\n", "chunk-size"),
        (" 1\r\na\r\n", "chunk-size"),
        ("1 \r\na\r\n", "chunk-size"),
        ("1\t\r\na\r\n", "chunk-size"),
        ("1 ;x\r\na\r\n", "chunk-size"),
        ("1_0\r\n", "chunk-size"),
        ("1\ra", "chunk-size"),
        ("1\n", "chunk-lf"),
        ("1;x\n", "chunk-lf"),
        ("1;x\ry\r\n", "chunk-extension"),
        ("1;x\ty\r\n", "chunk-extension"),
        ("1;x\0y\r\n", "chunk-extension"),
        ("1;x\u{e9}\r\n", "chunk-extension"),
        ("1;aaaaaaaaaaaaaaaaaaaaaaaa\r\n", "chunk-extension"),
        ("1;aaaaaaaaa\r\na\r\n1;aaaaaaaaaa\r\n", "chunk-extension"),
        ("1\r\na\n0\r\n\r\n", "chunk-lf"),
        ("1\r\nab\r\n0\r\n\r\n", "chunk-end"),
        ("1\r\na\rb", "chunk-end"),
        ("0\r\nA: 1\n\r\n", "bare-lf"),
        ("0\r\n\n", "bare-lf"),
        ("0\r\nA: 1\r\n b\r\n\r\n", "obs-fold"),
        ("0\r\nContent-Length: 1\r\n\r\n", "trailer-field"),
        ("0\r\nA: 1\r\nA: 1\r\nA: 1\r\n\r\n", "trailers-too-large"),
        ("0\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n", "trailers-too-large"),
    ] {
        check(BodyFraming::Chunked, input, expected);
    }
    assert_eq!(run(BodyFraming::Chunked, [&b"0\r\n\r\nGET /"[..]]), "|[GET /]");
}

#[test]
fn closing_is_an_end_only_where_it_may_be() {
    for (framing, input, expected) in [
        (BodyFraming::UntilClose, "", Ok(())),
        (BodyFraming::UntilClose, "abc", Ok(())),
        (BodyFraming::Length(0), "", Ok(())),
        (BodyFraming::Length(4), "abc", Err(Refusal::BodyCut)),
        (BodyFraming::Length(3), "abc", Ok(())),
        (BodyFraming::Chunked, "", Err(Refusal::BodyCut)),
        (BodyFraming::Chunked, "3\r\nabc\r\n0\r\n", Err(Refusal::BodyCut)),
        (BodyFraming::Chunked, "0\r\n\r\n", Ok(())),
    ] {
        let mut decoder = BodyDecoder::new(framing, &limits());
        let mut buf = BytesMut::from(input);
        while decoder.decode(&mut buf).unwrap().is_some() {}
        assert_eq!(decoder.close(), expected, "{framing:?} {input:?}");
        assert_eq!(decoder.is_done(), expected.is_ok());
    }
}

#[test]
fn data_is_not_copied() {
    let mut buf = BytesMut::from(&b"3\r\nabc\r\n"[..]);
    let place = buf[3..].as_ptr();
    let Ok(Some(BodyEvent::Data(data))) = BodyDecoder::new(BodyFraming::Chunked, &limits()).decode(&mut buf)
    else {
        panic!("no data")
    };
    assert_eq!(data.as_ptr(), place);
}

#[test]
fn the_remaining_length_is_known_where_it_was_stated() {
    let mut decoder = BodyDecoder::new(BodyFraming::Length(5), &limits());
    let _ = decoder.decode(&mut BytesMut::from("ab"));
    assert_eq!(decoder.remaining(), Some(3));
    assert_eq!(BodyDecoder::new(BodyFraming::Chunked, &limits()).remaining(), None);
}
