use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sha256;

fn map(count: u64) -> MerkleMap {
    // Even numbers, so that every odd one is a gap.
    MerkleMap::from_sorted((0..count).map(|n| ((2 * n + 2).to_be_bytes(), sha256(&n.to_be_bytes())))).unwrap()
}

#[test]
fn every_key_and_every_gap_is_proven() {
    for count in 0..20_u64 {
        let map = map(count);
        for key in 0..2 * count + 4 {
            let proof = map.prove(&key.to_be_bytes());
            let present = key >= 2 && key % 2 == 0 && key <= 2 * count;
            let value = sha256(&(key / 2).saturating_sub(1).to_be_bytes());
            let expected = if present { MapAnswer::Present(value) } else { MapAnswer::Absent };
            assert_eq!(proof.verify(&map.root(), &key.to_be_bytes()), Ok(expected), "{key} of {count}");
            // The same proof says nothing of any other map.
            assert!(proof.verify(&[7; 32], &key.to_be_bytes()).is_err());
            for other in (0..20).filter(|other| *other != count) {
                assert!(proof.verify(&super::tests::map(other).root(), &key.to_be_bytes()).is_err());
            }
        }
    }
}

#[test]
fn a_gap_cannot_be_claimed_over_a_key() {
    let map = map(9);
    let key = 8_u64.to_be_bytes();
    let (before, after) = (map.prove(&6_u64.to_be_bytes()), map.prove(&10_u64.to_be_bytes()));
    let [left, right] = [&before.entries[0], &after.entries[0]].map(Clone::clone);
    let check = |entries: Vec<MapEntry>, size: u64| {
        let proof = MapProof { format: FORMAT.into(), size, entries };
        assert!(matches!(proof.verify(&map.root(), &key), Err(MapError::Proof(_))), "{proof:?}");
    };
    check(vec![left.clone(), right.clone()], 9);
    check(vec![MapEntry { index: right.index - 1, ..left.clone() }, right.clone()], 9);
    check(vec![left.clone()], 9);
    check(vec![right.clone()], 9);
    check(vec![], 9);
    check(vec![], 0);
    check(vec![MapEntry { index: 0, ..right.clone() }], 9);
    check(vec![left], right.index);
}

#[test]
fn keys_must_rise() {
    let build =
        |keys: &[&str]| MerkleMap::from_sorted(keys.iter().map(|key| (*key, [0; 32]))).map(|map| map.len());
    assert_eq!(build(&["", "a", "b"]), Ok(3));
    assert_eq!(build(&["b", "a"]), Err(MapError::Order(1)));
    assert_eq!(build(&["a", "a"]), Err(MapError::Order(1)));
    assert_eq!(build(&["a", &"b".repeat(MAX_KEY_BYTES + 1)]), Err(MapError::Key(1)));
}

#[test]
fn values_and_keys_cannot_change_places() {
    let root = |entries: &[(&str, [u8; 32])]| MerkleMap::from_sorted(entries.iter().copied()).unwrap().root();
    let one = root(&[("a", [1; 32]), ("b", [2; 32])]);
    assert_ne!(one, root(&[("a", [2; 32]), ("b", [1; 32])]));
    assert_ne!(one, root(&[("a", [1; 32]), ("b", [2; 32]), ("c", [3; 32])]));
    assert_ne!(root(&[]), tree::empty_root());
    assert_ne!(root(&[("", [1; 32])]), [1; 32]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn agrees_with_a_plain_map(
        entries: BTreeMap<Vec<u8>, [u8; 32]>,
        asked in proptest::collection::vec(any::<u8>(), 0..3),
        flip: (usize, u8),
    ) {
        let map = MerkleMap::from_sorted(entries.clone()).unwrap();
        for key in entries.keys().chain([&asked]) {
            let proof = map.prove(key);
            let expected = entries.get(key).map_or(MapAnswer::Absent, |value| MapAnswer::Present(*value));
            prop_assert_eq!(proof.verify(&map.root(), key), Ok(expected));
            let text = serde_json::to_string(&proof).unwrap();
            prop_assert_eq!(&serde_json::from_str::<MapProof>(&text).unwrap(), &proof);
            // One changed character gives an unreadable proof, the same answer, or none: never another answer.
            let mut bytes = text.into_bytes();
            let at = flip.0 % bytes.len();
            bytes[at] ^= 1 << (flip.1 % 7);
            if let Ok(changed) = serde_json::from_slice::<MapProof>(&bytes) {
                let answer = changed.verify(&map.root(), key);
                prop_assert!(answer.is_err() || answer == Ok(expected));
            }
        }
    }
}
