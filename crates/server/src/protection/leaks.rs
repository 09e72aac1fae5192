//! What becomes of sensitive data.

use std::collections::BTreeMap;

use probity_model::DataClass;
use probity_model::bundle::leaks::{LeakAction, LeakPolicy, LeakRule};
use serde_json::json;

use super::{Place, Stated, word};

const RULE: &str = "protect.leaks";

pub(super) fn state(stated: &mut Stated<'_>, place: Place<'_>, policy: &LeakPolicy) {
    let operation = u32::try_from(place.operation).ok();
    let of_operation = |rules: &[LeakRule]| -> Vec<LeakRule> {
        rules.iter().filter(|rule| rule.operations.contains(operation)).cloned().collect()
    };
    let (responses, requests) = (of_operation(&policy.responses), of_operation(&policy.requests));
    let classes = actions(&responses);
    stated.fact(
        "gateway.leaks",
        json!({"mode": word(policy.mode), "classes": classes, "requests": actions(&requests)}),
    );
    let keeps = |class: &DataClass| classes.get(class.as_str()).is_some_and(|action| *action != "pass");
    if classes.values().any(|action| *action != "pass") {
        stated.enforces("response-dlp", RULE, policy.mode);
    }
    if keeps(&DataClass::CardNumber) {
        stated.enforces("pan-mask", RULE, policy.mode);
    }
    // Not for any role, and not as a token: what may not be kept may not be kept for later either.
    let never = |class: &DataClass| {
        let gone = |action: LeakAction| !matches!(action, LeakAction::Pass | LeakAction::Tokenise);
        keeps(class) && deciding(&responses, class).all(|rule| gone(rule.action))
    };
    if never(&DataClass::CardVerificationCode) && never(&DataClass::CardTrack) {
        stated.enforces("sad-block", RULE, policy.mode);
    }
    let refuses = |rule: &LeakRule| rule.action == LeakAction::Block;
    let card = DataClass::CardNumber;
    if actions(&requests).contains_key(card.as_str()) && deciding(&requests, &card).all(refuses) {
        stated.enforces("pan-nonprod", RULE, policy.mode);
    }
}

/// The rules that may decide of a class: those for some roles, up to the first that is for everyone.
fn deciding<'a>(rules: &'a [LeakRule], class: &'a DataClass) -> impl Iterator<Item = &'a LeakRule> {
    let mut ended = false;
    rules.iter().filter(move |rule| rule.classes.contains(class)).take_while(move |rule| {
        let within = !ended;
        ended |= rule.roles.is_empty();
        within
    })
}

/// What happens to each class for callers without a role of their own; a class that no such rule names is not there.
fn actions(rules: &[LeakRule]) -> BTreeMap<String, &'static str> {
    let mut actions = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.roles.is_empty()) {
        for class in &rule.classes {
            actions.entry(class.as_str().to_owned()).or_insert(rule.action.as_str());
        }
    }
    actions
}
