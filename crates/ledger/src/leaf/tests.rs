use proptest::prelude::*;

use super::*;

fn leaf() -> Leaf {
    Leaf { kind: LeafKind::Evidence, subject: "ev_1".into(), digest: [0xab; 32], at: 1_700_000_000_000 }
}

#[test]
fn canonical_form_is_fixed() {
    let expected = format!(
        r#"{{"at":1700000000000,"digest":"{}","kind":"evidence","subject":"ev_1","v":1}}"#,
        "ab".repeat(32)
    );
    assert_eq!(String::from_utf8(leaf().encode().unwrap()).unwrap(), expected);
    assert_eq!(Leaf::decode(expected.as_bytes()), Ok(leaf()));
    let check = |from: &str, to: &str, not_canonical: bool| {
        let error = Leaf::decode(expected.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error == LeafError::NotCanonical, not_canonical, "{to}: {error}");
    };
    check("{", "{ ", true);
    check("ev_1", "\\u0065v_1", true);
    check("\"v\":1", "\"v\":2", false);
    check("\"v\":1", "\"v\":1,\"w\":1", false);
    check("evidence", "hearsay", false);
    check("abab", "ABAB", false);
    check("ab", "", false);
}

#[test]
fn bounds_are_kept() {
    let with = |subject: &str, at| Leaf { subject: subject.into(), at, ..leaf() }.encode();
    assert_eq!(with("", 0), Err(LeafError::Subject(0)));
    assert_eq!(with(&"x".repeat(1025), 0), Err(LeafError::Subject(1025)));
    assert!(with(&"x".repeat(1024), 0).is_ok());
    assert_eq!(with("x", -1), Err(LeafError::At(-1)));
    assert_eq!(with("x", 1 << 53), Err(LeafError::At(1 << 53)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn round_trips(subject in "(?s).{1,80}", at in 0..MAX_AT, digest: [u8; 32]) {
        let leaf = Leaf { kind: LeafKind::Segment, subject, digest, at };
        let bytes = leaf.encode().unwrap();
        prop_assert!(bytes.len() <= crate::tile::MAX_LEAF_BYTES);
        prop_assert_eq!(Leaf::decode(&bytes), Ok(leaf));
    }

    #[test]
    fn any_bytes_are_a_leaf_or_not(bytes: Vec<u8>) {
        let _ = Leaf::decode(&bytes);
    }
}
