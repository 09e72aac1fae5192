//! `probity verify`: what holds, against what it is held, and the name of what was done to a copy.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::Place;
use crate::running::Running;
use crate::shop;

/// A folder of two runs with what an auditor kept of it elsewhere, and a copy from between them.
struct Kept {
    place: Place,
    keys: [String; 2],
    checkpoints: [String; 2],
}

const LOGS: [&str; 2] = ["evidence", "verdicts"];

fn two_runs() -> Kept {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let running = Running::start(&place);
    shop::visit(&place, &running);
    running.stop();
    copy(&place.data(), &place.path("older"));
    let running = Running::start(&place);
    shop::visit(&place, &running);
    running.stop();
    let keep = |what: &str, log: &str| {
        let text = place.run(["ledger", what, "--log", log]).exits(0).out;
        place.write(&format!("kept/{log}.{what}"), text).display().to_string()
    };
    let (keys, checkpoints) = (LOGS.map(|log| keep("key", log)), LOGS.map(|log| keep("checkpoint", log)));
    Kept { place, keys, checkpoints }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The largest file below `folder`, at any depth.
fn largest(folder: &Path) -> PathBuf {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => files.push((entry.metadata().unwrap().len(), entry.path())),
            }
        }
    }
    files.into_iter().max().unwrap().1
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

fn swap(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(aside, other).unwrap();
}

#[test]
fn a_folder_is_verified_as_an_outsider_would_and_every_change_is_named() {
    let kept = two_runs();
    let place = &kept.place;
    let data = place.text("data");
    let verify = |folder: &str, more: &[&str]| place.run([&["verify", folder], more].concat());
    verify(&data, &[]).exits(0).says("self-consistent, not anchored").says("2 compared with their leaves");
    verify(&place.text("data/ledger"), &[]).exits(0).says("self-consistent, not anchored");
    let [keys, checkpoints] = [("--key", &kept.keys), ("--checkpoint", &kept.checkpoints)]
        .map(|(option, [one, other])| [option, one, option, other]);
    verify(&data, &keys).exits(0).says("signed by the given key; only a checkpoint kept elsewhere");
    verify(&data, &checkpoints).exits(0).says("intact: extends the given checkpoints");
    let anchored = [keys, checkpoints].concat();
    verify(&data, &anchored).exits(0).says("intact: signed by the given key, extends the given checkpoints");
    let one_log = verify(&data, &[keys[0], keys[1], checkpoints[0], checkpoints[1]]).exits(0);
    one_log.says("signed by the given key, extends the given checkpoint of ").says("signature not checked");
    let report = place.json(["verify", &data]);
    assert_eq!((report["sound"].as_bool(), report["segments"]["checked"].as_u64()), (Some(true), Some(2)));

    type Change = fn(&Path);
    let rows: &[(&str, Change, &str)] = &[
        (
            "a byte of an entry",
            |data| flip(&largest(&data.join("ledger/evidence/tile/entries"))),
            "flip: log `evidence`",
        ),
        (
            "a byte of a hash",
            |data| flip(&largest(&data.join("ledger/evidence/tile/0"))),
            "flip: log `evidence`",
        ),
        (
            "entries cut short",
            |data| {
                let file = largest(&data.join("ledger/evidence/tile/entries"));
                let bytes = fs::read(&file).unwrap();
                fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
            },
            "cut: log `evidence`",
        ),
        (
            "a file taken out",
            |data| fs::remove_file(largest(&data.join("ledger/evidence/tile/entries"))).unwrap(),
            "missing: log `evidence`",
        ),
        (
            "the logs exchanged",
            |data| swap(&data.join("ledger/evidence"), &data.join("ledger/verdicts")),
            "swap: ",
        ),
        (
            "a byte of a segment",
            |data| flip(&segments(data)[0]),
            "was changed: its digest is not that of its leaf",
        ),
        ("a segment taken out", |data| fs::remove_file(&segments(data)[0]).unwrap(), "is missing"),
        (
            "two segments exchanged",
            |data| {
                let [one, other] = segments(data);
                swap(&one, &other);
            },
            "was changed: its digest is not that of its leaf",
        ),
    ];
    for (what, change, words) in rows {
        let copied = place.path(&what.replace(' ', "-"));
        copy(&place.data(), &copied);
        change(&copied);
        let answer = place.run(["verify", copied.to_str().unwrap()]);
        assert_eq!(answer.code, Some(1), "{what}: {answer}");
        assert!(answer.out.contains(words), "{what}, expected `{words}`: {answer}");
    }

    let older = place.text("older");
    verify(&older, &[]).exits(0).says("self-consistent, not anchored");
    verify(&older, &keys).exits(0);
    let rolled_back = verify(&older, &anchored).exits(1);
    rolled_back.says("NOT intact").says("roll back: log `evidence`").says("roll back: log `verdicts`");
}

fn segments(data: &Path) -> [PathBuf; 2] {
    let files = fs::read_dir(data.join("events")).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|extension| extension == "events"));
    segments.collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn a_key_and_a_checkpoint_must_be_this_ledger_s() {
    let (kept, stranger) = (two_runs(), two_runs());
    let place = &kept.place;
    let data = place.text("data");
    let verify = |option: &str, value: &str| place.run(["verify", &data, option, value]);
    verify("--key", &stranger.keys[0]).exits(1).says("bad signature: log `evidence`");
    verify("--checkpoint", &stranger.checkpoints[0]).exits(1).says("NOT intact");
    verify("--key", &kept.checkpoints[0]).exits(2);
    verify("--checkpoint", &kept.keys[0]).exits(2).complains("is not a checkpoint");
    verify("--key", "nowhere.vkey").exits(2).complains("cannot read the key file");
}

/// A ledger that was rolled back is not opened for writing as if nothing had been.
#[test]
fn up_refuses_a_ledger_that_was_rolled_back() {
    let place = two_runs().place;
    fs::remove_dir_all(place.path("data/ledger")).unwrap();
    copy(&place.path("older/ledger"), &place.path("data/ledger"));
    let _shop = shop::open(&place, "");
    let config = place.text("probity.yaml");
    let refused = place.run(["up", "--config", &config]).exits(4);
    assert!(refused.err.contains("checkpoint"), "{refused}");
}
