//! `probity verify PATH`: the ledger of a data folder re-read as an outsider would, and what the folder still holds
//! compared with it: segments with their leaves. Needs no lock, no key of ours, no running process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use probity_ledger::{Checkpoint, LeafKind, LogId, VerifierKey, VerifyReport};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Verified {
    pub ledger: VerifyReport,
    /// Closed segments compared with their leaves.
    pub segments: SegmentCheck,
    pub sound: bool,
}

#[derive(Debug, Default, Serialize)]
pub struct SegmentCheck {
    pub checked: u64,
    pub deleted_by_retention: u64,
    pub problems: Vec<String>,
}

/// `path` is a data folder or its `ledger` folder.
pub fn verify(path: &Path, keys: &[String], checkpoints: &[PathBuf]) -> anyhow::Result<Verified> {
    let (ledger, events) = folders(path)?;
    let keys: Vec<VerifierKey> = keys.iter().map(|text| key(text)).collect::<Result<_, _>>()?;
    let anchors: Vec<Checkpoint> = checkpoints.iter().map(|file| anchor(file)).collect::<Result<_, _>>()?;
    let report = probity_ledger::verify_dir(&ledger, keys, anchors);
    let segments = match &events {
        Some(events) => check_segments(&ledger, events),
        None => SegmentCheck::default(),
    };
    let sound = report.is_intact() && segments.problems.is_empty();
    Ok(Verified { ledger: report, segments, sound })
}

/// A key given as text or as a file that holds it.
fn key(text: &str) -> anyhow::Result<VerifierKey> {
    if text.contains('+') {
        return Ok(VerifierKey::parse(text)?);
    }
    let read = std::fs::read_to_string(text).with_context(|| format!("cannot read the key file `{text}`"))?;
    Ok(VerifierKey::parse(read.trim())?)
}

fn anchor(file: &Path) -> anyhow::Result<Checkpoint> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the checkpoint `{}`", file.display()))?;
    Checkpoint::parse(&text).with_context(|| format!("`{}` is not a checkpoint", file.display()))
}

fn folders(path: &Path) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
    let inside = path.join("ledger");
    if inside.is_dir() {
        let events = path.join("events");
        return Ok((inside, events.is_dir().then_some(events)));
    }
    anyhow::ensure!(
        path.is_dir(),
        "`{}` is not a folder, expected a data folder or its ledger",
        path.display()
    );
    Ok((path.to_path_buf(), None))
}

/// The last leaf of each segment file says what must be there: its digest, or its deletion.
fn check_segments(ledger: &Path, events: &Path) -> SegmentCheck {
    let mut last: BTreeMap<String, (LeafKind, [u8; 32])> = BTreeMap::new();
    let read = probity_ledger::for_each_leaf(ledger, LogId::Evidence, |_, leaf| {
        if matches!(leaf.kind, LeafKind::Segment | LeafKind::RetentionDeletion) {
            let file = leaf.subject.split(' ').next().unwrap_or_default().to_owned();
            last.insert(file, (leaf.kind, leaf.digest));
        }
    });
    let mut check = SegmentCheck::default();
    if let Err(problem) = read {
        check.problems.push(format!("segments cannot be compared with their leaves: {problem}"));
    }
    for (file, (kind, digest)) in last {
        let path = events.join(&file);
        match (kind, std::fs::read(&path)) {
            (LeafKind::RetentionDeletion, Err(_)) => check.deleted_by_retention += 1,
            (LeafKind::RetentionDeletion, Ok(_)) => {
                check
                    .problems
                    .push(format!("segment `{file}` is there although its deletion is in the ledger"));
            }
            (_, Ok(bytes)) => {
                check.checked += 1;
                if probity_ledger::sha256(&bytes) != digest {
                    check
                        .problems
                        .push(format!("segment `{file}` was changed: its digest is not that of its leaf"));
                }
            }
            (_, Err(problem)) => check.problems.push(format!("segment `{file}` is missing: {problem}")),
        }
    }
    check
}

/// Size and root of a log, as they were computed.
pub fn log_of(verified: &Verified, log: LogId) -> Option<(u64, String)> {
    let report = verified.ledger.logs.iter().find(|report| report.log == log)?;
    Some((report.size, report.root.clone()))
}
