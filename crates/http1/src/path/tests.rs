use super::*;

fn check(target: &str, expected: &str) {
    let got = check_path(target.as_bytes()).map_or_else(Refusal::name, |()| "ok");
    assert_eq!(got, expected, "{target:?}");
}

#[test]
fn ordinary_targets_pass() {
    for target in [
        "/",
        "//",
        "/a/b.c",
        "/.well-known/x",
        "/a/...",
        "/a..b/..c/d..",
        "/a;v=1/b",
        "/a%20b",
        "/a%2Fb",
        "/a%5cb",
        "/100%25",
        "/100%25zz",
        "/caf%C3%A9",
        "/%E6%97%A5%E6%9C%AC",
        "/%F0%9F%98%80",
        "/caf%e9",
        "/a[1]/{id}/@x/a:b",
        "/?a=b&c=%2e%2e/..",
        "/p?q=100%",
        "/p?q=%00",
        "/p??x=a/b?c",
        "/p?",
        "/?a=[]{}|\\^`",
    ] {
        check(target, "ok");
    }
}

#[test]
fn dot_segments_are_refused_in_every_spelling() {
    for target in [
        "/.",
        "/..",
        "/./a",
        "/a/../b",
        "/a/..",
        "/a/..;/b",
        "/a/..;x=1/b",
        "/.;/a",
        "/%2e/a",
        "/%2E%2e/a",
        "/.%2e/a",
        "/%2e.",
        "/a%2f..%2fb",
        "/a%2F..",
        "/..%2fa",
        "/..%5ca",
        "/a%5c..%5cb",
        "/%252e%252e/a",
        "/%25%32%65%25%32%65/a",
        "/%25252e%25252e/a",
        "/..%252fa",
        "/..%255ca",
        "/..%3bx/a",
        "/..%3f/a",
        "/..%23/a",
        "/..%20/a",
        "/%25u002e%25u002e/a",
        "/..%25u2215a",
        "/%ef%bc%8e%ef%bc%8e/a",
        "/%e2%80%a5/a",
        "/..%ef%bc%8fa",
        "/%ef%bc%852e%ef%bc%852e/a",
    ] {
        check(target, "dot-segment");
    }
}

#[test]
fn odd_bytes_and_encodings_have_their_names() {
    for (target, expected) in [
        ("", "target-form"),
        ("a", "target-form"),
        ("*", "target-form"),
        ("/a\0b", "nul-in-path"),
        ("/a%00b", "nul-in-path"),
        ("/a%2500b", "nul-in-path"),
        ("/a%25u0000b", "nul-in-path"),
        ("/a\tb", "control-byte"),
        ("/a\x7fb", "control-byte"),
        ("/a%0d%0aX:y", "control-byte"),
        ("/a%250a", "control-byte"),
        ("/a%7f", "control-byte"),
        ("/a?b\nc", "control-byte"),
        ("/a#b", "fragment"),
        ("/a?b#c", "fragment"),
        ("/a b", "target-byte"),
        ("/a\\b", "target-byte"),
        ("/a\"b", "target-byte"),
        ("/a<b", "target-byte"),
        ("/caf\u{e9}", "target-byte"),
        ("/a?b\u{e9}", "target-byte"),
        ("/a?b<c", "target-byte"),
        ("/%", "percent-encoding"),
        ("/%2", "percent-encoding"),
        ("/%zz", "percent-encoding"),
        ("/%u002e", "percent-encoding"),
        ("/%2525252541", "percent-encoding"),
        ("/%c0%ae%c0%ae/a", "overlong-utf8"),
        ("/%c0%af", "overlong-utf8"),
        ("/%c0%2e", "overlong-utf8"),
        ("/%c1%9c", "overlong-utf8"),
        ("/%e0%80%ae", "overlong-utf8"),
        ("/%f0%80%80%ae", "overlong-utf8"),
        ("/%f8%80%80%80%ae", "overlong-utf8"),
        ("/%fc%80%80%80%80%ae", "overlong-utf8"),
        ("/%25c0%25ae", "overlong-utf8"),
    ] {
        check(target, expected);
    }
}

/// Decoding costs a bounded number of passes however the path is nested.
#[test]
fn deep_nesting_is_refused() {
    check(&format!("/%{}41", "25".repeat(4000)), "percent-encoding");
}
