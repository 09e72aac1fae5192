//! Integration tests of the codec: the corpus, properties over arbitrary input, the comparison with other
//! servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, also in their helper functions"
)]

mod corpus;
mod differential;
mod mutants;
mod peers;
mod properties;
mod reading;
