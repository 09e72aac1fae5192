//! Tokens: who issues them, what is believed of them, what an operation may demand beyond a valid one. Claims become a
//! [`crate::principal::Principal`]; who accepts which issuer is the service's, in [`super::ServiceIdentity`].

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::principal::PrincipalKind;

/// Issuers and what holds for all their tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenPolicy {
    pub issuers: Vec<Issuer>,
    pub cache: TokenCache,
    pub dpop: DpopPolicy,
    pub bounds: TokenBounds,
    /// Secrets that only the gateway opens, by the name that issuers refer to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<Arc<str>, SealedSecret>,
}

/// One source of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Issuer {
    /// What services call it.
    pub name: Arc<str>,
    /// `iss`, exactly.
    pub issuer: Arc<str>,
    /// One of them must be in `aud`, unless a service demands its own.
    pub audiences: Vec<Arc<str>>,
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Accepted `typ` values without `application/`; `JWT`, `at+jwt` and none at all when empty. RFC 9068 wants `at+jwt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Arc<str>>,
    pub keys: KeySource,
    pub clock_skew_s: u32,
    /// Longest `exp - iat`; `iat` is then required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime_s: Option<u32>,
    pub jwks: JwksPolicy,
    pub claims: ClaimMap,
    /// Every token must be bound to a key or certificate.
    #[serde(default)]
    pub sender_constrained: bool,
    /// Opaque tokens are asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
    /// Encrypted tokens are opened with these sealed keys; none are accepted when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decryption: Vec<DecryptionKey>,
    /// A token that is not encrypted is refused.
    #[serde(default)]
    pub encrypted_only: bool,
    /// Loopback, private and link-local addresses may be asked; others always may.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of trusted roots; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// Signatures that can be allowed. There is no `none` and nothing symmetric: a published key must never sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SignatureAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SignatureAlgorithm {
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// As in the JOSE registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// `Ed25519` is the same signature under its fully specified name (RFC 9864).
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// `.well-known/openid-configuration` of the issuer, else `.well-known/oauth-authorization-server`.
    Discovery,
    /// A JWK set at this address.
    Url(String),
    /// A JWK set as JSON, from a file of the operator.
    Inline(String),
    /// The issuer's tokens are opaque.
    None,
}

/// How long published keys are believed. Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JwksPolicy {
    /// At most, whatever the issuer says; never more than a day.
    pub max_age_s: u32,
    /// Between two requests that an unknown `kid` causes.
    pub cool_down_s: u32,
    /// How long past their age keys still count while the issuer cannot be reached.
    pub stale_s: u32,
}

impl Default for JwksPolicy {
    fn default() -> Self {
        Self { max_age_s: 3_600, cool_down_s: 30, stale_s: 3_600 }
    }
}

/// Which claims say what. A path is a claim's name, or names separated by `.` for objects inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClaimMap {
    /// Strings or lists of strings, all taken together.
    pub roles: Vec<Arc<str>>,
    /// Lists, or strings with spaces.
    pub scopes: Vec<Arc<str>>,
    pub tenant: Option<Arc<str>>,
    /// A claim that names the consumer of `probity consumer`.
    pub consumer: Option<Arc<str>>,
    pub environment: Option<Arc<str>>,
    /// Claims that become attributes, by the name of their last part.
    pub attributes: Vec<Arc<str>>,
    /// What every principal of this issuer is; else a token without a user is a service's.
    pub kind: Option<PrincipalKind>,
}

impl Default for ClaimMap {
    fn default() -> Self {
        Self {
            roles: vec!["roles".into(), "realm_access.roles".into(), "groups".into()],
            scopes: vec!["scope".into(), "scp".into()],
            tenant: None,
            consumer: None,
            environment: None,
            attributes: Vec::new(),
            kind: None,
        }
    }
}

/// RFC 7662.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Introspection {
    /// The address that the issuer's metadata names when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub client_id: Arc<str>,
    /// Name of the client's secret in [`TokenPolicy::sealed`].
    pub secret: Arc<str>,
    /// Only opaque tokens that begin so are this issuer's; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Arc<str>>,
    /// How long an active token is believed, at most until it ends.
    pub positive_s: u32,
    /// How long a token that is not active is refused unasked.
    pub negative_s: u32,
}

/// A private key that opens encrypted tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecryptionKey {
    /// `kid` of the JWE header; a token without one tries all keys that fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<Arc<str>>,
    pub kind: DecryptionKind,
    /// Name of the private key (PKCS#8) in [`TokenPolicy::sealed`].
    pub secret: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecryptionKind {
    /// RSA-OAEP and RSA-OAEP-256.
    Rsa,
    /// ECDH-ES, alone or with a key wrap, over one of these curves.
    P256,
    P384,
    X25519,
}

/// A secret as ciphertext. The key that opens it is given to the gateway's process, never in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SealedSecret {
    /// Hex of nonce, ciphertext and tag.
    pub ciphertext: String,
}

/// How long what was verified once is believed unasked, and how much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenCache {
    pub entries: u32,
    pub seconds: u32,
    /// Tokens known to be bad.
    pub negative_entries: u32,
    pub negative_seconds: u32,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { entries: 50_000, seconds: 60, negative_entries: 10_000, negative_seconds: 10 }
    }
}

/// RFC 9449.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DpopPolicy {
    pub algorithms: Vec<SignatureAlgorithm>,
    /// How far a proof's `iat` may lie from now; a proof counts once inside it.
    pub window_s: u32,
    /// Proofs must hold a nonce of ours, which changes twice in each window.
    pub nonce: bool,
    /// Proofs remembered; more inside one window are refused rather than forgotten.
    pub replay_entries: u32,
}

impl Default for DpopPolicy {
    fn default() -> Self {
        use SignatureAlgorithm::{ES256, ES384, EdDSA, PS256, RS256};
        Self {
            algorithms: vec![ES256, ES384, EdDSA, PS256, RS256],
            window_s: 60,
            nonce: false,
            replay_entries: 200_000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenBounds {
    /// Longest token.
    pub token_bytes: u32,
}

impl Default for TokenBounds {
    fn default() -> Self {
        Self { token_bytes: 16 * 1024 }
    }
}

/// What a service or operation wants of a token besides being valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenDemand {
    /// Names of issuers; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<Arc<str>>,
    /// One must be in `aud`; the issuer's own when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Arc<str>>,
    pub sender_constrained: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_up: Option<StepUp>,
}

/// RFC 9470: how well and how recently the user must have proved themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StepUp {
    /// One of them must be `acr`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<Arc<str>>,
    /// All of them must be in `amr`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<Arc<str>>,
    /// Oldest authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u32>,
}
