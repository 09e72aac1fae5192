use proptest::prelude::*;

use super::*;

fn tree(text: &str) -> Tree {
    let (tree, diagnostics) = Tree::read("f.yaml", text.as_bytes());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    tree.unwrap()
}

fn told(file: &str, bytes: &[u8]) -> String {
    let (_, diagnostics) = Tree::read(file, bytes);
    diagnostics.iter().map(|d| format!("{d}\n")).collect()
}

#[test]
fn spans_of_keys_and_values() {
    let yaml = "a: 1\nb:\n  - x\n  - c: 'é'; d\n    e: {f: [1, 2], \"g/h\": }\nz: |\n  text\n";
    let yaml = yaml.replace("; d", "");
    let yaml = tree(&yaml);
    let json = tree(
        "{\"a\": 1, \"b\": [\"x\",\n {\"c\": \"é\", \"e\": {\"f\": [1, 2], \"g/h\": null}}], \"z\": \"text\\n\"}",
    );
    for (pointer, in_yaml, in_json) in [
        ("", (1, 1), (1, 1)),
        ("/a", (1, 4), (1, 7)),
        ("/b", (3, 3), (1, 15)),
        ("/b/0", (3, 5), (1, 16)),
        ("/b/1", (4, 5), (2, 2)),
        ("/b/1/c", (4, 8), (2, 8)),
        ("/b/1/e/f/1", (5, 16), (2, 28)),
        ("/b/1/e/g~1h", (5, 20), (2, 39)),
        ("/z", (7, 3), (2, 53)),
    ] {
        let place = |tree: &Tree| tree.span_of(pointer).map(|span| (span.line, span.column));
        assert_eq!(place(&yaml), Some(in_yaml), "yaml {pointer}");
        assert_eq!(place(&json), Some(in_json), "json {pointer}");
    }
    assert_eq!(yaml.key_span_of("/b/1/e").unwrap().to_string(), "f.yaml:5:5");
    assert_eq!(yaml.key_span_of("/b/0").unwrap().to_string(), "f.yaml:3:5");
    assert!(yaml.span_of("/b/2").is_none() && yaml.span_of("b").is_none() && yaml.key_span_of("").is_none());
    assert!(json.is_json() && !yaml.is_json());
}

#[test]
fn types_plain_scalars_by_yaml_1_2() {
    for (text, expected) in [
        ("on", Value::Text("on")),
        ("yes", Value::Text("yes")),
        ("2024-01-01", Value::Text("2024-01-01")),
        ("1.2.3", Value::Text("1.2.3")),
        ("12e", Value::Text("12e")),
        ("0x1F", Value::Int(31)),
        ("0o17", Value::Int(15)),
        ("017", Value::Int(17)),
        ("+3", Value::Int(3)),
        ("-3", Value::Int(-3)),
        ("--3", Value::Text("--3x")),
        ("1.20", Value::Float(1.2)),
        (".5", Value::Float(0.5)),
        ("-.inf", Value::Float(f64::NEG_INFINITY)),
        ("infinity", Value::Text("infinity")),
        ("~", Value::Null),
        ("Null", Value::Null),
        ("True", Value::Bool(true)),
        ("'true'", Value::Text("true")),
        ("!!str 12", Value::Text("12")),
        ("! 12", Value::Text("12")),
    ] {
        let expected = if text == "--3" { Value::Text("--3") } else { expected };
        assert_eq!(tree(&format!("k: {text}")).root().get("k").unwrap().value(), expected, "{text}");
    }
}

#[test]
fn json_escapes_and_numbers() {
    let tree =
        tree(r#"{"a": "\u00e9\ud83d\ude00\ud800x\n\/", "b": -1.5e3, "c": 18446744073709551616, "d": true}"#);
    let root = tree.root();
    assert_eq!(root.get("a").unwrap().as_str(), Some("é😀\u{FFFD}x\n/"));
    assert_eq!(root.get("b").unwrap().value(), Value::Float(-1500.0));
    assert_eq!(root.get("c").unwrap().value(), Value::Int(18_446_744_073_709_551_616));
    assert_eq!(root.get("d").unwrap().as_bool(), Some(true));
}

#[test]
fn aliases_and_merges() {
    let tree = tree(
        "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nmany:\n  <<: [{y: 9, z: 8}, *b]\nsame: *b\nkey: &k name\nmap: {*k : v}\n",
    );
    let int = |pointer: &str| tree.pointer(pointer).map(Node::value);
    assert_eq!(int("/use/x"), Some(Value::Int(1)));
    assert_eq!(int("/use/y"), Some(Value::Int(3)));
    assert_eq!(int("/many/y"), Some(Value::Int(9)));
    assert_eq!(int("/many/x"), Some(Value::Int(1)));
    assert_eq!(int("/map/name"), Some(Value::Text("v")));
    assert_eq!(tree.pointer("/same").unwrap().id(), tree.pointer("/base").unwrap().id());
    assert_eq!(tree.span_of("/same/x").unwrap().to_string(), "f.yaml:1:14");
}

#[test]
fn names_the_place_of_a_fault() {
    let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let deep = "[".repeat(1000);
    let deep_yaml: String = (0..300).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    for (file, bytes, expected) in [
        (
            "f.json",
            &b"{\"a\": 1,\n \"b\" 2}"[..],
            "f.json:2:6: not valid JSON: found `2` (expected `:` after a key)\n",
        ),
        ("f.json", b"{\"a\": [1, 2}", "f.json:1:12: not valid JSON: found `}` (expected `,` or `]`)\n"),
        ("f.json", b"{\"a\": \"x", "f.json:1:7: not valid JSON: a string without its closing quote\n"),
        ("f.json", b"{\"a\": nul}", "f.json:1:7: not valid JSON: found `nul` (expected a value)\n"),
        (
            "f.json",
            b"{\"a\": 1,}",
            "f.json:1:9: not valid JSON: found `}` (expected a key in double quotes)\n",
        ),
        ("f.json", b"{} x", "f.json:1:4: not valid JSON: found `x` (expected nothing after the document)\n"),
        ("f.json", b"[1 ", "f.json:1:4: not valid JSON: the file ends (expected `,` or `]`)\n"),
        (
            "f.json",
            b"{\"\xc3\xa9\": \"\\x\"}",
            "f.json:1:8: not valid JSON: an unknown escape in a string (expected one such as `\\n` or `\\u00e9`)\n",
        ),
        (
            "f.json",
            b"{\"a\": 1, \"a\": 2}",
            "f.json:1:10: key `a` is given twice (it stands on line 1 already; keep one of them)\n",
        ),
        (
            "f.yaml",
            b"a: 1\nb: 2\na: 3\n",
            "f.yaml:3:1: key `a` is given twice (it stands on line 1 already; keep one of them)\n",
        ),
        ("f.yaml", b"a: *x\n", "f.yaml:1:4: not valid YAML: while parsing node, found unknown anchor\n"),
        ("f.yaml", b"a: &a [*a]\n", "f.yaml:1:8: an alias names the node that it stands in\n"),
        (
            "f.yaml",
            b"a: 1\n--- \nb: 1\n",
            "f.yaml:2:1: the file holds more than one document (the first is read; put the others into files of their own)\n",
        ),
        (
            "f.yaml",
            b"a: !env HOME\n",
            "f.yaml:1:4: tag `!env` has no meaning here (expected a value without a tag)\n",
        ),
        ("f.yaml", b"? [a]\n: b\n", "f.yaml:1:3: a key is a list or a mapping (keys are text)\n"),
        ("f.yaml", b"ab\xffc", "f.yaml:1:3: a byte that is not UTF-8 (save the file as UTF-8)\n"),
        ("f.yaml", b"\xff\xfea\0", "f.yaml:1:1: the file is UTF-16 (save it as UTF-8)\n"),
        (
            "f.yaml",
            laughs.as_bytes(),
            "f.yaml:5:29: aliases stand for more than 100000 nodes (write the values out, or fewer of them)\n",
        ),
        ("f.json", deep.as_bytes(), "f.json:1:201: the document is nested deeper than 200 levels\n"),
        ("f.yaml", deep_yaml.as_bytes(), "f.yaml:201:201: the document is nested deeper than 200 levels\n"),
    ] {
        assert_eq!(told(file, bytes), expected);
    }
    assert!(told("f.yaml", b"a: b: c").starts_with("f.yaml:1:5: not valid YAML: "));
}

#[test]
fn keeps_the_last_of_repeated_keys_and_indexes_large_mappings() {
    let many: String = (0..1000).map(|n| format!("k{n}: {n}\n")).collect();
    let large = tree(&many);
    for n in 0..1000i128 {
        assert_eq!(large.root().get(&format!("k{n}")).unwrap().value(), Value::Int(n));
    }
    assert!(large.root().get("k1000").is_none());
    let (twice, diagnostics) = Tree::read("f.yaml", (many + "k7: last\n").as_bytes());
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(twice.unwrap().root().get("k7").unwrap().as_str(), Some("last"));
}

#[test]
fn empty_documents_are_null() {
    for text in ["", "\n# only a comment\n", "---\n", "\u{FEFF}"] {
        let tree = tree(text);
        assert!(tree.root().is_null(), "{text:?}");
    }
}

#[test]
fn leaves_stand_in_document_order() {
    let tree = tree("b: [1, {c: 2}]\na: {}\n\"x/y\": ~\n");
    let leaves: Vec<String> = tree.leaves(10).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(leaves, ["/b/0", "/b/1/c", "/a", "/x~1y"]);
    assert_eq!(tree.leaves(2).len(), 2);
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 12, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(Into::into),
            proptest::collection::hash_map(any::<String>(), inner, 0..12)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for file in ["f.yaml", "f.json"] {
            let (tree, diagnostics) = Tree::read(file, &bytes);
            prop_assert!(tree.is_some() || !diagnostics.is_empty());
        }
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(text in "([a-c&*!|>'\"\\[\\]{},:#?%@~<-]|\n *|- |: | )*") {
        let (tree, diagnostics) = Tree::read("f.yaml", text.as_bytes());
        prop_assert!(tree.is_some() || !diagnostics.is_empty());
        if let Some(tree) = tree {
            tree.leaves(1000);
        }
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it(value in json_value()) {
        for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let (tree, diagnostics) = Tree::read("f.json", text.as_bytes());
            prop_assert!(diagnostics.is_empty(), "{diagnostics:?}");
            let back: serde_json::Value = crate::config::from_node(tree.unwrap().root()).unwrap();
            prop_assert_eq!(&back, &value);
        }
    }

    #[test]
    fn json_refuses_what_serde_json_refuses(text in "[\\[\\]{}\",:0-9eE.+\\\\u ntfalsr-]{0,24}") {
        let ours = Tree::read("f.json", format!("[{text}").as_bytes()).0.is_some();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&format!("[{text}")).is_ok();
        prop_assert_eq!(ours, theirs, "[{}", text);
    }
}
