//! `cargo xtask`: everything a contributor runs. `up` shows the product, `test` proves it, `bench` measures it, `soak`
//! wears it out, `docs` writes the generated pages, `dist` makes a release. What is missing on the machine is named with
//! the command that installs it.

mod bench;
mod dist;
mod docs;
mod layering;
mod needs;
mod shell;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tasks of the Probity workspace")]
struct Cli {
    /// Install what is missing without asking.
    #[arg(long, global = true)]
    yes: bool,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build, start Probity in front of the demo API with traffic, print where to look, run until interrupted.
    Up,
    /// Format, lints, dependencies, layering, tidiness, every test, end to end.
    Test {
        /// Only the stages whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
    /// Measure, and write the figures that README.md quotes.
    Bench {
        #[arg(long)]
        only: Option<String>,
    },
    /// Kill, break and load it for long.
    Soak {
        /// Minutes of mixed load.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Kills in each of the record and ledger paths.
        #[arg(long, default_value_t = 1_000)]
        kills: u32,
    },
    /// Write the pages that are generated from the catalogue and the schemas.
    Docs {
        /// Fail when a page differs from what is committed.
        #[arg(long)]
        check: bool,
    },
    /// One release binary with its systemd unit.
    Dist,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let yes = cli.yes || std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let result = match cli.task {
        Task::Up => up(yes),
        Task::Test { only } => test::run(yes, only.as_deref()),
        Task::Bench { only } => bench::run(yes, only.as_deref()),
        Task::Soak { minutes, kills } => soak::run(yes, minutes, kills),
        Task::Docs { check } => docs::run(check),
        Task::Dist => dist::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            shell::say(&format!("xtask: {problem:#}"));
            ExitCode::FAILURE
        }
    }
}

fn up(yes: bool) -> anyhow::Result<()> {
    needs::satisfy(&[needs::C_COMPILER], yes)?;
    shell::cargo(&["build", "--package", "probity"])?;
    shell::exec(&shell::target_dir().join("debug/probity"), &["up", "--demo"])
}
