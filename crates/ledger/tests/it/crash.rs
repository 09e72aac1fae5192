//! Fails every step of every append twice (done, not done), loses what was not synced in several ways, opens
//! again, and asserts that nothing acknowledged is lost.

use probity_ledger::{Checkpoint, Ledger, LedgerError, LogId, verify_on};

use crate::memory::{Fails, Keeps, MemoryDisk, Random};
use crate::{EVIDENCE, VERDICTS, key, leaf, leaves};

const KEEPS: [Keeps; 4] = [Keeps::Nothing, Keeps::Everything, Keeps::Some(1), Keeps::Some(2)];

/// What was acknowledged before the power went.
#[derive(Debug, Default)]
struct Acknowledged {
    evidence: Option<Checkpoint>,
    verdicts: Option<Checkpoint>,
}

impl Acknowledged {
    fn note(&mut self, ledger: &Ledger) {
        self.evidence = Some(ledger.checkpoint(EVIDENCE));
        self.verdicts = Some(ledger.checkpoint(VERDICTS));
    }

    fn each(&self) -> impl Iterator<Item = (LogId, &Checkpoint)> {
        let pairs = [(EVIDENCE, &self.evidence), (VERDICTS, &self.verdicts)];
        pairs.into_iter().filter_map(|(log, checkpoint)| checkpoint.as_ref().map(|c| (log, c)))
    }
}

fn open(disk: &MemoryDisk) -> Result<Ledger, LedgerError> {
    Ok(Ledger::open_on(Box::new(disk.clone()), "memory", key())?.0)
}

/// Steps over the edges of tiles: partial, full, several full at once, full to the brim.
fn work(disk: &MemoryDisk, acknowledged: &mut Acknowledged) -> Result<(), LedgerError> {
    let ledger = open(disk)?;
    acknowledged.note(&ledger);
    let mut size = ledger.size(EVIDENCE);
    for batch in [1, 254, 1, 257, 1] {
        ledger.append(EVIDENCE, &leaves(size..size + batch))?;
        acknowledged.note(&ledger);
        size += batch;
    }
    ledger.append(VERDICTS, &leaves(0..1))?;
    acknowledged.note(&ledger);
    Ok(())
}

fn check(disk: &MemoryDisk, acknowledged: &Acknowledged, what: &str) {
    let ledger = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    for (log, checkpoint) in acknowledged.each() {
        assert!(ledger.size(log) >= checkpoint.size(), "{what}: {log} lost leaves");
        ledger.expect(log, checkpoint).unwrap_or_else(|error| panic!("{what}: {error}"));
        let last = checkpoint.size().checked_sub(1);
        for index in
            [Some(0), last, last.map(|last| last / 2)].into_iter().flatten().filter(|_| last.is_some())
        {
            assert_eq!(ledger.leaf(log, index).unwrap(), leaf(index), "{what}: {log} {index}");
        }
    }
    let size = ledger.size(EVIDENCE);
    assert_eq!(ledger.append(EVIDENCE, &leaves(size..size + 3)).unwrap(), size..size + 3, "{what}");
    let anchors = acknowledged.each().map(|(_, checkpoint)| checkpoint.clone()).collect::<Vec<_>>();
    let report = verify_on(disk, "memory", [key().verifier().clone()], anchors);
    assert!(report.is_intact() && report.notes.is_empty(), "{what}: {report}");
}

#[test]
fn nothing_acknowledged_is_lost_whatever_step_fails() {
    let disk = MemoryDisk::default();
    work(&disk, &mut Acknowledged::default()).unwrap();
    let steps = disk.steps();
    assert!(steps > 80, "{steps} steps");
    let mut random = Random(7);
    for step in 0..steps {
        for fails in [Fails::Before, Fails::After] {
            let disk = MemoryDisk::default().failing(step, fails);
            let mut acknowledged = Acknowledged::default();
            let failed = work(&disk, &mut acknowledged).is_err();
            for keeps in KEEPS {
                let what = format!("step {step} {fails:?} keeps {keeps:?}");
                let left = disk.after_crash(keeps);
                // Once more during recovery, then in peace.
                let again = left.failing(random.below(12), Fails::Before);
                let _ = open(&again);
                check(
                    &again.after_crash(Keeps::Some(random.next())),
                    &acknowledged,
                    &format!("{what} twice"),
                );
                check(&left, &acknowledged, &what);
            }
            // The removal of replaced tiles may fail without anybody hearing of it.
            assert!(failed || acknowledged.verdicts.as_ref().is_some_and(|c| c.size() == 1), "step {step}");
        }
    }
}

#[test]
fn a_failed_append_is_refused_until_reopened() {
    let disk = MemoryDisk::default();
    open(&disk).unwrap().append(EVIDENCE, &leaves(0..5)).unwrap();
    // Opening takes a few steps of its own.
    let failing = disk.failing(6, Fails::Before);
    let ledger = open(&failing).unwrap();
    assert!(matches!(ledger.append(EVIDENCE, &leaves(5..6)), Err(LedgerError::Io { .. })));
    assert!(matches!(ledger.append(EVIDENCE, &leaves(5..6)), Err(LedgerError::Broken(LogId::Evidence))));
    // What was acknowledged before stays readable meanwhile.
    assert_eq!(ledger.size(EVIDENCE), 5);
    assert_eq!(ledger.leaf(EVIDENCE, 4).unwrap(), leaf(4));
}
