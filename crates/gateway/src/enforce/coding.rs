//! Content codings undone: gzip, deflate, Brotli, Zstandard, at most two on top of each other, within bounds.
//!
//! A body is as large as its sender says; what it unfolds to is not. Both the total and the ratio are bounded, and a
//! Zstandard window is looked at before memory is taken for it. Nothing is coded here: what was decoded leaves as identity.

use std::io::{Read, Write};

use probity_model::bundle::leaks::BodyBounds;

/// Codings of one body.
pub(crate) const MAX_CODINGS: usize = 2;
/// Below this an output is never called a bomb.
const RATIO_FLOOR: usize = 64 * 1024;
const CHUNK: usize = 16 * 1024;
/// Frames and members of one body.
const MAX_FRAMES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodingError {
    #[error("unknown-coding")]
    Unknown,
    #[error("too-many-codings")]
    Nested,
    #[error("broken-coding")]
    Broken,
    #[error("over-size")]
    Size,
    #[error("over-ratio")]
    Ratio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstandard,
}

impl Coding {
    pub fn of(name: &[u8]) -> Option<Self> {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        Some(match () {
            () if is(b"gzip") || is(b"x-gzip") => Self::Gzip,
            () if is(b"deflate") => Self::Deflate,
            () if is(b"br") => Self::Brotli,
            () if is(b"zstd") => Self::Zstandard,
            () => return None,
        })
    }
}

/// The codings that `Content-Encoding` fields name, in the order in which they were applied; empty for identity.
pub(crate) fn codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Coding>, CodingError> {
    let mut found = Vec::new();
    for name in values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
            continue;
        }
        if found.len() >= MAX_CODINGS {
            return Err(CodingError::Nested);
        }
        found.push(Coding::of(name).ok_or(CodingError::Unknown)?);
    }
    Ok(found)
}

/// `body` without `codings`.
pub(crate) fn decode(codings: &[Coding], body: &[u8], bounds: BodyBounds) -> Result<Vec<u8>, CodingError> {
    let mut layers = codings.iter().rev();
    let Some(outer) = layers.next() else { return Ok(body.to_vec()) };
    // The ratio counts from the bytes that came over the wire.
    let budget = budget(body.len(), bounds);
    let mut out = layer(*outer, body, budget)?;
    for inner in layers {
        out = layer(*inner, &out, budget)?;
    }
    Ok(out)
}

/// Most that may come out, and what it is called when more does.
#[derive(Debug, Clone, Copy)]
struct Budget {
    bytes: usize,
    error: CodingError,
}

fn budget(coded: usize, bounds: BodyBounds) -> Budget {
    let size = usize::try_from(bounds.decoded).unwrap_or(usize::MAX);
    let ratio = coded.saturating_mul(bounds.ratio as usize).max(RATIO_FLOOR);
    if ratio < size {
        Budget { bytes: ratio, error: CodingError::Ratio }
    } else {
        Budget { bytes: size, error: CodingError::Size }
    }
}

fn layer(coding: Coding, body: &[u8], budget: Budget) -> Result<Vec<u8>, CodingError> {
    let mut out = Vec::with_capacity(body.len().saturating_mul(3).min(budget.bytes).min(1 << 20));
    match coding {
        Coding::Gzip => drain(flate2::read::MultiGzDecoder::new(body), &mut out, budget)?,
        Coding::Deflate if is_zlib(body) => drain(flate2::read::ZlibDecoder::new(body), &mut out, budget)?,
        Coding::Deflate => drain(flate2::read::DeflateDecoder::new(body), &mut out, budget)?,
        Coding::Brotli => drain(brotli_decompressor::Decompressor::new(body, CHUNK), &mut out, budget)?,
        Coding::Zstandard => zstandard(body, &mut out, budget)?,
    }
    Ok(out)
}

/// RFC 1950: what most senders mean by `deflate`, though not all.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

fn drain(mut from: impl Read, out: &mut Vec<u8>, budget: Budget) -> Result<(), CodingError> {
    let mut chunk = [0; CHUNK];
    loop {
        let read = from.read(&mut chunk).map_err(|_| CodingError::Broken)?;
        if read == 0 {
            return Ok(());
        }
        if out.len() + read > budget.bytes {
            return Err(budget.error);
        }
        out.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
}

fn zstandard(body: &[u8], out: &mut Vec<u8>, budget: Budget) -> Result<(), CodingError> {
    let mut rest = body;
    for _ in 0..MAX_FRAMES {
        if rest.is_empty() {
            return Ok(());
        }
        let window = window_of(rest).ok_or(CodingError::Broken)?;
        if window > budget.bytes.max(8 << 20) as u64 {
            return Err(CodingError::Size);
        }
        let frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).map_err(|_| CodingError::Broken)?;
        drain(frame, out, budget)?;
    }
    Err(CodingError::Broken)
}

/// How much memory a frame asks for (RFC 8878, 3.1.1.1).
fn window_of(frame: &[u8]) -> Option<u64> {
    let rest = frame.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    if descriptor & 0x20 == 0 {
        let window = u64::from(*rest.first()?);
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * (window & 7));
    }
    let dictionary = [0usize, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?;
    let size = rest.get(dictionary..)?;
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Some(match descriptor >> 6 {
        0 => number(size.get(..1)?),
        1 => number(size.get(..2)?) + 256,
        2 => number(size.get(..4)?),
        _ => number(size.get(..8)?),
    })
}

/// A coding undone as its bytes stream by. Zstandard is decoded whole only.
pub(crate) enum Unfold {
    Gzip(flate2::write::MultiGzDecoder<Vec<u8>>),
    Zlib(flate2::write::ZlibDecoder<Vec<u8>>),
    Brotli(Box<brotli_decompressor::DecompressorWriter<Vec<u8>>>),
}

impl std::fmt::Debug for Unfold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unfold").finish_non_exhaustive()
    }
}

/// What streams through a decoder, counted.
#[derive(Debug)]
pub(crate) struct StreamDecoder {
    inner: Unfold,
    taken: u64,
    made: u64,
    ratio: u64,
}

impl StreamDecoder {
    /// `None` where the coding, or two of them, cannot be undone in passing. `head` is the body's beginning.
    pub fn new(codings: &[Coding], head: &[u8], bounds: BodyBounds) -> Option<Self> {
        let [coding] = codings else { return None };
        let inner = match coding {
            Coding::Gzip => Unfold::Gzip(flate2::write::MultiGzDecoder::new(Vec::new())),
            Coding::Deflate if is_zlib(head) => Unfold::Zlib(flate2::write::ZlibDecoder::new(Vec::new())),
            Coding::Brotli => {
                Unfold::Brotli(Box::new(brotli_decompressor::DecompressorWriter::new(Vec::new(), CHUNK)))
            }
            Coding::Deflate | Coding::Zstandard => return None,
        };
        Some(Self { inner, taken: 0, made: 0, ratio: u64::from(bounds.ratio) })
    }

    /// What `data` unfolds to.
    pub fn feed(&mut self, data: &[u8]) -> Result<Vec<u8>, CodingError> {
        let mut out = Vec::new();
        // In small steps, so that one piece cannot unfold to more than the ratio allows before anyone looks.
        for piece in data.chunks(1024) {
            self.taken += piece.len() as u64;
            let made = match &mut self.inner {
                Unfold::Gzip(decoder) => {
                    decoder.write_all(piece).map_err(|_| CodingError::Broken)?;
                    std::mem::take(decoder.get_mut())
                }
                Unfold::Zlib(decoder) => {
                    decoder.write_all(piece).map_err(|_| CodingError::Broken)?;
                    std::mem::take(decoder.get_mut())
                }
                Unfold::Brotli(decoder) => {
                    decoder.write_all(piece).map_err(|_| CodingError::Broken)?;
                    std::mem::take(decoder.get_mut())
                }
            };
            self.count(made.len())?;
            out.extend_from_slice(&made);
        }
        Ok(out)
    }

    fn count(&mut self, made: usize) -> Result<(), CodingError> {
        self.made += made as u64;
        let allowed = self.taken.saturating_mul(self.ratio).max(RATIO_FLOOR as u64);
        if self.made > allowed { Err(CodingError::Ratio) } else { Ok(()) }
    }

    /// What was kept back; an end that is missing is an error.
    pub fn finish(&mut self) -> Result<Vec<u8>, CodingError> {
        let broken = |_| CodingError::Broken;
        let out = match &mut self.inner {
            Unfold::Gzip(decoder) => {
                decoder.try_finish().map_err(broken)?;
                std::mem::take(decoder.get_mut())
            }
            Unfold::Zlib(decoder) => {
                decoder.try_finish().map_err(broken)?;
                std::mem::take(decoder.get_mut())
            }
            Unfold::Brotli(decoder) => {
                decoder.close().map_err(broken)?;
                std::mem::take(decoder.get_mut())
            }
        };
        self.count(out.len())?;
        Ok(out)
    }
}

/// What of a client's `Accept-Encoding` may be told to an upstream whose answers are read.
pub(crate) fn readable<'a>(values: impl Iterator<Item = &'a [u8]>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for item in values.flat_map(|value| value.split(|byte| *byte == b',')).take(16) {
        let item = item.trim_ascii();
        let name = item.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if (Coding::of(name).is_some() || name.eq_ignore_ascii_case(b"identity"))
            && let Ok(text) = std::str::from_utf8(item)
        {
            kept.push(text.to_owned());
        }
    }
    if kept.is_empty() { "identity".to_owned() } else { kept.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> BodyBounds {
        BodyBounds { decoded: 1 << 20, ratio: 50, ..BodyBounds::default() }
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }
    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }
    fn raw(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }
    fn zstd(body: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
    }
    /// Forty times `{"pan":"4111111111111111"}`, by the reference encoder.
    const BROTLI: [u8; 36] = [
        27, 15, 4, 248, 29, 7, 185, 57, 242, 22, 124, 49, 226, 40, 149, 34, 123, 125, 69, 3, 215, 49, 58, 97,
        110, 74, 168, 202, 10, 129, 20, 64, 54, 65, 216, 14,
    ];

    #[test]
    fn bodies_come_back() {
        let body = b"{\"pan\":\"4111111111111111\"}".repeat(40);
        for (coding, coded) in [
            (Coding::Gzip, gzip(&body)),
            (Coding::Gzip, [gzip(&body[..99]), gzip(&body[99..])].concat()),
            (Coding::Deflate, zlib(&body)),
            (Coding::Deflate, raw(&body)),
            (Coding::Brotli, BROTLI.to_vec()),
            (Coding::Zstandard, zstd(&body)),
            (Coding::Zstandard, [zstd(&body[..99]), zstd(&body[99..])].concat()),
        ] {
            assert_eq!(decode(&[coding], &coded, bounds()), Ok(body.clone()), "{coding:?}");
            // Without its end it is no body.
            let cut = &coded[..coded.len() - 3];
            assert_eq!(decode(&[coding], cut, bounds()), Err(CodingError::Broken), "{coding:?}");
        }
        assert_eq!(
            decode(&[Coding::Gzip, Coding::Zstandard], &zstd(&gzip(&body)), bounds()),
            Ok(body.clone())
        );
        assert_eq!(decode(&[], &body, bounds()), Ok(body));
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstandard] {
            assert_eq!(decode(&[coding], b"no such thing", bounds()), Err(CodingError::Broken), "{coding:?}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![b'0'; 4 << 20];
        for (coding, coded) in
            [(Coding::Gzip, gzip(&zeros)), (Coding::Deflate, zlib(&zeros)), (Coding::Zstandard, zstd(&zeros))]
        {
            let error = decode(&[coding], &coded, bounds()).unwrap_err();
            assert!(matches!(error, CodingError::Ratio | CodingError::Size), "{coding:?} {error:?}");
        }
        let twice = gzip(&gzip(&zeros));
        assert_eq!(decode(&[Coding::Gzip, Coding::Gzip], &twice, bounds()), Err(CodingError::Ratio));
        // A frame that asks for a window of 2 GiB.
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0, 0, 0];
        assert_eq!(decode(&[Coding::Zstandard], &window, bounds()), Err(CodingError::Size));
        let mut stream = StreamDecoder::new(&[Coding::Gzip], b"", bounds()).unwrap();
        assert_eq!(stream.feed(&gzip(&zeros)), Err(CodingError::Ratio));
    }

    #[test]
    fn streams_come_back() {
        let body = b"{\"pan\":\"4111111111111111\"}".repeat(40);
        for (coding, coded) in
            [(Coding::Gzip, gzip(&body)), (Coding::Deflate, zlib(&body)), (Coding::Brotli, BROTLI.to_vec())]
        {
            let mut stream = StreamDecoder::new(&[coding], &coded, bounds()).unwrap();
            let mut out = Vec::new();
            for piece in coded.chunks(7) {
                out.extend(stream.feed(piece).unwrap());
            }
            out.extend(stream.finish().unwrap());
            assert_eq!(out, body, "{coding:?}");
        }
        let mut cut = StreamDecoder::new(&[Coding::Gzip], b"", bounds()).unwrap();
        let coded = gzip(&body);
        cut.feed(&coded[..coded.len() - 9]).unwrap();
        assert_eq!(cut.finish(), Err(CodingError::Broken));
        assert!(StreamDecoder::new(&[Coding::Zstandard], b"", bounds()).is_none());
    }

    #[test]
    fn names() {
        let of = |value: &str| codings([value.as_bytes()].into_iter());
        assert_eq!(of("gzip, BR"), Ok(vec![Coding::Gzip, Coding::Brotli]));
        assert_eq!(of("identity"), Ok(vec![]));
        assert_eq!(of("gzip, gzip, gzip"), Err(CodingError::Nested));
        assert_eq!(of("compress"), Err(CodingError::Unknown));
        let narrowed = |value: &str| readable([value.as_bytes()].into_iter());
        assert_eq!(narrowed("gzip;q=0.8, br, compress, *;q=0.1"), "gzip;q=0.8, br");
        assert_eq!(narrowed("dcb, *"), "identity");
        assert_eq!(narrowed(""), "identity");
    }
}
