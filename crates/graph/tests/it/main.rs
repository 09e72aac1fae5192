//! The graph from outside: what calls and documents go in, what is known afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod enforced;
mod openapi;
mod template;
