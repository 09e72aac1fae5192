use super::*;

fn block(text: &'static str) -> FieldBlock {
    parse_trailers(Bytes::from_static(text.as_bytes()), 8).unwrap()
}

#[test]
fn lookups_ignore_case_and_keep_order() {
    let block = block("X-A: 1\r\nx-b:\r\nx-a:  2 \t\r\n\r\n");
    assert_eq!(block.len(), 3);
    assert_eq!(block.value(b"X-a"), Some(&b"1"[..]));
    assert_eq!(block.values(b"x-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(block.value(b"x-b"), Some(&b""[..]));
    assert_eq!(block.value(b"x-c"), None);
    assert_eq!(format!("{block:?}"), r#"["X-A", "x-b", "x-a"]"#);
}

#[test]
fn sharing_does_not_copy() {
    let block = block("x-a: value\r\n\r\n");
    let value = block.value(b"x-a").unwrap();
    assert_eq!(block.share(value).as_ptr(), value.as_ptr());
    assert_eq!(block.share(b"foreign"), &b"foreign"[..]);
}

#[test]
fn trailers_that_frame_or_route_are_refused() {
    for (text, expected) in [
        ("content-length: 1\r\n\r\n", "trailer-field"),
        ("Transfer-Encoding: chunked\r\n\r\n", "trailer-field"),
        ("host: a\r\n\r\n", "trailer-field"),
        ("content_length: 1\r\n\r\n", "trailer-field"),
        ("authorization: x\r\n\r\n", "trailer-field"),
        ("set-cookie: x\r\n\r\n", "trailer-field"),
        (" a: b\r\n\r\n", "obs-fold"),
        ("a : b\r\n\r\n", "space-before-colon"),
        ("a\r\n\r\n", "field-name"),
        (": b\r\n\r\n", "field-name"),
        ("a: \x01\r\n\r\n", "control-byte"),
        ("a: b\rc\r\n\r\n", "bare-cr"),
        ("a: b\r\n c\r\n\r\n", "obs-fold"),
    ] {
        let got = parse_trailers(Bytes::from_static(text.as_bytes()), 8).err().map_or("ok", Refusal::name);
        assert_eq!(got, expected, "{text:?}");
    }
    let many = Bytes::from("a: b\r\n".repeat(9) + "\r\n");
    assert_eq!(parse_trailers(many, 8).err(), Some(Refusal::TrailersTooLarge));
}

#[test]
fn fields_of_both_protocols() {
    for (name, value, expected) in [
        ("a", "b", "ok"),
        ("a", "", "ok"),
        ("a", "b\tc \u{e9}", "ok"),
        ("", "b", "field-name"),
        ("a b", "c", "field-name"),
        ("a:", "c", "field-name"),
        ("a\r\n", "c", "field-name"),
        ("a", "b\r\nc: d", "control-byte"),
        ("a", "b\0", "control-byte"),
        ("a", "b\n", "control-byte"),
        ("a", " b", "field-value"),
        ("a", "b\t", "field-value"),
    ] {
        let got = check_field(name.as_bytes(), value.as_bytes()).map_or_else(Refusal::name, |()| "ok");
        assert_eq!(got, expected, "{name:?}: {value:?}");
    }
}

#[test]
fn lookalikes_are_known() {
    for name in ["content_length", "Content.Length", "transfer_encoding", "Transfer~Encoding"] {
        assert_eq!(Kind::of(name.as_bytes()), Kind::Lookalike, "{name}");
    }
    assert_eq!(Kind::of(b"content-lengthx"), Kind::Other);
}
