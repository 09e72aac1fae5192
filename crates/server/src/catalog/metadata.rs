//! METADATA of a check: the annotation form of Open Policy Agent, with what is ours under `custom`.

use std::collections::BTreeMap;

use probity_model::check::CheckKind;
use probity_model::{Check, CheckId, Diagnostic, Rule, Severity, SubjectKind};
use probity_policy::rego::metadata_block;
use probity_reader::config::from_yaml;
use serde::Deserialize;
use serde_json::Value;

use super::fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    title: String,
    description: String,
    #[serde(default)]
    related_resources: Vec<String>,
    custom: Custom,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Custom {
    id: CheckId,
    severity: Severity,
    kind: CheckKind,
    subjects: Vec<SubjectKind>,
    needs: Vec<String>,
    passes_on: Vec<String>,
    remediation: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    rules: Vec<Rule>,
}

pub(super) fn read(file: &str, rego: &str) -> Result<Check, Vec<Diagnostic>> {
    let Some((yaml, _)) = metadata_block(rego) else {
        return Err(vec![fault(
            file,
            "the module has no METADATA",
            "expected a comment that begins with `# METADATA`",
        )]);
    };
    // The block keeps lines and columns of the module, so that every fault has its true place.
    let metadata: Metadata = from_yaml(file, &yaml)?;
    let custom = metadata.custom;
    Ok(Check {
        id: custom.id,
        title: metadata.title,
        severity: custom.severity,
        kind: custom.kind,
        subjects: custom.subjects,
        needs: custom.needs,
        passes_on: custom.passes_on,
        remediation: custom.remediation,
        references: metadata.related_resources,
        params: custom.params,
        rules: custom.rules,
        description: metadata.description,
    })
}
