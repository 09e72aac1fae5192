use super::json::{JsonFault, members, parse, without};
use super::*;
use proptest::prelude::*;

fn limits() -> BodyLimits {
    BodyLimits::default()
}

#[test]
fn takes_json_and_nothing_else() {
    for text in [
        "0",
        "-0.5e+3",
        "\"\"",
        " [1 , {} ] ",
        "{\"a\":{\"b\":[null,true,false]}}",
        "\"\\u00e9\\ud83d\\ude00\\n\"",
        "\"\u{7f}\u{e9}\"",
    ] {
        assert!(parse(text.as_bytes(), &limits()).is_ok(), "{text}");
    }
    for text in [
        "",
        " ",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "NaN",
        "Infinity",
        "tru",
        "truex",
        "'a'",
        "{a:1}",
        "[1,]",
        "{\"a\":1,}",
        "[",
        "{\"a\"",
        "{\"a\":}",
        "1 2",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\u{feff}1",
        "//\n1",
        "[1]]",
        "\"",
        "-",
        "{\"a\" 1}",
        "\u{b}1",
    ] {
        assert!(matches!(parse(text.as_bytes(), &limits()), Err(JsonFault::Syntax(_))), "{text}");
    }
    assert_eq!(parse(b"\"\xff\"", &limits()).err(), Some(JsonFault::Utf8));
    assert_eq!(parse(b"\"\xc0\xaf\"", &limits()).err(), Some(JsonFault::Utf8));
}

#[test]
fn holds_its_bounds() {
    let few = BodyLimits {
        json_depth: 3,
        json_values: 20,
        json_members: 2,
        json_elements: 4,
        json_string_bytes: 5,
        json_number_bytes: 4,
        ..limits()
    };
    for (text, expected) in [
        ("[[[1]]]", None),
        ("[[[[1]]]]", Some(JsonFault::Depth)),
        ("{\"a\":{\"a\":{\"a\":{}}}}", Some(JsonFault::Depth)),
        ("{\"a\":1,\"b\":2}", None),
        ("{\"a\":1,\"b\":2,\"c\":3}", Some(JsonFault::Members)),
        ("[1,2,3,4,5]", Some(JsonFault::Elements)),
        ("\"12345\"", None),
        ("\"123456\"", Some(JsonFault::StringLength)),
        ("12345", Some(JsonFault::NumberLength)),
        ("[[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4]]", Some(JsonFault::Values)),
        ("{\"a\":1,\"a\":1}", Some(JsonFault::DuplicateKey)),
    ] {
        assert_eq!(parse(text.as_bytes(), &few).err(), expected, "{text}");
    }
    assert_eq!(parse(b"{\"a\":1,\"\\u0061\":1}", &limits()).err(), Some(JsonFault::DuplicateKey));
    let deep = "[".repeat(100_000);
    assert_eq!(
        parse(deep.as_bytes(), &BodyLimits { json_depth: u32::MAX, ..limits() }).err(),
        Some(JsonFault::Depth)
    );
    let many: Vec<String> = (0..100).map(|number| format!("\"k{number}\":0")).collect();
    assert!(parse(format!("{{{}}}", many.join(",")).as_bytes(), &limits()).is_ok());
    let twice = format!("{{{},\"k7\":1}}", many.join(","));
    assert_eq!(parse(twice.as_bytes(), &limits()).err(), Some(JsonFault::DuplicateKey));
}

#[test]
fn cuts_members_out() {
    for (text, drop, expected) in [
        ("{\"a\":1,\"b\":2,\"c\":3}", vec!["a"], "{\"b\":2,\"c\":3}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", vec!["b"], "{\"a\":1,\"c\":3}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", vec!["c"], "{\"a\":1,\"b\":2}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", vec!["a", "b"], "{\"c\":3}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", vec!["a", "c"], "{\"b\":2}"),
        ("{\"a\":1,\"b\":2}", vec!["a", "b"], "{}"),
        ("{ \"a\" : [1] , \"b\" : {\"x\": 2} }", vec!["b"], "{ \"a\" : [1] }"),
        ("[{\"a\":{\"b\":1}},{\"b\":2}]", vec!["b"], "[{\"a\":{}},{}]"),
        ("{\"a\":{\"b\":1}}", vec!["a", "b"], "{}"),
    ] {
        let nodes = parse(text.as_bytes(), &limits()).expect("JSON");
        let keys = nodes.iter().enumerate().flat_map(|(index, _)| members(&nodes, index));
        let keys: Vec<usize> =
            keys.filter(|member| drop.contains(&member.key.text)).map(|member| member.at).collect();
        let left = without(text.as_bytes(), &nodes, &keys);
        assert_eq!(String::from_utf8_lossy(&left), expected, "{text} {drop:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &limits());
    }

    /// What is taken here, others take too; what others take is refused here only for repeated keys.
    #[test]
    fn agrees_with_another_reader(text in "[\\[\\]{},:\"a1e.\\- \\\\u0tfn]{0,24}") {
        let own = parse(text.as_bytes(), &limits());
        let other = serde_json::from_str::<serde_json::Value>(&text);
        match own {
            Ok(_) => prop_assert!(other.is_ok() || text.contains(['e', 'E']), "{text}"),
            Err(JsonFault::DuplicateKey) => prop_assert!(other.is_ok()),
            Err(_) => prop_assert!(other.is_err(), "{text}"),
        }
    }
}
