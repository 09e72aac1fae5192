//! Strict, sans-IO HTTP/1.1: bytes in, heads and body events out, canonical bytes out.
//!
//! The same code reads requests and responses and writes both. What is ambiguous is refused with a
//! [`Refusal`] that has a stable kebab-case name; what is written has one spelling. Nothing here opens a
//! socket, keeps a clock or knows a connection: the caller owns the buffers and the timeouts.
//!
//! It is not an HTTP/2 codec (that is the `h2` crate) and not a router. HTTP/2 borders on it through
//! [`check_path`], [`check_field`], [`check_host`] and [`parse_content_length`], so that both protocols obey
//! one set of rules.
//!
//! Where to go next: [`parse_request`] and [`parse_response`] for heads, [`BodyDecoder`] for bodies,
//! [`write_request_head`], [`write_response_head`] and [`BodyEncoder`] for output, `refusal.rs` for every
//! reason to refuse, `path.rs` for the rules of request targets.
//!
//! # Reading a request and sending it on
//!
//! ```
//! use bytes::BytesMut;
//! use probity_http1::{BodyDecoder, BodyEncoder, BodyEvent, Limits, parse_request, write_request_head};
//!
//! let limits = Limits::default();
//! let mut input = BytesMut::from(
//!     &b"POST /pets?dry=1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n\
//!        3\r\ncat\r\n0\r\n\r\n"[..],
//! );
//! let mut output = BytesMut::new();
//!
//! // `Ok(None)` means: read more bytes into `input` and call again.
//! let head = parse_request(&mut input, &limits)?.expect("the head is complete");
//! assert_eq!(head.path(), b"/pets");
//! assert_eq!(head.query(), Some(&b"dry=1"[..]));
//!
//! // The writer states the framing itself, so only end-to-end fields are passed on.
//! write_request_head(&mut output, head.method(), head.path_and_query(), head.end_to_end(), head.framing())?;
//!
//! let mut body = BodyDecoder::new(head.framing(), &limits);
//! let mut sink = BodyEncoder::new(head.framing());
//! while let Some(event) = body.decode(&mut input)? {
//!     match event {
//!         BodyEvent::Data(data) => sink.encode(&data, &mut output)?,
//!         BodyEvent::End(trailers) => sink.finish(trailers.iter(), &mut output)?,
//!     }
//! }
//! assert!(body.is_done() && input.is_empty());
//! assert!(output.ends_with(b"\r\n3\r\ncat\r\n0\r\n\r\n"));
//! # Ok::<(), probity_http1::Refusal>(())
//! ```

mod body;
mod connection;
mod diagnose;
mod encode;
mod field;
mod framing;
mod host;
mod limits;
mod octet;
mod path;
mod refusal;
mod request;
mod response;
mod scan;
mod target;

pub use body::{BodyDecoder, BodyEvent};
pub use connection::is_hop_by_hop;
pub use encode::{
    BodyEncoder, CHUNK_END, CONTINUE, canonical_reason, write_chunk, write_chunk_head, write_last_chunk,
    write_request_head, write_response_head, write_trailers,
};
pub use field::{FieldBlock, Fields, check_field};
pub use framing::{BodyFraming, parse_content_length};
pub use host::check_host;
pub use limits::{Limits, MAX_HEADERS};
pub use path::check_path;
pub use refusal::Refusal;
pub use request::{RequestHead, Version, parse_request};
pub use response::{ResponseHead, parse_response};
pub use target::{TargetForm, check_method};
