//! Properties over arbitrary input: how the bytes are cut does not matter, nothing panics, what is written is
//! read back as it was meant, and smuggling pairs never pass.

use bytes::BytesMut;
use probity_http1::{
    BodyDecoder, BodyEncoder, BodyEvent, BodyFraming, Limits, Refusal, check_field, check_host, check_path,
    parse_content_length, parse_request, parse_response, write_request_head, write_response_head,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::corpus::cases;
use crate::reading::{End, read};

type Pairs = Vec<(String, String)>;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) }
}

/// Text made of the pieces that matter to a parser of HTTP, so that arbitrary input gets past the first byte.
fn httpish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => select(vec![
            "GET ", "POST ", "/", "/a/b", "..", "%2e", "?", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n", "\r\n\r\n", "Host: a\r\n",
            "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "X: y\r\n", ": ", "3\r\nabc\r\n",
            "0\r\n\r\n", "3;x\r\n", "HTTP/1.1 200 OK\r\n", "\n", "\r", " ", "\t",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// End-to-end field names that the codec attaches no meaning to.
fn field_name() -> impl Strategy<Value = String> {
    "x-[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}"
}

fn fields() -> impl Strategy<Value = Pairs> {
    vec((field_name(), "([!-~]([ -~]{0,20}[!-~])?)?"), 0..8)
}

fn framing() -> impl Strategy<Value = BodyFraming> {
    prop_oneof![
        Just(BodyFraming::None),
        (0u64..1 << 40).prop_map(BodyFraming::Length),
        Just(BodyFraming::Chunked)
    ]
}

fn own(pairs: probity_http1::Fields<'_>) -> Pairs {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    pairs.map(|(name, value)| (text(name), text(value))).collect()
}

/// The input cut at arbitrary places.
fn cut(bytes: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cuts_do_not_matter(bytes in httpish(), cuts in vec(any::<Index>(), 0..6)) {
        let pieces = cut(&bytes, &cuts);
        prop_assert_eq!(read(pieces.iter().map(Vec::as_slice)), read([&bytes[..]]));
    }

    #[test]
    fn cuts_of_corpus_cases_do_not_matter(case in any::<Index>(), cuts in vec(any::<Index>(), 0..6)) {
        let case = case.get(&cases()).bytes.clone();
        let pieces = cut(&case, &cuts);
        prop_assert_eq!(read(pieces.iter().map(Vec::as_slice)), read([&case[..]]));
    }

    #[test]
    fn nothing_panics(bytes in prop_oneof![httpish(), vec(any::<u8>(), 0..200)], method in select(vec!["GET", "HEAD", "CONNECT"])) {
        let limits = Limits { head_bytes: 120, headers: 4, target_bytes: 40, chunk_extension_bytes: 8, trailer_bytes: 30, trailers: 2 };
        let _ = parse_request(&mut BytesMut::from(&bytes[..]), &limits);
        let _ = parse_response(&mut BytesMut::from(&bytes[..]), &limits, method.as_bytes());
        let _ = (check_path(&bytes), check_host(&bytes), parse_content_length(&bytes), check_field(&bytes, &bytes));
        for framing in [BodyFraming::Chunked, BodyFraming::Length(7), BodyFraming::UntilClose, BodyFraming::None] {
            let (mut decoder, mut buf) = (BodyDecoder::new(framing, &limits), BytesMut::from(&bytes[..]));
            while let Ok(Some(_)) = decoder.decode(&mut buf) {}
            let _ = decoder.close();
        }
    }

    #[test]
    fn an_accepted_path_stays_accepted_when_decoded(path in "/[a-z%2efEFcC0./;5]{0,12}") {
        if check_path(path.as_bytes()).is_ok() {
            prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
            let once = percent_decoded(path.as_bytes());
            let dots = once.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| matches!(segment, b"." | b".."));
            prop_assert!(!dots && !once.contains(&0), "{path}");
        }
    }

    #[test]
    fn written_requests_are_read_back(
        method in "[A-Z]{1,8}", path in "/[a-z0-9/~]{0,20}", query in proptest::option::of("[a-z=&]{0,10}"),
        fields in fields(), framing in framing(),
    ) {
        prop_assume!(method != "CONNECT");
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let mut all = vec![("host".to_owned(), "a.example".to_owned())];
        all.extend(fields);
        let mut out = BytesMut::new();
        write_request_head(&mut out, method.as_bytes(), target.as_bytes(), all.clone(), framing).unwrap();
        let written = out.clone();
        let head = parse_request(&mut out, &Limits::default()).unwrap().unwrap();
        prop_assert!(out.is_empty());
        prop_assert_eq!(head.method(), method.as_bytes());
        prop_assert_eq!(head.target(), target.as_bytes());
        prop_assert_eq!(head.framing(), framing);
        let extra = usize::from(framing != BodyFraming::None);
        prop_assert_eq!(&own(head.headers())[..head.fields().len() - extra], &all[..]);

        let mut again = BytesMut::new();
        write_request_head(&mut again, head.method(), head.path_and_query(), head.end_to_end(), head.framing()).unwrap();
        prop_assert_eq!(again, written, "what is canonical stays as it is");
    }

    #[test]
    fn written_responses_are_read_back(status in 200u16..=999, reason in "[ -~]{0,12}", fields in fields(), framing in framing()) {
        prop_assume!(!matches!(status, 204 | 304));
        let reason = reason.trim();
        let mut out = BytesMut::new();
        write_response_head(&mut out, status, reason.as_bytes(), fields.clone(), framing).unwrap();
        let head = parse_response(&mut out, &Limits::default(), b"GET").unwrap().unwrap();
        prop_assert_eq!(head.status(), status);
        prop_assert!(reason.is_empty() || head.reason() == reason.as_bytes());
        prop_assert_eq!(head.framing(), if framing == BodyFraming::None { BodyFraming::UntilClose } else { framing });
        prop_assert_eq!(&own(head.headers())[..fields.len()], &fields[..]);
    }

    /// Whatever the writer accepts is one head: no input makes two of it, or another framing.
    #[test]
    fn the_writer_cannot_be_broken_out_of(
        method in ".{0,6}", target in "(/.{0,12}|.{0,6})",
        fields in vec((".{0,8}", ".{0,12}"), 0..4), framing in framing(),
    ) {
        let mut all = vec![("host".to_owned(), "a".to_owned())];
        all.extend(fields);
        let mut out = BytesMut::new();
        if write_request_head(&mut out, method.as_bytes(), target.as_bytes(), all, framing).is_ok() {
            prop_assert_eq!(memchr::memmem::find(&out, b"\r\n\r\n"), Some(out.len() - 4));
            prop_assert!(!out[..].windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
            match parse_request(&mut out, &Limits::default()) {
                Ok(Some(head)) => prop_assert_eq!(head.framing(), framing),
                Ok(None) => prop_assert!(false, "the head is cut"),
                // The writer leaves the path rules and the meaning of `Connection` and `Expect` to its
                // caller.
                Err(refusal) => prop_assert!(matches!(
                    refusal,
                    Refusal::TargetForm | Refusal::TargetByte | Refusal::Fragment | Refusal::PercentEncoding
                        | Refusal::DotSegment | Refusal::ConnectionOption | Refusal::ExpectUnknown
                ), "{}", refusal.name()),
            }
        }
    }

    #[test]
    fn encoded_bodies_are_decoded_alike(pieces in vec(vec(any::<u8>(), 0..40), 0..8), cuts in vec(any::<Index>(), 0..6), counted in any::<bool>(), trailers in vec((field_name(), "[a-z]{0,8}"), 0..3)) {
        let whole = pieces.concat();
        let framing = if counted { BodyFraming::Length(whole.len() as u64) } else { BodyFraming::Chunked };
        let (mut encoder, mut out) = (BodyEncoder::new(framing), BytesMut::new());
        for piece in &pieces {
            encoder.encode(piece, &mut out).unwrap();
        }
        encoder.finish(trailers.clone(), &mut out).unwrap();

        let (mut decoder, mut buf, mut body) = (BodyDecoder::new(framing, &Limits::default()), BytesMut::new(), Vec::new());
        let mut seen = None;
        for piece in cut(&out, &cuts) {
            buf.extend_from_slice(&piece);
            while let Some(event) = decoder.decode(&mut buf).unwrap() {
                match event {
                    BodyEvent::Data(data) => body.extend_from_slice(&data),
                    BodyEvent::End(trailers) => seen = Some(own(trailers.iter())),
                }
            }
        }
        prop_assert!(decoder.is_done() && buf.is_empty());
        prop_assert_eq!(body, whole);
        prop_assert_eq!(seen, Some(if counted { Vec::new() } else { trailers }));
    }

    /// Any two framing fields in one head, in any order, with anything in between.
    #[test]
    fn smuggling_pairs_are_refused(
        first in framing_field(), second in framing_field(), before in fields(), between in fields(), after in fields(),
        body in httpish(),
    ) {
        let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
        let lines = |pairs: &Pairs| pairs.iter().map(line).collect::<String>();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{}{}{}{}{}\r\n", lines(&before), line(&first), lines(&between), line(&second), lines(&after));
        let reading = read([head.as_bytes(), &body[..]]);
        prop_assert!(reading.requests.is_empty());
        let End::Refused(refusal) = reading.end else { panic!("accepted: {head}") };
        prop_assert!(matches!(refusal, Refusal::TeWithCl | Refusal::RepeatedCl | Refusal::TeDoubled | Refusal::FramingLookalike), "{}", refusal.name());
    }
}

fn framing_field() -> impl Strategy<Value = (String, String)> {
    let length = ("(content|Content|CONTENT|cOnTeNt)[-_](length|Length|LENGTH)", "[0-9]{1,4}");
    let coding = (
        "(transfer|Transfer|TRANSFER|tRaNsFeR)[-_](encoding|Encoding|ENCODING)",
        "(chunked|identity|gzip, chunked|x)",
    );
    prop_oneof![length, coding]
}

fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), path);
    while let [first, tail @ ..] = rest {
        let digits =
            tail.get(..2).and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        match digits {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}
