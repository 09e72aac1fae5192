//! Bodies that are decided as a whole: held up to a bound before anyone else sees a byte.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use probity_http1::{BodyEvent, FieldBlock};

use crate::pace::Pace;
use crate::peer::{Fault, Peer};
use crate::watch::Watched;

/// How much of a body is at hand.
#[derive(Debug, Clone, Default)]
pub(crate) enum Held {
    /// Nothing was taken: it streams.
    #[default]
    Streaming,
    /// All of it. `changed` when it is no longer what its sender sent.
    Whole { data: Bytes, trailers: FieldBlock, changed: bool },
    /// It is longer than the bound; this is its beginning, the rest still streams.
    Begun(Bytes),
}

impl Held {
    /// The body, if all of it is here.
    pub fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole { data, .. } => Some(data),
            Self::Streaming | Self::Begun(_) => None,
        }
    }

    pub fn is_changed(&self) -> bool {
        matches!(self, Self::Whole { changed: true, .. })
    }

    /// Puts another body in the place of a whole one.
    pub fn replace(&mut self, with: Bytes) {
        if let Self::Whole { data, changed, .. } = self {
            (*data, *changed) = (with, true);
        }
    }
}

/// Why a body could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeFault {
    Source(Fault),
    Late,
    /// It comes, but at less than the least pace.
    Slow,
}

/// Takes the body that `source` sends: whole, or its beginning once `bound` is passed.
pub(crate) async fn take(
    source: &mut Peer,
    watched: &Watched,
    idle_ms: u64,
    bound: u64,
    pace: Pace,
) -> Result<Held, TakeFault> {
    take_while(source, watched, idle_ms, bound, pace, |_, _| {}).await
}

/// The same, doing something else with the source each time it is looked at.
pub(crate) async fn take_while(
    source: &mut Peer,
    watched: &Watched,
    idle_ms: u64,
    bound: u64,
    pace: Pace,
    mut beside: impl FnMut(&mut Context<'_>, &mut Peer),
) -> Result<Held, TakeFault> {
    let (mut first, mut more) = (Bytes::new(), BytesMut::new());
    watched.within(idle_ms.min(pace.left_ms(0, watched.now_ms())));
    let taken = poll_fn(|cx| {
        beside(cx, source);
        loop {
            // Over HTTP/1.1 an interim head waits here; over HTTP/2 a window update.
            if let Poll::Ready(Err(fault)) = source.poll_flush(cx) {
                return Poll::Ready(Err(TakeFault::Source(fault)));
            }
            match source.poll_event(cx) {
                Poll::Ready(Ok(BodyEvent::Data(data))) => {
                    let came = (first.len().max(more.len()) + data.len()) as u64;
                    watched.within(idle_ms.min(pace.left_ms(came, watched.now_ms())));
                    if first.is_empty() {
                        first = data;
                    } else {
                        if more.is_empty() {
                            more.extend_from_slice(&first);
                        }
                        more.extend_from_slice(&data);
                    }
                    if first.len().max(more.len()) as u64 > bound {
                        return Poll::Ready(Ok(Held::Begun(joined(&mut first, &mut more))));
                    }
                }
                Poll::Ready(Ok(BodyEvent::End(trailers))) => {
                    let data = joined(&mut first, &mut more);
                    return Poll::Ready(Ok(Held::Whole { data, trailers, changed: false }));
                }
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(TakeFault::Source(fault))),
                Poll::Pending if watched.expired() => {
                    let came = first.len().max(more.len()) as u64;
                    let slow = pace.is_late(came, watched.now_ms());
                    return Poll::Ready(Err(if slow { TakeFault::Slow } else { TakeFault::Late }));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    watched.clear();
    taken
}

fn joined(first: &mut Bytes, more: &mut BytesMut) -> Bytes {
    if more.is_empty() { std::mem::take(first) } else { std::mem::take(more).freeze() }
}
