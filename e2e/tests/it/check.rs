//! `probity check`: specification files before anything runs.

use crate::binary::{Place, finish, repository};

const CLEAN: &str = r#"openapi: 3.1.0
info: {title: Clean, version: "1.0"}
x-owner: team-shop
servers: [{url: "https://shop.example"}]
security: [{token: []}]
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
paths:
  /state:
    get:
      operationId: state
      x-data-class: public
      responses:
        "200":
          description: Whether the shop is open
          content:
            application/json:
              schema:
                type: object
                additionalProperties: false
                required: [open]
                properties:
                  open: {type: boolean, x-data-class: public}
        "401": {description: No credential}
        "429": {description: Too many calls}
"#;

#[test]
fn a_clean_document_is_clean() {
    let place = Place::new();
    let file = place.write("openapi.yaml", CLEAN);
    let file = file.to_str().unwrap();
    place.run(["check", file, "--fail-on", "info"]).exits(0).says("1 files, 1 operations, 0 findings");
    place.run(["check", &place.text("")]).exits(0).says("1 files, 1 operations, 0 findings");
    assert!(!place.data().exists());
}

#[test]
fn the_gate_closes_at_the_severity_that_was_named() {
    let place = Place::new();
    let open = CLEAN.replace("security: [{token: []}]\n", "");
    let file = place.write("openapi.yaml", open);
    let file = file.to_str().unwrap();
    let rows = [("critical", 0), ("high", 0), ("medium", 1), ("low", 1), ("info", 1), ("grave", 2)];
    for (severity, code) in rows {
        place.run(["check", file, "--fail-on", severity]).exits(code);
    }
    let answer = place.run(["check", file]).exits(0);
    answer
        .says("openapi.yaml\n")
        .says("  10:5  medium   PRB-auth-none-anywhere GET /state")
        .says("owasp-api-2023/API2:2023");
}

/// Each fault that is planted in the clinic's specifications is found by the check that judges it, at a line of that file.
#[test]
fn planted_faults_of_specifications_are_found() {
    let place = Place::new();
    let mut command = place.command(["check", "--format", "json", "--fail-on", "critical"]);
    command.arg(repository("examples/clinic"));
    let report = finish(command).exits(0).json();
    let rows = [
        ("openapi.yaml", 14, "PRB-tls-server-http"),
        ("openapi.yaml", 49, "PRB-rl-429"),
        ("openapi.yaml", 998, "PRB-auth-apikey-in-url"),
        ("openapi.yaml", 1169, "PRB-extra-props"),
        ("openapi-v1.yaml", 19, "PRB-ver-past-sunset"),
    ];
    for (file, line, rule) in rows {
        let found = report["findings"].as_array().unwrap().iter().any(|finding| {
            finding["rule"] == rule
                && finding["span"]["line"] == line
                && finding["span"]["file"].as_str().unwrap().ends_with(&format!("/{file}"))
        });
        assert!(found, "{rule} at {file}:{line} in {report:#}");
    }
}

#[test]
fn broken_documents_are_told_with_their_places() {
    let place = Place::new();
    let rows: &[(&str, i32, &[&str])] = &[
        (
            "openapi: 3.1.0\ninfo: {title: x\npaths:\n",
            3,
            &["not read: ", "broken.yaml:3:6: not valid YAML", "incomplete"],
        ),
        (
            "hello: 1\n",
            3,
            &["broken.yaml:1:1: ", "expected `openapi: 3.0.x` or `openapi: 3.1.x`", "incomplete"],
        ),
        (
            "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths:\n  /a:\n    get:\n      responses: [1]\n  /b: 7\n",
            1,
            &[
                "6:18  high     PRB-specification-structure `responses` is a list",
                "7:3  high ",
                "expected a mapping of methods",
            ],
        ),
    ];
    let file = place.text("broken.yaml");
    for (text, code, words) in rows {
        place.write("broken.yaml", text);
        let answer = place.run(["check", &file]).exits(*code);
        words.iter().fold(answer, |answer, word| answer.says(word));
    }
    place.run(["check", &place.text("gone.yaml")]).exits(3).says("cannot be read");
    std::fs::create_dir(place.path("empty")).unwrap();
    place.run(["check", &place.text("empty")]).exits(3).says("no OpenAPI document below it");
    // One that is clean does not hide one that could not be read.
    place.write("clean.yaml", CLEAN);
    place.write("broken.yaml", "openapi: 3.1.0\npaths: {");
    place.run(["check", &place.text("clean.yaml"), &file]).exits(3).says("2 files").says("incomplete");
}

#[test]
fn the_clinic_s_document_has_findings_at_their_lines() {
    let file = repository("examples/clinic/openapi.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let checked = Place::new().json(["check", &file, "--fail-on", "critical"]);
    let operations = text.lines().filter(|line| line.trim_start().starts_with("operationId:")).count();
    assert_eq!(
        (checked["files"].as_u64(), checked["operations"].as_u64()),
        (Some(1), Some(operations as u64))
    );
    let findings = checked["findings"].as_array().unwrap();
    assert!(!findings.is_empty() && checked["incomplete"] == false);
    for finding in findings {
        let line = finding["span"]["line"].as_u64().unwrap() as usize;
        let expected = match finding["rule"].as_str().unwrap() {
            "PRB-tls-server-http" => "- url: http://staging.clinic.example".to_owned(),
            "PRB-auth-apikey-in-url" => "partnerKeyInQuery:".to_owned(),
            "PRB-extra-props" => "additionalProperties: true".to_owned(),
            // The message begins with the operation.
            _ => finding["message"].as_str().unwrap().split(' ').next().unwrap().to_lowercase() + ":",
        };
        let found = text.lines().nth(line - 1).unwrap();
        assert!(found.trim_start().starts_with(&expected), "{line}: `{found}` of {finding}");
        assert!(
            finding["fix"].is_string() && !finding["controls"].as_array().unwrap().is_empty(),
            "{finding}"
        );
    }
}
