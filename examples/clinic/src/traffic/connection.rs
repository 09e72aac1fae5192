//! One caller's connection: opened when needed, kept alive, opened again when the other side has closed it.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Builder;
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

use super::Target;
use super::call::{Call, Protocol, Reading};
use super::websocket;

const CALL_TIMEOUT: Duration = Duration::from_secs(15);
const BODY_MAX: usize = 1024 * 1024;

/// Each caller on a loopback target gets an address of its own from here upwards.
const FIRST_CALLER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub request_id: Option<String>,
    /// The body where it was JSON.
    pub body: Option<Value>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("could not connect")]
    Connect(#[source] std::io::Error),
    #[error("no answer within 15 s")]
    Timeout,
    #[error("the call cannot be written as a request")]
    Request(#[from] axum::http::Error),
    #[error("the connection failed")]
    Http(#[from] hyper::Error),
    #[error("the body could not be read")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    #[error("the chat failed")]
    Chat(#[source] websocket::ChatError),
}

impl CallError {
    /// The error with all of its causes, for the report.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

pub(super) struct Connection {
    target: Target,
    protocol: Protocol,
    caller: usize,
    sender: Option<Sender>,
}

impl Connection {
    pub fn new(target: Target, protocol: Protocol, caller: usize) -> Self {
        Self { target, protocol, caller, sender: None }
    }

    pub async fn send(&mut self, call: &Call) -> Result<Answer, CallError> {
        let sent = async {
            match call.reading {
                Reading::Whole => self.exchange(call).await,
                Reading::Chat => self.chat(call).await,
            }
        };
        let outcome = tokio::time::timeout(CALL_TIMEOUT, sent).await.unwrap_or(Err(CallError::Timeout));
        if outcome.is_err() {
            self.sender = None;
        }
        outcome
    }

    async fn exchange(&mut self, call: &Call) -> Result<Answer, CallError> {
        let response = match self.attempt(call).await {
            // The other side closed the kept-alive connection before it took the request: a fresh one may.
            Err(CallError::Http(error)) if error.is_canceled() || error.is_closed() => {
                self.sender = None;
                self.attempt(call).await?
            }
            other => other?,
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_MAX).collect().await.map_err(CallError::Body)?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            request_id: head.headers.get("x-request-id").and_then(|it| it.to_str().ok()).map(str::to_owned),
            body: serde_json::from_slice(&body).ok(),
        })
    }

    async fn attempt(&mut self, call: &Call) -> Result<Response<Incoming>, CallError> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.open().await?,
        };
        let response = match &mut sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                let request = self.head(call, call.target.clone()).header(HOST, &self.target.host);
                sender.send_request(finish(request, call)?).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                let uri = format!("http://{}{}", self.target.host, call.target);
                sender.send_request(finish(self.head(call, uri), call)?).await?
            }
        };
        self.sender = Some(sender);
        Ok(response)
    }

    fn head(&self, call: &Call, uri: String) -> Builder {
        let request = Request::builder().method(call.method.clone()).uri(uri);
        call.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    async fn open(&self) -> Result<Sender, CallError> {
        let io = TokioIo::new(self.connect().await.map_err(CallError::Connect)?);
        Ok(match self.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                // Its errors come back through the sender.
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        })
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = match self.source_address() {
            // Where the system has only one loopback address, the binding fails and callers share it.
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                match socket.bind(source) {
                    Ok(()) => socket.connect(self.target.authority).await?,
                    Err(_) => TcpStream::connect(self.target.authority).await?,
                }
            }
            None => TcpStream::connect(self.target.authority).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn source_address(&self) -> Option<SocketAddr> {
        let IpAddr::V4(target) = self.target.authority.ip() else { return None };
        let offset = u32::try_from(self.caller).ok().filter(|caller| *caller < 200)?;
        let source = Ipv4Addr::from_bits(FIRST_CALLER_ADDRESS.to_bits() + offset);
        target.is_loopback().then_some(SocketAddr::new(IpAddr::V4(source), 0))
    }

    /// On a connection of its own, since the upgrade uses it up.
    async fn chat(&self, call: &Call) -> Result<Answer, CallError> {
        let io = TokioIo::new(self.connect().await.map_err(CallError::Connect)?);
        let (mut sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection.with_upgrades());
        let request = self
            .head(call, call.target.clone())
            .header(HOST, &self.target.host)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", websocket::KEY);
        let mut response = sender.send_request(finish(request, call)?).await?;
        let status = response.status().as_u16();
        let request_id =
            response.headers().get("x-request-id").and_then(|it| it.to_str().ok()).map(str::to_owned);
        if status == 101 {
            let upgraded = hyper::upgrade::on(&mut response).await?;
            websocket::converse(TokioIo::new(upgraded)).await.map_err(CallError::Chat)?;
        }
        Ok(Answer { status, request_id, body: None })
    }
}

fn finish(request: Builder, call: &Call) -> Result<Request<Full<Bytes>>, axum::http::Error> {
    match &call.body {
        Some(body) => {
            request.header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(body.to_string())))
        }
        None => request.body(Full::default()),
    }
}
