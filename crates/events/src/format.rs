//! What stands on disk: one file a segment, `segment-<number>.events`, written front to back.
//!
//! ```text
//! header   magic 8 · format u16 · exchange version u16 · body length u32 · crc32c u32 · body (postcard Header)
//! batch    "PBAT" · length u32 · index u64 · first sequence u64 · records u32 · crc32c u32 · ciphertext
//! ...
//! footer   "PFTR" · the same fields · nonce 12 · ciphertext (postcard Footer)
//! trailer  footer's whole length u32 · crc32c of it u32 · magic 8
//! ```
//! Integers are little endian. Each CRC-32C covers the fields before it in its part and the bytes that follow. Each
//! ciphertext is AES-256-GCM under the segment's own key; its associated data binds the SHA-256 of the whole header
//! (the segment's identity: gateway, number, first sequence, predecessor), the part's kind, index, first sequence
//! and number of records, so that no part can be moved, swapped, repeated or dropped from between two others
//! unseen. A batch's nonce is its index: a batch is encrypted once, and written again only byte for byte. A footer's
//! nonce is taken from the digest of its content, in a range that no batch uses.
//!
//! The plaintext of a batch is a postcard [`BatchHead`], then its records, each with its length before it. The first
//! record has the batch's first sequence, each next one the next.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, SHA256};
use serde::{Deserialize, Serialize};

use probity_model::{GatewayId, Timestamp};

use crate::gap::Gap;
use crate::keys::{MAX_SEALED_KEY, SegmentKey};

/// Version of everything here.
pub const FORMAT_VERSION: u16 = 1;
/// Largest header body: names, digests and a sealed key.
pub const MAX_HEADER: usize = 8 * 1024;
/// Largest plaintext of one batch. A larger commit is several batches under one sync.
pub const MAX_BATCH: usize = 4 * 1024 * 1024;
/// Largest ciphertext of one part: a batch that one record may overshoot, with its gaps.
pub const MAX_PART: usize = MAX_BATCH + 2 * 1024 * 1024;

pub const HEADER_FIXED: usize = 20;
pub const PART_HEAD: usize = 32;
pub const TRAILER: usize = 16;

const HEADER_MAGIC: &[u8; 8] = b"PRBEVSG\n";
const TRAILER_MAGIC: &[u8; 8] = b"PRBEVEND";
const BATCH_MAGIC: &[u8; 4] = b"PBAT";
const FOOTER_MAGIC: &[u8; 4] = b"PFTR";
const TAG: usize = 16;

/// What a segment says of itself, in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub gateway: GatewayId,
    /// From 1; a number may be skipped where a disk failed, an exchange's sequence never is.
    pub number: u64,
    /// Sequence of the first record that this segment may hold.
    pub first_sequence: u64,
    pub created_at: Timestamp,
    /// The closed segment before it; `None` for the first, and after one that could not be closed.
    pub previous: Option<Previous>,
    pub totals: Totals,
    /// The segment's data key, sealed by the vault.
    pub sealed_key: Vec<u8>,
}

/// Chains a segment to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    pub number: u64,
    /// SHA-256 of its file.
    pub digest: [u8; 32],
}

/// Sums over the gateway's whole life, carried on so that deleting old segments loses none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Calls accepted, as the counter stood.
    pub accepted: u64,
    /// Calls that never got a sequence number.
    pub lost: u64,
    /// Sequence numbers whose record was found unreadable.
    pub unreadable: u64,
}

/// In front of a batch's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHead {
    pub committed_at: Timestamp,
    pub totals: Totals,
    pub gaps: Vec<Gap>,
}

/// At the end of a closed segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    pub records: u64,
    pub batches: u64,
    pub first_sequence: u64,
    /// `first_sequence - 1` when the segment holds none.
    pub last_sequence: u64,
    pub closed_at: Timestamp,
    pub totals: Totals,
    pub gaps: Vec<Gap>,
    /// SHA-256 of the file up to the footer: header, every batch in its order.
    pub chain: [u8; 32],
}

/// Why bytes are not a part of a segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("the bytes end before the {0} does")]
    Short(&'static str),
    #[error("expected the magic of a {0}")]
    Magic(&'static str),
    #[error("segment format {0}, expected 1 to {FORMAT_VERSION}")]
    Version(u16),
    #[error("exchange version {0}, expected 1 to {exchange}", exchange = probity_model::exchange::EXCHANGE_VERSION)]
    ExchangeVersion(u16),
    #[error("the {0} is longer than it may be")]
    Long(&'static str),
    #[error("the checksum of the {0} does not match")]
    Checksum(&'static str),
    #[error("the {0} does not decrypt at its place")]
    Sealed(&'static str),
    #[error("the content of the {0} is malformed")]
    Content(&'static str),
}

impl Header {
    /// The header's bytes.
    ///
    /// # Errors
    /// [`FormatError::Long`] when names or the sealed key are longer than a header may be.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let body = postcard::to_stdvec(self).map_err(|_| FormatError::Content("header"))?;
        if body.len() > MAX_HEADER || self.sealed_key.len() > MAX_SEALED_KEY {
            return Err(FormatError::Long("header"));
        }
        let mut out = Vec::with_capacity(HEADER_FIXED + body.len());
        out.extend_from_slice(HEADER_MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&probity_model::exchange::EXCHANGE_VERSION.to_le_bytes());
        out.extend_from_slice(&length(body.len()).to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&out), &body);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&body);
        Ok(out)
    }
    /// The header at the front of `bytes`, and its length.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), FormatError> {
        const PART: &str = "header";
        let Some((fixed, rest)) = bytes.split_first_chunk::<HEADER_FIXED>() else {
            return Err(FormatError::Short(PART));
        };
        let [m0, m1, m2, m3, m4, m5, m6, m7, f0, f1, e0, e1, l0, l1, l2, l3, c0, c1, c2, c3] = *fixed;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != *HEADER_MAGIC {
            return Err(FormatError::Magic(PART));
        }
        let (format, exchange) = (u16::from_le_bytes([f0, f1]), u16::from_le_bytes([e0, e1]));
        if format == 0 || format > FORMAT_VERSION {
            return Err(FormatError::Version(format));
        }
        if exchange == 0 || exchange > probity_model::exchange::EXCHANGE_VERSION {
            return Err(FormatError::ExchangeVersion(exchange));
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > MAX_HEADER {
            return Err(FormatError::Long(PART));
        }
        let body = rest.get(..length).ok_or(FormatError::Short(PART))?;
        let checked = fixed.get(..16).ok_or(FormatError::Short(PART))?;
        if crc32c::crc32c_append(crc32c::crc32c(checked), body) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(FormatError::Checksum(PART));
        }
        let (header, rest) =
            postcard::take_from_bytes::<Self>(body).map_err(|_| FormatError::Content(PART))?;
        if !rest.is_empty() {
            return Err(FormatError::Content(PART));
        }
        Ok((header, HEADER_FIXED + length))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Batch,
    Footer,
}

/// The clear front of a batch or footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHead {
    pub kind: PartKind,
    /// Bytes that follow: ciphertext with its tag, and the nonce in front of a footer's.
    pub length: usize,
    /// From 0; the footer has the number of batches.
    pub index: u64,
    pub first_sequence: u64,
    pub records: u32,
    crc: u32,
}

impl PartHead {
    /// Reads the front of a part; its checksum is judged by [`PartHead::holds`].
    ///
    /// # Errors
    /// [`FormatError`] where no part begins.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        const PART: &str = "batch";
        let head = bytes.first_chunk::<PART_HEAD>().ok_or(FormatError::Short(PART))?;
        let [k0, k1, k2, k3, l0, l1, l2, l3, rest @ ..] = *head;
        let [i0, i1, i2, i3, i4, i5, i6, i7, rest @ ..] = rest;
        let [s0, s1, s2, s3, s4, s5, s6, s7, r0, r1, r2, r3, c0, c1, c2, c3] = rest;
        let kind = match &[k0, k1, k2, k3] {
            BATCH_MAGIC => PartKind::Batch,
            FOOTER_MAGIC => PartKind::Footer,
            _ => return Err(FormatError::Magic(PART)),
        };
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > MAX_PART {
            return Err(FormatError::Long(PART));
        }
        Ok(Self {
            kind,
            length,
            index: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            first_sequence: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            records: u32::from_le_bytes([r0, r1, r2, r3]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        })
    }
    /// Whether `body`, the bytes that follow, are those that were written.
    pub fn holds(&self, body: &[u8]) -> bool {
        body.len() == self.length && crc32c::crc32c_append(crc32c::crc32c(&self.checked()), body) == self.crc
    }
    fn checked(&self) -> [u8; PART_HEAD - 4] {
        let mut out = [0; PART_HEAD - 4];
        let magic = match self.kind {
            PartKind::Batch => BATCH_MAGIC,
            PartKind::Footer => FOOTER_MAGIC,
        };
        let fields = magic
            .iter()
            .copied()
            .chain(length(self.length).to_le_bytes())
            .chain(self.index.to_le_bytes())
            .chain(self.first_sequence.to_le_bytes())
            .chain(self.records.to_le_bytes());
        out.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        out
    }
    fn encode(&mut self, body: &[u8]) -> [u8; PART_HEAD] {
        let checked = self.checked();
        self.crc = crc32c::crc32c_append(crc32c::crc32c(&checked), body);
        let mut out = [0; PART_HEAD];
        let bytes = checked.into_iter().chain(self.crc.to_le_bytes());
        out.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
        out
    }
}

/// One part's place: what is bound into its ciphertext beside the segment's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlace {
    pub index: u64,
    pub first_sequence: u64,
    pub records: u32,
}

/// Encrypts and decrypts the parts of one segment.
pub struct SegmentCipher {
    key: LessSafeKey,
    /// SHA-256 of the header's bytes.
    identity: [u8; 32],
}

impl std::fmt::Debug for SegmentCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCipher").finish_non_exhaustive()
    }
}

impl SegmentCipher {
    /// For the segment whose header these bytes are.
    ///
    /// # Errors
    /// [`FormatError::Sealed`] when the key is refused.
    pub fn new(key: &SegmentKey, header: &[u8]) -> Result<Self, FormatError> {
        let key =
            UnboundKey::new(&AES_256_GCM, key.key.as_slice()).map_err(|_| FormatError::Sealed("header"))?;
        Ok(Self { key: LessSafeKey::new(key), identity: sha256(header) })
    }

    /// Appends one batch: `head`, then `records` as they are. The caller never uses an index twice.
    ///
    /// # Errors
    /// [`FormatError::Long`] past [`MAX_PART`]; `out` is then as it was.
    pub fn seal_batch(
        &self,
        place: PartPlace,
        head: &BatchHead,
        records: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        const PART: &str = "batch";
        let head = postcard::to_stdvec(head).map_err(|_| FormatError::Content(PART))?;
        if head.len() + records.len() + TAG > MAX_PART {
            return Err(FormatError::Long(PART));
        }
        let start = out.len();
        out.reserve(PART_HEAD + head.len() + records.len() + TAG);
        out.resize(start + PART_HEAD, 0);
        out.extend_from_slice(&head);
        out.extend_from_slice(records);
        self.seal_tail(PartKind::Batch, place, batch_nonce(place.index), start, start + PART_HEAD, out)
    }

    /// Appends the footer and the trailer that finds it.
    ///
    /// # Errors
    /// [`FormatError::Long`] past [`MAX_PART`]; `out` is then as it was.
    pub fn seal_footer(&self, footer: &Footer, out: &mut Vec<u8>) -> Result<(), FormatError> {
        const PART: &str = "footer";
        let body = postcard::to_stdvec(footer).map_err(|_| FormatError::Content(PART))?;
        if body.len() + NONCE_LEN + TAG > MAX_PART {
            return Err(FormatError::Long(PART));
        }
        let mut nonce = [0u8; NONCE_LEN];
        let mut bound = self.identity.to_vec();
        bound.extend_from_slice(&body);
        nonce.iter_mut().zip(sha256(&bound)).for_each(|(slot, byte)| *slot = byte);
        // Batches have zero there.
        if let Some(first) = nonce.first_mut() {
            *first |= 0x80;
        }
        let place = PartPlace { index: footer.batches, first_sequence: footer.first_sequence, records: 0 };
        let start = out.len();
        out.resize(start + PART_HEAD, 0);
        out.extend_from_slice(&nonce);
        let sealed_at = out.len();
        out.extend_from_slice(&body);
        self.seal_tail(PartKind::Footer, place, nonce, start, sealed_at, out)?;
        let whole = length(out.len() - start).to_le_bytes();
        out.extend_from_slice(&whole);
        out.extend_from_slice(&crc32c::crc32c(&whole).to_le_bytes());
        out.extend_from_slice(TRAILER_MAGIC);
        Ok(())
    }

    /// Encrypts `out` from `sealed_at` on and fills in the head at `start`.
    fn seal_tail(
        &self,
        kind: PartKind,
        place: PartPlace,
        nonce: [u8; NONCE_LEN],
        start: usize,
        sealed_at: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let sealed = match out.get_mut(sealed_at..) {
            Some(plain) => self.key.seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.bound(kind, place)),
                plain,
            ),
            None => Err(aws_lc_rs::error::Unspecified),
        };
        let Ok(tag) = sealed else {
            out.truncate(start);
            return Err(FormatError::Sealed("batch"));
        };
        out.extend_from_slice(tag.as_ref());
        let PartPlace { index, first_sequence, records } = place;
        if let Some((front, body)) =
            out.get_mut(start..).and_then(|part| part.split_at_mut_checked(PART_HEAD))
        {
            let mut head = PartHead { kind, length: body.len(), index, first_sequence, records, crc: 0 };
            front.copy_from_slice(&head.encode(body));
        }
        Ok(())
    }

    /// Decrypts a batch in place: its head, and its records' bytes.
    ///
    /// # Errors
    /// [`FormatError::Sealed`] when it is not what was written at this place of this segment.
    pub fn open_batch<'a>(
        &self,
        head: &PartHead,
        body: &'a mut [u8],
    ) -> Result<(BatchHead, &'a [u8]), FormatError> {
        const PART: &str = "batch";
        let plain = self.open(head, batch_nonce(head.index), body, PART)?;
        postcard::take_from_bytes::<BatchHead>(plain).map_err(|_| FormatError::Content(PART))
    }

    /// Decrypts a footer in place.
    ///
    /// # Errors
    /// [`FormatError::Sealed`] when it is not what was written at this place of this segment.
    pub fn open_footer(&self, head: &PartHead, body: &mut [u8]) -> Result<Footer, FormatError> {
        const PART: &str = "footer";
        let (nonce, sealed) = body.split_first_chunk_mut::<NONCE_LEN>().ok_or(FormatError::Short(PART))?;
        let nonce = *nonce;
        let plain = self.open(head, nonce, sealed, PART)?;
        let (footer, rest) =
            postcard::take_from_bytes::<Footer>(plain).map_err(|_| FormatError::Content(PART))?;
        if !rest.is_empty() {
            return Err(FormatError::Content(PART));
        }
        Ok(footer)
    }

    fn open<'a>(
        &self,
        head: &PartHead,
        nonce: [u8; NONCE_LEN],
        body: &'a mut [u8],
        part: &'static str,
    ) -> Result<&'a [u8], FormatError> {
        let place =
            PartPlace { index: head.index, first_sequence: head.first_sequence, records: head.records };
        self.key
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(self.bound(head.kind, place)), body)
            .map(|plain| &*plain)
            .map_err(|_| FormatError::Sealed(part))
    }

    fn bound(&self, kind: PartKind, place: PartPlace) -> [u8; 53] {
        let mut out = [0; 53];
        let kind = match kind {
            PartKind::Batch => 1u8,
            PartKind::Footer => 2,
        };
        let fields = self
            .identity
            .into_iter()
            .chain([kind])
            .chain(place.index.to_le_bytes())
            .chain(place.first_sequence.to_le_bytes())
            .chain(place.records.to_le_bytes());
        out.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        out
    }
}

fn batch_nonce(index: u64) -> [u8; NONCE_LEN] {
    let [a, b, c, d, e, f, g, h] = index.to_be_bytes();
    [0, 0, 0, 0, a, b, c, d, e, f, g, h]
}

/// The whole length of the footer that ends just before this trailer.
///
/// # Errors
/// [`FormatError`] for anything but a trailer.
pub fn decode_trailer(trailer: &[u8; TRAILER]) -> Result<usize, FormatError> {
    let [l0, l1, l2, l3, c0, c1, c2, c3, magic @ ..] = *trailer;
    if magic != *TRAILER_MAGIC {
        return Err(FormatError::Magic("trailer"));
    }
    let length = [l0, l1, l2, l3];
    if crc32c::crc32c(&length) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FormatError::Checksum("trailer"));
    }
    let length = u32::from_le_bytes(length) as usize;
    if !(PART_HEAD..=PART_HEAD + MAX_PART).contains(&length) {
        return Err(FormatError::Long("footer"));
    }
    Ok(length)
}

/// The name of a segment's file.
pub fn file_name(number: u64) -> String {
    format!("segment-{number:016}.events")
}

/// The number in a segment's file name; `None` for any other file.
pub fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".events")?;
    (digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&SHA256, bytes);
    let mut out = [0; 32];
    out.iter_mut().zip(digest.as_ref()).for_each(|(slot, byte)| *slot = *byte);
    out
}

fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Whether a batch or a footer may begin with these four bytes.
pub fn is_part_magic(bytes: &[u8]) -> bool {
    bytes == BATCH_MAGIC || bytes == FOOTER_MAGIC
}
