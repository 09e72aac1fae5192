//! Frameworks and their controls, as `catalog/frameworks/<id>.yaml` states them. Identifiers and our own words only.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CheckId, ControlId, FrameworkId};

/// How far a control can be judged by the checks that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The checks judge it whole.
    Auto,
    /// The checks judge a part; the remainder needs an attestation or connector result.
    Partial,
    /// Needs a connector.
    Connector,
    /// Needs a person's attestation.
    Attest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    pub id: FrameworkId,
    pub title: String,
    pub version: String,
    /// Who publishes it, and where.
    pub publisher: String,
    #[serde(default)]
    pub reference: Option<String>,
    pub controls: Vec<Control>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    pub id: ControlId,
    /// In our own words.
    pub title: String,
    pub mode: Mode,
    pub checks: Vec<CheckId>,
    /// Parameters that the control rests on, by check: ours, named and shown as such. The catalogue holds them to the values
    /// with which the check is judged.
    #[serde(default)]
    pub parameters: BTreeMap<CheckId, BTreeMap<String, Value>>,
    /// Whether the identifier was verified against a source, and which.
    pub verified: bool,
    #[serde(default)]
    pub source: Option<String>,
}
