//! What stays open: server-sent events and the chat over WebSocket.
//!
//! Both are bounded in length and number of messages. They are here so that a gateway's streaming and upgrade
//! can be tried.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::Answer;
use crate::credentials::Principal;
use crate::input::Params;
use crate::problem::Problem;
use crate::state::{NOW, Shared};

const EVENTS_DEFAULT: usize = 10;
const EVENTS_MAX: usize = 50;

/// How often a followed stream gets a sign of life, and how many before it ends.
const HEARTBEAT: Duration = Duration::from_secs(1);
const HEARTBEATS_MAX: usize = 300;

const CHAT_MESSAGE_MAX_BYTES: usize = 4 * 1024;
const CHAT_MESSAGES_MAX: usize = 200;

pub(super) fn routes() -> Router<Shared> {
    // CONNECT is how a WebSocket opens on HTTP/2 (RFC 8441).
    Router::new().route("/v2/events", get(events)).route("/v2/chat", get(chat).connect(chat))
}

#[derive(Deserialize)]
struct Feed {
    limit: Option<usize>,
    #[serde(default)]
    follow: bool,
}

async fn events(State(shared): State<Shared>, who: Principal, Params(feed): Params<Feed>) -> Answer {
    let limit = feed.limit.unwrap_or(EVENTS_DEFAULT);
    if limit == 0 || limit > EVENTS_MAX {
        return Err(Problem::malformed("expected a `limit` from 1 to 50"));
    }
    let backlog: Vec<Bytes> = {
        let clinic = shared.clinic();
        let seen = clinic.appointments.iter().filter(|appointment| who.may_see(&appointment.patient_id));
        seen.take(limit)
            .map(|appointment| {
                let data =
                    json!({ "appointmentId": appointment.id, "status": appointment.status, "at": NOW });
                Bytes::from(format!("id: {}\nevent: appointment.updated\ndata: {data}\n\n", appointment.id))
            })
            .collect()
    };
    let (events, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        for event in backlog {
            if events.send(event).await.is_err() {
                return;
            }
        }
        for _ in 0..if feed.follow { HEARTBEATS_MAX } else { 0 } {
            tokio::time::sleep(HEARTBEAT).await;
            if events.send(Bytes::from_static(b": still here\n\n")).await.is_err() {
                return;
            }
        }
    });
    Ok(([(CONTENT_TYPE, "text/event-stream")], Body::new(Stream(stream))).into_response())
}

/// A response body that ends when its sender is gone.
struct Stream(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

async fn chat(who: Principal, upgrade: WebSocketUpgrade) -> Answer {
    Ok(upgrade
        .max_message_size(CHAT_MESSAGE_MAX_BYTES)
        .on_upgrade(move |socket| converse(socket, who.user_id)))
}

async fn converse(mut socket: WebSocket, user_id: u32) {
    let greeting = json!({ "from": "clinic", "text": "How can we help?", "userId": user_id });
    if socket.send(text(greeting)).await.is_err() {
        return;
    }
    for _ in 0..CHAT_MESSAGES_MAX {
        match socket.recv().await {
            Some(Ok(Message::Text(said))) => {
                let answer = json!({ "from": "clinic", "text": "Noted.", "heard": said.as_str() });
                if socket.send(text(answer)).await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            // Pings are answered below this level; binary messages have no meaning here.
            Some(Ok(_)) => {}
        }
    }
    // The peer may be gone already; the connection ends either way.
    let _ = socket.send(Message::Close(None)).await;
}

fn text(value: serde_json::Value) -> Message {
    Message::Text(value.to_string().into())
}
