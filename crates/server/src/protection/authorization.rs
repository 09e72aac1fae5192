//! Who may do what. A rule of the section has a mode of its own, and never more than the section's.

use std::collections::BTreeSet;

use probity_model::bundle::authorization::{AuthorizationPolicy, ObjectPlace, Owner};
use probity_model::bundle::limits::weaker;
use probity_model::decision::EnforcementMode;
use serde_json::{Value, json};

use super::{Place, Stated, names, word};

const RULE: &str = "protect.authorization";

pub(super) fn state(stated: &mut Stated<'_>, place: Place<'_>, policy: &AuthorizationPolicy) {
    let named = |operations: &Vec<u32>| names(Some(operations), place);
    let blocks = |mode: EnforcementMode| weaker(policy.mode, mode) == EnforcementMode::Block;
    let access = || policy.access.iter().filter(|rule| named(&rule.operations));
    for rule in access() {
        stated.enforces("function-authz", RULE, weaker(policy.mode, rule.mode));
        if !rule.tenants.is_empty() {
            stated.enforces("tenant-isolation", RULE, weaker(policy.mode, rule.mode));
        }
    }
    let attributes = policy.attributes.as_ref().filter(|rules| names(rules.operations.as_ref(), place));
    if let Some(rules) = attributes {
        stated.enforces("function-authz", RULE, weaker(policy.mode, rules.mode));
    }
    let mut objects: Vec<Value> = Vec::new();
    for binding in policy.objects.iter().filter(|binding| named(&binding.operations)) {
        let mode = weaker(policy.mode, binding.mode);
        let (word, field) = object(&binding.object);
        if mode == EnforcementMode::Block {
            objects.push(json!({"attribute": owner(&binding.owner), "place": word, "field": field}));
        }
        let tenant = binding.owner == Owner::Tenant;
        stated.enforces(if tenant { "tenant-isolation" } else { "object-authz" }, RULE, mode);
        if tenant {
            stated.enforces("object-authz", RULE, mode);
        }
    }
    for binding in policy.learned.iter().filter(|binding| named(&binding.operations)) {
        let mode = weaker(policy.mode, binding.mode);
        let (word, field) = object(&binding.object);
        if mode == EnforcementMode::Block {
            objects.push(json!({"attribute": "ids it was given", "place": word, "field": field}));
        }
        stated.enforces("object-authz", RULE, mode);
    }
    let properties = || policy.properties.iter().filter(|rule| named(&rule.operations));
    for rule in properties() {
        stated.enforces("property-authz", RULE, weaker(policy.mode, rule.mode));
    }
    let blocking = || access().filter(|rule| blocks(rule.mode));
    let roles: BTreeSet<_> = blocking().flat_map(|rule| &rule.roles).collect();
    let scopes: BTreeSet<_> = blocking().flat_map(|rule| rule.scopes.iter().flatten()).collect();
    // A demand for a kind, tenant, consumer or attribute is a right that not every caller has, as a rule in Rego is.
    let others = blocking().filter(|rule| {
        !(rule.kinds.is_empty()
            && rule.tenants.is_empty()
            && rule.consumers.is_empty()
            && rule.attributes.is_empty())
    });
    let others =
        others.count() + attributes.filter(|rules| blocks(rules.mode)).map_or(0, |rules| rules.modules.len());
    let read = properties().any(|rule| blocks(rule.mode) && rule.readable.is_some());
    let write = properties().any(|rule| blocks(rule.mode) && rule.writable.is_some());
    stated.fact(
        "gateway.authorization",
        json!({
            "mode": word(policy.mode),
            "unknown_operations": word(unknown_operations(policy)),
            "roles": roles,
            "scopes": scopes,
            "attribute_rules": others,
            "objects": objects,
            "properties": {"read": read, "write": write},
        }),
    );
}

pub(super) fn unknown_operations(policy: &AuthorizationPolicy) -> EnforcementMode {
    policy.unknown.as_ref().map_or(EnforcementMode::Off, |unknown| weaker(policy.mode, unknown.mode))
}

fn object(place: &ObjectPlace) -> (&'static str, &str) {
    match place {
        ObjectPlace::Path(name) => ("request-path", name),
        ObjectPlace::Query(name) => ("request-query", name),
        ObjectPlace::Header(name) => ("request-header", name),
        ObjectPlace::Body(pointer) => ("request-body", pointer),
        ObjectPlace::Answer(pointer) => ("response-body", pointer),
    }
}

fn owner(owner: &Owner) -> &str {
    match owner {
        Owner::Subject => "subject",
        Owner::Tenant => "tenant",
        Owner::Consumer => "consumer",
        Owner::Attribute(name) => name,
    }
}
