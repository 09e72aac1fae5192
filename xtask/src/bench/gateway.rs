//! What a call through the gateway costs: instructions, and CPU time beside nginx and HAProxy in front of one origin.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Figure, example, instructions_of, spread};
use crate::shell;

pub(super) const CALLS: u64 = 3_000;
const CONNECTIONS: &str = "8";
/// Seconds of load for one peer in one round, and rounds.
const LOAD_S: u64 = 3;
pub(super) const ROUNDS: usize = 5;

/// A process of the bench program: ends when its standard input is dropped, killed at the latest by `drop`.
pub(super) struct Process {
    pub child: Child,
    pub input: Option<ChildStdin>,
    pub address: String,
    /// Where a gateway tells its metrics.
    pub metrics: Option<String>,
    /// What it prints later.
    pub lines: Receiver<String>,
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a program that prints `listening ADDRESS`.
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut metrics = None;
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                metrics = line.strip_prefix("metrics ").map(str::to_owned).or(metrics.take());
                line.strip_prefix("listening ").map(str::to_owned)
            })
            .context("the program did not say where it listens")?;
        // Whatever it prints later is read, so that it never waits for us.
        let (told, later) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| told.send(line).ok()));
        Ok(Self { child, input, address, metrics, lines: later })
    }

    fn end(mut self) -> anyhow::Result<()> {
        shell::run("kill", &["-TERM", &self.child.id().to_string()], &[])?;
        self.child.wait()?;
        Ok(())
    }
}

pub(super) fn origin(bench: &Path, body: &str) -> anyhow::Result<Process> {
    let mut command = Command::new(bench);
    command.args(["origin", "--body", body]);
    Process::start(command)
}

pub(super) fn counted(
    bench: &Path,
    origin: &str,
    mode: &str,
    method: &str,
    calls: u64,
) -> anyhow::Result<u64> {
    let folder = tempfile_folder("callgrind")?;
    let file = folder.join("out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(bench).args(["gateway", "--origin", origin, "--mode", mode]);
    let gateway = Process::start(command)?;
    load(bench, &gateway.address, calls, mode, method)?;
    gateway.end()?;
    let total = instructions_of(&std::fs::read_to_string(&file)?);
    let _ = std::fs::remove_dir_all(folder);
    total
}

/// Gives what the load printed: every call was answered well.
pub(super) fn load(
    bench: &Path,
    address: &str,
    calls: u64,
    mode: &str,
    method: &str,
) -> anyhow::Result<String> {
    let calls = calls.to_string();
    let args = ["load", address, "--requests", &calls, "--connections", CONNECTIONS];
    shell::output(bench, &[&args[..], &["--mode", mode, "--method", method]].concat())
}

pub fn instructions() -> anyhow::Result<Vec<Figure>> {
    let bench = example("probity-gateway", "bench_gateway")?;
    let how = "callgrind, keep-alive GET over 8 connections, clear text, one worker";
    let mut figures = Vec::new();
    let measured = |body: &str, mode: &str| -> anyhow::Result<u64> {
        let origin = origin(&bench, body)?;
        let once = counted(&bench, &origin.address, mode, "get", CALLS)?;
        let twice = counted(&bench, &origin.address, mode, "get", 2 * CALLS)?;
        Ok(twice.saturating_sub(once) / CALLS)
    };
    let pass = measured("small", "pass")?;
    let observed = measured("small", "observe")?;
    let classified = measured("json", "observe")?;
    let passed_json = measured("json", "pass")?;
    figures.push(Figure::new(
        "pass-through, instructions a request",
        pass.to_string(),
        Some("at most 32,000"),
        how,
    ));
    figures.push(Figure::new(
        "with observation and record, instructions a request",
        observed.to_string(),
        Some("at most 45,000"),
        how,
    ));
    let more = (classified.saturating_sub(passed_json)).saturating_sub(observed.saturating_sub(pass));
    figures.push(Figure::new(
        "classifying a 2 KiB JSON response, instructions more",
        more.to_string(),
        Some("at most 40,000"),
        how,
    ));
    Ok(figures)
}

/// One proxy under load: what to start, and which process to look at.
pub(super) struct Peer {
    pub name: &'static str,
    pub process: Child,
    folder: PathBuf,
    pub address: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn tempfile_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("probity-bench-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

pub(super) fn nginx(origin: &str) -> anyhow::Result<Peer> {
    let folder = tempfile_folder("nginx")?;
    let address = free_address()?;
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {0}/b; proxy_temp_path {0}/p;\n\
         fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         upstream o {{ server {origin}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
        folder.display()
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text)?;
    let process = Command::new(found("nginx")?).arg("-c").arg(&file).stderr(Stdio::null()).spawn()?;
    Ok(Peer { name: "nginx", process, folder, address })
}

fn haproxy(origin: &str) -> anyhow::Result<Peer> {
    let folder = tempfile_folder("haproxy")?;
    let address = free_address()?;
    let text = format!(
        "global\n  nbthread 1\n  maxconn 1024\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend f\n  bind {address}\n  default_backend b\nbackend b\n  http-reuse always\n  server s {origin}\n"
    );
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, text)?;
    let process = Command::new(found("haproxy")?).arg("-f").arg(&file).stderr(Stdio::null()).spawn()?;
    Ok(Peer { name: "HAProxy", process, folder, address })
}

pub(super) fn gateway(bench: &Path, origin: &str, mode: &str, services: u32) -> anyhow::Result<Process> {
    let mut command = Command::new(bench);
    command.args(["gateway", "--origin", origin, "--mode", mode, "--services", &services.to_string()]);
    Process::start(command)
}

fn ours(bench: &Path, origin: &str, mode: &'static str) -> anyhow::Result<(Process, &'static str)> {
    let name = if mode == "pass" { "Probity pass-through" } else { "Probity observing" };
    Ok((gateway(bench, origin, mode, 1)?, name))
}

fn found(program: &str) -> anyhow::Result<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file())
        .with_context(|| format!("`{program}` is not installed"))
}

/// User and system CPU time of a process in clock ticks.
fn cpu_ticks(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(')').context("unexpected /proc stat")?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(field(11) + field(12))
}

/// Microseconds of CPU for one request during a few seconds of wrk.
pub(super) fn cpu_per_request(pid: u32, address: &str, fields: &[String]) -> anyhow::Result<f64> {
    const TICK_US: f64 = 10_000.0;
    let before = cpu_ticks(pid)?;
    let (time, url) = (format!("-d{LOAD_S}s"), format!("http://{address}/items/42"));
    let mut args = vec!["-t1", "-c16", &time, &url];
    args.extend(fields.iter().flat_map(|field| ["-H", field.as_str()]));
    let printed = shell::output("wrk", &args)?;
    let ticks = cpu_ticks(pid)?.saturating_sub(before);
    let requests = printed
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .and_then(|(count, _)| count.trim().parse::<f64>().ok())
        .context("wrk printed no count")?;
    anyhow::ensure!(!printed.contains("Non-2xx"), "{address} answered errors:\n{printed}");
    Ok(ticks as f64 * TICK_US / requests)
}

pub(super) fn wait_listening(address: &str) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("nothing listens on {address}")
}

pub fn peers() -> anyhow::Result<Vec<Figure>> {
    let bench = example("probity-gateway", "bench_gateway")?;
    let origin = origin(&bench, "small")?;
    let peers = [nginx(&origin.address)?, haproxy(&origin.address)?];
    let own = [ours(&bench, &origin.address, "pass")?, ours(&bench, &origin.address, "observe")?];
    let mut targets: Vec<(&str, u32, &str)> = Vec::new();
    for peer in &peers {
        wait_listening(&peer.address)?;
        targets.push((peer.name, peer.process.id(), &peer.address));
    }
    for (process, name) in &own {
        targets.push((name, process.child.id(), &process.address));
    }
    let mut measured: Vec<Vec<f64>> = vec![Vec::new(); targets.len()];
    for _ in 0..ROUNDS {
        for ((_, pid, address), values) in targets.iter().zip(&mut measured) {
            values.push(cpu_per_request(*pid, address, &[])?);
        }
    }
    let reference = measured.first().cloned().and_then(spread).map_or(1.0, |[_, median, _]| median);
    let how = "wrk, 16 connections, CPU time of the process over its requests, rounds interleaved";
    let mut figures = Vec::new();
    for ((name, ..), values) in targets.iter().zip(measured) {
        let Some([low, median, high]) = spread(values) else { continue };
        let target = (*name == "Probity pass-through").then_some("at most 1.2 times nginx");
        let value = format!("{low:.1} / {median:.1} / {high:.1} us, {:.2} times nginx", median / reference);
        figures.push(Figure::new(format!("CPU a request, {name}"), value, target, how));
    }
    Ok(figures)
}
