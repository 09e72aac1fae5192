use serde_json::{Map, Value, json};

use super::{QueryError, execute, is_public, parse};
use crate::credentials::STAFF_TOKENS;

fn run(query: &str, variables: Value) -> Result<Value, QueryError> {
    let clinic = crate::seed::clinic();
    let who = clinic.principal(STAFF_TOKENS[0]).unwrap();
    let variables = variables.as_object().cloned().unwrap_or_default();
    execute(&parse(query, &variables)?, &clinic, Some(&who))
}

#[test]
fn selects_what_is_asked() {
    let clinic = crate::seed::clinic();
    let id = &clinic.patients[0].id;
    let check = |query: &str, expected: Value| {
        assert_eq!(run(query, json!({ "id": id })).unwrap(), expected, "{query}");
    };
    check("{ me { name role } }", json!({ "me": { "name": "Nora Vance", "role": "STAFF" } }));
    check(
        "query { me { n: name, __typename } }",
        json!({ "me": { "n": "Nora Vance", "__typename": "User" } }),
    );
    check(
        "query One($id: ID! = \"x\") { patient(id: $id) { ...Short ... on Patient { mrn } } } # end\nfragment Short on Patient { id }",
        json!({ "patient": { "id": id, "mrn": clinic.patients[0].mrn } }),
    );
    check(
        "{ clinicians(first: 1) { slug } }",
        json!({ "clinicians": [{ "slug": clinic.clinicians[0].slug }] }),
    );
    check("{ patient(id: \"\\u0041\") { id } }", json!({ "patient": null }));
    check(
        "{ __type(name: \"Role\") { kind enumValues { name } } }",
        json!({ "__type": {
        "kind": "ENUM", "enumValues": [{ "name": "PATIENT" }, { "name": "STAFF" }, { "name": "ADMIN" }] } }),
    );
}

#[test]
fn refuses_what_it_cannot_answer() {
    let check =
        |query: &str, expected: QueryError| assert_eq!(run(query, Value::Null), Err(expected), "{query}");
    check("mutation { x }", QueryError::NotAQuery("mutation".to_owned()));
    check("{ me { name @include(if: true) } }", QueryError::Directive);
    check("{ me }", QueryError::NoSubfields("me".to_owned()));
    check("{ me { name { x } } }", QueryError::Leaf("name".to_owned()));
    check("{ me { shoeSize } }", QueryError::NoField("shoeSize".to_owned()));
    check("{ me { ...F } }", QueryError::NoFragment("F".to_owned()));
    check("{ me { ...F } } fragment F on User { ...F }", QueryError::TooDeep);
    check("{ patient { id } }", QueryError::NoArgument("id"));
    check("", QueryError::OneOperation);
    check("{ me { name } } { me { name } }", QueryError::OneOperation);
    check("{ me { name ", QueryError::Syntax { expected: "a name", at: 12 });
    check(&"{ a ".repeat(2000), QueryError::TooDeep);
    check(&"x".repeat(9000), QueryError::TooLong);
}

#[test]
fn a_fragment_bomb_is_bounded() {
    let mut query = String::from("{ me { ...F0 } }");
    for level in 0..18 {
        let next = level + 1;
        query.push_str(&format!(" fragment F{level} on User {{ ...F{next} ...F{next} ...F{next} }}"));
    }
    query.push_str(" fragment F18 on User { name }");
    assert_eq!(run(&query, Value::Null), Err(QueryError::TooWide));
}

#[test]
fn only_the_schema_is_public() {
    let public = |query| is_public(&parse(query, &Map::new()).unwrap());
    assert!(public("{ __schema { queryType { name } } __typename }"));
    assert!(!public("{ __typename me { name } }"));
    assert!(!public("{ ...F } fragment F on Query { me { name } }"));
}
