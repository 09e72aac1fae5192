//! Compiles `protect.limits`: amounts into algorithms, names of operations into their places, a time zone into offsets.

use std::collections::HashSet;
use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::limits::{
    CHALLENGE_FIELDS, Challenge, ChallengeAnswer, Escalation, EscalationAction, EscalationKey,
    EscalationStep, Limit, LimitAlgorithm, LimitCost, LimitKey, LimitMatch, LimitPolicy, MAX_DISTINCT,
    MAX_KEYS, MAX_LIMITS, MAX_STEPS, NameSource, PassPlace, SignIn, Watch, ZoneOffset, zone_offsets,
};

use super::Context;
use crate::config::limits::{
    ChallengeConfig, EscalationConfig, LimitConfig, LimitsPolicyConfig, SignInConfig, StepConfig,
    WatchConfig, WatchKind,
};

/// Where the system keeps its time zones.
const ZONES: &str = "/usr/share/zoneinfo";
/// Largest file of a time zone that is read.
const MAX_ZONE_BYTES: u64 = 256 * 1024;
/// The years whose changes of a clock are worked out, 2026 to 2056: fixed, so that the same configuration compiles to
/// the same bundle on any day.
const ZONE_FROM: i64 = 1_767_225_600;
const ZONE_UNTIL: i64 = 2_713_910_400;
/// Longest name of a limit.
const MAX_NAME: usize = 64;

pub(super) fn compile(
    context: &Context<'_>,
    config: &LimitsPolicyConfig,
) -> Result<Option<LimitPolicy>, String> {
    let Some(mode) = context.mode(config.mode) else { return Ok(None) };
    for (what, count) in [("rules", config.rules.len()), ("escalations", config.escalations.len())] {
        if count > MAX_LIMITS {
            return Err(format!("{count} {what}, expected at most {MAX_LIMITS}"));
        }
    }
    let mut names = HashSet::new();
    let all =
        config.rules.iter().map(|rule| &rule.name).chain(config.escalations.iter().map(|each| &each.name));
    for name in all {
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if name.is_empty() || name.len() > MAX_NAME || !letters {
            return Err(format!("name `{name}`: expected letters, digits, `-` and `_`"));
        }
        if !names.insert(name) {
            return Err(format!("name `{name}` is there twice"));
        }
    }
    let rule = |rule: &LimitConfig| {
        limit(context, rule, mode).map_err(|error| format!("rule `{}`: {error}", rule.name))
    };
    let escalation = |each: &EscalationConfig| {
        escalation(each, config, mode).map_err(|error| format!("escalation `{}`: {error}", each.name))
    };
    Ok(Some(LimitPolicy {
        mode,
        limits: config.rules.iter().map(rule).collect::<Result<_, _>>()?,
        announce: config.announce,
        sign_in: config.sign_in.iter().map(|each| sign_in(context, each)).collect::<Result<_, _>>()?,
        escalations: config.escalations.iter().map(escalation).collect::<Result<_, _>>()?,
        challenge: config
            .challenge
            .as_ref()
            .map(|each| challenge(context, each).map_err(|error| format!("challenge: {error}")))
            .transpose()?,
    }))
}

fn limit(context: &Context<'_>, config: &LimitConfig, whole: EnforcementMode) -> Result<Limit, String> {
    if config.by.len() > MAX_KEYS {
        return Err(format!("{} keys, expected at most {MAX_KEYS}", config.by.len()));
    }
    let algorithm = algorithm(config)?;
    let most = match &algorithm {
        LimitAlgorithm::TokenBucket { burst, .. } => u64::from(*burst),
        LimitAlgorithm::SlidingWindow { limit, .. } | LimitAlgorithm::Concurrency { limit } => {
            u64::from(*limit)
        }
        LimitAlgorithm::Quota { limit, .. } => *limit,
    };
    if u64::from(config.cost.call) > most {
        return Err(format!("a call costs {}, expected at most {most}: none would pass", config.cost.call));
    }
    let operations = config.operations.iter().map(|name| operation(context, name));
    let operations: Vec<u32> = operations.collect::<Result<_, _>>()?;
    let shared = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect();
    Ok(Limit {
        name: config.name.as_str().into(),
        mode: config.mode.unwrap_or(whole),
        by: config.by.iter().map(|text| key(text)).collect::<Result<_, _>>()?,
        applies: LimitMatch {
            operations: (!operations.is_empty()).then_some(operations),
            methods: config.methods.iter().map(|method| method.to_ascii_uppercase().into()).collect(),
            roles: shared(&config.roles),
            anonymous: config.anonymous,
        },
        algorithm,
        cost: LimitCost { call: config.cost.call, request_kib: config.cost.request_kib },
    })
}

fn algorithm(config: &LimitConfig) -> Result<LimitAlgorithm, String> {
    let given = [
        config.rate.is_some(),
        config.sliding.is_some(),
        config.quota.is_some(),
        config.concurrency.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        return Err("expected exactly one of `rate`, `sliding`, `quota` and `concurrency`".to_owned());
    }
    if config.burst.is_some() && config.rate.is_none() {
        return Err("`burst` goes with `rate`".to_owned());
    }
    if config.zone.is_some() && config.quota.is_none() {
        return Err("`zone` goes with `quota`".to_owned());
    }
    if let Some(rate) = config.rate {
        let per_ms = rate.per.as_millis();
        let a_second = u64::from(rate.count).saturating_mul(1_000).div_ceil(per_ms);
        let burst = config.burst.unwrap_or_else(|| u32::try_from(a_second).unwrap_or(u32::MAX));
        return Ok(LimitAlgorithm::TokenBucket { burst: burst.max(1), rate: rate.count, per_ms });
    }
    if let Some(window) = config.sliding {
        return Ok(LimitAlgorithm::SlidingWindow { limit: window.count, window_ms: window.per.as_millis() });
    }
    if let Some(quota) = config.quota {
        let zone = match &config.zone {
            Some(name) => zone(name)?,
            None => Vec::new(),
        };
        return Ok(LimitAlgorithm::Quota { limit: quota.count, period: quota.period, zone });
    }
    match config.concurrency {
        Some(limit) if limit > 0 => Ok(LimitAlgorithm::Concurrency { limit }),
        _ => Err("`concurrency` is 0, expected a number that lets a call pass".to_owned()),
    }
}

fn key(text: &str) -> Result<LimitKey, String> {
    Ok(match text.split_once(':').unwrap_or((text, "")) {
        ("consumer", "") => LimitKey::Consumer,
        ("credential", "") => LimitKey::Credential,
        ("address", "") => LimitKey::Address,
        ("operation", "") => LimitKey::Operation,
        ("service", "") => LimitKey::Service,
        ("tenant", "") => LimitKey::Tenant,
        ("claim", name) if !name.is_empty() => LimitKey::Claim(name.into()),
        ("header", name) if !name.is_empty() => LimitKey::Header(name.to_ascii_lowercase().into()),
        _ => {
            return Err(format!(
                "key `{text}` is unknown, expected consumer, credential, address, operation, service, tenant, \
                 claim:NAME or header:NAME"
            ));
        }
    })
}

/// The place of an operation by its name, `GET /v2/patients/{id}`.
fn operation(context: &Context<'_>, name: &str) -> Result<u32, String> {
    let found = context.operations.iter().position(|operation| {
        name.split_once(' ').is_some_and(|(method, template)| {
            operation.method.eq_ignore_ascii_case(method) && operation.template.as_str() == template.trim()
        })
    });
    found
        .and_then(|at| u32::try_from(at).ok())
        .ok_or_else(|| format!("operation `{name}` is in no specification of the service"))
}

/// A time zone by its name or as a fixed offset.
fn zone(name: &str) -> Result<Vec<ZoneOffset>, String> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(Vec::new());
    }
    if let Some(offset_seconds) = fixed_offset(name) {
        return Ok(vec![ZoneOffset { from: i64::MIN, offset_seconds }]);
    }
    let odd = || format!("zone `{name}` is unknown, expected one such as `Europe/Vienna` or `+02:00`");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+/".contains(&byte);
    if name.is_empty() || name.starts_with('/') || !name.bytes().all(plain) {
        return Err(odd());
    }
    let file = std::path::Path::new(ZONES).join(name);
    let size = std::fs::metadata(&file).ok().filter(|facts| facts.is_file()).ok_or_else(odd)?.len();
    if size > MAX_ZONE_BYTES {
        return Err(odd());
    }
    let bytes = std::fs::read(&file).map_err(|error| format!("zone `{name}` cannot be read: {error}"))?;
    zone_offsets(name, &bytes, ZONE_FROM, ZONE_UNTIL).ok_or_else(odd)
}

/// `+02:00` in seconds.
fn fixed_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, most: i32| {
        text.parse::<i32>().ok().filter(|number| text.len() == 2 && (0..=most).contains(number))
    };
    Some(sign * (number(hours, 14)? * 3600 + number(minutes, 59)? * 60))
}

fn sign_in(context: &Context<'_>, config: &SignInConfig) -> Result<SignIn, String> {
    let name = config.name.as_deref().map(|text| match text.strip_prefix("header:") {
        Some(header) => NameSource::Header(header.to_ascii_lowercase().into()),
        None => NameSource::Body(text.into()),
    });
    Ok(SignIn { operation: operation(context, &config.operation)?, name })
}

fn escalation(
    config: &EscalationConfig,
    all: &LimitsPolicyConfig,
    whole: EnforcementMode,
) -> Result<Escalation, String> {
    let watch = match &config.watch {
        WatchConfig::Statuses(statuses) => {
            if let Some(odd) = statuses.iter().find(|status| !(400..600).contains(*status)) {
                return Err(format!("status {odd} is no failure, expected 400 to 599"));
            }
            Watch::Statuses(statuses.clone())
        }
        WatchConfig::Kind(WatchKind::SignIn) => Watch::SignIn,
        WatchConfig::Kind(WatchKind::Names) => Watch::Names,
        WatchConfig::Kind(WatchKind::Addresses) => Watch::Addresses,
    };
    let names = all.sign_in.iter().any(|sign_in| sign_in.name.is_some());
    if !matches!(watch, Watch::Statuses(_)) && all.sign_in.is_empty() {
        return Err("expected `sign_in` to name an operation".to_owned());
    }
    if (config.by == EscalationKey::Name || watch == Watch::Names) && !names {
        return Err("expected `sign_in` to say where the account's name is".to_owned());
    }
    if config.by == EscalationKey::Name && matches!(watch, Watch::Statuses(_) | Watch::Names) {
        return Err("`by: name` goes with `sign-in` and `addresses`".to_owned());
    }
    if config.window.as_millis() == 0 {
        return Err("expected a `window`".to_owned());
    }
    if config.steps.is_empty() || config.steps.len() > MAX_STEPS {
        return Err(format!("{} steps, expected 1 to {MAX_STEPS}", config.steps.len()));
    }
    let mut steps: Vec<EscalationStep> = Vec::new();
    for each in &config.steps {
        let after = each.after;
        if after == 0 || steps.last().is_some_and(|last| last.after >= after) {
            return Err(format!("step `after: {after}` does not rise"));
        }
        if matches!(watch, Watch::Names | Watch::Addresses) && after > MAX_DISTINCT {
            return Err(format!("step `after: {after}`, expected at most {MAX_DISTINCT} different ones"));
        }
        let action = action(each).map_err(|error| format!("step `after: {after}`: {error}"))?;
        if action == EscalationAction::Challenge && all.challenge.is_none() {
            return Err(format!("step `after: {after}`: expected `challenge` to say what is answered"));
        }
        if matches!(action, EscalationAction::Revoke { .. })
            && !matches!(config.by, EscalationKey::Credential | EscalationKey::Consumer)
        {
            return Err(format!(
                "step `after: {after}`: `revoke` goes with `by: credential` or `by: consumer`"
            ));
        }
        steps.push(EscalationStep { after, action });
    }
    Ok(Escalation {
        name: config.name.as_str().into(),
        mode: config.mode.unwrap_or(whole),
        watch,
        by: config.by,
        window_ms: config.window.as_millis(),
        steps,
    })
}

fn action(config: &StepConfig) -> Result<EscalationAction, String> {
    let slow = |wait: probity_reader::config::Duration| {
        u32::try_from(wait.as_millis()).ok().map(|ms| EscalationAction::Slow { ms })
    };
    let mut given = [
        config.mark.then_some(EscalationAction::Mark),
        config.slow.and_then(slow),
        config.challenge.then_some(EscalationAction::Challenge),
        config.block.map(|lasts| EscalationAction::Block { ms: lasts.as_millis() }),
        config.revoke.map(|lasts| EscalationAction::Revoke { ms: lasts.as_millis() }),
    ]
    .into_iter()
    .flatten();
    match (given.next(), given.next()) {
        (Some(action), None) => Ok(action),
        _ => Err("expected exactly one of `mark`, `slow`, `challenge`, `block` and `revoke`".to_owned()),
    }
}

fn challenge(context: &Context<'_>, config: &ChallengeConfig) -> Result<Challenge, String> {
    let pass = match (&config.cookie, &config.header) {
        (Some(cookie), None) => PassPlace::Cookie(cookie.as_str().into()),
        (None, Some(header)) => PassPlace::Header(header.to_ascii_lowercase().into()),
        _ => return Err("expected exactly one of `cookie` and `header`".to_owned()),
    };
    let answer = match (&config.redirect, &config.body) {
        (Some(to), None) => {
            let plain = to.bytes().all(|byte| byte.is_ascii_graphic());
            if !plain || !(to.starts_with('/') || to.starts_with("https://") || to.starts_with("http://")) {
                return Err(format!("redirect `{to}`, expected a path or a URL"));
            }
            ChallengeAnswer::Redirect(to.as_str().into())
        }
        (None, Some(body)) => {
            if !(400..600).contains(&config.status) {
                return Err(format!("status {}, expected 400 to 599", config.status));
            }
            let odd = config
                .fields
                .keys()
                .find(|name| !CHALLENGE_FIELDS.contains(&name.to_ascii_lowercase().as_str()));
            if let Some(odd) = odd {
                return Err(format!("field `{odd}`, expected one of {}", CHALLENGE_FIELDS.join(", ")));
            }
            let fields = config.fields.iter();
            ChallengeAnswer::Body {
                status: config.status,
                content_type: config.content_type.as_str().into(),
                body: body.as_str().into(),
                fields: fields
                    .map(|(name, value)| (name.to_ascii_lowercase().into(), value.as_str().into()))
                    .collect(),
            }
        }
        _ => return Err("expected exactly one of `redirect` and `body`".to_owned()),
    };
    Ok(Challenge { key_file: context.loaded.path(&config.key).display().to_string(), pass, answer })
}

#[cfg(test)]
mod tests;
