//! The reader from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail by panicking, also in their helper functions"
)]

mod contract;
mod golden;
mod import;
mod mutation;
mod openapi;
mod public_documents;
