//! The facts of an operation, from every source side by side. Keys are those of `catalog/facts.yaml`.
//!
//! Facts are sets and booleans wherever a count is not needed, and `seen_at` is the hour, so that identical evidence
//! deduplicates.

use std::collections::{BTreeMap, BTreeSet};

use probity_model::inventory::{AuthenticationSeen, Observed, ObservedClass, Operation, OperationState};
use probity_model::specification::{Specification, SpecifiedOperation};
use probity_model::{ClassHit, Source, SourceKind, Subject, SubjectFacts, SubjectKind, Timestamp};
use serde_json::{Value, json};

use crate::ServiceSources;
use crate::decided::{DecisionSeen, SinceEnforced};
use crate::inventory::{Inventory, OperationFold};
use crate::observed::Fold;
use crate::reconcile::{Reconciled, declared, security_schemes};

/// The name of the group of `class`, as facts spell it.
fn group_name(class: &probity_model::DataClass) -> Value {
    serde_json::to_value(class.group()).unwrap_or(Value::Null)
}

/// Which calls the facts of traffic are told from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calls {
    /// Of the last two days with calls.
    Recent,
    /// Since the rules that refuse came into force.
    SinceEnforced,
}

/// Everything that is known of one operation.
pub fn of_operation(
    operation: &Operation,
    reconciled: &Reconciled,
    inventory: &Inventory,
    gateway: &str,
    at: Timestamp,
) -> SubjectFacts {
    stated(operation, reconciled, inventory, gateway, at, Calls::Recent)
}

/// The same as if no call had been seen before the rules that refuse calls of the operation came into force; none when
/// no rule refuses any. What fails by the recent calls and not by these is kept from doing harm. Classes stay those of
/// the recent calls: which of them a rule keeps back is told by `superseded` and judged class by class.
pub fn since_enforced(
    operation: &Operation,
    reconciled: &Reconciled,
    inventory: &Inventory,
    gateway: &str,
    at: Timestamp,
) -> Option<SubjectFacts> {
    enforced(operation, inventory)?;
    Some(stated(operation, reconciled, inventory, gateway, at, Calls::SinceEnforced))
}

fn enforced<'a>(operation: &Operation, inventory: &'a Inventory) -> Option<&'a SinceEnforced> {
    let key = format!("{} {}", operation.method, operation.template);
    inventory.services.get(&operation.service)?.enforced.get(&key)
}

fn stated(
    operation: &Operation,
    reconciled: &Reconciled,
    inventory: &Inventory,
    gateway: &str,
    at: Timestamp,
    calls: Calls,
) -> SubjectFacts {
    let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Operation, operation.id.as_str()));
    let hour = at.hour();
    let specified = reconciled.specification_of(&operation.id);
    let key = format!("{} {}", operation.method, operation.template);
    let known = inventory.services.get(&operation.service).and_then(|service| service.operations.get(&key));
    let since = enforced(operation, inventory);
    let recent = known.map(OperationFold::recent);
    let fold = match calls {
        Calls::Recent => recent.as_ref(),
        Calls::SinceEnforced => since.and_then(|since| since.fold.as_ref()),
    };
    let traffic = Source { kind: SourceKind::Traffic, locator: format!("gateway {gateway}") };
    let seen_at = fold.map_or(hour, |fold| fold.last_seen().hour());
    state_inventory(&mut facts, operation, &traffic, hour);
    if let Some((specification, specified)) = specified {
        state_specification(&mut facts, operation, specification, specified, hour);
    }
    state_people(&mut facts, operation, hour);
    if let Some(recent) = &recent {
        let specified = specified.map(|(_, operation)| operation);
        state_classes(&mut facts, &recent.summary, specified, since, &traffic, seen_at);
    }
    if let Some(fold) = fold {
        state_traffic(&mut facts, fold, &traffic, seen_at);
        if specified.is_none() {
            facts.state("operation.documented", false, &traffic, seen_at);
        }
    }
    let decisions = fold.iter().flat_map(|fold| &fold.decisions);
    let decisions: BTreeSet<_> = decisions.chain(since.iter().flat_map(|since| &since.refused)).collect();
    if fold.is_some() || !decisions.is_empty() {
        facts.state("traffic.decisions", decision_list(&decisions), &traffic, seen_at);
    }
    facts
}

/// What the gateway decided, as facts spell it.
pub fn decision_list(decisions: &BTreeSet<&DecisionSeen>) -> Value {
    let word = |value: serde_json::Result<Value>| value.unwrap_or(Value::Null);
    let list = decisions.iter().map(|decision| {
        json!({
            "check": decision.check,
            "rule": decision.rule,
            "mode": word(serde_json::to_value(decision.mode)),
            "action": word(serde_json::to_value(decision.action)),
        })
    });
    Value::Array(list.collect())
}

fn state_inventory(facts: &mut SubjectFacts, operation: &Operation, traffic: &Source, hour: Timestamp) {
    let states: Vec<&str> = operation.states.keys().map(|state| state.as_str()).collect();
    facts.state("operation.states", states, traffic, hour);
    let since: BTreeMap<&str, String> =
        operation.states.iter().map(|(state, seen)| (state.as_str(), seen.first.to_string())).collect();
    facts.state("operation.state_since", json!(since), traffic, hour);
    let seen = operation
        .observed
        .as_ref()
        .is_some_and(|observed| observed.statuses.keys().any(|status| !matches!(status, 404 | 405 | 410)));
    facts.state("operation.seen", seen, traffic, hour);
}

fn state_people(facts: &mut SubjectFacts, operation: &Operation, hour: Timestamp) {
    for (key, attributed) in [
        ("operation.owner", &operation.owner),
        ("operation.audience", &operation.audience),
        ("operation.criticality", &operation.criticality),
    ] {
        if let Some(attributed) = attributed {
            let kind = match attributed.source.as_str() {
                "inventory set" => SourceKind::Attestation,
                "configuration" => SourceKind::Account,
                text if text.starts_with("CODEOWNERS") => SourceKind::Import,
                _ => SourceKind::Specification,
            };
            let source = Source { kind, locator: attributed.source.clone() };
            facts.state(key, attributed.value.clone(), &source, hour);
        }
    }
}

fn state_specification(
    facts: &mut SubjectFacts,
    operation: &Operation,
    specification: &Specification,
    specified: &SpecifiedOperation,
    hour: Timestamp,
) {
    let source = Source { kind: SourceKind::Specification, locator: specified.span.to_string() };
    let newest = operation.documented.as_ref().is_some_and(|documented| documented.newest);
    facts.state("operation.documented", newest, &source, hour);
    facts.state("operation.removed", !newest, &source, hour);
    facts.state("operation.deprecated", specified.deprecated, &source, hour);
    if let Some(sunset) = specified.sunset {
        facts.state("operation.sunset", sunset.to_string(), &source, hour);
    }
    let (stated, public, schemes) = security_schemes(&specified.security);
    facts.state(
        "operation.security",
        json!({"stated": stated, "public": public, "schemes": schemes}),
        &source,
        hour,
    );
    let fields: Vec<Value> = specified
        .responses
        .iter()
        .filter(|response| response.status.starts_with('2'))
        .flat_map(|response| &response.bodies)
        .flat_map(|body| &body.fields)
        .map(|field| json!({"pointer": field.pointer, "class": field.class}))
        .collect();
    facts.state("specification.response_fields", fields, &source, hour);
    let named = |place: &str| -> Vec<&str> {
        let parameters = specified.parameters.iter().filter(|parameter| parameter.place == place);
        parameters.map(|parameter| parameter.name.as_str()).collect()
    };
    let inputs = json!({
        "path": named("path"),
        "query": named("query"),
        "header": named("header"),
        "cookie": named("cookie"),
        "body": !specified.request.is_empty(),
    });
    facts.state("specification.inputs", inputs, &source, hour);
    facts.state("specification.schema", schema_summary(specification, specified), &source, hour);
    let statuses = strings(specified.responses.iter().map(|response| &response.status));
    facts.state("specification.statuses", statuses, &source, hour);
    let of_bodies =
        specified.request.iter().flat_map(|body| &body.fields).filter_map(|field| field.class.as_ref());
    let of_parameters = specified.parameters.iter().filter_map(|parameter| parameter.class.as_ref());
    let classes: BTreeSet<String> = of_bodies.chain(of_parameters).map(ToString::to_string).collect();
    facts.state("specification.request_classes", strings(classes), &source, hour);
    facts.state("specification.keys_in_query", keys_in_query(specification, &schemes), &source, hour);
}

/// Of the schemes that an operation takes, those whose key stands in the query.
fn keys_in_query(specification: &Specification, taken: &[String]) -> Value {
    let schemes = specification.security_schemes.iter();
    schemes
        .filter(|scheme| taken.contains(&scheme.name) && scheme.kind == "apiKey" && scheme.detail == "query")
        .map(|scheme| json!({"scheme": scheme.name, "at": scheme.span.to_string()}))
        .collect()
}

/// What the specifications of a service say of the service itself.
pub fn state_service(facts: &mut SubjectFacts, sources: &ServiceSources, at: Timestamp) {
    let Some(newest) = sources.specifications.first() else { return };
    let source = Source { kind: SourceKind::Specification, locator: newest.file.to_string() };
    let files: Vec<&str> = sources.specifications.iter().map(|s| s.file.as_ref()).collect();
    let versions: Vec<&str> = sources.specifications.iter().map(|s| s.version.as_str()).collect();
    let value = json!({"files": files, "versions": versions, "newest": newest.version});
    facts.state("service.specification", value, &source, at.hour());
    let servers: Vec<Value> = newest
        .servers
        .iter()
        .map(|server| {
            json!({
                "url": server.url,
                "clear_text_beyond_loopback": is_clear_text_beyond_loopback(&server.url),
                "at": server.span.to_string(),
            })
        })
        .collect();
    facts.state("specification.servers", servers, &source, at.hour());
}

/// Whether an address says that it is reached in clear text, by a name or number that is not this host's.
fn is_clear_text_beyond_loopback(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let host = match host_and_port.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    };
    let number = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let name = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    let clear = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws");
    clear && !number && !name
}

/// What of the operation is described by a schema. A `204`, `304` or redirect needs no body.
fn schema_summary(specification: &Specification, specified: &SpecifiedOperation) -> Value {
    let parameters: Vec<&str> = specified
        .parameters
        .iter()
        .filter(|parameter| !parameter.has_schema)
        .map(|parameter| parameter.name.as_str())
        .collect();
    let bodyless = |status: &str| matches!(status, "204" | "205" | "101") || status.starts_with('3');
    let responses: Vec<&str> = specified
        .responses
        .iter()
        .filter(|response| response.status.starts_with('2') && !bodyless(&response.status))
        .filter(|response| {
            let stream = response.bodies.iter().any(|body| body.media_type.starts_with("text/event-stream"));
            !stream && (response.bodies.is_empty() || response.bodies.iter().any(|body| !body.has_schema))
        })
        .map(|response| response.status.as_str())
        .collect();
    let bodies =
        || specified.responses.iter().flat_map(|response| &response.bodies).chain(&specified.request);
    let fields = || bodies().flat_map(|body| &body.fields);
    json!({
        "file": specification.file,
        "parameters_without_schema": parameters,
        "request_without_schema": specified.request.iter().any(|body| !body.has_schema),
        "responses_without_schema": responses,
        "responses_described": !specified.responses.is_empty(),
        "open_objects": bodies().any(|body| body.open && body.has_schema),
        "request_open_at": specified.request.iter().find_map(|body| body.open_at.as_ref()).map(ToString::to_string),
        "classes_declared": fields().any(|field| field.class.is_some()),
    })
}

fn state_traffic(facts: &mut SubjectFacts, fold: &Fold, source: &Source, seen_at: Timestamp) {
    let seen = &fold.summary;
    facts.state("operation.calls", seen.calls, source, seen_at);
    facts.state("traffic.authentication", authentication_words(&seen.authentication), source, seen_at);
    facts.state("traffic.schemes", strings(seen.schemes.keys()), source, seen_at);
    facts.state("traffic.statuses", strings(seen.statuses.keys().map(u16::to_string)), source, seen_at);
    let fields: BTreeSet<&str> = seen
        .patterns
        .iter()
        .filter(|pattern| pattern.status_class == 2)
        .flat_map(|pattern| pattern.fields.iter().map(AsRef::as_ref))
        .collect();
    facts.state("traffic.response_fields", strings(fields), source, seen_at);
    facts.state("traffic.inspected", fold.inspected, source, seen_at);
    facts.state("traffic.signals", strings(seen.signals.keys().map(|s| s.as_str())), source, seen_at);
    let on_error = strings(seen.signals_on_error.keys().map(|signal| signal.as_str()));
    facts.state("traffic.signals_on_error", on_error, source, seen_at);
    facts.state("traffic.error_types", strings(fold.error_types.iter()), source, seen_at);
    facts.state("traffic.limited", seen.limited > 0, source, seen_at);
    facts.state("traffic.burst_per_minute", seen.burst_per_minute, source, seen_at);
    facts.state("traffic.tls", strings(seen.tls.keys()), source, seen_at);
    let origins = strings(fold.origins.iter().map(|origin| origin.as_str()));
    facts.state("traffic.origins", origins, source, seen_at);
}

fn state_classes(
    facts: &mut SubjectFacts,
    seen: &Observed,
    specified: Option<&SpecifiedOperation>,
    since: Option<&SinceEnforced>,
    source: &Source,
    seen_at: Timestamp,
) {
    let mut classes: Vec<Value> = seen
        .classes
        .iter()
        .map(|class| {
            let hit = ClassHit {
                class: class.class.clone(),
                place: class.place,
                field: class.field.clone(),
                count: 0,
                masked: class.masked,
            };
            let mut stated = json!({
                "class": class.class,
                "group": group_name(&class.class),
                "place": class.place.as_str(),
                "field": class.field,
                "masked": class.masked,
                "unauthenticated": class.calls_unauthenticated > 0,
                "on_ok": class.calls_ok > 0,
                "on_error": class.calls_error > 0,
                "declared": declared(specified, &hit, class.calls_ok > 0),
            });
            if let (Some(since), Some(stated)) = (since, stated.as_object_mut()) {
                stated.insert("superseded".to_owned(), superseded(class, since).into());
            }
            stated
        })
        .collect();
    classes.sort_by_key(Value::to_string);
    facts.state("traffic.classes", classes, source, seen_at);
}

/// Not seen any more since the rules in force are.
fn superseded(class: &ObservedClass, since: &SinceEnforced) -> bool {
    let seen = since.fold.iter().flat_map(|fold| &fold.summary.classes);
    !seen.into_iter().any(|seen| {
        (&seen.class, seen.place, &seen.field, seen.masked)
            == (&class.class, class.place, &class.field, class.masked)
    })
}

fn strings<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    Value::Array(items.into_iter().map(|item| Value::String(item.to_string())).collect())
}

fn authentication_words(seen: &AuthenticationSeen) -> Value {
    let words = [
        ("none:answered", seen.none_answered),
        ("none:other", seen.none_other),
        ("none:refused", seen.none_refused),
        ("presented:answered", seen.presented_answered),
        ("presented:other", seen.presented_other),
        ("presented:refused", seen.presented_refused),
        ("verified:answered", seen.verified_answered),
        ("verified:other", seen.verified_other),
        ("verified:refused", seen.verified_refused),
    ];
    strings(words.into_iter().filter(|(_, count)| *count > 0).map(|(word, _)| word))
}

/// Facts of the organisation: the inventory as a whole.
pub fn of_inventory(
    tenant: &str,
    reconciled: &Reconciled,
    inventory: &Inventory,
    source: &Source,
    at: Timestamp,
) -> SubjectFacts {
    let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Organisation, tenant));
    let hour = at.hour();
    let count = |state| reconciled.count(state);
    facts.state(
        "inventory.counts",
        json!({
            "operations": reconciled.operations.len(),
            "documented": count(OperationState::Documented),
            "shadow": count(OperationState::Shadow),
            "zombie": count(OperationState::Zombie),
            "orphan": count(OperationState::Orphan),
            "unowned": count(OperationState::Unowned),
        }),
        source,
        hour,
    );
    let unknown: Vec<Value> = reconciled
        .operations
        .iter()
        .filter_map(|operation| {
            let since = operation.states.get(&OperationState::Shadow)?.first;
            Some(json!({"operation": operation.id, "since": since}))
        })
        .collect();
    facts.state("inventory.unknown", unknown, source, hour);
    if let Some(reviewed_at) = inventory.reviewed_at {
        let source = Source { kind: SourceKind::Attestation, locator: "inventory review".to_owned() };
        facts.state("inventory.reviewed_at", reviewed_at.to_string(), &source, reviewed_at.hour());
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::is_clear_text_beyond_loopback;

    #[test]
    fn clear_text_is_told_from_the_address() {
        for (url, expected) in [
            ("https://api.example.com", false),
            ("http://api.example.com", true),
            ("HTTP://user@api.example.com:80/v1", true),
            ("ws://api.example.com", true),
            ("http://localhost:8080/", false),
            ("http://api.localhost", false),
            ("http://127.3.2.1", false),
            ("http://[::1]:8080", false),
            ("http://[2001:db8::1]:8080", true),
            ("http://{host}/", true),
            ("//api.example.com", false),
            ("/v1", false),
            ("", false),
        ] {
            assert_eq!(is_clear_text_beyond_loopback(url), expected, "{url}");
        }
    }
}
