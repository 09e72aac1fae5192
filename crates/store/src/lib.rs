//! Control state: what the server knows between two starts, in SQLite or PostgreSQL.
//!
//! One entity set ([SeaORM](https://docs.rs/sea-orm) stays inside this crate), one migration set, the same
//! behaviour on both databases. Most rows are a JSON document beside the few columns that are searched or sorted
//! by; moments are microseconds, digests are hexadecimal text.
//!
//! What is *not* here: calls (`probity-events` keeps those), proof (`probity-ledger`), secrets (`probity-vault`),
//! any judging, any clock. Only the server writes.
//!
//! Start with [`Store::open`]; each further file adds the methods of one noun.

mod act;
mod bundle;
mod caller;
mod connect;
mod delivery;
mod document;
mod entity;
mod error;
mod evidence;
mod finding;
mod migration;
mod operation;
mod outcome;
mod remainder;
mod segment;
mod slot;
mod store;
mod target;
mod write;

pub use act::Act;
pub use caller::{ConsumerRow, CredentialRow, RevocationRow};
pub use delivery::Delivery;
pub use document::{MAX_NAME_BYTES, MAX_SUBJECT_BYTES};
pub use error::StoreError;
pub use evidence::EvidenceRow;
pub use finding::FindingFilter;
pub use outcome::OutcomeFilter;
pub use remainder::RemainderRow;
pub use segment::SegmentRow;
pub use slot::SlotRow;
pub use store::Store;
pub use target::Target;
