//! How often, how much and how many at once: limits by caller, quotas by the calendar, and what repeated failures lead to.
//!
//! The arithmetic is `probity-policy`'s, what is counted where is the gateway's.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Most limits of one service, and most escalations.
pub const MAX_LIMITS: usize = 64;
/// Most keys that one limit joins.
pub const MAX_KEYS: usize = 6;
/// Most steps of one escalation.
pub const MAX_STEPS: usize = 8;
/// The highest number of different names or addresses that a step may wait for: beyond it the estimate is worth little.
pub const MAX_DISTINCT: u32 = 100;

/// Fields that the answer of a challenge may set beside its content type.
pub const CHALLENGE_FIELDS: [&str; 8] = [
    "content-language",
    "content-security-policy",
    "link",
    "referrer-policy",
    "refresh",
    "set-cookie",
    "www-authenticate",
    "x-frame-options",
];

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitPolicy {
    pub mode: EnforcementMode,
    /// Judged in this order; the first that refuses ends the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Answers carry `RateLimit` and `RateLimit-Policy`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announce: bool,
    /// Operations that prove a person: their 401 and 403 are failed sign-ins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sign_in: Vec<SignIn>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalations: Vec<Escalation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Letters, digits, `-` and `_`: it stands in header fields and in decisions.
    pub name: Arc<str>,
    pub mode: EnforcementMode,
    /// What is counted apart; everything together when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<LimitKey>,
    #[serde(default, skip_serializing_if = "LimitMatch::is_any")]
    pub applies: LimitMatch,
    pub algorithm: LimitAlgorithm,
    #[serde(default)]
    pub cost: LimitCost,
}

/// What callers are told apart by. A call that lacks it (no credential, no such header) is counted by its address, so
/// that leaving a credential out never wins allowance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKey {
    /// The consumer, else the principal itself (issuer and subject).
    Consumer,
    /// One key, token or certificate.
    Credential,
    /// The client's address; of IPv6 the first 64 bits.
    Address,
    Operation,
    Service,
    Tenant,
    /// An attribute of the principal, by name.
    Claim(Arc<str>),
    /// The value of a request header, by name in lower case. Only its keyed hash is kept.
    Header(Arc<str>),
}

/// Which calls a limit counts; every one when nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LimitMatch {
    /// Positions in the service's operations; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Arc<str>>,
    /// Principals with one of these roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Arc<str>>,
    /// Only calls without a proved caller.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitAlgorithm {
    /// So many at once, then so many each period (GCRA).
    TokenBucket { burst: u32, rate: u32, per_ms: u64 },
    /// So many in any window of this length.
    SlidingWindow { limit: u32, window_ms: u64 },
    /// So many each day or month of the calendar; survives a restart.
    Quota {
        limit: u64,
        period: QuotaPeriod,
        /// When the clock of its time zone changed and will change; UTC when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        zone: Vec<ZoneOffset>,
    },
    /// So many at the same moment.
    Concurrency { limit: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaPeriod {
    Day,
    Month,
}

/// From a moment on, local time is this much ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZoneOffset {
    /// Unix seconds.
    pub from: i64,
    pub offset_seconds: i32,
}

/// What one call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LimitCost {
    pub call: u32,
    /// For every begun 1,024 bytes of the request's body. A body of unknown length is charged when it has ended.
    #[serde(skip_serializing_if = "is_zero")]
    pub request_kib: u32,
}

impl Default for LimitCost {
    fn default() -> Self {
        Self { call: 1, request_kib: 0 }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An operation that proves a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignIn {
    /// Position in the service's operations.
    pub operation: u32,
    /// Where the request names the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<NameSource>,
}

/// Where a sign-in names the account. Only keyed hashes of it are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameSource {
    /// A JSON pointer into a JSON body, or the name of a form field where the body is a form.
    Body(Arc<str>),
    /// A request header, in lower case.
    Header(Arc<str>),
}

/// What repeated failures lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Escalation {
    pub name: Arc<str>,
    pub mode: EnforcementMode,
    pub watch: Watch,
    pub by: EscalationKey,
    pub window_ms: u64,
    /// In rising order of `after`.
    pub steps: Vec<EscalationStep>,
}

/// What counts as a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// Answers with one of these statuses, from the upstream or the gateway.
    Statuses(Vec<u16>),
    /// Failed sign-ins.
    SignIn,
    /// Different account names in failed sign-ins: many accounts tried from one place.
    Names,
    /// Different addresses in failed sign-ins: one account tried from many places.
    Addresses,
}

/// Whose failures are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EscalationKey {
    Address,
    Credential,
    Consumer,
    /// The account that a sign-in names.
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EscalationStep {
    /// From this many failures in the window on.
    pub after: u32,
    pub action: EscalationAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EscalationAction {
    /// Further calls are flagged.
    Mark,
    /// Further calls wait this long.
    Slow { ms: u32 },
    /// Further calls get the operator's challenge until they carry a pass.
    Challenge,
    /// All calls are refused for this long.
    Block { ms: u64 },
    /// The token counts no longer in any service, and calls of its caller are refused here for this long.
    Revoke { ms: u64 },
}

/// What a caller is answered that has to show it is no machine. The operator's own page gives out passes:
/// `EXPIRY.HMAC`, the expiry in Unix seconds, then the hex of HMAC-SHA-256 with the shared key over
/// `probity-challenge-v1\n`, the expiry, `\n` and the client's address (IPv4 whole, IPv6 as `2001:db8:1:2::/64`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// File with the key, 16 bytes or more; its content never enters a bundle.
    pub key_file: String,
    /// Cookie or header that carries the pass.
    pub pass: PassPlace,
    pub answer: ChallengeAnswer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PassPlace {
    Cookie(Arc<str>),
    /// In lower case.
    Header(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChallengeAnswer {
    /// 303 to there.
    Redirect(Arc<str>),
    Body {
        status: u16,
        content_type: Arc<str>,
        body: Arc<str>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<(Arc<str>, Arc<str>)>,
    },
}

impl LimitMatch {
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every call of an operation is counted, whoever makes it.
    pub fn covers(&self, operation: usize, method: &str) -> bool {
        let named = self.operations.as_ref().is_none_or(|operations| {
            u32::try_from(operation).is_ok_and(|operation| operations.contains(&operation))
        });
        let fits = self.methods.is_empty() || self.methods.iter().any(|each| **each == *method);
        named && fits && self.roles.is_empty()
    }
}

/// What a policy says of one operation, for the checks that ask whether limits stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationLimits {
    /// Limits on how often, in block mode, that count every caller or every caller without a proof.
    pub rate: Vec<Arc<str>>,
    /// Those on how many at once.
    pub concurrency: Vec<Arc<str>>,
    /// Limits that only mark.
    pub soft: Vec<Arc<str>>,
    /// The operation proves a person.
    pub sign_in: bool,
    /// Tries after which failed sign-ins are refused, and for how many milliseconds; the strictest that stands.
    pub lockout: Option<(u32, u64)>,
}

/// What a policy says of the operation at this place among its service's.
pub fn describes(policy: &LimitPolicy, operation: usize, method: &str) -> OperationLimits {
    let mut found = OperationLimits::default();
    if policy.mode == EnforcementMode::Off {
        return found;
    }
    for limit in policy.limits.iter().filter(|limit| limit.applies.covers(operation, method)) {
        let list = match (weaker(policy.mode, limit.mode), &limit.algorithm) {
            (EnforcementMode::Off, _) => continue,
            (EnforcementMode::Observe, _) => &mut found.soft,
            (EnforcementMode::Block, LimitAlgorithm::Concurrency { .. }) => &mut found.concurrency,
            (EnforcementMode::Block, _) => &mut found.rate,
        };
        list.push(Arc::clone(&limit.name));
    }
    found.sign_in = policy.sign_in.iter().any(|sign_in| usize::try_from(sign_in.operation) == Ok(operation));
    if found.sign_in {
        let standing = policy.escalations.iter().filter(|escalation| {
            escalation.watch == Watch::SignIn
                && weaker(policy.mode, escalation.mode) == EnforcementMode::Block
        });
        found.lockout = standing
            .flat_map(|escalation| &escalation.steps)
            .filter_map(|step| match step.action {
                EscalationAction::Block { ms } => Some((step.after, ms)),
                _ => None,
            })
            .min();
    }
    found
}

/// The mode that is left of a part's own mode inside a whole.
pub const fn weaker(whole: EnforcementMode, part: EnforcementMode) -> EnforcementMode {
    match (whole, part) {
        (EnforcementMode::Off, _) | (_, EnforcementMode::Off) => EnforcementMode::Off,
        (EnforcementMode::Observe, _) | (_, EnforcementMode::Observe) => EnforcementMode::Observe,
        (EnforcementMode::Block, EnforcementMode::Block) => EnforcementMode::Block,
    }
}

/// The offsets of a time zone from one moment to another (Unix seconds), from the bytes of its TZif file (RFC 9636).
/// `None` when they are no such file.
pub fn zone_offsets(name: &str, tzif: &[u8], from: i64, until: i64) -> Option<Vec<ZoneOffset>> {
    let zone = jiff::tz::TimeZone::tzif(name, tzif).ok()?;
    let (start, end) = (jiff::Timestamp::from_second(from).ok()?, jiff::Timestamp::from_second(until).ok()?);
    let first = ZoneOffset { from: i64::MIN, offset_seconds: zone.to_offset(start).seconds() };
    let changes = zone.following(start).take_while(|change| change.timestamp() <= end).map(|change| {
        ZoneOffset { from: change.timestamp().as_second(), offset_seconds: change.offset().seconds() }
    });
    let mut offsets = vec![first];
    for change in changes {
        if offsets.last().is_none_or(|last| last.offset_seconds != change.offset_seconds) {
            offsets.push(change);
        }
    }
    Some(offsets)
}

#[cfg(test)]
mod tests;
