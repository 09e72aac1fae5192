//! What can go wrong with a vault. No variant carries key material or plaintext.

use std::io;
use std::path::PathBuf;

/// Why the vault refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// A file could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Neither `XDG_CONFIG_HOME` nor `HOME` names an absolute folder.
    #[error(
        "no place for the root key: set XDG_CONFIG_HOME or HOME to an absolute path, or name a root key file"
    )]
    NoConfigDirectory,
    /// The root key can be read or replaced by somebody else.
    #[error("root key `{}` has mode {mode:04o}: expected 0600 (run `chmod 600` on it)", path.display())]
    RootPermissions {
        /// The root key's file.
        path: PathBuf,
        /// The permission bits found.
        mode: u32,
    },
    /// The root key's file belongs to another user.
    #[error("root key `{}` belongs to user id {owner}: expected the user that runs this process, or root", path.display())]
    RootOwner {
        /// The root key's file.
        path: PathBuf,
        /// The user id found.
        owner: u32,
    },
    /// The folder of the root key lets every user replace the key.
    #[error("folder `{}` of the root key is writable by every user: expected mode 0700", path.display())]
    RootFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The root key's file does not hold a root key.
    #[error("`{}` is not a root key: expected {expected}", path.display())]
    RootFormat {
        /// The root key's file.
        path: PathBuf,
        /// What a root key looks like.
        expected: &'static str,
    },
    /// The root key lies inside the folder that it protects.
    #[error("root key `{}` lies under the data folder `{}`: expected it elsewhere, a copy of the folder must not carry its key", path.display(), data.display())]
    RootInside {
        /// The root key's file.
        path: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// The keyring was wrapped by another root key.
    #[error(
        "keyring was wrapped by root key {expected}, this is root key {found}: name the root key that belongs to this data folder"
    )]
    WrongRoot {
        /// Fingerprint of the root key that wrapped the keyring.
        expected: String,
        /// Fingerprint of the root key that was given.
        found: String,
    },
    /// The keyring belongs to another tenant.
    #[error("keyring belongs to tenant `{found}`: expected `{expected}`")]
    WrongTenant {
        /// The tenant asked for.
        expected: String,
        /// The tenant of the file.
        found: String,
    },
    /// The keyring's file is damaged.
    #[error("keyring `{}` cannot be read: {reason}; restore it from a copy", path.display())]
    Keyring {
        /// The keyring's file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// Sealed files exist but the keyring that opens them is gone.
    #[error("keyring `{}` is missing while sealed files stand beside it: restore it from a copy", path.display())]
    KeyringMissing {
        /// Where the keyring was expected.
        path: PathBuf,
    },
    /// A purpose, tenant or seed name outside the accepted alphabet.
    #[error("`{name}` is not a {what}: expected 1 to 64 of a-z, 0-9, `-`, `_`, `.`")]
    Name {
        /// The name given.
        name: String,
        /// What it should have named.
        what: &'static str,
    },
    /// The bytes are not a sealed blob of a version that this build knows.
    #[error("not a sealed blob: {0}")]
    Format(&'static str),
    /// The blob was sealed by a tenant key that the keyring does not hold.
    #[error("sealed by tenant key {0}, which this keyring does not hold")]
    UnknownKey(String),
    /// Authentication failed: changed bytes, another purpose, tenant or associated data.
    #[error("sealed blob does not open: it was changed, or belongs to another purpose, tenant or place")]
    Sealed,
    /// The random generator or a cipher refused.
    #[error("cryptographic module failed")]
    Crypto,
}

impl VaultError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl From<aws_lc_rs::error::Unspecified> for VaultError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Crypto
    }
}
