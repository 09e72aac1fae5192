//! Kills a writing process at arbitrary moments; what it acknowledged must be there. `PROBITY_KILLS` sets the
//! number of kills for a soak.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use probity_ledger::{Ledger, verify_dir};

use crate::memory::Random;
use crate::{EVIDENCE, VERDICTS, folder, key, leaf, leaves};

const KILLS: u64 = 50;
const CHILD: &str = "PROBITY_KILL_CHILD";

/// The writer: appends until killed, and prints each size that was acknowledged. Does nothing unless asked.
#[test]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (seed, dir) = task.split_once(' ').unwrap();
    let mut random = Random(seed.parse().unwrap());
    let (ledger, _) = Ledger::open(dir, key()).unwrap();
    let mut out = std::io::stdout();
    // Bounded, as on a busy machine the killer may come late; then it waits to be killed.
    for _ in 0..60 {
        let log = if random.below(4) == 0 { VERDICTS } else { EVIDENCE };
        let size = ledger.size(log);
        let batch = if random.below(20) == 0 { random.below(300) } else { random.below(3) + 1 };
        ledger.append(log, &leaves(size..size + batch)).unwrap();
        writeln!(out, "ack {log} {}", ledger.size(log)).unwrap();
        out.flush().unwrap();
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let kills = std::env::var("PROBITY_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let dir = folder();
    let mut random = Random(1);
    let mut acknowledged = [0_u64; 2];
    let mut anchors = Vec::new();
    let mut interrupted = 0;
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{round} {}", dir.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let until = random.below(12) + 1;
        let mut seen = 0;
        while seen < until {
            let Some(Ok(line)) = lines.next() else { panic!("the writer ended by itself in round {round}") };
            let Some(ack) = line.rsplit_once("ack ").map(|(_, ack)| ack.to_owned()) else { continue };
            seen += 1;
            note(&mut acknowledged, &ack);
        }
        // Somewhere within the next append.
        (0..random.below(100)).for_each(|_| std::thread::yield_now());
        child.kill().unwrap();
        child.wait().unwrap();
        // What it printed before it died was acknowledged too.
        lines.map_while(Result::ok).for_each(|line| {
            if let Some((_, ack)) = line.rsplit_once("ack ") {
                note(&mut acknowledged, ack);
            }
        });
        let (ledger, recovery) = Ledger::open(dir.path(), key()).unwrap();
        interrupted += u64::from(!recovery.is_clean());
        for (log, size) in [(EVIDENCE, acknowledged[0]), (VERDICTS, acknowledged[1])] {
            assert!(ledger.size(log) >= size, "round {round}: {log} has {} of {size}", ledger.size(log));
            if let Some(last) = size.checked_sub(1) {
                assert_eq!(ledger.leaf(log, last).unwrap(), leaf(last));
            }
        }
        for anchor in anchors.drain(..) {
            let anchor: probity_ledger::Checkpoint = anchor;
            ledger.expect(anchor.log().unwrap(), &anchor).unwrap();
        }
        anchors.extend([ledger.checkpoint(EVIDENCE), ledger.checkpoint(VERDICTS)]);
    }
    let report = verify_dir(dir.path(), [key().verifier().clone()], anchors);
    assert!(report.is_anchored() && report.notes.is_empty(), "{report}");
    println!("{kills} kills, {interrupted} amid an append, {acknowledged:?} leaves acknowledged");
}

/// A line that the kill cut short is not an acknowledgement that anybody saw; sizes only grow.
fn note(acknowledged: &mut [u64; 2], ack: &str) {
    let Some((log, size)) = ack.split_once(' ') else { return };
    let Ok(size) = size.parse::<u64>() else { return };
    let at = usize::from(log == VERDICTS.as_str());
    acknowledged[at] = acknowledged[at].max(size);
}
