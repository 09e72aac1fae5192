//! The nouns of Probity and their identifiers: what every other crate speaks about.
//!
//! These are plain values: no I/O, no clock, no async. Shapes that leave the process (exchange, facts, outcome,
//! evidence, finding, verdict, bundle) carry a format version and are guarded by golden files in
//! `tests/golden`. What is *not* here: any reading of foreign text (`probity-reader`), any judging
//! (`probity-policy`, `probity-compliance`), any cryptography (`probity-vault`, `probity-ledger`).
//!
//! Start with [`exchange`] (one API call), [`fact`] (what a check sees) and [`outcome`] (what a check says).

pub mod bundle;
pub mod check;
pub mod class;
pub mod control;
pub mod decision;
pub mod diagnostic;
pub mod evidence;
pub mod exchange;
pub mod fact;
pub mod finding;
pub mod id;
pub mod inventory;
pub mod outcome;
pub mod path;
pub mod principal;
pub mod signal;
pub mod specification;
pub mod subject;
pub mod time;
pub mod verdict;

pub use bundle::Bundle;
pub use check::{Check, Rule, Severity};
pub use class::{ClassHit, DataClass, Place};
pub use control::{Control, Framework, Mode};
pub use decision::{Action, Decision, EnforcementMode};
pub use diagnostic::{Diagnostic, Span};
pub use evidence::Evidence;
pub use exchange::Exchange;
pub use fact::{FactEntry, RuleInput, Source, SourceKind, SubjectFacts};
pub use finding::Finding;
pub use id::*;
pub use outcome::{Outcome, Reason, Status};
pub use path::{Segment, Template};
pub use principal::{Principal, PrincipalKind};
pub use signal::{Signal, Signals};
pub use subject::{Subject, SubjectKind};
pub use time::Timestamp;
pub use verdict::{Verdict, VerdictStatus};
