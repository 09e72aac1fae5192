//! Objects and their owners.

use std::sync::Arc;

use probity_model::Principal;
use probity_model::bundle::authorization::Owner;

/// Whether one of `own` is among `wanted`.
pub fn has_one(own: &[Arc<str>], wanted: &[Arc<str>]) -> bool {
    own.iter().any(|one| wanted.contains(one))
}

/// Whether the object that `value` names is the principal's; `None` when nothing is known of the principal to tell by.
pub fn owns(principal: &Principal, owner: &Owner, value: &str) -> Option<bool> {
    let is = |own: &Arc<str>| **own == *value;
    match owner {
        Owner::Subject => Some(is(&principal.subject)),
        Owner::Tenant => principal.tenant.as_ref().map(is),
        Owner::Consumer => principal.consumer.as_ref().map(is),
        Owner::Attribute(name) => {
            let attribute = principal.attributes.get(&**name).filter(|value| !value.is_null())?;
            Some(super::access::holds(attribute, value))
        }
    }
}
