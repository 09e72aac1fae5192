//! Joins what was observed with what is documented, owned and set: the operations of the inventory with their states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use probity_model::inventory::{Attributed, DocumentedAt, Operation, OperationState, SeenInterval};
use probity_model::specification::{SecurityNeed, Specification, SpecifiedOperation};
use probity_model::{ClassHit, DataClass, Finding, OperationId, ServiceId, Severity, Template, Timestamp};

use crate::inventory::{Inventory, OperationFold, ServiceFold};
use crate::risk::{RiskInput, RiskRules};

/// What is known of one service besides its traffic.
#[derive(Clone, Debug, Default)]
pub struct ServiceSources {
    pub owner: Option<Attributed>,
    pub audience: Option<Attributed>,
    pub criticality: Option<Attributed>,
    /// Newest first.
    pub specifications: Vec<Arc<Specification>>,
    /// CODEOWNERS entry of each specification file, by file name.
    pub code_owners: BTreeMap<String, Attributed>,
    /// When the documents were first known: the observation window runs from here or from the first call.
    pub documented_since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub services: BTreeMap<ServiceId, ServiceSources>,
}

/// The inventory as of one moment, and how it differs from before.
#[derive(Clone, Debug)]
pub struct Reconciled {
    pub operations: Vec<Operation>,
    /// The specified operation behind an operation, newest document first.
    pub specified: BTreeMap<OperationId, (Arc<Specification>, usize)>,
}

impl Reconciled {
    pub fn specification_of(&self, id: &OperationId) -> Option<(&Specification, &SpecifiedOperation)> {
        let (specification, index) = self.specified.get(id)?;
        Some((specification, specification.operations.get(*index)?))
    }

    /// Operations in `state`.
    pub fn count(&self, state: OperationState) -> usize {
        self.operations.iter().filter(|operation| operation.is(state)).count()
    }
}

/// How [`reconcile`] looks at time and risk.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub at: Timestamp,
    /// A documented operation without traffic is an orphan after so long.
    pub window_us: i64,
    pub risk: &'a RiskRules,
    /// Worst open finding by operation.
    pub findings: &'a BTreeMap<OperationId, Severity>,
}

/// Worst open finding of each operation.
pub fn worst_findings<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
) -> BTreeMap<OperationId, Severity> {
    let mut worst: BTreeMap<OperationId, Severity> = BTreeMap::new();
    for finding in findings {
        if finding.subject.kind == probity_model::SubjectKind::Operation && finding.state.as_str() == "open" {
            let entry = worst.entry(OperationId::new(&finding.subject.id)).or_insert(finding.severity);
            *entry = (*entry).max(finding.severity);
        }
    }
    worst
}

struct Documented<'a> {
    specification: &'a Arc<Specification>,
    index: usize,
    operation: &'a SpecifiedOperation,
    newest: bool,
}

/// Every operation of every service. States keep their first-seen moment in `inventory.states`.
pub fn reconcile(inventory: &mut Inventory, sources: &Sources, view: View<'_>) -> Reconciled {
    let mut operations = Vec::new();
    let mut specified = BTreeMap::new();
    let empty = ServiceSources::default();
    let names: BTreeSet<ServiceId> =
        inventory.services.keys().chain(sources.services.keys()).cloned().collect();
    for service in names {
        let source = sources.services.get(&service).unwrap_or(&empty);
        let nothing = ServiceFold::default();
        let fold = inventory.services.get(&service).unwrap_or(&nothing);
        let documented = documented(source);
        let mut keys: BTreeSet<String> = documented.keys().cloned().collect();
        keys.extend(
            fold.operations.iter().filter(|(_, seen)| !seen.never_answered()).map(|(key, _)| key.clone()),
        );
        for key in keys {
            let Some((method, template)) = key.split_once(' ') else { continue };
            let entry = documented.get(&key);
            let observed = fold.operations.get(&key);
            let id = OperationId::of(&service, method, template);
            let operation =
                one(&id, &service, method, template, entry, observed, fold, source, inventory, view);
            if let Some(entry) = entry {
                specified.insert(id, (entry.specification.clone(), entry.index));
            }
            operations.push(operation);
        }
    }
    let alive: BTreeSet<&OperationId> = operations.iter().map(|operation| &operation.id).collect();
    inventory.states.retain(|id, _| alive.contains(id));
    for operation in &mut operations {
        let known = inventory.states.entry(operation.id.clone()).or_default();
        known.retain(|state, _| operation.states.contains_key(state));
        for (state, seen) in &mut operation.states {
            let kept = known.entry(*state).or_insert(*seen);
            kept.last = view.at;
            *seen = *kept;
        }
    }
    Reconciled { operations, specified }
}

/// Newest document first; a template of the same shape in an older document is the same operation.
fn documented(source: &ServiceSources) -> BTreeMap<String, Documented<'_>> {
    let mut out = BTreeMap::new();
    let mut shapes = BTreeSet::new();
    for (age, specification) in source.specifications.iter().enumerate() {
        for (index, operation) in specification.operations.iter().enumerate() {
            if shapes.insert((operation.method.clone(), operation.template.shape())) {
                let key = format!("{} {}", operation.method, operation.template);
                out.insert(key, Documented { specification, index, operation, newest: age == 0 });
            }
        }
    }
    out
}

#[expect(clippy::too_many_arguments, reason = "one call site; the arguments are the sources themselves")]
fn one(
    id: &OperationId,
    service: &ServiceId,
    method: &str,
    template: &str,
    entry: Option<&Documented<'_>>,
    observed: Option<&OperationFold>,
    fold: &ServiceFold,
    source: &ServiceSources,
    inventory: &Inventory,
    view: View<'_>,
) -> Operation {
    let settings = inventory.settings.get(id);
    let set = |value: Option<&String>| {
        value.map(|value| Attributed { value: value.clone(), source: "inventory set".to_owned() })
    };
    let stated = |value: Option<&String>, word: &str| {
        let span = &entry?.operation.span;
        value.map(|value| Attributed { value: value.clone(), source: format!("{word} {span}") })
    };
    let operation = entry.map(|entry| entry.operation);
    let specification = entry.map(|entry| entry.specification.as_ref());
    let owner = set(settings.and_then(|s| s.owner.as_ref()))
        .or_else(|| stated(operation.and_then(|o| o.owner.as_ref()), "x-owner"))
        .or_else(|| specification.and_then(|s| source.code_owners.get(s.file.as_ref()).cloned()))
        .or_else(|| source.owner.clone());
    let audience = set(settings.and_then(|s| s.audience.as_ref()))
        .or_else(|| stated(operation.and_then(|o| o.audience.as_ref()), "x-audience"))
        .or_else(|| stated(specification.and_then(|s| s.audience.as_ref()), "x-audience"))
        .or_else(|| source.audience.clone());
    let criticality = set(settings.and_then(|s| s.criticality.as_ref()))
        .or_else(|| stated(operation.and_then(|o| o.criticality.as_ref()), "x-criticality"))
        .or_else(|| source.criticality.clone());
    let version = version_of(template, entry);
    let mut tags: BTreeSet<String> = settings.map(|s| s.tags.clone()).unwrap_or_default();
    tags.extend(operation.into_iter().flat_map(|o| o.tags.iter().cloned()));
    let states = states(entry, observed, fold, source, owner.is_none(), view);
    let risk = view.risk.judge(RiskInput {
        audience: audience.as_ref().map(|a| a.value.as_str()),
        sensitive: is_sensitive(operation, observed),
        worst_finding: view.findings.get(id).copied(),
    });
    Operation {
        id: id.clone(),
        service: service.clone(),
        method: method.into(),
        template: Template::new(template),
        states,
        owner,
        version,
        audience,
        criticality,
        tags,
        risk,
        documented: entry.map(|entry| DocumentedAt {
            span: entry.operation.span.clone(),
            version: entry.specification.version.clone(),
            newest: entry.newest,
            deprecated: entry.operation.deprecated,
            sunset: entry.operation.sunset,
        }),
        observed: observed.map(|fold| fold.lifetime.summary.clone()),
    }
}

/// The version mark of the path (`v2`), else the document's version.
fn version_of(template: &str, entry: Option<&Documented<'_>>) -> Option<Attributed> {
    let mark = template.split('/').find(|segment| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    match (mark, entry) {
        (Some(mark), _) => Some(Attributed { value: mark.to_owned(), source: "path".to_owned() }),
        (None, Some(entry)) => Some(Attributed {
            value: entry.specification.version.clone(),
            source: format!("info.version {}", entry.specification.file),
        }),
        (None, None) => None,
    }
}

fn states(
    entry: Option<&Documented<'_>>,
    observed: Option<&OperationFold>,
    fold: &ServiceFold,
    source: &ServiceSources,
    unowned: bool,
    view: View<'_>,
) -> BTreeMap<OperationState, SeenInterval> {
    let mut states = BTreeMap::new();
    let mut add = |state, since: Timestamp| {
        states.insert(state, SeenInterval { first: since, last: view.at });
    };
    let answered = observed.filter(|fold| !fold.never_answered());
    let first = answered.map_or(view.at, |fold| fold.lifetime.summary.seen.first);
    match entry {
        Some(entry) => {
            if entry.newest {
                add(OperationState::Documented, view.at);
            }
            let past_sunset = entry.operation.sunset.is_some_and(|sunset| sunset < view.at);
            match answered {
                Some(_) if past_sunset || !entry.newest => add(OperationState::Zombie, first),
                Some(_) if entry.operation.deprecated => add(OperationState::DeprecatedInUse, first),
                Some(_) => {}
                None if entry.newest => {
                    let since = [fold.first_seen, source.documented_since].into_iter().flatten().min();
                    let watched = since.map_or(0, |since| view.at.since(since));
                    match fold.calls > 0 && watched >= view.window_us {
                        true => add(OperationState::Orphan, view.at),
                        false => add(OperationState::NotYetSeen, view.at),
                    }
                }
                None => {}
            }
        }
        None => add(OperationState::Shadow, first),
    }
    if unowned {
        add(OperationState::Unowned, first);
    }
    states
}

fn is_sensitive(operation: Option<&SpecifiedOperation>, observed: Option<&OperationFold>) -> bool {
    let seen = observed.is_some_and(|fold| {
        fold.lifetime
            .summary
            .classes
            .iter()
            .any(|class| class.calls_ok > 0 && counts_as_sensitive(&class.class))
    });
    seen || operation.is_some_and(|operation| {
        let responses = operation.responses.iter().flat_map(|response| &response.bodies);
        responses
            .chain(&operation.request)
            .flat_map(|body| &body.fields)
            .filter_map(|field| field.class.as_ref())
            .any(counts_as_sensitive)
    })
}

/// Every class but bare network addresses.
pub fn counts_as_sensitive(class: &DataClass) -> bool {
    *class != DataClass::IpAddress
}

/// Whether the field of a hit stands in the documented schema; `None` when there is no documented schema there.
pub fn declared(operation: Option<&SpecifiedOperation>, hit: &ClassHit, status_ok: bool) -> Option<bool> {
    use probity_model::Place;
    let operation = operation?;
    match hit.place {
        Place::ResponseBody => {
            let bodies: Vec<_> = operation
                .responses
                .iter()
                .filter(|response| response.status.starts_with('2') == status_ok)
                .flat_map(|response| &response.bodies)
                .filter(|body| body.has_schema)
                .collect();
            if bodies.is_empty() {
                return None;
            }
            Some(bodies.iter().flat_map(|body| &body.fields).any(|field| field.pointer == hit.field))
        }
        Place::RequestBody => {
            let bodies: Vec<_> = operation.request.iter().filter(|body| body.has_schema).collect();
            if bodies.is_empty() {
                return None;
            }
            Some(bodies.iter().flat_map(|body| &body.fields).any(|field| field.pointer == hit.field))
        }
        Place::RequestQuery | Place::RequestHeader | Place::RequestPath => {
            Some(operation.parameters.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(&hit.field)))
        }
        Place::ResponseHeader => None,
    }
}

/// What the specification demands, in the words of the fact `operation.security`.
pub fn security_schemes(need: &SecurityNeed) -> (bool, bool, Vec<String>) {
    match need {
        SecurityNeed::Unstated => (false, false, Vec::new()),
        SecurityNeed::Public => (true, true, Vec::new()),
        SecurityNeed::Required(alternatives) => {
            let names: BTreeSet<String> =
                alternatives.iter().flatten().map(|(scheme, _)| scheme.clone()).collect();
            let public = alternatives.iter().any(Vec::is_empty);
            (true, public, names.into_iter().collect())
        }
    }
}
