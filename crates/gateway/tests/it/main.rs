//! The gateway from outside: real sockets, real upstreams, real records.

mod harness;

mod bodies;
mod forwarding;
mod h2;
mod lifecycle;
mod records;
mod refusals;
mod tls;
mod upgrade;
mod upstreams;
