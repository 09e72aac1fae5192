//! The demo: the clinic as a child process of this binary, Probity in front of it, seeded traffic, and what came of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use probity_clinic::traffic::{self, Plan, Target, TrafficReport};
use probity_ledger::LogId;
use probity_model::Finding;
use probity_server::app::{
    Command, FrameworkCounts, InventoryCounts, LedgerStatus, OpenOptions, RecordStatus, Reply, Root, Status,
};
use probity_server::run::{self, Running};
use probity_server::sources::Loaded;
use probity_server::verify;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::{DemoArgs, Format};
use crate::enforcement::{self, Enforcement};
use crate::exit::{Exit, Failure};
use crate::session::{self, Place};
use crate::{output, render, up};

/// Version of the document that `probity demo --format json` prints.
pub const DEMO_VERSION: u32 = 1;
const HOST: &str = "clinic.example";
/// Findings shown by `up --demo`.
const TOP: usize = 8;

/// What `probity demo --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoReport {
    pub version: u32,
    pub inventory: InventoryCounts,
    pub findings: Vec<Finding>,
    pub frameworks: Vec<FrameworkCounts>,
    pub ledger: LedgerStatus,
    pub records: RecordStatus,
    pub traffic: TrafficSummary,
    /// With --enforce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Enforcement>,
    pub timings: Timings,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct TrafficSummary {
    pub calls: usize,
    pub legitimate: usize,
    pub attacks: usize,
    pub failed: usize,
}

/// Milliseconds.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Timings {
    /// From the start of the process to the gateway listening.
    pub listening_ms: u64,
    pub traffic_ms: u64,
    /// From the last call to the last verdict.
    pub judged_ms: u64,
    pub total_ms: u64,
}

/// The committed schema of that document.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    serde_json::to_value(generator.into_root_schema_for::<DemoReport>()).unwrap_or_default()
}

/// The clinic alone: prints its address, ends when its standard input closes, so that it never outlives its parent.
pub fn upstream() -> Result<Exit, Failure> {
    session::runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        output::text(&listener.local_addr()?.to_string());
        let parent_gone = async {
            let mut input = tokio::io::stdin();
            let mut byte = [0; 1];
            while tokio::io::AsyncReadExt::read(&mut input, &mut byte).await.is_ok_and(|read| read > 0) {}
        };
        probity_clinic::serve(listener, parent_gone).await.map_err(anyhow::Error::from)?;
        Ok(Exit::Clean)
    })
}

/// The child process; killed when dropped.
struct Clinic {
    child: Child,
    address: SocketAddr,
}

impl Clinic {
    fn start() -> anyhow::Result<Self> {
        let binary = std::env::current_exe().context("cannot find this binary")?;
        let mut child = std::process::Command::new(binary)
            .arg("demo-upstream")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the demo API")?;
        let output = child.stdout.take().context("the demo API has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().context("the demo API did not print its address")?;
        Ok(Self { child, address })
    }
}

impl Drop for Clinic {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the clinic's documents and a configuration for them.
fn write_files(
    folder: &Path,
    clinic: SocketAddr,
    listen: &str,
    admin: &str,
    enforce: bool,
) -> anyhow::Result<Loaded> {
    use probity_clinic::documents;
    std::fs::create_dir_all(folder)?;
    let mut files = vec![
        ("openapi.yaml", documents::SPECIFICATION),
        ("openapi-v1.yaml", documents::SPECIFICATION_V1),
        ("CODEOWNERS", documents::CODEOWNERS),
    ];
    files.extend(documents::DEPLOYMENT);
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    let observing = format!(
        "version: 1\ntenant: clinic-demo\ndata: data\ngateway:\n  listen:\n    - address: \"{listen}\"\n  admin: \"{admin}\"\n\
         services:\n  - name: clinic\n    hosts: [{HOST}, 127.0.0.1, localhost]\n    upstreams:\n      - url: \"http://{clinic}\"\n    \
         specifications: [openapi.yaml, openapi-v1.yaml]\n    codeowners: CODEOWNERS\n\
         inventory:\n  window: 1s\n"
    );
    let text = if enforce { protecting(clinic, listen, admin)? } else { observing };
    let file = folder.join("probity.yaml");
    std::fs::write(&file, &text)?;
    std::fs::write(folder.join("introspection.secret"), probity_clinic::credentials::INTROSPECTION_SECRET)?;
    Loaded::parse(&file, text).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the demo's own configuration has faults:\n{}", lines.join("\n"))
    })
}

/// The clinic's own configuration with the addresses of this run.
fn protecting(clinic: SocketAddr, listen: &str, admin: &str) -> anyhow::Result<String> {
    let mut text = probity_clinic::documents::PROBITY.to_owned();
    for (by_hand, here) in [
        ("127.0.0.1:8080", listen.to_owned()),
        ("127.0.0.1:9901", admin.to_owned()),
        ("127.0.0.1:8090", clinic.to_string()),
    ] {
        anyhow::ensure!(text.contains(by_hand), "the clinic's configuration does not name {by_hand}");
        text = text.replace(by_hand, &here);
    }
    Ok(text)
}

struct Demo {
    clinic: Clinic,
    running: Running,
    folder: PathBuf,
    started: Instant,
    timings: Timings,
}

impl Demo {
    async fn start(
        place: &Place,
        folder: &Path,
        root: Root,
        listen: &str,
        admin: &str,
        enforce: bool,
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let clinic = Clinic::start()?;
        let loaded = write_files(folder, clinic.address, listen, admin, enforce)?;
        let options = OpenOptions { root, data: loaded.data_dir(), ..place.options(Some(loaded)) };
        let running = run::start(options, false).await?;
        let timings = Timings { listening_ms: elapsed(started), ..Timings::default() };
        Ok(Self { clinic, running, folder: folder.to_path_buf(), started, timings })
    }

    fn target(&self) -> anyhow::Result<Target> {
        let listeners = self.running.gateway().listeners();
        let (_, authority) = listeners.first().context("the gateway has no listener")?;
        Ok(Target { authority: *authority, host: HOST.to_owned() })
    }

    async fn drive(&mut self, plan: &Plan) -> anyhow::Result<TrafficReport> {
        let began = Instant::now();
        let report = traffic::drive(&self.target()?, plan).await;
        self.timings.traffic_ms = elapsed(began);
        let began = Instant::now();
        self.settle(report.calls).await?;
        self.timings.judged_ms = elapsed(began);
        Ok(report)
    }

    /// Waits until every call is recorded and judged.
    async fn settle(&self, calls: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            self.command(Command::Judge).await?;
            let status = self.status().await?;
            if status.records.recorded >= calls as u64 || Instant::now() > deadline {
                // The observation window of the demo is its traffic's length.
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.command(Command::Judge).await?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tries the planted faults, once the traffic is over.
    async fn enforcement(
        &self,
        enforce: bool,
        traffic: &TrafficReport,
    ) -> anyhow::Result<Option<Enforcement>> {
        if !enforce {
            return Ok(None);
        }
        let tried = enforcement::of(&self.target()?, traffic).await;
        self.settle(traffic.calls).await?;
        Ok(Some(tried))
    }

    async fn command(&self, command: Command) -> anyhow::Result<Reply> {
        self.running.inbox().command(command).await.map_err(anyhow::Error::msg)
    }

    async fn status(&self) -> anyhow::Result<Status> {
        match self.command(Command::Status).await? {
            Reply::Status(status) => Ok(*status),
            _ => anyhow::bail!("the answer is not a status"),
        }
    }

    async fn findings(&self) -> anyhow::Result<Vec<Finding>> {
        let command = Command::FindingList { state: Some("open".to_owned()), at_least: None, check: None };
        match self.command(command).await? {
            Reply::Findings(findings) => Ok(findings),
            _ => anyhow::bail!("the answer is not a list of findings"),
        }
    }

    /// Writes one HTML report for each framework.
    async fn write_reports(&self, status: &Status) -> anyhow::Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        for counts in &status.frameworks {
            let command = Command::Report { framework: counts.id.clone(), scope: None };
            let Reply::Report(document) = self.command(command).await? else { continue };
            let path = self.folder.join(format!("{}.html", counts.id));
            std::fs::write(&path, probity_report::html(&document))?;
            written.push(path);
        }
        Ok(written)
    }
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// `probity demo`: headless, free ports, a temporary folder.
pub fn run(place: &Place, args: &DemoArgs, format: Format) -> Result<Exit, Failure> {
    let temporary = tempfile::Builder::new().prefix("probity-demo-").tempdir()?;
    let folder = args.keep.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let plan = Plan { seed: args.seed, calls: args.calls, ..Plan::default() };
    // A kept folder can be opened again; its key lies beside the data, not in it.
    let root = args.keep.as_ref().map_or(Root::Ephemeral, |folder| Root::File(folder.join("root.key")));
    let report = session::runtime()?.block_on(headless(place, &folder, root, &plan, args.enforce))?;
    match format {
        Format::Json => output::json(&report)?,
        Format::Text => {
            output::text(&render::inventory_line(&report.inventory));
            output::text(&render::findings(&report.findings, TOP));
            output::text(&render::frameworks(&report.frameworks));
            output::text(&render::ledger_line(&report.ledger));
            if let Some(enforcement) = &report.enforcement {
                output::text(&enforcement::text(enforcement));
            }
            if let Some(folder) = &args.keep {
                let shown = folder.display();
                output::text(&format!(
                    "kept in     {shown} (open it with --data {shown}/data --root-key {shown}/root.key)"
                ));
            }
        }
    }
    let stopped = report.enforcement.as_ref().is_none_or(|enforcement| {
        enforcement.faults_stopped == enforcement.faults_stoppable && enforcement.legitimate_blocked == 0
    });
    Ok(if report.ledger.verified && stopped { Exit::Clean } else { Exit::Failed })
}

async fn headless(
    place: &Place,
    folder: &Path,
    root: Root,
    plan: &Plan,
    enforce: bool,
) -> anyhow::Result<DemoReport> {
    let mut demo = Demo::start(place, folder, root, "127.0.0.1:0", "127.0.0.1:0", enforce).await?;
    let traffic = demo.drive(plan).await?;
    let enforcement = demo.enforcement(enforce, &traffic).await?;
    let status = demo.status().await?;
    let findings = demo.findings().await?;
    demo.write_reports(&status).await?;
    let Demo { clinic, running, started, mut timings, .. } = demo;
    running.stop().await;
    drop(clinic);
    let ledger = verify_stopped(&folder.join("data"), status.ledger)?;
    timings.total_ms = elapsed(started);
    Ok(DemoReport {
        version: DEMO_VERSION,
        inventory: status.inventory,
        findings,
        frameworks: status.frameworks,
        ledger,
        records: status.records,
        traffic: TrafficSummary {
            calls: traffic.calls,
            legitimate: traffic.legitimate,
            attacks: traffic.attacks,
            failed: traffic.failed,
        },
        enforcement,
        timings,
    })
}

/// The stopped folder, verified as an outsider would; its sizes include the slot that the stop closed.
fn verify_stopped(data: &Path, mut status: LedgerStatus) -> anyhow::Result<LedgerStatus> {
    let verified = verify::verify(data, &[], &[])?;
    status.verified = verified.sound;
    status.note = verified.ledger.summary();
    for (log, status) in [(LogId::Evidence, &mut status.evidence), (LogId::Verdicts, &mut status.verdicts)] {
        if let Some((size, root)) = verify::log_of(&verified, log) {
            status.size = size;
            status.root = root;
        }
    }
    Ok(status)
}

/// `probity up --demo`: stays until interrupted.
pub fn up(place: &Place, enforce: bool) -> Result<Exit, Failure> {
    let folder = up_folder(place)?;
    session::runtime()?.block_on(async {
        let listen = free("127.0.0.1:8080");
        let admin = free("127.0.0.1:9901");
        let mut demo = Demo::start(place, &folder, Root::Ephemeral, listen, admin, enforce).await?;
        output::text(&format!("demo API    http://{} (behind Probity)", demo.clinic.address));
        output::text(up::listening(&demo.running).trim_end());
        let traffic = demo.drive(&Plan::default()).await?;
        let enforcement = demo.enforcement(enforce, &traffic).await?;
        let status = demo.status().await?;
        let findings = demo.findings().await?;
        let reports = demo.write_reports(&status).await?;
        output::text(&format!(
            "traffic     {} calls by {} callers",
            traffic.calls,
            traffic.by_consumer.len()
        ));
        if let Some(enforcement) = &enforcement {
            output::text(&enforcement::text(enforcement));
        }
        output::text(&render::inventory_line(&status.inventory));
        output::text(&format!("findings    {} open", findings.len()));
        output::text(render::findings(&findings, TOP).trim_end());
        output::text(render::frameworks(&status.frameworks).trim_end());
        for report in reports {
            output::text(&format!("report      {}", report.display()));
        }
        output::text(&render::ledger_line(&status.ledger));
        output::text(&format!(
            "Ctrl-C ends it. Meanwhile: probity --data {} finding list",
            folder.join("data").display()
        ));
        up::until_told(&demo.running).await?;
        demo.running.stop().await;
        Ok(Exit::Clean)
    })
}

/// A folder that the user names must be empty: nothing there is ever removed. Else a fresh temporary one, which stays so
/// that its reports can be read.
fn up_folder(place: &Place) -> Result<PathBuf, Failure> {
    let Some(named) = &place.data else {
        return Ok(tempfile::Builder::new().prefix("probity-demo-").tempdir()?.keep());
    };
    let empty = std::fs::read_dir(named).map_or(true, |mut entries| entries.next().is_none());
    match empty {
        true => Ok(named.clone()),
        false => Err(Failure::usage(format!(
            "`{}` is not empty; the demo wants a folder of its own",
            named.display()
        ))),
    }
}

/// The usual address when it is free, else one that the system chooses.
fn free(address: &str) -> &str {
    match std::net::TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => "127.0.0.1:0",
    }
}
