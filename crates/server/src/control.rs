//! The control socket: commands of `probity` in another process reach the one that works in a data folder.
//!
//! A Unix socket inside the data folder (0700), HTTP/1.1, `POST /v1/commands` with a [`Command`] as JSON. An answer is
//! a [`Reply`]; an error is RFC 9457. There is no network listener.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::IncomingStream;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};

use crate::app::{Command, Inbox, Reply};

/// A command is small; an answer may be a report.
const MAX_COMMAND_BYTES: usize = 1024 * 1024;
const MAX_REPLY_BYTES: usize = 512 * 1024 * 1024;
/// Where accounts have their names, and how much of it is read.
const ACCOUNTS: &str = "/etc/passwd";
const MAX_ACCOUNTS_BYTES: u64 = 1024 * 1024;

pub fn socket_path(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// Serves until the process ends. A socket left by a dead process is replaced: the folder's lock is held.
pub fn listen(data: &Path) -> anyhow::Result<UnixListener> {
    let path = socket_path(data);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
        Err(problem) => return Err(problem).with_context(|| format!("cannot replace `{}`", path.display())),
    }
    UnixListener::bind(&path).with_context(|| format!("cannot listen on `{}`", path.display()))
}

pub async fn serve(listener: UnixListener, inbox: Inbox) -> std::io::Result<()> {
    let router = Router::new()
        .route("/v1/commands", post(command))
        .layer(DefaultBodyLimit::max(MAX_COMMAND_BYTES))
        .with_state(inbox);
    axum::serve(listener, router.into_make_service_with_connect_info::<Caller>()).await
}

/// The account at the other end of a connection, as the kernel vouches for it.
#[derive(Clone, Debug)]
struct Caller(String);

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(peer) => Self(account_name(peer.uid(), &accounts())),
            Err(_) => Self("unknown".to_owned()),
        }
    }
}

fn accounts() -> String {
    use std::io::Read as _;
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(ACCOUNTS) {
        let _ = file.take(MAX_ACCOUNTS_BYTES).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The name that `accounts`, in the form of passwd(5), has for `uid`; accounts of a directory service go by their number.
fn account_name(uid: u32, accounts: &str) -> String {
    accounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
        .next()
        .unwrap_or_else(|| format!("uid {uid}"))
}

async fn command(
    State(inbox): State<Inbox>,
    ConnectInfo(Caller(caller)): ConnectInfo<Caller>,
    Json(command): Json<Command>,
) -> Response {
    match inbox.command_of(Some(caller), command).await {
        Ok(reply) => Json(reply).into_response(),
        Err(detail) => {
            let problem = serde_json::json!({"title": "command failed", "status": 422, "detail": detail});
            let headers = [(header::CONTENT_TYPE, "application/problem+json")];
            (StatusCode::UNPROCESSABLE_ENTITY, headers, problem.to_string()).into_response()
        }
    }
}

/// Sends one command to the process that works in `data`; `None` when none does.
pub async fn ask(data: &Path, command: &Command) -> anyhow::Result<Option<Reply>> {
    let stream = match UnixStream::connect(socket_path(data)).await {
        Ok(stream) => stream,
        Err(problem)
            if matches!(
                problem.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(problem) => return Err(problem).context("cannot reach the control socket"),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = serde_json::to_vec(command)?;
    let request = hyper::Request::post("/v1/commands")
        .header(header::HOST, "probity")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(bytes::Bytes::from(body)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let collected = Limited::new(response.into_body(), MAX_REPLY_BYTES).collect().await;
    let bytes =
        collected.map_err(|problem| anyhow::anyhow!("the answer could not be read: {problem}"))?.to_bytes();
    if status.is_success() {
        return Ok(Some(serde_json::from_slice(&bytes).context("the answer is not of this version")?));
    }
    let problem: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match problem.get("detail").and_then(|detail| detail.as_str()) {
        Some(detail) => bail!("{detail}"),
        None => bail!("the control socket answered {status}: {}", String::from_utf8_lossy(&bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::account_name;

    fn check(uid: u32, expected: &str) {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\n\nbroken\n:x:7:7::/:\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\n";
        assert_eq!(account_name(uid, accounts), expected);
    }

    #[test]
    fn accounts_by_name_else_by_number() {
        check(0, "root");
        check(1000, "ada");
        check(7, "uid 7");
        check(4_000_000, "uid 4000000");
    }
}
