//! Judges: what the facts, the answers and the paths come to. Pure; no I/O, no clock, no async.
//!
//! [`rego`] judges facts by the catalogue's checks; `classify` finds classes of data in bodies; `route` matches paths
//! to operations; [`contract`] judges calls by their specification. What is *not* here: reading the catalogue's files, building facts from traffic (the server), verdicts
//! over controls (`probity-compliance`), enforcing anything (`probity-gateway`).

pub mod authorize;
pub mod classify;
pub mod contract;
pub mod limit;
pub mod redact;
pub mod rego;
pub mod route;
