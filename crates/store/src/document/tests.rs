use super::{after_prefix, key};

#[test]
fn keys_hold_no_nul_and_stay_apart() {
    let check = |text: &str, expected: &str| assert_eq!(key(text), expected, "{text:?}");
    check("", "");
    check("f-0123", "f-0123");
    check("a\0b", "a\\0b");
    check("a\\0b", "a\\\\0b");
    check("über ☃ 𝄞", "über ☃ 𝄞");
}

#[test]
fn the_end_of_a_prefix_is_exact() {
    let check = |prefix: &str, expected: Option<&str>| {
        assert_eq!(after_prefix(prefix).as_deref(), expected, "{prefix:?}")
    };
    check("", None);
    check("f-12", Some("f-13"));
    check("f-1z", Some("f-1{"));
    check("a\u{d7ff}", Some("a\u{e000}"));
    check("a\u{10ffff}", Some("b"));
    check("\u{10ffff}\u{10ffff}", None);
}
