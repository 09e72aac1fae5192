//! Response heads: cut anywhere they are read alike, and the framing follows status and method.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use probity_http1::{BodyFraming, Limits, Refusal, ResponseHead, parse_response};

fuzz_target!(|data: &[u8]| {
    let Some((method, data)) = data.split_first() else { return };
    let method: &[u8] = match method % 3 {
        0 => b"GET",
        1 => b"HEAD",
        _ => b"CONNECT",
    };
    let whole = parse(data, data.len().max(1), method);
    let bytewise = parse(data, 1, method);
    match (&whole, &bytewise) {
        (Ok(Some(one)), Ok(Some(other))) => {
            assert_eq!(
                (one.status(), one.reason(), one.framing()),
                (other.status(), other.reason(), other.framing())
            );
            assert!(one.headers().eq(other.headers()));
        }
        (Ok(None), Ok(None)) => {}
        (Err(one), Err(other)) => assert_eq!(one, other),
        _ => panic!("{whole:?} and {bytewise:?}"),
    }
    if let Ok(Some(head)) = whole {
        let bodiless = method == b"HEAD" || matches!(head.status(), 100..=199 | 204 | 304);
        assert!(!bodiless || head.framing() == BodyFraming::None);
        assert!(head.framing() != BodyFraming::UntilClose || !head.keep_alive());
    }
});

fn parse(data: &[u8], step: usize, method: &[u8]) -> Result<Option<ResponseHead>, Refusal> {
    let limits = Limits { head_bytes: 1024, headers: 16, ..Limits::default() };
    let mut buf = BytesMut::new();
    for piece in data.chunks(step) {
        buf.extend_from_slice(piece);
        if let Some(head) = parse_response(&mut buf, &limits, method)? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}
