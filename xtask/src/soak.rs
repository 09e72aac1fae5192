//! `cargo xtask soak`: kills in the record and ledger paths, then minutes of mixed load with faults: seeded traffic through
//! the demo, upstreams that cut, stall and answer nonsense, processes killed amid load.

use std::time::{Duration, Instant};

use crate::needs::{self, C_COMPILER};
use crate::shell;

/// Tests that bring faults, repeated between the loads: package and filter.
const FAULTS: [(&str, &str); 3] =
    [("probity-gateway", ""), ("probity-events", "fault"), ("probity-e2e", "killed")];

pub fn run(yes: bool, minutes: u64, kills: u32) -> anyhow::Result<()> {
    needs::satisfy(&[C_COMPILER], yes)?;
    let kills = kills.to_string();
    for package in ["probity-events", "probity-ledger"] {
        shell::say(&format!("== {kills} kills in {package}"));
        // One test target alone does not build the examples, which are what is killed.
        shell::cargo(&["build", "--release", "--package", package, "--examples"])?;
        let args = ["test", "--release", "--package", package, "--test", "it", "--", "kill", "--nocapture"];
        shell::run(shell::cargo_binary(), &args, &[("PROBITY_KILLS", kills.as_str())])?;
    }
    shell::cargo(&["build", "--release", "--package", "probity"])?;
    let binary = shell::target_dir().join("release/probity");
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut runs = 0;
    while Instant::now() < end {
        runs += 1;
        let seed = runs.to_string();
        let printed =
            shell::output(&binary, &["demo", "--format", "json", "--calls", "6000", "--seed", &seed])?;
        let report: serde_json::Value = serde_json::from_str(&printed)?;
        let number = |pointer: &str| report.pointer(pointer).and_then(serde_json::Value::as_u64);
        anyhow::ensure!(
            number("/records/lost") == Some(0),
            "run {runs} lost records: {}",
            report.get("records").unwrap_or(&report)
        );
        anyhow::ensure!(
            report.pointer("/ledger/verified") == Some(&true.into()),
            "run {runs}: the ledger does not verify"
        );
        anyhow::ensure!(
            number("/traffic/failed") == Some(0),
            "run {runs}: calls failed: {}",
            report.get("traffic").unwrap_or(&report)
        );
        shell::say(&format!("run {runs}: {} calls recorded", number("/records/recorded").unwrap_or(0)));
        for (package, filter) in FAULTS {
            let args = ["test", "--quiet", "--package", package, "--test", "it", "--", filter];
            let bin = binary.display().to_string();
            shell::run(shell::cargo_binary(), &args, &[("PROBITY_BIN", bin.as_str())])?;
        }
    }
    shell::say(&format!("{runs} runs without a lost record"));
    Ok(())
}
