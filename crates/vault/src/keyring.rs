//! The keyring file: tenant keys, wrapped by the root key. Not secret by itself, but its loss is final.
//!
//! A list with one current key, so that a later rotation adds a key without changing the format.

use std::fs::File;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::blob::{self, Binding, Id, Kind, hex};
use crate::{RootKey, SecretBytes, VaultError, durable};

const FORMAT: &str = "probity-keyring/1";
const PURPOSE: &str = "tenant-key";
/// More tenant keys than any rotation plan makes.
const MAX_KEYS: usize = 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File1 {
    format: String,
    tenant: String,
    root: String,
    current: String,
    keys: Vec<Wrapped>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    id: String,
    wrapped: String,
}

/// The tenant keys in clear.
#[derive(Debug)]
pub struct Keyring {
    current: TenantKey,
    older: Vec<TenantKey>,
}

#[derive(Debug)]
pub struct TenantKey {
    pub id: Id,
    pub key: SecretBytes<32>,
}

impl Keyring {
    /// Creates the keyring at `path` if it is missing, then reads whichever one is there.
    pub fn open_or_create(path: &Path, root: &RootKey, tenant: &str) -> Result<Self, VaultError> {
        if !path.exists() {
            let file = File1::fresh(root, tenant)?;
            let mut text = serde_json::to_vec_pretty(&file).map_err(|_| VaultError::Crypto)?;
            text.push(b'\n');
            durable::create(path, &text)?;
        }
        Self::open(path, root, tenant)
    }

    fn open(path: &Path, root: &RootKey, tenant: &str) -> Result<Self, VaultError> {
        let damaged =
            |reason: &dyn ToString| VaultError::Keyring { path: path.into(), reason: reason.to_string() };
        let file = File::open(path).map_err(VaultError::io("open", path))?;
        let bytes = durable::read_bounded(file, path)?;
        let file: File1 = serde_json::from_slice(bytes.expose()).map_err(|error| damaged(&error))?;
        if file.format != FORMAT {
            return Err(damaged(&format!("format `{}`, expected `{FORMAT}`", file.format)));
        }
        if file.tenant != tenant {
            return Err(VaultError::WrongTenant { expected: tenant.into(), found: file.tenant });
        }
        let found = root.fingerprint()?;
        if file.root != found {
            return Err(VaultError::WrongRoot { expected: file.root, found });
        }
        if file.keys.len() > MAX_KEYS {
            return Err(damaged(&format!("more than {MAX_KEYS} keys")));
        }
        let mut current = None;
        let mut older = Vec::new();
        for entry in &file.keys {
            let key = entry.unwrap(root, tenant).map_err(|error| damaged(&error))?;
            if entry.id == file.current { current = Some(key) } else { older.push(key) }
        }
        let current = current.ok_or_else(|| damaged(&"its current key is not in it"))?;
        Ok(Self { current, older })
    }

    pub fn current(&self) -> &TenantKey {
        &self.current
    }

    pub fn by_id(&self, id: &Id) -> Result<&TenantKey, VaultError> {
        std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| key.id == *id)
            .ok_or_else(|| VaultError::UnknownKey(hex(id)))
    }
}

impl File1 {
    fn fresh(root: &RootKey, tenant: &str) -> Result<Self, VaultError> {
        let key = SecretBytes::<32>::random()?;
        let wrap = root.wrapping_key(tenant)?;
        // Tenant keys take the id of their blob: nobody can pair a key with another key's id.
        let (blob, id) = blob::seal(&wrap, [0; 16], binding(tenant), key.expose())?;
        let id = hex(&id);
        let keys = vec![Wrapped { id: id.clone(), wrapped: STANDARD.encode(blob) }];
        Ok(Self {
            format: FORMAT.into(),
            tenant: tenant.into(),
            root: root.fingerprint()?,
            current: id,
            keys,
        })
    }
}

impl Wrapped {
    fn unwrap(&self, root: &RootKey, tenant: &str) -> Result<TenantKey, VaultError> {
        let blob =
            STANDARD.decode(&self.wrapped).map_err(|_| VaultError::Format("wrapped key is not base64"))?;
        let parsed = blob::Parsed::new(&blob)?;
        if hex(&parsed.id) != self.id {
            return Err(VaultError::Sealed);
        }
        let key = parsed.open(&root.wrapping_key(tenant)?, binding(tenant))?;
        let key = SecretBytes::from_slice(key.expose()).ok_or(VaultError::Sealed)?;
        Ok(TenantKey { id: parsed.id, key })
    }
}

fn binding(tenant: &str) -> Binding<'_> {
    Binding { kind: Kind::TenantKey, purpose: PURPOSE, tenant, aad: b"" }
}
