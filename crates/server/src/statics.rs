//! Judging specification files without traffic: the same facts, the same checks, each finding at its line.
//!
//! What only traffic can show has no evidence here and is no finding; what could not be read makes the result incomplete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use probity_graph::reconcile::{View, reconcile};
use probity_graph::{Inventory, ServiceSources, Sources, facts};
use probity_model::specification::Specification;
use probity_model::{
    Diagnostic, RuleId, ServiceId, Severity, Source, SourceKind, Span, Status, Subject, SubjectFacts,
    SubjectKind, Timestamp,
};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::sources;

/// Files looked at below one folder, and how deep.
const MAX_FILES: usize = 2_000;
const MAX_DEPTH: usize = 12;

#[derive(Clone, Debug, Serialize)]
pub struct StaticFinding {
    pub span: Span,
    pub severity: Severity,
    pub check: Option<String>,
    pub rule: RuleId,
    pub subject: Option<String>,
    pub message: String,
    pub fix: Option<String>,
    pub controls: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    pub files: usize,
    pub operations: usize,
    pub findings: Vec<StaticFinding>,
    /// Files that could not be read.
    pub unreadable: Vec<String>,
    pub incomplete: bool,
}

/// Judges each specification found under `paths`.
pub fn check(catalog: &Catalog, paths: &[PathBuf]) -> anyhow::Result<Checked> {
    let engine = catalog.engine().map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the catalogue has faults:\n{}", lines.join("\n"))
    })?;
    let mut checked = Checked::default();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            find_specifications(path, 0, &mut files);
            if files.len() == before {
                checked.unreadable.push(format!("{}: no OpenAPI document below it", path.display()));
            }
        } else {
            files.push(path.clone());
        }
    }
    for file in &files {
        checked.files += 1;
        let mut diagnostics = Vec::new();
        let specification = sources::read_specification(file, &mut diagnostics);
        match specification {
            Some(specification) => {
                checked.findings.extend(diagnostics.iter().map(structural));
                judge_file(catalog, &engine, specification, &mut checked);
            }
            None => checked.unreadable.extend(diagnostics.iter().map(ToString::to_string)),
        }
    }
    checked.incomplete = !checked.unreadable.is_empty();
    checked.findings.sort_by(|a, b| a.span.cmp(&b.span).then_with(|| a.rule.cmp(&b.rule)));
    Ok(checked)
}

/// What the reader found: the document's structure.
fn structural(diagnostic: &Diagnostic) -> StaticFinding {
    StaticFinding {
        span: diagnostic.span.clone(),
        severity: diagnostic.severity,
        check: Some("schema-defined".to_owned()),
        rule: RuleId::from("PRB-specification-structure"),
        subject: None,
        message: diagnostic.message.clone(),
        fix: diagnostic.hint.clone(),
        controls: Vec::new(),
    }
}

fn judge_file(
    catalog: &Catalog,
    engine: &probity_policy::rego::Engine,
    specification: Specification,
    checked: &mut Checked,
) {
    let service = ServiceId::new(&specification.title);
    let specification = Arc::new(specification);
    let source = ServiceSources { specifications: vec![specification.clone()], ..ServiceSources::default() };
    let sources = Sources { services: BTreeMap::from([(service, source)]) };
    let mut inventory = Inventory::new();
    let findings = BTreeMap::new();
    let at = crate::clock::now();
    let service_facts = facts_of_service(&sources, at);
    let view = View { at, window_us: i64::MAX, risk: catalog.risk(), findings: &findings };
    let reconciled = reconcile(&mut inventory, &sources, view);
    for operation in &reconciled.operations {
        checked.operations += 1;
        let Some(documented) = &operation.documented else { continue };
        let mut facts = facts::of_operation(operation, &reconciled, &inventory, "none", at);
        // Without traffic, only what documents say is known.
        for entries in facts.facts.values_mut() {
            entries.retain(|entry| !matches!(entry.source.kind, SourceKind::Traffic | SourceKind::Gateway));
        }
        facts.facts.retain(|_, entries| !entries.is_empty());
        let subject = format!("{} {}", operation.method, operation.template);
        judge_subject(catalog, engine, &facts, (&subject, &documented.span), at, checked);
    }
    for (facts, file) in service_facts {
        let span = Span { file, line: 1, column: 1 };
        let subject = facts.subject.id.clone();
        judge_subject(catalog, engine, &facts, (&subject, &span), at, checked);
    }
}

/// The facts of each service, and the file that states them.
fn facts_of_service(sources: &Sources, at: Timestamp) -> Vec<(SubjectFacts, Arc<str>)> {
    let mut out = Vec::new();
    for (service, sources) in &sources.services {
        let Some(newest) = sources.specifications.first() else { continue };
        let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Service, service.as_str()));
        facts::state_service(&mut facts, sources, at);
        out.push((facts, newest.file.clone()));
    }
    out
}

/// Each failure of each check of one subject, which stands at `span` and goes by a short name.
fn judge_subject(
    catalog: &Catalog,
    engine: &probity_policy::rego::Engine,
    facts: &SubjectFacts,
    (name, span): (&str, &Span),
    at: Timestamp,
    checked: &mut Checked,
) {
    for check in catalog.checks().iter().filter(|check| check.subjects.contains(&facts.subject.kind)) {
        let Ok(judgement) = engine.judge(&check.id, facts, at.hour(), &check.params) else {
            continue;
        };
        if judgement.status != Status::Fail {
            continue;
        }
        for reason in judgement.reasons {
            let rule = check.rules.iter().find(|rule| rule.id == reason.rule);
            checked.findings.push(StaticFinding {
                span: reason.source.as_ref().and_then(place_of).unwrap_or_else(|| span.clone()),
                severity: rule.and_then(|rule| rule.severity).unwrap_or(check.severity),
                check: Some(check.id.to_string()),
                rule: reason.rule,
                subject: Some(facts.subject.id.clone()),
                message: format!("{name}: {}", reason.message),
                fix: Some(check.remediation.clone()),
                controls: controls_of(catalog, &check.id),
            });
        }
    }
}

/// The place that a source of a document names: file, line, column.
fn place_of(source: &Source) -> Option<Span> {
    if source.kind != SourceKind::Specification {
        return None;
    }
    let mut parts = source.locator.rsplitn(3, ':');
    let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Span { file: parts.next()?.into(), line, column })
}

fn controls_of(catalog: &Catalog, check: &probity_model::CheckId) -> Vec<String> {
    let mut names = BTreeSet::new();
    for framework in catalog.frameworks() {
        let named = framework.controls.iter().filter(|control| control.checks.contains(check));
        names.extend(named.map(|control| format!("{}/{}", framework.id, control.id)));
    }
    names.into_iter().collect()
}

/// YAML and JSON files that say that they are OpenAPI documents.
fn find_specifications(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
    if depth > MAX_DEPTH || out.len() >= MAX_FILES {
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_symlink() || name.starts_with('.') || matches!(name, "node_modules" | "target" | "vendor")
        {
            continue;
        }
        if path.is_dir() {
            find_specifications(&path, depth + 1, out);
        } else if is_specification(&path) && out.len() < MAX_FILES {
            out.push(path);
        }
    }
}

fn is_specification(path: &Path) -> bool {
    use std::io::Read as _;
    let known = path.extension().and_then(|extension| extension.to_str());
    if !matches!(known, Some("yaml" | "yml" | "json")) {
        return false;
    }
    let Ok(mut file) = std::fs::File::open(path) else { return false };
    let mut head = [0u8; 2_048];
    let read = file.read(&mut head).unwrap_or(0);
    let text = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
    text.lines()
        .any(|line| line.trim_start().starts_with("openapi:") || line.trim_start().starts_with("\"openapi\""))
        || text.contains("\"openapi\":")
}
