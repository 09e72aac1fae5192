//! Judging: the catalogue's checks, written in Rego, over the facts of one subject.
//!
//! [`Engine::load`] compiles checks once and refuses what would make judging impure or dishonest: a built-in that sees
//! a clock, randomness, the network or the environment; a rule that METADATA does not name; a fact that is not
//! registered. [`Engine::judge`] is pure: the same facts, parameters and moment give the same [`Judgement`], byte for
//! byte, on any machine.
//!
//! What is *not* here: reading METADATA, frameworks or examples (the server's `catalog` does that with the reader), and
//! verdicts over controls (`probity-compliance`). The contract of a check's Rego is in `docs/decisions` and below in
//! [`engine`]; start with [`Engine`].

pub(crate) mod builtins;
mod drift;
mod engine;
mod entry;
mod input;
pub(crate) mod lexer;
mod load;
mod memo;
mod metadata;
#[cfg(test)]
mod tests;

pub use engine::{Engine, JudgeError, Judgement};
pub use load::CheckSource;
pub use metadata::metadata_block;
