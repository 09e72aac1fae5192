use std::fmt::Write as _;

use probity_model::Diagnostic;
use probity_model::specification::{BodySchema, Specification};
use probity_reader::openapi;
use proptest::prelude::*;

use crate::golden;
use crate::mutation::mutated;

pub fn told(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("{} {d}\n", d.severity.as_str())).collect()
}

fn body(out: &mut String, of: &str, body: &BodySchema) {
    let has = if body.has_schema { "" } else { " without schema" };
    let open = if body.open { "open" } else { "closed" };
    let said = body.open_at.as_ref().map_or(String::new(), |at| format!(" @{}:{}", at.line, at.column));
    writeln!(out, "    {of} {} {open}{has}{said}", body.media_type).unwrap();
    for f in &body.fields {
        let flags: String =
            [(f.required, " required"), (f.read_only, " read-only"), (f.write_only, " write-only")]
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, word)| *word)
                .collect();
        let class = f.class.as_ref().map_or(String::new(), |class| format!(" class {class}"));
        let format = f.format.as_deref().unwrap_or_default();
        writeln!(
            out,
            "      {:?} {}/{format}{flags}{class} @{}:{}",
            f.pointer, f.kind, f.span.line, f.span.column
        )
        .unwrap();
    }
}

fn shown(specification: Option<&Specification>) -> String {
    let Some(s) = specification else { return "not read\n".to_owned() };
    let mut out = String::new();
    writeln!(out, "{} {:?} {:?} base {:?}", s.openapi, s.title, s.version, s.base_paths).unwrap();
    writeln!(out, "owner {:?} audience {:?}", s.owner, s.audience).unwrap();
    for server in &s.servers {
        writeln!(out, "server {:?} @{}:{}", server.url, server.span.line, server.span.column).unwrap();
    }
    for scheme in &s.security_schemes {
        writeln!(out, "scheme {} {} {:?} {:?}", scheme.name, scheme.kind, scheme.detail, scheme.parameter)
            .unwrap();
    }
    for o in &s.operations {
        writeln!(out, "{} {} {:?} @{}:{}", o.method, o.template, o.operation_id, o.span.line, o.span.column)
            .unwrap();
        writeln!(out, "    {:?} {:?} deprecated {} sunset {:?}", o.summary, o.tags, o.deprecated, o.sunset)
            .unwrap();
        writeln!(out, "    {:?} {:?} {:?} {:?}", o.owner, o.audience, o.criticality, o.security).unwrap();
        for p in &o.parameters {
            let class = p.class.as_ref().map_or(String::new(), |class| format!(" class {class}"));
            writeln!(
                out,
                "    {} {:?} required {} schema {}{class} @{}:{}",
                p.place, p.name, p.required, p.has_schema, p.span.line, p.span.column
            )
            .unwrap();
        }
        o.request.iter().for_each(|b| body(&mut out, "request", b));
        for response in &o.responses {
            writeln!(out, "    answer {}", response.status).unwrap();
            response.bodies.iter().for_each(|b| body(&mut out, "  ", b));
        }
    }
    out
}

#[test]
fn documents_are_read_as_committed() {
    for (path, bytes) in golden::inputs("openapi") {
        let (specification, diagnostics) = openapi::read(&golden::name(&path), &bytes);
        golden::check(&path, &(shown(specification.as_ref()) + &told(&diagnostics)));
    }
}

#[test]
fn json_and_yaml_of_one_document_read_alike() {
    for (path, bytes) in golden::inputs("openapi") {
        let text = String::from_utf8(bytes).unwrap();
        let value: serde_json::Value = match probity_reader::config::from_yaml("x", &text) {
            Ok(value) => value,
            // A key twice: that document is no value.
            Err(_) => continue,
        };
        let places = |text: String| {
            text.lines().map(|line| line.split(" @").next().unwrap().to_owned() + "\n").collect::<String>()
        };
        let read = |text: &str| places(shown(openapi::read("x", text.as_bytes()).0.as_ref()));
        // Keys are sorted in `value`, so that both sides are written from it.
        let json = serde_json::to_string_pretty(&value).unwrap();
        let yaml = yaml_of(&value, 0);
        assert_eq!(read(&json), read(&yaml), "{}", path.display());
    }
}

/// Block YAML with every scalar as JSON writes it.
fn yaml_of(value: &serde_json::Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        serde_json::Value::Object(map) if !map.is_empty() => map
            .iter()
            .map(|(key, value)| {
                format!("\n{pad}{}: {}", serde_json::Value::from(key.as_str()), yaml_of(value, indent + 1))
            })
            .collect(),
        serde_json::Value::Array(list) if !list.is_empty() => {
            list.iter().map(|value| format!("\n{pad}- {}", yaml_of(value, indent + 2))).collect()
        }
        scalar => scalar.to_string(),
    }
}

#[test]
fn says_which_versions_are_read() {
    for (text, expected) in [
        (
            "swagger: '2.0'\n",
            "high x:1:10: OpenAPI (Swagger) `2.0` is not read (expected `openapi: 3.0.x` or `openapi: 3.1.x`; convert the document first)\n",
        ),
        (
            "openapi: 3.2.0\n",
            "high x:1:10: OpenAPI `3.2.0` is not read (expected `openapi: 3.0.x` or `openapi: 3.1.x`)\n",
        ),
        (
            "a: 1\n",
            "high x:1:1: the document names no OpenAPI version (expected `openapi: 3.0.x` or `openapi: 3.1.x`)\n",
        ),
        ("[]", "high x:1:1: the document is a list (expected `openapi: 3.0.x` or `openapi: 3.1.x`)\n"),
        ("", "high x:1:1: the document is nothing (expected `openapi: 3.0.x` or `openapi: 3.1.x`)\n"),
    ] {
        let (specification, diagnostics) = openapi::read("x", text.as_bytes());
        assert!(specification.is_none());
        assert_eq!(told(&diagnostics), expected, "{text}");
    }
}

#[test]
fn follows_references_to_files_that_are_handed_over() {
    let root = "openapi: 3.1.0\ninfo: {title: t, version: 1}\npaths:\n  /a: {$ref: 'paths/a.yaml'}\n  /b: {$ref: 'paths/missing.yaml'}\n  /c: {$ref: 'https://example.com/c.yaml'}\n";
    let a = "get:\n  responses:\n    200:\n      description: ok\n      content: {application/json: {schema: {$ref: '../schemas.yaml#/Pet'}}}\n";
    let schemas = "Pet:\n  type: object\n  properties:\n    next: {$ref: '#/Pet'}\n    bad: {$ref: '#/Nowhere'}\n    up: {$ref: 'api/paths/a.yaml#/x'}\n";
    let mut asked = Vec::new();
    let (specification, diagnostics) = openapi::read_with("api/o.yaml", root.as_bytes(), &mut |name| {
        asked.push(name.to_owned());
        match name {
            "api/paths/a.yaml" => Some(a.as_bytes().to_vec()),
            "api/schemas.yaml" => Some(schemas.as_bytes().to_vec()),
            _ => None,
        }
    });
    assert_eq!(
        asked,
        ["api/paths/a.yaml", "api/paths/missing.yaml", "api/schemas.yaml", "api/api/paths/a.yaml"]
    );
    let specification = specification.unwrap();
    let fields: Vec<String> = specification.operations[0].responses[0].bodies[0]
        .fields
        .iter()
        .map(|field| format!("{} {}", field.pointer, field.span))
        .collect();
    assert_eq!(
        fields,
        ["/next api/schemas.yaml:4:5", "/bad api/schemas.yaml:5:5", "/up api/schemas.yaml:6:5"]
    );
    assert_eq!(
        told(&diagnostics),
        "medium api/o.yaml:5:14: reference `paths/missing.yaml` to another document is not followed (what it names is left out; bundle the documents into one, or place the file beside this one)\n\
         medium api/o.yaml:6:14: reference `https://example.com/c.yaml` to another document is not followed (what it names is left out; bundle the documents into one, or place the file beside this one)\n\
         high api/schemas.yaml:5:17: reference `#/Nowhere` leads nowhere (expected a JSON pointer to a part of this document)\n\
         medium api/schemas.yaml:6:16: reference `api/paths/a.yaml#/x` to another document is not followed (what it names is left out; bundle the documents into one, or place the file beside this one)\n"
    );
}

/// Twelve levels of twelve references each would be 12^12 fields; every schema composed of every other is no better.
#[test]
fn a_small_document_stays_small() {
    let mut text = "openapi: 3.0.0\ninfo: {title: t, version: 1}\npaths:\n".to_owned();
    for n in 0..50 {
        write!(text, "  /p{n}:\n    get:\n      responses:\n        200:\n          description: ok\n          content: {{application/json: {{schema: {{allOf: [{{$ref: '#/components/schemas/S0'}}]}}}}}}\n").unwrap();
    }
    text += "components:\n  schemas:\n";
    for n in 0..12 {
        let properties: String = (0..12)
            .map(|m| {
                format!(
                    "p{m}: {{anyOf: [{{$ref: '#/components/schemas/S{}'}}, {{type: object}}]}}, ",
                    (n + m) % 12
                )
            })
            .collect();
        writeln!(
            text,
            "    S{n}: {{properties: {{{properties}}}, oneOf: [{{$ref: '#/components/schemas/S{}'}}]}}",
            (n + 1) % 12
        )
        .unwrap();
    }
    let (specification, _) = openapi::read("x", text.as_bytes());
    for operation in specification.unwrap().operations {
        assert!(operation.responses[0].bodies[0].fields.len() <= openapi::MAX_BODY_FIELDS);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_spoiled_document_is_read_or_refused(input in 0usize..3, spoils in mutated()) {
        let (path, bytes) = golden::inputs("openapi").remove(input);
        let bytes = spoils.apply(&bytes);
        let (specification, diagnostics) = openapi::read(&golden::name(&path), &bytes);
        prop_assert!(specification.is_some() || !diagnostics.is_empty());
        prop_assert!(diagnostics.len() <= probity_reader::diagnostics::MAX_DIAGNOSTICS + 1);
    }
}
