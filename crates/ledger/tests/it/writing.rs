//! Appending, reading, proving, opening again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use probity_ledger::{Keys, Leaf, Ledger, LedgerError, SigningKey, sha256, verify_dir};
use proptest::prelude::*;

use crate::memory::MemoryDisk;
use crate::{EVIDENCE, NAME, VERDICTS, folder, key, leaf, leaves};

fn memory() -> Ledger {
    Ledger::open_on(Box::new(MemoryDisk::default()), "memory", key()).unwrap().0
}

#[test]
fn leaves_are_read_and_proven_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/ledger");
    let (ledger, recovery) = Ledger::open(&path, key()).unwrap();
    assert!(recovery.evidence.created && recovery.is_clean());
    assert_eq!((ledger.size(EVIDENCE), ledger.root(EVIDENCE)), (0, sha256(b"")));
    assert_eq!(ledger.append(EVIDENCE, &leaves(0..3)).unwrap(), 0..3);
    assert_eq!(ledger.append(EVIDENCE, &[]).unwrap(), 3..3);
    assert_eq!(ledger.append(EVIDENCE, &leaves(3..600)).unwrap(), 3..600);
    assert_eq!(ledger.append(VERDICTS, &leaves(0..1)).unwrap(), 0..1);
    let kept = ledger.checkpoint(EVIDENCE);
    assert!(matches!(Ledger::open(&path, key()), Err(LedgerError::InUse { .. })));
    drop(ledger);

    let (ledger, recovery) = Ledger::open(&path, key()).unwrap();
    assert!(recovery.is_clean() && !recovery.evidence.created, "{recovery:?}");
    assert_eq!(ledger.checkpoint(EVIDENCE), kept);
    for index in [0, 2, 3, 255, 256, 511, 512, 599] {
        assert_eq!(ledger.leaf(EVIDENCE, index).unwrap(), leaf(index));
        let bytes = ledger.leaf_bytes(EVIDENCE, index).unwrap();
        let proof = ledger.prove_inclusion(EVIDENCE, index).unwrap();
        proof.verify(&bytes, &kept.root()).unwrap();
        let proof = ledger.tlog_proof(EVIDENCE, index).unwrap();
        proof.verify(&bytes, key().verifier()).unwrap();
        proof.verify(&bytes, &ledger.verifier(EVIDENCE)).unwrap();
        assert!(proof.verify(&bytes, &ledger.verifier(VERDICTS)).is_err());
    }
    for wanted in [600, u64::MAX] {
        assert!(matches!(ledger.leaf(EVIDENCE, wanted), Err(LedgerError::OutOfRange { .. })));
        assert!(matches!(ledger.prove_inclusion(EVIDENCE, wanted), Err(LedgerError::OutOfRange { .. })));
        assert!(matches!(
            ledger.prove_consistency(EVIDENCE, 0, wanted + u64::from(wanted == 600)),
            Err(LedgerError::OutOfRange { .. })
        ));
    }
    let report = verify_dir(&path, Some(key().verifier().clone()), Some(kept));
    assert!(report.is_intact(), "{report}");
    assert_eq!(verify_dir(dir.path().join("data"), None, None).summary(), "self-consistent, not anchored");
}

#[test]
fn two_keys_sign_two_logs() {
    let dir = folder();
    let named = |seed: u8, name: &str| SigningKey::from_seed(&[seed; 32], name).unwrap();
    let keys = Keys { evidence: named(1, "a.example/evidence"), verdicts: named(2, "a.example/verdicts") };
    let (ledger, _) = Ledger::open(dir.path(), keys.clone()).unwrap();
    assert_eq!(ledger.checkpoint(EVIDENCE).origin(), "a.example/evidence");
    let both = [ledger.verifier(EVIDENCE), ledger.verifier(VERDICTS)];
    assert_eq!(&both[0], keys.evidence.verifier());
    let report = verify_dir(dir.path(), both.clone(), []);
    assert!(report.is_anchored(), "{report}");
    // One of them anchors its own log alone.
    let report = verify_dir(dir.path(), Some(both[0].clone()), []);
    assert!(report.is_intact() && !report.is_anchored(), "{report}");
    assert_eq!(report.logs.iter().map(|log| log.signed).collect::<Vec<_>>(), [Some(true), None]);
}

#[test]
fn refused_leaves_write_nothing() {
    let ledger = memory();
    let bad = Leaf { subject: String::new(), ..leaf(1) };
    assert!(matches!(ledger.append(EVIDENCE, &[leaf(0), bad]), Err(LedgerError::Leaf { index: 1, .. })));
    let many = vec![leaf(0); probity_ledger::MAX_BATCH + 1];
    assert!(matches!(ledger.append(EVIDENCE, &many), Err(LedgerError::Batch(_))));
    assert_eq!(ledger.append(EVIDENCE, &leaves(0..1)).unwrap(), 0..1);
}

#[test]
fn another_key_is_refused_with_the_way_out() {
    let dir = folder();
    Ledger::open(dir.path(), key()).unwrap().0.append(EVIDENCE, &leaves(0..2)).unwrap();
    let check = |other: SigningKey| {
        let error = Ledger::open(dir.path(), other).unwrap_err();
        assert!(matches!(error, LedgerError::OtherKey { .. }), "{error}");
        assert!(error.to_string().contains("give the signing key that belongs to this folder"));
        assert!(error.to_string().contains(NAME), "names the key that did sign");
    };
    check(SigningKey::from_seed(&[43; 32], NAME).unwrap());
    check(SigningKey::from_seed(&[42; 32], "other.example").unwrap());
    Ledger::open(dir.path(), key()).unwrap();
}

/// Opening compares log and checkpoint, and names the way out.
#[test]
fn a_mismatch_is_refused_with_the_way_out() {
    let check = |change: &dyn Fn(&Path), expected: &str| {
        let dir = folder();
        let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
        for size in 0..5 {
            ledger.append(EVIDENCE, &leaves(size..size + 1)).unwrap();
        }
        drop(ledger);
        change(&dir.path().join("evidence"));
        let before = files(dir.path());
        let error = Ledger::open(dir.path(), key()).unwrap_err();
        assert!(matches!(error, LedgerError::Mismatch { .. }), "{error}");
        for part in [expected, "probity verify", "restore the folder from a copy", "new ledger epoch"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert_eq!(before, files(dir.path()), "a refused ledger is left as it is");
    };
    let edit = |path: PathBuf, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, change(bytes)).unwrap();
    };
    let history = |log: &Path| fs::read_to_string(log.join("checkpoints.log")).unwrap();
    let note = |log: &Path, back: usize| {
        let text = history(log);
        let record = text.rsplit("\n@").nth(back).unwrap().split_once('\n').unwrap().1.trim_end().to_owned();
        record + "\n"
    };
    check(&|log| fs::remove_file(log.join("checkpoint")).unwrap(), "`checkpoint` is missing");
    check(&|log| fs::remove_file(log.join("checkpoints.log")).unwrap(), "not the last record");
    check(&|log| edit(log.join("checkpoint"), &|bytes| [b"x", &bytes[..]].concat()), "not the last record");
    check(&|log| fs::write(log.join("checkpoint"), note(log, 2)).unwrap(), "rolled back by 2 records");
    check(&|log| edit(log.join("tile/0/000.p/5"), &|bytes| bytes[..128].to_vec()), "wrong length");
    check(
        &|log| {
            edit(log.join("tile/0/000.p/5"), &|mut bytes| {
                bytes[3] ^= 1;
                bytes
            })
        },
        "tiles hash",
    );
    check(
        &|log| {
            edit(log.join("tile/entries/000.p/5"), &|mut bytes| {
                bytes[9] ^= 1;
                bytes
            })
        },
        "tiles hash",
    );
    check(&|log| fs::remove_file(log.join("tile/entries/000.p/5")).unwrap(), "is missing");
    // The checkpoint and its history go back two steps together; the tiles stay.
    check(
        &|log| {
            fs::write(log.join("checkpoint"), note(log, 2)).unwrap();
            let text = history(log);
            let keep: usize = text.split("\n@").take(5).map(|part| part.len() + 2).sum();
            fs::write(log.join("checkpoints.log"), &text[..keep - 1]).unwrap();
        },
        "rolled back",
    );
}

/// Every file with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_kept_checkpoint_shows_a_roll_back() {
    let dir = folder();
    let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
    ledger.append(EVIDENCE, &leaves(0..3)).unwrap();
    let three = ledger.checkpoint(EVIDENCE);
    ledger.append(EVIDENCE, &leaves(3..9)).unwrap();
    ledger.expect(EVIDENCE, &three).unwrap();
    drop(ledger);
    fs::remove_dir_all(dir.path().join("evidence")).unwrap();
    let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
    let error = ledger.expect(EVIDENCE, &three).unwrap_err();
    assert!(error.to_string().contains("rolled back: 0 leaves now, 3 were signed"), "{error}");
    ledger.append(EVIDENCE, &leaves(10..20)).unwrap();
    let error = ledger.expect(EVIDENCE, &three).unwrap_err();
    assert!(matches!(error, LedgerError::Mismatch { .. }), "{error}");
    assert!(matches!(ledger.expect(VERDICTS, &three), Err(LedgerError::OtherKey { .. })));
}

#[test]
fn damage_past_the_edge_is_seen_before_a_proof_leaves() {
    let dir = folder();
    let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
    ledger.append(EVIDENCE, &leaves(0..600)).unwrap();
    for file in ["tile/0/000", "tile/entries/000"] {
        let path = dir.path().join("evidence").join(file);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[40] ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = ledger.leaf(EVIDENCE, 0).unwrap_err();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        fs::write(&path, &whole).unwrap();
        ledger.leaf(EVIDENCE, 0).unwrap();
    }
}

/// Verification may run beside the writer; what it meets halfway is no change.
#[test]
fn a_growing_ledger_verifies() {
    let dir = folder();
    let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let size = ledger.size(EVIDENCE);
                ledger.append(EVIDENCE, &leaves(size..size + 40)).unwrap();
            }
        });
        for _ in 0..25 {
            let kept = ledger.checkpoint(EVIDENCE);
            let report = verify_dir(dir.path(), [key().verifier().clone()], [kept]);
            if !report.is_intact() {
                done.store(true, Ordering::Relaxed);
                panic!("{report}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let report = verify_dir(dir.path(), [key().verifier().clone()], [ledger.checkpoint(EVIDENCE)]);
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
}

#[test]
fn replaced_partial_tiles_go() {
    let dir = folder();
    let (ledger, _) = Ledger::open(dir.path(), key()).unwrap();
    for size in [1, 100, 255] {
        ledger.append(EVIDENCE, &leaves(ledger.size(EVIDENCE)..size)).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path().join("evidence/tile/0/000.p")).unwrap().count(), 3);
    ledger.append(EVIDENCE, &leaves(255..257)).unwrap();
    for folder in ["evidence/tile/0/000.p", "evidence/tile/entries/000.p"] {
        assert!(!dir.path().join(folder).exists(), "{folder}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_batches_prove_inclusion_and_consistency(batches in proptest::collection::vec(0..200_u64, 1..8), index: u64, from: u64, to: u64) {
        let ledger = memory();
        let mut roots = vec![(0, ledger.root(EVIDENCE))];
        for batch in batches {
            let size = ledger.size(EVIDENCE);
            ledger.append(EVIDENCE, &leaves(size..size + batch)).unwrap();
            roots.push((size + batch, ledger.root(EVIDENCE)));
        }
        let (size, root) = *roots.last().unwrap();
        if let Some(index) = index.checked_rem(size) {
            let bytes = ledger.leaf_bytes(EVIDENCE, index).unwrap();
            prop_assert_eq!(&bytes, &leaf(index).encode().unwrap());
            ledger.prove_inclusion(EVIDENCE, index).unwrap().verify(&bytes, &root).unwrap();
        }
        for (size, root) in &roots {
            prop_assert_eq!(ledger.root_at(EVIDENCE, *size).unwrap(), *root);
        }
        let pick = |number: u64| roots[usize::try_from(number % roots.len() as u64).unwrap()];
        let (mut old, mut new) = (pick(from), pick(to));
        if old.0 > new.0 {
            std::mem::swap(&mut old, &mut new);
        }
        let proof = ledger.prove_consistency(EVIDENCE, old.0, new.0).unwrap();
        prop_assert!(proof.verify(&old.1, &new.1).is_ok());
    }
}
