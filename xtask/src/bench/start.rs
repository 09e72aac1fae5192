//! From the start of `probity up` to listening, and what it holds in memory when idle.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Figure, spread};
use crate::shell;

const ROUNDS: usize = 7;
const CONFIG: &str = "version: 1\ndata: data\ngateway:\n  listen:\n    - address: \"127.0.0.1:0\"\n  admin: \"127.0.0.1:0\"\nservices:\n  - {name: s, upstreams: [{url: \"http://127.0.0.1:9\"}]}\n";

pub fn figures() -> anyhow::Result<Vec<Figure>> {
    shell::cargo(&["build", "--quiet", "--release", "--locked", "--package", "probity"])?;
    let binary = shell::target_dir().join("release/probity");
    let folder = std::env::temp_dir().join(format!("probity-bench-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("probity.yaml"), CONFIG)?;
    let (mut started, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut child = Command::new(&binary)
            .args(["up", "--config", "probity.yaml", "--root-key", "root.key"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let listening = lines.any(|line| line.is_ok_and(|line| line.starts_with("gateway")));
        started.push(began.elapsed().as_secs_f64() * 1_000.0);
        std::thread::sleep(Duration::from_secs(3));
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<f64>().ok());
        resident.extend(kilobytes.map(|kilobytes| kilobytes / 1_024.0));
        shell::run("kill", &["-TERM", &child.id().to_string()], &[])?;
        child.wait()?;
        anyhow::ensure!(listening, "`probity up` did not listen");
    }
    let _ = std::fs::remove_dir_all(&folder);
    let text = |values: Vec<f64>, unit: &str| {
        spread(values).map_or_else(String::new, |[low, median, high]| {
            format!("{low:.0} / {median:.0} / {high:.0} {unit}")
        })
    };
    Ok(vec![
        Figure::new(
            "start of `probity up` to listening",
            text(started, "ms"),
            Some("under 300 ms"),
            "release, wall clock",
        ),
        Figure::new(
            "idle `probity up`, resident",
            text(resident, "MiB"),
            Some("under 64 MiB"),
            "release, VmRSS after 3 s",
        ),
    ])
}
