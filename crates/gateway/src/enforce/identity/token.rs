//! Tokens: a presented one becomes a [`Principal`], or a [`TokenFault`] says why not.
//!
//! [`Tokens::verify`] is the whole of it. A token that was verified a moment ago costs a hash and a comparison
//! (`cache`). Else its form decides: a signed one is read strictly (`jose`), its issuer found by `iss`, its key among those
//! that the issuer publishes (`remote`, `jwk`), its claims judged and mapped (`claims`); an encrypted one is opened first
//! (`jwe`); an opaque one is asked about (`introspect`). What depends on the call and not on the token alone is judged
//! each time: revocation (`revocation`), the operation's demands (`demand`), and proof of possession (`dpop`, or the client
//! certificate).
//!
//! Not here: where a token stands in a request, API keys, sessions; that is [`super`]'s. Everything that an issuer or a
//! client says is bounded and read as hostile; time is an argument.

mod address;
mod cache;
mod claims;
mod demand;
mod dpop;
mod egress;
mod fault;
mod fetch;
mod flight;
mod introspect;
mod jose;
mod jwe;
mod jwk;
mod memory;
mod remote;
mod replay;
mod revocation;
mod seal;
mod strict;

use std::collections::HashMap;
use std::future::Future as _;
use std::sync::Arc;

use aws_lc_rs::hmac;
use probity_model::Timestamp;
use probity_model::bundle::identity::token::{KeySource, SignatureAlgorithm};
use probity_model::bundle::identity::{TokenDemand, TokenPolicy};
use probity_model::exchange::CredentialScheme;
use probity_model::principal::Principal;
use rustls::ClientConfig;

use self::cache::{Cache, Negative, Verified};
use self::claims::Rules;
pub(crate) use self::fault::TokenFault;
use self::fetch::Client;
use self::introspect::Introspector;
use self::jose::{Form, Header, Signed};
use self::jwk::Missing;
use self::memory::Keys;
pub(crate) use self::memory::Memory;
use self::remote::{NoKey, Remote};
pub use self::revocation::Revocation;
pub use self::seal::{SealError, seal_secret};
use crate::enforce::BuildError;

/// Issuers of one bundle.
const MAX_ISSUERS: usize = 64;

/// How the token was presented: `Authorization: Bearer` or `Authorization: DPoP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenScheme {
    Bearer,
    Dpop,
}

/// The fields `DPoP` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DpopField<'a> {
    None,
    One(&'a [u8]),
    Several,
}

/// The target of a call as its client sees it, without a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetUri<'a> {
    pub https: bool,
    /// Host and port as in `Host`.
    pub authority: &'a [u8],
    pub path: &'a [u8],
}

/// A token and what about the call decides whether it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub token: &'a [u8],
    pub scheme: TokenScheme,
    pub method: &'a [u8],
    pub uri: TargetUri<'a>,
    pub dpop: DpopField<'a>,
    /// SHA-256 of the client certificate (DER) that this connection proved to hold.
    pub certificate: Option<[u8; 32]>,
    /// The keyed hash that names the credential in records; one of this process where there is none.
    pub credential: Option<[u8; 16]>,
    /// What the operation wants.
    pub demand: &'a TokenDemand,
    pub now: Timestamp,
}

/// The issuers of a bundle, ready to judge tokens. All services share it, and so do bundles with the same policy.
#[derive(Debug)]
pub(crate) struct Tokens {
    policy: TokenPolicy,
    issuers: Vec<KnownIssuer>,
    cache: Cache,
    negative: Negative,
    keys: Arc<Keys>,
    dpop_algorithms: String,
}

#[derive(Debug)]
struct KnownIssuer {
    rules: Rules,
    remote: Arc<Remote>,
    introspector: Option<Introspector>,
    decryption: Vec<jwe::PrivateKey>,
    encrypted_only: bool,
}

impl Tokens {
    /// The value for that policy; the one in use where the policy is the same.
    pub fn of(policy: &TokenPolicy, memory: &Memory) -> Result<Arc<Self>, BuildError> {
        memory.tokens(policy, || Self::build(policy, memory))
    }

    fn build(policy: &TokenPolicy, memory: &Memory) -> Result<Self, BuildError> {
        if policy.issuers.len() > MAX_ISSUERS {
            return Err(format!("{} issuers, expected at most {MAX_ISSUERS}", policy.issuers.len()).into());
        }
        let keys = memory.keys()?;
        let mut roots: HashMap<Option<&str>, Arc<ClientConfig>> = HashMap::new();
        let mut issuers = Vec::new();
        for issuer in &policy.issuers {
            let named = |error: BuildError| -> BuildError {
                format!("issuer `{}`: {}", issuer.name, chain(&*error)).into()
            };
            let asks = matches!(issuer.keys, KeySource::Discovery | KeySource::Url(_))
                || issuer.introspection.is_some();
            let client = if asks {
                let known = roots.get(&issuer.ca_file.as_deref()).cloned();
                let tls = match known {
                    Some(tls) => tls,
                    None => {
                        crate::tls::roots(issuer.ca_file.as_deref()).map_err(|error| named(error.into()))?
                    }
                };
                roots.insert(issuer.ca_file.as_deref(), Arc::clone(&tls));
                Some(Client { tls, allow_private: issuer.allow_private })
            } else {
                None
            };
            let secret = |name: &str| memory.open(policy, name).map_err(named);
            let decryption = issuer
                .decryption
                .iter()
                .map(|key| {
                    jwe::PrivateKey::new(key, &secret(&key.secret)?).map_err(|error| named(error.into()))
                })
                .collect::<Result<_, BuildError>>()?;
            let introspector = match &issuer.introspection {
                None => None,
                Some(policy) => Some(
                    Introspector::new(policy, &secret(&policy.secret)?)
                        .map_err(|error| named(error.into()))?,
                ),
            };
            issuers.push(KnownIssuer {
                rules: Rules::new(issuer),
                remote: memory.remote(issuer, client).map_err(|error| named(error.into()))?,
                introspector,
                decryption,
                encrypted_only: issuer.encrypted_only,
            });
        }
        let dpop_algorithms: Vec<_> =
            policy.dpop.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        Ok(Self {
            cache: Cache::new(policy.cache.entries as usize, keys.sip),
            negative: Negative::new(policy.cache.negative_entries as usize, keys.sip),
            dpop_algorithms: dpop_algorithms.join(" "),
            policy: policy.clone(),
            issuers,
            keys,
        })
    }

    /// Who presents this token. What was verified a moment ago is answered without waiting.
    pub async fn verify(&self, presented: Presented<'_>) -> Result<Arc<Principal>, TokenFault> {
        if let Some(verified) = self.cache.find(presented.token, presented.now) {
            return self.admit(&verified, &presented);
        }
        // Apart, so that the usual call carries no room for all this.
        Box::pin(self.verify_anew(presented)).await
    }

    async fn verify_anew(&self, presented: Presented<'_>) -> Result<Arc<Principal>, TokenFault> {
        if presented.token.len() > self.policy.bounds.token_bytes as usize {
            return Err(TokenFault::token("gateway-jwt-too-long", "token", "too-long"));
        }
        if let Some(fault) = self.negative.find(presented.token, presented.now) {
            return Err(fault);
        }
        let verified = match jose::form(presented.token) {
            Form::Signed(signed) => self.signed(&presented, signed, None).await,
            Form::Encrypted(parts) => self.encrypted(&presented, parts).await,
            Form::Opaque => self.opaque(&presented).await,
        };
        let verified = match verified {
            Ok(verified) => Arc::new(verified),
            Err(fault) => {
                self.remember(&presented, &fault);
                return Err(fault);
            }
        };
        let admitted = self.admit(&verified, &presented)?;
        self.cache.keep(presented.token, verified);
        Ok(admitted)
    }

    /// Keeps a refusal whose reason lies in the token alone and does not pass with time or with new keys.
    fn remember(&self, presented: &Presented<'_>, fault: &TokenFault) {
        let seconds = match fault.rule {
            "gateway-jwt-signature" | "gateway-jwt-expired" | "gateway-jwe-undecryptable" => {
                self.policy.cache.negative_seconds
            }
            "gateway-token-inactive" => {
                let asked = self.issuers.iter().filter_map(|issuer| issuer.introspector.as_ref());
                asked.map(|introspector| introspector.negative_s).min().unwrap_or_default()
            }
            _ => return,
        };
        self.negative.keep(presented.token, fault, presented.now, seconds);
    }

    /// A JWS; `inside` is the issuer whose key opened the JWE around it.
    async fn signed(
        &self,
        presented: &Presented<'_>,
        signed: Signed<'_>,
        inside: Option<usize>,
    ) -> Result<Verified, TokenFault> {
        let (header, algorithm) = Header::of_token(signed.header)?;
        let malformed = |found| TokenFault::token("gateway-jwt-malformed", "payload", found);
        let payload = jose::decode(signed.payload).ok_or(malformed("not-base64url"))?;
        let claims = strict::object(&payload, payload.len()).map_err(|error| malformed(error.word()))?;
        let signature = jose::decode(signed.signature).ok_or(TokenFault::token(
            "gateway-jwt-malformed",
            "signature",
            "not-base64url",
        ))?;
        let (index, issuer) = self.issuer(&claims, presented.demand, inside)?;
        if issuer.encrypted_only && inside.is_none() {
            return Err(TokenFault::token("gateway-jwe-required", "token", "not-encrypted"));
        }
        issuer.rules.head(&header, algorithm)?;
        let key = match issuer.remote.key(header.kid(), algorithm, presented.now).await {
            Ok(key) => key,
            Err(NoKey::Unavailable(error)) => {
                return Err(TokenFault::unavailable("gateway-jwt-keys-unavailable", error.word()));
            }
            Err(NoKey::Missing(missing)) => {
                return Err(match missing {
                    Missing::Unknown => TokenFault::token("gateway-jwt-key-unknown", "kid", "unknown"),
                    Missing::Unfit => {
                        TokenFault::token("gateway-jwt-key-mismatch", "alg", "other-kind-of-key")
                    }
                    Missing::Ambiguous => TokenFault::token("gateway-jwt-kid-missing", "kid", "ambiguous"),
                });
            }
        };
        if !key.verify(algorithm, signed.message, &signature) {
            return Err(TokenFault::token("gateway-jwt-signature", "signature", "invalid"));
        }
        let until = presented.now.plus_micros(seconds(self.policy.cache.seconds));
        issuer.rules.judge(
            index,
            &claims,
            claims::Origin::Signed,
            self.credential(presented),
            presented.now,
            until,
        )
    }

    async fn encrypted(&self, presented: &Presented<'_>, parts: [&[u8]; 5]) -> Result<Verified, TokenFault> {
        let accepted =
            self.issuers.iter().enumerate().filter(|(_, issuer)| issuer.rules.is_accepted(presented.demand));
        let keys = accepted.flat_map(|(index, issuer)| issuer.decryption.iter().map(move |key| (index, key)));
        let (index, inner) = jwe::open(parts, keys)?;
        match jose::form(&inner) {
            Form::Signed(signed) => self.signed(presented, signed, Some(index)).await,
            _ => Err(TokenFault::token("gateway-jwe-not-signed", "payload", "not-signed")),
        }
    }

    async fn opaque(&self, presented: &Presented<'_>) -> Result<Verified, TokenFault> {
        let mut accepted =
            self.issuers.iter().enumerate().filter(|(_, issuer)| issuer.rules.is_accepted(presented.demand));
        let asked = accepted.find_map(|(index, issuer)| {
            let introspector = issuer.introspector.as_ref().filter(|each| each.takes(presented.token))?;
            Some((index, issuer, introspector))
        });
        let Some((index, issuer, introspector)) = asked else {
            return Err(TokenFault::token("gateway-token-not-accepted", "token", "opaque"));
        };
        let claims = introspector.ask(&issuer.remote, presented.token, &self.keys, presented.now).await?;
        issuer.rules.introspected(&claims)?;
        let until = presented.now.plus_micros(seconds(introspector.positive_s));
        issuer.rules.judge(
            index,
            &claims,
            claims::Origin::Introspected,
            self.credential(presented),
            presented.now,
            until,
        )
    }

    /// The issuer that the token names. Nothing is believed of it yet: its keys must fit.
    fn issuer(
        &self,
        claims: &serde_json::Map<String, serde_json::Value>,
        demand: &TokenDemand,
        inside: Option<usize>,
    ) -> Result<(usize, &KnownIssuer), TokenFault> {
        let fault = |found| TokenFault::token("gateway-jwt-issuer", "iss", found);
        let name = claims.get("iss").ok_or(fault("missing"))?.as_str().ok_or(fault("not-a-string"))?;
        let named = || self.issuers.iter().enumerate().filter(|(_, issuer)| *issuer.rules.issuer == *name);
        let mut fitting = named().filter(|(index, _)| inside.is_none_or(|inside| inside == *index));
        match fitting.find(|(_, issuer)| issuer.rules.is_accepted(demand)) {
            Some(found) => Ok(found),
            None if named().next().is_some() => Err(fault("not-accepted")),
            None => Err(fault("unknown")),
        }
    }

    fn credential(&self, presented: &Presented<'_>) -> [u8; 16] {
        presented.credential.unwrap_or_else(|| {
            let tag = hmac::sign(&self.keys.credential, presented.token);
            tag.as_ref().first_chunk().copied().unwrap_or_default()
        })
    }

    /// What the client is told about a refusal: `WWW-Authenticate` and others.
    pub fn answer(&self, fault: &TokenFault, presented: &Presented<'_>) -> Vec<(&'static str, String)> {
        let dpop = presented.scheme == TokenScheme::Dpop;
        fault.fields(dpop, &self.dpop_algorithms)
    }

    /// What a client without a token is told.
    pub fn invitation(&self, demand: &TokenDemand) -> Vec<(&'static str, String)> {
        let mut fields = vec![("WWW-Authenticate", "Bearer".to_owned())];
        let bound =
            self.issuers.iter().any(|each| each.rules.is_accepted(demand) && each.rules.sender_constrained);
        if bound || demand.sender_constrained {
            fields.push(("WWW-Authenticate", format!("DPoP algs=\"{}\"", self.dpop_algorithms)));
        }
        fields
    }
}

/// Whether a gateway with that key could enforce the policy; what is wrong with it if not.
pub fn check_tokens(policy: &TokenPolicy, sealing_key: &[u8; 32]) -> Result<(), String> {
    let memory = Memory::default();
    memory.unseal_with(sealing_key);
    Tokens::of(policy, &memory).map(drop).map_err(|error| error.to_string())
}

/// Judges what fuzzing makes up, as a token, a proof and a key set, by all the code that strangers reach. Gives whether
/// anything was believed, which must never be.
#[doc(hidden)]
pub fn judge_hostile(token: &[u8], proof: &[u8], set: &[u8]) -> bool {
    use probity_model::bundle::identity::Issuer;

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    static TOKENS: std::sync::OnceLock<Option<Arc<Tokens>>> = std::sync::OnceLock::new();
    let tokens = TOKENS.get_or_init(|| {
        let issuer = Issuer {
            name: "fuzz".into(),
            issuer: "https://id.example".into(),
            audiences: vec!["api".into()],
            algorithms: SignatureAlgorithm::ALL.to_vec(),
            types: Vec::new(),
            keys: KeySource::Inline(KEYS.to_owned()),
            clock_skew_s: 30,
            max_lifetime_s: None,
            jwks: Default::default(),
            claims: Default::default(),
            sender_constrained: false,
            introspection: None,
            decryption: Vec::new(),
            encrypted_only: false,
            allow_private: false,
            ca_file: None,
        };
        let policy = TokenPolicy { issuers: vec![issuer], ..TokenPolicy::default() };
        Tokens::of(&policy, &Memory::default()).ok()
    });
    let Some(tokens) = tokens else { return false };
    let demand = TokenDemand::default();
    let call = Presented {
        token,
        scheme: TokenScheme::Dpop,
        method: b"GET",
        uri: TargetUri { https: true, authority: b"api.example", path: b"/x" },
        dpop: DpopField::One(proof),
        certificate: None,
        credential: None,
        demand: &demand,
        now: Timestamp::from_seconds(1_800_000_000),
    };
    // Keys that are given inline are never waited for.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let verified = std::pin::pin!(tokens.verify(call)).poll(&mut context);
    let believed = matches!(verified, std::task::Poll::Ready(Ok(_)));
    let proved =
        dpop::check(&call, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", &tokens.policy.dpop, &tokens.keys);
    let _ = jwk::parse_set(set);
    let _ = address::Address::parse(&String::from_utf8_lossy(set));
    believed || proved.is_ok()
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The scheme under which a verified token is recorded.
const SCHEME: CredentialScheme = CredentialScheme::Bearer;

const fn seconds(seconds: u32) -> i64 {
    seconds as i64 * probity_model::time::MICROS_PER_SECOND
}

#[cfg(test)]
mod tests;
