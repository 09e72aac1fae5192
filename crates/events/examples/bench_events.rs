//! Figures of the record path, one JSON line each.
//!
//! `bench_events [FIGURE] [RECORDS]`: `throughput`, `recovery`, `instructions`, or all of them. Build it with
//! `--release`. `fill` and `append` are the parts that `recovery` and `instructions` run as processes of their own.

use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use probity_events::{EphemeralKeys, Events, Options, Reader, Record, Recorder, SegmentKeys, Ticket};
use probity_model::{Exchange, GatewayId};

#[path = "support/sample.rs"]
mod sample;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Records that a producer has on the way before it waits for the oldest.
const IN_FLIGHT: u64 = 16 * 1024;
const PRODUCERS: u64 = 2;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let figure = arguments.first().map_or("all", String::as_str);
    let records = |default: u64| arguments.get(1).map_or(Ok(default), |text| text.parse());
    let dir = arguments.get(2).map(PathBuf::from);
    match figure {
        "throughput" => throughput(records(3_000_000)?),
        "recovery" => recovery(records(10_000_000)?),
        "instructions" => instructions(records(20_000)?),
        "fill" => fill(&dir.ok_or("expected a folder")?, records(10_000_000)?),
        "append" => append(records(20_000)?),
        "all" => {
            throughput(3_000_000)?;
            recovery(10_000_000)?;
            instructions(20_000)
        }
        other => Err(format!("`{other}` is none of throughput, recovery, instructions").into()),
    }
}

fn figure(name: &str, value: f64, unit: &str, target: Option<f64>) -> Result<()> {
    let target = target.map_or("null".to_owned(), |target| format!("{target}"));
    let line =
        format!("{{\"figure\":\"{name}\",\"value\":{value:.3},\"unit\":\"{unit}\",\"target\":{target}}}\n");
    Ok(std::io::stdout().write_all(line.as_bytes())?)
}

fn keys() -> Result<Arc<dyn SegmentKeys>> {
    Ok(Arc::new(EphemeralKeys::with_root(&[7; 32])?))
}

fn open(dir: &Path) -> Result<(Events, probity_events::Recovery)> {
    let options = Options { queue_records: 256 * 1024, ..Options::default() };
    Ok(Events::open(dir, GatewayId::from("gateway-1"), keys()?, options)?)
}

fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("probity-bench-").tempdir()?)
}

/// Producers and the writer together: how many exchanges are acknowledged in a second.
fn throughput(records: u64) -> Result<()> {
    let dir = folder()?;
    let (events, _) = open(dir.path())?;
    let begun = Instant::now();
    produce(&events, records)?;
    let seconds = begun.elapsed().as_secs_f64();
    let counts = events.counts();
    if counts.recorded != records + 1 || counts.lost != 0 {
        return Err(format!("{records} records were to be acknowledged: {counts:?}").into());
    }
    figure("events.acknowledged_per_second", records as f64 / seconds, "1/s", Some(100_000.0))
}

fn produce(events: &Events, records: u64) -> Result<()> {
    std::thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let recorder = events.recorder();
                scope.spawn(move || -> Result<()> {
                    let sample = sample::exchange(producer);
                    let mut waiting: std::collections::VecDeque<Ticket> = std::collections::VecDeque::new();
                    for count in 0..records / PRODUCERS {
                        let ticket = append_one(&recorder, black_box(&sample).clone())?;
                        // One in 64 is waited for; a batch is synced as a whole, so the others are too.
                        if count % 64 == 0 {
                            waiting.push_back(ticket);
                            if waiting.len() as u64 > IN_FLIGHT / 64 {
                                waiting.pop_front().map_or(Ok(()), Ticket::wait)?;
                            }
                        }
                    }
                    waiting.into_iter().try_for_each(Ticket::wait)?;
                    Ok(())
                })
            })
            .collect();
        producers.into_iter().try_for_each(|producer| producer.join().map_err(|_| "a producer panicked")?)
    })?;
    // The last records of each producer.
    events.recorder().accepted();
    events.recorder().append(sample::exchange(0))?.wait()?;
    Ok(())
}

/// What a gateway's worker pays for one record; callgrind counts this alone.
#[inline(never)]
fn append_one(recorder: &Recorder, exchange: Exchange) -> Result<Ticket> {
    recorder.accepted();
    Ok(recorder.append(exchange)?)
}

/// Fills a folder and ends without an end, as a killed process does.
fn fill(dir: &Path, records: u64) -> Result<()> {
    let (events, _) = open(dir)?;
    produce(&events, records)?;
    events.recorder().accepted();
    std::process::exit(0);
}

/// How long a start takes over that many records after a kill, and how fast all are read.
fn recovery(records: u64) -> Result<()> {
    let dir = folder()?;
    run_self(&["fill", &records.to_string()], dir.path())?;
    let bytes: u64 = std::fs::read_dir(dir.path())?
        .map(|entry| entry.and_then(|entry| entry.metadata()).map(|metadata| metadata.len()))
        .sum::<std::io::Result<u64>>()?;
    let begun = Instant::now();
    let (events, recovery) = open(dir.path())?;
    let seconds = begun.elapsed().as_secs_f64();
    let kept = recovery.counts.recorded;
    if kept < records || recovery.counts.lost != 1 {
        return Err(format!("{records} records were to be recovered: {recovery:?}").into());
    }
    let target = 10.0 * records as f64 / 10_000_000.0;
    figure("events.recovery_seconds", seconds, "s", Some(target))?;
    figure("events.recovered_records", kept as f64, "1", None)?;
    figure("events.bytes_per_record", bytes as f64 / kept as f64, "B", None)?;
    drop(events);
    let begun = Instant::now();
    let mut read = 0u64;
    for record in Reader::open(dir.path(), keys()?, 1)? {
        if let Record::Exchange(exchange) = record? {
            read += 1;
            black_box(exchange);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    if read != kept {
        return Err(format!("{kept} records were to be read, {read} were").into());
    }
    figure("events.decoded_per_second", read as f64 / seconds, "1/s", None)
}

fn run_self(arguments: &[&str], dir: &Path) -> Result<()> {
    let status = Command::new(std::env::current_exe()?).args(arguments).arg(dir).status()?;
    if status.success() { Ok(()) } else { Err(format!("{arguments:?} ended with {status}").into()) }
}

/// So many appends from one thread, for callgrind.
fn append(records: u64) -> Result<()> {
    let dir = folder()?;
    let (events, _) = open(dir.path())?;
    let recorder = events.recorder();
    let sample = sample::exchange(1);
    let mut last = None;
    for _ in 0..records {
        last = Some(append_one(&recorder, black_box(&sample).clone())?);
    }
    last.map_or(Ok(()), Ticket::wait)?;
    Ok(())
}

/// User instructions of one append, and of the whole record path with its writer, by (Ir[2N] - Ir[N]) / N.
fn instructions(records: u64) -> Result<()> {
    let per_record = |toggle: Option<&str>| -> Result<f64> {
        let (once, twice) = (callgrind(records, toggle)?, callgrind(2 * records, toggle)?);
        Ok((twice as f64 - once as f64) / records as f64)
    };
    figure("events.append_instructions", per_record(Some("*append_one*"))?, "Ir", Some(4_000.0))?;
    figure("events.record_path_instructions", per_record(None)?, "Ir", None)
}

fn callgrind(records: u64, toggle: Option<&str>) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    if let Some(function) = toggle {
        command.arg(format!("--toggle-collect={function}"));
    }
    let output = command.arg(std::env::current_exe()?).args(["append", &records.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1)).map(str::trim);
    collected
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("valgrind told no instruction count: {text}").into())
}
