//! `cargo xtask bench`: instruction counts under callgrind, ratios against nginx and HAProxy in one interleaved run, and the
//! programs of the crates that print their own figures. Writes `docs/figures.md`, which README.md quotes.
//!
//! Machines are shared and noisy, so absolute times are no promise: they are printed beside the peer's or beside a target,
//! with the minimum, median and maximum of several rounds.

mod gateway;
mod programs;
mod protected;
mod start;

use std::fmt::Write as _;

use serde_json::Value;

use crate::needs::{self, C_COMPILER, HAPROXY, NGINX, VALGRIND, WRK};
use crate::shell;

/// One measured value.
#[derive(Debug)]
pub struct Figure {
    pub name: String,
    pub value: String,
    /// The target of the design, when there is one.
    pub target: Option<String>,
    pub how: String,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: impl Into<String>, target: Option<&str>, how: &str) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            target: target.map(str::to_owned),
            how: how.to_owned(),
        }
    }
}

type Suite = (&'static str, fn() -> anyhow::Result<Vec<Figure>>);

const SUITES: [Suite; 12] = [
    ("gateway", gateway::instructions),
    ("peers", gateway::peers),
    ("protected", protected::instructions),
    ("protected-peers", protected::peers),
    ("protected-stages", protected::stages),
    ("swap", protected::swap),
    ("decisions", programs::decisions),
    ("record", programs::record),
    ("judge", programs::judge),
    ("classify", programs::classify),
    ("templates", programs::templates),
    ("start", start::figures),
];

pub fn run(yes: bool, only: Option<&str>) -> anyhow::Result<()> {
    needs::satisfy(&[C_COMPILER, NGINX, HAPROXY, VALGRIND, WRK], yes)?;
    let mut page = String::from(
        "# Figures\n\nWritten by `cargo xtask bench`. Instruction counts are user instructions under callgrind, \
         (Ir[2N]-Ir[N])/N with one worker; times are minimum / median / maximum of several rounds on a shared machine with \
         two cores and are there to be compared inside one row, not to be promised.\n\n\
         | figure | measured | target | how |\n|---|---|---|---|\n",
    );
    for (name, suite) in SUITES {
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        shell::say(&format!("== {name}"));
        let figures = match suite() {
            Ok(figures) => figures,
            Err(problem) => {
                shell::say(&format!("{name} was not measured: {problem:#}"));
                continue;
            }
        };
        for figure in figures {
            let target = figure.target.as_deref().unwrap_or("-");
            shell::say(&format!("{}: {} (target {target})", figure.name, figure.value));
            let _ = writeln!(page, "| {} | {} | {target} | {} |", figure.name, figure.value, figure.how);
        }
    }
    let path = shell::root().join("docs/figures.md");
    if only.is_none() {
        std::fs::write(&path, page)?;
        shell::say(&format!("written to {}", path.display()));
    } else {
        shell::say("docs/figures.md is written by a whole run only");
    }
    Ok(())
}

/// Builds an example with the release profile and returns its path.
pub fn example(package: &str, name: &str) -> anyhow::Result<std::path::PathBuf> {
    shell::cargo(&["build", "--quiet", "--release", "--locked", "--package", package, "--example", name])?;
    Ok(shell::target_dir().join("release/examples").join(name))
}

/// The JSON objects among the lines that a program prints.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
}

/// Instructions of a whole run under callgrind.
pub fn callgrind(program: &std::path::Path, args: &[&str]) -> anyhow::Result<u64> {
    let file = std::env::temp_dir().join(format!("probity-callgrind-{}", std::process::id()));
    let out = format!("--callgrind-out-file={}", file.display());
    let program = program.display().to_string();
    let mut all = vec!["--tool=callgrind", &out, &program];
    all.extend(args);
    let status = std::process::Command::new("valgrind")
        .args(&all)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "valgrind failed for `{program} {}`", args.join(" "));
    let counted = instructions_of(&std::fs::read_to_string(&file)?);
    let _ = std::fs::remove_file(&file);
    counted
}

/// The total of a callgrind file.
pub fn instructions_of(text: &str) -> anyhow::Result<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")));
    let total = line.and_then(|line| line.split_whitespace().next()).and_then(|total| total.parse().ok());
    total.ok_or_else(|| anyhow::anyhow!("callgrind printed no total"))
}

/// Minimum, median and maximum.
pub fn spread(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    Some([*values.first()?, *values.get(values.len() / 2)?, *values.last()?])
}
