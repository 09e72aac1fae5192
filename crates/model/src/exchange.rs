//! The exchange: one API call as it is recorded. No raw path, query or body value is ever here.

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClassHit, Decision, GatewayId, RequestId, Segment, ServiceId, Signals, Template, Timestamp};

/// Version of [`Exchange`]; stands in every segment header and in every JSON export.
pub const EXCHANGE_VERSION: u16 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Per gateway, from 1, without holes: what is missing is a gap.
    pub sequence: u64,
    pub request_id: RequestId,
    pub gateway: GatewayId,
    /// When the request's head was read.
    pub started_at: Timestamp,
    /// Revision of the bundle in force.
    pub revision: u64,
    pub service: ServiceId,
    pub method: Arc<str>,
    pub path: PathRef,
    /// Names of the query parameters, sorted; a name that looks like a value is replaced by its type.
    pub query: Vec<Arc<str>>,
    pub status: u16,
    pub end: End,
    /// 64-bit hash of the answer's shape: status class, content type, field names.
    pub shape: u64,
    /// The names behind `shape`, given when this gateway sees the shape for the first time.
    pub shape_fields: Option<Vec<Arc<str>>>,
    /// Essence of the content type (`application/json`), empty where there is none.
    pub request_type: Arc<str>,
    pub response_type: Arc<str>,
    pub client: Option<IpAddr>,
    pub user_agent: UserAgentClass,
    pub protocol: Protocol,
    pub tls: Option<Tls>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub durations: Durations,
    pub authentication: Authentication,
    pub classes: Vec<ClassHit>,
    pub signals: Signals,
    pub decisions: Vec<Decision>,
}

/// The operation's template when known, else the typed segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathRef {
    Template(Template),
    Segments(Vec<Segment>),
}

impl PathRef {
    /// The template, or the segments with types in braces.
    pub fn display(&self) -> String {
        match self {
            Self::Template(template) => template.to_string(),
            Self::Segments(segments) => {
                segments.iter().fold(String::new(), |path, segment| path + "/" + &segment.display())
            }
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    Complete,
    /// The gateway answered itself; a decision says why.
    Refused,
    ClientAborted,
    UpstreamUnreachable,
    UpstreamTimeout,
    UpstreamAborted,
    /// The upstream's answer was not HTTP as the gateway accepts it.
    UpstreamInvalid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UserAgentClass {
    None,
    Browser,
    Mobile,
    Library,
    CommandLine,
    Bot,
    Scanner,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Http10,
    Http11,
    Http2,
    Grpc,
    Websocket,
    /// Another protocol after an upgrade.
    Upgraded,
    Unknown,
}

/// Negotiated version and suite, by their IANA names (`TLSv1.3`, `TLS_AES_128_GCM_SHA256`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Tls {
    pub version: Arc<str>,
    pub suite: Arc<str>,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Durations {
    /// From the request's first byte to the response's last.
    pub total_us: u64,
    /// From the head sent upstream to the head received.
    pub upstream_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationState {
    None,
    Presented,
    Verified,
    /// The call comes from a log that does not show request fields: nothing is said of its credential.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialScheme {
    None,
    Bearer,
    Basic,
    Digest,
    ApiKeyHeader,
    ApiKeyQuery,
    Cookie,
    ClientCertificate,
    Signature,
    Other,
}

impl CredentialScheme {
    /// The name it has in records, inventories and facts; a part of the keyed hash of a credential, so it never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::Digest => "digest",
            Self::ApiKeyHeader => "api-key-header",
            Self::ApiKeyQuery => "api-key-query",
            Self::Cookie => "cookie",
            Self::ClientCertificate => "client-certificate",
            Self::Signature => "signature",
            Self::Other => "other",
        }
    }
}

/// Who called, without a claim in clear. `identity` is HMAC-SHA-256 (tenant key, domain separated) of issuer and
/// subject or key id, for a verified credential only; `credential` is the same of a presented, unverified credential,
/// so that callers can be counted; it never names a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authentication {
    pub state: AuthenticationState,
    pub scheme: CredentialScheme,
    pub identity: Option<[u8; 16]>,
    pub credential: Option<[u8; 16]>,
    /// Version of the key behind both.
    pub key_version: u16,
}

impl Authentication {
    pub const fn none() -> Self {
        Self {
            state: AuthenticationState::None,
            scheme: CredentialScheme::None,
            identity: None,
            credential: None,
            key_version: 0,
        }
    }
}
