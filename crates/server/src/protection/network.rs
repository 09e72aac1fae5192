//! From where calls are taken, and what was retired.

use probity_model::bundle::network::NetworkPolicy;
use serde_json::json;

use super::{Place, Stated, names, word};

const RULE: &str = "protect.network";

pub(super) fn state(stated: &mut Stated<'_>, place: Place<'_>, policy: &NetworkPolicy) {
    let rules: Vec<_> = policy.origins.iter().filter(|rule| names(rule.operations.as_ref(), place)).collect();
    if !rules.is_empty() {
        let sources = rules.iter().any(|rule| !rule.allow.is_empty());
        let countries = rules.iter().any(|rule| !rule.allow_countries.is_empty());
        let denied = rules.iter().any(|rule| !rule.deny.is_empty() || !rule.deny_countries.is_empty());
        stated.fact(
            "gateway.network",
            json!({"mode": word(policy.mode), "sources": sources, "countries": countries, "denied": denied}),
        );
        stated.enforces("net-restrict", RULE, policy.mode);
    }
    let retired = policy.retired.iter().any(|retired| {
        let past = retired.sunset.is_some_and(|sunset| sunset <= place.bundle.created_at);
        usize::try_from(retired.operation) == Ok(place.operation) && (retired.removed || past)
    });
    if retired {
        stated.enforces("shadow-zombie", RULE, policy.mode);
        stated.enforces("version-deprecation", RULE, policy.mode);
    }
}
