use super::*;

#[test]
fn edge_tiles_of_a_size() {
    let check = |size: u64, expected: &[&str]| {
        assert_eq!(edge_tiles(size).map(|tile| tile.path()).collect::<Vec<_>>(), expected, "{size}");
    };
    check(0, &[]);
    check(1, &["tile/entries/000.p/1", "tile/0/000.p/1"]);
    check(256, &["tile/1/000.p/1"]);
    check(257, &["tile/entries/001.p/1", "tile/0/001.p/1", "tile/1/000.p/1"]);
    check(65536, &["tile/2/000.p/1"]);
}

#[test]
fn folders_are_entered_only_if_they_can_hold_later_tiles() {
    let level = Level::Hashes(0);
    let check = |folder: &str, first: u64, expected: bool| {
        assert_eq!(may_hold(&format!("tile/0/{folder}"), level, first), expected, "{folder} from {first}");
    };
    check("005.p", 5, true);
    check("004.p", 5, false);
    check("x001", 1000, true);
    check("x001", 1999, true);
    check("x001", 2000, false);
    check("x001/234.p", 1234, true);
    check("x001/233.p", 1234, false);
    check("x001", 999, true);
    check("x001", 1_000_000, true);
    check("x001/x000", 1_000_000, true);
    check("x000", 1_001_000, false);
    check("x001/x000", 1_001_000, false);
    check("x001/x001", 1_001_000, true);
}

#[test]
fn root_of_the_edge_is_the_root_of_the_tree() {
    let mut edge = Edge::default();
    let mut frontier = tree::Frontier::new();
    for index in 0_u64..1030 {
        let fold = tree::fold_peaks(frontier.peaks(), node_hash).unwrap_or_else(tree::empty_root);
        assert_eq!(edge.root(), fold, "{index}");
        let leaf = index.to_be_bytes().to_vec();
        frontier.push(leaf_hash(&leaf));
        edge = edge.extended(&[leaf]).0;
    }
}
