//! HTTP/2 in frames that no client library would write.

use crate::harness::Bench;
use probity_model::exchange::End;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The stream is reset; no call is made of it.
    Reset,
    /// The stream is reset after its call was begun, which is recorded as broken off.
    Broken,
    /// The connection ends, with an error; no call is made of it.
    GoAway,
    /// Answered with 431 by the protocol's layer, before it is a call.
    TooLarge,
    /// Answered by status and rule.
    Refused(u16, &'static str),
    Passed,
}

pub struct Frames {
    name: &'static str,
    bytes: Vec<u8>,
    fate: Fate,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal field without indexing, of plain text.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let length = text.len();
        if length < 127 {
            bytes.push(length as u8);
        } else {
            bytes.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                bytes.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            bytes.push(rest as u8);
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/search"), (":authority", "a.example")];

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn ask(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, END_STREAM | END_HEADERS, 1, &block(fields))
}

fn with(more: &[(&str, &str)]) -> Vec<u8> {
    ask(&[&GET, more].concat())
}

/// The usual request with one pseudo field of another value.
fn changed(name: &str, value: &str) -> Vec<u8> {
    ask(&GET.map(|(known, usual)| (known, if known == name { value } else { usual })))
}

fn without(name: &str) -> Vec<u8> {
    ask(&GET.into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>())
}

fn sent(fields: &[(&str, &str)], data: &[u8]) -> Vec<u8> {
    let post = [(":method", "POST"), (":scheme", "http"), (":path", "/free"), (":authority", "a.example")];
    let head = frame(1, END_HEADERS, 1, &block(&[&post, fields].concat()));
    [head, frame(0, END_STREAM, 1, data)].concat()
}

pub fn rows() -> Vec<Frames> {
    use Fate::{Broken, GoAway, Passed, Refused, Reset, TooLarge};
    let good = || with(&[]);
    let many: Vec<_> = (0..3_000).map(|_| ("x", "y")).collect();
    let huge = "y".repeat(12_000);
    let continued = {
        let all =
            block(&[&GET[..], &[("x", &huge)], &[("x", &huge)], &[("x", &huge)], &[("x", &huge)]].concat());
        let mut parts = all.chunks(16_000);
        let mut bytes = frame(1, END_STREAM, 1, parts.next().unwrap());
        let rest: Vec<_> = parts.collect();
        for (at, part) in rest.iter().enumerate() {
            bytes.extend(frame(9, if at + 1 == rest.len() { END_HEADERS } else { 0 }, 1, part));
        }
        bytes
    };
    let list = {
        let parts = block(&[&GET[..], &many].concat());
        frame(1, END_STREAM | END_HEADERS, 1, &parts)
    };
    let rows: Vec<(&str, Vec<u8>, Fate)> = vec![
        ("a good request", good(), Passed),
        ("no method", without(":method"), Reset),
        ("no scheme", without(":scheme"), Reset),
        ("no path", without(":path"), Reset),
        ("an empty path", changed(":path", ""), Reset),
        ("a path without a slash", changed(":path", "search"), Reset),
        ("a method of spaces", changed(":method", "GET /admin"), GoAway),
        ("a path of spaces", changed(":path", "/search HTTP/1.1"), Reset),
        ("a path of line ends", changed(":path", "/search\r\nX: y"), Reset),
        ("a path of dots", changed(":path", "/free/../admin"), Refused(400, "gateway-dot-segment")),
        (
            "a path of encoded dots",
            changed(":path", "/free/%2e%2e/admin"),
            Refused(400, "gateway-dot-segment"),
        ),
        ("a path with NUL", changed(":path", "/%00"), Refused(400, "gateway-nul-in-path")),
        ("an overlong path", changed(":path", "/%c0%af"), Refused(400, "gateway-overlong-utf8")),
        (
            "an authority of user information",
            changed(":authority", "user@a.example"),
            Refused(400, "gateway-host-invalid"),
        ),
        ("an authority of a path", changed(":authority", "a.example/x"), Reset),
        ("another host", with(&[("host", "evil.example")]), Refused(400, "gateway-host-mismatch")),
        ("method twice", with(&[(":method", "POST")]), Reset),
        ("path twice", with(&[(":path", "/admin")]), Reset),
        ("an unknown pseudo field", with(&[(":evil", "x")]), GoAway),
        ("an answer's pseudo field", with(&[(":status", "200")]), Reset),
        ("a pseudo field behind others", ask(&[&[("x", "y")], &GET[..]].concat()), Reset),
        ("a name in capitals", with(&[("X-Upper", "y")]), GoAway),
        ("a name with a space", with(&[("x y", "z")]), GoAway),
        ("a name with a colon", with(&[("x:y", "z")]), GoAway),
        ("an empty name", with(&[("", "z")]), GoAway),
        ("a name with a line end", with(&[("x\r\ny", "z")]), GoAway),
        ("a value with a line end", with(&[("x", "y\r\nset-cookie: a=b")]), GoAway),
        ("a value with a line feed", with(&[("x", "y\nz")]), GoAway),
        ("a value with NUL", with(&[("x", "y\0z")]), GoAway),
        ("Connection", with(&[("connection", "close")]), Reset),
        ("Keep-Alive", with(&[("keep-alive", "1")]), Reset),
        ("Proxy-Connection", with(&[("proxy-connection", "close")]), Reset),
        ("Transfer-Encoding", with(&[("transfer-encoding", "chunked")]), Reset),
        ("Upgrade", with(&[("upgrade", "websocket")]), Reset),
        ("TE of more than trailers", with(&[("te", "gzip")]), Reset),
        ("a length on nothing", with(&[("content-length", "5")]), Reset),
        ("a length of letters", sent(&[("content-length", "x")], b"abc"), Reset),
        ("a length too long", sent(&[("content-length", "10")], b"abc"), Broken),
        ("a length too short", sent(&[("content-length", "2")], b"abc"), Broken),
        (
            "CONNECT",
            ask(&[(":method", "CONNECT"), (":authority", "169.254.169.254:80")]),
            Refused(501, "gateway-connect"),
        ),
        (
            "a forged caller and no proof",
            changed(":path", "/patients/1"),
            Refused(401, "gateway-credential-missing"),
        ),
        ("a list of 3,000 fields", list, TooLarge),
        ("48 KiB of fields in parts", continued, TooLarge),
        ("data on a stream that is idle", frame(0, END_STREAM, 1, b"abc"), GoAway),
        ("data on stream 0", frame(0, END_STREAM, 0, b"abc"), GoAway),
        ("fields on stream 0", frame(1, 5, 0, &block(&GET)), GoAway),
        ("fields on an even stream", frame(1, 5, 2, &block(&GET)), GoAway),
        ("a reset of a stream that is idle", frame(3, 0, 1, &[0, 0, 0, 8]), GoAway),
        ("a window of nothing more", frame(8, 0, 0, &[0; 4]), GoAway),
        (
            "a window past its bound",
            [frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])].concat(),
            GoAway,
        ),
        ("settings of five bytes", frame(4, 0, 0, &[0; 5]), GoAway),
        ("settings on a stream", frame(4, 0, 1, &[]), GoAway),
        ("settings with a window past its bound", frame(4, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]), GoAway),
        ("settings with frames too small", frame(4, 0, 0, &[0, 5, 0, 0, 0, 1]), GoAway),
        ("a ping of seven bytes", frame(6, 0, 0, &[0; 7]), GoAway),
        ("a ping on a stream", frame(6, 0, 1, &[0; 8]), GoAway),
        (
            "a promise of the client",
            frame(5, END_HEADERS, 1, &[&[0, 0, 0, 2], &block(&GET)[..]].concat()),
            GoAway,
        ),
        ("a frame past its bound", frame(1, 5, 1, &[0; 20_000]), GoAway),
        ("a continuation of nothing", frame(9, END_HEADERS, 1, &block(&GET)), GoAway),
        (
            "a ping within a head",
            [frame(1, END_STREAM, 1, &block(&GET)), frame(6, 0, 0, &[0; 8])].concat(),
            GoAway,
        ),
        ("padding past the frame", frame(1, 5 | 8, 1, &[&[255], &block(&GET)[..]].concat()), GoAway),
        ("a table index of 0", frame(1, 5, 1, &[0x80]), GoAway),
        ("a table index past all", frame(1, 5, 1, &[0xff, 0xff, 0x7f]), GoAway),
        ("an integer without end", frame(1, 5, 1, &[0xff; 40]), GoAway),
        ("a table past its bound", frame(1, 5, 1, &[0x3f, 0xff, 0xff, 0xff, 0x7f]), GoAway),
        ("a string past its frame", frame(1, 5, 1, &[0x00, 0x7f, 0x00]), GoAway),
        ("Huffman without end", frame(1, 5, 1, &[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, b'x']), GoAway),
        ("a preface of another protocol", b"\x16\x03\x01\x02\x00\x01".to_vec(), GoAway),
    ];
    rows.into_iter().map(|(name, bytes, fate)| Frames { name, bytes, fate }).collect()
}

impl Frames {
    pub async fn run(&self, bench: &Bench) -> Result<(), String> {
        let stream = TcpStream::connect(bench.address()).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let start = [PREFACE, &frame(4, 0, 0, &[]), &self.bytes].concat();
        let writing = tokio::spawn(async move {
            write.write_all(&start).await.unwrap_or_default();
            write
        });
        let mut all = Vec::new();
        let reading = async {
            loop {
                let fate = told(&all);
                if fate.is_some() || !matches!(read.read_buf(&mut all).await, Ok(1..)) {
                    return fate;
                }
            }
        };
        let kind = tokio::time::timeout(super::RECORD_PATIENCE, reading).await.ok().flatten();
        drop(writing.await);
        let (expected, calls) = match self.fate {
            Fate::Reset => (3, 0),
            Fate::Broken => (3, 1),
            Fate::GoAway => (7, 0),
            Fate::TooLarge => (1, 0),
            Fate::Refused(..) | Fate::Passed => (1, 1),
        };
        let wrong = |what: String| Err(format!("HTTP/2 | {}: expected {:?}, {what}", self.name, self.fate));
        if kind != Some(expected) {
            return wrong(format!("told by frame {kind:?}: {all:?}"));
        }
        if calls == 0 {
            return Ok(());
        }
        let Some(record) = bench.record_within(super::RECORD_PATIENCE) else {
            return wrong("no record".into());
        };
        let rule = record.decisions.first().map(|decision| decision.rule.to_string());
        match self.fate {
            Fate::Refused(status, wanted) if (record.status, rule.as_deref()) != (status, Some(wanted)) => {
                wrong(format!("{} {rule:?}", record.status))
            }
            Fate::Broken if record.end == End::Complete => wrong("recorded as complete".into()),
            Fate::Passed if (record.status, &rule) != (200, &None) => {
                wrong(format!("{} {rule:?}", record.status))
            }
            _ => Ok(()),
        }
    }
}

/// The first frame that tells how it ended: HEADERS, RST_STREAM, or GOAWAY with an error.
fn told(mut rest: &[u8]) -> Option<u8> {
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (payload, after) = after.split_at_checked(length)?;
        if matches!(head[3], 1 | 3) || (head[3] == 7 && payload[4..8] != [0; 4]) {
            return Some(head[3]);
        }
        rest = after;
    }
    None
}
