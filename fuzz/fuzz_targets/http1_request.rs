//! Request heads: cut anywhere they are read alike, and what is accepted has one canonical form.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use probity_http1::{Limits, Refusal, RequestHead, parse_request, write_request_head};

type Outcome = Result<Option<(RequestHead, usize)>, Refusal>;

fuzz_target!(|data: &[u8]| {
    let whole = parse(data, data.len().max(1));
    let bytewise = parse(data, 1);
    match (&whole, &bytewise) {
        (Ok(Some((one, taken))), Ok(Some((other, taken_too)))) => {
            assert_eq!(one.as_bytes(), other.as_bytes());
            assert_eq!(taken, taken_too);
        }
        (Ok(None), Ok(None)) => {}
        (Err(one), Err(other)) => assert_eq!(one, other),
        _ => panic!("{whole:?} and {bytewise:?}"),
    }
    if let Ok(Some((head, _))) = whole {
        canonical(&head);
    }
});

fn parse(data: &[u8], step: usize) -> Outcome {
    let limits = Limits { head_bytes: 1024, headers: 16, target_bytes: 256, ..Limits::default() };
    let mut buf = BytesMut::new();
    let mut fed = 0;
    for piece in data.chunks(step) {
        buf.extend_from_slice(piece);
        fed += piece.len();
        if let Some(head) = parse_request(&mut buf, &limits)? {
            return Ok(Some((head, fed - buf.len())));
        }
    }
    Ok(None)
}

fn canonical(head: &RequestHead) {
    // HTTP/1.0 may come without `Host`, which the writer does not write.
    if head.host().is_none() {
        return;
    }
    let once = write(head);
    let again = parse_request(&mut once.clone(), &Limits::default()).expect("accepted").expect("complete");
    assert_eq!(head.method(), again.method());
    assert_eq!(head.path_and_query(), again.path_and_query());
    assert_eq!(head.framing(), again.framing());
    assert_eq!(write(&again), once);
}

fn write(head: &RequestHead) -> BytesMut {
    let mut out = BytesMut::new();
    write_request_head(&mut out, head.method(), head.path_and_query(), head.end_to_end(), head.framing())
        .expect("an accepted head can be written");
    out
}
