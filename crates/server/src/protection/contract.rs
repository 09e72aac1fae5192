//! What requests and answers must look like.

use probity_model::bundle::contract::{ContractPolicy, MediaContract, OperationContract, Unknown};
use probity_model::decision::EnforcementMode;
use serde_json::json;

use super::{Place, Stated, word};

const RULE: &str = "protect.contract";

pub(super) fn state(stated: &mut Stated<'_>, place: Place<'_>, policy: &ContractPolicy) {
    let tabled = policy.operations.get(place.operation).and_then(Option::as_ref);
    let contract = tabled.map(|tabled| tabled.contract.as_ref());
    let (request, response) = (contract.is_some_and(requests), contract.is_some_and(answers));
    stated.fact(
        "gateway.contract",
        json!({
            "requests": word(policy.mode),
            "responses": word(policy.responses),
            "request_schema": request,
            "response_schema": response,
            "unknown_fields": unknown(policy.unknown_fields),
        }),
    );
    if request {
        stated.enforces("schema-enforce", RULE, policy.mode);
    }
    if response {
        stated.enforces("response-validate", RULE, policy.responses);
    }
    stated.enforces("dos-limits", RULE, policy.mode);
}

/// The bounds of a body that hold in block mode: bytes, and depth of JSON.
pub(super) fn bounds(policy: &ContractPolicy, place: Place<'_>) -> Option<(u64, u32)> {
    let own = policy.rules.iter().find(|rule| usize::try_from(rule.operation) == Ok(place.operation));
    let bytes = own.and_then(|rule| rule.body_bytes).unwrap_or(policy.limits.body_bytes);
    (policy.mode == EnforcementMode::Block).then_some((bytes, policy.limits.json_depth))
}

fn described(content: &[MediaContract]) -> bool {
    content.iter().all(|media| media.schema.is_some())
}

/// Everything that may be sent has a schema.
fn requests(contract: &OperationContract) -> bool {
    let parameters = contract.parameters.iter().all(|each| each.schema.is_some() || each.content.is_some());
    parameters && contract.request.as_ref().is_none_or(|request| described(&request.content))
}

/// At least one answer is described, and every one that has a body by a schema.
fn answers(contract: &OperationContract) -> bool {
    !contract.responses.is_empty() && contract.responses.iter().all(|each| described(&each.content))
}

const fn unknown(fields: Unknown) -> &'static str {
    match fields {
        Unknown::Refuse => "refuse",
        Unknown::Strip => "strip",
        Unknown::Flag | Unknown::Allow => "pass",
    }
}
