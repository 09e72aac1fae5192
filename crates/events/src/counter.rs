//! The counter of accepted calls: one page of a file, mapped into memory, so that counting costs one atomic
//! addition and a killed process loses nothing. The machine may lose its last seconds: batches carry the counter's
//! value too, and [`CounterState`] says what a start found.
//!
//! Layout (little endian): magic, version u16, zero u16, CRC-32C u32 over magic, version, boot and clean; boot id
//! 16 bytes at 16; clean u32 at 32; the counter u64 at 64.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

pub const COUNTER_FILE: &str = "accepted.counter";

const MAGIC: &[u8; 8] = b"PRBACCPT";
const VERSION: u16 = 1;
const PAGE: usize = 4096;
const VALUE_AT: usize = 64;
/// A counter that runs ahead of the last batch by more than this is taken as damaged.
const MAX_AHEAD: u64 = 1 << 40;

/// What a start found of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterState {
    /// Neither counter nor segments: the first start.
    Fresh,
    /// It was closed in order.
    Clean,
    /// The process ended without closing it; its value is exact.
    ProcessStopped,
    /// The machine was restarted since; its value may be behind.
    MachineStopped,
    /// Segments without a counter.
    Missing,
    /// Cut, or of another content than was ever written, or far from what the segments say.
    Torn,
}

#[cfg(not(target_endian = "little"))]
compile_error!("the counter is mapped in the machine's byte order, which the format says is little endian");

#[derive(Debug)]
pub(crate) struct Counter {
    map: MmapRaw,
    /// Holds the lock that makes this the folder's one writer.
    file: File,
    boot: [u8; 16],
}

/// The folder is ours; nothing was read yet.
#[derive(Debug)]
pub(crate) struct LockedCounter {
    file: File,
}

/// The value as found, before it is trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) state: CounterState,
    pub(crate) value: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CounterError {
    #[error("in use by another process")]
    Locked,
    #[error("cannot be used")]
    Io(#[from] io::Error),
}

impl LockedCounter {
    /// Creates the counter's file where there is none, and locks it.
    pub(crate) fn lock(dir: &Path) -> Result<Self, CounterError> {
        let path = dir.join(COUNTER_FILE);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(CounterError::Locked),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Reads and maps it. `known` is what segments say was accepted at least, `None` when there are none.
    pub(crate) fn open(self, dir: &Path, boot: [u8; 16], known: Option<u64>) -> io::Result<(Counter, Found)> {
        let Self { file } = self;
        let mut page = [0u8; PAGE];
        let found = match file.metadata()?.len() {
            0 if known.is_none() => Found { state: CounterState::Fresh, value: 0 },
            0 => Found { state: CounterState::Missing, value: known.unwrap_or(0) },
            len if len == PAGE as u64 => {
                file.read_exact_at(&mut page, 0)?;
                judge(&page, boot, known.unwrap_or(0))
            }
            _ => Found { state: CounterState::Torn, value: known.unwrap_or(0) },
        };
        // Written whole, not left sparse: a full disk must not turn a count into a fault.
        file.set_len(PAGE as u64)?;
        file.write_all_at(&page_of(boot, false, found.value), 0)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        let map = MmapRaw::map_raw(&file)?;
        if map.len() < PAGE {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok((Counter { map, file, boot }, found))
    }
}

impl Counter {
    pub(crate) fn increment(&self) {
        self.cell().fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn value(&self) -> u64 {
        self.cell().load(Ordering::Relaxed)
    }
    /// Never lowers it: where segments know of more calls than were counted.
    pub(crate) fn raise(&self, value: u64) {
        self.cell().fetch_max(value, Ordering::Relaxed);
    }
    /// Marks an orderly end.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.map.flush()?;
        let page = page_of(self.boot, true, 0);
        let (head, _) = page.split_at(VALUE_AT);
        self.file.write_all_at(head, 0)?;
        self.file.sync_all()
    }

    fn cell(&self) -> &AtomicU64 {
        // SAFETY: the map is at least one page, aligned to a page (checked when it was made); byte 64 is inside it
        // and aligned to 8. It lives as long as `self`, and only atomics touch these 8 bytes while it does. A
        // foreign process that cuts the file would end this one by SIGBUS; the next start finds a torn counter.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(VALUE_AT).cast::<u64>()) }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // Closing is not enough: a child between fork and exec may still hold the same open file.
        let _ = self.file.unlock();
    }
}

fn page_of(boot: [u8; 16], clean: bool, value: u64) -> [u8; PAGE] {
    let mut bytes = Vec::with_capacity(PAGE);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&head_crc(boot, clean).to_le_bytes());
    bytes.extend_from_slice(&boot);
    bytes.extend_from_slice(&u32::from(clean).to_le_bytes());
    bytes.resize(VALUE_AT, 0);
    bytes.extend_from_slice(&value.to_le_bytes());
    let mut page = [0; PAGE];
    page.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    page
}

fn head_crc(boot: [u8; 16], clean: bool) -> u32 {
    let crc = crc32c::crc32c(MAGIC);
    let crc = crc32c::crc32c_append(crc, &VERSION.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &boot);
    crc32c::crc32c_append(crc, &[u8::from(clean)])
}

fn judge(page: &[u8; PAGE], boot: [u8; 16], known: u64) -> Found {
    let torn = Found { state: CounterState::Torn, value: known };
    let (Some(then), Some(clean), Some(value)) = (
        page.get(16..).and_then(|rest| rest.first_chunk::<16>()),
        page.get(32..).and_then(|rest| rest.first_chunk::<4>()),
        page.get(VALUE_AT..).and_then(|rest| rest.first_chunk::<8>()),
    ) else {
        return torn;
    };
    let clean = u32::from_le_bytes(*clean) == 1;
    let value = u64::from_le_bytes(*value);
    let head = page_of(*then, clean, value);
    if head != *page || value.saturating_sub(known) > MAX_AHEAD {
        return torn;
    }
    let state = match (clean, *then == boot) {
        (true, _) => CounterState::Clean,
        (false, true) => CounterState::ProcessStopped,
        (false, false) => CounterState::MachineStopped,
    };
    // A count behind the segments in a process that only stopped was not written by us.
    if value < known && !matches!(state, CounterState::MachineStopped) {
        return torn;
    }
    Found { state, value: value.max(known) }
}
