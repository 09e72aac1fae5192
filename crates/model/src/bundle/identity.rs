//! How callers are proved: the directory of consumers and their credentials for the whole gateway, and what each service
//! asks for. Tokens of issuers are [`token`]'s. No secret is here: credentials are keyed hashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::principal::PrincipalKind;
use crate::{Digest, EnforcementMode, Timestamp};

pub mod token;

pub use self::token::{Issuer, StepUp, TokenDemand, TokenPolicy};

/// For the whole gateway: issuers, consumers, credentials, revocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IdentityPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenPolicy>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<Consumer>,
    /// API keys and opaque tokens that are looked up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// Names and passwords of Basic.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passwords: Vec<Password>,
    /// Which names in client certificates mean which consumer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<Revocation>,
    /// Request fields that say who calls and are never believed from outside, beside the usual ones; lower case, a `*` at
    /// the end stands for any ending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forged_fields: Vec<Arc<str>>,
    /// Usual ones that are let through all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_fields: Vec<Arc<str>>,
}

/// Who a credential belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Consumer {
    pub name: Arc<str>,
    pub kind: PrincipalKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<Arc<str>, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Arc<str>>,
}

/// A secret that is looked up: an API key, or an opaque token that some API already knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// What lists and the principal's subject call it.
    pub id: Arc<str>,
    /// HMAC-SHA-256, with a key that only server and gateway have, of the secret's SHA-256.
    pub hash: Digest,
    /// Position in [`IdentityPolicy::consumers`].
    pub consumer: u32,
    pub scheme: SecretScheme,
    /// The consumer's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Arc<str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Arc<str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Known, so that its use can be told from that of an unknown one, and refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

/// How a secret is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretScheme {
    /// `Authorization: Bearer`.
    Bearer,
    /// A field of its own, or `Authorization: ApiKey`.
    ApiKey,
    /// Either.
    #[default]
    Any,
}

/// A user of Basic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Password {
    pub user: Arc<str>,
    pub consumer: u32,
    /// `$argon2id$v=19$m=...,t=...,p=...$salt$hash`.
    pub argon2id: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A name in a client certificate that stands for a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateName {
    pub kind: CertificateNameKind,
    /// Exact; DNS names in lower case.
    pub value: Arc<str>,
    pub consumer: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateNameKind {
    Dns,
    /// Also SPIFFE ids.
    Uri,
    Email,
    /// The subject's common name: only where nothing better is there.
    CommonName,
}

/// What is no longer believed, whatever its proof says. Every field that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Revocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<Arc<str>>,
    /// Hex of the 16 bytes of [`crate::principal::Proof::credential`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Arc<str>>,
    /// Only what was issued before; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

/// Of one service: which proofs count here, and what each operation asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ServiceIdentity {
    pub mode: EnforcementMode,
    /// What operations ask for, each kind once.
    pub needs: Vec<Need>,
    /// For each operation, its position in `needs`.
    pub operations: Vec<u16>,
    /// The same for calls to no known operation.
    pub unknown: u16,
    /// Lower-case names of fields, query parameters and cookies that carry an API key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_fields: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_parameters: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_cookies: Vec<Arc<str>>,
    /// What happens to a bad credential on an operation that needs none; never more than `mode`.
    #[serde(default)]
    pub invalid_on_public: EnforcementMode,
    /// Credentials of another environment are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionLimits>,
    /// The upstream is told who calls in a signed field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_field: Option<PrincipalField>,
    pub forward_credential: ForwardCredential,
}

/// What an operation asks of its caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Need {
    /// No proof is needed; one that is given is still looked at.
    pub public: bool,
    /// One of them, with all its ways; any proof at all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Vec<Way>>,
    pub token: TokenDemand,
}

/// How a caller can be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    Bearer,
    ApiKey,
    Basic,
    Certificate,
    /// One that the gateway cannot verify: no call is proved by it.
    Other,
}

/// How long one credential may be used without, and at all since, its user proved themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute_s: Option<u32>,
    /// Whom they hold for.
    pub kinds: Vec<PrincipalKind>,
}

/// The field `Probity-Principal`: a compact JWS, EdDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrincipalField {
    /// How long one is good for.
    pub seconds: u32,
}

impl Default for PrincipalField {
    fn default() -> Self {
        Self { seconds: 60 }
    }
}

/// What becomes of the credential once it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardCredential {
    #[default]
    Keep,
    Remove,
}
