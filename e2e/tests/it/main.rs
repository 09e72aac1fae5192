//! The real executable, started in a temporary folder as its users start it: one process or several, real sockets, real
//! files. What a crate promises by itself is tested in that crate; here is what only the whole can show.
//!
//! `binary` finds the executable and runs commands of it, `running` keeps `probity up` alive for a test, `upstream`,
//! `client` and `database` are what stands around it, `shop` is an API with faults of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests and what they start"
)]

mod alert;
mod binary;
mod check;
mod client;
mod commands;
mod configuration;
mod database;
mod deadline;
mod demo;
mod identity;
mod import;
mod killed;
mod proxy;
mod reload;
mod running;
mod shop;
mod tamper;
mod transport;
mod upstream;
