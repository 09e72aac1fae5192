//! `protect.limits`: how often, how much and how many at once, and what repeated failures lead to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use probity_model::EnforcementMode;
use probity_model::bundle::limits::{EscalationKey, QuotaPeriod};
use probity_reader::config::Duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How often, how much and how many at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsPolicyConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// Answers carry `RateLimit` and `RateLimit-Policy`.
    pub announce: bool,
    /// Judged in this order; the first that refuses ends the call.
    pub rules: Vec<LimitConfig>,
    /// Operations that prove a person: their 401 and 403 are failed sign-ins.
    pub sign_in: Vec<SignInConfig>,
    /// What repeated failures lead to.
    pub escalations: Vec<EscalationConfig>,
    /// What a caller is answered that has to show it is no machine.
    pub challenge: Option<ChallengeConfig>,
}

/// One limit: exactly one of `rate`, `sliding`, `quota` and `concurrency`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// Letters, digits, `-` and `_`; stands in header fields and in decisions.
    pub name: String,
    /// That of `protect.limits` when absent; `observe` makes a soft limit that only marks.
    #[serde(default)]
    pub mode: Option<EnforcementMode>,
    /// What is counted apart: `consumer`, `credential`, `address`, `operation`, `service`, `tenant`, `claim:NAME`,
    /// `header:NAME`. A call that lacks it is counted by its address. Everything together when empty.
    #[serde(default)]
    pub by: Vec<String>,
    /// Operations (`POST /v2/payments`) that it counts; all when empty.
    #[serde(default)]
    pub operations: Vec<String>,
    #[serde(default)]
    pub methods: Vec<String>,
    /// Only principals with one of these roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Only calls without a proved caller.
    #[serde(default)]
    pub anonymous: bool,
    /// Token bucket: `100/s`, `10/1m`.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// Calls at once, with `rate`; as many as in one second of it when absent.
    #[serde(default)]
    pub burst: Option<u32>,
    /// So many in any window of this length: `30/1m`.
    #[serde(default)]
    pub sliding: Option<Rate>,
    /// So many each `day` or `month` of the calendar; survives a restart: `10000/day`.
    #[serde(default)]
    pub quota: Option<QuotaAmount>,
    /// Time zone of the quota's calendar, such as `Europe/Vienna` or `+02:00`; UTC when absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// So many at the same moment.
    #[serde(default)]
    pub concurrency: Option<u32>,
    #[serde(default)]
    pub cost: CostConfig,
}

/// What one call takes of a limit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CostConfig {
    pub call: u32,
    /// For every begun 1,024 bytes of the request's body.
    pub request_kib: u32,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self { call: 1, request_kib: 0 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// `POST /login`.
    pub operation: String,
    /// Where the request names the account: a JSON pointer (`/username`), the name of a form field, or `header:NAME`.
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationConfig {
    pub name: String,
    /// That of `protect.limits` when absent.
    #[serde(default)]
    pub mode: Option<EnforcementMode>,
    pub watch: WatchConfig,
    pub by: EscalationKey,
    /// In which failures add up.
    pub window: Duration,
    /// In rising order of `after`.
    pub steps: Vec<StepConfig>,
}

/// `sign-in`, `names` (different accounts in failed sign-ins), `addresses` (different addresses in failed sign-ins), or a
/// list of statuses.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WatchConfig {
    Kind(WatchKind),
    Statuses(Vec<u16>),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WatchKind {
    SignIn,
    Names,
    Addresses,
}

/// From `after` failures on: exactly one of the others.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    pub after: u32,
    /// Further calls are flagged.
    #[serde(default)]
    pub mark: bool,
    /// Further calls wait so long.
    #[serde(default)]
    pub slow: Option<Duration>,
    /// Further calls get the challenge until they carry a pass.
    #[serde(default)]
    pub challenge: bool,
    /// All calls are refused for so long.
    #[serde(default)]
    pub block: Option<Duration>,
    /// The token counts no longer in any service, and calls of its caller are refused here for so long.
    #[serde(default)]
    pub revoke: Option<Duration>,
}

/// Exactly one of `cookie` and `header`, and of `redirect` and `body`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeConfig {
    /// File with the key that passes are signed with, 16 bytes or more, relative to this file.
    pub key: PathBuf,
    /// Cookie that carries the pass.
    #[serde(default)]
    pub cookie: Option<String>,
    /// Header that carries the pass.
    #[serde(default)]
    pub header: Option<String>,
    /// Where the operator's challenge is.
    #[serde(default)]
    pub redirect: Option<String>,
    #[serde(default = "default_status")]
    pub status: u16,
    #[serde(default = "default_content_type")]
    pub content_type: String,
    #[serde(default)]
    pub body: Option<String>,
    /// Further header fields of the answer, by name.
    #[serde(default)]
    pub fields: std::collections::BTreeMap<String, String>,
}

fn default_status() -> u16 {
    403
}
fn default_content_type() -> String {
    "text/html; charset=utf-8".to_owned()
}

/// `100/s`, `30/1m`, `5/10s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}

/// `10000/day`, `250000/month`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaAmount {
    pub count: u64,
    pub period: QuotaPeriod,
}

/// Why an amount cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("`{0}` is no rate, expected one such as `100/s`, `30/1m` or `5/10s`")]
    Rate(String),
    #[error("`{0}` is no quota, expected one such as `10000/day` or `250000/month`")]
    Quota(String),
}

impl FromStr for Rate {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError::Rate(text.to_owned());
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let per = per.trim();
        let one = if per.starts_with(|first: char| first.is_ascii_digit()) { "" } else { "1" };
        let per: Duration = format!("{one}{per}").parse().map_err(|_| wrong())?;
        if per.as_millis() == 0 { Err(wrong()) } else { Ok(Self { count, per }) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per)
    }
}

impl FromStr for QuotaAmount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError::Quota(text.to_owned());
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let period = match period.trim() {
            "day" => QuotaPeriod::Day,
            "month" => QuotaPeriod::Month,
            _ => return Err(wrong()),
        };
        Ok(Self { count, period })
    }
}

impl fmt::Display for QuotaAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period {
            QuotaPeriod::Day => "day",
            QuotaPeriod::Month => "month",
        };
        write!(f, "{}/{period}", self.count)
    }
}

macro_rules! as_text {
    ($type:ident, $pattern:literal, $example:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

as_text!(Rate, "^[0-9]+/([0-9]*(w|d|h|m|s|ms))+$", "100/s");
as_text!(QuotaAmount, "^[0-9]+/(day|month)$", "10000/day");
