//! Held against the crates `tlog_tiles` and `signed_note`, which others wrote.

use probity_ledger::{Checkpoint, Disk as _, Ledger, SigningKey, VerifierKey};
use proptest::prelude::*;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, Tile};

use crate::memory::MemoryDisk;
use crate::{EVIDENCE, key, leaf, leaves};

/// The oracle's own tree over the same leaves.
#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Stored {
    fn of(size: u64) -> Self {
        let mut stored = Self::default();
        for index in 0..size {
            let hashes = tlog_tiles::stored_hashes(index, &leaf(index).encode().unwrap(), &stored).unwrap();
            stored.0.extend(hashes);
        }
        stored
    }
}

fn ledger(size: u64) -> (MemoryDisk, Ledger) {
    let disk = MemoryDisk::default();
    let (ledger, _) = Ledger::open_on(Box::new(disk.clone()), "memory", key()).unwrap();
    ledger.append(EVIDENCE, &leaves(0..size)).unwrap();
    (disk, ledger)
}

fn hashes(list: &[[u8; 32]]) -> Vec<Hash> {
    list.iter().map(|hash| Hash(*hash)).collect()
}

#[test]
fn tiles_and_their_paths_agree() {
    for size in [1, 2, 255, 256, 257, 700, 66_000] {
        let (disk, _) = ledger_in_batches(size);
        let stored = Stored::of(size);
        let tiles = Tile::new_tiles(8, 0, size);
        assert!(!tiles.is_empty());
        for tile in tiles {
            // The oracle's paths are those of Go's sumdb, which name the height as well.
            let path = tile.path().replacen("tile/8/", "evidence/tile/", 1);
            let ours =
                disk.read_at(&path, 0, 1 << 20).unwrap_or_else(|error| panic!("{size} {path}: {error}"));
            assert_eq!(ours, tile.read_data(&stored).unwrap(), "{size} {path}");
        }
    }
}

fn ledger_in_batches(size: u64) -> (MemoryDisk, Ledger) {
    let (disk, ledger) = ledger(size.min(50_000));
    ledger.append(EVIDENCE, &leaves(size.min(50_000)..size)).unwrap();
    (disk, ledger)
}

#[test]
fn signed_checkpoints_are_read_by_the_oracle() {
    let (_, ledger) = ledger(300);
    let checkpoint = ledger.checkpoint(EVIDENCE);
    let note = Note::from_bytes(checkpoint.as_str().as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&ledger.verifier(EVIDENCE).encode()).unwrap();
    let (good, unknown) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((good.len(), unknown.len()), (1, 0));
    // The oracle takes what a note's text is with its blank line.
    let mut text = note.text().to_vec();
    text.push(b'\n');
    let parsed = tlog_tiles::Checkpoint::from_bytes(note.text())
        .or_else(|_| tlog_tiles::Checkpoint::from_bytes(&text))
        .unwrap();
    assert_eq!((parsed.origin(), parsed.size()), (checkpoint.origin(), 300));
    assert_eq!(parsed.hash().0, checkpoint.root());
    assert_eq!(parsed.hash().0, tlog_tiles::tree_hash(300, &Stored::of(300)).unwrap().0);
}

/// The oracle's published key pair, and what it signs, read by us.
#[test]
fn the_oracles_notes_are_read_by_us() {
    use base64::Engine as _;
    let (seed, name) = ([9; 32], "oracle.example/evidence");
    let ours = SigningKey::from_seed(&seed, name).unwrap();
    let vkey = ours.verifier().encode();
    let id = vkey.split('+').nth(1).unwrap();
    let secret = base64::engine::general_purpose::STANDARD.encode([&[1], seed.as_slice()].concat());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{secret}")).unwrap();
    let root = base64::engine::general_purpose::STANDARD.encode([5; 32]);
    let mut note = Note::new(format!("{name}\n17\n{root}\n").as_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let checkpoint = Checkpoint::parse(std::str::from_utf8(&note.to_bytes()).unwrap()).unwrap();
    assert_eq!((checkpoint.size(), checkpoint.root()), (17, [5; 32]));
    checkpoint.verify(&VerifierKey::parse(&vkey).unwrap()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn proofs_agree(size in 1_u64..600, index: u64, from: u64) {
        let (_, ledger) = ledger(size);
        let stored = Stored::of(size);
        let root = tlog_tiles::tree_hash(size, &stored).unwrap();
        prop_assert_eq!(root.0, ledger.root(EVIDENCE));
        let index = index % size;
        let proof = hashes(&ledger.prove_inclusion(EVIDENCE, index).unwrap().hashes);
        let leaf_hash = tlog_tiles::record_hash(&leaf(index).encode().unwrap());
        prop_assert_eq!(&proof, &tlog_tiles::prove_record(size, index, &stored).unwrap());
        prop_assert!(tlog_tiles::check_record(&proof, size, root, index, leaf_hash).is_ok());
        let from = from % size + 1;
        let proof = hashes(&ledger.prove_consistency(EVIDENCE, from, size).unwrap().hashes);
        prop_assert_eq!(&proof, &tlog_tiles::prove_tree(size, from, &stored).unwrap());
        let old = Hash(ledger.root_at(EVIDENCE, from).unwrap());
        prop_assert!(tlog_tiles::check_tree(&proof, size, root, from, old).is_ok());
    }
}
