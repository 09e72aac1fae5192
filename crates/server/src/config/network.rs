//! `protect.network`: from where calls may come, and what stands before the upstream.

use std::path::PathBuf;

use probity_model::EnforcementMode;
use probity_reader::config::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From where calls may come, and what stands before the upstream.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// Where calls may come from; all rules about an operation must let an address through.
    pub origins: Vec<OriginConfig>,
    /// File in MaxMind DB format (GeoLite2 and the like), for countries.
    pub country_file: Option<PathBuf>,
    pub maintenance: Option<MaintenanceConfig>,
    /// Operations that the newest specification no longer has, or whose `x-sunset` has passed, are answered 410; those
    /// that have it ahead are announced with `Deprecation` and `Sunset`.
    pub retire: bool,
    pub retries: Option<RetriesConfig>,
    pub breaker: Option<BreakerConfig>,
    pub health: Option<HealthConfig>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OriginConfig {
    /// In records: `office-only`.
    pub name: String,
    /// `METHOD /path` with `*` and `**`; all operations, known or not, when empty.
    pub operations: Vec<String>,
    /// CIDR blocks; where any is given, what fits none is refused.
    pub allow: Vec<String>,
    /// CIDR blocks; counts before `allow`.
    pub deny: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub allow_countries: Vec<String>,
    pub deny_countries: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceConfig {
    /// All operations when empty.
    #[serde(default)]
    pub operations: Vec<String>,
    /// RFC 3339; announced in `Retry-After`.
    #[serde(default)]
    pub until: Option<String>,
    #[serde(default = "default_text")]
    pub text: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetriesConfig {
    /// Besides the first try.
    pub attempts: u8,
    /// Retries for each hundred calls.
    pub budget_percent: u8,
    /// Answers of 502, 503 and 504 are tried again as well.
    pub on_status: bool,
}

impl Default for RetriesConfig {
    fn default() -> Self {
        Self { attempts: 1, budget_percent: 20, on_status: false }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// In a row.
    pub failures: u32,
    /// How long an upstream is left alone.
    pub open: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, open: Duration::from_millis(10_000) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// Asked of each upstream with GET; anything below 400 is healthy.
    pub path: String,
    #[serde(default = "default_every")]
    pub every: Duration,
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// Failures in a row that take an upstream out.
    #[serde(default = "default_unhealthy")]
    pub unhealthy: u32,
    /// Successes in a row that take it in again.
    #[serde(default = "default_healthy")]
    pub healthy: u32,
}

fn default_text() -> String {
    "the service is being worked on".to_owned()
}
fn default_every() -> Duration {
    Duration::from_millis(5_000)
}
fn default_timeout() -> Duration {
    Duration::from_millis(2_000)
}
fn default_unhealthy() -> u32 {
    3
}
fn default_healthy() -> u32 {
    2
}
