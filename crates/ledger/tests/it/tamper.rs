//! Changes a ledger in every way that an intruder would, and asserts that the change is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use probity_ledger::{ChangeKind, Checkpoint, Ledger, VerifierKey, VerifyReport, verify_dir};
use proptest::prelude::*;

use crate::{EVIDENCE, VERDICTS, folder, key, leaf, leaves};

/// A ledger of several full tiles and steps: evidence 3, 255, 258, 515, 516, 1100, 1110; verdicts 1 to 4.
fn build(dir: &Path) {
    let (ledger, _) = Ledger::open(dir, key()).unwrap();
    for size in [3, 255, 258, 515, 516, 1100, 1104, 1110] {
        ledger.append(EVIDENCE, &leaves(ledger.size(EVIDENCE)..size)).unwrap();
    }
    for size in 0..4 {
        ledger.append(VERDICTS, &leaves(5000 + size..5001 + size)).unwrap();
    }
}

struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        // Built once: what a copy needs is the files, not their way onto a disk.
        static BUILT: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
            let dir = folder();
            build(dir.path());
            files(dir.path())
        });
        let dir = folder();
        write_files(&BUILT, dir.path());
        Self { dir }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn edit(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(file)).unwrap();
        change(&mut bytes);
        fs::write(self.path(file), bytes).unwrap();
    }

    fn edit_entries(&self, file: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.edit(file, |bytes| {
            let mut list = entries(bytes);
            change(&mut list);
            *bytes = bundle(&list);
        });
    }

    fn swap(&self, one: &str, two: &str) {
        let spare = self.path("spare");
        fs::rename(self.path(one), &spare).unwrap();
        fs::rename(self.path(two), self.path(one)).unwrap();
        fs::rename(&spare, self.path(two)).unwrap();
    }

    fn records(&self, change: impl FnOnce(&mut Vec<String>)) {
        let text = fs::read_to_string(self.path("evidence/checkpoints.log")).unwrap();
        let mut parts: Vec<String> = text.trim_end().split("\n@").map(str::to_owned).collect();
        let header = parts.remove(0);
        change(&mut parts);
        let text = parts.iter().fold(header, |text, record| text + "\n@" + record) + "\n";
        fs::write(self.path("evidence/checkpoints.log"), text).unwrap();
    }

    /// The checkpoint in a record of the history.
    fn checkpoint(&self, record: usize) -> Checkpoint {
        let mut found = None;
        self.records(|records| found = records[record].split_once('\n').map(|(_, note)| format!("{note}\n")));
        Checkpoint::parse(&found.unwrap()).unwrap()
    }

    fn verify(&self) -> VerifyReport {
        verify_dir(self.dir.path(), Some(key().verifier().clone()), None)
    }
}

fn entries(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(u16::from_be_bytes(*len).into());
        list.push(entry.to_vec());
        bytes = rest;
    }
    list
}

fn bundle(list: &[Vec<u8>]) -> Vec<u8> {
    list.iter()
        .flat_map(|e| [&u16::try_from(e.len()).unwrap().to_be_bytes(), e.as_slice()].concat())
        .collect()
}

/// What a change must be called: kind, part of the message, file.
type Named<'a> = (ChangeKind, &'a str, &'a str);

/// Every change that is found must be one of those named, and each of them must be found.
fn check(tamper: impl FnOnce(&Copy), named: &[Named<'_>]) {
    let copy = Copy::new();
    assert!(copy.verify().is_anchored(), "{}", copy.verify());
    tamper(&copy);
    assert_named(&copy.verify(), named);
}

fn assert_named(report: &VerifyReport, named: &[Named<'_>]) {
    let fits = |change: &probity_ledger::Change, (kind, message, file): &Named<'_>| {
        change.kind == *kind
            && change.message.contains(message)
            && change.file.as_deref().is_some_and(|found| found.contains(file))
    };
    for wanted in named {
        assert!(report.changes.iter().any(|change| fits(change, wanted)), "{wanted:?} is not in\n{report}");
    }
    for change in &report.changes {
        assert!(named.iter().any(|wanted| fits(change, wanted)), "{change} is unexpected in\n{report}");
    }
    assert!(!report.is_intact() && !report.is_anchored());
}

#[test]
fn flips_are_named() {
    use ChangeKind::Flip;
    let flip = |file: &'static str, at: usize| move |copy: &Copy| copy.edit(file, |bytes| bytes[at] ^= 4);
    let content = |file: &'static str, entry: usize| {
        move |copy: &Copy| copy.edit_entries(file, |list| list[entry][30] ^= 1)
    };
    check(content("evidence/tile/entries/001", 44), &[(Flip, "leaf 300 was changed", "tile/entries/001")]);
    check(
        content("evidence/tile/entries/004.p/86", 85),
        &[(Flip, "leaf 1109 was changed", "tile/entries/004.p/86")],
    );
    check(
        content("verdicts/tile/entries/000.p/4", 0),
        &[(Flip, "leaf 0 was changed", "verdicts/tile/entries")],
    );
    check(
        |copy| {
            copy.edit_entries("evidence/tile/entries/000", |list| list[7][30] ^= 1);
            copy.edit_entries("evidence/tile/entries/000", |list| list[200][30] ^= 1);
        },
        &[(Flip, "leaf 7 was", "entries/000"), (Flip, "leaf 200 was", "entries/000")],
    );
    check(
        flip("evidence/tile/entries/002", 1),
        &[(Flip, "the length of leaf 512 was changed", "entries/002")],
    );
    check(flip("evidence/tile/0/001", 32 * 44 + 5), &[(Flip, "hash 300 of level 0", "tile/0/001")]);
    check(flip("evidence/tile/0/004.p/86", 0), &[(Flip, "hash 1024 of level 0", "tile/0/004.p/86")]);
    check(
        flip("evidence/tile/0/004.p/80", 3),
        &[(Flip, "leaf 1024 was changed in a tile of an earlier", "004.p/80")],
    );
    check(
        flip("evidence/tile/entries/004.p/76", 20),
        &[(Flip, "leaf 1024 was changed in a tile of an earlier", "004.p/76")],
    );
    check(flip("evidence/tile/1/000.p/4", 33), &[(Flip, "hash 1 of level 1", "tile/1/000.p/4")]);
    // Three files at once, each named.
    check(
        |copy| {
            copy.edit_entries("evidence/tile/entries/000", |list| list[7][30] ^= 1);
            copy.edit("evidence/tile/0/001", |bytes| bytes[0] ^= 1);
            copy.edit("evidence/tile/0/004.p/86", |bytes| bytes[0] ^= 1);
        },
        &[
            (Flip, "leaf 7 was", "entries/000"),
            (Flip, "hash 256 of level 0", "tile/0/001"),
            (Flip, "hash 1024 of level 0", "tile/0/004.p/86"),
        ],
    );
}

#[test]
fn flips_of_checkpoints_are_named() {
    use ChangeKind::{BadSignature, Flip};
    let replace = |file: &'static str, from: &'static str, to: &'static str| {
        move |copy: &Copy| {
            let text = fs::read_to_string(copy.path(file)).unwrap();
            assert!(text.contains(from));
            fs::write(copy.path(file), text.replacen(from, to, 1)).unwrap();
        }
    };
    check(
        replace("evidence/checkpoint", "\n1110\n", "\n1100\n"),
        &[
            (Flip, "was changed: its history does not hold it", "checkpoint"),
            (BadSignature, "does not verify", "checkpoint"),
        ],
    );
    check(
        replace("evidence/checkpoint", "\n1110\n", "\n01110\n"),
        &[(Flip, "no tree size", "evidence/checkpoint")],
    );
    check(
        replace("evidence/checkpoints.log", "\n516\n", "\n517\n"),
        &[(Flip, "after checkpoint record 5: record does not match its digest", "checkpoints.log")],
    );
    check(
        replace("evidence/checkpoints.log", "probity", "sobriet"),
        &[(Flip, "first line", "checkpoints.log")],
    );
}

#[test]
fn cuts_are_named() {
    use ChangeKind::{Cut, Missing};
    check(
        |copy| copy.edit_entries("evidence/tile/entries/001", |list| drop(list.remove(44))),
        &[(Cut, "leaf 300 was cut out", "entries/001")],
    );
    check(
        |copy| copy.edit_entries("evidence/tile/entries/001", |list| drop(list.drain(44..50))),
        &[(Cut, "leaves 300 to 305 were cut out", "entries/001")],
    );
    check(
        |copy| copy.edit("evidence/tile/entries/004.p/86", |bytes| bytes.truncate(bytes.len() - 10)),
        &[(Cut, "leaf 1109 was cut out", "entries/004.p/86")],
    );
    check(
        |copy| copy.edit("evidence/tile/0/000", |bytes| bytes.truncate(32 * 250)),
        &[(Cut, "hashes 250 to 255 of level 0 were cut out", "tile/0/000")],
    );
    // One leaf taken out, everything after it moved up, over all files.
    check(
        |copy| {
            let files =
                ["000", "001", "002", "003", "004.p/86"].map(|file| format!("evidence/tile/entries/{file}"));
            let mut all: Vec<_> =
                files.iter().flat_map(|f| entries(&fs::read(copy.path(f)).unwrap())).collect();
            all.remove(5);
            for (file, list) in files.iter().zip(all.chunks(256)) {
                fs::write(copy.path(file), bundle(list)).unwrap();
            }
        },
        &[(Cut, "leaf 5 was cut out", "entries/000")],
    );
    for (file, message) in
        [("tile/entries/001", "missing"), ("tile/0/001", "missing"), ("tile/1/000.p/4", "missing")]
    {
        check(|copy| fs::remove_file(copy.path("evidence").join(file)).unwrap(), &[(Missing, message, file)]);
    }
    check(
        |copy| fs::remove_file(copy.path("evidence/checkpoint")).unwrap(),
        &[(Missing, "checkpoint", "checkpoint")],
    );
    check(
        |copy| fs::remove_file(copy.path("evidence/checkpoints.log")).unwrap(),
        &[(Missing, "history", "checkpoints.log")],
    );
    check(
        |copy| copy.records(|records| drop(records.remove(3))),
        &[(Cut, "checkpoint record 4 follows records that were cut out", "checkpoints.log")],
    );
    check(
        |copy| copy.records(|records| records.truncate(6)),
        &[(Cut, "ends at 516 leaves, the checkpoint states 1110", "checkpoints.log")],
    );
    check(
        |copy| copy.edit("evidence/checkpoints.log", |bytes| bytes.truncate(bytes.len() - 9)),
        &[
            (Cut, "after checkpoint record 8: record is cut short", "checkpoints.log"),
            (Cut, "its last records were cut", "checkpoints.log"),
        ],
    );
    check(
        |copy| fs::remove_dir_all(copy.path("verdicts")).unwrap(),
        &[
            (Missing, "the checkpoint is missing", "verdicts/checkpoint"),
            (Missing, "history", "verdicts/checkpoints.log"),
        ],
    );
}

#[test]
fn insertions_are_named() {
    use ChangeKind::{Flip, Insert};
    check(
        |copy| {
            copy.edit_entries("evidence/tile/entries/001", |list| {
                list.insert(44, leaf(9999).encode().unwrap())
            })
        },
        &[(Insert, "leaf 300 was put in", "entries/001")],
    );
    check(
        |copy| {
            copy.edit_entries("evidence/tile/entries/004.p/86", |list| {
                list.push(leaf(1110).encode().unwrap())
            })
        },
        &[(Insert, "leaf 1110 was put in", "entries/004.p/86")],
    );
    check(
        |copy| copy.edit("evidence/tile/0/000", |bytes| bytes.extend([1; 32])),
        &[(Insert, "hash 256 of level 0 was put in", "tile/0/000")],
    );
    check(
        |copy| copy.edit("evidence/tile/0/000", |bytes| bytes.extend([1; 5])),
        &[(Insert, "5 bytes were put in after its hashes", "tile/0/000")],
    );
    check(
        |copy| copy.edit("evidence/tile/1/000.p/4", |bytes| bytes.extend([1; 5])),
        &[(Insert, "5 bytes were put in after its hashes", "tile/1/000.p/4")],
    );
    check(
        |copy| copy.records(|records| records.insert(4, records[3].clone())),
        &[(Insert, "checkpoint record 5 stands in the history twice", "checkpoints.log")],
    );
    check(
        |copy| copy.edit("evidence/checkpoints.log", |bytes| bytes.extend(b"more\n")),
        &[(Flip, "after checkpoint record 9: no record line", "checkpoints.log")],
    );
    check(
        |copy| fs::write(copy.path("evidence/tile/0/readme"), "x").unwrap(),
        &[(Insert, "no part of a log", "evidence/tile/0/readme")],
    );
}

#[test]
fn reorders_are_named() {
    use ChangeKind::Reorder;
    check(
        |copy| copy.edit_entries("evidence/tile/entries/001", |list| list.swap(44, 45)),
        &[(Reorder, "leaves 300 to 301 were put in another order", "entries/001")],
    );
    check(
        |copy| copy.edit_entries("evidence/tile/entries/004.p/86", |list| list.reverse()),
        &[(Reorder, "leaves 1024 to 1109 were put in another order", "entries/004.p/86")],
    );
    check(
        |copy| copy.edit("evidence/tile/0/002", |bytes| bytes[..64].rotate_left(32)),
        &[(Reorder, "hashes 512 to 513 of level 0", "tile/0/002")],
    );
    check(
        |copy| copy.edit("evidence/tile/1/000.p/4", |bytes| bytes.rotate_left(32)),
        &[(Reorder, "hashes 0 to 3 of level 1", "tile/1/000.p/4")],
    );
    check(
        |copy| copy.records(|records| records.swap(4, 5)),
        &[(Reorder, "checkpoint record 5 stands in another place", "checkpoints.log")],
    );
}

#[test]
fn swaps_are_named() {
    use ChangeKind::Swap;
    check(
        |copy| copy.swap("evidence/tile/entries/001", "evidence/tile/entries/002"),
        &[
            (Swap, "holds what belongs in `evidence/tile/entries/002`", "entries/001"),
            (Swap, "holds what belongs in `evidence/tile/entries/001`", "entries/002"),
        ],
    );
    check(
        |copy| copy.swap("evidence/tile/0/000", "evidence/tile/0/003"),
        &[
            (Swap, "holds what belongs in `evidence/tile/0/003`", "tile/0/000"),
            (Swap, "holds what belongs in `evidence/tile/0/000`", "tile/0/003"),
        ],
    );
    check(
        |copy| copy.swap("evidence/tile/entries/004.p/86", "verdicts/tile/entries/000.p/4"),
        &[
            (Swap, "holds what belongs in `verdicts/tile/entries/000.p/4`", "evidence/tile/entries/004.p/86"),
            (Swap, "holds what belongs in `evidence/tile/entries/004.p/86`", "verdicts/tile/entries/000.p/4"),
        ],
    );
    check(
        |copy| copy.swap("evidence", "verdicts"),
        &[
            (Swap, "the folder holds the log `verdicts`", "evidence/checkpoint"),
            (Swap, "the folder holds the log `evidence`", "verdicts/checkpoint"),
        ],
    );
    check(
        |copy| copy.swap("evidence/checkpoint", "verdicts/checkpoint"),
        &[
            (Swap, "holds the checkpoint of the log `verdicts`", "evidence/checkpoint"),
            (Swap, "holds the checkpoint of the log `evidence`", "verdicts/checkpoint"),
        ],
    );
}

#[test]
fn roll_backs_are_named() {
    use ChangeKind::RollBack;
    check(
        |copy| fs::write(copy.path("evidence/checkpoint"), copy.checkpoint(6).as_str()).unwrap(),
        &[(
            RollBack,
            "rolled back by 2 records to 1100 leaves; the history goes on to 1110",
            "evidence/checkpoint",
        )],
    );
    // The history as well: the tiles still reach further.
    check(
        |copy| {
            fs::write(copy.path("evidence/checkpoint"), copy.checkpoint(6).as_str()).unwrap();
            copy.records(|records| records.truncate(7));
        },
        &[(RollBack, "states 1100 leaves, tiles reach further in 2 steps", "004.p/86")],
    );
    check(
        |copy| {
            fs::write(copy.path("evidence/checkpoint"), copy.checkpoint(5).as_str()).unwrap();
            copy.records(|records| records.truncate(6));
        },
        &[
            (RollBack, "a later one is there: the checkpoint was rolled back", "tile/"),
            (RollBack, "states 516 leaves, tiles reach further", "tile/"),
        ],
    );
}

/// A whole and consistent earlier state: only a checkpoint from outside tells.
#[test]
fn a_whole_roll_back_is_named_against_an_anchor() {
    let dir = folder();
    let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
    ledger.append(EVIDENCE, &leaves(0..300)).unwrap();
    let early = ledger.checkpoint(EVIDENCE);
    let (now, past) = (dir.path().join("evidence"), folder());
    copy_folder(&now, past.path());
    ledger.append(EVIDENCE, &leaves(300..320)).unwrap();
    let late = ledger.checkpoint(EVIDENCE);
    drop(ledger);
    let verify =
        |anchor: &Checkpoint| verify_dir(dir.path(), Some(key().verifier().clone()), Some(anchor.clone()));
    assert!(verify(&early).is_anchored() && verify(&late).is_anchored());
    fs::remove_dir_all(&now).unwrap();
    copy_folder(past.path(), &now);
    assert!(verify(&early).is_anchored());
    let report = verify(&late);
    assert_named(
        &report,
        &[(ChangeKind::RollBack, "it has 300 leaves, the given checkpoint 320", "checkpoint")],
    );
    assert_eq!(report.changes[0].leaves, Some((300, 319)));
}

/// Everything rewritten by somebody who holds the signing key: only a checkpoint from outside tells.
#[test]
fn a_rewritten_past_is_named_against_an_anchor() {
    let write = |changed: Option<u64>| {
        let dir = folder();
        let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
        for size in [100, 200, 300] {
            let mut batch = leaves(ledger.size(EVIDENCE)..size);
            batch.iter_mut().enumerate().for_each(|(at, leaf)| {
                if changed == Some(size - 100 + at as u64) {
                    leaf.digest[0] ^= 1;
                }
            });
            ledger.append(EVIDENCE, &batch).unwrap();
        }
        (dir, ledger.checkpoint(EVIDENCE))
    };
    let (_honest, anchor) = write(None);
    let (forged, _) = write(Some(150));
    let key = || Some(key().verifier().clone());
    assert!(verify_dir(forged.path(), key(), None).is_intact());
    let report = verify_dir(forged.path(), key(), Some(anchor));
    assert_named(
        &report,
        &[(ChangeKind::Rewrite, "not those of the given checkpoint of 300 leaves", "checkpoint")],
    );
}

/// Everything rewritten by somebody without the key.
#[test]
fn a_foreign_signature_is_named() {
    let dir = folder();
    let forger = probity_ledger::SigningKey::from_seed(&[1; 32], crate::NAME).unwrap();
    let (ledger, _) = Ledger::open(dir.path(), forger).unwrap();
    ledger.append(EVIDENCE, &leaves(0..3)).unwrap();
    let report = verify_dir(dir.path(), Some(key().verifier().clone()), None);
    let named = (ChangeKind::BadSignature, "not signed by key `probity.example/", "checkpoint");
    assert_named(&report, &[named]);
    assert_eq!(verify_dir(dir.path(), None, None).summary(), "self-consistent, not anchored");
}

/// Leaf, tiles and even the upper level rewritten to fit each other, the signed checkpoints not.
#[test]
fn a_consistent_change_under_a_signed_checkpoint_is_named() {
    let change = |copy: &Copy, bundle: &str, tile: &str, at: usize| {
        copy.edit_entries(bundle, |list| list[at][30] ^= 1);
        let entry = entries(&fs::read(copy.path(bundle)).unwrap())[at].clone();
        let hash = probity_ledger::sha256(&[&[0], entry.as_slice()].concat());
        copy.edit(tile, |bytes| bytes[32 * at..32 * (at + 1)].copy_from_slice(&hash));
    };
    check(
        |copy| change(copy, "evidence/tile/entries/001", "evidence/tile/0/001", 44),
        &[(ChangeKind::Rewrite, "leaves 256 to 511 were changed together with their hashes", "entries/001")],
    );
    check(
        |copy| change(copy, "evidence/tile/entries/004.p/86", "evidence/tile/0/004.p/86", 78),
        &[
            (
                ChangeKind::Rewrite,
                "leaves 1100 to 1103 or the checkpoint of 1104 leaves were changed",
                "checkpoint",
            ),
            (
                ChangeKind::Rewrite,
                "leaf 1102 was changed: a tile of an earlier checkpoint holds another",
                "004.p/80",
            ),
        ],
    );
}

#[test]
fn given_keys_and_checkpoints_that_do_not_belong_are_named() {
    let copy = Copy::new();
    let other = probity_ledger::SigningKey::from_seed(&[1; 32], crate::NAME).unwrap();
    let elsewhere = folder();
    let named = probity_ledger::SigningKey::from_seed(&[42; 32], "elsewhere").unwrap();
    let foreign = Ledger::open(elsewhere.path(), named).unwrap().0.checkpoint(EVIDENCE);
    let report = verify_dir(copy.dir.path(), None, Some(foreign));
    assert_eq!(report.changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Unusable]);
    let again = folder();
    let forged = Ledger::open(again.path(), other).unwrap().0.checkpoint(EVIDENCE);
    let report = verify_dir(copy.dir.path(), Some(key().verifier().clone()), Some(forged));
    assert_named(&report, &[(ChangeKind::Unusable, "the given checkpoint: not signed by key", "checkpoint")]);
}

#[test]
fn what_is_no_ledger_is_not_intact() {
    let dir = folder();
    let report = verify_dir(dir.path(), None::<VerifierKey>, None);
    assert!(!report.is_intact() && !report.is_anchored(), "{report}");
}

#[test]
fn every_flipped_file_is_named() {
    let copy = Copy::new();
    let files = files(copy.dir.path());
    assert!(files.len() > 20);
    let mut random = crate::memory::Random(3);
    for (file, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        for _ in 0..4 {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            flip_is_named(&copy, file, bytes, at, 1 << random.below(8));
        }
    }
    assert!(copy.verify().is_anchored());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_flip_is_named(picks in proptest::collection::vec((any::<usize>(), any::<usize>(), 0..8_u8), 8)) {
        let copy = Copy::new();
        let files = Vec::from_iter(files(copy.dir.path()).into_iter().filter(|(_, bytes)| !bytes.is_empty()));
        for (file, at, bit) in picks {
            let (file, bytes) = &files[file % files.len()];
            flip_is_named(&copy, file, bytes, at % bytes.len(), 1 << bit);
        }
    }
}

fn flip_is_named(copy: &Copy, file: &str, bytes: &[u8], at: usize, mask: u8) {
    let mut changed = bytes.to_vec();
    changed[at] ^= mask;
    fs::write(copy.path(file), &changed).unwrap();
    for report in [copy.verify(), verify_dir(copy.dir.path(), None, None)] {
        let named = report.changes.iter().any(|change| change.file.as_deref() == Some(file));
        assert!(named, "byte {at} of {file} by {mask}:\n{report}");
    }
    fs::write(copy.path(file), bytes).unwrap();
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn copy_folder(from: &Path, to: &Path) {
    write_files(&files(from), to);
}

fn write_files(files: &BTreeMap<String, Vec<u8>>, to: &Path) {
    for (file, bytes) in files {
        let path = to.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
