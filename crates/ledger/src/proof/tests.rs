use proptest::prelude::*;

use super::*;
use crate::SigningKey;

fn key() -> SigningKey {
    SigningKey::from_seed(&[6; 32], "a.example/evidence").unwrap()
}

fn proof(extra: Option<Vec<u8>>) -> TlogProof {
    let leaves: Vec<Digest> = (0..7_u8).map(|leaf| leaf_hash(&[leaf])).collect();
    let map = |index: u64, hashes: Vec<Digest>, root| TlogProof {
        extra: extra.clone(),
        index,
        hashes,
        checkpoint: Checkpoint::sign(&key(), 7, root),
    };
    let [a, b, c, d, e, f, g] = <[Digest; 7]>::try_from(leaves).unwrap();
    let (ab, cd, ef) = (node_hash(&a, &b), node_hash(&c, &d), node_hash(&e, &f));
    let (abcd, efg) = (node_hash(&ab, &cd), node_hash(&ef, &g));
    map(6, vec![ef, abcd], node_hash(&abcd, &efg))
}

#[test]
fn reads_what_it_writes() {
    for extra in [None, Some(b"context".to_vec())] {
        let proof = proof(extra);
        let text = proof.to_string();
        assert_eq!(TlogProof::parse(&text), Ok(proof.clone()));
        assert_eq!(proof.verify(&[6], key().verifier()), Ok(()));
        assert!(proof.verify(&[5], key().verifier()).is_err());
        let other = SigningKey::from_seed(&[7; 32], "a.example/evidence").unwrap();
        assert!(matches!(proof.verify(&[6], other.verifier()), Err(ProofError::Checkpoint(_))));
    }
}

#[test]
fn other_text_is_refused() {
    let text = proof(None).to_string();
    let check = |from: &str, to: &str, expected: &str| {
        let error = TlogProof::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("@v1", "@v2", "first line");
    check("index 6", "index 06", "no index");
    check("index 6", "index 6\nAAAA", "32 bytes");
    check("index 6", "extra %\nindex 6", "extra is not base64");
    check("\n\n", "\n", "");
    check(
        "index 6\n",
        &format!("index 6\n{}", format!("{}\n", STANDARD.encode([0; 32])).repeat(66)),
        "more hashes",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_changed_character_verifies(at: usize, bit in 0..7_u8) {
        let mut bytes = proof(None).to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let verified = TlogProof::parse(&text).and_then(|proof| proof.verify(&[6], key().verifier()));
        prop_assert!(verified.is_err(), "{}", text);
    }
}
