//! Drift: sources that state different values of one fact.

use probity_model::fact::FactType;
use probity_model::outcome::Drift;
use probity_model::{FactEntry, Source, SourceKind};
use serde_json::Value;

use super::input::View;

/// The needed facts on which sources disagree, by key; each names every source that states the fact.
///
/// Two observers of traffic that saw different members of a list do not disagree: they saw different calls.
pub(super) fn drift(view: &View<'_>) -> Vec<Drift> {
    view.facts
        .iter()
        .filter_map(|(need, entries)| {
            let (first, others) = entries.split_first()?;
            let differs = others.iter().any(|entry| disagree(need.value_type, first, entry));
            differs.then(|| Drift { fact: need.key.clone(), sources: sources(entries) })
        })
        .collect()
}

fn disagree(value_type: FactType, one: &FactEntry, other: &FactEntry) -> bool {
    let list = matches!(value_type, FactType::StringList | FactType::ObjectList);
    let observed = |entry: &FactEntry| matches!(entry.source.kind, SourceKind::Traffic | SourceKind::Probe);
    if list && observed(one) && observed(other) {
        return false;
    }
    match (&one.value, &other.value) {
        // The order of a list states nothing.
        (Value::Array(one), Value::Array(other)) => {
            one.iter().any(|item| !other.contains(item)) || other.iter().any(|item| !one.contains(item))
        }
        (one, other) => one != other,
    }
}

fn sources(entries: &[FactEntry]) -> Vec<Source> {
    let mut sources: Vec<Source> = entries.iter().map(|entry| entry.source.clone()).collect();
    sources.sort();
    sources.dedup();
    sources
}
