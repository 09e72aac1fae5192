//! Checks and rules, as the catalogue's METADATA states them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CheckId, RuleId, SourceKind, SubjectKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|severity| severity.as_str() == text)
    }
}

/// How a check gets its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// Judged from facts alone.
    Automatic,
    /// Needs a connector or collected state.
    Connector,
    /// A person attests.
    Attestation,
}

/// One check: never names a framework. Its rules fail it; `passes_on` names the positive observations that pass it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub id: CheckId,
    pub title: String,
    pub severity: Severity,
    pub kind: CheckKind,
    /// The kinds of subject that this check judges.
    pub subjects: Vec<SubjectKind>,
    /// Fact keys that the rules read; what is not named here is not given to them.
    pub needs: Vec<String>,
    /// In words: the positive observations on which the check passes.
    pub passes_on: Vec<String>,
    pub remediation: String,
    #[serde(default)]
    pub references: Vec<String>,
    /// Named parameters with their default values; they are ours, never a framework's text.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    pub rules: Vec<Rule>,
    pub description: String,
}

/// One rule of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: RuleId,
    pub meaning: String,
    /// Sources that can show the fault.
    pub sources: Vec<SourceKind>,
    /// Overrides the check's severity.
    #[serde(default)]
    pub severity: Option<Severity>,
}
