//! The clinic's GraphQL schema, and the answer to `__schema` and `__type`.
//!
//! One table is the source of both; what the fields yield is in `execute.rs`.

use serde_json::{Value, json};

type Field = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Object types: name and fields as (name, arguments, type).
const OBJECTS: [(&str, &[Field]); 6] = [
    (
        "Query",
        &[
            ("me", &[], "User!"),
            ("patient", &[("id", "ID!")], "Patient"),
            ("appointments", &[("first", "Int")], "[Appointment!]!"),
            ("clinicians", &[("first", "Int")], "[Clinician!]!"),
        ],
    ),
    (
        "User",
        &[("id", &[], "ID!"), ("name", &[], "String!"), ("email", &[], "String!"), ("role", &[], "Role!")],
    ),
    (
        "Patient",
        &[
            ("id", &[], "ID!"),
            ("mrn", &[], "String!"),
            ("name", &[], "String!"),
            ("birthDate", &[], "String!"),
            ("ssn", &[], "String"),
            ("diagnoses", &[], "[Diagnosis!]!"),
            ("appointments", &[], "[Appointment!]!"),
        ],
    ),
    ("Diagnosis", &[("code", &[], "String!"), ("description", &[], "String!")]),
    (
        "Appointment",
        &[
            ("id", &[], "ID!"),
            ("startsAt", &[], "String!"),
            ("reason", &[], "String!"),
            ("clinician", &[], "String!"),
            ("status", &[], "String!"),
        ],
    ),
    ("Clinician", &[("slug", &[], "ID!"), ("name", &[], "String!"), ("specialty", &[], "String!")]),
];

const SCALARS: [&str; 4] = ["ID", "String", "Int", "Boolean"];
const ROLES: [&str; 3] = ["PATIENT", "STAFF", "ADMIN"];

/// The `__Schema` object, in full.
pub(super) fn introspection() -> Value {
    json!({
        "__typename": "__Schema",
        "description": null,
        "queryType": { "__typename": "__Type", "name": "Query", "kind": "OBJECT" },
        "mutationType": null,
        "subscriptionType": null,
        "types": types(),
        "directives": [],
    })
}

/// The `__Type` object called `name`.
pub(super) fn named_type(name: &str) -> Value {
    types().into_iter().find(|it| it.get("name").and_then(Value::as_str) == Some(name)).unwrap_or_default()
}

fn types() -> Vec<Value> {
    let objects = OBJECTS.iter().map(|(name, fields)| {
        let fields: Vec<Value> = fields.iter().map(field).collect();
        type_object("OBJECT", name, json!(fields), Value::Null)
    });
    let scalars = SCALARS.iter().map(|name| type_object("SCALAR", name, Value::Null, Value::Null));
    let values = ROLES.map(|name| {
        json!({ "__typename": "__EnumValue", "name": name, "description": null, "isDeprecated": false,
                "deprecationReason": null })
    });
    objects.chain(scalars).chain([type_object("ENUM", "Role", Value::Null, json!(values))]).collect()
}

fn type_object(kind: &str, name: &str, fields: Value, values: Value) -> Value {
    let interfaces = if fields.is_null() { Value::Null } else { json!([]) };
    json!({
        "__typename": "__Type",
        "kind": kind,
        "name": name,
        "description": null,
        "fields": fields,
        "interfaces": interfaces,
        "possibleTypes": null,
        "enumValues": values,
        "inputFields": null,
        "ofType": null,
        "specifiedByURL": null,
    })
}

fn field((name, arguments, of): &Field) -> Value {
    let arguments: Vec<Value> = arguments
        .iter()
        .map(|(name, of)| {
            json!({ "__typename": "__InputValue", "name": name, "description": null, "type": reference(of),
                    "defaultValue": null, "isDeprecated": false, "deprecationReason": null })
        })
        .collect();
    json!({
        "__typename": "__Field",
        "name": name,
        "description": null,
        "args": arguments,
        "type": reference(of),
        "isDeprecated": false,
        "deprecationReason": null,
    })
}

/// A type as GraphQL writes it (`[Appointment!]!`) as nested `__Type` references.
fn reference(text: &str) -> Value {
    let wrapped = |kind: &str, inner: &str| json!({ "__typename": "__Type", "kind": kind, "name": null, "ofType": reference(inner) });
    if let Some(inner) = text.strip_suffix('!') {
        return wrapped("NON_NULL", inner);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        return wrapped("LIST", inner);
    }
    let kind = match text {
        "Role" => "ENUM",
        _ if SCALARS.contains(&text) => "SCALAR",
        _ => "OBJECT",
    };
    json!({ "__typename": "__Type", "kind": kind, "name": text, "ofType": null })
}
