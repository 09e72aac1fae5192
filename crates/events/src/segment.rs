//! One segment while it is written, and the list of all that are kept.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use probity_model::Timestamp;

use crate::events::{ClosedSegment, Status};
use crate::format::{self, BatchHead, Footer, FormatError, Header, PartPlace, SegmentCipher, Totals};
use crate::gap::Gap;
use crate::keys::{KeyError, SegmentKeys};
use crate::storage::{Storage, StorageFile};

/// Why nothing could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("cannot {0} the segment: {1}")]
    Io(&'static str, #[source] io::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl WriteError {
    /// The disk is full: the same bytes may fit later, so the segment is kept.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io(_, error)
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// The segment that is being written.
pub(crate) struct ActiveSegment {
    pub(crate) number: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) first_sequence: u64,
    pub(crate) path: PathBuf,
    file: Box<dyn StorageFile>,
    cipher: SegmentCipher,
    digest: Context,
    /// Bytes written and digested; further ones may stand in the file after a failed write.
    pub(crate) written: u64,
    /// Bytes known to be on disk; 0 until the header is.
    pub(crate) synced: u64,
    /// Batches encrypted: none is ever encrypted anew under this key.
    batches: u64,
    records: u64,
    gaps: Vec<Gap>,
}

impl ActiveSegment {
    /// Creates the file and writes its header; the first [`ActiveSegment::sync`] makes both last.
    pub(crate) fn create(
        storage: &dyn Storage,
        dir: &Path,
        mut header: Header,
        keys: &dyn SegmentKeys,
    ) -> Result<Self, WriteError> {
        let key = keys.fresh()?;
        header.sealed_key.clone_from(&key.sealed);
        let bytes = header.encode()?;
        let cipher = SegmentCipher::new(&key, &bytes)?;
        let path = dir.join(format::file_name(header.number));
        let mut file = storage.create(&path).map_err(|error| WriteError::Io("create", error))?;
        if let Err(error) = file.write_all_at(&bytes, 0) {
            drop(file);
            // Without a whole header it is nothing; a start that finds it removes it.
            let _ = storage.remove(&path);
            return Err(WriteError::Io("begin", error));
        }
        let mut digest = Context::new(&SHA256);
        digest.update(&bytes);
        Ok(Self {
            number: header.number,
            created_at: header.created_at,
            first_sequence: header.first_sequence,
            path,
            file,
            cipher,
            digest,
            written: bytes.len() as u64,
            synced: 0,
            batches: 0,
            records: 0,
            gaps: Vec::new(),
        })
    }

    /// Encrypts one batch into `out`.
    pub(crate) fn seal(
        &mut self,
        first_sequence: u64,
        count: u32,
        head: &BatchHead,
        records: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let place = PartPlace { index: self.batches, first_sequence, records: count };
        self.cipher.seal_batch(place, head, records, out)?;
        self.batches += 1;
        self.records += u64::from(count);
        for gap in &head.gaps {
            gap.push(&mut self.gaps);
        }
        Ok(())
    }

    /// Writes sealed bytes after those written. After an error the same bytes may be written again.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.write_all_at(bytes, self.written).map_err(|error| WriteError::Io("write", error))?;
        self.written += bytes.len() as u64;
        self.digest.update(bytes);
        Ok(())
    }

    /// After an error nothing is known of what was written since the last success, and the segment is abandoned.
    pub(crate) fn sync(&mut self, storage: &dyn Storage, dir: &Path) -> Result<(), WriteError> {
        self.file.sync_data().map_err(|error| WriteError::Io("sync", error))?;
        if self.synced == 0 {
            storage.sync_dir(dir).map_err(|error| WriteError::Io("sync the folder of", error))?;
        }
        self.synced = self.written;
        Ok(())
    }

    /// Writes footer and trailer.
    pub(crate) fn close(
        &mut self,
        next_sequence: u64,
        closed_at: Timestamp,
        totals: Totals,
    ) -> Result<ClosedSegment, WriteError> {
        let footer = Footer {
            records: self.records,
            batches: self.batches,
            first_sequence: self.first_sequence,
            last_sequence: next_sequence.saturating_sub(1),
            closed_at,
            totals,
            gaps: self.gaps.clone(),
            chain: finish(self.digest.clone()),
        };
        let mut out = Vec::new();
        self.cipher.seal_footer(&footer, &mut out)?;
        self.write(&out)?;
        self.file.sync_data().map_err(|error| WriteError::Io("sync", error))?;
        self.synced = self.written;
        Ok(closed_segment(self.number, footer, finish(self.digest.clone()), self.written))
    }

    /// Cuts what is not known to be on disk, as far as the disk lets us; a segment that holds nothing is removed.
    pub(crate) fn abandon(mut self, storage: &dyn Storage) -> Option<SegmentEntry> {
        if self.synced == 0 {
            drop(self.file);
            let _ = storage.remove(&self.path);
            return None;
        }
        let _ = self.file.set_len(self.synced);
        let _ = self.file.sync_data();
        let state = SegmentState::Unclosed { bytes: self.synced, gaps: self.gaps };
        Some(SegmentEntry { number: self.number, first_sequence: self.first_sequence, state })
    }

    pub(crate) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

pub(crate) fn closed_segment(number: u64, footer: Footer, digest: [u8; 32], bytes: u64) -> ClosedSegment {
    ClosedSegment {
        file: format::file_name(number),
        first_sequence: footer.first_sequence,
        last_sequence: footer.last_sequence,
        records: footer.records,
        gaps: footer.gaps,
        digest,
        bytes,
        closed_at: footer.closed_at,
    }
}

pub(crate) fn finish(context: Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(slot, byte)| *slot = *byte);
    out
}

/// The digest of the first `len` bytes of a file, ready to go on.
pub(crate) fn digest_of(file: &dyn StorageFile, len: u64) -> io::Result<Context> {
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0u8; 256 * 1024];
    let mut offset = 0;
    while offset < len {
        let want = usize::try_from(len - offset).unwrap_or(usize::MAX).min(buffer.len());
        let Some(chunk) = buffer.get_mut(..want) else { break };
        let read = file.read_at(chunk, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        digest.update(chunk.get(..read).unwrap_or_default());
        offset += read as u64;
    }
    Ok(digest)
}

/// One file of the folder.
#[derive(Clone, Debug)]
pub(crate) struct SegmentEntry {
    pub(crate) number: u64,
    pub(crate) first_sequence: u64,
    pub(crate) state: SegmentState,
}

#[derive(Clone, Debug)]
pub(crate) enum SegmentState {
    Closed(ClosedSegment),
    /// Damaged, or left behind by a failing disk.
    Unclosed {
        bytes: u64,
        gaps: Vec<Gap>,
    },
    /// Being written; readers see it up to `synced`.
    Active {
        synced: u64,
        gaps: Vec<Gap>,
    },
}

/// All segments, oldest first. Held under a lock for moments only, never while a file is touched.
#[derive(Debug, Default)]
pub(crate) struct SegmentList {
    pub(crate) entries: Vec<SegmentEntry>,
    pub(crate) status: Status,
}

impl SegmentList {
    pub(crate) fn closed(&self) -> impl Iterator<Item = &ClosedSegment> {
        self.entries.iter().filter_map(|entry| match &entry.state {
            SegmentState::Closed(segment) => Some(segment),
            _ => None,
        })
    }
    /// What retention may look at, oldest first: closed segments, and unclosed ones that others follow, as if they
    /// had been closed when the next one was. Their digest is zero until they are deleted.
    pub(crate) fn settled(&self) -> Vec<ClosedSegment> {
        let mut out = Vec::new();
        for (position, entry) in self.entries.iter().enumerate() {
            let later = || self.entries.get(position + 1..).unwrap_or_default().iter();
            match &entry.state {
                SegmentState::Closed(segment) => out.push(segment.clone()),
                SegmentState::Active { .. } => break,
                SegmentState::Unclosed { bytes, gaps } => {
                    let next = later().next().map(|entry| entry.first_sequence);
                    let closed_at = later().find_map(|entry| match &entry.state {
                        SegmentState::Closed(segment) => Some(segment.closed_at),
                        _ => None,
                    });
                    let (Some(next), Some(closed_at)) = (next, closed_at) else { break };
                    out.push(ClosedSegment {
                        file: format::file_name(entry.number),
                        first_sequence: entry.first_sequence,
                        last_sequence: next.saturating_sub(1),
                        records: 0,
                        gaps: gaps.clone(),
                        digest: [0; 32],
                        bytes: *bytes,
                        closed_at,
                    });
                }
            }
        }
        out
    }
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.entries
            .iter()
            .flat_map(|entry| match &entry.state {
                SegmentState::Closed(segment) => &segment.gaps,
                SegmentState::Unclosed { gaps, .. } | SegmentState::Active { gaps, .. } => gaps,
            })
            .copied()
            .collect()
    }
    pub(crate) fn bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| match &entry.state {
                SegmentState::Closed(segment) => segment.bytes,
                SegmentState::Unclosed { bytes, .. } => *bytes,
                SegmentState::Active { synced, .. } => *synced,
            })
            .sum()
    }
    pub(crate) fn is_newest(&self, file: &str) -> bool {
        self.entries.last().is_some_and(|entry| format::file_name(entry.number) == file)
    }
    pub(crate) fn newest_is_closed(&self) -> bool {
        self.entries.last().is_some_and(|entry| matches!(entry.state, SegmentState::Closed(_)))
    }
    pub(crate) fn forget(&mut self, file: &str) {
        self.entries.retain(|entry| format::file_name(entry.number) != file);
    }
    /// Replaces the entry of this number, or appends it.
    pub(crate) fn put(&mut self, entry: SegmentEntry) {
        match self.entries.iter_mut().rev().find(|known| known.number == entry.number) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }
    pub(crate) fn drop_number(&mut self, number: u64) {
        self.entries.retain(|entry| entry.number != number);
    }
}
