use super::*;
use proptest::prelude::*;

fn field(name: &str, kind: &str, arguments: &[(&str, &str)]) -> GraphqlField {
    let argument = |(name, kind): &(&str, &str)| GraphqlArgument {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        defaulted: false,
    };
    GraphqlField {
        name: name.to_owned(),
        kind: kind.to_owned(),
        arguments: arguments.iter().map(argument).collect(),
    }
}

fn of(name: &str, kind: GraphqlKind, fields: Vec<GraphqlField>) -> GraphqlType {
    GraphqlType { name: name.to_owned(), kind, fields, values: Vec::new(), members: Vec::new() }
}

fn schema() -> GraphqlSchema {
    GraphqlSchema {
        query: Some("Query".to_owned()),
        mutation: Some("Mutation".to_owned()),
        subscription: None,
        types: vec![
            GraphqlType {
                values: vec!["A".to_owned(), "B".to_owned()],
                ..of("Kind", GraphqlKind::Enum, vec![])
            },
            of("Mutation", GraphqlKind::Object, vec![field("add", "Patient", &[("input", "PatientInput!")])]),
            of(
                "Patient",
                GraphqlKind::Object,
                vec![
                    field("friends", "[Patient!]!", &[("first", "Int")]),
                    field("id", "ID!", &[]),
                    field("kind", "Kind", &[]),
                    field("name", "String", &[]),
                ],
            ),
            of(
                "PatientInput",
                GraphqlKind::Input,
                vec![field("kind", "Kind", &[]), field("name", "String!", &[])],
            ),
            of(
                "Query",
                GraphqlKind::Object,
                vec![
                    field("patient", "Patient", &[("id", "ID!")]),
                    field("patients", "[Patient!]!", &[("first", "Int"), ("kind", "Kind")]),
                ],
            ),
        ],
    }
}

fn judge(with_schema: bool, body: &serde_json::Value) -> Vec<String> {
    let graphql = GraphqlPolicy {
        paths: vec!["/graphql".to_owned()],
        limits: GraphqlLimits {
            depth: 4,
            cost: 200,
            aliases: 3,
            fields: 20,
            directives: 2,
            batch: 2,
            ..GraphqlLimits::default()
        },
        schema: with_schema.then(|| Arc::new(schema())),
        ..GraphqlPolicy::default()
    };
    let contract = Contract::new(&ContractPolicy { graphql: Some(graphql), ..ContractPolicy::default() });
    rules(
        &contract
            .judge_body(None, "/graphql", Some("application/json"), body.to_string().as_bytes())
            .violations,
    )
}

fn query(with_schema: bool, text: &str) -> Vec<String> {
    judge(with_schema, &serde_json::json!({"query": text}))
}

#[test]
fn bounds_hold_without_a_schema() {
    let many = format!("{{{}}}", "f ".repeat(21));
    for (text, expected) in [
        ("{a{b{c{d}}}}", vec![]),
        ("{a{b{c{d{e}}}}}", vec!["contract-graphql-depth"]),
        ("{a{...F}} fragment F on T {b{c{d{e}}}}", vec!["contract-graphql-depth"]),
        ("{a:x b:x c:x}", vec![]),
        ("{a:x b:x c:x d:x}", vec!["contract-graphql-aliases"]),
        ("{a @x @y @z}", vec!["contract-graphql-directives"]),
        (many.as_str(), vec!["contract-graphql-fields"]),
        ("{a(first: 150){b}}", vec![]),
        ("{a(first: 250){b}}", vec!["contract-graphql-cost"]),
        ("{a(first: 20){b(last: 20){c}}}", vec!["contract-graphql-cost"]),
        ("{__schema{types{name}}}", vec!["contract-graphql-introspection __schema"]),
        ("{__typename a}", vec![]),
        ("{...F} fragment F on T {...G} fragment G on T {...F}", vec!["contract-graphql-fragment-circle"]),
        ("{...F}", vec!["contract-graphql-fragment"]),
        ("{a", vec!["contract-graphql-syntax"]),
    ] {
        assert_eq!(query(false, text), expected, "{text}");
    }
}

#[test]
fn fragments_do_not_multiply_without_bound() {
    let mut text = String::from("{...F0}");
    for number in 0..40 {
        text.push_str(&format!("fragment F{number} on T {{...F{0} ...F{0}}}", number + 1));
    }
    text.push_str("fragment F40 on T {a}");
    let told = query(false, &text);
    assert!(told.iter().any(|rule| rule.contains("fields") || rule.contains("complexity")), "{told:?}");
}

#[test]
fn a_schema_knows_fields_and_arguments() {
    for (text, expected) in [
        ("{patient(id: 1){id name}}", vec![]),
        ("{patient(id: 1){ssn}}", vec!["contract-graphql-unknown-field ssn"]),
        ("{secrets}", vec!["contract-graphql-unknown-field secrets"]),
        ("{patient{id}}", vec!["contract-graphql-argument id"]),
        ("{patient(id: 1, x: 2){id}}", vec!["contract-graphql-argument x"]),
        ("{patient(id: 1)}", vec!["contract-graphql-selection patient"]),
        ("{patient(id: 1){id{x}}}", vec!["contract-graphql-selection id"]),
        ("{patients(kind: C){id}}", vec!["contract-graphql-type kind"]),
        ("{patients(kind: A){... on Patient {id}}}", vec![]),
        ("{patients{... on Nothing {id}}}", vec!["contract-graphql-type"]),
        (
            "mutation {add(input: {name: \"x\", role: \"admin\"}){id}}",
            vec!["contract-graphql-unknown-field role"],
        ),
        ("subscription {a}", vec!["contract-graphql-operation"]),
        ("{patients(first: 10){friends(first: 10){id}}}", vec![]),
        ("{patients{friends{friends{id}}}}", vec!["contract-graphql-cost"]),
    ] {
        assert_eq!(query(true, text), expected, "{text}");
    }
}

#[test]
fn variables_and_batches() {
    let add = "mutation($in: PatientInput!){add(input: $in){id}}";
    for (variables, expected) in [
        (serde_json::json!({"in": {"name": "x"}}), vec![]),
        (
            serde_json::json!({"in": {"name": "x", "admin": true}}),
            vec!["contract-graphql-unknown-field admin"],
        ),
        (serde_json::json!({"in": {"kind": "A"}}), vec!["contract-graphql-required name"]),
        (serde_json::json!({"in": {"name": 7}}), vec!["contract-graphql-type name"]),
        (serde_json::json!({"in": {"name": "x", "kind": "Z"}}), vec!["contract-graphql-type kind"]),
        (serde_json::json!({}), vec!["contract-graphql-variable in"]),
    ] {
        assert_eq!(
            judge(true, &serde_json::json!({"query": add, "variables": variables})),
            expected,
            "{variables}"
        );
    }
    let first = serde_json::json!({"query": "query($n: Int){a(first: $n){b}}", "variables": {"n": 1000}});
    assert_eq!(judge(false, &first), ["contract-graphql-cost"]);
    let one = serde_json::json!({"query": "{a}"});
    assert_eq!(judge(false, &serde_json::json!([one, one])), Vec::<String>::new());
    assert_eq!(judge(false, &serde_json::json!([one, one, one])), ["contract-graphql-batch"]);
    assert_eq!(judge(false, &serde_json::json!({"q": 1})), ["contract-graphql-syntax"]);
}

#[test]
fn queries_in_the_url() {
    let graphql = GraphqlPolicy { paths: vec!["/graphql".to_owned()], ..GraphqlPolicy::default() };
    let contract = Contract::new(&ContractPolicy { graphql: Some(graphql), ..ContractPolicy::default() });
    let template = probity_model::Template::new("/graphql");
    let judge = |query: &str| {
        rules(
            &contract
                .judge_head(None, &Head { path: "/graphql", query, template: &template, header: &no_header }),
        )
    };
    assert_eq!(judge("query=%7Ba%7D"), Vec::<String>::new());
    assert_eq!(judge("query=mutation%7Ba%7D"), ["contract-graphql-method"]);
    assert_eq!(judge("query=%7B__schema%7Ba%7D%7D"), ["contract-graphql-introspection __schema"]);
    assert_eq!(judge("x=1"), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_panics(text in "[{}()\\[\\]a-c:$@!.\"#,0-9 \\\\on]{0,60}") {
        let _ = query(true, &text);
        let _ = query(false, &format!("{{a({text}){{b}}}}"));
    }
}
