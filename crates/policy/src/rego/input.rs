//! The input of a rule: the evidence, and the same document as a value of the interpreter.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use probity_model::evidence::EvidenceError;
use probity_model::fact::{FactType, RULE_INPUT_VERSION};
use probity_model::{Evidence, FactEntry, Subject, SubjectFacts, Timestamp};
use regorus::Value;
use serde_json::Value as Json;

use super::load::{Need, Prepared};

/// A fact whose value is not of the registered type: rules do not see it, and nothing passes beside it.
#[derive(Debug)]
pub(super) struct Malformed {
    pub key: String,
    pub expected: FactType,
    pub source: probity_model::Source,
}

/// What is judged: the facts that the check needs, nothing else. Borrowed, so that nothing is copied before it is known
/// whether the rules must run at all.
pub(super) struct View<'a> {
    pub prepared: &'a Prepared,
    pub subject: &'a Subject,
    pub at: Timestamp,
    pub params: &'a BTreeMap<String, Json>,
    /// In the order of their keys, without empty ones.
    pub facts: Vec<(&'a Need, &'a [FactEntry])>,
}

impl<'a> View<'a> {
    pub fn of(
        prepared: &'a Prepared,
        facts: &'a SubjectFacts,
        at: Timestamp,
        params: &'a BTreeMap<String, Json>,
    ) -> Self {
        let needed = prepared.needs.iter().filter_map(|need| {
            let entries = facts.facts.get(&need.key)?.as_slice();
            (!entries.is_empty()).then_some((need, entries))
        });
        Self { prepared, subject: &facts.subject, at, params, facts: needed.collect() }
    }

    pub fn has(&self, need: &Need) -> bool {
        self.facts.iter().any(|(known, _)| known.key == need.key)
    }

    pub fn evidence(&self) -> Result<Evidence, EvidenceError> {
        let facts: Vec<(&str, &[FactEntry])> =
            self.facts.iter().map(|(need, entries)| (need.key.as_str(), *entries)).collect();
        Evidence::of_parts(RULE_INPUT_VERSION, self.subject, self.at, self.params, &facts)
    }

    pub fn malformed(&self) -> Vec<Malformed> {
        let entries =
            self.facts.iter().flat_map(|(need, entries)| entries.iter().map(move |entry| (need, entry)));
        entries
            .filter(|(need, entry)| !fits(need.value_type, &entry.value))
            .map(|(need, entry)| Malformed {
                key: need.key.clone(),
                expected: need.value_type,
                source: entry.source.clone(),
            })
            .collect()
    }

    /// What the interpreter is given: the evidence without the malformed entries.
    pub fn rego_value(&self) -> Value {
        let facts = self.facts.iter().map(|(need, entries)| {
            let entries: Vec<Value> =
                entries.iter().filter(|entry| fits(need.value_type, &entry.value)).map(entry_value).collect();
            (Value::from(need.key.as_str()), Value::from(entries))
        });
        object([
            ("version", Value::from(RULE_INPUT_VERSION)),
            (
                "subject",
                object([
                    ("kind", Value::from(self.subject.kind.as_str())),
                    ("id", Value::from(self.subject.id.as_str())),
                ]),
            ),
            ("at", Value::from(self.at.to_string())),
            ("params", Value::from(self.params.iter().map(pair).collect::<BTreeMap<_, _>>())),
            ("facts", Value::from(facts.collect::<BTreeMap<_, _>>())),
        ])
    }
}

/// What the rules can tell apart: two inputs with the same hash are judged alike. Evidence holds more than that.
impl Hash for View<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let reads = self.prepared.reads;
        self.prepared.check.id.hash(state);
        self.subject.kind.hash(state);
        if reads.subject {
            self.subject.id.hash(state);
        }
        if reads.at {
            self.at.hash(state);
        }
        self.params.hash(state);
        for (need, entries) in &self.facts {
            need.key.hash(state);
            entries.len().hash(state);
            for entry in *entries {
                entry.source.hash(state);
                entry.value.hash(state);
                if reads.seen_at {
                    entry.seen_at.hash(state);
                }
            }
        }
    }
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
