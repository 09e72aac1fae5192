//! `identity`: who may call at all, for every service; and `protect.identity`: which proofs of a caller count for one
//! service, and what its operations ask for.

pub mod issuer;

use std::collections::BTreeMap;
use std::path::PathBuf;

use probity_model::EnforcementMode;
use probity_model::bundle::identity::{ForwardCredential, Way};
use probity_model::principal::PrincipalKind;
use probity_reader::config::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may call, for every service. Keys that `probity key issue` makes are kept in the store, beside what stands here.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Whose tokens are believed.
    pub issuers: Vec<issuer::IssuerConfig>,
    /// What holds for the tokens of all issuers.
    pub tokens: issuer::TokensConfig,
    /// Callers with the credentials that they have already.
    pub consumers: Vec<ConsumerConfig>,
    /// Request fields that say who calls and are never believed from outside, beside the usual ones; a `*` at the end
    /// stands for any ending.
    pub forged_fields: Vec<String>,
    /// Usual ones that are let through all the same.
    pub allowed_fields: Vec<String>,
}

/// A caller.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerConfig {
    pub name: String,
    /// `user`, `service` or `partner`.
    #[serde(default)]
    pub kind: PrincipalKind,
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Services of another environment refuse its credentials.
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub credentials: Vec<CredentialConfig>,
    /// Names in client certificates that stand for it.
    #[serde(default)]
    pub certificates: Vec<CertificateConfig>,
}

/// A credential that exists already. Its secret stands nowhere: one of `sha256`, `file` or `argon2id`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialConfig {
    /// What lists and records' principals call it; made from the hash when absent.
    pub id: Option<String>,
    /// Hex of the SHA-256 of an API key or an opaque token.
    pub sha256: Option<String>,
    /// File that holds the API key or opaque token, relative to this file.
    pub file: Option<PathBuf>,
    /// Name of a Basic user.
    pub user: Option<String>,
    /// Hash of that user's password: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
    pub argon2id: Option<String>,
    /// How it is presented: `bearer`, `api-key` or `any`.
    pub scheme: SchemeConfig,
    /// The consumer's own when absent.
    pub roles: Option<Vec<String>>,
    pub scopes: Option<Vec<String>>,
    pub environment: Option<String>,
    /// Date or RFC 3339 moment.
    pub expires: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemeConfig {
    Bearer,
    ApiKey,
    #[default]
    Any,
}

/// A name in a client certificate: exactly one of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CertificateConfig {
    pub dns: Option<String>,
    /// Also SPIFFE ids.
    pub uri: Option<String>,
    pub email: Option<String>,
    pub common_name: Option<String>,
}

/// Which proofs of a caller count here, and what operations ask for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceIdentityConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// `required` or `public`: operations whose specification does not say, and calls to no known operation.
    pub unstated: Unstated,
    /// Operations (`POST /v2/sessions`) that need no proof, whatever the specification says.
    pub public: Vec<String>,
    /// Ways that count in place of those of the specification: `bearer`, `api-key`, `basic`, `certificate`. With more
    /// than one, any of them is enough.
    pub ways: Vec<Way>,
    /// Header fields that carry an API key, beside `X-Api-Key` and those of the specification.
    pub key_fields: Vec<String>,
    /// Query parameters may carry an API key: those of the specification. Each use is recorded as a fault.
    pub query_keys: bool,
    /// Cookies of the specification carry keys that Probity knows.
    pub cookie_keys: bool,
    /// A bad credential where none is needed: `off`, `observe` or `block`.
    pub invalid_on_public: EnforcementMode,
    /// How long one credential may rest, and be used at all.
    pub session: Option<SessionConfig>,
    /// Tell the upstream who calls in the signed field `Probity-Principal`.
    pub principal_field: Option<PrincipalFieldConfig>,
    /// `keep` or `remove`: what the upstream gets of the credential itself.
    pub forward_credential: ForwardCredential,
    /// What single operations ask of tokens beyond being valid.
    pub demands: Vec<DemandConfig>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unstated {
    #[default]
    Required,
    Public,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    pub idle: Option<Duration>,
    pub absolute: Option<Duration>,
    /// Whom it holds for.
    pub kinds: Vec<PrincipalKind>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { idle: None, absolute: None, kinds: vec![PrincipalKind::User] }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrincipalFieldConfig {
    /// How long one value is good for, at most five minutes.
    pub lifetime: Duration,
}

impl Default for PrincipalFieldConfig {
    fn default() -> Self {
        Self { lifetime: Duration::from_millis(60_000) }
    }
}

/// What operations ask of tokens (RFC 9470 and others).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DemandConfig {
    /// `POST /v2/payments`; all of the service when empty.
    pub operations: Vec<String>,
    /// Names of issuers; any when empty.
    pub issuers: Vec<String>,
    pub audiences: Vec<String>,
    /// The token must be bound to a key or certificate.
    pub sender_constrained: bool,
    /// One of them must be the token's `acr`.
    pub acr: Vec<String>,
    /// All of them must be in the token's `amr`.
    pub amr: Vec<String>,
    /// Oldest authentication of the user.
    pub max_age: Option<Duration>,
}
