//! The vault of one tenant: hands out data keys, seals values, keeps signing seeds.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::blob::{self, Binding, Kind, hex};
use crate::keyring::Keyring;
use crate::{RootKey, RootOrigin, SecretBytes, SecretVec, VaultError, durable};

const KEYRING: &str = "keyring.json";
const SEED_PREFIX: &str = "seed-";
const SEED_SUFFIX: &str = ".sealed";
/// Longest tenant, purpose or seed name, in bytes.
const MAX_NAME: usize = 64;

/// A key for one purpose: in clear for use now, sealed to be kept beside what it encrypts.
#[derive(Debug)]
pub struct DataKey {
    /// Random, 32 hexadecimal digits.
    pub id: String,
    /// The key in clear.
    pub key: SecretBytes<32>,
    /// The blob that [`Vault::open_data_key`] takes.
    pub sealed: Vec<u8>,
}

/// An open vault.
#[derive(Debug)]
pub struct Vault {
    dir: PathBuf,
    tenant: String,
    keyring: Keyring,
    origin: RootOrigin,
}

impl Vault {
    /// Opens the vault in `dir` (the folder `vault` of the data folder), creating it when it is not there.
    ///
    /// # Errors
    /// If the root key is another one or lies under `dir`, the keyring is damaged, missing beside sealed
    /// files, or of another tenant, or the folder cannot be written.
    pub fn open(dir: impl AsRef<Path>, root: RootKey, tenant: &str) -> Result<Self, VaultError> {
        let dir = dir.as_ref();
        let tenant = checked(tenant, "tenant")?.to_owned();
        durable::create_folder(dir)?;
        root.refuse_under(dir)?;
        durable::sweep(dir);
        let path = dir.join(KEYRING);
        // In this order: a sealed file is only ever made after its keyring.
        if has_sealed_files(dir)? && !path.exists() {
            return Err(VaultError::KeyringMissing { path });
        }
        let keyring = Keyring::open_or_create(&path, &root, &tenant)?;
        Ok(Self { dir: dir.into(), tenant, keyring, origin: root.origin().clone() })
    }

    /// The tenant whose keys these are.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Where the root key came from.
    #[must_use]
    pub fn root_origin(&self) -> &RootOrigin {
        &self.origin
    }

    /// Makes a fresh data key for `purpose` (`segment`, `salt`, `ledger-key`, `bundle-key`, `identity-key` ...).
    ///
    /// # Errors
    /// [`VaultError::Name`] for a malformed purpose, [`VaultError::Crypto`].
    pub fn data_key(&self, purpose: &str) -> Result<DataKey, VaultError> {
        let binding = self.binding(Kind::DataKey, purpose, b"")?;
        let tenant_key = self.keyring.current();
        let key = SecretBytes::<32>::random()?;
        let (sealed, id) = blob::seal(&tenant_key.key, tenant_key.id, binding, key.expose())?;
        Ok(DataKey { id: hex(&id), key, sealed })
    }

    /// Opens a data key that was sealed for the same purpose.
    ///
    /// # Errors
    /// [`VaultError::Format`], [`VaultError::UnknownKey`], [`VaultError::Sealed`].
    pub fn open_data_key(&self, purpose: &str, sealed: &[u8]) -> Result<DataKey, VaultError> {
        let binding = self.binding(Kind::DataKey, purpose, b"")?;
        let parsed = blob::Parsed::new(sealed)?;
        let key = self.open_key(&parsed, binding)?;
        Ok(DataKey { id: hex(&parsed.id), key, sealed: sealed.to_vec() })
    }

    /// Seals `plaintext`; it opens only with the same purpose and `aad`.
    ///
    /// # Errors
    /// [`VaultError::Name`], [`VaultError::Crypto`], [`VaultError::Format`] above 64 MiB.
    pub fn seal(&self, purpose: &str, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let binding = self.binding(Kind::Value, purpose, aad)?;
        let tenant_key = self.keyring.current();
        Ok(blob::seal(&tenant_key.key, tenant_key.id, binding, plaintext)?.0)
    }

    /// Opens what [`Vault::seal`] sealed.
    ///
    /// # Errors
    /// [`VaultError::Format`], [`VaultError::UnknownKey`], [`VaultError::Sealed`].
    pub fn unseal(&self, purpose: &str, aad: &[u8], sealed: &[u8]) -> Result<SecretVec, VaultError> {
        let binding = self.binding(Kind::Value, purpose, aad)?;
        let parsed = blob::Parsed::new(sealed)?;
        parsed.open(&self.keyring.by_id(&parsed.key_id)?.key, binding)
    }

    /// The seed of a signing key (`ledger`, `bundle`, `identity`): created on first use, the same ever after.
    /// Of two processes that ask first at once, both get the same seed.
    ///
    /// # Errors
    /// As [`Vault::unseal`], and [`VaultError::Io`].
    pub fn signing_seed(&self, name: &str) -> Result<SecretBytes<32>, VaultError> {
        let purpose = format!("{}-key", checked(name, "seed name")?);
        let binding =
            Binding { kind: Kind::Seed, purpose: &purpose, tenant: &self.tenant, aad: name.as_bytes() };
        let path = self.dir.join(format!("{SEED_PREFIX}{name}{SEED_SUFFIX}"));
        if !path.exists() {
            let tenant_key = self.keyring.current();
            let seed = SecretBytes::<32>::random()?;
            let (sealed, _) = blob::seal(&tenant_key.key, tenant_key.id, binding, seed.expose())?;
            durable::create(&path, &sealed)?;
        }
        let file = File::open(&path).map_err(VaultError::io("open", &path))?;
        let sealed = durable::read_bounded(file, &path)?;
        self.open_key(&blob::Parsed::new(sealed.expose())?, binding)
    }

    /// Whether the root key's file is on the device that also holds `data`, so that one stolen disk holds
    /// both. False for a credential and for a key in memory.
    ///
    /// # Errors
    /// [`VaultError::Io`] if either cannot be looked at.
    pub fn shares_device_with(&self, data: impl AsRef<Path>) -> Result<bool, VaultError> {
        let RootOrigin::File(path) = &self.origin else { return Ok(false) };
        let device =
            |path: &Path| fs::metadata(path).map(|meta| meta.dev()).map_err(VaultError::io("read", path));
        Ok(device(path)? == device(data.as_ref())?)
    }

    fn open_key(
        &self,
        parsed: &blob::Parsed<'_>,
        binding: Binding<'_>,
    ) -> Result<SecretBytes<32>, VaultError> {
        let key = parsed.open(&self.keyring.by_id(&parsed.key_id)?.key, binding)?;
        SecretBytes::from_slice(key.expose()).ok_or(VaultError::Sealed)
    }

    fn binding<'a>(&'a self, kind: Kind, purpose: &'a str, aad: &'a [u8]) -> Result<Binding<'a>, VaultError> {
        Ok(Binding { kind, purpose: checked(purpose, "purpose")?, tenant: &self.tenant, aad })
    }
}

fn has_sealed_files(dir: &Path) -> Result<bool, VaultError> {
    let entries = fs::read_dir(dir).map_err(VaultError::io("read", dir))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>();
    let names = names.map_err(VaultError::io("read", dir))?;
    Ok(names.iter().any(|name| name.to_string_lossy().ends_with(SEED_SUFFIX)))
}

/// Names become file names and associated data: a narrow alphabet, and no leading dot.
fn checked<'a>(name: &'a str, what: &'static str) -> Result<&'a str, VaultError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(VaultError::Name { name: name.chars().take(MAX_NAME).collect(), what });
    }
    Ok(name)
}
