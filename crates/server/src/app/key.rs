//! Keys of consumers: issued, imported, rotated, revoked. A secret is shown once and kept as a keyed hash; every change is
//! an administrative act and a new bundle, so that it counts at once.
//!
//! The directory that bundles carry is put together here too: see [`crate::bundle::identity`].

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use probity_events::Record;
use probity_gateway::{
    check_password_hash, credential_hash, identity_name, key_hint, mint_key, secret_digest,
};
use probity_model::bundle::identity::{Credential, Password, Revocation, SecretScheme};
use probity_model::time::{MICROS_PER_DAY, MICROS_PER_SECOND};
use probity_model::{Bundle, Timestamp};
use probity_store::{CredentialRow, RevocationRow};
use probity_vault::SecretBytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use crate::bundle::identity::{self, Directory};
use crate::bundle::issuer;
use crate::clock::now;

/// Revoked and expired keys stay in bundles for so long, so that their use can be told from that of unknown ones.
const REMEMBERED_MICROS: i64 = 90 * MICROS_PER_DAY;
/// Keys that one consumer may have at once.
const MAX_KEYS: usize = 1_000;
/// What stands in a key whose environment is not named.
const USUAL_ENVIRONMENT: &str = "live";
/// Longest environment inside a key.
const MAX_KEY_ENVIRONMENT: usize = 16;
/// Who proves what Probity itself keeps; the issuer of its principals.
const ISSUER: &str = "probity";

/// One key as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyStatus {
    pub id: Arc<str>,
    pub consumer: Arc<str>,
    /// The beginning of the secret.
    pub hint: String,
    pub state: KeyState,
    /// A Basic user instead of a key.
    pub user: Option<Arc<str>>,
    pub environment: Option<Arc<str>>,
    /// The consumer's own when absent.
    pub roles: Option<Vec<Arc<str>>>,
    pub scopes: Option<Vec<Arc<str>>>,
    pub issued_at: Timestamp,
    pub issued_by: String,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub replaced_by: Option<Arc<str>>,
    /// By the records that are still kept.
    pub last_used: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    Active,
    Expired,
    Revoked,
}

/// A key that was made just now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IssuedKey {
    /// The secret: shown once, kept nowhere.
    pub secret: Option<String>,
    pub key: KeyStatus,
    /// Of the bundle in which it counts; absent where no configuration is in force yet.
    pub revision: Option<u64>,
}

/// What `key issue` is told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeyRequest {
    pub consumer: String,
    pub environment: Option<String>,
    pub roles: Option<Vec<Arc<str>>>,
    pub scopes: Option<Vec<Arc<str>>>,
    pub expires_at: Option<Timestamp>,
}

/// A credential that exists elsewhere already: its hash, never the secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportedSecret {
    /// SHA-256 of a key or opaque token.
    Secret { sha256: [u8; 32], hint: String, scheme: SecretScheme },
    /// A Basic user and the Argon2id hash of their password.
    Password { user: Arc<str>, argon2id: Arc<str> },
}

impl App {
    pub(super) fn key_issue(&mut self, request: KeyRequest) -> anyhow::Result<IssuedKey> {
        let at = now();
        let secret = self.mint(&request)?;
        let row = self.fresh_row(&request, &secret, at)?;
        let document =
            json!({"key": row.id, "consumer": row.consumer, "hint": row.hint, "expires_at": row.expires_at});
        self.issue("key-issue", document, row, Some(secret), at)
    }

    pub(super) fn key_import(
        &mut self,
        request: KeyRequest,
        imported: ImportedSecret,
    ) -> anyhow::Result<IssuedKey> {
        let at = now();
        let id = fresh_id()?;
        let environment = self.environment(&request)?;
        self.check_room(&request, at)?;
        let mut row = CredentialRow {
            id: id.clone(),
            consumer: request.consumer.as_str().into(),
            hint: String::new(),
            credential: None,
            password: None,
            issued_at: at,
            issued_by: self.actor().to_owned(),
            expires_at: request.expires_at,
            revoked_at: None,
            replaced_by: None,
        };
        let all = self.handle.block_on(self.store.credentials(None))?;
        match imported {
            ImportedSecret::Secret { sha256, hint, scheme } => {
                let key = self.vault.signing_seed("identity")?;
                let hash = credential_hash(key.expose(), &sha256);
                if all.iter().any(|row| row.credential.as_ref().is_some_and(|each| each.hash == hash)) {
                    bail!("this credential is known already");
                }
                row.hint = hint;
                row.credential = Some(Credential {
                    id,
                    hash,
                    consumer: 0,
                    scheme,
                    roles: request.roles,
                    scopes: request.scopes,
                    environment,
                    issued_at: None,
                    expires_at: request.expires_at,
                    revoked: false,
                });
            }
            ImportedSecret::Password { user, argon2id } => {
                check_password_hash(&argon2id)?;
                let taken = |row: &CredentialRow| {
                    row.revoked_at.is_none() && row.password.as_ref().is_some_and(|known| known.user == user)
                };
                if all.iter().any(taken) {
                    bail!("user `{user}` is there already; revoke its credential first");
                }
                row.hint = user.to_string();
                row.password = Some(Password { user, consumer: 0, argon2id, expires_at: request.expires_at });
            }
        }
        let document =
            json!({"key": row.id, "consumer": row.consumer, "hint": row.hint, "expires_at": row.expires_at});
        self.issue("key-import", document, row, None, at)
    }

    /// Issues a key in the place of another, which runs out after `overlap`.
    pub(super) fn key_rotate(&mut self, key: &str, overlap_ms: u64) -> anyhow::Result<IssuedKey> {
        let at = now();
        let mut old = self.key_row(key)?;
        if state(&old, at) != KeyState::Active {
            bail!("key `{}` is not active; issue a new one with `probity key issue`", old.id);
        }
        let Some(credential) = old.credential.clone() else {
            bail!("`{}` is a password; import a new one with `probity key import`", old.id)
        };
        // The new one lives as long as the old one was meant to.
        let lifetime = old.expires_at.map(|end| end.since(old.issued_at));
        let request = KeyRequest {
            consumer: old.consumer.to_string(),
            environment: credential.environment.as_deref().map(str::to_owned),
            roles: credential.roles,
            scopes: credential.scopes,
            expires_at: lifetime.map(|lifetime| at.plus_micros(lifetime)),
        };
        let secret = self.mint(&request)?;
        let row = self.fresh_row(&request, &secret, at)?;
        let overlap = i64::try_from(overlap_ms).unwrap_or(i64::MAX).saturating_mul(1_000);
        let end = at.plus_micros(overlap.min(365 * MICROS_PER_DAY));
        old.expires_at = Some(old.expires_at.map_or(end, |before| before.min(end)));
        old.replaced_by = Some(row.id.clone());
        let document =
            json!({"key": old.id, "replaced_by": row.id, "consumer": row.consumer, "until": old.expires_at});
        self.handle.block_on(self.store.put_credentials(&[old]))?;
        self.issue("key-rotate", document, row, Some(secret), at)
    }

    /// From the next bundle on, which is published now, the key counts no longer.
    pub(super) fn key_revoke(&mut self, key: &str, reason: &str) -> anyhow::Result<IssuedKey> {
        let at = now();
        let mut row = self.key_row(key)?;
        if row.revoked_at.is_some() {
            bail!("key `{}` is revoked already", row.id);
        }
        row.revoked_at = Some(at);
        let document = json!({"key": row.id, "consumer": row.consumer, "reason": reason});
        self.issue("key-revoke", document, row, None, at)
    }

    /// Whatever fits `revocation` counts no longer, whoever issued it.
    pub(super) fn credential_revoke(
        &mut self,
        mut revocation: Revocation,
        reason: &str,
    ) -> anyhow::Result<Option<u64>> {
        if revocation.issuer.is_none()
            && revocation.subject.is_none()
            && revocation.consumer.is_none()
            && revocation.credential.is_none()
        {
            bail!("nothing is named, expected an issuer, a subject, a consumer or a credential");
        }
        let at = now();
        // What is issued after a subject was revoked is a new decision of its issuer. Tokens count whole seconds.
        let whole = at.as_micros() / MICROS_PER_SECOND * MICROS_PER_SECOND;
        revocation.issued_before.get_or_insert(Timestamp(whole + MICROS_PER_SECOND));
        let row = RevocationRow { revocation, reason: reason.to_owned(), by: self.actor().to_owned(), at };
        self.act("credential-revoke", json!({"revocation": row.revocation, "reason": reason}), at)?;
        self.handle.block_on(self.store.add_revocation(&row))?;
        self.publish_directory(at)
    }

    /// Every key of a consumer, or of all.
    pub(super) fn key_list(&self, consumer: Option<&str>) -> anyhow::Result<Vec<KeyStatus>> {
        let rows = self.handle.block_on(self.store.credentials(consumer))?;
        let used = self.last_used(&rows)?;
        let at = now();
        Ok(rows.iter().map(|row| status(row, at, used.get(&row.id).copied())).collect())
    }

    /// Fills in who may call: the configuration in force and what the store keeps.
    pub(super) fn add_directory(&self, bundle: &mut Bundle) -> anyhow::Result<()> {
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let at = now();
        let key = self.vault.signing_seed("identity")?;
        let mut stored = Directory {
            consumers: self
                .handle
                .block_on(self.store.consumers())?
                .into_iter()
                .map(|row| row.consumer)
                .collect(),
            revocations: self
                .handle
                .block_on(self.store.revocations())?
                .into_iter()
                .map(|row| row.revocation)
                .collect(),
            ..Directory::default()
        };
        for row in self.handle.block_on(self.store.credentials(None))? {
            let ended = [row.expires_at, row.revoked_at].into_iter().flatten().min();
            if ended.is_some_and(|end| at.since(end) > REMEMBERED_MICROS) {
                continue;
            }
            let revoked = row.revoked_at.is_some();
            if let Some(credential) = row.credential {
                let credential = Credential { revoked, expires_at: row.expires_at, ..credential };
                stored.credentials.push((row.consumer.clone(), credential));
            }
            if let Some(password) = row.password.filter(|_| !revoked) {
                let password = Password { expires_at: row.expires_at, ..password };
                stored.passwords.push((row.consumer, password));
            }
        }
        identity::fill(bundle, loaded, key.expose(), &stored)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let key = self.vault.signing_seed(issuer::SEALING_SEED)?;
        issuer::seal(bundle, loaded, key.expose()).map_err(|problem| anyhow::anyhow!("{problem}"))
    }

    /// Publishes what is in force again, with the directory as it is now. A roll back stays where it is.
    pub(super) fn publish_directory(&mut self, at: Timestamp) -> anyhow::Result<Option<u64>> {
        let latest = self.latest_revision()?;
        if self.loaded.is_none() || latest == 0 {
            return Ok(None);
        }
        let bundle = Bundle { revision: latest + 1, created_at: at, ..self.policy_bundle()? };
        self.sign_and_publish(bundle, at)?;
        Ok(Some(latest + 1))
    }

    fn mint(&self, request: &KeyRequest) -> anyhow::Result<String> {
        let environment = self.environment(request)?;
        let shown: String = environment
            .as_deref()
            .unwrap_or(USUAL_ENVIRONMENT)
            .to_ascii_lowercase()
            .chars()
            .filter(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit())
            .take(MAX_KEY_ENVIRONMENT)
            .collect();
        let random = SecretBytes::<64>::random()?;
        Ok(mint_key(&shown, random.expose())?)
    }

    fn environment(&self, request: &KeyRequest) -> anyhow::Result<Option<Arc<str>>> {
        let own = self.consumer_environment(&request.consumer)?;
        Ok(request.environment.as_deref().map(Into::into).or(own))
    }

    fn check_room(&self, request: &KeyRequest, at: Timestamp) -> anyhow::Result<()> {
        let known = self.handle.block_on(self.store.credentials(Some(&request.consumer)))?;
        if known.iter().filter(|row| state(row, at) == KeyState::Active).count() >= MAX_KEYS {
            bail!("consumer `{}` has {MAX_KEYS} active keys already; revoke some first", request.consumer);
        }
        if request.expires_at.is_some_and(|end| end <= at) {
            bail!("the key would have expired already");
        }
        Ok(())
    }

    fn fresh_row(&self, request: &KeyRequest, secret: &str, at: Timestamp) -> anyhow::Result<CredentialRow> {
        self.check_room(request, at)?;
        let id = fresh_id()?;
        let key = self.vault.signing_seed("identity")?;
        let credential = Credential {
            id: id.clone(),
            hash: credential_hash(key.expose(), &secret_digest(secret.as_bytes())),
            consumer: 0,
            scheme: SecretScheme::Any,
            roles: request.roles.clone(),
            scopes: request.scopes.clone(),
            environment: self.environment(request)?,
            issued_at: Some(at),
            expires_at: request.expires_at,
            revoked: false,
        };
        Ok(CredentialRow {
            id,
            consumer: request.consumer.as_str().into(),
            hint: key_hint(secret),
            credential: Some(credential),
            password: None,
            issued_at: at,
            issued_by: self.actor().to_owned(),
            expires_at: request.expires_at,
            revoked_at: None,
            replaced_by: None,
        })
    }

    /// Records an act, keeps the credential, and publishes.
    fn issue(
        &mut self,
        kind: &str,
        document: serde_json::Value,
        row: CredentialRow,
        secret: Option<String>,
        at: Timestamp,
    ) -> anyhow::Result<IssuedKey> {
        self.act(kind, document, at)?;
        self.handle.block_on(self.store.put_credentials(std::slice::from_ref(&row)))?;
        let revision = self.publish_directory(at)?;
        Ok(IssuedKey { secret, key: status(&row, at, None), revision })
    }

    /// The one key whose id, or hint, begins so.
    fn key_row(&self, key: &str) -> anyhow::Result<CredentialRow> {
        let rows = self.handle.block_on(self.store.credentials(None))?;
        if let Some(row) = rows.iter().find(|row| &*row.id == key) {
            return Ok(row.clone());
        }
        let fits = |row: &&CredentialRow| {
            !key.is_empty() && (row.id.starts_with(key) || row.hint.trim_end_matches("...") == key)
        };
        let mut found = rows.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(row), None) => Ok(row.clone()),
            (Some(_), Some(_)) => bail!("`{key}` begins the name of several keys"),
            _ => bail!("no key `{key}`; `probity key list` names them"),
        }
    }

    /// When each key was last used, by the records.
    fn last_used(&self, rows: &[CredentialRow]) -> anyhow::Result<HashMap<Arc<str>, Timestamp>> {
        let mut used = HashMap::new();
        if rows.is_empty() {
            return Ok(used);
        }
        let seed = self.vault.signing_seed("identity").context("cannot unseal the identity key")?;
        let names: HashMap<[u8; 16], &Arc<str>> = rows
            .iter()
            .map(|row| {
                let subject = row.password.as_ref().map_or(&*row.id, |password| &*password.user);
                (identity_name(seed.expose(), ISSUER, subject), &row.id)
            })
            .collect();
        for record in self.events.reader(1) {
            let Ok(Record::Exchange(call)) = record else { continue };
            let Some(id) = call.authentication.identity.and_then(|name| names.get(&name)) else { continue };
            let last = used.entry(Arc::clone(id)).or_insert(call.started_at);
            *last = (*last).max(call.started_at);
        }
        Ok(used)
    }
}

fn fresh_id() -> anyhow::Result<Arc<str>> {
    let random = SecretBytes::<6>::random()?;
    let digits: String = random.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("k-{digits}").into())
}

fn state(row: &CredentialRow, at: Timestamp) -> KeyState {
    match row {
        CredentialRow { revoked_at: Some(_), .. } => KeyState::Revoked,
        CredentialRow { expires_at: Some(end), .. } if *end <= at => KeyState::Expired,
        _ => KeyState::Active,
    }
}

fn status(row: &CredentialRow, at: Timestamp, last_used: Option<Timestamp>) -> KeyStatus {
    let credential = row.credential.as_ref();
    KeyStatus {
        id: row.id.clone(),
        consumer: row.consumer.clone(),
        hint: row.hint.clone(),
        state: state(row, at),
        user: row.password.as_ref().map(|password| password.user.clone()),
        environment: credential.and_then(|credential| credential.environment.clone()),
        roles: credential.and_then(|credential| credential.roles.clone()),
        scopes: credential.and_then(|credential| credential.scopes.clone()),
        issued_at: row.issued_at,
        issued_by: row.issued_by.clone(),
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        replaced_by: row.replaced_by.clone(),
        last_used,
    }
}
