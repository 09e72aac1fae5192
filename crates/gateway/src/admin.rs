//! `/livez`, `/readyz`, `/metrics` and the keys of `Probity-Principal`, in clear text, one request for each connection.
//!
//! Apart from the data path in all but the codec: no routing, no record, and its own small bounds.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use probity_http1::{BodyFraming, Limits, RequestHead, parse_request, write_response_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::gateway::Shared;

const PATIENCE: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: usize = 64;
const LIMITS: Limits = Limits {
    head_bytes: 8 * 1024,
    headers: 64,
    target_bytes: 1024,
    chunk_extension_bytes: 0,
    trailer_bytes: 0,
    trailers: 0,
};
const TEXT: &str = "text/plain; charset=utf-8";
const JWK_SET: &str = "application/jwk-set+json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn serve(socket: std::net::TcpListener, shared: Weak<Shared>) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the admin address cannot be watched");
            return;
        }
    };
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(shared) = shared.upgrade() else { return };
        tokio::spawn(async move {
            // A client that is too slow or went away is nobody's loss.
            let _ = tokio::time::timeout(PATIENCE, answer(stream, shared)).await;
            drop(seat);
        });
    }
}

async fn answer(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let mut input = BytesMut::with_capacity(1024);
    let (status, content_type, body, head_only) = loop {
        match parse_request(&mut input, &LIMITS) {
            Ok(Some(head)) => {
                let (status, content_type, body) = page(&head, &shared);
                break (status, content_type, body, head.method() == b"HEAD");
            }
            Err(refusal) => break (refusal.status(), TEXT, format!("{refusal}\n"), false),
            Ok(None) => {
                if stream.read_buf(&mut input).await? == 0 {
                    return Ok(());
                }
            }
        }
    };
    let mut output = BytesMut::new();
    let fields = [("content-type", content_type), ("cache-control", "no-store"), ("connection", "close")];
    let framing = BodyFraming::Length(body.len() as u64);
    if write_response_head(&mut output, status, b"", fields, framing).is_ok() && !head_only {
        output.extend_from_slice(body.as_bytes());
    }
    stream.write_all(&output).await?;
    stream.shutdown().await
}

fn page(head: &RequestHead, shared: &Shared) -> (u16, &'static str, String) {
    if !matches!(head.method(), b"GET" | b"HEAD") {
        return (405, TEXT, "expected GET\n".into());
    }
    match head.path() {
        b"/livez" => (200, TEXT, "alive\n".into()),
        b"/readyz" if shared.is_ready() => (200, TEXT, "ready\n".into()),
        b"/readyz" if shared.is_draining() => (503, TEXT, "draining\n".into()),
        b"/readyz" => (503, TEXT, "no good bundle\n".into()),
        b"/metrics" => (200, PROMETHEUS, shared.metrics_text()),
        b"/.well-known/jwks.json" => match shared.state.identity.jwks() {
            Some(keys) => (200, JWK_SET, keys),
            None => (503, TEXT, "no key\n".into()),
        },
        _ => (404, TEXT, "expected `/livez`, `/readyz`, `/metrics` or `/.well-known/jwks.json`\n".into()),
    }
}
