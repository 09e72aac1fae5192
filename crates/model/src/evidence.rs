//! Evidence: exactly the input that was judged, as RFC 8785 (JCS) JSON. Its id is the SHA-256 of those bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::{FactEntry, RuleInput, Subject, Timestamp};

/// Version of the evidence document.
pub const EVIDENCE_VERSION: u32 = 1;

/// Integers up to here are the same as JSON text and as the double that RFC 8785 means.
const EXACT_INTEGER: u64 = 1 << 53;

#[derive(Debug, Error)]
#[error("the evidence has a value that RFC 8785 cannot represent")]
pub struct EvidenceError(#[source] serde_json::Error);

/// The judged input, ready to be hashed and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    bytes: Vec<u8>,
}

impl Evidence {
    /// Canonical bytes of `input`; the same input gives the same bytes on any machine.
    pub fn of(input: &RuleInput) -> Result<Self, EvidenceError> {
        let facts: Vec<_> =
            input.facts.iter().map(|(key, entries)| (key.as_str(), entries.as_slice())).collect();
        Self::of_parts(input.version, &input.subject, input.at, &input.params, &facts)
    }

    /// As [`Evidence::of`], of a [`RuleInput`] that is not put together. `facts` are in the order of their keys.
    pub fn of_parts(
        version: u32,
        subject: &Subject,
        at: Timestamp,
        params: &BTreeMap<String, Value>,
        facts: &[(&str, &[FactEntry])],
    ) -> Result<Self, EvidenceError> {
        let mut writer = Writer { bytes: Vec::with_capacity(1_024) };
        writer.raw("{\"at\":");
        writer.text(&at.to_string())?;
        writer.raw(",\"facts\":");
        writer.members(facts.iter().map(|(key, entries)| (*key, *entries)), Writer::entries)?;
        writer.raw(",\"params\":");
        writer.members(params.iter().map(|(name, value)| (name.as_str(), value)), Writer::value)?;
        writer.raw(",\"subject\":{\"id\":");
        writer.text(&subject.id)?;
        writer.raw(",\"kind\":");
        writer.text(subject.kind.as_str())?;
        writer.raw("},\"version\":");
        writer.value(&Value::from(version))?;
        writer.raw("}");
        Ok(Self { bytes: writer.bytes })
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// RFC 8785 canonical JSON of any value.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, EvidenceError> {
    serde_json_canonicalizer::to_vec(value).map_err(EvidenceError)
}

/// Writes what [`canonical`] writes, without a detour over text that is parsed and sorted again: judging writes
/// evidence thousands of times a second.
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &str) -> Result<(), EvidenceError> {
        // What serde_json escapes, and how, is what RFC 8785 asks for.
        serde_json::to_writer(&mut self.bytes, text).map_err(EvidenceError)
    }

    fn entries(&mut self, entries: &[FactEntry]) -> Result<(), EvidenceError> {
        self.list(entries, |writer, entry| {
            writer.raw("{\"seen_at\":");
            writer.text(&entry.seen_at.to_string())?;
            writer.raw(",\"source\":{\"kind\":");
            writer.text(entry.source.kind.as_str())?;
            writer.raw(",\"locator\":");
            writer.text(&entry.source.locator)?;
            writer.raw("},\"value\":");
            writer.value(&entry.value)?;
            writer.raw("}");
            Ok(())
        })
    }

    fn value(&mut self, value: &Value) -> Result<(), EvidenceError> {
        match value {
            Value::Null => self.raw("null"),
            Value::Bool(true) => self.raw("true"),
            Value::Bool(false) => self.raw("false"),
            Value::String(text) => self.text(text)?,
            Value::Array(items) => self.list(items, Self::value)?,
            Value::Object(members) => {
                self.members(members.iter().map(|(name, value)| (name.as_str(), value)), Self::value)?;
            }
            Value::Number(number) => match number.as_i64() {
                Some(integer) if integer.unsigned_abs() <= EXACT_INTEGER => self.raw(&integer.to_string()),
                _ => self.bytes.extend(canonical(value)?),
            },
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        items: &[T],
        write: impl Fn(&mut Self, &T) -> Result<(), EvidenceError>,
    ) -> Result<(), EvidenceError> {
        self.raw("[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, item)?;
        }
        self.raw("]");
        Ok(())
    }

    /// Members in the order of their names as UTF-16, which is the order of bytes for all but rare names.
    fn members<'a, T: Copy>(
        &mut self,
        members: impl Iterator<Item = (&'a str, T)>,
        write: impl Fn(&mut Self, T) -> Result<(), EvidenceError>,
    ) -> Result<(), EvidenceError> {
        let mut members: Vec<(&str, T)> = members.collect();
        let ordered = members.iter().all(|(name, _)| name.is_ascii())
            && members.is_sorted_by(|(one, _), (other, _)| one < other);
        if !ordered {
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
        }
        self.raw("{");
        for (index, (name, value)) in members.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            self.text(name)?;
            self.raw(":");
            write(self, value)?;
        }
        self.raw("}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fact::RULE_INPUT_VERSION;
    use crate::{Source, SourceKind, SubjectKind};

    /// A value from a sequence of numbers, with all that makes canonical JSON hard.
    fn value(dice: &mut impl FnMut(u64) -> u64, depth: u64) -> Value {
        const NAMES: [&str; 10] =
            ["a", "B", "", "\u{e9}", "\u{1f600}", "\u{fb33}", "zz", "\u{80}", "\"\\/", "\u{7}\n\u{7f}"];
        match dice(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(dice(2) == 0),
            2 => json!(NAMES[usize::try_from(dice(10)).unwrap()]),
            3 => json!(
                [0, -1, 1 << 53, (1i64 << 53) + 1, i64::MIN, i64::MAX][usize::try_from(dice(6)).unwrap()]
            ),
            4 => json!(
                [0.0, -0.0, 1e21, 1.5e-7, 333_333_333.333_333_3, 1e30, 4.5]
                    [usize::try_from(dice(7)).unwrap()]
            ),
            5 => json!(u64::MAX - dice(3)),
            6 => Value::Array((0..dice(4)).map(|_| value(dice, depth - 1)).collect()),
            _ => (0..dice(5))
                .map(|_| (NAMES[usize::try_from(dice(10)).unwrap()].to_owned(), value(dice, depth - 1)))
                .collect(),
        }
    }

    #[test]
    fn evidence_is_the_canonical_json_of_the_input() {
        let mut seed = 11u64;
        let mut dice = move |sides: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % sides
        };
        for round in 0..2_000 {
            let entry = |value| FactEntry {
                value,
                source: Source { kind: SourceKind::Traffic, locator: format!("gw \u{1f600} {round}\n") },
                seen_at: Timestamp(1_700_000_000_000_000 + round),
            };
            let input = RuleInput {
                version: RULE_INPUT_VERSION,
                subject: Subject::new(SubjectKind::Operation, "s GET /\u{e9}\"{id}"),
                at: Timestamp(round * 1_000_003),
                params: BTreeMap::from([
                    ("p".to_owned(), value(&mut dice, 2)),
                    ("\u{fb33}".to_owned(), json!(1)),
                ]),
                facts: BTreeMap::from([
                    ("a.b".to_owned(), vec![entry(value(&mut dice, 3)), entry(value(&mut dice, 2))]),
                    ("a.c".to_owned(), Vec::new()),
                ]),
            };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let evidence = Evidence::of(&input).unwrap();
            assert_eq!(text(evidence.as_bytes()), text(&canonical(&input).unwrap()));
        }
    }
}
