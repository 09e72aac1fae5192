use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;

/// Plain leaves as a source of nodes, by the definition of RFC 6962.
struct Leaves(Vec<Digest>);

fn mth(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(usize::try_from(split(leaves.len() as u64)).unwrap());
            node_hash(&mth(left), &mth(right))
        }
    }
}

impl Nodes for Leaves {
    type Error = Infallible;

    fn node(&self, height: u32, index: u64) -> Result<Digest, Infallible> {
        let from = usize::try_from(index << height).unwrap();
        Ok(mth(&self.0[from..from + (1 << height)]))
    }
}

fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect())
}

#[test]
fn roots_agree_with_the_definition() {
    let mut frontier = Frontier::new();
    for count in 0..600 {
        let all = leaves(count);
        let expected = mth(&all.0);
        assert_eq!(frontier.fold().unwrap_or_else(empty_root), expected);
        assert_eq!(range(&all, 0, count, node_hash).unwrap(), expected);
        frontier.push(leaf_hash(&count.to_be_bytes()));
    }
}

#[test]
fn every_leaf_of_small_trees_is_proven_and_no_other() {
    for size in 1..40 {
        let all = leaves(size);
        let root = mth(&all.0);
        for index in 0..size {
            let path = audit_path(&all, index, size, node_hash).unwrap();
            for claimed in 0..size + 2 {
                let leaf = &all.0[usize::try_from(index).unwrap()];
                let found = root_of_path(claimed, size, leaf, &path, node_hash);
                assert_eq!(found == Some(root), claimed == index, "{index} of {size} as {claimed}");
            }
        }
    }
}

#[test]
fn every_prefix_of_small_trees_is_consistent_and_no_other() {
    for to in 0..40_u64 {
        let all = leaves(to);
        let root = |size: u64| mth(&all.0[..usize::try_from(size).unwrap()]);
        for from in 0..=to {
            let path = consistency_path(&all, from, to).unwrap();
            for claimed in 0..=to {
                let holds = is_consistent(claimed, to, &root(from), &root(to), &path);
                assert_eq!(holds, claimed == from, "{from} of {to} as {claimed}");
            }
            // Every log extends the empty one.
            assert!(from == 0 || !is_consistent(from, to, &root(from), &[9; 32], &path), "{from} of {to}");
            assert!(!is_consistent(from, to, &[9; 32], &root(to), &path), "{from} of {to}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn large_trees_prove_too(size in 1_u64..3000, index: u64, from: u64) {
        let all = leaves(size);
        let (index, from) = (index % size, from % (size + 1));
        let root = mth(&all.0);
        let path = audit_path(&all, index, size, node_hash).unwrap();
        let leaf = all.0[usize::try_from(index).unwrap()];
        prop_assert_eq!(root_of_path(index, size, &leaf, &path, node_hash), Some(root));
        let path = consistency_path(&all, from, size).unwrap();
        let old = mth(&all.0[..usize::try_from(from).unwrap()]);
        prop_assert!(is_consistent(from, size, &old, &root, &path));
    }

    #[test]
    fn changed_paths_prove_nothing(size in 2_u64..300, index: u64, at: usize, bit in 0..256_usize) {
        let all = leaves(size);
        let index = index % size;
        let mut path = audit_path(&all, index, size, node_hash).unwrap();
        let leaf = all.0[usize::try_from(index).unwrap()];
        let at = at % path.len();
        path[at][bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(root_of_path(index, size, &leaf, &path, node_hash), Some(mth(&all.0)));
        path[at][bit / 8] ^= 1 << (bit % 8);
        path.remove(at);
        prop_assert_ne!(root_of_path(index, size, &leaf, &path, node_hash), Some(mth(&all.0)));
    }

    #[test]
    fn hostile_numbers_never_panic(from: u64, to: u64, path: Vec<[u8; 32]>) {
        let _ = root_of_path(from, to, &[0; 32], &path, node_hash);
        let _ = is_consistent(from, to, &[0; 32], &[1; 32], &path);
    }
}
