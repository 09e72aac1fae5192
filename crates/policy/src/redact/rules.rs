//! What becomes of a class: the first rule that names it, for this caller, at this operation.

use std::sync::Arc;

use probity_model::DataClass;
use probity_model::bundle::leaks::{LeakAction, LeakRule};

/// Who calls what, as far as rules ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    pub roles: &'a [Arc<str>],
    /// Index among the service's operations.
    pub operation: Option<u32>,
}

/// The rules of one direction of one service.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<[LeakRule]>);

impl Rules {
    pub fn new(rules: &[LeakRule]) -> Self {
        Self(rules.into())
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn action(&self, class: &DataClass, caller: Caller<'_>) -> LeakAction {
        let fits = |rule: &&LeakRule| {
            rule.classes.contains(class)
                && (rule.roles.is_empty() || rule.roles.iter().any(|role| caller.roles.contains(role)))
                && rule.operations.contains(caller.operation)
        };
        self.0.iter().find(fits).map_or(LeakAction::Pass, |rule| rule.action)
    }
    /// Whether any rule could do anything at the operation.
    pub fn touches(&self, operation: Option<u32>) -> bool {
        self.0.iter().any(|rule| rule.action != LeakAction::Pass && rule.operations.contains(operation))
    }
    /// Whether a token may be asked for.
    pub fn tokenises(&self) -> bool {
        self.0.iter().any(|rule| rule.action == LeakAction::Tokenise)
    }
}
