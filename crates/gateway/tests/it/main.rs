//! The gateway from outside: real sockets, real upstreams, real records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly, its helpers too"
)]

mod harness;

mod answers;
mod authorization;
mod bodies;
mod client_certificates;
mod contract;
mod forwarding;
mod h2;
mod hostile;
mod identity;
mod leaks;
mod lifecycle;
mod limits;
mod network;
mod proxy_protocol;
mod records;
mod refusals;
mod tls;
mod trace;
mod upgrade;
mod upstreams;
