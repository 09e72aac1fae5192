//! One HTTP/2 stream as an end of a call.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use probity_http1::{BodyDecoder, BodyEvent, BodyFraming, FieldBlock, Limits, Refusal, check_field};

use super::Fault;

#[derive(Debug)]
pub(crate) struct Stream {
    receive: Option<RecvStream>,
    sink: Sink,
    pending: VecDeque<Bytes>,
    backlog: usize,
    ending: Option<HeaderMap>,
    /// What the head declared and how much came: HTTP/2 frames the body, but its `content-length` must not lie.
    declared: Option<u64>,
    received: u64,
    /// The peer reset it.
    reset: bool,
}

#[derive(Debug)]
enum Sink {
    /// A client's stream before the response's head.
    Unanswered(SendResponse<Bytes>),
    Open(SendStream<Bytes>),
    /// Everything was sent, or nothing is to be sent.
    Closed,
}

impl Stream {
    /// The client's end of a call.
    pub fn of_client(receive: RecvStream, respond: SendResponse<Bytes>, declared: Option<u64>) -> Self {
        let receive = (!receive.is_end_stream()).then_some(receive);
        Self::new(receive, Sink::Unanswered(respond), declared)
    }

    /// The upstream's end, before its response.
    pub fn of_upstream(send: SendStream<Bytes>, body_follows: bool) -> Self {
        Self::new(None, if body_follows { Sink::Open(send) } else { Sink::Closed }, None)
    }

    fn new(receive: Option<RecvStream>, sink: Sink, declared: Option<u64>) -> Self {
        Self {
            receive,
            sink,
            pending: VecDeque::new(),
            backlog: 0,
            ending: None,
            declared,
            received: 0,
            reset: false,
        }
    }

    /// The upstream answered: its body can be read from now on.
    pub fn receive_from(&mut self, receive: RecvStream, declared: Option<u64>) {
        self.receive = (!receive.is_end_stream()).then_some(receive);
        self.declared = declared;
    }

    /// Sends the response's head to the client.
    pub fn respond(&mut self, head: http::Response<()>, body_follows: bool) -> Result<(), Fault> {
        let Sink::Unanswered(respond) = &mut self.sink else { return Err(Fault::Closed) };
        let Ok(send) = respond.send_response(head, !body_follows) else {
            self.reset = true;
            return Err(Fault::Closed);
        };
        self.sink = if body_follows { Sink::Open(send) } else { Sink::Closed };
        Ok(())
    }

    pub fn inform(&mut self, head: http::Response<()>) {
        if let Sink::Unanswered(respond) = &mut self.sink {
            // An interim head is a courtesy: the final one follows in any case.
            let _ = respond.send_informational(head);
        }
    }

    /// Whether the peer was seen to give the stream up.
    pub fn was_reset(&self) -> bool {
        self.reset
    }

    pub fn reset(&mut self, reason: Reason) {
        match &mut self.sink {
            Sink::Unanswered(respond) => respond.send_reset(reason),
            Sink::Open(send) => send.send_reset(reason),
            Sink::Closed => {}
        }
    }

    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, Fault>> {
        let Some(receive) = &mut self.receive else {
            return Poll::Ready(self.end(FieldBlock::default()));
        };
        loop {
            match ready!(receive.poll_data(cx)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => {
                    // The relay reads only while the sink has room, so the window can reopen at once.
                    receive.flow_control().release_capacity(data.len()).map_err(|_| Fault::Closed)?;
                    self.received += data.len() as u64;
                    if self.declared.is_some_and(|declared| self.received > declared) {
                        return Poll::Ready(Err(Fault::Invalid(Refusal::BodyLength)));
                    }
                    return Poll::Ready(Ok(BodyEvent::Data(data)));
                }
                Some(Err(error)) => {
                    self.reset |= error.is_reset() && error.is_remote();
                    return Poll::Ready(Err(fault(&error)));
                }
                None => break,
            }
        }
        let trailers = ready!(receive.poll_trailers(cx)).map_err(|error| fault(&error))?;
        let trailers = trailers.map_or_else(|| Ok(FieldBlock::default()), |map| field_block(&map))?;
        self.receive = None;
        Poll::Ready(self.end(trailers))
    }

    fn end(&mut self, trailers: FieldBlock) -> Result<BodyEvent, Fault> {
        if self.declared.is_some_and(|declared| declared != self.received) {
            return Err(Fault::Invalid(Refusal::BodyLength));
        }
        Ok(BodyEvent::End(trailers))
    }

    pub fn push(&mut self, data: Bytes) -> Result<(), Fault> {
        if data.is_empty() {
            return Ok(());
        }
        let Sink::Open(_) = self.sink else { return Err(Fault::Invalid(Refusal::BodyLength)) };
        self.backlog += data.len();
        self.pending.push_back(data);
        Ok(())
    }

    pub fn finish(&mut self, trailers: &FieldBlock) -> Result<(), Fault> {
        self.ending = Some(field_map(trailers.iter())?);
        Ok(())
    }

    pub fn backlog(&self) -> usize {
        self.backlog
    }

    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Sink::Open(send) = &mut self.sink else { return Poll::Ready(Ok(())) };
        while let Some(front) = self.pending.front_mut() {
            send.reserve_capacity(front.len());
            let room = match send.capacity() {
                0 => match ready!(send.poll_capacity(cx)) {
                    Some(Ok(room)) => room,
                    _ => return Poll::Ready(Err(Fault::Closed)),
                },
                room => room,
            };
            if room == 0 {
                continue;
            }
            let part = front.split_to(room.min(front.len()));
            self.backlog -= part.len();
            if front.is_empty() {
                self.pending.pop_front();
            }
            let last = self.pending.is_empty() && self.ending.as_ref().is_some_and(HeaderMap::is_empty);
            send.send_data(part, last).map_err(|_| Fault::Closed)?;
            if last {
                self.sink = Sink::Closed;
                self.ending = None;
                return Poll::Ready(Ok(()));
            }
        }
        if let Some(trailers) = self.ending.take() {
            let sent = if trailers.is_empty() {
                send.send_data(Bytes::new(), true)
            } else {
                send.send_trailers(trailers)
            };
            self.sink = Sink::Closed;
            return Poll::Ready(sent.map_err(|_| Fault::Closed));
        }
        Poll::Ready(Ok(()))
    }

    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.sink {
            Sink::Unanswered(respond) => respond.poll_reset(cx),
            Sink::Open(send) => send.poll_reset(cx),
            Sink::Closed => return Poll::Pending,
        };
        self.reset |= reset.is_ready();
        reset.map(|_| ())
    }
}

fn fault(_: &h2::Error) -> Fault {
    Fault::Closed
}

/// Trailers in the codec's terms, judged by its rules.
fn field_block(map: &HeaderMap) -> Result<FieldBlock, Refusal> {
    let mut text = BytesMut::from(&b"0\r\n"[..]);
    for (name, value) in map {
        check_field(name.as_str().as_bytes(), value.as_bytes())?;
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    match BodyDecoder::new(BodyFraming::Chunked, &Limits::default()).decode(&mut text)? {
        Some(BodyEvent::End(trailers)) => Ok(trailers),
        _ => Err(Refusal::TrailersTooLarge),
    }
}

/// Fields of the codec as HTTP/2 carries them: names in lower case.
pub(crate) fn field_map<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<HeaderMap, Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name).map_err(|_| Refusal::FieldName)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Refusal::FieldValue)?;
        map.try_append(name, value).map_err(|_| Refusal::TooManyHeaders)?;
    }
    Ok(map)
}
