//! Walks the parts of one segment's file and says what is whole, what is damaged, and what is a torn tail.
//!
//! A torn tail is an end at which nothing valid follows: what a crash leaves of a batch nobody was told of. Anything
//! unreadable with something valid after it, or that was altered under a matching checksum, is damage.

use std::io;
use std::ops::Range;

use crate::format::{
    self, BatchHead, Footer, HEADER_FIXED, Header, MAX_HEADER, PART_HEAD, PartHead, PartKind, SegmentCipher,
    TRAILER,
};
use crate::storage::StorageFile;

/// Bytes read ahead.
const WINDOW: usize = 256 * 1024;
/// Places tried as the next part after an unreadable one; past them the rest counts as damaged.
const MAX_RESYNC: usize = 64;

/// A file read through a window.
#[derive(Debug)]
pub(crate) struct FileView {
    file: Box<dyn StorageFile>,
    /// Nothing past this is looked at.
    pub(crate) len: u64,
    start: u64,
    window: Vec<u8>,
}

impl FileView {
    pub(crate) fn new(file: Box<dyn StorageFile>, len: u64) -> Self {
        Self { file, len, start: 0, window: Vec::new() }
    }
    /// `want` bytes from `offset`; fewer where the view ends. They may be changed in place.
    pub(crate) fn bytes(&mut self, offset: u64, want: usize) -> io::Result<&mut [u8]> {
        let range = self.range(offset, want)?;
        Ok(self.window.get_mut(range).unwrap_or_default())
    }
    /// Where those bytes stand in the window until the next call.
    fn range(&mut self, offset: u64, want: usize) -> io::Result<Range<usize>> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let want = want.min(left);
        let ends = self.start + self.window.len() as u64;
        if offset < self.start || offset + want as u64 > ends {
            let size = want.max(WINDOW).min(left);
            self.window.clear();
            self.window.resize(size, 0);
            let read = self.file.read_at(&mut self.window, offset)?;
            self.window.truncate(read);
            self.start = offset;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(from..(from + want).min(self.window.len()))
    }
    /// The header and its exact bytes.
    pub(crate) fn header(&mut self) -> io::Result<Result<(Header, Vec<u8>), format::FormatError>> {
        let bytes = self.bytes(0, HEADER_FIXED + MAX_HEADER)?;
        Ok(Header::decode(bytes)
            .map(|(header, length)| (header, bytes.get(..length).unwrap_or_default().to_vec())))
    }
    /// The footer of a closed segment, and where it begins; `None` when the file does not end in one that holds.
    pub(crate) fn footer(&mut self, cipher: &SegmentCipher) -> io::Result<Option<(Footer, u64)>> {
        let Some(trailer_at) = self.len.checked_sub(TRAILER as u64) else { return Ok(None) };
        let whole = match self.bytes(trailer_at, TRAILER)?.first_chunk::<TRAILER>() {
            Some(trailer) => format::decode_trailer(trailer).ok(),
            None => None,
        };
        let Some((whole, start)) =
            whole.and_then(|whole| Some((whole, trailer_at.checked_sub(whole as u64)?)))
        else {
            return Ok(None);
        };
        let Some((head, body)) = self.bytes(start, whole)?.split_at_mut_checked(PART_HEAD) else {
            return Ok(None);
        };
        let Ok(head) = PartHead::decode(head) else { return Ok(None) };
        let footer = match head.kind {
            PartKind::Footer if head.holds(body) => cipher.open_footer(&head, body).ok(),
            _ => None,
        };
        // The window now holds plaintext where the file has ciphertext.
        self.window.clear();
        Ok(footer.map(|footer| (footer, start)))
    }
    /// A whole part with a matching checksum at `offset`.
    pub(crate) fn part_at(&mut self, offset: u64) -> io::Result<Option<PartHead>> {
        let Ok(head) = PartHead::decode(self.bytes(offset, PART_HEAD)?) else { return Ok(None) };
        let whole = self.bytes(offset, PART_HEAD + head.length)?;
        Ok(whole.get(PART_HEAD..).is_some_and(|body| head.holds(body)).then_some(head))
    }
    /// The first place from `offset` on where a whole part stands; `Err(())` after too many tries.
    pub(crate) fn next_part(&mut self, offset: u64) -> io::Result<Result<Option<(u64, PartHead)>, ()>> {
        const MAGIC: usize = 4;
        let (mut at, mut tries) = (offset, 0);
        loop {
            let window = self.bytes(at, WINDOW)?;
            if window.len() < MAGIC {
                return Ok(Ok(None));
            }
            let found = window.windows(MAGIC).position(format::is_part_magic);
            let Some(found) = found else {
                at += (window.len() - MAGIC + 1) as u64;
                continue;
            };
            let candidate = at + found as u64;
            if let Some(head) = self.part_at(candidate)? {
                return Ok(Ok(Some((candidate, head))));
            }
            tries += 1;
            if tries >= MAX_RESYNC {
                return Ok(Err(()));
            }
            at = candidate + 1;
        }
    }
}

/// What stands next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Its records' bytes: [`Scan::records`].
    Batch(PartHead, BatchHead),
    /// Not wanted, and not decrypted.
    Skipped,
    Footer(Footer),
    Damage(DamagedPart),
    /// Nothing valid from here on.
    Torn {
        offset: u64,
    },
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DamagedPart {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// First sequence and number of records that its clear front claims, under a matching checksum.
    pub(crate) claims: Option<(u64, u32)>,
    pub(crate) what: String,
}

/// One segment, part by part.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) view: FileView,
    cipher: SegmentCipher,
    pub(crate) offset: u64,
    /// The next batch's index.
    pub(crate) index: u64,
    records: Range<usize>,
    /// A span before this place was reported, so that the indices it held are no further damage.
    damaged: bool,
}

impl Scan {
    pub(crate) fn new(view: FileView, cipher: SegmentCipher, header_length: u64) -> Self {
        Self { view, cipher, offset: header_length, index: 0, records: 0..0, damaged: false }
    }
    /// The records of the batch that [`Scan::step`] gave last.
    pub(crate) fn records(&self) -> &[u8] {
        self.view.window.get(self.records.clone()).unwrap_or_default()
    }

    /// The next part. `wanted` says which batches are worth decrypting.
    pub(crate) fn step(&mut self, wanted: impl Fn(&PartHead) -> bool) -> io::Result<Step> {
        let offset = self.offset;
        if offset >= self.view.len {
            return Ok(Step::End);
        }
        let Some(head) = self.view.part_at(offset)? else { return self.resync(offset) };
        let whole = (PART_HEAD + head.length) as u64;
        if head.kind == PartKind::Footer {
            return self.footer(&head, offset, whole);
        }
        if head.index != self.index && !self.damaged {
            self.damaged = true;
            let forward = head.index > self.index;
            let what = match forward {
                true => format!("batches {} to {} are not there", self.index, head.index - 1),
                false => format!("batch {} stands here again, expected {}", head.index, self.index),
            };
            let bytes = if forward { 0 } else { whole };
            self.offset += bytes;
            if forward {
                self.index = head.index;
            }
            return Ok(Step::Damage(DamagedPart { offset, bytes, claims: None, what }));
        }
        self.offset += whole;
        self.index = head.index.saturating_add(1);
        if !wanted(&head) {
            self.damaged = false;
            return Ok(Step::Skipped);
        }
        let range = self.view.range(offset, PART_HEAD + head.length)?;
        let body = range.start + PART_HEAD..range.end;
        let base = self.view.window.as_ptr() as usize;
        let opened = match self.view.window.get_mut(body) {
            Some(body) => self.cipher.open_batch(&head, body).map(|(batch, records)| {
                // Where the records stand in the window, to be lent out again.
                let from = records.as_ptr() as usize - base;
                (batch, from..from + records.len())
            }),
            None => Err(format::FormatError::Short("batch")),
        };
        match opened {
            Ok((batch, records)) => {
                self.damaged = false;
                self.records = records;
                Ok(Step::Batch(head, batch))
            }
            Err(error) => {
                self.damaged = true;
                let claims = Some((head.first_sequence, head.records));
                Ok(Step::Damage(DamagedPart { offset, bytes: whole, claims, what: error.to_string() }))
            }
        }
    }

    fn footer(&mut self, head: &PartHead, offset: u64, whole: u64) -> io::Result<Step> {
        let range = self.view.range(offset, PART_HEAD + head.length)?;
        let opened = match self.view.window.get_mut(range.start + PART_HEAD..range.end) {
            Some(body) => self.cipher.open_footer(head, body),
            None => Err(format::FormatError::Short("footer")),
        };
        self.view.window.clear();
        self.offset += whole;
        match opened {
            Ok(footer) => {
                let rest = self.view.len.saturating_sub(self.offset);
                let trailer = self.view.bytes(self.offset, TRAILER)?.first_chunk::<TRAILER>().copied();
                let found = trailer.and_then(|trailer| format::decode_trailer(&trailer).ok());
                if rest == TRAILER as u64 && found.is_some_and(|found| found as u64 == whole) {
                    self.offset = self.view.len;
                    return Ok(Step::Footer(footer));
                }
                // A close that was cut short: the footer goes with its trailer.
                if rest < TRAILER as u64 {
                    self.offset = self.view.len;
                    return Ok(Step::Torn { offset });
                }
                self.damaged = true;
                let what = "the footer is not at the file's end".into();
                Ok(Step::Damage(DamagedPart { offset, bytes: whole, claims: None, what }))
            }
            Err(error) => {
                self.damaged = true;
                let what = error.to_string();
                Ok(Step::Damage(DamagedPart { offset, bytes: whole, claims: None, what }))
            }
        }
    }

    fn resync(&mut self, offset: u64) -> io::Result<Step> {
        let damaged = |end: u64, what: &str| {
            Step::Damage(DamagedPart { offset, bytes: end - offset, claims: None, what: what.into() })
        };
        let len = self.view.len;
        Ok(match self.view.next_part(offset + 1)? {
            Ok(None) => {
                self.offset = len;
                Step::Torn { offset }
            }
            Ok(Some((next, _))) => {
                (self.offset, self.damaged) = (next, true);
                damaged(next, "no whole batch stands here")
            }
            Err(()) => {
                (self.offset, self.damaged) = (len, true);
                damaged(len, "no whole batch was found from here on")
            }
        })
    }
}

impl Scan {
    pub(crate) fn into_cipher(self) -> SegmentCipher {
        self.cipher
    }
}
