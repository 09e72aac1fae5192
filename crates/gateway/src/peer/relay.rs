//! Moves one body from one peer to another, and keeps a bounded copy of its beginning for inspection.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use probity_http1::{BodyEvent, FieldBlock};

use super::{Fault, HIGH_WATER, Peer};
use crate::enforce::Held;

/// Which of the two peers failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Sink,
}

/// The beginning of a body, shared with the bytes in flight as long as it is one piece.
#[derive(Debug, Default)]
pub(crate) struct Tee {
    /// Bytes to keep; zero keeps nothing.
    bound: usize,
    first: Bytes,
    more: BytesMut,
    pub truncated: bool,
}

impl Tee {
    pub fn new(bound: usize) -> Self {
        Self { bound, ..Self::default() }
    }

    /// The beginning of a body that is there as a whole.
    pub fn of(data: &Bytes, bound: usize) -> Self {
        let mut tee = Self::new(bound);
        tee.keep(data);
        tee
    }

    /// Forgets what it kept: the body comes once more.
    pub fn restart(&mut self) {
        *self = Self::new(self.bound);
    }

    fn keep(&mut self, data: &Bytes) {
        if self.bound == 0 {
            return;
        }
        let kept = if self.more.is_empty() { self.first.len() } else { self.more.len() };
        let room = self.bound.saturating_sub(kept).min(data.len());
        self.truncated |= room < data.len();
        if room == 0 {
            return;
        }
        if kept == 0 {
            self.first = data.slice(..room);
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(data.get(..room).unwrap_or_default());
    }

    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    pub fn bytes(&self) -> &[u8] {
        if self.more.is_empty() { &self.first } else { &self.more }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Flushing,
    Done,
    Abandoned,
}

/// Changes a body as it streams by.
pub(crate) trait BodyFilter: std::fmt::Debug + Send {
    /// What of it can go on now.
    fn feed(&mut self, data: Bytes) -> Result<Bytes, Fault>;
    /// What was kept back.
    fn finish(&mut self) -> Result<Bytes, Fault>;
}

#[derive(Debug)]
pub(crate) struct Relay {
    state: State,
    /// Comes before whatever the source still sends.
    ready: VecDeque<BodyEvent>,
    filter: Option<Box<dyn BodyFilter>>,
    /// Body bytes moved so far.
    pub bytes: u64,
    pub tee: Tee,
    /// The end waits until [`Relay::release`].
    hold: Option<Hold>,
    /// Something moved since the last [`Relay::took_progress`].
    progress: bool,
}

/// What is kept back so that the sink cannot see the end: of a counted body its last piece, of others the end itself.
#[derive(Debug)]
struct Hold {
    length: Option<u64>,
    piece: Bytes,
    end: Option<FieldBlock>,
}

impl Relay {
    pub fn new(tee: Tee) -> Self {
        Self {
            state: State::Open,
            ready: VecDeque::new(),
            filter: None,
            bytes: 0,
            tee,
            hold: None,
            progress: false,
        }
    }

    /// A relay that keeps back the end of a body of `length` bytes, where that is known.
    pub fn holding_back(tee: Tee, length: Option<u64>) -> Self {
        Self { hold: Some(Hold { length, piece: Bytes::new(), end: None }), ..Self::new(tee) }
    }

    /// Begins with what was taken from the source already.
    #[must_use]
    pub fn after(mut self, held: Held) -> Self {
        match held {
            Held::Streaming => {}
            Held::Begun(data) => self.ready.push_back(BodyEvent::Data(data)),
            Held::Whole { data, trailers, .. } => {
                if !data.is_empty() {
                    self.ready.push_back(BodyEvent::Data(data));
                }
                self.ready.push_back(BodyEvent::End(trailers));
            }
        }
        self
    }

    #[must_use]
    pub fn through(self, filter: Option<Box<dyn BodyFilter>>) -> Self {
        Self { filter, ..self }
    }

    /// No body: what the sink already holds is all there is to send.
    pub fn empty() -> Self {
        Self { state: State::Flushing, ..Self::new(Tee::default()) }
    }

    /// Gives up: the sink will take no more.
    pub fn abandon(&mut self) {
        self.state = State::Abandoned;
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether there is still something to move.
    pub fn is_going(&self) -> bool {
        matches!(self.state, State::Open | State::Flushing)
    }

    pub fn took_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Lets go of what was held back.
    pub fn release(&mut self, to: &mut Peer) -> Result<(), Fault> {
        let Some(Hold { piece, end: Some(trailers), .. }) = self.hold.take() else { return Ok(()) };
        if !piece.is_empty() {
            to.push(piece)?;
        }
        to.finish(&trailers)?;
        self.state = State::Flushing;
        Ok(())
    }

    /// Moves what can be moved. Ready when all is sent, or, when holding back, when the end is known.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Peer,
        to: &mut Peer,
    ) -> Poll<Result<(), (Side, Fault)>> {
        let sink = |fault| (Side::Sink, fault);
        while self.state == State::Open {
            if self.holds_end() {
                return Poll::Ready(Ok(()));
            }
            if to.backlog() >= HIGH_WATER {
                ready!(to.poll_flush(cx)).map_err(sink)?;
                self.progress = true;
            }
            let event = match self.ready.pop_front() {
                Some(event) => Poll::Ready(Ok(event)),
                None => from.poll_event(cx),
            };
            match event {
                Poll::Ready(Ok(event)) => {
                    self.progress = true;
                    self.take(event, to).map_err(sink)?;
                }
                Poll::Ready(Err(fault)) => return Poll::Ready(Err((Side::Source, fault))),
                Poll::Pending => {
                    // Nothing more to read for now: what is here goes out at once (server-sent events).
                    let before = to.backlog();
                    if let Poll::Ready(Err(fault)) = to.poll_flush(cx) {
                        return Poll::Ready(Err(sink(fault)));
                    }
                    self.progress |= to.backlog() < before;
                    return Poll::Pending;
                }
            }
        }
        if self.state == State::Flushing {
            let before = to.backlog();
            let flushed = to.poll_flush(cx).map_err(sink)?;
            self.progress |= to.backlog() < before;
            ready!(flushed);
            self.state = State::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn holds_end(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.end.is_some())
    }

    fn take(&mut self, event: BodyEvent, to: &mut Peer) -> Result<(), Fault> {
        match event {
            BodyEvent::Data(data) => {
                let data = match &mut self.filter {
                    Some(filter) => filter.feed(data)?,
                    None => data,
                };
                if data.is_empty() {
                    return Ok(());
                }
                self.bytes += data.len() as u64;
                self.tee.keep(&data);
                match &mut self.hold {
                    Some(hold) if hold.length == Some(self.bytes) => hold.piece = data,
                    _ => to.push(data)?,
                }
            }
            BodyEvent::End(trailers) => {
                if let Some(mut filter) = self.filter.take() {
                    let rest = filter.finish()?;
                    if !rest.is_empty() {
                        self.take(BodyEvent::Data(rest), to)?;
                    }
                }
                match &mut self.hold {
                    Some(hold) => hold.end = Some(trailers),
                    None => {
                        to.finish(&trailers)?;
                        self.state = State::Flushing;
                    }
                }
            }
        }
        Ok(())
    }
}
