use proptest::prelude::*;

use super::*;

#[test]
fn paths_are_those_of_the_specification() {
    let check = |level, index, width, expected: &str| {
        let tile = Tile { level, index, width };
        assert_eq!(tile.path(), expected);
        assert_eq!(Tile::parse(expected), Some(tile));
    };
    check(Level::Hashes(0), 1_234_067, 256, "tile/0/x001/x234/067");
    check(Level::Hashes(1), 0, 1, "tile/1/000.p/1");
    check(Level::Entries, 999, 255, "tile/entries/999.p/255");
    check(Level::Entries, 1000, 256, "tile/entries/x001/000");
    for odd in
        ["tile/0/0", "tile/00/000", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/1000"]
    {
        assert_eq!(Tile::parse(odd), None, "{odd}");
    }
    for odd in [
        "tile/8/000",
        "tile/0/000.p/01",
        "tile/0/+01",
        "tile/data/000",
        "tile/0/x001",
        "tile//000",
        "tile/0/",
    ] {
        assert_eq!(Tile::parse(odd), None, "{odd}");
    }
}

#[test]
fn a_size_has_the_tiles_of_the_specification() {
    // The example of 70,000 leaves: 273 full and one of 112, one full and one of 17, one of 1.
    let at = |level, index| Tile::at_size(level, index, 70_000).map(|tile| tile.width);
    assert_eq!(at(Level::Hashes(0), 272), Some(256));
    assert_eq!(at(Level::Hashes(0), 273), Some(112));
    assert_eq!(at(Level::Hashes(0), 274), None);
    assert_eq!(at(Level::Hashes(1), 0), Some(256));
    assert_eq!(at(Level::Hashes(1), 1), Some(17));
    assert_eq!(at(Level::Hashes(2), 0), Some(1));
    assert_eq!(at(Level::Hashes(3), 0), None);
    assert_eq!(Tile::at_size(Level::Hashes(1), 0, 256).map(|tile| tile.width), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn paths_round_trip(level in 0..MAX_LEVELS, index in 0..u64::MAX / 256, width in 1..=256_u64, entries: bool) {
        let level = if entries { Level::Entries } else { Level::Hashes(level) };
        let tile = Tile { level, index, width };
        prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
    }

    #[test]
    fn any_text_parses_to_itself_or_not(text in "tile/[0-9a-z]{0,7}/[x0-9./p]{0,20}") {
        prop_assert!(Tile::parse(&text).is_none_or(|tile| tile.path() == text));
    }

    #[test]
    fn bundles_round_trip(leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut bundle = Vec::new();
        leaves.iter().for_each(|leaf| push_entry(&mut bundle, leaf));
        let read: Vec<Vec<u8>> = entries(&bundle).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        prop_assert_eq!(read, leaves);
    }

    #[test]
    fn any_bytes_are_a_bundle_or_not(bytes: Vec<u8>) {
        let _ = (entries(&bytes), hashes(&bytes));
    }
}
