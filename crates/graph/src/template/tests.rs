use super::chance::Chance;
use super::grouping::{Branch, Values, values};
use super::name;
use super::view::Feature;

#[test]
fn names() {
    for (parent, documented, expected) in [
        ("/patients", None, "patientId"),
        ("/v1/companies", None, "companyId"),
        ("/boxes", None, "boxId"),
        ("/addresses", None, "addressId"),
        ("/status", None, "statusId"),
        ("/gift-cards", None, "giftCardId"),
        ("/API_Keys", None, "aPIKeyId"),
        ("", None, "id"),
        ("/v2", None, "id"),
        ("/", None, "id"),
        ("/id", None, "id"),
        ("/repos/{repoId}", None, "repoId2"),
        ("/repos/{repoId}/{repoId2}", None, "repoId3"),
        ("/users/{login}", Some("login"), "login2"),
        ("/users", Some("login"), "login"),
        ("/users", Some(""), "userId"),
        ("/a-literal-that-is-much-longer-than-a-name-may-be", None, "id"),
    ] {
        assert_eq!(name::variable(parent, documented), expected, "{parent}");
    }
}

/// `features` as (method, depth, shape, count).
fn branch(features: &[(u8, u8, u64, u32)]) -> Branch {
    let mut branch = Branch::default();
    for (method, depth, shape, count) in features {
        branch.calls += count;
        branch.features.push((Feature { method: *method, depth: *depth, shape: *shape }, *count));
    }
    branch.tidy();
    branch
}

#[test]
fn words_join_by_evidence() {
    let rare = Chance { with: 0, all: 40 };
    let common = Chance { with: 15, all: 40 };
    let one = |shape| branch(&[(0, 0, shape, 1)]);
    let typed = |textual| Values { branch: branch(&[(0, 0, 1, 9)]), textual, documented: false };
    let check = |words: &[Branch], typed: Option<Values>, chance: Chance, expected: &[bool]| {
        assert_eq!(values(words, typed.as_ref(), |_| chance), expected, "{words:?} {typed:?} {chance:?}");
    };
    check(&[], None, rare, &[]);
    check(&[one(1)], None, rare, &[false]);
    check(&[one(1), one(1)], None, rare, &[true, true]);
    check(&[one(1), one(1)], None, common, &[false, false]);
    check(&[one(1), one(1), one(2)], None, rare, &[true, true, false]);
    // A large service: beliefs are sharp, and stay numbers.
    let everywhere = Chance { with: 30_000, all: 60_000 };
    check(&[one(1), one(1), one(1), one(2), one(3)], None, everywhere, &[false; 5]);
    let nowhere = Chance { with: 0, all: 60_000 };
    check(&[one(1), one(1), one(2)], None, nowhere, &[true, true, false]);
    // Several groups are no sign of literals for each other, but answers of their own are.
    let groups: Vec<Branch> = (0..24).map(|word| one(word % 3)).collect();
    check(&groups, None, Chance { with: 0, all: 0 }, &[true; 24]);
    let literals: Vec<Branch> = (0..24).map(|word| one(if word < 4 { 0 } else { word })).collect();
    check(&literals, None, Chance { with: 0, all: 0 }, &[false; 24]);
    // Each shared shape might be chance; three of them are not.
    let enumerated = |own: u64| {
        let mut word = branch(&[(0, 1, 1, 9), (1, 1, 2, 9), (2, 2, 3, 9)]);
        word.features.push((Feature { method: 5, depth: 5, shape: own }, 1));
        word
    };
    let unknown = Chance { with: 0, all: 0 };
    check(&[enumerated(91), enumerated(92)], None, unknown, &[true, true]);
    // Alone beside typed values: by how words fit among them, and by how telling the shape is.
    check(&[one(1)], Some(typed(true)), rare, &[true]);
    check(&[one(1)], Some(typed(false)), rare, &[true]);
    check(&[one(1)], Some(typed(false)), common, &[false]);
    check(&[one(2)], Some(typed(true)), rare, &[false]);
    // Only errors: joins what is there.
    check(&[branch(&[])], None, rare, &[false]);
    check(&[branch(&[])], Some(typed(false)), rare, &[true]);
    check(&[one(1), one(1), branch(&[])], None, rare, &[true, true, true]);
    // Alike in one place and each its own elsewhere, often: literals.
    let own = |shape| branch(&[(0, 0, 1, 5), (1, 0, shape, 30)]);
    check(&[own(10), own(11), own(12)], None, rare, &[false, false, false]);
}
