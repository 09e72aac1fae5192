//! `probity`: one executable, many roles. This crate reads the command line, calls the control plane and prints.
//!
//! Commands are in `cli`; what each prints in `render`; `up` and `demo` start things; `session` finds the process that
//! works in a data folder, or opens the folder itself. Logic is in `probity-server`.

mod callers;
mod check;
mod cli;
mod commands;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "demo")]
mod enforcement;
mod exit;
mod output;
mod render;
mod session;
mod up;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    start_logging(&cli);
    match commands::run(cli) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::error(&failure.text);
            failure.code.into()
        }
    }
}

/// Logs go to standard error; `PROBITY_LOG` filters (`info`, `probity_gateway=debug`).
fn start_logging(cli: &cli::Cli) {
    use tracing_subscriber::EnvFilter;
    let default = if cli.verbose { "info" } else { "warn" };
    let filter = EnvFilter::try_from_env("PROBITY_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    match cli.log_json {
        true => builder.json().flatten_event(true).init(),
        false => builder.with_target(false).init(),
    }
}
