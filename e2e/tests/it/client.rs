//! Clients: curl, as a user has it, and a bare connection where a test must say each byte or keep it open.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::binary::finish;
use crate::deadline::PATIENCE;

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Response {
    /// As in the status line: `HTTP/1.1`, `HTTP/2`.
    pub version: String,
    pub status: u16,
    fields: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    fn parse(head: &str) -> Self {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let version = first.next().unwrap().to_owned();
        let status = first.next().unwrap().parse().unwrap();
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { version, status, fields, body: String::new() }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|problem| panic!("no JSON ({problem}): {self:?}"))
    }
}

/// One call by curl, which must get an answer.
pub fn curl<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Response {
    let mut command = Command::new("curl");
    let seconds = PATIENCE.as_secs().to_string();
    command.args(["-q", "-sS", "-i", "--noproxy", "*", "--max-time", &seconds]).args(arguments);
    let answer = finish(command).exits(0);
    let (head, body) = answer.out.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head of {answer}"));
    Response { body: body.to_owned(), ..Response::parse(head) }
}

/// A connection that stays open between calls.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// Whether the other side still took it.
    pub fn try_send(&mut self, bytes: &str) -> bool {
        self.stream.write_all(bytes.as_bytes()).is_ok()
    }

    pub fn get(&mut self, host: &str, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.receive()
    }

    pub fn receive(&mut self) -> Response {
        self.try_receive().expect("the connection was closed before an answer")
    }

    /// `None` when the other side ends the connection before a whole answer came.
    pub fn try_receive(&mut self) -> Option<Response> {
        let end = loop {
            match self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.more()?,
            }
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let mut response = Response::parse(&head);
        let length: usize = response.field("content-length").expect("a counted answer").parse().unwrap();
        while self.unread.len() < length {
            self.more()?;
        }
        response.body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        Some(response)
    }

    fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 4_096];
        match self.stream.read(&mut bytes) {
            Ok(0) | Err(_) => None,
            Ok(read) => {
                self.unread.extend(&bytes[..read]);
                Some(())
            }
        }
    }
}
