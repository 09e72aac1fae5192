//! Work to count instructions of: `valgrind --tool=callgrind target/release/examples/instructions parse
//! 1000`.
//!
//! Not a timer. Run it with N and with 2N: (Ir[2N] - Ir[N]) / N is the cost of one round without start-up.
//! Rounds: `fill` puts the bytes into the buffer and takes them out again (the part to subtract from the
//! others), `parse` reads a request head, `forward` reads and writes it, `response` reads and writes a
//! response head, `chunked` reads a body of four chunks.

use std::hint::black_box;
use std::process::ExitCode;

use bytes::BytesMut;
use probity_http1::{
    BodyDecoder, BodyFraming, Limits, Refusal, parse_request, parse_response, write_request_head,
    write_response_head,
};

/// 400 bytes, eight fields.
const REQUEST: &[u8] = b"GET /v1/patients/81f3a2/appointments?from=2026-11-01&limit=50 HTTP/1.1\r\n\
Host: api.clinic.example\r\n\
User-Agent: clinic-mobile/4.12.0 (Linux; Android 15)\r\n\
Accept: application/json\r\n\
Accept-Encoding: gzip, deflate, br\r\n\
Authorization: Bearer 3f9aPq77dGhlIHRva2VuIG9mIGEgY2xpZW50IG9mIHRoZSBkZW1v\r\n\
X-Request-Id: 018f3c2e-7b1a-7c11-9d52-1f2e3d4c5b6a\r\n\
Cache-Control: no-cache\r\n\
Connection: keep-alive\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
Content-Type: application/json; charset=utf-8\r\n\
Content-Length: 2048\r\n\
Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n\
Cache-Control: private, max-age=0\r\n\
ETag: \"5f2a9c10\"\r\n\
X-Request-Id: 018f3c2e-7b1a-7c11-9d52-1f2e3d4c5b6a\r\n\r\n";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let rounds: u32 = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(0);
    let chunked = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat().repeat(4);
    let chunked = [&chunked[..], b"0\r\n\r\n"].concat();
    let mut input = BytesMut::with_capacity(16 * 1024);
    let mut output = BytesMut::with_capacity(16 * 1024);
    for _ in 0..rounds {
        output.clear();
        let round = match kind.as_str() {
            "fill" => fill(&mut input),
            "parse" => parse(&mut input),
            "forward" => forward(&mut input, &mut output),
            "response" => response(&mut input, &mut output),
            "chunked" => body(&mut input, &chunked),
            _ => return ExitCode::from(2),
        };
        if round.is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn fill(input: &mut BytesMut) -> Result<(), Refusal> {
    input.extend_from_slice(black_box(REQUEST));
    black_box(input.split_to(REQUEST.len()).freeze());
    Ok(())
}

fn parse(input: &mut BytesMut) -> Result<(), Refusal> {
    input.extend_from_slice(black_box(REQUEST));
    black_box(parse_request(input, &Limits::default())?);
    Ok(())
}

fn forward(input: &mut BytesMut, output: &mut BytesMut) -> Result<(), Refusal> {
    input.extend_from_slice(black_box(REQUEST));
    if let Some(head) = parse_request(input, &Limits::default())? {
        write_request_head(output, head.method(), head.path_and_query(), head.end_to_end(), head.framing())?;
    }
    black_box(output);
    Ok(())
}

fn response(input: &mut BytesMut, output: &mut BytesMut) -> Result<(), Refusal> {
    input.extend_from_slice(black_box(RESPONSE));
    if let Some(head) = parse_response(input, &Limits::default(), b"GET")? {
        write_response_head(output, head.status(), head.reason(), head.end_to_end(), head.framing())?;
    }
    black_box(output);
    Ok(())
}

fn body(input: &mut BytesMut, chunked: &[u8]) -> Result<(), Refusal> {
    input.extend_from_slice(black_box(chunked));
    let mut decoder = BodyDecoder::new(BodyFraming::Chunked, &Limits::default());
    while let Some(event) = decoder.decode(input)? {
        black_box(event);
    }
    Ok(())
}
