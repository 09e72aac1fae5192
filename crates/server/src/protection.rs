//! What the bundle in force enforces, as facts: for each operation, service, consumer and credential. Pure: a bundle in,
//! facts out.
//!
//! Whether it acts is the gateway's to show in its decisions; whether it is enough is the checks'. One part for each
//! section of a bundle; a part states a check only for what its section is sure to judge.

mod authorization;
mod callers;
mod contract;
mod identity;
mod leaks;
mod limits;
mod network;

use std::collections::{BTreeMap, HashMap};

use probity_model::bundle::{BundleService, Protection};
use probity_model::decision::EnforcementMode;
use probity_model::{Bundle, GatewayId, OperationId, ServiceId, Source, SourceKind, SubjectFacts, Timestamp};
use serde_json::{Value, json};

pub use self::callers::caller_facts;

/// A bundle with its operations found by name.
#[derive(Debug)]
pub struct InForce {
    bundle: Bundle,
    operations: HashMap<OperationId, (usize, usize)>,
    gateway: GatewayId,
}

/// What is enforced for one operation, as it is gathered from the sections.
struct Stated<'a> {
    facts: &'a mut SubjectFacts,
    source: &'a Source,
    at: Timestamp,
    enforced: BTreeMap<(&'static str, &'static str), EnforcementMode>,
}

impl Stated<'_> {
    /// `rule` judges every call of the operation, on behalf of `check`.
    fn enforces(&mut self, check: &'static str, rule: &'static str, mode: EnforcementMode) {
        if mode != EnforcementMode::Off {
            let known = self.enforced.entry((check, rule)).or_insert(mode);
            *known = (*known).max(mode);
        }
    }

    fn fact(&mut self, key: &str, value: Value) {
        self.facts.state(key, value, self.source, self.at);
    }

    fn list(&self) -> Value {
        let list = self.enforced.iter();
        list.map(|((check, rule), mode)| json!({"check": check, "mode": word(*mode), "rule": rule})).collect()
    }
}

/// The service, the operation and its position: what a section's part is given.
#[derive(Clone, Copy)]
struct Place<'a> {
    bundle: &'a Bundle,
    service: &'a BundleService,
    operation: usize,
}

impl InForce {
    pub fn new(bundle: Bundle, gateway: &GatewayId) -> Self {
        let mut operations = HashMap::new();
        for (number, service) in bundle.services.iter().enumerate() {
            let known = service.operations.iter().enumerate();
            operations.extend(known.map(|(index, operation)| (operation.id.clone(), (number, index))));
        }
        Self { bundle, operations, gateway: gateway.clone() }
    }

    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    fn source(&self) -> Source {
        Source { kind: SourceKind::Gateway, locator: format!("gateway {}", self.gateway) }
    }

    /// States what is enforced for an operation. One that the bundle does not have is only passed on, or refused as
    /// unknown, which is its service's.
    pub fn state_operation(&self, id: &OperationId, facts: &mut SubjectFacts, at: Timestamp) {
        let source = self.source();
        let mut stated = Stated { facts, source: &source, at: at.hour(), enforced: BTreeMap::new() };
        if let Some(place) = self.place(id)
            && let Some(protection) = &place.service.protection
        {
            state(&mut stated, place, protection);
        }
        let list = stated.list();
        stated.fact("gateway.enforced", list);
    }

    fn place(&self, id: &OperationId) -> Option<Place<'_>> {
        let (service, operation) = *self.operations.get(id)?;
        Some(Place { bundle: &self.bundle, service: self.bundle.services.get(service)?, operation })
    }

    /// For each operation of a service (`METHOD template`), its checks and rules in block mode; empty where none is.
    pub fn blocking(&self, service: &BundleService) -> Vec<(String, String)> {
        let operations = service.operations.iter().map(|operation| {
            let subject = probity_model::Subject::new(probity_model::SubjectKind::Operation, "");
            let mut facts = SubjectFacts::new(subject);
            self.state_operation(&operation.id, &mut facts, Timestamp(0));
            let rules: Vec<String> = blocks(&facts).map(|(check, rule)| format!("{check} {rule}")).collect();
            (format!("{} {}", operation.method, operation.template), rules.join("\n"))
        });
        operations.collect()
    }

    /// States what becomes of calls that no operation of a service fits.
    pub fn state_service(&self, id: &ServiceId, facts: &mut SubjectFacts, at: Timestamp) {
        let Some(service) = self.bundle.services.iter().find(|service| service.id == *id) else { return };
        let source = self.source();
        let mut stated = Stated { facts, source: &source, at: at.hour(), enforced: BTreeMap::new() };
        let mode = unknown_operations(service);
        stated.enforces("deny-default", "protect.authorization", mode);
        stated.fact("service.default", json!({"unknown_operations": word(mode)}));
        let list = stated.list();
        stated.fact("gateway.enforced", list);
    }

    /// Whether the gateway proves itself to the upstreams of a service: each call carries a principal that it signed.
    pub fn is_identified(&self, id: &str) -> bool {
        let service = self.bundle.services.iter().find(|service| service.id.as_str() == id);
        service
            .and_then(|service| service.protection.as_ref())
            .and_then(|protection| protection.identity.as_ref())
            .is_some_and(|identity| {
                identity.mode != EnforcementMode::Off && identity.principal_field.is_some()
            })
    }
}

/// What happens to calls that fit no operation. What has to be proved of them is not enough: a stranger who proves who they
/// are is still let through.
fn unknown_operations(service: &BundleService) -> EnforcementMode {
    let policy = service.protection.as_ref().and_then(|protection| protection.authorization.as_ref());
    policy.map_or(EnforcementMode::Off, authorization::unknown_operations)
}

/// The parts, in the order of the pipeline.
fn state(stated: &mut Stated<'_>, place: Place<'_>, protection: &Protection) {
    if let Some(policy) = &protection.network {
        network::state(stated, place, policy);
    }
    if let Some(policy) = &protection.identity {
        identity::state(stated, place, policy);
    }
    if let Some(policy) = &protection.limits {
        limits::state(stated, place, policy);
    }
    if let Some(policy) = &protection.authorization {
        authorization::state(stated, place, policy);
    }
    if let Some(policy) = &protection.contract {
        contract::state(stated, place, policy);
    }
    if let Some(policy) = &protection.leaks {
        leaks::state(stated, place, policy);
    }
    state_bounds(stated, place, protection);
}

/// Bounds of one call. Those of heads, time and connections hold at every listener, whatever the service's sections say.
fn state_bounds(stated: &mut Stated<'_>, place: Place<'_>, protection: &Protection) {
    let (timeouts, limits) = (&place.bundle.timeouts, &place.bundle.limits);
    let concurrency = protection.limits.as_ref().and_then(|policy| limits::concurrency(policy, place));
    let body = protection.contract.as_ref().and_then(|policy| contract::bounds(policy, place));
    let mode = protection.contract.as_ref().map_or(EnforcementMode::Off, |policy| policy.mode);
    let bounds = json!({
        "mode": word(mode),
        "head_bytes": limits.head_bytes,
        "head_ms": timeouts.head_ms,
        "idle_ms": timeouts.idle_ms,
        "upstream_ms": timeouts.upstream_ms,
        "connections": limits.connections,
        "streams": limits.streams,
        "body_bytes": body.map(|(bytes, _)| bytes),
        "json_depth": body.map(|(_, depth)| depth),
        "concurrency": concurrency,
    });
    stated.fact("gateway.bounds", bounds);
}

/// Whether a table by operation names this one; every operation when it is absent.
fn names(operations: Option<&Vec<u32>>, place: Place<'_>) -> bool {
    operations.is_none_or(|operations| {
        u32::try_from(place.operation).is_ok_and(|operation| operations.contains(&operation))
    })
}

/// Checks and rules that `facts` state to be in block mode.
pub fn blocks(facts: &SubjectFacts) -> impl Iterator<Item = (&str, &str)> {
    let entries = facts.facts.get("gateway.enforced").into_iter().flatten();
    entries.filter_map(|entry| entry.value.as_array()).flatten().filter_map(|enforced| {
        let text = |key: &str| enforced.get(key).and_then(Value::as_str);
        (text("mode") == Some("block")).then(|| text("check").zip(text("rule"))).flatten()
    })
}

/// A mode as facts spell it.
const fn word(mode: EnforcementMode) -> &'static str {
    match mode {
        EnforcementMode::Off => "off",
        EnforcementMode::Observe => "observe",
        EnforcementMode::Block => "block",
    }
}

#[cfg(test)]
mod tests;
