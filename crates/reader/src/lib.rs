//! Foreign text to the model: what somebody else wrote becomes values of `probity-model` and diagnostics that carry
//! file, line and column. Bytes in, no I/O, no clock.
//!
//! Every reader returns what it could read together with what it could not; none stops at the first fault, none
//! panics on hostile input, and each is bounded by named constants. What is *not* here: opening files, judging what
//! was read (`probity-policy`), and deciding which of it is true (`probity-graph`).
//!
//! Start with [`yaml::Tree`], the spanned tree under everything; [`config`] reads our own YAML into types,
//! [`openapi`] reads specifications, [`har`] and [`accesslog`] read recorded calls, [`codeowners`] reads owners,
//! [`graphql`] reads schemas.

pub mod accesslog;
pub mod cidr;
pub mod codeowners;
pub mod config;
pub mod diagnostics;
pub mod graphql;
pub mod har;
pub mod import;
mod nearest;
pub mod openapi;
pub mod yaml;

pub use accesslog::Format;
pub use import::ImportedCall;
