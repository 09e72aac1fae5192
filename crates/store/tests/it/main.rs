//! The store through its public surface. Every test is written once and runs on SQLite and on a private PostgreSQL;
//! `databases` says how, `fixtures` makes rows with odd text in them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[macro_use]
mod databases;
mod concurrency;
mod crash;
mod fixtures;
mod model;
mod opening;
mod postgres;
mod rows;
mod schema;
mod tls;
