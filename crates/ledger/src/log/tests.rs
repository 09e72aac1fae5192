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
