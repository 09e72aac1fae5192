//! The input of a rule: the evidence, and the same document as a value of the interpreter.

use std::collections::BTreeMap;

use probity_model::fact::{FactType, RULE_INPUT_VERSION};
use probity_model::{FactEntry, RuleInput, SubjectFacts, Timestamp};
use regorus::Value;
use serde_json::Value as Json;

use super::load::Prepared;

/// A fact whose value is not of the registered type: rules do not see it, and nothing passes beside it.
#[derive(Debug)]
pub(super) struct Malformed {
    pub key: String,
    pub expected: FactType,
    pub source: probity_model::Source,
}

/// The document that is judged: the facts that the check needs, nothing else.
pub(super) fn rule_input(
    prepared: &Prepared,
    facts: &SubjectFacts,
    at: Timestamp,
    params: BTreeMap<String, Json>,
) -> RuleInput {
    let needed = prepared
        .needs
        .iter()
        .filter_map(|need| facts.facts.get(&need.key).map(|entries| (need.key.clone(), entries.clone())))
        .filter(|(_, entries)| !entries.is_empty())
        .collect();
    RuleInput { version: RULE_INPUT_VERSION, subject: facts.subject.clone(), at, params, facts: needed }
}

pub(super) fn malformed(prepared: &Prepared, input: &RuleInput) -> Vec<Malformed> {
    let mut found = Vec::new();
    for need in &prepared.needs {
        for entry in input.facts.get(&need.key).into_iter().flatten() {
            if !fits(need.value_type, &entry.value) {
                found.push(Malformed {
                    key: need.key.clone(),
                    expected: need.value_type,
                    source: entry.source.clone(),
                });
            }
        }
    }
    found
}

fn fits(value_type: FactType, value: &Json) -> bool {
    match value_type {
        FactType::Boolean => value.is_boolean(),
        FactType::Integer => value.is_i64() || value.is_u64(),
        FactType::Number => value.is_number(),
        FactType::String => value.is_string(),
        FactType::Object => value.is_object(),
        FactType::StringList => value.as_array().is_some_and(|list| list.iter().all(Json::is_string)),
        FactType::ObjectList => value.as_array().is_some_and(|list| list.iter().all(Json::is_object)),
        FactType::Timestamp => value.as_str().is_some_and(|text| Timestamp::parse(text).is_some()),
    }
}

/// What the interpreter is given: the evidence without the malformed entries.
pub(super) fn rego_value(prepared: &Prepared, input: &RuleInput) -> Value {
    let facts = prepared.needs.iter().filter_map(|need| {
        let entries = input.facts.get(&need.key)?;
        let entries: Vec<Value> =
            entries.iter().filter(|entry| fits(need.value_type, &entry.value)).map(entry_value).collect();
        Some((Value::from(need.key.as_str()), Value::from(entries)))
    });
    object([
        ("version", Value::from(input.version)),
        (
            "subject",
            object([
                ("kind", Value::from(input.subject.kind.as_str())),
                ("id", Value::from(input.subject.id.as_str())),
            ]),
        ),
        ("at", Value::from(input.at.to_string())),
        ("params", Value::from(input.params.iter().map(pair).collect::<BTreeMap<_, _>>())),
        ("facts", Value::from(facts.collect::<BTreeMap<_, _>>())),
    ])
}

fn entry_value(entry: &FactEntry) -> Value {
    object([
        ("value", json_value(&entry.value)),
        (
            "source",
            object([
                ("kind", Value::from(entry.source.kind.as_str())),
                ("locator", Value::from(entry.source.locator.as_str())),
            ]),
        ),
        ("seen_at", Value::from(entry.seen_at.to_string())),
    ])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::from(
        members.into_iter().map(|(name, value)| (Value::from(name), value)).collect::<BTreeMap<_, _>>(),
    )
}

fn pair((name, value): (&String, &Json)) -> (Value, Value) {
    (Value::from(name.as_str()), json_value(value))
}

fn json_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::from(*bool),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::Array(list) => Value::from(list.iter().map(json_value).collect::<Vec<_>>()),
        Json::Object(members) => Value::from(members.iter().map(pair).collect::<BTreeMap<_, _>>()),
    }
}
