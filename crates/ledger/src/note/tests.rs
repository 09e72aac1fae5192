use proptest::prelude::*;

use super::*;

fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(&[3; 32], name).unwrap()
}

#[test]
fn names_are_refused_that_a_note_cannot_carry() {
    for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb", "@a", &"a".repeat(256)] {
        assert!(matches!(SigningKey::from_seed(&[1; 32], name), Err(NoteError::Name(_))), "{name:?}");
    }
}

#[test]
fn verifier_keys_round_trip_and_nothing_else_reads() {
    let key = key("probity.example/evidence").verifier().clone();
    let text = key.encode();
    assert_eq!(VerifierKey::parse(&text), Ok(key.clone()));
    assert_eq!(VerifierKey::parse(&format!("{text}\n")), Ok(key));
    let other_name = text.replacen("probity", "sobriety", 1);
    assert!(matches!(VerifierKey::parse(&other_name), Err(NoteError::KeyId(_))));
    let id = text.split('+').nth(1).unwrap();
    for broken in [
        "",
        "a",
        "a+b",
        "a+12345678",
        "a+12345678+",
        "a+1234567+AQ==",
        &text.replace(id, &id.to_uppercase()),
        &text.replacen("+A", "+B", 1),
        &text[..text.len() - 4],
    ] {
        assert!(broken == text || VerifierKey::parse(broken).is_err(), "{broken}");
    }
}

#[test]
fn a_key_speaks_for_the_log_in_its_name() {
    let check = |name: &str, log, for_log: &str, is_for| {
        let key = key(name);
        assert_eq!(key.for_log(log).verifier().name(), for_log);
        assert_eq!(key.verifier().is_for(log), is_for, "{name}");
    };
    check("a.example", LogId::Evidence, "a.example/evidence", true);
    check("a.example/evidence", LogId::Evidence, "a.example/evidence", true);
    check("a.example/evidence", LogId::Verdicts, "a.example/evidence/verdicts", false);
    check("evidence", LogId::Evidence, "evidence/evidence", true);
}

#[test]
fn signatures_hold_for_their_text_and_key_alone() {
    let note = key("a").sign_note("text\n");
    let check = |note: &str, name: &str, expected: Result<(), &str>| {
        let result = Note::parse(note).and_then(|note| key(name).verifier().check(&note));
        match expected {
            Ok(()) => assert_eq!(result, Ok(())),
            Err(part) => assert!(result.clone().unwrap_err().to_string().contains(part), "{result:?}"),
        }
    };
    check(&note, "a", Ok(()));
    check(&note, "b", Err("not signed by key `b`"));
    check(&note.replacen("text", "test", 1), "a", Err("does not verify"));
    check(note.trim_end(), "a", Err("no newline"));
    check(&note.replacen("\n\n", "\n", 1), "a", Err("no blank line"));
    check(&note.replacen("text", "te\txt", 1), "a", Err("control"));
    check(&note.replace('\u{2014}', "-"), "a", Err("em dash"));
    // Unknown signatures beside a good one are ignored; a bad one of a known key is not.
    let unknown = key("z").sign_note("other\n");
    let unknown = unknown.rsplit_once("\n\n").unwrap().1;
    check(&format!("{note}{unknown}"), "a", Ok(()));
    let bad = key("a").sign_note("other\n");
    let bad = bad.rsplit_once("\n\n").unwrap().1;
    check(&format!("{note}{bad}"), "a", Err("does not verify"));
    check(&format!("{note}{}", unknown.repeat(64)), "a", Err("more than 64"));
}

#[test]
fn a_key_never_prints_its_seed() {
    let shown = format!("{:?}", key("a"));
    assert!(shown.starts_with("SigningKey { verifier: VerifierKey(a+"), "{shown}");
    assert!(!shown.contains("3, 3"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn texts_round_trip(lines in proptest::collection::vec("[ -~é]{1,20}", 1..5)) {
        let text = lines.join("\n") + "\n";
        let note = key("a").sign_note(&text);
        let parsed = Note::parse(&note).unwrap();
        prop_assert_eq!(parsed.text, &text);
        prop_assert_eq!(key("a").verifier().check(&parsed), Ok(()));
    }

    #[test]
    fn any_text_is_a_note_or_not(text in "(?s).{0,80}", tail in "(\n\n\u{2014} [a-z]{0,3} [A-Za-z0-9+/=]{0,12}\n)?") {
        let _ = Note::parse(&(text + &tail));
    }
}
