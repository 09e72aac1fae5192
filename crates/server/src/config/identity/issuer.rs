//! `identity.issuers` and `identity.tokens`: whose tokens are believed, and what is asked of all of them.

use std::path::PathBuf;

use probity_model::bundle::identity::token::{
    ClaimMap, DecryptionKind, DpopPolicy, JwksPolicy, SignatureAlgorithm, TokenBounds, TokenCache,
};
use probity_model::principal::PrincipalKind;
use probity_reader::config::{ByteSize, Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One source of tokens. Its keys come from its metadata (`.well-known/openid-configuration`, else
/// `.well-known/oauth-authorization-server`) unless `jwks_url` or `jwks_file` says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What services call it.
    pub name: String,
    /// `iss`, exactly.
    pub issuer: String,
    /// One of them must be in `aud`.
    pub audiences: Vec<String>,
    /// Signatures that count.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Accepted `typ` values, such as `at+jwt`; `JWT`, `at+jwt` and none at all when empty.
    #[serde(default)]
    pub types: Vec<String>,
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// File with a JWK set, relative to this file.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// All its tokens are opaque: there are no keys.
    #[serde(default)]
    pub opaque_only: bool,
    #[serde(default = "usual_skew")]
    pub clock_skew: Duration,
    /// Longest `exp - iat`.
    #[serde(default)]
    pub max_lifetime: Option<Duration>,
    #[serde(default)]
    pub jwks: JwksConfig,
    #[serde(default)]
    pub claims: ClaimsConfig,
    /// Every token must be bound to a key (DPoP) or certificate.
    #[serde(default)]
    pub sender_constrained: bool,
    #[serde(default)]
    pub introspection: Option<IntrospectionConfig>,
    /// Private keys that open encrypted tokens.
    #[serde(default)]
    pub decryption: Vec<DecryptionConfig>,
    /// A token that is not encrypted is refused.
    #[serde(default)]
    pub encrypted_only: bool,
    /// Loopback and private addresses are refused unless this is true.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of trusted roots; the system's when absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// How long published keys are believed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JwksConfig {
    /// At most, whatever the issuer says; never more than a day.
    pub max_age: Duration,
    /// Between two requests that an unknown `kid` causes.
    pub cool_down: Duration,
    /// How long past their age keys still count while the issuer cannot be reached.
    pub stale: Duration,
}

impl Default for JwksConfig {
    fn default() -> Self {
        let usual = JwksPolicy::default();
        Self {
            max_age: Duration::from_secs(usual.max_age_s.into()),
            cool_down: Duration::from_secs(usual.cool_down_s.into()),
            stale: Duration::from_secs(usual.stale_s.into()),
        }
    }
}

/// Which claims say what: names, or names separated by `.` for objects inside.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsConfig {
    pub roles: Vec<String>,
    pub scopes: Vec<String>,
    pub tenant: Option<String>,
    /// The claim that names a consumer.
    pub consumer: Option<String>,
    pub environment: Option<String>,
    /// Claims that rules may see.
    pub attributes: Vec<String>,
    /// What every caller with such a token is: `user`, `service` or `partner`.
    pub kind: Option<PrincipalKind>,
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        let usual = ClaimMap::default();
        let texts = |names: Vec<std::sync::Arc<str>>| names.iter().map(ToString::to_string).collect();
        Self {
            roles: texts(usual.roles),
            scopes: texts(usual.scopes),
            tenant: None,
            consumer: None,
            environment: None,
            attributes: Vec::new(),
            kind: None,
        }
    }
}

/// Opaque tokens are asked about (RFC 7662).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionConfig {
    /// The address that the issuer's metadata names when absent.
    #[serde(default)]
    pub url: Option<String>,
    pub client_id: String,
    /// File with the client's secret, relative to this file.
    pub secret_file: PathBuf,
    /// Only opaque tokens that begin so are this issuer's.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How long an active token is believed, at most until it ends.
    #[serde(default = "usual_positive")]
    pub positive: Duration,
    /// How long a token that is not active is refused unasked.
    #[serde(default = "usual_negative")]
    pub negative: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecryptionConfig {
    /// `kid` of the tokens that it opens; all that fit when absent.
    #[serde(default)]
    pub kid: Option<String>,
    /// `rsa`, `p256`, `p384` or `x25519`.
    pub kind: DecryptionKind,
    /// PEM file with the private key (PKCS#8), relative to this file.
    pub key_file: PathBuf,
}

/// What holds for the tokens of all issuers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// Tokens remembered once verified.
    pub remember: u32,
    /// For how long; revocation is felt at once all the same.
    pub remember_for: Duration,
    /// Longest token.
    pub max_size: ByteSize,
    pub dpop: DpopConfig,
}

impl Default for TokensConfig {
    fn default() -> Self {
        let cache = TokenCache::default();
        Self {
            remember: cache.entries,
            remember_for: Duration::from_secs(cache.seconds.into()),
            max_size: ByteSize(TokenBounds::default().token_bytes.into()),
            dpop: DpopConfig::default(),
        }
    }
}

/// Proofs of possession (RFC 9449).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpopConfig {
    pub algorithms: Vec<SignatureAlgorithm>,
    /// How far a proof's time may lie from now; at most five minutes.
    pub window: Duration,
    /// Proofs must hold a nonce of the gateway.
    pub nonce: bool,
    /// Proofs remembered inside one window.
    pub remember: u32,
}

impl Default for DpopConfig {
    fn default() -> Self {
        let usual = DpopPolicy::default();
        Self {
            algorithms: usual.algorithms,
            window: Duration::from_secs(usual.window_s.into()),
            nonce: usual.nonce,
            remember: usual.replay_entries,
        }
    }
}

fn usual_algorithms() -> Vec<SignatureAlgorithm> {
    use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
    vec![RS256, PS256, ES256, EdDSA]
}
fn usual_skew() -> Duration {
    Duration::from_secs(30)
}
fn usual_positive() -> Duration {
    Duration::from_secs(60)
}
fn usual_negative() -> Duration {
    Duration::from_secs(10)
}
