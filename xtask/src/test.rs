//! `cargo xtask test`: stages in order, cheapest first; the first that fails ends the run.

use std::time::Instant;

use crate::needs::{self, C_COMPILER, CHROMIUM, CURL, HAPROXY, NGINX, OPENSSL, POSTGRESQL};
use crate::{docs, layering, shell, tidy};

type Stage = (&'static str, fn(bool) -> anyhow::Result<()>);

const STAGES: [Stage; 9] = [
    ("needs", |yes| needs::satisfy(&[C_COMPILER, NGINX, HAPROXY, POSTGRESQL, CURL, OPENSSL, CHROMIUM], yes)),
    ("fmt", |_| shell::cargo(&["fmt", "--all", "--check"])),
    ("layering", |_| layering::check()),
    ("tidy", |_| tidy::check()),
    ("deny", deny),
    ("clippy", |_| {
        shell::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])
    }),
    ("build", |_| shell::cargo(&["build", "--package", "probity", "--locked"])),
    // One command for all crates and end to end: features are resolved once and nothing is built twice.
    ("test", |_| shell::cargo(&["test", "--workspace", "--locked", "--no-fail-fast"])),
    ("docs", |_| docs::run(true)),
];

pub fn run(yes: bool, only: Option<&str>) -> anyhow::Result<()> {
    let started = Instant::now();
    for (name, stage) in STAGES {
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let began = Instant::now();
        shell::say(&format!("== {name}"));
        stage(yes)?;
        shell::say(&format!("== {name} done in {} s", began.elapsed().as_secs()));
    }
    shell::say(&format!("everything passed in {} s", started.elapsed().as_secs()));
    Ok(())
}

/// Bans, licences and sources always; advisories where their database can be had.
fn deny(yes: bool) -> anyhow::Result<()> {
    let binary = needs::cargo_deny(yes)?;
    shell::run(&binary, &["--locked", "check", "bans", "licenses", "sources"], &[])?;
    let fetched = shell::run(&binary, &["--locked", "fetch", "db"], &[]);
    match fetched {
        Ok(()) => shell::run(&binary, &["--locked", "check", "advisories"], &[]),
        Err(_) => {
            shell::say("the advisory database is out of reach: advisories are not looked at");
            Ok(())
        }
    }
}
