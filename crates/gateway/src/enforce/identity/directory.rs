//! Consumers and their credentials, ready to be looked up. One for a bundle; all its services share it.

use std::collections::HashMap;
use std::sync::Arc;

use probity_model::Timestamp;
use probity_model::bundle::identity::{
    CertificateNameKind, Consumer, Credential, IdentityPolicy, Password, SecretScheme,
};
use probity_model::exchange::CredentialScheme;
use probity_model::principal::{Principal, Proof};

use super::basic::Stored;
use super::certificate::ClientCertificate;
use super::header::Forgeable;
use super::key::{look_up_hash, secret_digest};
use super::revocation::Revocations;
use super::token::Tokens;
use super::{Keys, LineMemory};
use crate::enforce::BuildError;
use crate::watch::lock;

/// The issuer of everything that Probity itself keeps.
pub(super) const OWN_ISSUER: &str = "probity";
/// The issuer of what a client certificate proves.
const CERTIFICATE_ISSUER: &str = "client-certificate";

/// One credential and whom it stands for.
#[derive(Debug)]
pub(super) struct Entry {
    pub principal: Arc<Principal>,
    pub scheme: SecretScheme,
    pub revoked: bool,
}

#[derive(Debug)]
struct User {
    stored: Stored,
    principal: Arc<Principal>,
}

#[derive(Debug)]
pub(super) struct Directory {
    /// Tells one directory from the next, so that what a connection remembers does not outlive it.
    pub generation: u64,
    pub revocations: Revocations,
    pub forgeable: Forgeable,
    pub tokens: Option<Arc<Tokens>>,
    secrets: HashMap<[u8; 32], Arc<Entry>>,
    users: HashMap<Box<[u8]>, User>,
    certificates: HashMap<(CertificateNameKind, Arc<str>), Arc<Principal>>,
    /// Worked on for users that are not known.
    stand_in: Option<Stored>,
}

impl Directory {
    pub fn new(
        policy: &IdentityPolicy,
        tokens: Option<Arc<Tokens>>,
        generation: u64,
    ) -> Result<Self, BuildError> {
        let consumer = |index: u32, what: &str| {
            policy.consumers.get(index as usize).ok_or_else(|| {
                BuildError::from(format!("{what} belongs to consumer {index}, which is not there"))
            })
        };
        let mut directory = Self {
            generation,
            revocations: Revocations::new(&policy.revocations),
            forgeable: Forgeable::new(&policy.forged_fields, &policy.allowed_fields),
            tokens,
            secrets: HashMap::with_capacity(policy.credentials.len()),
            users: HashMap::new(),
            certificates: HashMap::new(),
            stand_in: None,
        };
        for credential in &policy.credentials {
            let owner = consumer(credential.consumer, &format!("credential `{}`", credential.id))?;
            let entry = Entry {
                principal: Arc::new(of_credential(owner, credential)),
                scheme: credential.scheme,
                revoked: credential.revoked,
            };
            directory.secrets.insert(credential.hash.0, Arc::new(entry));
        }
        for password in &policy.passwords {
            let owner = consumer(password.consumer, &format!("user `{}`", password.user))?;
            let stored = Stored::read(&password.argon2id)
                .map_err(|error| BuildError::from(format!("user `{}`: {error}", password.user)))?;
            directory.stand_in.get_or_insert_with(|| stored.clone());
            let principal = Arc::new(of_password(owner, password));
            directory.users.insert(password.user.as_bytes().into(), User { stored, principal });
        }
        for name in &policy.certificates {
            let owner = consumer(name.consumer, &format!("certificate name `{}`", name.value))?;
            let principal = Arc::new(of_certificate(owner, &name.value));
            directory.certificates.insert((name.kind, Arc::clone(&name.value)), principal);
        }
        Ok(directory)
    }

    /// Looks a secret up; a connection that repeats its credential pays two short hashes.
    pub fn secret(&self, keys: &Keys, line: &LineMemory, secret: &[u8]) -> Option<Arc<Entry>> {
        let hashes = keys.sip.map(|sip| sip.hash(secret));
        if let Some(known) = &*lock(&line.known)
            && known.hashes == hashes
            && known.generation == self.generation
        {
            return Some(Arc::clone(&known.entry));
        }
        let entry = self.secrets.get(&look_up_hash(&keys.look_up, &secret_digest(secret)).0)?;
        *lock(&line.known) = Some(Known { hashes, generation: self.generation, entry: Arc::clone(entry) });
        Some(Arc::clone(entry))
    }

    pub fn has_users(&self) -> bool {
        self.stand_in.is_some()
    }

    /// What is kept of a user, and whom it stands for; a stand-in for one that is not known.
    pub fn user(&self, name: &[u8]) -> Option<(&Stored, Option<&Arc<Principal>>)> {
        match self.users.get(name) {
            Some(user) => Some((&user.stored, Some(&user.principal))),
            None => self.stand_in.as_ref().map(|stored| (stored, None)),
        }
    }

    /// Whom the best name of a certificate stands for.
    pub fn certificate(&self, certificate: &ClientCertificate) -> Option<Arc<Principal>> {
        let known = certificate
            .names
            .iter()
            .find_map(|(kind, name)| self.certificates.get(&(*kind, Arc::from(name.as_str()))))?;
        let mut principal = Principal::clone(known);
        principal.proof.credential = first_half(&certificate.sha256);
        Some(Arc::new(principal))
    }

    pub fn has_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }
}

/// What a connection looked up last.
#[derive(Debug)]
pub(super) struct Known {
    hashes: [u64; 2],
    generation: u64,
    entry: Arc<Entry>,
}

fn of_consumer(consumer: &Consumer, scheme: CredentialScheme) -> Principal {
    Principal {
        kind: consumer.kind,
        issuer: OWN_ISSUER.into(),
        subject: Arc::clone(&consumer.name),
        tenant: consumer.tenant.clone(),
        consumer: Some(Arc::clone(&consumer.name)),
        roles: consumer.roles.clone(),
        scopes: consumer.scopes.clone(),
        attributes: consumer.attributes.clone(),
        proof: Proof {
            scheme,
            credential: [0; 16],
            sender_constrained: false,
            acr: None,
            amr: Vec::new(),
            authenticated_at: None,
            issued_at: None,
            expires_at: None,
            environment: consumer.environment.clone(),
        },
    }
}

fn of_credential(consumer: &Consumer, credential: &Credential) -> Principal {
    let scheme = match credential.scheme {
        SecretScheme::Bearer => CredentialScheme::Bearer,
        SecretScheme::ApiKey | SecretScheme::Any => CredentialScheme::ApiKeyHeader,
    };
    let mut principal = of_consumer(consumer, scheme);
    principal.subject = Arc::clone(&credential.id);
    if let Some(roles) = &credential.roles {
        principal.roles.clone_from(roles);
    }
    if let Some(scopes) = &credential.scopes {
        principal.scopes.clone_from(scopes);
    }
    principal.proof.credential = first_half(&credential.hash.0);
    principal.proof.issued_at = credential.issued_at;
    principal.proof.expires_at = credential.expires_at;
    if credential.environment.is_some() {
        principal.proof.environment.clone_from(&credential.environment);
    }
    principal
}

fn of_password(consumer: &Consumer, password: &Password) -> Principal {
    let mut principal = of_consumer(consumer, CredentialScheme::Basic);
    principal.subject = Arc::clone(&password.user);
    principal.proof.credential = first_half(&secret_digest(password.argon2id.as_bytes()));
    principal.proof.amr = vec!["pwd".into()];
    principal.proof.expires_at = password.expires_at;
    principal
}

fn of_certificate(consumer: &Consumer, name: &Arc<str>) -> Principal {
    let mut principal = of_consumer(consumer, CredentialScheme::ClientCertificate);
    principal.issuer = CERTIFICATE_ISSUER.into();
    principal.subject = Arc::clone(name);
    // The handshake proved that the caller holds the key.
    principal.proof.sender_constrained = true;
    principal
}

fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    hash.first_chunk().copied().unwrap_or_default()
}

/// Whether a proof is past its end.
pub(super) fn has_expired(principal: &Principal, now: Timestamp) -> bool {
    principal.proof.expires_at.is_some_and(|end| now >= end)
}
