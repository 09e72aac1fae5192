//! `probity config`: faults with their places, the schema, and where each value comes from.

use serde_json::Value;

use crate::binary::{Place, repository};

const GOOD: &str = "version: 1\nservices:\n  - name: shop\n    upstreams: [{url: \"http://127.0.0.1:1\"}]\n";

#[test]
fn faults_are_named_with_their_places() {
    let place = Place::new();
    let rows: &[(String, &[&str])] = &[
        (GOOD.replace("name:", "nmae:"), &["probity.yaml:3:5: unknown key `nmae`", "did you mean `name`?"]),
        (format!("{GOOD}    strip_path: maybe\n"), &["probity.yaml:5:17: ", "expected `true` or `false`"]),
        (format!("{GOOD}inventory: {{window: soon}}\n"), &["probity.yaml:5:21: ", "`soon`", "expected"]),
        (format!("{GOOD}gateway:\n  listen: here\n"), &["probity.yaml:6:11: ", "expected a list"]),
        (format!("{GOOD}gateway:\n  inspect: lots\n"), &["probity.yaml:6:12: ", "`lots` is no size"]),
        (
            GOOD.replace("version: 1", "version: 2"),
            &["probity.yaml:1:10: ", "version `2` is not known", "expected 1"],
        ),
        (GOOD.replace("http:", "ftp:"), &["probity.yaml:4:23: ", "expected `http://host:port`"]),
        (
            format!("{GOOD}  - name: shop\n    upstreams: []\n"),
            &["probity.yaml:5:11: ", "named twice", "no upstream"],
        ),
        (format!("{GOOD}  broken\n"), &["probity.yaml:", "not valid YAML"]),
        ("version: 1\n".to_owned(), &["probity.yaml:1:1: ", "services"]),
        (
            format!("{GOOD}gateway:\n  listen:\n    - address: \"0.0.0.0:0\"\n"),
            &["probity.yaml:7:16: ", "beyond loopback", "`clear_text: true`"],
        ),
    ];
    let file = place.text("probity.yaml");
    for (text, words) in rows {
        place.write("probity.yaml", text);
        for command in [&["config", "validate"][..], &["config", "show"], &["up", "--config"]] {
            let answer = place.run([command, &[&file]].concat()).exits(2);
            words.iter().fold(answer, |answer, word| answer.complains(word));
        }
    }
    place
        .run(["config", "validate", &place.text("none.yaml")])
        .exits(2)
        .complains("none.yaml:1:1: cannot read");
    assert!(!place.data().exists(), "a faulty configuration starts nothing");
}

#[test]
fn what_it_names_is_read_as_well() {
    let place = Place::new();
    let file = place.write("probity.yaml", format!("{GOOD}    specifications: [openapi.yaml]\n"));
    let validate = ["config", "validate", file.to_str().unwrap()];
    place.run(validate).exits(2).says("openapi.yaml").says("cannot be read");
    place.write("openapi.yaml", "openapi: 3.1.0\ninfo: {title: Shop, version: \"1\"}\npaths:\n  /a: 7\n");
    place.run(validate).exits(2).says("openapi.yaml:4:3: ").says("has faults in what it names");
    place.write("openapi.yaml", "openapi: 3.1.0\ninfo: {title: Shop, version: \"1\"}\npaths: {}\n");
    place.run(validate).exits(0).says("is valid");
}

#[test]
fn the_schema_takes_the_example_and_refuses_what_the_reader_refuses() {
    let place = Place::new();
    let schema = place.run(["config", "schema"]).exits(0).json();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let text = std::fs::read_to_string(repository("examples/probity.yaml")).unwrap();
    let example: Value = probity_reader::config::from_yaml("examples/probity.yaml", &text).unwrap();
    let problems: Vec<String> = schema.iter_errors(&example).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    for (pointer, value) in [("/services/0/naame", "shop"), ("/gateway/listen", "here"), ("/version", "one")]
    {
        let mut spoiled = example.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        spoiled.pointer_mut(parent).unwrap()[key] = value.into();
        assert!(!schema.is_valid(&spoiled), "{pointer}");
    }
    place.run(["config", "validate", &repository("examples/probity.yaml")]).exits(0);
}

#[test]
fn each_value_says_where_it_comes_from() {
    let place = Place::new();
    let file = place.write("probity.yaml", GOOD);
    let shown = place.run(["config", "show", file.to_str().unwrap(), "--origin"]).exits(0);
    shown
        .says("/services/0/name = \"shop\"  (")
        .says("probity.yaml:3:11)")
        .says("/events/keep/days = 400  (default)")
        .says("/gateway/listen/0/address = \"127.0.0.1:8080\"  (default)");
    let whole = place.json(["config", "show", file.to_str().unwrap()]);
    assert_eq!(whole["services"][0]["path"], "/");
}
