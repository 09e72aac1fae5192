//! The only code that sees a secret in clear: root key, tenant key, data keys, sealed values.
//!
//! A root key outside the data folder ([`RootKey`]) wraps one tenant key (`keyring.json`), and the tenant key
//! seals data keys, values and signing seeds. Every sealed blob has a versioned header and binds purpose,
//! tenant, key ids and the caller's associated data, so that a blob moved to another place does not open.
//!
//! This crate is not a credential store and has no clock, no database and no network: the caller keeps what
//! [`Vault::seal`] returns. The blob's layout is in [`blob`](mod@crate::blob), the root key's file in `root`,
//! the order of writes that survives a crash in `durable`.

pub mod blob;
mod durable;
mod error;
mod keyring;
mod root;
mod secret;
mod vault;

pub use error::VaultError;
pub use root::{CREDENTIAL_NAME, RootKey, RootOrigin};
pub use secret::{SecretBytes, SecretVec};
pub use vault::{DataKey, Vault};
