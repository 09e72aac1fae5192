//! Offline verification: reads a ledger again from its first byte and names what was changed.
//!
//! Three copies of the truth stand against each other: the leaves in the entry bundles, their hashes in the
//! tiles of every level, and the roots in the signed checkpoints of the history. Whichever parts lead to the
//! checkpoint's root are right; the others are compared with them, and the difference is named. What a careful
//! forger with the signing key rewrites wholly is seen only against a key and a checkpoint kept elsewhere,
//! which is why a report without them says that it is not anchored.
//!
//! The scan of one log is in `scan`, the naming of differences in `compare`, the file's words in `report`.

mod compare;
mod records;
mod report;
mod scan;

use std::path::Path;

pub use report::{Change, ChangeKind, LogReport, VerifyReport};

use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, RealDisk};
use crate::ledger::LOCK;
use crate::note::VerifierKey;
use crate::{LogId, disk};

/// Verifies the ledger in `path`, or in its folder `ledger`, against keys and checkpoints from outside.
///
/// `keys` and `anchors` take an `Option` or a list. A key named for one log verifies that log, any other key
/// both. Nothing is written, and the ledger need not be closed, though an append in progress shows as a note.
///
/// Reading the wrong thing is an outcome as well: a folder without a ledger is reported as changed, never as
/// intact.
#[must_use]
pub fn verify_dir(
    path: impl AsRef<Path>,
    keys: impl IntoIterator<Item = VerifierKey>,
    anchors: impl IntoIterator<Item = Checkpoint>,
) -> VerifyReport {
    let path = path.as_ref();
    let has_log = |path: &Path| LogId::ALL.iter().any(|log| path.join(log.as_str()).is_dir());
    let inner = path.join("ledger");
    let path = if !has_log(path) && has_log(&inner) { &inner } else { path };
    verify_on(&RealDisk::new(path), &path.display().to_string(), keys, anchors)
}

/// Verifies a ledger on any [`Disk`]; `shown` names it in the report.
#[must_use]
pub fn verify_on(
    disk: &dyn Disk,
    shown: &str,
    keys: impl IntoIterator<Item = VerifierKey>,
    anchors: impl IntoIterator<Item = Checkpoint>,
) -> VerifyReport {
    let keys: Vec<VerifierKey> = keys.into_iter().collect();
    let anchors: Vec<Checkpoint> = anchors.into_iter().collect();
    let mut report = VerifyReport::new(shown);
    strangers(disk, &mut report);
    let mut scans = LogId::ALL.map(|log| scan::Scan::run(disk, log, &keys, &anchors, &mut report));
    compare::name_swaps(&mut scans, &mut report);
    for scan in scans {
        scan.finish(&mut report);
    }
    for anchor in &anchors {
        if report.logs.iter().any(|log| log.origin == anchor.origin()) {
            continue;
        }
        let message =
            format!("the given checkpoint is of origin `{}`, which is no log here", anchor.origin());
        let (log, kind) = (anchor.log(), ChangeKind::Unusable);
        report.push(Change { log, kind, file: None, leaves: None, message });
    }
    report.order();
    report
}

/// Names in the ledger's folder that are no part of it.
fn strangers(disk: &dyn Disk, report: &mut VerifyReport) {
    let known = |name: &str| name == LOCK || LogId::ALL.iter().any(|log| log.as_str() == name);
    for entry in disk::list(disk, "").unwrap_or_default().into_iter().filter(|entry| !known(&entry.name)) {
        report.notes.push(format!("`{}` is no part of a ledger and was not read", entry.name));
    }
}
