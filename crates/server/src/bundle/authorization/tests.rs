use std::path::Path;
use std::sync::Arc;

use probity_graph::{ServiceSources, Sources};
use probity_model::ServiceId;

use super::*;
use crate::sources::Loaded;

const NEWEST: &str = r#"{
  "openapi": "3.1.0", "info": {"title": "Clinic", "version": "2.0"},
  "security": [{"oauth": ["read"]}],
  "paths": {
    "/v2/sessions": {"post": {"security": [], "responses": {}}},
    "/v2/patients/{patientId}": {"get": {"tags": ["patients"], "responses": {}}},
    "/v2/patients": {
      "get": {"tags": ["patients"], "security": [{"oauth": ["read", "list"]}, {"other": ["all"]}], "responses": {}},
      "post": {"tags": ["patients"], "security": [{"oauth": ["write"]}, {"key": []}], "responses": {}}
    },
    "/v2/admin/users/{userId}/role": {"put": {"tags": ["admin"], "responses": {}}}
  },
  "components": {"securitySchemes": {
    "oauth": {"type": "oauth2", "flows": {}}, "other": {"type": "oauth2", "flows": {}},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"}
  }}
}"#;
const OLDER: &str = r#"{
  "openapi": "3.1.0", "info": {"title": "Clinic", "version": "1.0"},
  "paths": {"/v1/patients": {"get": {"responses": {}}}, "/v2/patients": {"get": {"responses": {}}}}
}"#;

fn read(authorization: &str) -> Result<Loaded, String> {
    let indented: String = authorization.lines().map(|line| format!("        {line}\n")).collect();
    let text = format!(
        "version: 1\nservices:\n  - name: clinic\n    upstreams: [{{url: \"http://127.0.0.1:1\"}}]\n    \
         protect:\n      mode: block\n      authorization:\n        hold: 64KiB\n{indented}"
    );
    Loaded::parse(Path::new("/srv/probity.yaml"), text)
        .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))
}

fn compiled_over(documents: &[&str], authorization: &str) -> Result<AuthorizationPolicy, String> {
    let loaded = read(authorization)?;
    let service = &loaded.config.services[0];
    let id = ServiceId::new("clinic");
    let specifications: Vec<_> = documents
        .iter()
        .map(|text| Arc::new(probity_reader::openapi::read("openapi.json", text.as_bytes()).0.unwrap()))
        .collect();
    let sources = Sources {
        services: [(id.clone(), ServiceSources { specifications, ..Default::default() })]
            .into_iter()
            .collect(),
    };
    let operations = super::super::operations(service, &sources);
    let context = Context {
        loaded: &loaded,
        service,
        sources: &sources,
        operations: &operations,
        mode: EnforcementMode::Block,
    };
    let config = service.protect.as_ref().unwrap().authorization.as_ref().unwrap();
    Ok(compile(&context, config)?.unwrap())
}

fn compiled(authorization: &str) -> Result<AuthorizationPolicy, String> {
    compiled_over(&[NEWEST, OLDER], authorization)
}

/// Methods and templates in the order in which they stand in the bundle, by which rules are shown.
fn at(method: &str, template: &str) -> u32 {
    let found = [NEWEST, OLDER]
        .iter()
        .flat_map(|text| probity_reader::openapi::read("openapi.json", text.as_bytes()).0.unwrap().operations)
        .filter({
            let mut seen = std::collections::HashSet::new();
            move |operation| seen.insert((operation.method.clone(), operation.template.clone()))
        })
        .position(|operation| &*operation.method == method && operation.template.as_str() == template);
    u32::try_from(found.unwrap()).unwrap()
}

#[test]
fn what_only_an_older_document_has_is_unknown() {
    let policy = compiled("").unwrap();
    let unknown = policy.unknown.unwrap();
    assert_eq!((unknown.mode, unknown.status), (EnforcementMode::Block, 404));
    assert_eq!(unknown.superseded, [at("GET", "/v1/patients")]);
    assert_eq!((policy.access, policy.unlisted, policy.hold_bytes), (vec![], None, Some(65_536)));
    assert_eq!(compiled("unknown_operations: off").unwrap().unknown, None);
    let observed = compiled("unknown_operations: observe\nunknown_status: 403").unwrap().unknown.unwrap();
    assert_eq!((observed.mode, observed.status), (EnforcementMode::Observe, 403));
    assert!(compiled_over(&[], "").unwrap_err().contains("every call would be refused"));
    assert!(compiled_over(&[], "unknown_operations: observe").is_ok());
}

#[test]
fn scopes_of_the_specification_become_rules() {
    let policy = compiled("scopes_from_specification: true\nunlisted_operations: observe").unwrap();
    let shown: Vec<_> = policy
        .access
        .iter()
        .map(|rule| {
            let scopes: Vec<String> = rule.scopes.iter().map(|all| all.join("+")).collect();
            (scopes.join("|"), rule.operations.clone())
        })
        .collect();
    let mut read = vec![at("GET", "/v2/patients/{patientId}"), at("PUT", "/v2/admin/users/{userId}/role")];
    read.sort_unstable();
    assert_eq!(
        shown,
        [("all|list+read".to_owned(), vec![at("GET", "/v2/patients")]), ("read".to_owned(), read)]
    );
    let mut unlisted = vec![at("POST", "/v2/patients"), at("GET", "/v1/patients")];
    unlisted.sort_unstable();
    assert_eq!(policy.unlisted.unwrap().operations, unlisted);
}

#[test]
fn rules_select_by_path_and_tag() {
    let policy = compiled(
        r#"
rules:
  - {name: administration, tags: [admin], roles: [admin]}
  - {operations: ["* /v2/**"], except: ["POST /v2/sessions"], scopes: [a, b], kinds: [user], mode: observe}
objects:
  - {operations: ["GET /v2/patients/{patientId}"], object: {path: patientId}, equals: patient_id, unless_roles: [staff]}
  - {operations: ["GET /v2/patients"], object: {answer: "/items/*/id"}, equals: tenant, status: 404}
  - {tags: [patients], object: {header: X-Tenant}, equals: tenant}
learned_objects:
  - learn: [{operations: ["GET /v2/patients"], ids: "/items/*/id"}]
    operations: ["GET /v2/patients/{id}"]
    object: {path: patientId}
    warm_up: 10m
properties:
  - {operations: ["GET /v2/patients"], roles: [staff], not_readable: ["/items/*/ssn"], writable: [], undeclared: refuse}
"#,
    )
    .unwrap();
    let [admin, all] = policy.access.as_slice() else { panic!() };
    assert_eq!((&*admin.name, admin.mode), ("administration", EnforcementMode::Block));
    assert_eq!(admin.operations, [at("PUT", "/v2/admin/users/{userId}/role")]);
    assert_eq!((&*all.name, all.mode, all.operations.len()), ("* /v2/**", EnforcementMode::Observe, 4));
    assert!(!all.operations.contains(&at("POST", "/v2/sessions")));
    assert_eq!(all.scopes, [vec!["a".into(), "b".into()]]);
    let [patient, list, tenant] = policy.objects.as_slice() else { panic!() };
    assert_eq!((patient.status, patient.required), (403, false));
    assert_eq!(patient.owner, Owner::Attribute("patient_id".into()));
    assert_eq!((list.status, list.required), (404, true));
    assert_eq!((&tenant.object, tenant.operations.len()), (&ObjectPlace::Header("x-tenant".into()), 3));
    assert_eq!(policy.learned[0].warm_up_ms, 600_000);
    assert_eq!(policy.properties[0].readable, Some(Fields::Except(vec!["/items/*/ssn".into()])));
    assert_eq!(policy.properties[0].writable, Some(Fields::Only(vec![])));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    #[track_caller]
    fn check(authorization: &str, expected: &str) {
        let found = compiled(authorization).unwrap_err();
        assert!(found.contains(expected), "{found}");
    }
    check("unknown_status: 410", "expected 403 or 404");
    check("rules: [{roles: [a]}]", "rules[0]: no operation is selected");
    check("rules: [{tags: [a]}]", "has the tag `a`");
    check("rules: [{operations: [\"GET /v2/patient\"]}]", "is about no operation");
    check("rules: [{tags: [admin], attributes: {a: []}}]", "attribute `a` has no value");
    check("rules: [{tags: [admin], except: [\"* /**\"]}]", "every operation is left out");
    check("objects: [{tags: [admin], equals: a}]", "names not one place");
    check("objects: [{tags: [admin], object: {path: a, query: b}, equals: a}]", "names not one place");
    check("objects: [{tags: [admin], object: {query: b}}]", "`equals` is empty");
    check(
        "objects: [{tags: [patients], object: {path: patientId}, equals: a}]",
        "has no variable `patientId`",
    );
    check("objects: [{tags: [admin], object: {body: a}, equals: a}]", "is no JSON pointer");
    check("objects: [{tags: [admin], object: {body: /a}, equals: a, status: 401}]", "expected 403 or 404");
    check("learned_objects: [{tags: [admin], object: {answer: /a}}]", "comes too late");
    check("learned_objects: [{tags: [admin], object: {query: a}}]", "`learn` is empty");
    check("properties: [{tags: [admin]}]", "no field is named");
    check("properties: [{tags: [admin], readable: [/a], not_readable: [/b]}]", "expected one of them");
    check("rule: []", "unknown");
}
