//! One end of a call: the client or the upstream, over HTTP/1.1 or HTTP/2, seen as a source of body events and a sink.
//!
//! Heads are not here: [`crate::ingress`] reads and writes them, always in the terms of the HTTP/1.1 codec, so that
//! both protocols obey one set of rules. [`Relay`] moves one body from a source to a sink without holding the whole.

mod h1;
mod h2;
mod relay;

use std::task::{Context, Poll};

use bytes::Bytes;
use probity_http1::{BodyEvent, FieldBlock, Refusal};

pub(crate) use self::h1::{READ_ROOM, Wire};
pub(crate) use self::h2::{Stream, field_map};
pub(crate) use self::relay::{BodyFilter, Relay, Side, Tee};

/// What a sink may hold before its source is made to wait.
pub(crate) const HIGH_WATER: usize = 64 * 1024;

/// Why a peer can no longer be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It closed, reset, or the system reported an error.
    Closed,
    /// It sent what the codec refuses, or what was to be sent breaks its own framing.
    Invalid(Refusal),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BodyCut => Self::Closed,
            refusal => Self::Invalid(refusal),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(_: std::io::Error) -> Self {
        Self::Closed
    }
}

#[derive(Debug)]
pub(crate) enum Peer {
    H1(Box<Wire>),
    H2(Box<Stream>),
}

impl Peer {
    /// The next event of the body that this peer sends.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, Fault>> {
        match self {
            Self::H1(wire) => wire.poll_event(cx),
            Self::H2(stream) => stream.poll_event(cx),
        }
    }

    /// Takes a piece of the body for this peer; [`Peer::poll_flush`] sends it.
    pub fn push(&mut self, data: Bytes) -> Result<(), Fault> {
        match self {
            Self::H1(wire) => wire.push(&data),
            Self::H2(stream) => stream.push(data),
        }
    }

    /// Ends the body for this peer.
    pub fn finish(&mut self, trailers: &FieldBlock) -> Result<(), Fault> {
        match self {
            Self::H1(wire) => wire.finish(trailers),
            Self::H2(stream) => stream.finish(trailers),
        }
    }

    /// Sends what was pushed; ready when nothing is left.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        match self {
            Self::H1(wire) => wire.poll_flush(cx),
            Self::H2(stream) => stream.poll_flush(cx),
        }
    }

    /// Bytes that wait to be sent.
    pub fn backlog(&self) -> usize {
        match self {
            Self::H1(wire) => wire.backlog(),
            Self::H2(stream) => stream.backlog(),
        }
    }

    pub fn is_h2(&self) -> bool {
        matches!(self, Self::H2(_))
    }

    /// Ready when this peer went away while nothing was expected from it.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::H1(wire) => wire.poll_gone(cx),
            Self::H2(stream) => stream.poll_gone(cx),
        }
    }
}
