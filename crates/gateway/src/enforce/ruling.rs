//! What a control found, as an explained value: which check, which rule, where, what kind of thing, and what follows.

use std::borrow::Cow;

use bytes::Bytes;
use probity_model::decision::DecisionInput;
use probity_model::{Action, CheckId, DataClass, Decision, EnforcementMode, Place, RuleId};

/// Stands before the rules of a draft that is tried.
const DRAFT: &str = "draft:";

/// A finding of one control about one call. It never holds a value of the call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ruling {
    pub check: &'static str,
    pub rule: Cow<'static, str>,
    pub mode: EnforcementMode,
    /// Of the answer, should the call end here.
    pub status: u16,
    /// Of the problem that the client reads.
    pub title: Cow<'static, str>,
    pub input: DecisionInput,
    /// Fields of that answer beside the usual ones: `WWW-Authenticate`, `Retry-After`.
    pub fields: Vec<(&'static str, String)>,
    /// Another answer than a problem.
    pub answer: Option<OwnAnswer>,
}

/// An answer that the operator wrote: a challenge, a maintenance page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnAnswer {
    pub content_type: String,
    pub body: Bytes,
}

impl Ruling {
    /// A ruling that ends a call in block mode with that status.
    pub fn new(
        check: &'static str,
        rule: impl Into<Cow<'static, str>>,
        mode: EnforcementMode,
        status: u16,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            check,
            rule: rule.into(),
            mode,
            status,
            title: title.into(),
            input: DecisionInput { place: None, field: String::new(), class: None, found: String::new() },
            fields: Vec::new(),
            answer: None,
        }
    }

    /// Where it was found, in which field, and a word for what was there.
    #[must_use]
    pub fn found(mut self, place: Option<Place>, field: impl Into<String>, found: impl Into<String>) -> Self {
        (self.input.place, self.input.field, self.input.found) = (place, field.into(), found.into());
        self
    }

    #[must_use]
    pub fn class(mut self, class: DataClass) -> Self {
        self.input.class = Some(class);
        self
    }

    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The name in problems and metrics.
    pub fn name(&self) -> &str {
        self.rule.strip_prefix("gateway-").unwrap_or(&self.rule)
    }

    /// As a draft says it: whatever its mode, it only flags.
    pub fn rehearsed(&self, revision: u64) -> Decision {
        Decision {
            rule: RuleId::from(format!("{DRAFT}{}", self.rule)),
            mode: EnforcementMode::Observe,
            ..self.decision(Action::Flag, revision)
        }
    }

    pub fn decision(&self, action: Action, revision: u64) -> Decision {
        Decision {
            check: CheckId::new(self.check),
            rule: RuleId::from(self.rule.clone().into_owned()),
            mode: self.mode,
            action,
            input: self.input.clone(),
            revision,
        }
    }
}
