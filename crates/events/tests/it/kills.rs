//! A process that records is killed at any moment, again and again, over one folder.
//!
//! `PROBITY_KILLS` sets how often; 50 by default.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use probity_events::{Options, Reader};

use crate::support::{Dice, folder, keys, open, options, read_all, tags};

/// Built beside the tests.
fn helper() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/append_until_killed")
}

#[test]
fn acknowledged_records_survive_kills() {
    let kills: u64 = std::env::var("PROBITY_KILLS").map_or(50, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("PROBITY_SEED").map_or(1, |text| text.parse().unwrap());
    let mut dice = Dice(seed);
    let dir = folder();
    let small = || Options { segment_bytes: 128 * 1024, ..options() };
    let (mut known, mut killed_while_writing, mut gaps_told) = (0, 0, 0);
    for kill in 0..kills {
        let mut child = Command::new(helper())
            .arg(dir.path())
            .arg(kill.to_string())
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", helper().display()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Sometimes before anything, sometimes deep inside.
        let wanted = match dice.below(8) {
            0 => dice.below(3),
            1 => dice.below(2000),
            _ => dice.below(120),
        };
        let mut said: Vec<String> = Vec::new();
        for _ in 0..wanted {
            said.extend(lines.next().transpose().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts.
        said.extend(lines.map_while(Result::ok));
        let acknowledged: BTreeSet<u64> = said
            .iter()
            .filter_map(|line| line.strip_prefix("acknowledged "))
            .map(|tag| tag.parse().unwrap())
            .collect();
        let accepted: u64 = said
            .iter()
            .filter_map(|line| line.strip_prefix("accepted "))
            .map(|count| count.parse().unwrap())
            .max()
            .unwrap_or(0);

        let (events, recovery) = open(dir.path(), small());
        let counts = recovery.counts;
        assert_eq!(counts.accepted, counts.recorded + counts.lost, "kill {kill}: {recovery:?}");
        assert!(counts.accepted >= accepted, "kill {kill}");
        assert_eq!(recovery.damage, [], "kill {kill}");
        assert_eq!(events.gaps().iter().map(|gap| gap.count).sum::<u64>(), counts.lost, "kill {kill}");
        let (exchanges, _) = read_all(events.reader(known + 1));
        assert!(exchanges.iter().map(|e| e.sequence).eq(known + 1..recovery.next_sequence), "kill {kill}");
        let found: BTreeSet<u64> = tags(&exchanges).into_iter().collect();
        assert_eq!(found.len(), exchanges.len(), "kill {kill}: a record is there twice");
        assert!(acknowledged.is_subset(&found), "kill {kill}: {:?}", &acknowledged - &found);
        known = recovery.next_sequence - 1;
        killed_while_writing += u64::from(!acknowledged.is_empty());
        gaps_told += recovery.gaps.len();
    }
    // The harness itself: it does kill processes that write, and calls are on their way when it does.
    assert!(killed_while_writing * 2 > kills, "{killed_while_writing} of {kills}");
    assert!(gaps_told > 0);
    let (exchanges, gaps) = read_all(Reader::open(dir.path(), keys(), 1).unwrap());
    assert!(exchanges.iter().map(|e| e.sequence).eq(1..=known));
    assert!(gaps.iter().all(|gap| gap.missing.is_none()), "{gaps:?}");
}
