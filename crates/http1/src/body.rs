//! Bodies: counted, chunked, or until the peer closes. Data is handed out as slices of the read buffer.

use bytes::{Buf, Bytes, BytesMut};

use crate::field::parse_trailers;
use crate::scan::{Scan, block_end};
use crate::{BodyFraming, FieldBlock, Limits, Refusal, octet};

/// Most hexadecimal digits of a chunk size: 4 GiB less one byte. Peers overflow differently beyond.
const MAX_SIZE_DIGITS: usize = 8;

/// What a body decoder found.
#[derive(Debug, Clone)]
pub enum BodyEvent {
    /// A piece of the body, never empty. Its bounds mean nothing.
    Data(Bytes),
    /// The body is complete; trailers are empty where there were none. Comes once.
    End(FieldBlock),
}

/// Decodes one body from bytes that arrive in any pieces.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    /// What is left of the bound on chunk extensions.
    extension_bytes: usize,
    trailer_bytes: usize,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes remain; at zero the end is still to be reported.
    Length(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Done,
}

impl BodyDecoder {
    /// A decoder for the body that follows a head with that framing.
    pub fn new(framing: BodyFraming, limits: &Limits) -> Self {
        let state = match framing {
            BodyFraming::None => State::Length(0),
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::ChunkSize,
            BodyFraming::UntilClose => State::UntilClose,
        };
        Self {
            state,
            extension_bytes: limits.chunk_extension_bytes,
            trailer_bytes: limits.trailer_bytes,
            trailers: limits.trailers,
        }
    }

    /// Takes the next event from the front of `buf`. `Ok(None)` asks for more bytes, or, after
    /// [`BodyEvent::End`], says that there is nothing more. Bytes after the body stay in `buf`.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<BodyEvent>, Refusal> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Length(0) => return Ok(Some(self.end(FieldBlock::default()))),
                State::Length(left) => {
                    let Some((data, left)) = take(buf, left) else { return Ok(None) };
                    self.state = State::Length(left);
                    return Ok(Some(BodyEvent::Data(data)));
                }
                State::UntilClose => {
                    let Some((data, _)) = take(buf, u64::MAX) else { return Ok(None) };
                    return Ok(Some(BodyEvent::Data(data)));
                }
                State::ChunkSize => match self.chunk_size(buf)? {
                    None => return Ok(None),
                    Some(0) => self.state = State::Trailers,
                    Some(size) => self.state = State::ChunkData(size),
                },
                State::ChunkData(left) => {
                    let Some((data, left)) = take(buf, left) else { return Ok(None) };
                    self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData(left) };
                    return Ok(Some(BodyEvent::Data(data)));
                }
                State::ChunkEnd => match buf.as_ref() {
                    [b'\r', b'\n', ..] => {
                        buf.advance(2);
                        self.state = State::ChunkSize;
                    }
                    [] | [b'\r'] => return Ok(None),
                    [b'\n', ..] => return Err(Refusal::ChunkLf),
                    _ => return Err(Refusal::ChunkEnd),
                },
                State::Trailers => return self.trailers(buf),
            }
        }
    }

    /// The peer closed its side: the end of a body until close, an error anywhere else before the end.
    pub fn close(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Done | State::UntilClose | State::Length(0) => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Refusal::BodyCut),
        }
    }

    /// Whether the end was reported.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The bytes that must still come where the head said so.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    fn end(&mut self, trailers: FieldBlock) -> BodyEvent {
        self.state = State::Done;
        BodyEvent::End(trailers)
    }

    /// Reads one chunk-size line when it is complete.
    fn chunk_size(&mut self, buf: &mut BytesMut) -> Result<Option<u64>, Refusal> {
        let digits =
            buf.iter().take(MAX_SIZE_DIGITS + 1).take_while(|octet| octet::hex(**octet).is_some()).count();
        let rest = buf.get(digits..).unwrap_or_default();
        if digits > MAX_SIZE_DIGITS {
            return Err(Refusal::ChunkSize);
        }
        let extension = match rest {
            [] => return Ok(None),
            // An empty line has no size, whatever ends it.
            [b'\n', ..] if digits > 0 => return Err(Refusal::ChunkLf),
            _ if digits == 0 => return Err(Refusal::ChunkSize),
            [b'\r', b'\n', ..] => 0,
            [b'\r'] => return Ok(None),
            [b';', ..] => match self.extension(rest)? {
                None => return Ok(None),
                Some(len) => len,
            },
            _ => return Err(Refusal::ChunkSize),
        };
        let size = buf
            .iter()
            .take(digits)
            .fold(0, |size: u64, digit| size << 4 | u64::from(octet::hex(*digit).unwrap_or_default()));
        self.extension_bytes -= extension;
        buf.advance(digits + extension + 2);
        Ok(Some(size))
    }

    /// The length of a chunk extension, from its `;` to before CRLF, or `None` while it is incomplete.
    fn extension(&self, rest: &[u8]) -> Result<Option<usize>, Refusal> {
        let bound = self.extension_bytes;
        let len = rest.iter().take(bound + 1).take_while(|octet| is_extension(**octet)).count();
        if len > bound {
            return Err(Refusal::ChunkExtension);
        }
        match rest.get(len..).unwrap_or_default() {
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => Ok(Some(len)),
            [b'\n', ..] => Err(Refusal::ChunkLf),
            _ => Err(Refusal::ChunkExtension),
        }
    }

    fn trailers(&mut self, buf: &mut BytesMut) -> Result<Option<BodyEvent>, Refusal> {
        match block_end(buf, self.trailer_bytes.max(2)) {
            Ok(Scan::Partial) => Ok(None),
            Ok(Scan::TooLarge { .. }) => Err(Refusal::TrailersTooLarge),
            Ok(Scan::Complete(2)) => {
                buf.advance(2);
                Ok(Some(self.end(FieldBlock::default())))
            }
            Ok(Scan::Complete(end)) => {
                let trailers = parse_trailers(buf.split_to(end).freeze(), self.trailers)?;
                Ok(Some(self.end(trailers)))
            }
            Err(refusal) => Err(refusal),
        }
    }
}

fn is_extension(octet: u8) -> bool {
    octet == b' ' || octet::class(octet) & octet::VISIBLE != 0
}

/// Up to `left` bytes from the front, and what is left then.
fn take(buf: &mut BytesMut, left: u64) -> Option<(Bytes, u64)> {
    if buf.is_empty() {
        return None;
    }
    let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
    Some((buf.split_to(len).freeze(), left - len as u64))
}

#[cfg(test)]
mod tests;
