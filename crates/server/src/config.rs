//! `probity.yaml`: its shape, and what each key means. Reading with places is `probity-reader`'s; compiling it into
//! what a gateway enforces is [`crate::bundle`]'s.

pub mod answers;
pub mod authorization;
pub mod contract;
pub mod identity;
pub mod leaks;
pub mod limits;
pub mod network;
pub mod transport;

use std::path::PathBuf;

use probity_model::decision::EnforcementMode;
use probity_model::{FrameworkId, ServiceId, Severity};
use probity_reader::config::{ByteSize, Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration of one Probity: what it stands in front of, what it keeps, whom it tells.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Version of this file's shape; 1.
    pub version: u32,
    /// Name of the organisation that the evidence is about.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// Folder for records, ledger and store, relative to this file.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    #[serde(default)]
    pub gateway: GatewayConfig,
    /// Who may call, for every service.
    #[serde(default)]
    pub identity: identity::IdentityConfig,
    /// The APIs that Probity stands in front of.
    pub services: Vec<ServiceConfig>,
    /// Classes of data besides the built-in ones.
    #[serde(default)]
    pub classes: Vec<ClassConfig>,
    #[serde(default)]
    pub inventory: InventoryConfig,
    #[serde(default)]
    pub events: EventsConfig,
    #[serde(default)]
    pub store: StoreConfig,
    #[serde(default)]
    pub alerts: AlertsConfig,
    #[serde(default)]
    pub telemetry: transport::TelemetryConfig,
    /// Frameworks to judge; every one of the catalogue when empty.
    #[serde(default)]
    pub frameworks: Vec<FrameworkId>,
    /// Boundaries of assessments; one scope over everything when empty.
    #[serde(default)]
    pub scopes: Vec<ScopeConfig>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Name of this gateway in records.
    pub id: String,
    pub listen: Vec<ListenConfig>,
    /// `address:port` of /livez, /readyz and /metrics; none when absent.
    pub admin: Option<String>,
    /// CIDR blocks of proxies whose `Forwarded` and `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<String>,
    pub timeouts: TimeoutsConfig,
    pub limits: LimitsConfig,
    /// Bytes of each body that are inspected.
    pub inspect: ByteSize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            id: "gw-1".to_owned(),
            listen: vec![ListenConfig {
                name: None,
                address: "127.0.0.1:8080".to_owned(),
                tls: None,
                clear_text: false,
                proxy_protocol: None,
            }],
            admin: Some("127.0.0.1:9901".to_owned()),
            trusted_proxies: Vec::new(),
            timeouts: TimeoutsConfig::default(),
            limits: LimitsConfig::default(),
            inspect: ByteSize(64 * 1024),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenConfig {
    #[serde(default)]
    pub name: Option<String>,
    /// `address:port`; port 0 lets the system choose.
    pub address: String,
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Clear text beyond loopback: must be asked for, and becomes a finding.
    #[serde(default)]
    pub clear_text: bool,
    /// Connections begin with a PROXY protocol header.
    #[serde(default)]
    pub proxy_protocol: Option<transport::ProxyProtocolConfig>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate chain, relative to this file.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Further certificates, chosen by the name that clients ask for; the first of all is the default.
    #[serde(default)]
    pub certificates: Vec<transport::CertificateConfig>,
    /// Refuse handshakes for names that no certificate has, and for none.
    #[serde(default)]
    pub strict_sni: bool,
    /// With `--dev` only: a certificate made at the start, in the data folder under `self-signed`.
    #[serde(default)]
    pub self_signed: bool,
    /// Ask clients for a certificate; what its names mean, `identity.consumers` says.
    #[serde(default)]
    pub client: Option<transport::ClientAuthConfig>,
    /// Lowest version that is negotiated: "1.2" or "1.3".
    #[serde(default = "default_minimum")]
    pub minimum: probity_model::bundle::TlsVersion,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// For a whole request head.
    pub head: Duration,
    /// For a connection without a request, and between bytes of a body.
    pub idle: Duration,
    pub connect: Duration,
    /// From the request's end to the response's head.
    pub upstream: Duration,
    /// For open calls after SIGTERM.
    pub drain: Duration,
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        let timeouts = probity_model::bundle::Timeouts::default();
        Self {
            head: Duration::from_millis(timeouts.head_ms),
            idle: Duration::from_millis(timeouts.idle_ms),
            connect: Duration::from_millis(timeouts.connect_ms),
            upstream: Duration::from_millis(timeouts.upstream_ms),
            drain: Duration::from_millis(timeouts.drain_ms),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    pub connections: u32,
    /// Open connections of one address; trusted proxies have no such bound. 0: none.
    pub connections_per_address: u32,
    /// TLS handshakes of one address each second. 0: any.
    pub handshakes_per_second: u32,
    /// HTTP/2 streams of one connection that its client may reset in ten seconds. 0: any.
    pub resets: u32,
    /// Bytes of a request's body each second, on average once `body_grace` is over. 0: any.
    pub body_rate: ByteSize,
    pub body_grace: Duration,
    /// Size of a request head.
    pub head: ByteSize,
    pub headers: u16,
    /// Concurrent HTTP/2 streams of one connection.
    pub streams: u32,
    /// Idle connections kept to each upstream.
    pub idle_upstream: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let limits = probity_model::bundle::ConnectionLimits::default();
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            handshakes_per_second: limits.handshakes_per_second,
            resets: limits.resets,
            body_rate: ByteSize(u64::from(limits.body_bytes_per_second)),
            body_grace: Duration::from_millis(u64::from(limits.body_grace_ms)),
            head: ByteSize(u64::from(limits.head_bytes)),
            headers: limits.headers,
            streams: limits.streams,
            idle_upstream: limits.idle_upstream,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    pub name: ServiceId,
    /// Hosts without port, `*.example.com`; any host when empty.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Path prefix; the longest that fits wins.
    #[serde(default = "default_path")]
    pub path: String,
    /// Cut the prefix off before the call goes upstream.
    #[serde(default)]
    pub strip_path: bool,
    pub upstreams: Vec<UpstreamConfig>,
    /// OpenAPI documents, relative to this file; the newest version counts, older ones tell what was removed.
    #[serde(default)]
    pub specifications: Vec<PathBuf>,
    /// CODEOWNERS file whose entry for the specification names an owner.
    #[serde(default)]
    pub codeowners: Option<PathBuf>,
    /// Accountable owner of operations that name none.
    #[serde(default)]
    pub owner: Option<String>,
    /// `production`, `test` or another: credentials of another environment are refused where callers are proved.
    #[serde(default)]
    pub environment: Option<String>,
    /// Who calls it: public, partner, internal or sandbox.
    #[serde(default)]
    pub audience: Option<Audience>,
    #[serde(default)]
    pub criticality: Option<String>,
    #[serde(default)]
    pub record: RecordMode,
    /// Operations (`POST /v2/payments`) recorded durably: the response's end waits for the sync.
    #[serde(default)]
    pub durable: Vec<String>,
    /// Header and query names that carry a credential here, besides the usual ones.
    #[serde(default)]
    pub credential_names: Vec<String>,
    /// What is enforced here; a service without it is only observed.
    #[serde(default)]
    pub protect: Option<ProtectConfig>,
}

/// Controls in front of one service. A section that is absent is off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectConfig {
    /// Of every section that names none: `off`, `observe` (record what would be refused) or `block`.
    pub mode: EnforcementMode,
    pub network: Option<network::NetworkConfig>,
    pub identity: Option<identity::ServiceIdentityConfig>,
    pub limits: Option<limits::LimitsPolicyConfig>,
    pub authorization: Option<authorization::AuthorizationConfig>,
    pub contract: Option<contract::ContractConfig>,
    pub leaks: Option<leaks::LeaksConfig>,
    pub answers: Option<answers::AnswersConfig>,
}

impl Default for ProtectConfig {
    fn default() -> Self {
        Self {
            mode: EnforcementMode::Observe,
            network: None,
            identity: None,
            limits: None,
            authorization: None,
            contract: None,
            leaks: None,
            answers: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    Public,
    Partner,
    Internal,
    Sandbox,
}

impl Audience {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Partner => "partner",
            Self::Internal => "internal",
            Self::Sandbox => "sandbox",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// `http://host:port` or `https://host:port`, without a path.
    pub url: String,
    /// PEM file of trusted roots; the system's when absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Name to verify, when it differs from the URL's host.
    #[serde(default)]
    pub server_name: Option<String>,
    /// PEM file with the certificate chain that the gateway shows, where the upstream asks for one.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    /// SHA-256 of public keys (SubjectPublicKeyInfo), in hex or base64: the upstream must hold one of them.
    #[serde(default)]
    pub pin_sha256: Vec<String>,
    #[serde(default)]
    pub protocol: probity_model::bundle::UpstreamProtocol,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordMode {
    /// Traffic does not wait for its record.
    #[default]
    Async,
    /// The response's end waits until the record is synced.
    Durable,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    pub id: String,
    /// Such as `business secret`.
    pub label: String,
    /// Regular expression over values.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Words to find.
    #[serde(default)]
    pub words: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InventoryConfig {
    /// A documented operation without traffic is an orphan after so long.
    pub window: Duration,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self { window: Duration::from_millis(30 * 24 * 3_600 * 1_000) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventsConfig {
    pub keep: KeepConfig,
    /// What happens to traffic while records cannot be kept: `pass` (the gap is counted and signed) or `refuse`.
    pub on_full: probity_model::bundle::OnRecordFailure,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { keep: KeepConfig::default(), on_full: probity_model::bundle::OnRecordFailure::Pass }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeepConfig {
    pub days: u32,
    pub bytes: ByteSize,
}

impl Default for KeepConfig {
    fn default() -> Self {
        Self { days: 400, bytes: ByteSize(50 * 1024 * 1024 * 1024) }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `postgres://user:password@host/database`; SQLite in the data folder when absent.
    pub url: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    pub webhooks: Vec<WebhookConfig>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    pub url: String,
    /// File with the signing secret, `whsec_` and base64 (Standard Webhooks), relative to this file.
    pub secret_file: PathBuf,
    /// Findings below this severity are not sent.
    #[serde(default = "default_alert_severity")]
    pub severity: Severity,
    /// Loopback and private addresses are refused unless this is true.
    #[serde(default)]
    pub allow_private: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeConfig {
    pub name: String,
    /// Frameworks that it counts for; all when empty.
    #[serde(default)]
    pub frameworks: Vec<FrameworkId>,
    /// Services inside it.
    pub services: Vec<ServiceId>,
}

fn default_tenant() -> String {
    "default".to_owned()
}
fn default_data() -> PathBuf {
    PathBuf::from("probity-data")
}
fn default_path() -> String {
    "/".to_owned()
}
fn default_minimum() -> probity_model::bundle::TlsVersion {
    probity_model::bundle::TlsVersion::V1_3
}
fn default_alert_severity() -> Severity {
    Severity::High
}

/// Every control in the gateway has a mode; in this version the gateway observes.
pub const GATEWAY_MODE: EnforcementMode = EnforcementMode::Observe;

/// JSON Schema of `probity.yaml`.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    serde_json::to_value(generator.into_root_schema_for::<Config>()).unwrap_or_default()
}
