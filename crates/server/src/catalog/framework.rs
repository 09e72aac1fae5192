//! Frameworks: controls by their public identifiers, our words, and the checks that judge them.

use std::collections::{BTreeMap, BTreeSet};

use probity_model::{CheckId, Diagnostic, Framework, Severity, Span};
use probity_policy::rego::CheckSource;
use probity_reader::config::{Located, from_yaml_with_spans};

use super::fault;

/// A framework that was read, and where each part of it stands.
pub(super) struct Read {
    pub value: Framework,
    spans: Vec<Option<Span>>,
    file: String,
}

pub(super) fn read(file: &str, stem: &str, text: &str) -> Result<Read, Vec<Diagnostic>> {
    let located: Located<Framework> = from_yaml_with_spans(file, text)?;
    let spans = (0..located.value.controls.len())
        .map(|index| located.span_of(&format!("/controls/{index}/id")))
        .collect();
    let read = Read { spans, file: file.to_owned(), value: located.into_value() };
    let mut faults = Vec::new();
    if read.value.id.as_str() != stem {
        let message = format!("the framework `{}` stands in a file of another name", read.value.id);
        faults.push(fault(file, &message, &format!("expected the id `{stem}`")));
    }
    if read.value.controls.is_empty() {
        faults.push(fault(file, "the framework has no control", ""));
    }
    read.each_control(&mut faults);
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

impl Read {
    fn each_control(&self, faults: &mut Vec<Diagnostic>) {
        let mut seen = BTreeSet::new();
        for (index, control) in self.value.controls.iter().enumerate() {
            if !seen.insert(&control.id) {
                faults.push(self.fault(index, format!("the control `{}` is there twice", control.id)));
            }
            if control.checks.is_empty() {
                faults.push(self.fault(index, format!("the control `{}` names no check", control.id)));
            }
            let distinct: BTreeSet<&CheckId> = control.checks.iter().collect();
            if distinct.len() < control.checks.len() {
                faults.push(self.fault(index, format!("the control `{}` names a check twice", control.id)));
            }
            for check in control.parameters.keys().filter(|check| !control.checks.contains(check)) {
                faults.push(
                    self.fault(index, format!("parameters for `{check}`, which the control does not name")),
                );
            }
        }
    }

    /// Parameters must be those of their check, with its values: a check is judged once for all controls, so that a value
    /// of a control's own would be shown and never judged. A check that this version lacks is no fault: its control says so.
    pub fn against(&self, checks: &BTreeMap<CheckId, CheckSource>, faults: &mut Vec<Diagnostic>) {
        for (index, control) in self.value.controls.iter().enumerate() {
            for (id, parameters) in &control.parameters {
                let Some(source) = checks.get(id) else { continue };
                for (name, value) in parameters {
                    match source.check.params.get(name) {
                        None => {
                            faults.push(self.fault(index, format!("the check `{id}` has no parameter `{name}`")));
                        }
                        Some(judged) if judged != value => faults.push(self.fault(
                            index,
                            format!(
                                "the control `{}` states `{name}: {value}` for `{id}`, expected `{judged}`, with which the \
                                 check is judged for all controls",
                                control.id
                            ),
                        )),
                        Some(_) => {}
                    }
                }
            }
        }
    }

    fn fault(&self, control: usize, message: String) -> Diagnostic {
        let span = self.spans.get(control).cloned().flatten();
        let span = span.unwrap_or_else(|| Span { file: self.file.as_str().into(), line: 1, column: 1 });
        Diagnostic { span, severity: Severity::High, message, hint: None }
    }
}
