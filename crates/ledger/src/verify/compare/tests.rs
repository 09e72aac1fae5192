use proptest::prelude::*;

use super::*;
use crate::tile::push_entry;

fn list(text: &str) -> Vec<Digest> {
    text.bytes().map(|byte| [byte; 32]).collect()
}

#[test]
fn differences_are_named() {
    let check = |found: &str, expected: &str, named: &[(ChangeKind, usize, usize)]| {
        let found: Vec<_> =
            classify(&list(found), &list(expected)).into_iter().map(|d| (d.kind, d.first, d.last)).collect();
        assert_eq!(found, named);
    };
    check("abcdef", "abcdef", &[]);
    check("abXdef", "abcdef", &[(ChangeKind::Flip, 2, 2)]);
    check("XbcYZf", "abcdef", &[(ChangeKind::Flip, 0, 0), (ChangeKind::Flip, 3, 4)]);
    check("abdef", "abcdef", &[(ChangeKind::Cut, 2, 2)]);
    check("acdf", "abcdef", &[(ChangeKind::Cut, 1, 1), (ChangeKind::Cut, 4, 4)]);
    check("abc", "abcdef", &[(ChangeKind::Cut, 3, 5)]);
    check("", "abc", &[(ChangeKind::Cut, 0, 2)]);
    check("abXcdef", "abcdef", &[(ChangeKind::Insert, 2, 2)]);
    check("abcdefX", "abcdef", &[(ChangeKind::Insert, 6, 6)]);
    check("abdcef", "abcdef", &[(ChangeKind::Reorder, 2, 3)]);
    check("fbcdea", "abcdef", &[(ChangeKind::Reorder, 0, 5)]);
}

#[test]
fn a_changed_length_is_found() {
    let leaves: Vec<Vec<u8>> = (10..20_u8).map(|n| vec![n; usize::from(n)]).collect();
    let expected: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut bundle = Vec::new();
    leaves.iter().for_each(|leaf| push_entry(&mut bundle, leaf));
    let third = (10 + 2) + (11 + 2) + (12 + 2);
    for (byte, bit) in [(0, 7), (0, 0), (1, 6)] {
        let mut changed = bundle.clone();
        changed[third + byte] ^= 1 << bit;
        let read = Bundle { hashes: expected.clone(), resized: Some(3), rest: 0 };
        assert_eq!(read_bundle(&changed, &expected), read, "{byte} {bit}");
    }
    let cut = &bundle[..bundle.len() - 3];
    let read = Bundle { hashes: expected[..9].to_vec(), resized: None, rest: 18 };
    assert_eq!(read_bundle(cut, &expected), read);
    bundle.push(0);
    assert_eq!(read_bundle(&bundle, &expected), Bundle { hashes: expected, resized: None, rest: 1 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_difference_is_always_named(found in "[a-e]{0,12}", expected in "[a-e]{0,12}") {
        let named = classify(&list(&found), &list(&expected));
        prop_assert_eq!(named.is_empty(), found == expected);
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, expected in "[a-e]{0,5}") {
        let _ = read_bundle(&bytes, &list(&expected));
    }
}
