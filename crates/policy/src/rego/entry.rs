//! The one rule through which a check is run, and the reading of what it answers.

use probity_model::{Check, Reason, RuleId, Source, SourceKind, Status};
use regorus::Value;
use thiserror::Error;

use super::memo::Said;

/// The sets that a check's module may define, in the order in which they decide.
pub(super) const SETS: [(&str, Status); 4] = [
    ("fail", Status::Fail),
    ("pass", Status::Pass),
    ("not_applicable", Status::NotApplicable),
    ("no_evidence", Status::NoEvidence),
];

/// Most reasons of one judgement; what is above is counted in a last reason, never dropped in silence.
pub(super) const MAX_REASONS: usize = 4_096;

pub(super) const ENTRY_POINT: &str = "data.probity.entry.result";

/// A module that answers the first set of `package`, in the order of [`SETS`], that is not empty; the sets after it are
/// not evaluated.
pub(super) fn entry_module(package: &str, defined: &[&str]) -> String {
    let mut module = String::from("package probity.entry\n\nimport rego.v1\n\nresult := {}");
    let mut separator = " if false";
    for set in defined {
        let path = format!("data.{package}.{set}");
        module += &format!("{separator}\n\nelse := {{\"{set}\": {path}}} if count({path}) > 0");
        separator = "";
    }
    module + "\n\nelse := {}\n"
}

/// A check's module answered something other than sets of reasons.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum AnswerError {
    #[error("the module answered no object of sets")]
    Shape,
    #[error("`{set}` holds something other than objects with rule, place, message, source")]
    Reason { set: &'static str },
    #[error("`fail` names the rule `{rule}`, which METADATA does not name")]
    Rule { rule: String },
}

/// The id that stands for a rule in reasons which are no failures: `authn-required.pass`.
pub(super) fn observation(check: &Check, status: Status) -> RuleId {
    RuleId::from(format!("{}.{}", check.id, status.as_str()))
}

/// Status and reasons of an answer: a failure outweighs everything, a positive observation outweighs what would make
/// the check not applicable, and silence is no evidence.
pub(super) fn read_answer(check: &Check, answer: &Value) -> Result<Said, AnswerError> {
    let answer = answer.as_object().map_err(|_| AnswerError::Shape)?;
    for (set, status) in SETS {
        let Some(members) = answer.get(&Value::from(set)) else { continue };
        let members = members.as_set().map_err(|_| AnswerError::Shape)?;
        if members.is_empty() {
            continue;
        }
        let reasons: Result<Vec<Reason>, AnswerError> =
            members.iter().map(|member| reason(check, set, status, member)).collect();
        return Ok(Said { status, reasons: bounded(reasons?), problem: None });
    }
    Ok(Said { status: Status::NoEvidence, reasons: Vec::new(), problem: None })
}

fn reason(check: &Check, set: &'static str, status: Status, member: &Value) -> Result<Reason, AnswerError> {
    let shape = || AnswerError::Reason { set };
    let member = member.as_object().map_err(|_| shape())?;
    let text = |name: &str| match member.get(&Value::from(name)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(shape()),
    };
    let rule = match (status, text("rule")?) {
        (Status::Fail, Some(rule)) => {
            let rule = RuleId::from(rule);
            if !check.rules.iter().any(|known| known.id == rule) {
                return Err(AnswerError::Rule { rule: rule.to_string() });
            }
            rule
        }
        (Status::Fail, None) | (_, Some(_)) => return Err(shape()),
        (status, None) => observation(check, status),
    };
    let source = match member.get(&Value::from("source")) {
        None | Some(Value::Null) => None,
        Some(source) => Some(read_source(source).ok_or_else(shape)?),
    };
    Ok(Reason {
        rule,
        source,
        place: text("place")?.unwrap_or_default(),
        message: text("message")?.ok_or_else(shape)?,
    })
}

fn read_source(source: &Value) -> Option<Source> {
    let source = source.as_object().ok()?;
    let text = |name: &str| source.get(&Value::from(name))?.as_string().ok().map(|text| text.to_string());
    let kind = text("kind")?;
    Some(Source { kind: serde_json::from_value::<SourceKind>(kind.into()).ok()?, locator: text("locator")? })
}

/// Sorted, without repeats, at most [`MAX_REASONS`].
fn bounded(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort();
    reasons.dedup();
    let left_off = reasons.len().saturating_sub(MAX_REASONS);
    if left_off > 0 {
        let rule = reasons.first().map(|first| first.rule.clone());
        reasons.truncate(MAX_REASONS - 1);
        reasons.extend(rule.map(|rule| Reason {
            rule,
            source: None,
            place: String::new(),
            message: format!("and {} more places", left_off + 1),
        }));
    }
    reasons
}
