//! The engine: compiled checks, and the judging of one subject by one check.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use probity_model::evidence::EvidenceError;
use probity_model::fact::FactDefinition;
use probity_model::outcome::Drift;
use probity_model::{
    Check, CheckId, Diagnostic, Evidence, Reason, Severity, Span, Status, SubjectFacts, SubjectKind,
    Timestamp,
};
use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::Value;
use thiserror::Error;

use super::drift::drift;
use super::entry::{ENTRY_POINT, observation, read_answer};
use super::input::{Malformed, View};
use super::load::{CheckSource, Prepared, prepare};
use super::memo::{Memo, Said};

/// How long one judgement may take. A judgement takes some tens of microseconds; the limit only keeps a rule that never
/// ends from holding its caller, and makes it no evidence.
pub const JUDGE_LIMIT: Duration = Duration::from_secs(10);

/// Steps of a rule between two looks at that limit.
const LIMIT_INTERVAL: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// What one check says of one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub status: Status,
    /// Sorted, without repeats. A failure names its rule; a reason of another status stands under the check's own name
    /// (`authn-required.pass`, `authn-required.no-evidence`).
    pub reasons: Vec<Reason>,
    pub drift: Vec<Drift>,
    /// The input, limited to what the check needs.
    pub evidence: Evidence,
    /// Why the rules could not be run to their end; for a log, never for a report.
    pub problem: Option<String>,
}

#[derive(Debug, Error)]
pub enum JudgeError {
    #[error("there is no check `{0}`")]
    UnknownCheck(CheckId),
    #[error("the check `{check}` does not judge a subject of kind `{kind}`")]
    SubjectKind { check: CheckId, kind: SubjectKind },
    #[error("the check `{check}` has no parameter `{name}`")]
    UnknownParameter { check: CheckId, name: String },
    #[error("the parameter `{name}` of the check `{check}` is not of the type of its default")]
    ParameterType { check: CheckId, name: String },
    #[error("the facts have a value that cannot be evidence")]
    Evidence(#[from] EvidenceError),
}

/// Compiled checks. Any number of threads may judge at once.
pub struct Engine {
    checks: BTreeMap<CheckId, Prepared>,
    memo: Memo,
    limit: Duration,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("checks", &self.checks.keys()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Compiles the checks; every fault of every check is named with its file, line and column.
    pub fn load(sources: Vec<CheckSource>, facts: &[FactDefinition]) -> Result<Self, Vec<Diagnostic>> {
        let mut checks = BTreeMap::new();
        let mut diagnostics = Vec::new();
        for source in sources {
            let file = source.file.clone();
            match prepare(source, facts) {
                Ok(prepared) => {
                    let id = prepared.check.id.clone();
                    if checks.insert(id.clone(), prepared).is_some() {
                        diagnostics.push(Diagnostic {
                            span: Span { file: file.into(), line: 1, column: 1 },
                            severity: Severity::High,
                            message: format!("the check `{id}` is there twice"),
                            hint: None,
                        });
                    }
                }
                Err(found) => diagnostics.extend(found),
            }
        }
        if diagnostics.is_empty() {
            Ok(Self { checks, memo: Memo::default(), limit: JUDGE_LIMIT })
        } else {
            Err(diagnostics)
        }
    }

    /// The same engine with another limit than [`JUDGE_LIMIT`].
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Every check, by id.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.values().map(|prepared| &prepared.check)
    }

    pub fn check(&self, id: &CheckId) -> Option<&Check> {
        self.checks.get(id).map(|prepared| &prepared.check)
    }

    /// The checks that judge subjects of this kind.
    pub fn checks_of(&self, kind: SubjectKind) -> impl Iterator<Item = &Check> {
        self.checks().filter(move |check| check.subjects.contains(&kind))
    }

    /// Judges one subject by one check at `at`. `params` overrides defaults of METADATA.
    ///
    /// Whatever keeps the rules from an answer (a fact of a wrong type, an error, too many steps) is no evidence with
    /// its reason; it is never a pass.
    pub fn judge(
        &self,
        check: &CheckId,
        facts: &SubjectFacts,
        at: Timestamp,
        params: &BTreeMap<String, Value>,
    ) -> Result<Judgement, JudgeError> {
        let prepared = self.checks.get(check).ok_or_else(|| JudgeError::UnknownCheck(check.clone()))?;
        let kind = facts.subject.kind;
        if !prepared.check.subjects.contains(&kind) {
            return Err(JudgeError::SubjectKind { check: check.clone(), kind });
        }
        let params = parameters(&prepared.check, params)?;
        let view = View::of(prepared, facts, at, &params);
        let evidence = view.evidence()?;
        let said = if view.facts.is_empty() {
            Arc::new(silence(prepared, &view))
        } else {
            let key = self.memo.key(&view);
            self.memo.recall(key).unwrap_or_else(|| {
                let said = Arc::new(prepared.run(&view, self.limit));
                if said.problem.is_none() {
                    self.memo.remember(key, Arc::clone(&said));
                }
                said
            })
        };
        Ok(Judgement {
            status: said.status,
            reasons: said.reasons.clone(),
            drift: drift(&view),
            evidence,
            problem: said.problem.clone(),
        })
    }
}

/// The defaults of METADATA, overridden.
fn parameters<'a>(
    check: &'a Check,
    overrides: &BTreeMap<String, Value>,
) -> Result<Cow<'a, BTreeMap<String, Value>>, JudgeError> {
    if overrides.is_empty() || *overrides == check.params {
        return Ok(Cow::Borrowed(&check.params));
    }
    let mut params = check.params.clone();
    for (name, value) in overrides {
        let (check, name) = (check.id.clone(), name.clone());
        match params.get_mut(&name) {
            None => return Err(JudgeError::UnknownParameter { check, name }),
            Some(slot) if std::mem::discriminant(slot) != std::mem::discriminant(value) => {
                return Err(JudgeError::ParameterType { check, name });
            }
            Some(slot) => *slot = value.clone(),
        }
    }
    Ok(Cow::Owned(params))
}

impl Prepared {
    fn run(&self, view: &View<'_>, limit: Duration) -> Said {
        let malformed = view.malformed();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut interpreter = idle.unwrap_or_else(|| self.compiled.clone());
        interpreter
            .set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: LIMIT_INTERVAL });
        interpreter.set_input(view.rego_value());
        let said = match interpreter.eval_rule(ENTRY_POINT.to_owned()) {
            Ok(answer) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(interpreter);
                read_answer(&self.check, &answer).unwrap_or_else(|error| stopped(&self.check, &error))
            }
            // An interpreter that stopped midway is not used again.
            Err(error) => stopped(&self.check, &error),
        };
        settle(self, view, said, malformed)
    }
}

fn stopped(check: &Check, error: &impl fmt::Display) -> Said {
    // The error's own text may repeat a value of the facts, so the reason does not.
    let reason = plain(check, Status::NoEvidence, "a rule of the check stopped with an error".into());
    Said { status: Status::NoEvidence, reasons: vec![reason], problem: Some(error.to_string()) }
}

fn settle(prepared: &Prepared, view: &View<'_>, said: Said, malformed: Vec<Malformed>) -> Said {
    if said.status == Status::Fail {
        return said;
    }
    if !malformed.is_empty() {
        let mut reasons: Vec<Reason> = malformed
            .into_iter()
            .map(|fact| Reason {
                rule: observation(&prepared.check, Status::NoEvidence),
                source: Some(fact.source),
                place: String::new(),
                message: format!("the fact {} is not of its registered type ({:?})", fact.key, fact.expected),
            })
            .collect();
        reasons.sort();
        reasons.dedup();
        return Said { status: Status::NoEvidence, reasons, problem: said.problem };
    }
    if said.reasons.is_empty() { silence(prepared, view) } else { said }
}

/// Nothing failed, nothing passed: say what is missing.
fn silence(prepared: &Prepared, view: &View<'_>) -> Said {
    let check = &prepared.check;
    let stated_of_kind = prepared.needs.iter().filter(|need| need.subjects.contains(&view.subject.kind));
    let missing: Vec<&str> =
        stated_of_kind.filter(|need| !view.has(need)).map(|need| need.key.as_str()).collect();
    let awaited = check.passes_on.join("; or ");
    let message = match missing.as_slice() {
        [] => format!("not yet observed: {awaited}"),
        missing if view.facts.is_empty() => format!("no source states {}", missing.join(", ")),
        missing => format!("not yet observed: {awaited} (no source states {})", missing.join(", ")),
    };
    let reasons = vec![plain(check, Status::NoEvidence, message)];
    Said { status: Status::NoEvidence, reasons, problem: None }
}

fn plain(check: &Check, status: Status, message: String) -> Reason {
    Reason { rule: observation(check, status), source: None, place: String::new(), message }
}
