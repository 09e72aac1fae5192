//! From where, and what stands before the upstream: addresses, countries, maintenance, retired operations, retries,
//! circuit breaker, health checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EnforcementMode, Timestamp};

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkPolicy {
    pub mode: EnforcementMode,
    /// All that are about an operation must let an address through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<OriginRule>,
    /// File in MaxMind DB format, for rules about countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_file: Option<String>,
    /// The service is being worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// Operations that were removed or are to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
}

/// Where calls of some operations may come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginRule {
    pub name: String,
    /// Positions in the service's list; `None` for all, unknown ones too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<u32>>,
    /// CIDR blocks. Where any allow is given, what fits none is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Counts before allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_countries: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_countries: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// `None` for all operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<u32>>,
    /// Announced in `Retry-After`; the answer is 503 whatever the clock says.
    pub until: Option<Timestamp>,
    pub text: String,
}

/// An operation past its sunset is answered 410; one that has it ahead is announced (RFC 8594, RFC 9745).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    pub operation: u32,
    /// Gone from the newest specification.
    pub removed: bool,
    pub deprecated: bool,
    pub sunset: Option<Timestamp>,
    /// What to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// Sending idempotent calls again, to the next upstream, when one failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Besides the first try.
    pub attempts: u8,
    /// Retries for each hundred calls; at most ten are saved up, and without one nothing is sent again.
    pub budget_percent: u8,
    /// Answers of 502, 503 and 504 are tried again as well.
    pub on_status: bool,
}

/// An upstream that keeps failing is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// In a row: no connection, no answer, or 502, 503, 504.
    pub failures: u32,
    pub open_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    pub path: String,
    pub every_ms: u64,
    pub timeout_ms: u64,
    /// In a row, to be taken out and to be taken in again.
    pub unhealthy: u32,
    pub healthy: u32,
}
