//! What people state: exceptions that excuse a failure for a time, attestations that cover a control's remainder.

use probity_model::verdict::OutcomeRef;
use probity_model::{CheckId, ControlId, FrameworkId, Subject, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    pub framework: FrameworkId,
    pub control: ControlId,
    pub check: CheckId,
    pub subject: Subject,
    pub from: Timestamp,
    pub until: Timestamp,
    pub reason: String,
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    pub framework: FrameworkId,
    pub control: ControlId,
    pub from: Timestamp,
    pub until: Timestamp,
    pub statement: String,
    pub by: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remainder {
    pub exceptions: Vec<Exception>,
    pub attestations: Vec<Attestation>,
}

impl Remainder {
    /// A live exception covers this failure of this control.
    pub fn excepts(
        &self,
        framework: &FrameworkId,
        control: &ControlId,
        failure: &OutcomeRef,
        at: Timestamp,
    ) -> bool {
        self.exceptions.iter().any(|exception| {
            exception.framework == *framework
                && exception.control == *control
                && exception.check == failure.check
                && exception.subject == failure.subject
                && exception.from <= at
                && at <= exception.until
        })
    }

    pub fn attested(&self, framework: &FrameworkId, control: &ControlId, at: Timestamp) -> bool {
        self.attestations.iter().any(|attestation| {
            attestation.framework == *framework
                && attestation.control == *control
                && attestation.from <= at
                && at <= attestation.until
        })
    }
}
