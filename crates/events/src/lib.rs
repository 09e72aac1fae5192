//! Every exchange, kept: encrypted write-ahead segments with group commit, recovery and a reader.
//!
//! A call is counted when its head is read ([`Recorder::accepted`], a memory-mapped counter that survives the
//! process) and recorded when its batch is synced ([`Recorder::append`], [`Ticket`]). What was accepted and never
//! recorded is written as a [`Gap`]: nothing acknowledged is lost, and nothing lost is silent.
//!
//! Not here: the meaning of an exchange (`probity-model`), the keys behind the segments (`probity-vault`, through
//! [`SegmentKeys`]), signing what was closed, lost or deleted (the server, through the callbacks of [`Events`]).
//! Nothing here knows of an async runtime; one thread writes, and callers never wait for the disk unless they ask.
//!
//! Start with [`events`] (the public face), then [`format`] (what stands on disk), [`writer`] (group commit and
//! failing disks), [`recovery`] (what a start finds) and [`reader`].

pub mod clock;
mod codec;
pub mod counter;
pub mod events;
pub mod format;
pub mod gap;
pub mod keys;
pub mod queue;
pub mod reader;
pub mod recovery;
mod retention;
mod scan;
mod segment;
pub mod storage;
mod writer;

pub use clock::{Clock, SystemClock};
pub use codec::{DecodeError, decode_record, encode_record};
pub use counter::CounterState;
pub use events::{ClosedSegment, Counts, Events, EventsError, Options, Status, SyncedCallback};
pub use gap::{Gap, GapReason, SequenceRange};
pub use keys::{EphemeralKeys, KeyError, SegmentKey, SegmentKeys};
pub use queue::{RecordError, Recorder, Synced, Ticket};
pub use reader::{ReadError, Reader, Record};
pub use recovery::{Damage, Recovery, Truncated};
pub use retention::{DeletedSegment, Expiry};
pub use storage::{DiskStorage, Storage, StorageFile};
