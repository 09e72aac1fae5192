//! How a stream of bytes is read: the requests in it and how it ends. The common tongue of all readers
//! compared here.

use bytes::BytesMut;
use probity_http1::{BodyDecoder, BodyEvent, Limits, Refusal, parse_request};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path_and_query: String,
    /// Lower case, without port; `None` where the reader has none.
    pub host: Option<String>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every byte belongs to a complete request, or the last one asked to close.
    Complete,
    /// The last request is cut.
    More,
    Refused(Refusal),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    pub requests: Vec<Seen>,
    pub end: End,
    /// Whether the client allows another request.
    pub keep_alive: bool,
}

/// Reads with this codec, the bytes arriving in these pieces.
pub fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Reading {
    let limits = Limits::default();
    let mut buf = BytesMut::new();
    let mut requests = Vec::new();
    let mut open: Option<(Seen, BodyDecoder, bool)> = None;
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match step(&mut buf, &mut open, &limits) {
                Err(refusal) => return Reading { requests, end: End::Refused(refusal), keep_alive: false },
                Ok(None) => break,
                Ok(Some((seen, keep_alive))) => {
                    requests.push(seen);
                    if !keep_alive {
                        return Reading { requests, end: End::Complete, keep_alive };
                    }
                }
            }
        }
    }
    let end = if open.is_none() && buf.is_empty() { End::Complete } else { End::More };
    Reading { requests, end, keep_alive: true }
}

/// Takes one complete request and whether another may follow; `None` asks for bytes.
fn step(
    buf: &mut BytesMut,
    open: &mut Option<(Seen, BodyDecoder, bool)>,
    limits: &Limits,
) -> Result<Option<(Seen, bool)>, Refusal> {
    if open.is_none() {
        let Some(head) = parse_request(buf, limits)? else { return Ok(None) };
        let seen = Seen {
            method: text(head.method()),
            path_and_query: text(head.path_and_query()),
            host: head.host().map(|host| bare_host(&text(host))),
            body: Vec::new(),
        };
        *open = Some((seen, BodyDecoder::new(head.framing(), limits), head.keep_alive()));
    }
    let Some((seen, decoder, keep_alive)) = open else { return Ok(None) };
    while let Some(event) = decoder.decode(buf)? {
        match event {
            BodyEvent::Data(data) => seen.body.extend_from_slice(&data),
            BodyEvent::End(_) => {
                let done = (seen.clone(), *keep_alive);
                *open = None;
                return Ok(Some(done));
            }
        }
    }
    Ok(None)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A host without port and final dot, in lower case.
pub fn bare_host(host: &str) -> String {
    let port = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    let name = port.map_or(host, |at| &host[..at]);
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
