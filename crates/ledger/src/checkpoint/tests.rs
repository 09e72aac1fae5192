use super::*;

fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(&[4; 32], name).unwrap()
}

#[test]
fn reads_what_it_signs_and_refuses_other_text() {
    let signed = Checkpoint::sign(&key("a.example/evidence"), 7, [5; 32]);
    assert_eq!(Checkpoint::parse(signed.as_str()), Ok(signed.clone()));
    assert_eq!(signed.log(), Some(LogId::Evidence));
    let check = |from: &str, to: &str, expected: &str| {
        let text = signed.as_str().replacen(from, to, 1);
        let error = Checkpoint::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    check("\n7\n", "\n07\n", "tree size");
    check("\n7\n", "\n-7\n", "tree size");
    check("\n7\n", "\n18446744073709551616\n", "tree size");
    check("a.example/evidence\n7", "\n7", "origin");
    check("BQUF", "BQU", "root hash");
    check("\n\n", "\nx\n\n\n", "empty extension");
    // Extension lines of other writers are allowed.
    let extended = key("a").sign_note(&format!("a\n1\n{}\next\n", STANDARD.encode([0; 32])));
    assert_eq!(Checkpoint::parse(&extended).unwrap().verify(key("a").verifier()), Ok(()));
}

#[test]
fn verifies_under_its_own_origin_alone() {
    let signed = Checkpoint::sign(&key("a.example/evidence"), 7, [5; 32]);
    let check = |name: &str, ok: bool| {
        assert_eq!(signed.verify(key(name).verifier()).is_ok(), ok, "{name}");
    };
    check("a.example/evidence", true);
    check("a.example", true);
    check("a.example/verdicts", false);
    check("b.example", false);
    let other = SigningKey::from_seed(&[5; 32], "a.example").unwrap();
    assert!(matches!(
        signed.verify(other.verifier()),
        Err(CheckpointError::Note(NoteError::Unsigned { .. }))
    ));
    // Signed by the right key, but under the other log's origin.
    let crossed = key("a.example/evidence")
        .sign_note(&format!("a.example/verdicts\n7\n{}\n", STANDARD.encode([5; 32])));
    let crossed = Checkpoint::parse(&crossed).unwrap();
    assert!(crossed.verify(key("a.example").verifier()).is_err());
    assert!(crossed.verify(key("a.example/evidence").verifier()).is_err());
}
