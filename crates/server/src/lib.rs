//! Control plane: configuration to bundle, exchanges to facts, facts to outcomes, outcomes to findings and verdicts,
//! everything that matters to the ledger. The only writer of store and ledger.
//!
//! [`app::App`] owns the state and runs on one thread; [`run`] wires it to a gateway and to the control socket;
//! [`config`] is `probity.yaml`; [`bundle`] compiles it; [`catalog`] loads checks and frameworks. What gateways do
//! with a bundle is `probity-gateway`'s.

pub mod app;
pub mod bundle;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod control;
pub mod doctor;
pub mod import;
pub mod keys;
mod plane;
mod protection;
pub mod run;
pub mod secret;
pub mod sources;
pub mod statics;
pub mod telemetry;
pub mod verify;
mod webhook;
pub mod workplace;

pub use app::{App, Command, Reply};
pub use config::Config;
pub use probity_reader::config::Duration;
