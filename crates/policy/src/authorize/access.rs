//! Access rules: what a caller must be to reach an operation.

use std::sync::Arc;

use probity_model::Principal;
use probity_model::bundle::authorization::AccessRule;
use serde_json::Value;

/// The first demand of a rule that a caller does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// Nobody was proved.
    Principal,
    Kind,
    Tenant,
    Consumer,
    Role,
    /// The alternative that is nearest: the one with the fewest scopes missing.
    Scope(Vec<Arc<str>>),
    /// The attribute's name.
    Attribute(Arc<str>),
}

impl Unmet {
    /// The rule that refuses.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Principal => "gateway-principal-missing",
            Self::Kind => "gateway-kind-refused",
            Self::Tenant => "gateway-tenant-refused",
            Self::Consumer => "gateway-consumer-refused",
            Self::Role => "gateway-role-missing",
            Self::Scope(_) => "gateway-scope-missing",
            Self::Attribute(_) => "gateway-attribute-refused",
        }
    }
}

/// What of `rule` the caller lacks; `None` when every demand is met. A rule without demands asks for a proved caller.
pub fn unmet(rule: &AccessRule, principal: Option<&Principal>) -> Option<Unmet> {
    let Some(principal) = principal else { return Some(Unmet::Principal) };
    if !rule.kinds.is_empty() && !rule.kinds.contains(&principal.kind) {
        return Some(Unmet::Kind);
    }
    if !rule.tenants.is_empty() && !principal.tenant.as_ref().is_some_and(|own| rule.tenants.contains(own)) {
        return Some(Unmet::Tenant);
    }
    if !rule.consumers.is_empty()
        && !principal.consumer.as_ref().is_some_and(|own| rule.consumers.contains(own))
    {
        return Some(Unmet::Consumer);
    }
    if !rule.roles.is_empty() && !super::has_one(&principal.roles, &rule.roles) {
        return Some(Unmet::Role);
    }
    if let Some(missing) = missing_scopes(rule, principal) {
        return Some(Unmet::Scope(missing));
    }
    let attribute = rule.attributes.iter().find(|(name, allowed)| {
        !principal.attributes.get(&***name).is_some_and(|value| allowed.iter().any(|one| holds(value, one)))
    });
    attribute.map(|(name, _)| Unmet::Attribute(Arc::clone(name)))
}

fn missing_scopes(rule: &AccessRule, principal: &Principal) -> Option<Vec<Arc<str>>> {
    let lacks = |alternative: &&Vec<Arc<str>>| {
        alternative.iter().filter(|scope| !principal.scopes.contains(scope)).count()
    };
    let nearest = rule.scopes.iter().min_by_key(lacks)?;
    (lacks(&nearest) > 0).then(|| nearest.clone())
}

/// Whether an attribute's value is `text`, or a list that has it. Numbers and booleans compare by how they are written.
pub(super) fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Number(own) => own.to_string() == text,
        Value::Bool(own) => (if *own { "true" } else { "false" }) == text,
        Value::Array(all) => all.iter().any(|one| !one.is_array() && holds(one, text)),
        Value::Null | Value::Object(_) => false,
    }
}
