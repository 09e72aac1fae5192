//! The root key: where it comes from and what makes it unacceptable.
//!
//! Its file holds one line, `probity-root-key-v1:` and 32 bytes in base64, mode 0600, owned by the user that
//! runs the process. A systemd credential may hold the same line or the bare 32 bytes. Whoever has this key
//! and the data folder has everything, so it is never created under the data folder.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::blob::{derive, hex};
use crate::{SecretBytes, VaultError, durable};

/// Name of the systemd credential that may hold the root key.
pub const CREDENTIAL_NAME: &str = "probity-root-key";

const PREFIX: &str = "probity-root-key-v1:";
const LEN: usize = 32;

/// Where a root key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootOrigin {
    /// A file of the user.
    File(PathBuf),
    /// A systemd credential, which the service manager keeps in memory.
    Credential(PathBuf),
    /// Made for this process alone; what it seals cannot be opened after the process ends.
    Memory,
}

/// The key that wraps tenant keys.
pub struct RootKey {
    key: SecretBytes<LEN>,
    origin: RootOrigin,
}

impl RootKey {
    /// The root key of this installation: the systemd credential if there is one, else the file at
    /// [`RootKey::default_path`], which is created when missing.
    ///
    /// # Errors
    /// As [`RootKey::load_credential`] and [`RootKey::load_or_create`].
    pub fn locate() -> Result<Self, VaultError> {
        match std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(CREDENTIAL_NAME)) {
            Some(path) if path.exists() => Self::load_credential(&path),
            _ => Self::load_or_create(&Self::default_path()?),
        }
    }

    /// `$XDG_CONFIG_HOME/probity/root.key`, else `~/.config/probity/root.key`.
    ///
    /// # Errors
    /// [`VaultError::NoConfigDirectory`] if neither variable names an absolute folder.
    pub fn default_path() -> Result<PathBuf, VaultError> {
        Self::path_from(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"))
    }

    fn path_from(config: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, VaultError> {
        let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
        config
            .and_then(absolute)
            .or_else(|| home.and_then(absolute).map(|home| home.join(".config")))
            .map(|folder| folder.join("probity").join("root.key"))
            .ok_or(VaultError::NoConfigDirectory)
    }

    /// Reads the root key at `path`, or creates it with its folder. Of two processes that create it at once,
    /// one wins and both return that key.
    ///
    /// # Errors
    /// As [`RootKey::load`], and [`VaultError::Io`] if it cannot be created.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, VaultError> {
        let path = path.as_ref();
        if !path.exists() {
            if let Some(folder) = path.parent() {
                durable::create_folder(folder)?;
            }
            let key = SecretBytes::<LEN>::random()?;
            let encoded = Zeroizing::new(STANDARD.encode(key.expose()));
            let line = Zeroizing::new([PREFIX, encoded.as_str(), "\n"].concat());
            durable::create(path, line.as_bytes())?;
        }
        Self::load(path)
    }

    /// Reads the root key at `path`.
    ///
    /// # Errors
    /// If the file is missing, readable or replaceable by others, owned by another user, or not a root key.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, VaultError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(VaultError::io("open", path))?;
        let meta = file.metadata().map_err(VaultError::io("read", path))?;
        let mode = meta.permissions().mode() & 0o7777;
        if mode & 0o177 != 0 || !meta.is_file() {
            return Err(VaultError::RootPermissions { path: path.into(), mode });
        }
        let user = rustix::process::geteuid().as_raw();
        if meta.uid() != user && meta.uid() != 0 {
            return Err(VaultError::RootOwner { path: path.into(), owner: meta.uid() });
        }
        refuse_open_folder(path)?;
        let key = decode(file, path, false)?;
        Ok(Self { key, origin: RootOrigin::File(path.into()) })
    }

    /// Reads a systemd credential. The service manager sets its owner and mode; it may be readable by the
    /// service's group, never by everybody.
    ///
    /// # Errors
    /// If it is missing, readable by every user, or not a root key.
    pub fn load_credential(path: impl AsRef<Path>) -> Result<Self, VaultError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(VaultError::io("open", path))?;
        let mode = file.metadata().map_err(VaultError::io("read", path))?.permissions().mode() & 0o7777;
        if mode & 0o007 != 0 {
            return Err(VaultError::RootPermissions { path: path.into(), mode });
        }
        let key = decode(file, path, true)?;
        Ok(Self { key, origin: RootOrigin::Credential(path.into()) })
    }

    /// A root key for this process alone, for the demo and for tests.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] when the random generator fails.
    pub fn ephemeral() -> Result<Self, VaultError> {
        Ok(Self { key: SecretBytes::random()?, origin: RootOrigin::Memory })
    }

    /// Where this key came from.
    #[must_use]
    pub fn origin(&self) -> &RootOrigin {
        &self.origin
    }

    /// A name for this key that tells nothing about it: 16 hexadecimal digits.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] if the derivation fails.
    pub fn fingerprint(&self) -> Result<String, VaultError> {
        let id: SecretBytes<16> = derive(&self.key, b"probity root key id v1", &[])?;
        Ok(hex(id.expose()).chars().take(16).collect())
    }

    /// Refuses a root key whose file lies under `data`.
    ///
    /// # Errors
    /// [`VaultError::RootInside`].
    pub fn refuse_under(&self, data: impl AsRef<Path>) -> Result<(), VaultError> {
        let (RootOrigin::File(path) | RootOrigin::Credential(path)) = &self.origin else { return Ok(()) };
        let resolve = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if resolve(path).starts_with(resolve(data.as_ref())) {
            return Err(VaultError::RootInside { path: path.clone(), data: data.as_ref().into() });
        }
        Ok(())
    }

    pub(crate) fn wrapping_key(&self, tenant: &str) -> Result<SecretBytes<32>, VaultError> {
        derive(&self.key, b"probity tenant wrap v1", &[tenant.as_bytes()])
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A folder that every user may write lets anyone swap the key; the sticky bit (as on /tmp) prevents that.
fn refuse_open_folder(path: &Path) -> Result<(), VaultError> {
    let real = path.canonicalize().map_err(VaultError::io("resolve", path))?;
    let Some(folder) = real.parent() else { return Ok(()) };
    let mode = folder.metadata().map_err(VaultError::io("read", folder))?.permissions().mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Err(VaultError::RootFolder { path: folder.into() });
    }
    Ok(())
}

fn decode(file: File, path: &Path, bare: bool) -> Result<SecretBytes<LEN>, VaultError> {
    let bytes = durable::read_bounded(file, path)?;
    let bytes = bytes.expose();
    if bare && let Some(key) = SecretBytes::from_slice(bytes) {
        return Ok(key);
    }
    let refused = || VaultError::RootFormat {
        path: path.into(),
        expected: "one line, `probity-root-key-v1:` and 32 bytes in base64",
    };
    let line = std::str::from_utf8(bytes).map_err(|_| refused())?;
    let encoded = line.strip_suffix('\n').unwrap_or(line).strip_prefix(PREFIX).ok_or_else(refused)?;
    let decoded = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| refused())?);
    SecretBytes::from_slice(&decoded).ok_or_else(refused)
}

#[cfg(test)]
mod tests;
