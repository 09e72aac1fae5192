//! Examples of a check: facts, and what the check should say of them. They are its tests and its documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use probity_model::{
    Check, CheckId, Diagnostic, RuleId, Source, SourceKind, Span, Status, Subject, SubjectFacts, SubjectKind,
    Timestamp,
};
use probity_policy::rego::{Engine, Judgement};
use probity_reader::config::{Located, from_yaml_with_spans};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Catalog;

/// When examples are judged that do not say.
const DEFAULT_MOMENT: &str = "2026-11-10T12:00:00Z";
/// The subject of examples that do not say.
const DEFAULT_SUBJECT: &str = "clinic GET /v2/things/{id}";
/// The locator of sources that do not say theirs.
const DEFAULT_LOCATOR: &str = "example";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    examples: Vec<Example>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    /// The first kind that the check judges when absent.
    #[serde(default)]
    kind: Option<SubjectKind>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    /// By source (`traffic`, `specification@openapi.yaml:12:5`), then by fact.
    facts: BTreeMap<String, BTreeMap<String, Value>>,
    status: Status,
    /// The rules that fail, exactly.
    #[serde(default)]
    rules: Vec<RuleId>,
    /// The places of the reasons, exactly, where the example says.
    #[serde(default)]
    places: Option<Vec<String>>,
    /// The facts that drift, exactly, where the example says.
    #[serde(default)]
    drift: Option<Vec<String>>,
}

/// The examples of one check, with their places.
#[derive(Debug)]
pub(super) struct Examples {
    examples: Vec<(Example, Span)>,
}

pub(super) fn read(file: &str, text: &str) -> Result<Examples, Vec<Diagnostic>> {
    let located: Located<File> = from_yaml_with_spans(file, text)?;
    let nowhere = Span { file: file.into(), line: 1, column: 1 };
    let spans: Vec<Span> = (0..located.value.examples.len())
        .map(|index| located.span_of(&format!("/examples/{index}")).unwrap_or_else(|| nowhere.clone()))
        .collect();
    let examples = located.into_value().examples;
    Ok(Examples { examples: examples.into_iter().zip(spans).collect() })
}

/// What one example came to.
#[derive(Clone, Debug, Serialize)]
pub struct ExampleResult {
    pub check: CheckId,
    pub name: String,
    pub place: Span,
    pub expected: Status,
    /// Absent when the check could not be run.
    pub found: Option<Status>,
    /// Why it failed, in words; empty when it passed.
    pub faults: Vec<String>,
}

/// What all examples came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExampleReport {
    pub results: Vec<ExampleResult>,
    /// What keeps a check from being run, and examples that are missing.
    pub faults: Vec<String>,
}

impl ExampleReport {
    pub fn passed(&self) -> bool {
        self.faults.is_empty() && self.results.iter().all(|result| result.faults.is_empty())
    }
}

impl fmt::Display for ExampleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        for result in &self.results {
            for fault in &result.faults {
                writeln!(f, "{}: {}: {}: {fault}", result.place, result.check, result.name)?;
            }
        }
        let failed = self.results.iter().filter(|result| !result.faults.is_empty()).count();
        let checks: BTreeSet<&CheckId> = self.results.iter().map(|result| &result.check).collect();
        writeln!(f, "{} examples of {} checks, {failed} failed", self.results.len(), checks.len())
    }
}

pub(super) fn run(catalog: &Catalog) -> ExampleReport {
    let mut report = ExampleReport::default();
    let engine = match catalog.engine() {
        Ok(engine) => engine,
        Err(faults) => {
            report.faults = faults.iter().map(ToString::to_string).collect();
            return report;
        }
    };
    for ((check, source), examples) in catalog.checks.iter().zip(&catalog.sources).zip(&catalog.examples) {
        report.faults.extend(missing(check, &source.rego, examples));
        report.results.extend(examples.examples.iter().map(|(example, place)| ExampleResult {
            check: check.id.clone(),
            name: example.name.clone(),
            place: place.clone(),
            expected: example.status,
            found: None,
            faults: Vec::new(),
        }));
        let results = report.results.iter_mut().rev().take(examples.examples.len()).rev();
        for (result, (example, _)) in results.zip(&examples.examples) {
            match judge(&engine, check, example) {
                Ok(judgement) => {
                    result.found = Some(judgement.status);
                    result.faults = differences(example, &judgement);
                }
                Err(fault) => result.faults.push(fault),
            }
        }
    }
    report
}

/// Every rule fails in an example, and every status that the check can come to is shown.
fn missing(check: &Check, rego: &str, examples: &Examples) -> Vec<String> {
    let shows = |status: Status| examples.examples.iter().any(|(example, _)| example.status == status);
    let mut statuses = vec![Status::Pass, Status::NoEvidence];
    if rego.lines().any(|line| line.starts_with("not_applicable contains")) {
        statuses.push(Status::NotApplicable);
    }
    let unshown =
        statuses.into_iter().filter(|status| !shows(*status)).map(|status| status.as_str().to_owned());
    let failing: BTreeSet<&RuleId> =
        examples.examples.iter().flat_map(|(example, _)| &example.rules).collect();
    let unfailed =
        check.rules.iter().filter(|rule| !failing.contains(&rule.id)).map(|rule| rule.id.to_string());
    unshown.chain(unfailed).map(|what| format!("{}: no example shows {what}", check.id)).collect()
}

fn judge(engine: &Engine, check: &Check, example: &Example) -> Result<Judgement, String> {
    let at = example.at.or_else(|| Timestamp::parse(DEFAULT_MOMENT)).unwrap_or_default();
    let kind =
        example.kind.or_else(|| check.subjects.first().copied()).ok_or("the check judges no subject")?;
    let id = example.subject.as_deref().unwrap_or(DEFAULT_SUBJECT);
    let mut facts = SubjectFacts::new(Subject::new(kind, id));
    for (source, stated) in &example.facts {
        let source = read_source(source)?;
        for (key, value) in stated {
            if !check.needs.contains(key) {
                return Err(format!("states `{key}`, which the check does not need"));
            }
            facts.state(key, value.clone(), &source, at);
        }
    }
    engine.judge(&check.id, &facts, at, &example.params).map_err(|error| error.to_string())
}

fn read_source(text: &str) -> Result<Source, String> {
    let (kind, locator) = text.split_once('@').unwrap_or((text, DEFAULT_LOCATOR));
    let kind: SourceKind =
        serde_json::from_value(Value::from(kind)).map_err(|_| format!("`{kind}` is no kind of source"))?;
    Ok(Source { kind, locator: locator.to_owned() })
}

fn differences(example: &Example, found: &Judgement) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(problem) = &found.problem {
        faults.push(format!("a rule stopped: {problem}"));
    }
    if found.status != example.status {
        let reasons: Vec<&str> = found.reasons.iter().map(|reason| reason.message.as_str()).collect();
        let (expected, found) = (example.status.as_str(), found.status.as_str());
        faults.push(format!("expected {expected}, found {found} ({})", reasons.join("; ")));
    }
    let failed = if found.status == Status::Fail { found.reasons.as_slice() } else { &[] };
    let rules: BTreeSet<&str> = failed.iter().map(|reason| reason.rule.as_str()).collect();
    compare("rules", &example.rules.iter().map(RuleId::as_str).collect(), &rules, &mut faults);
    if let Some(places) = &example.places {
        let found = found.reasons.iter().map(|reason| reason.place.as_str()).collect();
        compare("places", &places.iter().map(String::as_str).collect(), &found, &mut faults);
    }
    if let Some(drift) = &example.drift {
        let found = found.drift.iter().map(|drift| drift.fact.as_str()).collect();
        compare("drift", &drift.iter().map(String::as_str).collect(), &found, &mut faults);
    }
    faults
}

fn compare(what: &str, expected: &BTreeSet<&str>, found: &BTreeSet<&str>, faults: &mut Vec<String>) {
    if expected != found {
        faults.push(format!("expected {what} {expected:?}, found {found:?}"));
    }
}

impl Catalog {
    /// Name, status and failing rules of each example of a check.
    pub(super) fn example_lines(&self, check: &Check) -> Vec<(&str, Status, Vec<String>)> {
        let position = self.checks.iter().position(|known| known.id == check.id);
        let examples = position.and_then(|position| self.examples.get(position));
        examples
            .into_iter()
            .flat_map(|examples| &examples.examples)
            .map(|(example, _)| {
                let rules = example.rules.iter().map(|rule| format!("`{rule}`")).collect();
                (example.name.as_str(), example.status, rules)
            })
            .collect()
    }
}
