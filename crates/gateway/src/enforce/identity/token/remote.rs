//! What an issuer publishes: its metadata and its keys, fetched once for all, kept for as long as it says (at most a day),
//! and fetched again when a token names a key that is not among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use probity_model::Timestamp;
use probity_model::bundle::identity::token::{Issuer, JwksPolicy, KeySource, SignatureAlgorithm};
use probity_model::time::MICROS_PER_SECOND;
use serde_json::Value;

use super::address::{Address, AddressError};
use super::fetch::{Ask, Client, FetchError};
use super::flight::Flight;
use super::jwk::{self, JwkError, Missing, PublicKey};
use super::strict;

/// Keys are never believed for longer, whatever anyone says.
const MAX_AGE_S: u32 = 24 * 3_600;
/// An issuer that lets nothing be kept is still not asked for every call.
const MIN_AGE_S: u32 = 30;
/// Between two attempts to reach an issuer that did not answer.
const RETRY_S: i64 = 5;
/// Bytes of a metadata document.
const MAX_METADATA_BYTES: usize = 64 * 1024;

/// One issuer as it can be reached. It outlives bundles that leave it as it is.
#[derive(Debug)]
pub(super) struct Remote {
    issuer: Arc<str>,
    client: Option<Client>,
    source: Source,
    policy: JwksPolicy,
    metadata: ArcSwapOption<Metadata>,
    keys: ArcSwapOption<KeySet>,
    fetching: Flight<Result<(), FetchError>>,
    /// When an unknown `kid` last caused a request; when a request last failed.
    asked_at: AtomicI64,
    failed_at: AtomicI64,
}

#[derive(Debug)]
enum Source {
    Discovery([Address; 2]),
    Url(Address),
    Inline,
    None,
}

#[derive(Debug)]
struct KeySet {
    keys: Arc<[PublicKey]>,
    /// From here on they are fetched again beside the traffic; from then on before it; then they count no longer.
    renew_at: Timestamp,
    fresh_until: Timestamp,
    stale_until: Timestamp,
}

/// RFC 8414 or OpenID Connect discovery: the two members that matter here.
#[derive(Debug)]
struct Metadata {
    jwks: Option<Address>,
    introspection: Option<Address>,
    fresh_until: Timestamp,
}

/// Why an issuer of a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("`{url}` is no usable address")]
    Address { url: String, source: AddressError },
    #[error("the keys given inline cannot be used")]
    Keys(#[from] JwkError),
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    Missing(Missing),
    Unavailable(FetchError),
}

impl Remote {
    pub fn new(issuer: &Issuer, client: Option<Client>) -> Result<Self, RemoteError> {
        let address = |url: &str| {
            Address::parse(url).map_err(|source| RemoteError::Address { url: url.to_owned(), source })
        };
        let remote = Self {
            issuer: Arc::clone(&issuer.issuer),
            client,
            policy: issuer.jwks,
            source: match &issuer.keys {
                KeySource::Discovery => Source::Discovery(well_known(&address(&issuer.issuer)?)),
                KeySource::Url(url) => Source::Url(address(url)?),
                KeySource::Inline(_) => Source::Inline,
                KeySource::None => Source::None,
            },
            metadata: ArcSwapOption::empty(),
            keys: ArcSwapOption::empty(),
            fetching: Flight::default(),
            asked_at: AtomicI64::new(i64::MIN),
            failed_at: AtomicI64::new(i64::MIN),
        };
        if let KeySource::Inline(set) = &issuer.keys {
            let forever = Timestamp(i64::MAX);
            remote.keys.store(Some(Arc::new(KeySet {
                keys: jwk::parse_set(set.as_bytes())?.into(),
                renew_at: forever,
                fresh_until: forever,
                stale_until: forever,
            })));
        }
        Ok(remote)
    }

    /// The keys among which `find` finds one, fetched if need be.
    pub async fn key(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: SignatureAlgorithm,
        now: Timestamp,
    ) -> Result<PublicKey, NoKey> {
        let keys = self.current(now).await.map_err(NoKey::Unavailable)?;
        let missing = match jwk::select(&keys, kid, algorithm) {
            Ok(key) => return Ok(key.clone()),
            Err(missing) => missing,
        };
        if missing != Missing::Unknown || matches!(self.source, Source::Inline | Source::None) {
            return Err(NoKey::Missing(missing));
        }
        // A rotation that nobody announced, or a stranger's token: one request tells, for all who wait. Whoever may not
        // ask looks again all the same: another may just have been answered.
        let _ = self.fetching.join(|| self.take_turn(now), || Self::fetch(Arc::clone(self), now)).await;
        let keys = self.keys.load_full().ok_or(NoKey::Missing(missing))?;
        jwk::select(&keys.keys, kid, algorithm).cloned().map_err(NoKey::Missing)
    }

    async fn current(self: &Arc<Self>, now: Timestamp) -> Result<Arc<[PublicKey]>, FetchError> {
        let known = self.keys.load_full();
        if let Some(known) = &known
            && now < known.fresh_until
        {
            if now >= known.renew_at {
                let due = || {
                    self.may_retry(now) && self.keys.load().as_ref().is_some_and(|set| now >= set.renew_at)
                };
                drop(self.fetching.start(due, || Self::fetch(Arc::clone(self), now)));
            }
            return Ok(Arc::clone(&known.keys));
        }
        let due =
            || self.may_retry(now) && self.keys.load().as_ref().is_none_or(|set| now >= set.fresh_until);
        let fetched = self.fetching.join(due, || Self::fetch(Arc::clone(self), now)).await;
        match self.keys.load_full() {
            // Where nothing new came: better the keys of an hour ago than none, for as long as the policy says.
            Some(set) if now < set.stale_until => Ok(Arc::clone(&set.keys)),
            _ => Err(fetched.and_then(Result::err).unwrap_or(FetchError::TooSoon)),
        }
    }

    /// Where opaque tokens are asked about, as the issuer's metadata says.
    pub async fn introspection(self: &Arc<Self>, now: Timestamp) -> Result<Address, FetchError> {
        let Some(client) = &self.client else { return Err(FetchError::Content) };
        self.metadata(client, now).await?.introspection.clone().ok_or(FetchError::Content)
    }

    pub fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    fn may_retry(&self, now: Timestamp) -> bool {
        let failed = self.failed_at.load(Relaxed);
        failed == i64::MIN
            || now.0.saturating_sub(failed).unsigned_abs() >= (RETRY_S * MICROS_PER_SECOND) as u64
    }

    /// Takes the right to one request for an unknown `kid`. Called inside the flight's lock alone.
    fn take_turn(&self, now: Timestamp) -> bool {
        let cool_down = i64::from(self.policy.cool_down_s).saturating_mul(MICROS_PER_SECOND);
        let last = self.asked_at.load(Relaxed);
        let rested = last == i64::MIN || now.0.saturating_sub(last) >= cool_down;
        let turn = rested && self.may_retry(now);
        if turn {
            self.asked_at.store(now.0, Relaxed);
        }
        turn
    }

    async fn fetch(self: Arc<Self>, now: Timestamp) -> Result<(), FetchError> {
        let fetched = self.fetch_keys(now).await;
        match fetched {
            Ok(set) => {
                self.failed_at.store(i64::MIN, Relaxed);
                self.keys.store(Some(Arc::new(set)));
                Ok(())
            }
            Err(error) => {
                // What led here may have moved.
                self.metadata.store(None);
                self.failed_at.store(now.0, Relaxed);
                tracing::warn!(issuer = &*self.issuer, %error, "the issuer's keys cannot be fetched");
                Err(error)
            }
        }
    }

    async fn fetch_keys(&self, now: Timestamp) -> Result<KeySet, FetchError> {
        let Some(client) = &self.client else { return Err(FetchError::Content) };
        let fetched = match &self.source {
            Source::Inline | Source::None => return Err(FetchError::Content),
            Source::Url(address) => client.fetch(address, Ask::Get).await?,
            Source::Discovery(_) => {
                let metadata = self.metadata(client, now).await?;
                client.fetch(metadata.jwks.as_ref().ok_or(FetchError::Content)?, Ask::Get).await?
            }
        };
        let keys = jwk::parse_set(&fetched.body).map_err(|error| {
            tracing::warn!(issuer = &*self.issuer, %error, "the issuer's keys cannot be used");
            FetchError::Content
        })?;
        let longest = self.policy.max_age_s.clamp(1, MAX_AGE_S);
        let age = fetched.max_age_s.map_or(longest, |said| said.clamp(MIN_AGE_S.min(longest), longest));
        let after = |seconds: u32| now.plus_micros(i64::from(seconds) * MICROS_PER_SECOND);
        Ok(KeySet {
            keys: keys.into(),
            renew_at: after(age / 4 * 3),
            fresh_until: after(age),
            stale_until: after(age.saturating_add(self.policy.stale_s.min(MAX_AGE_S))),
        })
    }

    async fn metadata(&self, client: &Client, now: Timestamp) -> Result<Arc<Metadata>, FetchError> {
        if let Some(known) = self.metadata.load_full()
            && now < known.fresh_until
        {
            return Ok(known);
        }
        let places = match &self.source {
            Source::Discovery(places) => places.clone(),
            _ => well_known(&Address::parse(&self.issuer).map_err(|_| FetchError::Content)?),
        };
        let mut last = FetchError::Content;
        for place in &places {
            let read = match client.fetch(place, Ask::Get).await {
                Ok(fetched) => self.read_metadata(&fetched.body, now),
                Err(error) => Err(error),
            };
            match read {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    self.metadata.store(Some(Arc::clone(&metadata)));
                    return Ok(metadata);
                }
                Err(error @ FetchError::Status(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// The document must be about the very issuer that was asked for (RFC 8414, section 3.3).
    fn read_metadata(&self, json: &[u8], now: Timestamp) -> Result<Metadata, FetchError> {
        let members = strict::object(json, MAX_METADATA_BYTES).map_err(|_| FetchError::Content)?;
        if members.get("issuer").and_then(Value::as_str) != Some(&*self.issuer) {
            tracing::warn!(issuer = &*self.issuer, "the metadata is another issuer's");
            return Err(FetchError::Content);
        }
        let address = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(url) => {
                let url = url.as_str().ok_or(FetchError::Content)?;
                Address::parse(url).map(Some).map_err(|_| FetchError::Content)
            }
        };
        let age = self.policy.max_age_s.clamp(MIN_AGE_S, MAX_AGE_S);
        Ok(Metadata {
            jwks: address("jwks_uri")?,
            introspection: address("introspection_endpoint")?,
            fresh_until: now.plus_micros(i64::from(age) * MICROS_PER_SECOND),
        })
    }
}

/// OpenID Connect appends to the issuer's path, RFC 8414 inserts before it.
fn well_known(issuer: &Address) -> [Address; 2] {
    let path = issuer.path().trim_end_matches('/');
    [
        issuer.with_target(format!("{path}/.well-known/openid-configuration")),
        issuer.with_target(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}
