//! Contracts: no body, query or GraphQL text makes the judge panic, and what stripping leaves is valid.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use probity_model::Template;
use probity_model::bundle::contract::*;
use probity_policy::contract::{Contract, Head, json};

static STRICT: LazyLock<Contract> = LazyLock::new(|| contract(Unknown::Refuse));
static STRIPPING: LazyLock<Contract> = LazyLock::new(|| contract(Unknown::Strip));
const TYPES: [&str; 4] =
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"];

fn contract(unknown: Unknown) -> Contract {
    let rows: Vec<Arc<str>> = [
        r##"{"type":"object","required":["a"],"properties":{"a":{"type":"string","pattern":"^(?=.*a)[a-z]+$"},"b":{"$ref":"#/$defs/0"},"c":{"type":"array","items":{"oneOf":[{"type":"integer"},{"format":"date"}]},"uniqueItems":true},"d":{"anyOf":[{"properties":{"x":true},"required":["x"]},{"type":"null"}]}}}"##,
        r#"{"type":"array","items":{"type":"integer"}}"#,
    ]
    .map(Arc::from)
    .to_vec();
    let media = |name: &str| MediaContract { media_type: name.to_owned(), schema: Some(0), encoding: Vec::new() };
    let content = TYPES.map(|name| media(name.split(';').next().unwrap_or_default())).to_vec();
    let parameter = |(name, style, explode, schema): (&str, _, _, _)| ParameterContract {
        name: name.to_owned(),
        place: ParameterPlace::Query,
        required: false,
        style,
        explode,
        allow_reserved: false,
        allow_empty: false,
        content: None,
        schema: Some(schema),
    };
    let parameters = [
        ("l", ParameterStyle::Form, true, 1),
        ("p", ParameterStyle::PipeDelimited, false, 1),
        ("o", ParameterStyle::DeepObject, true, 0),
        ("f", ParameterStyle::Form, true, 0),
    ];
    let operation = OperationContract {
        parameters: parameters.map(parameter).to_vec(),
        request: Some(RequestContract { required: false, content }),
        responses: Vec::new(),
    };
    Contract::new(&ContractPolicy {
        unknown_fields: unknown,
        unknown_parameters: Unknown::Refuse,
        tables: vec![SchemaTable(rows.into())],
        operations: vec![Some(TabledContract { table: 0, contract: Arc::new(operation) })],
        graphql: Some(GraphqlPolicy { paths: vec!["/graphql".to_owned()], ..GraphqlPolicy::default() }),
        ..ContractPolicy::default()
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    match which % 6 {
        which @ 0..4 => {
            let kind = TYPES.get(usize::from(which)).copied();
            let strict = STRICT.judge_body(Some(0), "/a", kind, data);
            assert!(strict.edited.is_none());
            let stripped = STRIPPING.judge_body(Some(0), "/a", kind, data);
            if let (true, Some(left)) = (stripped.violations.is_empty(), stripped.edited) {
                assert!(json::parse(&left, &BodyLimits::default()).is_ok());
                assert!(STRICT.judge_body(Some(0), "/a", kind, &left).violations.is_empty());
            }
        }
        4 => {
            let Ok(query) = std::str::from_utf8(data) else { return };
            let template = Template::new("/a");
            let head = Head { path: "/a", query, template: &template, header: &|_| None };
            let _ = STRICT.judge_head(Some(0), &head);
        }
        _ => {
            let body = serde_json::json!({"query": String::from_utf8_lossy(data)}).to_string();
            let _ = STRICT.judge_body(None, "/graphql", Some("application/json"), body.as_bytes());
        }
    }
});
