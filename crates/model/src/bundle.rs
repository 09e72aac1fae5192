//! What a gateway enforces: compiled by the server, signed, versioned. The gateway parses no operator document.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataClass, Digest, OperationId, ServiceId, Template, Timestamp};

pub mod answers;
pub mod authorization;
pub mod contract;
pub mod identity;
pub mod leaks;
pub mod limits;
pub mod network;

pub use self::identity::IdentityPolicy;

/// Version of [`Bundle`].
pub const BUNDLE_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bundle {
    pub version: u32,
    /// Only ever grows; a gateway refuses a lower one.
    pub revision: u64,
    pub created_at: Timestamp,
    /// Digest of the catalogue behind it.
    pub catalogue: Digest,
    pub listeners: Vec<Listener>,
    pub services: Vec<BundleService>,
    /// Classes that the user adds.
    pub classes: Vec<CustomClass>,
    pub inspection: Inspection,
    pub timeouts: Timeouts,
    pub limits: ConnectionLimits,
    pub forwarding: Forwarding,
    pub record: RecordPolicy,
    /// Issuers, keys and whatever else proves who calls; for all services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityPolicy>,
}

/// A bundle on the wire and on disk: exact bytes, and an Ed25519 signature over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignedBundle {
    /// JSON of [`Bundle`].
    pub bundle: String,
    /// Hex of the 64 signature bytes over `probity-bundle-v1\n` and the bytes of `bundle`.
    pub signature: String,
    /// Hex of the 32 public key bytes.
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    pub name: String,
    /// `address:port`; port 0 lets the system choose.
    pub address: String,
    pub tls: Option<ListenerTls>,
    /// Clear text beyond loopback was asked for explicitly; it becomes a finding.
    pub clear_text_allowed: bool,
    /// Connections begin with a PROXY protocol header, from these peers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The PROXY protocol, versions 1 and 2, before TLS: a load balancer tells who connected to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProxyProtocol {
    /// Addresses and CIDR blocks of the peers that are believed; others are closed at once.
    pub trusted: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListenerTls {
    /// PEM files; the key's bytes never enter a bundle. Served where no other certificate fits the name asked for.
    pub certificate_file: String,
    pub key_file: String,
    pub minimum: TlsVersion,
    /// Further certificates, chosen by the name asked for (SNI): an exact name first, then a wildcard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateFiles>,
    /// Handshakes for a name of no certificate, or for none, are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_sni: bool,
    /// In place of the files: a certificate that the listener's workplace made for itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_signed: bool,
    /// Clients are asked for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
}

/// Whose client certificates are taken. One that is shown and does not hold is refused, needed or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientAuth {
    /// PEM file of the authorities.
    pub ca_file: String,
    /// Handshakes without a certificate are refused.
    pub required: bool,
    /// PEM files of revocation lists. Where there is one, every authority below those of `ca_file` and they themselves
    /// need one that has not ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crl_files: Vec<String>,
}

/// A certificate chain and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateFiles {
    pub certificate_file: String,
    pub key_file: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BundleService {
    pub id: ServiceId,
    /// Lower-case hosts without port, `*.example.com`, or empty for any.
    pub hosts: Vec<String>,
    /// Longest prefix wins; `/` for all.
    pub path_prefix: String,
    /// The prefix is cut off before the call goes upstream.
    pub strip_prefix: bool,
    pub upstreams: Vec<Upstream>,
    /// Known operations: documented ones first, then learned ones.
    pub operations: Vec<BundleOperation>,
    /// Names of headers and query parameters that carry a credential here, besides the usual ones.
    pub credential_names: Vec<String>,
    /// Durable recording for the whole service.
    pub durable: bool,
    /// What is enforced here; a service without it is only observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// A draft that is tried beside it: whatever its modes, it only flags, with `draft:` before its rules' names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Protection>,
}

/// What a gateway enforces in front of one service, control by control. A control that is absent is off. Tables by
/// operation run parallel to [`BundleService::operations`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Protection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<network::NetworkPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<identity::ServiceIdentity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<limits::LimitPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<authorization::AuthorizationPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<contract::ContractPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaks: Option<leaks::LeakPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<answers::AnswerPolicy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upstream {
    /// Host name or address.
    pub host: String,
    pub port: u16,
    pub tls: Option<UpstreamTls>,
    pub protocol: UpstreamProtocol,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpstreamTls {
    /// Name to verify and to send as SNI.
    pub server_name: String,
    /// PEM file of trusted roots; the system's when absent.
    pub ca_file: Option<String>,
    /// What the gateway proves itself with, where the upstream asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<CertificateFiles>,
    /// Hex SHA-256 of public keys (SubjectPublicKeyInfo): besides being verified, the upstream must hold one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpstreamProtocol {
    /// HTTP/2 when ALPN says so, else HTTP/1.1; in clear text HTTP/1.1, and HTTP/2 for gRPC.
    #[default]
    Auto,
    Http1,
    Http2,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleOperation {
    pub id: OperationId,
    pub method: Arc<str>,
    pub template: Template,
    /// From a specification, not learned.
    pub documented: bool,
    /// The response's end waits for the sync of its record.
    pub durable: bool,
}

/// A class of data that the user adds: a pattern, a dictionary, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomClass {
    pub class: DataClass,
    /// Such as `business secret`.
    pub label: String,
    pub pattern: Option<String>,
    pub words: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inspection {
    /// Bytes of each body that are inspected.
    pub body_bytes: u32,
}

impl Default for Inspection {
    fn default() -> Self {
        Self { body_bytes: 64 * 1024 }
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeouts {
    /// For a whole request head.
    pub head_ms: u64,
    /// For a connection without a request, and between bytes of a body.
    pub idle_ms: u64,
    pub connect_ms: u64,
    /// From the request's end to the response's head.
    pub upstream_ms: u64,
    /// For open calls after SIGTERM.
    pub drain_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { head_ms: 10_000, idle_ms: 75_000, connect_ms: 5_000, upstream_ms: 60_000, drain_ms: 30_000 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionLimits {
    pub connections: u32,
    /// Open connections of one address (IPv6: of one /64); trusted proxies have no such bound. 0: none.
    #[serde(default = "default_connections_per_address")]
    pub connections_per_address: u32,
    /// TLS handshakes of one address each second, and as many again at once. Trusted proxies have no such bound. 0: none.
    #[serde(default = "default_handshakes_per_second")]
    pub handshakes_per_second: u32,
    /// HTTP/2 streams of one connection that its client may reset in ten seconds (CVE-2023-44487). 0: none.
    #[serde(default = "default_resets")]
    pub resets: u32,
    /// Bytes of a request's body each second, on average after [`ConnectionLimits::body_grace_ms`]. 0: any.
    #[serde(default = "default_body_rate")]
    pub body_bytes_per_second: u32,
    #[serde(default = "default_body_grace")]
    pub body_grace_ms: u32,
    pub head_bytes: u32,
    pub headers: u16,
    /// Concurrent HTTP/2 streams of one connection.
    pub streams: u32,
    /// Idle upstream connections kept, each upstream.
    pub idle_upstream: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: default_connections_per_address(),
            handshakes_per_second: default_handshakes_per_second(),
            resets: default_resets(),
            body_bytes_per_second: default_body_rate(),
            body_grace_ms: default_body_grace(),
            head_bytes: 32 * 1024,
            headers: 100,
            streams: 128,
            idle_upstream: 64,
        }
    }
}

const fn default_connections_per_address() -> u32 {
    1_024
}
const fn default_handshakes_per_second() -> u32 {
    500
}
const fn default_resets() -> u32 {
    200
}
const fn default_body_rate() -> u32 {
    128
}
const fn default_body_grace() -> u32 {
    20_000
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forwarding {
    /// CIDR blocks of proxies whose `Forwarded` and `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordPolicy {
    pub on_full: OnRecordFailure,
}

impl Default for RecordPolicy {
    fn default() -> Self {
        Self { on_full: OnRecordFailure::Pass }
    }
}

/// What happens to traffic while records cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnRecordFailure {
    /// Traffic passes, the gap is counted and signed.
    Pass,
    /// Traffic is refused with 503.
    Refuse,
}
