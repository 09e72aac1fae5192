//! The clinic against its own documents, by real calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failing test is to stop where it fails"
)]

mod client;
mod documents;
mod faults;
mod serving;
mod specification;
mod traffic;
