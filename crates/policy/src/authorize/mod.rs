//! Who may do what, judged: access by role and scope, objects by their owner, fields by pointer.
//!
//! Pure: a call comes as values, a judgement goes as a value. What is *not* here: where the parts of a call are found
//! (the gateway's `enforce::authorization`), and how configuration becomes rules (the server's). Rules are those of
//! [`probity_model::bundle::authorization`]; [`access`] judges callers, [`object`] owners, [`place`] finds values in
//! paths, queries and forms, [`json`] finds and cuts fields in bodies, [`property`] says which, [`attribute`] runs rules in
//! Rego.

pub mod access;
pub mod attribute;
pub mod json;
pub mod object;
pub mod place;
pub mod property;
#[cfg(test)]
mod tests;

pub use access::{Unmet, unmet};
pub use attribute::{AttributeRules, RequestView, Said, Stopped};
pub use json::{Hit, Malformed, Pointers};
pub use object::{has_one, owns};
pub use place::PathVariable;
pub use property::Properties;
