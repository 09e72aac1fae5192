//! Changes what must not leave: masks, replaces by tokens, drops or refuses values that `classify` found, and nothing else.
//!
//! A body is edited, not written anew: every byte outside of what was found stays as it came. [`plan`] and [`apply`] serve a
//! body that is there as a whole, [`Stream`] one that is too long to be held. Who decides what becomes of a class is
//! [`Rules`]; who makes tokens is the gateway, by [`Tokens`]. No input or output, no random numbers here.

mod edit;
mod mask;
mod rules;
mod stream;
mod syntax;

use probity_model::DataClass;
use probity_model::bundle::leaks::LeakAction;

pub use edit::{Edit, apply, plan};
pub use mask::{Style, mask};
pub use rules::{Caller, Rules};
pub use stream::{Stream, StreamError, WINDOW};
pub use syntax::write;

/// Makes a token for a value; `None` where none can be made, so that the value is masked instead.
pub trait Tokens {
    fn token(&mut self, class: &DataClass, value: &[u8]) -> Option<String>;
}

/// No tokens at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTokens;

impl Tokens for NoTokens {
    fn token(&mut self, _: &DataClass, _: &[u8]) -> Option<String> {
        None
    }
}

/// One thing that was done, or would be, to values of one class in one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub class: DataClass,
    /// As in [`probity_model::ClassHit::field`].
    pub field: String,
    pub action: LeakAction,
    /// A token was asked for and could not be made: masked.
    pub untokened: bool,
    pub count: u32,
}

/// What is to become of one body.
#[derive(Debug, Default)]
pub struct Plan {
    /// By position, none overlapping another.
    pub edits: Vec<Edit>,
    /// Merged by class, field and action; [`MAX_CHANGES`] at most.
    pub changes: Vec<Change>,
    /// A rule refuses this body; it stands among `changes`.
    pub blocked: bool,
    /// Something was found that cannot be changed where it stands.
    pub lost: bool,
}

/// Most distinct changes that are told.
pub const MAX_CHANGES: usize = 64;

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && !self.blocked && !self.lost
    }

    fn note(&mut self, class: &DataClass, field: String, action: LeakAction, untokened: bool) {
        let same = |known: &&mut Change| {
            known.class == *class
                && known.action == action
                && known.untokened == untokened
                && known.field == field
        };
        if let Some(known) = self.changes.iter_mut().find(same) {
            known.count = known.count.saturating_add(1);
        } else if self.changes.len() < MAX_CHANGES {
            self.changes.push(Change { class: class.clone(), field, action, untokened, count: 1 });
        }
    }
}

#[cfg(test)]
mod tests;
