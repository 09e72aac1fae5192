use super::*;
use proptest::prelude::*;

const SDL: &str = r#"
"""The "clinic" """
schema @link(url: "x", import: ["@a"]) { query: Root mutation: Change }
directive @auth(role: String = "x") repeatable on FIELD_DEFINITION | OBJECT
scalar Date @specifiedBy(url: "https://x")
interface Node { id: ID! }
type Root { patient(id: ID!, deep: Boolean = false): Patient  patients(first: Int): [Patient!]! node(id: ID!): Node }
type Patient implements Node & Other @auth(role: "a") { "its id" id: ID! name: String # comment
  kind: Kind! }
interface Other { name: String }
type Change { add(input: PatientInput!): Patient }
input PatientInput { name: String! kind: Kind! = A tags: [String!] = ["a", {b: 1}] }
enum Kind { A @deprecated "b" B }
union Thing = | Patient | Change
extend type Root { things: [Thing] }
"#;

#[test]
fn reads_sdl() {
    let schema = read("schema.graphql", SDL.as_bytes()).expect("a schema");
    assert_eq!(
        (schema.query.as_deref(), schema.mutation.as_deref(), schema.subscription),
        (Some("Root"), Some("Change"), None)
    );
    let of = |name: &str| schema.types.iter().find(|known| known.name == name).expect("a type");
    let fields = |name: &str| -> Vec<String> {
        of(name).fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect()
    };
    assert_eq!(
        fields("Root"),
        ["node: Node", "patient: Patient", "patients: [Patient!]!", "things: [Thing]"]
    );
    assert_eq!(fields("PatientInput"), ["kind: Kind", "name: String!", "tags: [String!]"]);
    assert_eq!(of("Kind").values, ["A", "B"]);
    assert_eq!(of("Thing").members, ["Change", "Patient"]);
    assert_eq!(of("Node").members, ["Patient"]);
    assert!(of("Root").fields[1].arguments[1].defaulted);
    assert!(schema.types.is_sorted_by(|one, other| one.name < other.name));
}

#[test]
fn reads_introspection() {
    let text = r#"{"data":{"__schema":{"queryType":{"name":"Query"},"mutationType":null,"types":[
        {"kind":"OBJECT","name":"Query","fields":[{"name":"patients","args":[{"name":"first","type":{"kind":"SCALAR","name":"Int"},"defaultValue":"10"}],
          "type":{"kind":"NON_NULL","ofType":{"kind":"LIST","ofType":{"kind":"OBJECT","name":"Patient"}}}}]},
        {"kind":"OBJECT","name":"Patient","fields":[{"name":"id","args":[],"type":{"kind":"SCALAR","name":"ID"}}]},
        {"kind":"ENUM","name":"Kind","enumValues":[{"name":"A"}]},{"kind":"OBJECT","name":"__Type","fields":[]}]}}}"#;
    let schema = read("schema.json", text.as_bytes()).expect("a schema");
    let names: Vec<&str> = schema.types.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(names, ["Kind", "Patient", "Query"]);
    assert_eq!(schema.types[2].fields[0].kind, "[Patient]!");
    assert!(schema.types[2].fields[0].arguments[0].defaulted);
}

#[test]
fn names_the_place() {
    for (text, place, message) in [
        ("type Query { a: }", "f:1:17", "expected a name"),
        ("type Query { a: Int\n b }", "f:2:4", "expected `:`"),
        ("type T { a: Int }", "f:1:18", "the schema has no query type"),
        ("schema { query: Q }", "f:1:20", "root type `Q` is not defined"),
        ("{a}", "f:1:2", "the file is no JSON"),
        ("{}", "f:1:1", "the file has no `__schema`"),
        ("query { a }", "f:1:6", "`query` is no definition"),
        ("type Query { a: Int a: Int }", "f:1:29", "twice"),
        ("type A {a: Int} input A {a: Int}", "f:1:24", "two kinds"),
    ] {
        let told = read("f", text.as_bytes()).expect_err(text);
        assert_eq!(told.span.to_string(), place, "{text}: {told}");
        assert!(told.message.contains(message), "{text}: {told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_panics(text in "[a-c{}\\[\\]():!|&=@\"#,\\\\ \n]{0,60}") {
        let _ = read("f", text.as_bytes());
        let _ = read("f", format!("type Query {{ a({text}): Int }}").as_bytes());
        let _ = read("f", format!("{{\"__schema\":{text}}}").as_bytes());
    }
}
