//! Segments from outside: what is acknowledged survives, what is lost is said.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside the functions that the lint knows as tests"
)]

mod codec;
mod damage;
mod faults;
mod golden;
mod kills;
mod recording;
mod retention;
mod support;
