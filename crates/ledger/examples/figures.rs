//! Prints how fast this ledger is on this machine: `cargo run --release --example figures -- [DIR] [LEAVES]`.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use probity_ledger::{Leaf, LeafKind, Ledger, LogId, SigningKey, sha256, verify_dir};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let leaves: u64 = args.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let dir = dir.join(format!("probity-ledger-figures-{}", std::process::id()));
    let result = measure(&dir, leaves);
    std::fs::remove_dir_all(&dir)?;
    result
}

fn measure(dir: &std::path::Path, leaves: u64) -> Result<(), Box<dyn Error>> {
    let key = SigningKey::from_seed(&[1; 32], "figures.example")?;
    let (ledger, _) = Ledger::open(dir, key.clone())?;
    let mut times = Vec::new();
    for number in 0..100 {
        let start = Instant::now();
        ledger.append(LogId::Evidence, &[leaf(number)])?;
        times.push(start.elapsed());
    }
    println!("append of 1 leaf, durable: median {:?}", median(&mut times));
    let (start, mut batches) = (Instant::now(), 0);
    while ledger.size(LogId::Evidence) < leaves {
        let size = ledger.size(LogId::Evidence);
        let batch: Vec<Leaf> = (size..leaves.min(size + 8192)).map(leaf).collect();
        ledger.append(LogId::Evidence, &batch)?;
        batches += 1;
    }
    let took = start.elapsed();
    println!(
        "append of {leaves} leaves in {batches} batches, durable: {took:?}, {:.0} a second",
        rate(leaves, took)
    );
    let mut times = Vec::new();
    for number in 0..1000 {
        let index = number * 7919 % leaves;
        let start = Instant::now();
        ledger.prove_inclusion(LogId::Evidence, index)?;
        times.push(start.elapsed());
    }
    println!("inclusion proof, checked: median {:?}", median(&mut times));
    let checkpoint = ledger.checkpoint(LogId::Evidence);
    drop(ledger);
    let start = Instant::now();
    let (_ledger, _) = Ledger::open(dir, key.clone())?;
    println!("open: {:?}", start.elapsed());
    let start = Instant::now();
    let report = verify_dir(dir, [key.verifier().clone()], [checkpoint]);
    let took = start.elapsed();
    println!("verify: {took:?}, {:.0} leaves a second: {}", rate(leaves, took), report.summary());
    Ok(())
}

fn leaf(number: u64) -> Leaf {
    let digest = sha256(&number.to_be_bytes());
    Leaf { kind: LeafKind::Evidence, subject: format!("evidence-{number}"), digest, at: 1_700_000_000_000 }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
