//! What an authorization section says of one record. A record names no role, no scope and no object: whoever was proved
//! may have them or not.

use probity_model::Exchange;
use probity_model::bundle::authorization::AuthorizationPolicy;
use probity_model::exchange::AuthenticationState;

use super::Said;
use super::record::about;

pub(super) fn judge(
    policy: &AuthorizationPolicy,
    call: &Exchange,
    operation: Option<usize>,
    said: &mut Said,
) {
    let at = operation.and_then(|at| u32::try_from(at).ok());
    if let Some(unknown) = &policy.unknown
        && at.is_none_or(|at| unknown.superseded.contains(&at))
    {
        said.refuse(unknown.mode, "gateway-operation-unknown");
    }
    let unlisted = policy.unlisted.as_ref();
    if let Some(unlisted) = unlisted.filter(|unlisted| at.is_some_and(|at| unlisted.operations.contains(&at)))
    {
        said.refuse(unlisted.mode, "gateway-operation-unlisted");
    }
    let proved = call.authentication.state == AuthenticationState::Verified;
    let anonymous = call.authentication.state == AuthenticationState::None;
    let here = |operations: &[u32]| about(Some(operations), operation);
    for rule in policy.access.iter().filter(|rule| here(&rule.operations)) {
        if anonymous {
            said.refuse(rule.mode, "gateway-principal-missing");
        }
        let demands = [
            (!rule.roles.is_empty(), "gateway-role-missing"),
            (!rule.scopes.is_empty(), "gateway-scope-missing"),
            (!rule.kinds.is_empty(), "gateway-kind-refused"),
            (!rule.tenants.is_empty(), "gateway-tenant-refused"),
            (!rule.consumers.is_empty(), "gateway-consumer-refused"),
            (!rule.attributes.is_empty(), "gateway-attribute-refused"),
            (!proved, "gateway-principal-missing"),
        ];
        for (_, name) in demands.iter().filter(|(demanded, _)| *demanded && !anonymous) {
            said.undecided(rule.mode, name);
        }
    }
    for binding in policy.objects.iter().filter(|binding| here(&binding.operations)) {
        said.undecided(binding.mode, "gateway-object-foreign");
    }
    for binding in policy.learned.iter().filter(|binding| here(&binding.operations)) {
        said.undecided(binding.mode, "gateway-object-foreign");
    }
    for rule in policy.properties.iter().filter(|rule| here(&rule.operations)) {
        said.undecided(rule.mode, "gateway-property-forbidden");
    }
    let attributes = policy.attributes.as_ref();
    if let Some(rules) = attributes.filter(|rules| about(rules.operations.as_deref(), operation)) {
        said.undecided(rules.mode, "gateway-policy-denied");
    }
}
