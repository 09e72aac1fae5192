//! How often and how many at once.

use probity_model::bundle::limits::{
    EscalationAction, Limit, LimitAlgorithm, LimitPolicy, Watch, describes, weaker,
};
use probity_model::decision::EnforcementMode;
use serde_json::{Value, json};

use super::{Place, Stated, word};

const RULE: &str = "protect.limits";

pub(super) fn state(stated: &mut Stated<'_>, place: Place<'_>, policy: &LimitPolicy) {
    let Some(operation) = place.service.operations.get(place.operation) else { return };
    let covering = || policy.limits.iter().filter(|limit| covers(limit, place));
    let mut list: Vec<Value> = covering()
        .map(|limit| {
            json!({
                "name": limit.name,
                "kind": kind(&limit.algorithm),
                "by": limit.by,
                "mode": word(weaker(policy.mode, limit.mode)),
                "block_seconds": null,
            })
        })
        .collect();
    let described = describes(policy, place.operation, &operation.method);
    if described.sign_in {
        list.extend(failures(policy));
    }
    for limit in covering().filter(|limit| !matches!(limit.algorithm, LimitAlgorithm::Concurrency { .. })) {
        stated.enforces("rate-limit", RULE, weaker(policy.mode, limit.mode));
    }
    if described.sign_in {
        for escalation in policy.escalations.iter().filter(|each| each.watch == Watch::SignIn) {
            stated.enforces("authn-bruteforce", RULE, weaker(policy.mode, escalation.mode));
        }
    }
    stated.fact("gateway.limits", Value::Array(list));
}

fn covers(limit: &Limit, place: Place<'_>) -> bool {
    let operation = place.service.operations.get(place.operation);
    operation.is_some_and(|operation| limit.applies.covers(place.operation, &operation.method))
}

/// The fewest that are let in at once by a limit in block mode.
pub(super) fn concurrency(policy: &LimitPolicy, place: Place<'_>) -> Option<u32> {
    let blocks = |limit: &&Limit| weaker(policy.mode, limit.mode) == EnforcementMode::Block;
    let counts = policy.limits.iter().filter(|limit| covers(limit, place)).filter(blocks);
    let counts = counts.filter_map(|limit| match limit.algorithm {
        LimitAlgorithm::Concurrency { limit } => Some(limit),
        _ => None,
    });
    counts.min()
}

/// What repeated failures of signing in lead to: steps that refuse for a time.
fn failures(policy: &LimitPolicy) -> Vec<Value> {
    let watching = policy.escalations.iter().filter(|escalation| escalation.watch == Watch::SignIn);
    let steps = watching.flat_map(|escalation| escalation.steps.iter().map(move |step| (escalation, step)));
    let blocking = steps.filter_map(|(escalation, step)| {
        let EscalationAction::Block { ms } = step.action else { return None };
        Some(json!({
            "name": escalation.name,
            "kind": "failures",
            "by": [escalation.by],
            "mode": word(weaker(policy.mode, escalation.mode)),
            "after": step.after,
            "block_seconds": ms / 1_000,
        }))
    });
    blocking.collect()
}

const fn kind(algorithm: &LimitAlgorithm) -> &'static str {
    match algorithm {
        LimitAlgorithm::TokenBucket { .. } | LimitAlgorithm::SlidingWindow { .. } => "rate",
        LimitAlgorithm::Quota { .. } => "quota",
        LimitAlgorithm::Concurrency { .. } => "concurrency",
    }
}
