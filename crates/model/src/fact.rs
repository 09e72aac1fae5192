//! Facts: what sources say about a subject, each value with its provenance; and the input of a rule.
//!
//! The registered keys are in `catalog/facts.yaml`; an unregistered fact does not exist.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Subject, Timestamp};

/// Version of [`RuleInput`].
pub const RULE_INPUT_VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    Specification,
    Iac,
    Code,
    Traffic,
    Probe,
    Gateway,
    Vault,
    Account,
    Import,
    Attestation,
}

impl SourceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Specification => "specification",
            Self::Iac => "iac",
            Self::Code => "code",
            Self::Traffic => "traffic",
            Self::Probe => "probe",
            Self::Gateway => "gateway",
            Self::Vault => "vault",
            Self::Account => "account",
            Self::Import => "import",
            Self::Attestation => "attestation",
        }
    }
}

/// Where a value comes from: `locator` is `file:line:column`, a gateway id, a segment range.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    pub kind: SourceKind,
    pub locator: String,
}

/// One source's value of one fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FactEntry {
    pub value: Value,
    pub source: Source,
    pub seen_at: Timestamp,
}

/// Everything that is known of one subject, all sources side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectFacts {
    pub subject: Subject,
    pub facts: BTreeMap<String, Vec<FactEntry>>,
}

impl SubjectFacts {
    pub fn new(subject: Subject) -> Self {
        Self { subject, facts: BTreeMap::new() }
    }
    /// Adds one source's value; entries keep the order in which they are stated.
    pub fn state(&mut self, key: &str, value: impl Into<Value>, source: &Source, seen_at: Timestamp) {
        let entry = FactEntry { value: value.into(), source: source.clone(), seen_at };
        self.facts.entry(key.to_owned()).or_default().push(entry);
    }
}

/// What a rule sees, and nothing else: `at` is an argument, there is no clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleInput {
    pub version: u32,
    pub subject: Subject,
    pub at: Timestamp,
    pub params: BTreeMap<String, Value>,
    pub facts: BTreeMap<String, Vec<FactEntry>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FactType {
    Boolean,
    Integer,
    Number,
    String,
    StringList,
    Object,
    ObjectList,
    Timestamp,
}

/// One registered fact of `catalog/facts.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactDefinition {
    pub key: String,
    #[serde(rename = "type")]
    pub value_type: FactType,
    pub subjects: Vec<crate::SubjectKind>,
    /// Whether values may be personal data: such values enter evidence only as salted commitments.
    pub personal: bool,
    pub meaning: String,
    #[serde(default)]
    pub unit: Option<String>,
}
