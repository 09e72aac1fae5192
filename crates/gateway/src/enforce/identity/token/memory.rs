//! What outlives a bundle: reached issuers and their keys, revocations, proofs seen, and the secrets of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use aws_lc_rs::{hmac, rand};
use probity_model::bundle::identity::TokenPolicy;
use probity_model::bundle::identity::token::Issuer;
use zeroize::Zeroizing;

use super::Tokens;
use super::fetch::Client;
use super::remote::{Remote, RemoteError};
use super::replay::Replay;
use super::revocation::{Revocation, Revocations};
use super::seal;
use crate::enforce::BuildError;
use crate::siphash::SipKey;
use crate::watch::lock;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    sealing: OnceLock<SealingKey>,
    keys: OnceLock<Arc<Keys>>,
    revocations: Arc<Revocations>,
    /// By everything in a bundle that makes them what they are.
    remotes: Mutex<HashMap<String, Weak<Remote>>>,
    /// Built last, with its policy.
    last: Mutex<Option<(TokenPolicy, Arc<Tokens>)>>,
}

struct SealingKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// Random secrets of this process, and what is kept under them.
#[derive(Debug)]
pub(super) struct Keys {
    pub sip: [SipKey; 2],
    pub credential: hmac::Key,
    pub nonce: hmac::Key,
    pub revocations: Arc<Revocations>,
    pub replay: Replay,
}

impl Memory {
    /// Gives the key that opens the sealed secrets of bundles. The first one stays.
    pub fn unseal_with(&self, key: &[u8; 32]) {
        let _ = self.sealing.set(SealingKey(Zeroizing::new(*key)));
    }

    /// From now on, at once: the credential, the subject or the one token counts no longer.
    pub fn revoke(&self, what: &Revocation, at: probity_model::Timestamp) {
        self.revocations.add(what, at);
    }

    pub(super) fn keys(&self) -> Result<Arc<Keys>, BuildError> {
        if let Some(keys) = self.keys.get() {
            return Ok(Arc::clone(keys));
        }
        let mut random = Zeroizing::new([0u8; 96]);
        rand::fill(&mut *random).map_err(|_| "no random numbers can be had")?;
        let (hashing, signing) = random.split_at(32);
        let sip = |bytes: &[u8]| SipKey::new(bytes.first_chunk().copied().unwrap_or_default());
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let sip = [sip(hashing), sip(hashing.get(16..).unwrap_or_default())];
        let (credential, nonce) = signing.split_at(32);
        let keys = Keys {
            sip,
            credential: key(credential),
            nonce: key(nonce),
            revocations: Arc::clone(&self.revocations),
            replay: Replay::new(sip),
        };
        Ok(Arc::clone(self.keys.get_or_init(|| Arc::new(keys))))
    }

    pub(super) fn open(&self, policy: &TokenPolicy, name: &str) -> Result<Zeroizing<Vec<u8>>, BuildError> {
        let sealed =
            policy.sealed.get(name).ok_or_else(|| format!("the secret `{name}` is not in the bundle"))?;
        let key = self.sealing.get().ok_or("sealed secrets need the gateway's sealing key")?;
        Ok(seal::open(&key.0, name, sealed)?)
    }

    pub(super) fn remote(&self, issuer: &Issuer, client: Option<Client>) -> Result<Arc<Remote>, RemoteError> {
        let key = format!(
            "{:?} {:?} {:?} {} {:?}",
            issuer.issuer, issuer.keys, issuer.jwks, issuer.allow_private, issuer.ca_file
        );
        let mut remotes = lock(&self.remotes);
        remotes.retain(|_, remote| remote.strong_count() > 0);
        if let Some(remote) = remotes.get(&key).and_then(Weak::upgrade) {
            return Ok(remote);
        }
        let remote = Arc::new(Remote::new(issuer, client)?);
        remotes.insert(key, Arc::downgrade(&remote));
        Ok(remote)
    }

    /// A thousand services of a bundle share one value.
    pub(super) fn tokens(
        &self,
        policy: &TokenPolicy,
        build: impl FnOnce() -> Result<Tokens, BuildError>,
    ) -> Result<Arc<Tokens>, BuildError> {
        let mut last = lock(&self.last);
        if let Some((known, tokens)) = &*last
            && known == policy
        {
            return Ok(Arc::clone(tokens));
        }
        let tokens = Arc::new(build()?);
        *last = Some((policy.clone(), Arc::clone(&tokens)));
        Ok(tokens)
    }
}
