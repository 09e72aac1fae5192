//! Contracts of operations: what is kept whole, and how OpenAPI 3.0 becomes JSON Schema.

use std::sync::Arc;

use probity_model::bundle::contract::*;
use probity_model::specification::Specification;
use probity_reader::openapi;

fn read(text: &str) -> Specification {
    openapi::read("api.yaml", text.as_bytes()).0.expect("a document")
}

fn document(version: &str, schema: &str) -> String {
    format!(
        "openapi: {version}\ninfo: {{title: t, version: '1'}}\npaths:\n  /a:\n    post:\n      requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}\n      responses: {{'200': {{description: d}}}}\ncomponents:\n  schemas:\n    Other: {{type: string, readOnly: true}}\n    Tree: {{type: object, properties: {{children: {{type: array, items: {{$ref: '#/components/schemas/Tree'}}}}}}}}\n    Pet: {{type: object, properties: {{kind: {{type: string}}}}, discriminator: {{propertyName: kind}}}}\n    Cat: {{allOf: [{{$ref: '#/components/schemas/Pet'}}, {{properties: {{lives: {{type: integer}}}}}}]}}\n    Lion: {{allOf: [{{$ref: '#/components/schemas/Cat'}}]}}\n"
    )
}

/// The request's schema with the rows that it refers to.
fn rows(specification: &Specification) -> (u32, Vec<String>) {
    let contract = specification.operations[0].contract.as_ref().expect("a contract");
    let row = contract.request.as_ref().expect("a body").content[0].schema.expect("a schema");
    (row, specification.schemas.0.iter().map(|row| row.to_string()).collect())
}

#[test]
fn translates_the_dialect_of_3_0() {
    for (given, expected) in [
        ("{type: string, nullable: true}", r#"{"type":["string","null"]}"#),
        ("{type: string, nullable: true, enum: [a]}", r#"{"type":["string","null"],"enum":["a",null]}"#),
        ("{type: number, minimum: 1, exclusiveMinimum: true}", r#"{"type":"number","exclusiveMinimum":1}"#),
        ("{type: number, maximum: 1.5, exclusiveMaximum: false}", r#"{"type":"number","maximum":1.5}"#),
        ("{type: string, example: x, description: y, x-z: 1}", r#"{"type":"string"}"#),
        (
            "{allOf: [{type: string}], nullable: true}",
            r#"{"anyOf":[{"type":"null"},{"allOf":[{"type":"string"}]}]}"#,
        ),
        ("{type: string, enum: [1, 2.0]}", r#"{"type":"string","enum":["1","2.0"]}"#),
        ("{type: integer, enum: [1, 2], default: 1}", r#"{"type":"integer","enum":[1,2]}"#),
        (
            "{type: object, properties: {a: {type: string, writeOnly: true}}, required: [a], additionalProperties: false}",
            r#"{"type":"object","properties":{"a":{"writeOnly":true,"type":"string"}},"required":["a"],"additionalProperties":false}"#,
        ),
        ("{}", "{}"),
    ] {
        let specification = read(&document("3.0.3", given));
        let (row, rows) = rows(&specification);
        assert_eq!(rows[row as usize], expected, "{given}");
    }
}

#[test]
fn keeps_json_schema_of_3_1() {
    for (given, expected) in [
        ("{type: [string, 'null'], const: x}", r#"{"type":["string","null"],"const":"x"}"#),
        ("{type: 'null'}", r#"{"type":"null"}"#),
        ("{type: null}", r#"{"type":"null"}"#),
        (
            "{exclusiveMinimum: 1, if: {type: integer}, then: {minimum: 2}, else: false}",
            r#"{"exclusiveMinimum":1,"if":{"type":"integer"},"then":{"minimum":2},"else":false}"#,
        ),
        (
            "{prefixItems: [true], items: false, contains: {const: {a: [1]}}, minContains: 2, unevaluatedItems: false}",
            r#"{"prefixItems":[true],"items":false,"contains":{"const":{"a":[1]}},"minContains":2,"unevaluatedItems":false}"#,
        ),
        (
            "{patternProperties: {'^a': {}}, propertyNames: {maxLength: 3}, dependentRequired: {a: [b]}, dependentSchemas: {a: {}}}",
            r#"{"patternProperties":{"^a":{}},"propertyNames":{"maxLength":3},"dependentRequired":{"a":["b"]},"dependentSchemas":{"a":{}}}"#,
        ),
        ("{nullable: true, type: string}", r#"{"type":"string"}"#),
    ] {
        let specification = read(&document("3.1.0", given));
        let (row, rows) = rows(&specification);
        assert_eq!(rows[row as usize], expected, "{given}");
    }
}

#[test]
fn references_are_rows() {
    let specification = read(&document("3.0.3", "{$ref: '#/components/schemas/Tree'}"));
    let (row, known) = rows(&specification);
    assert_eq!(
        known[row as usize],
        format!(
            r##"{{"type":"object","properties":{{"children":{{"type":"array","items":{{"$ref":"#/$defs/{row}"}}}}}}}}"##
        )
    );
    // What a reference leads to may be read-only; beside it nothing else counts in 3.0.
    let specification = read(&document(
        "3.0.3",
        "{properties: {a: {$ref: '#/components/schemas/Other', nullable: true}, b: {$ref: '#/components/schemas/None'}}}",
    ));
    let (row, known) = rows(&specification);
    let text = &known[row as usize];
    assert!(text.contains(r##""a":{"readOnly":true,"anyOf":[{"type":"null"},{"$ref":"#/$defs/"##), "{text}");
    assert!(text.contains(r##""b":{"$ref":"#/components/schemas/None"}"##), "{text}");
}

#[test]
fn discriminators_know_subtypes() {
    let specification = read(&document("3.0.3", "{$ref: '#/components/schemas/Pet'}"));
    let (row, known) = rows(&specification);
    let text = &known[row as usize];
    assert!(
        text.contains(r##""discriminator":{"propertyName":"kind","mapping":{"Cat":"#/$defs/"##)
            && text.contains("\"Lion\":"),
        "{text}"
    );
    let specification = read(&document(
        "3.1.0",
        "{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Lion'}], discriminator: {propertyName: kind, mapping: {leo: '#/components/schemas/Lion', cat: Cat}}}",
    ));
    let (row, known) = rows(&specification);
    let text = &known[row as usize];
    for name in ["leo", "cat", "Cat", "Lion"] {
        assert!(text.contains(&format!(r##""{name}":"#/$defs/"##)), "{name} {text}");
    }
}

#[test]
fn keeps_parameters_and_media_types() {
    let specification = read(
        r##"
openapi: 3.0.3
info: {title: t, version: '1'}
security: [{key: []}]
paths:
  /a/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
      - {name: q, in: query, schema: {type: string}}
      - {name: Accept, in: header, schema: {type: string}}
    post:
      parameters:
        - {name: q, in: query, required: true, style: pipeDelimited, allowReserved: true, schema: {type: array, items: {type: string}}}
        - {name: f, in: query, content: {application/json: {schema: {type: object}}}}
      requestBody:
        required: true
        content:
          Multipart/Form-Data:
            schema: {type: object}
            encoding: {photo: {contentType: 'image/png, image/*'}, o: {style: deepObject}}
          text/*: {}
      responses:
        '200': {description: d, content: {application/json; charset=utf-8: {schema: {type: integer}}}}
        4XX: {description: d}
        default: {description: d, content: {application/problem+json: {schema: {type: integer}}}}
components:
  securitySchemes: {key: {type: apiKey, in: query, name: api_key}}
"##,
    );
    let contract = specification.operations[0].contract.as_ref().expect("a contract");
    let told: Vec<String> = contract
        .parameters
        .iter()
        .map(|p| {
            format!("{} {:?} {:?} {} {} {:?}", p.name, p.place, p.style, p.explode, p.required, p.content)
        })
        .collect();
    assert_eq!(
        told,
        [
            "id Path Simple false true None",
            "q Query PipeDelimited false true None",
            "f Query Form true false Some(\"application/json\")",
            "api_key Query Form true false None",
        ]
    );
    let request = contract.request.as_ref().expect("a body");
    assert!(request.required);
    assert_eq!(request.content[0].media_type, "multipart/form-data");
    assert_eq!(request.content[0].encoding[0].content_types, ["image/png", "image/*"]);
    assert_eq!(request.content[0].encoding[1].style, ParameterStyle::DeepObject);
    assert_eq!((request.content[1].media_type.as_str(), request.content[1].schema), ("text/*", None));
    let statuses: Vec<&str> = contract.responses.iter().map(|response| response.status.as_str()).collect();
    assert_eq!(statuses, ["200", "4XX", "default"]);
    // Equal schemas are one row.
    assert_eq!(contract.responses[0].content[0].schema, contract.responses[2].content[0].schema);
    assert_eq!(contract.parameters[0].schema, contract.responses[0].content[0].schema);
}

#[test]
fn many_operations_share_their_schemas() {
    let mut text = String::from(
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\ncomponents: {schemas: {A: {type: object, properties: {b: {$ref: '#/components/schemas/B'}}}, B: {type: string}}}\npaths:\n",
    );
    for number in 0..500 {
        text.push_str(&format!("  /a{number}:\n    post: {{requestBody: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/A'}}}}}}}}, responses: {{'200': {{description: d}}}}}}\n"));
    }
    let specification = read(&text);
    assert_eq!(specification.schemas.0.len(), 2);
    assert_eq!(specification.operations.len(), 500);
}

#[test]
fn follows_other_files() {
    let mut load = |file: &str| {
        (file == "parts/schemas.yaml").then(|| {
            b"Pet: {type: object, properties: {owner: {$ref: '#/Owner'}}}\nOwner: {type: string}\n".to_vec()
        })
    };
    let (specification, _) = openapi::read_with(
        "api.yaml",
        document("3.1.0", "{$ref: 'parts/schemas.yaml#/Pet'}").as_bytes(),
        &mut load,
    );
    let specification = specification.expect("a document");
    let (row, known) = rows(&specification);
    assert!(known[row as usize].contains(r##""owner":{"$ref":"#/$defs/"##), "{known:?}");
    assert!(known.contains(&r#"{"type":"string"}"#.to_owned()));
    let _: Arc<[Arc<str>]> = specification.schemas.0;
}
