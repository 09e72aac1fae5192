//! What full protection costs: a token that was verified before, a scope, limits, a contract both ways, a leak scan of a
//! 2 KiB answer, the usual fields and the record. And what a large bundle costs when it is applied under load.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::gateway::{
    CALLS, Process, ROUNDS, counted, cpu_per_request, gateway, load, nginx, origin, wait_listening,
};
use super::{Figure, example, spread};
use crate::shell;

/// Services of the large bundle, of 40 operations each.
const SERVICES: u32 = 1_000;
const SWAPS: usize = 5;

pub fn instructions() -> anyhow::Result<Vec<Figure>> {
    let bench = example("probity-gateway", "bench_gateway")?;
    let origin = origin(&bench, "json")?;
    let how = "callgrind, keep-alive over 8 connections, clear text, one worker; token cached, scope, limits, contract \
               both ways, leak scan of a 2 KiB JSON answer, record";
    let kinds = [
        ("get", "full protection, GET, instructions a request", "at most 150,000"),
        ("post", "full protection, POST of 1.1 KB JSON, instructions a request", "at most 250,000"),
    ];
    let mut figures = Vec::new();
    for (method, name, target) in kinds {
        let once = counted(&bench, &origin.address, "protect", method, CALLS)?;
        let twice = counted(&bench, &origin.address, "protect", method, 2 * CALLS)?;
        figures.push(Figure::new(name, (twice.saturating_sub(once) / CALLS).to_string(), Some(target), how));
    }
    Ok(figures)
}

/// The field that proves the caller.
fn proof(bench: &Path) -> anyhow::Result<Vec<String>> {
    let token = shell::output(bench, &["token"])?;
    Ok(vec![format!("Authorization: Bearer {}", token.trim())])
}

/// CPU of a request beside nginx, which does nothing but pass it on.
pub fn peers() -> anyhow::Result<Vec<Figure>> {
    let bench = example("probity-gateway", "bench_gateway")?;
    let origin = origin(&bench, "json")?;
    let peer = nginx(&origin.address)?;
    wait_listening(&peer.address)?;
    let passing = gateway(&bench, &origin.address, "pass", 1)?;
    let protecting = gateway(&bench, &origin.address, "protect", 1)?;
    let proof = proof(&bench)?;
    let targets = [
        ("nginx passing 2 KiB JSON", peer.process.id(), &peer.address, None),
        ("Probity passing 2 KiB JSON", passing.child.id(), &passing.address, Some("at most 1.2 times nginx")),
        (
            "Probity with full protection",
            protecting.child.id(),
            &protecting.address,
            Some("at most 2.5 times nginx"),
        ),
    ];
    let mut measured: Vec<Vec<f64>> = vec![Vec::new(); targets.len()];
    for _ in 0..ROUNDS {
        for ((_, pid, address, _), values) in targets.iter().zip(&mut measured) {
            values.push(cpu_per_request(*pid, address, &proof)?);
        }
    }
    let reference = measured.first().cloned().and_then(spread).map_or(1.0, |[_, median, _]| median);
    let how = "wrk, 16 connections, CPU time of the process over its requests, rounds interleaved";
    let mut figures = Vec::new();
    for ((name, _, _, target), values) in targets.iter().zip(measured) {
        let Some([low, median, high]) = spread(values) else { continue };
        let value = format!("{low:.1} / {median:.1} / {high:.1} us, {:.2} times nginx", median / reference);
        figures.push(Figure::new(format!("CPU a request, {name}"), value, *target, how));
    }
    Ok(figures)
}

/// What the stages of the gateway's own histogram sum up to.
pub fn stages() -> anyhow::Result<Vec<Figure>> {
    let bench = example("probity-gateway", "bench_gateway")?;
    let origin = origin(&bench, "json")?;
    let proof = proof(&bench)?;
    let mut figures = Vec::new();
    for (mode, name, target) in [
        ("observe", "stages summed, p99, only observed", None),
        ("protect", "stages summed, p99, full protection", Some("at most 150 us on a quiet machine")),
    ] {
        let gateway = gateway(&bench, &origin.address, mode, 1)?;
        cpu_per_request(gateway.child.id(), &gateway.address, &proof)?;
        let text = metrics(&gateway)?;
        let bound = quantile(&text, "sum", 0.99).context("the metrics have no sum of stages")?;
        let value = format!("at most {:.0} us, {}", bound * 1e6, machine_load());
        figures.push(Figure::new(name, value, target, "`/metrics` after wrk with 16 connections"));
    }
    Ok(figures)
}

fn machine_load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "load {} on {} cores",
        text.split(' ').next().unwrap_or("unknown"),
        std::thread::available_parallelism().map_or(1, usize::from)
    )
}

fn metrics(gateway: &Process) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(gateway.metrics.as_ref().context("no metrics")?)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The upper bound, in seconds, of the bucket in which a quantile of a stage lies.
fn quantile(metrics: &str, stage: &str, share: f64) -> Option<f64> {
    let wanted = format!("stage=\"{stage}\"");
    let buckets: Vec<(f64, f64)> = metrics
        .lines()
        .filter(|line| line.contains("_bucket{") && line.contains(&wanted))
        .filter_map(|line| {
            let bound = line.split_once("le=\"")?.1.split_once('"')?.0;
            Some((bound.parse().ok()?, line.rsplit_once(' ')?.1.parse().ok()?))
        })
        .collect();
    let all = buckets.last()?.1;
    buckets.iter().find(|(_, count)| *count >= all * share).map(|(bound, _)| *bound)
}

/// A large bundle, applied again and again while calls go on.
pub fn swap() -> anyhow::Result<Vec<Figure>> {
    let bench = example("probity-gateway", "bench_gateway")?;
    let origin = origin(&bench, "json")?;
    let mut gateway = gateway(&bench, &origin.address, "protect", SERVICES)?;
    let rate = |printed: &str, name: &str| -> Option<f64> {
        let mut words = printed.split_whitespace();
        words.find(|word| *word == name)?;
        words.next()?.parse().ok()
    };
    let calls = 10_000;
    let before = load(&bench, &gateway.address, calls, "protect", "get")?;
    let (address, program) = (gateway.address.clone(), bench.clone());
    let loaded = std::thread::spawn(move || load(&program, &address, calls, "protect", "get"));
    let mut took = Vec::new();
    for _ in 0..SWAPS {
        gateway.input.as_mut().context("no input")?.write_all(b"swap\n")?;
        let end = Instant::now() + Duration::from_secs(60);
        let told = gateway.lines.recv_timeout(end.saturating_duration_since(Instant::now()))?;
        let ms = rate(&told, "swapped").with_context(|| format!("the gateway said `{told}`"))?;
        took.push(ms);
        if loaded.is_finished() {
            break;
        }
    }
    let swaps = took.len();
    let during = loaded.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
    let p99 = |text: &str| rate(text, "p99_us").context("the load printed no p99");
    let (before, during) = (p99(&before)?, p99(&during)?);
    let [low, median, high] = spread(took).context("no swap")?;
    let how = "8 connections; every call of the load must be answered with 200";
    Ok(vec![
        Figure::new(
            "applying 1,000 protected services of 40 operations under load",
            format!("{low:.0} / {median:.0} / {high:.0} ms, {swaps} swaps, no failed call"),
            Some("no failed call"),
            how,
        ),
        Figure::new(
            "p99 of calls while it is applied",
            format!("{during:.0} us, before {before:.0} us, {:.2} times", during / before),
            Some("at most 1.5 times"),
            how,
        ),
    ])
}
