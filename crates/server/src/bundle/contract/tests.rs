use std::path::Path;

use probity_graph::{ServiceSources, Sources};
use probity_model::bundle::BundleOperation;
use probity_model::bundle::contract::Oversize;
use probity_model::{OperationId, ServiceId, Template};

use super::*;
use crate::sources::Loaded;

fn read(contract: &str) -> Result<Loaded, String> {
    let indented: String = contract.lines().map(|line| format!("        {line}\n")).collect();
    let text = format!(
        "version: 1\nservices:\n  - name: clinic\n    upstreams: [{{url: \"http://127.0.0.1:1\"}}]\n    \
         protect:\n      mode: block\n      contract:\n{indented}"
    );
    Loaded::parse(Path::new("/srv/probity.yaml"), text)
        .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))
}

fn specification(version: &str, schema: &str) -> Arc<probity_model::specification::Specification> {
    let text = format!(
        "openapi: 3.1.0\ninfo: {{title: t, version: '{version}'}}\npaths:\n  /patients:\n    post:\n      \
         requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}\n      responses: {{'200': {{description: d}}}}\n"
    );
    Arc::new(probity_reader::openapi::read("api.yaml", text.as_bytes()).0.expect("a document"))
}

fn compiled(contract: &str, schemas: &[&str]) -> Result<Option<ContractPolicy>, String> {
    let loaded = read(contract)?;
    let service = &loaded.config.services[0];
    let id = ServiceId::new("clinic");
    let operations = [("POST", "/patients"), ("GET", "/patients/{id}")];
    let operations: Vec<BundleOperation> = operations
        .map(|(method, template)| BundleOperation {
            id: OperationId::of(&id, method, template),
            method: method.into(),
            template: Template::new(template),
            documented: true,
            durable: false,
        })
        .into();
    let specifications =
        schemas.iter().enumerate().map(|(n, schema)| specification(&format!("{n}"), schema)).collect();
    let source = ServiceSources { specifications, ..ServiceSources::default() };
    let sources = Sources { services: [(id, source)].into() };
    let mode = EnforcementMode::Block;
    let context = Context { loaded: &loaded, service, sources: &sources, operations: &operations, mode };
    let config = service.protect.as_ref().unwrap().contract.as_ref().unwrap();
    compile(&context, config)
}

#[test]
fn stands_beside_the_operations() {
    let policy = compiled("{}", &["{type: integer}", "{type: string}"]).unwrap().unwrap();
    assert_eq!((policy.mode, policy.responses), (EnforcementMode::Block, EnforcementMode::Observe));
    assert_eq!((policy.unknown_fields, policy.unknown_response_fields), (Unknown::Refuse, Unknown::Flag));
    assert_eq!(policy.tables.len(), 2);
    let [Some(first), None] = policy.operations.as_slice() else { panic!("{:?}", policy.operations) };
    // The first document is the newest.
    let row = first.contract.request.as_ref().unwrap().content[0].schema.unwrap();
    assert_eq!(&*policy.tables[first.table as usize].0[row as usize], r#"{"type":"integer"}"#);
}

#[test]
fn reads_every_key() {
    let policy = compiled(
        "requests: observe\nresponses: block\nunknown_fields: strip\nunknown_response_fields: strip\n\
         unknown_parameters: allow\nlimits: {body: 2MiB, json_depth: 5, oversize: stream}\n\
         operations: {\"POST /patients\": {body: 10MiB, oversize: refuse}}\n\
         graphql: {paths: [/q], depth: 3, costs: {patients: 7}, introspection: true}\n",
        &["{}"],
    )
    .unwrap()
    .unwrap();
    assert_eq!((policy.mode, policy.responses), (EnforcementMode::Observe, EnforcementMode::Block));
    assert_eq!((policy.limits.body_bytes, policy.limits.json_depth), (2 << 20, 5));
    assert_eq!(policy.limits.oversize, Oversize::Stream);
    assert_eq!(
        policy.rules,
        [OperationRule { operation: 0, body_bytes: Some(10 << 20), oversize: Some(Oversize::Refuse) }]
    );
    let graphql = policy.graphql.unwrap();
    assert_eq!(
        (graphql.paths, graphql.limits.depth, graphql.limits.introspection),
        (vec!["/q".to_owned()], 3, true)
    );
    assert!(compiled("mode: \"off\"", &["{}"]).unwrap().is_none());
}

#[test]
fn refuses_what_cannot_be_enforced() {
    let pattern = "{type: string, pattern: '(a)\\1'}";
    let told = compiled("{}", &[pattern]).unwrap_err();
    assert!(told.contains("back reference") && told.contains("undecidable: flag"), "{told}");
    assert!(compiled("undecidable: flag", &[pattern]).is_ok());
    assert!(compiled("mode: observe", &[pattern]).is_ok());
    let told = compiled("operations: {\"GET /none\": {body: 1MiB}}", &["{}"]).unwrap_err();
    assert!(told.contains("`GET /none` is not specified"), "{told}");
    assert!(read("unknown_field: refuse").is_err());
    let told = compiled("graphql: {schema: nowhere.graphql}", &["{}"]).unwrap_err();
    assert!(told.contains("cannot be read"), "{told}");
}
