//! Who makes a call, once that is proved. Lives inside a gateway for the length of a call; a record holds keyed hashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::exchange::CredentialScheme;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    #[default]
    User,
    Service,
    Partner,
}

/// A proved caller. Roles, scopes and attributes are what the proof says, not what the operation asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Principal {
    pub kind: PrincipalKind,
    /// `iss` of a token; `probity` for keys and passwords; the issuer's name for certificates.
    pub issuer: Arc<str>,
    /// `sub`, key id, user name, or the name in the certificate.
    pub subject: Arc<str>,
    pub tenant: Option<Arc<str>>,
    /// The consumer of `probity consumer` that this credential belongs to.
    pub consumer: Option<Arc<str>>,
    pub roles: Vec<Arc<str>>,
    pub scopes: Vec<Arc<str>>,
    /// Claims that the configuration lets through, by name.
    pub attributes: BTreeMap<Arc<str>, serde_json::Value>,
    pub proof: Proof,
}

/// How and when the caller was proved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    pub scheme: CredentialScheme,
    /// Keyed hash of the credential: names it in limits, sessions and revocations without showing it.
    pub credential: [u8; 16],
    /// The token is bound to a key or certificate that this call proved to hold (RFC 8705, RFC 9449).
    pub sender_constrained: bool,
    /// `acr` and `amr` (RFC 8176 values).
    pub acr: Option<Arc<str>>,
    pub amr: Vec<Arc<str>>,
    /// `auth_time`, else `iat`.
    pub authenticated_at: Option<Timestamp>,
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// The environment that the credential is for (`production`, `test`), where one is stated.
    pub environment: Option<Arc<str>>,
}
