//! An HTTP/1.1 connection: one stream, what was read from it and what is to be written to it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use probity_http1::{
    BodyDecoder, BodyEncoder, BodyEvent, BodyFraming, FieldBlock, Limits, Refusal, RequestHead, ResponseHead,
    parse_request, parse_response,
};
use tokio::io::AsyncWrite;

use super::Fault;
use crate::io::Io;

/// Room that a read is given.
pub(crate) const READ_ROOM: usize = 16 * 1024;
/// A read with less room than this gets new room.
const LEAST_ROOM: usize = 1024;
/// What is read ahead of a request that has to wait for the one before it.
const READ_AHEAD: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Wire {
    pub io: Io,
    pub input: BytesMut,
    pub output: BytesMut,
    pub decoder: BodyDecoder,
    pub encoder: BodyEncoder,
    eof: bool,
}

impl Wire {
    pub fn new(io: Io) -> Self {
        Self {
            io,
            input: BytesMut::new(),
            output: BytesMut::new(),
            decoder: BodyDecoder::new(BodyFraming::None, &Limits::default()),
            encoder: BodyEncoder::new(BodyFraming::None),
            eof: false,
        }
    }

    /// Reads more; ready with whether anything came.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        if self.eof {
            return Poll::Ready(Ok(false));
        }
        if self.input.capacity() - self.input.len() < LEAST_ROOM {
            self.input.reserve(READ_ROOM);
        }
        let read = ready!(self.io.poll_read_into(cx, &mut self.input))?;
        self.eof = read == 0;
        Poll::Ready(Ok(read > 0))
    }

    /// A whole request head, or `None` when the client closed before one began.
    pub fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        limits: &Limits,
    ) -> Poll<Result<Option<RequestHead>, Fault>> {
        loop {
            if !self.input.is_empty()
                && let Some(head) = parse_request(&mut self.input, limits)?
            {
                return Poll::Ready(Ok(Some(head)));
            }
            if !ready!(self.poll_fill(cx))? {
                let outcome = if self.input.is_empty() { Ok(None) } else { Err(Fault::Closed) };
                return Poll::Ready(outcome);
            }
        }
    }

    pub fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        limits: &Limits,
        method: &[u8],
    ) -> Poll<Result<ResponseHead, Fault>> {
        loop {
            if let Some(head) = parse_response(&mut self.input, limits, method)? {
                return Poll::Ready(Ok(head));
            }
            if !ready!(self.poll_fill(cx))? {
                return Poll::Ready(Err(Fault::Closed));
            }
        }
    }

    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, Fault>> {
        loop {
            if let Some(event) = self.decoder.decode(&mut self.input)? {
                return Poll::Ready(Ok(event));
            }
            if self.decoder.is_done() {
                return Poll::Ready(Err(Fault::Closed));
            }
            if !ready!(self.poll_fill(cx))? {
                self.decoder.close()?;
                return Poll::Ready(Ok(BodyEvent::End(FieldBlock::default())));
            }
        }
    }

    pub fn push(&mut self, data: &Bytes) -> Result<(), Fault> {
        Ok(self.encoder.encode(data, &mut self.output)?)
    }

    pub fn finish(&mut self, trailers: &FieldBlock) -> Result<(), Fault> {
        match self.encoder.finish(trailers.iter(), &mut self.output) {
            // The source ended early by its own rules; ours would lie about the length.
            Err(Refusal::BodyLength) => Err(Fault::Invalid(Refusal::BodyLength)),
            result => Ok(result?),
        }
    }

    pub fn backlog(&self) -> usize {
        self.output.len()
    }

    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(Fault::Closed));
            }
            self.output.advance(written);
        }
        match &mut self.io {
            Io::Tcp(_) => Poll::Ready(Ok(())),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx).map_err(Fault::from),
        }
    }

    /// Also reads what the peer pipelines, up to a bound: only a read tells that it closed.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.input.len() < READ_AHEAD {
            match ready!(self.poll_fill(cx)) {
                Ok(true) => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Whether nothing of a former message is left, so that the connection can carry the next.
    pub fn is_clean(&self) -> bool {
        !self.eof && self.input.is_empty() && self.output.is_empty()
    }
}
