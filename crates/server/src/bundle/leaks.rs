//! Compiles `protect.leaks`: groups into classes, names of operations into their places, environments away.

use probity_model::DataClass;
use probity_model::bundle::leaks::{BodyBounds, LeakAction, LeakPolicy, LeakRule, Operations};
use probity_model::class::ClassGroup;

use super::Context;
use super::selection::positions;
use crate::config::leaks::{LeakRuleConfig, LeaksConfig};

/// Most rules of one direction.
const MAX_RULES: usize = 200;
/// What a held body may come to at most.
const MAX_HOLD: u64 = 64 << 20;

pub(super) fn compile(context: &Context<'_>, config: &LeaksConfig) -> Result<Option<LeakPolicy>, String> {
    let Some(mode) = context.mode(config.mode) else { return Ok(None) };
    if !matches!(config.card_bin, 0..=6 | 8) {
        return Err(format!("card_bin `{}`: expected at most 6, or 8", config.card_bin));
    }
    for (what, size) in [("hold", config.hold.0), ("decoded", config.decoded.0)] {
        if !(1024..=MAX_HOLD).contains(&size) {
            return Err(format!("{what} is {size} bytes, expected 1 KiB to {} MiB", MAX_HOLD >> 20));
        }
    }
    let responses = match &config.responses {
        Some(given) => rules(context, config, given)?,
        None => usual(),
    };
    Ok(Some(LeakPolicy {
        mode,
        responses,
        requests: rules(context, config, &config.requests)?,
        detokenise: match config.detokenise.as_slice() {
            [] => None,
            [all] if all == "*" => Some(Operations::All),
            names => Some(operations(context, names)?),
        },
        bodies: BodyBounds {
            hold: config.hold.0,
            decoded: config.decoded.0,
            ratio: config.ratio.max(2),
            undecodable: config.undecodable,
        },
        card_bin: config.card_bin,
    }))
}

/// Where nothing is said.
fn usual() -> Vec<LeakRule> {
    use DataClass as C;
    let rule = |classes: &[DataClass], action| LeakRule {
        classes: classes.to_vec(),
        roles: Vec::new(),
        operations: Operations::All,
        action,
    };
    vec![
        rule(&[C::CardNumber, C::Ssn, C::Iban], LeakAction::Mask),
        rule(&[C::CardVerificationCode, C::CardTrack, C::Password, C::PrivateKey], LeakAction::Drop),
    ]
}

fn rules(
    context: &Context<'_>,
    config: &LeaksConfig,
    given: &[LeakRuleConfig],
) -> Result<Vec<LeakRule>, String> {
    if given.len() > MAX_RULES {
        return Err(format!("{} rules, expected at most {MAX_RULES}", given.len()));
    }
    let here = |rule: &&LeakRuleConfig| {
        rule.environments.is_empty()
            || config.environment.as_ref().is_some_and(|own| rule.environments.contains(own))
    };
    if config.environment.is_none() && given.iter().any(|rule| !rule.environments.is_empty()) {
        return Err("rules for environments need `environment`, which says which one this is".to_owned());
    }
    given.iter().filter(here).map(|rule| compiled(context, rule)).collect()
}

fn compiled(context: &Context<'_>, rule: &LeakRuleConfig) -> Result<LeakRule, String> {
    let mut classes: Vec<DataClass> = Vec::new();
    for name in &rule.classes {
        let found = named(context, name)
            .ok_or_else(|| format!("`{name}` is no class of data and no group of classes"))?;
        classes.extend(found.into_iter().filter(|class| !classes.contains(class)).collect::<Vec<_>>());
    }
    if classes.is_empty() {
        return Err("a rule names no classes".to_owned());
    }
    Ok(LeakRule {
        classes,
        roles: rule.roles.iter().map(|role| role.as_str().into()).collect(),
        operations: match rule.operations.as_slice() {
            [] => Operations::All,
            names => operations(context, names)?,
        },
        action: rule.action,
    })
}

/// The classes that a name means.
fn named(context: &Context<'_>, name: &str) -> Option<Vec<DataClass>> {
    let own = || context.loaded.config.classes.iter().map(|class| DataClass::parse(&class.id));
    let group = match name {
        "card" => Some(ClassGroup::Card),
        "card-authentication" => Some(ClassGroup::CardAuthentication),
        "health" => Some(ClassGroup::Health),
        "personal" => Some(ClassGroup::Personal),
        "secret" => Some(ClassGroup::Secret),
        "custom" => return Some(own().collect()),
        _ => None,
    };
    if let Some(group) = group {
        return Some(DataClass::named().filter(|class| class.group() == group).cloned().collect());
    }
    let class = DataClass::parse(name);
    let known = !matches!(class, DataClass::Custom(_)) || own().any(|each| each == class);
    known.then(|| vec![class])
}

/// At least one pattern.
fn operations(context: &Context<'_>, patterns: &[String]) -> Result<Operations, String> {
    positions(patterns, context.operations).map(Operations::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_hides_what_proves_payments() {
        let rules = usual();
        let action = |class: &DataClass| {
            rules.iter().find(|rule| rule.classes.contains(class)).map(|rule| rule.action)
        };
        assert_eq!(action(&DataClass::CardNumber), Some(LeakAction::Mask));
        assert_eq!(action(&DataClass::CardTrack), Some(LeakAction::Drop));
        assert_eq!(action(&DataClass::Jwt), None);
    }
}
