//! Contracts through the gateway: what is refused, flagged, stripped, and what the upstream sees of it.

use std::sync::Arc;

use http_body_util::BodyExt;
use probity_model::bundle::contract::*;
use probity_model::bundle::{Bundle, Protection};
use probity_model::exchange::End;
use probity_model::{Action, EnforcementMode, Exchange, Place};

use crate::harness::*;

const PATIENT: &str = r#"{"type":"object","required":["name"],"properties":{"id":{"type":"integer","readOnly":true},"name":{"type":"string","maxLength":20},"age":{"type":"integer"}}}"#;
const IDENTIFIER: &str = r#"{"type":"integer","minimum":1}"#;

fn media(media_type: &str, schema: u32) -> MediaContract {
    MediaContract { media_type: media_type.into(), schema: Some(schema), encoding: Vec::new() }
}

fn policy(mode: EnforcementMode) -> ContractPolicy {
    let id = ParameterContract {
        name: "id".into(),
        place: ParameterPlace::Path,
        required: true,
        style: ParameterStyle::Simple,
        explode: false,
        allow_reserved: false,
        allow_empty: false,
        content: None,
        schema: Some(1),
    };
    let json = || vec![media("application/json", 0)];
    let answers = || vec![ResponseContract { status: "200".into(), content: json() }];
    let post = OperationContract {
        request: Some(RequestContract { required: true, content: json() }),
        responses: answers(),
        ..OperationContract::default()
    };
    let get =
        OperationContract { parameters: vec![id], responses: answers(), ..OperationContract::default() };
    let tabled = |contract| Some(TabledContract { table: 0, contract: Arc::new(contract) });
    ContractPolicy {
        mode,
        responses: mode,
        unknown_fields: Unknown::Refuse,
        unknown_response_fields: Unknown::Refuse,
        unknown_parameters: Unknown::Refuse,
        limits: BodyLimits { body_bytes: 1_000, ..BodyLimits::default() },
        tables: vec![SchemaTable(vec![Arc::from(PATIENT), Arc::from(IDENTIFIER)].into())],
        operations: vec![tabled(post), tabled(get), None],
        ..ContractPolicy::default()
    }
}

async fn bundle_of(upstream: std::net::SocketAddr, policy: ContractPolicy) -> Bundle {
    let mut bundle = bundle(&[upstream]);
    bundle.services[0].operations = vec![
        operation("clinic", "POST", "/patients"),
        operation("clinic", "GET", "/patients/{id}"),
        operation("clinic", "POST", "/free"),
    ];
    bundle.services[0].protection = Some(Protection { contract: Some(policy), ..Protection::default() });
    bundle
}

/// Answers with the body that it was sent, as JSON, or with what stands in `x-answer`.
async fn mirror() -> std::net::SocketAddr {
    origin(|request| async move {
        let told = request.headers().get("x-answer").map(|value| value.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        match told {
            Some(told) => answer(200, "application/json", told),
            None if body.is_empty() => answer(200, "application/json", r#"{"name":"x"}"#),
            None => answer(200, "application/json", body),
        }
    })
    .await
}

fn post(path: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn decided(record: &Exchange) -> Vec<(String, Action, String)> {
    let told = record.decisions.iter();
    told.map(|told| (told.rule.as_str().to_owned(), told.action, told.input.field.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_break_the_contract_are_refused() {
    let bench = Bench::start(&bundle_of(mirror().await, policy(EnforcementMode::Block)).await).await;
    let json = "application/json";
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(2_000));
    for (request, expected, rule, field) in [
        (post("/patients", json, r#"{"name":"x","age":7}"#), 200, "", ""),
        (post("/patients", json, r#"{"name":7}"#), 422, "contract-body-type", "/name"),
        (post("/patients", json, "{}"), 422, "contract-body-required", "/name"),
        (post("/patients", json, r#"{"name":"x","role":"admin"}"#), 422, "contract-unknown-field", "/role"),
        (post("/patients", json, r#"{"name":"x","id":1}"#), 422, "contract-read-only", "/id"),
        (post("/patients", json, r#"{"name":"x","name":"y"}"#), 400, "contract-body-duplicate-key", ""),
        (post("/patients", json, "{"), 400, "contract-body-syntax", ""),
        (post("/patients", "text/plain", "x"), 415, "contract-content-type", ""),
        (post("/patients", json, ""), 400, "contract-body-missing", ""),
        (post("/patients", json, &long), 413, "contract-body-size", ""),
        (post("/free", json, &"[".repeat(50)), 400, "contract-body-depth", ""),
        (post("/free", json, "[1]"), 200, "", ""),
        ("GET /patients/7 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 200, "", ""),
        ("GET /patients/x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "contract-parameter-type", "id"),
        (
            "GET /patients/7?debug=1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            400,
            "contract-unknown-parameter",
            "debug",
        ),
    ] {
        let told = bench.connect().await.ask(&request).await;
        assert_eq!(status(&told), expected, "{request} {told}");
        let record = bench.record();
        if rule.is_empty() {
            assert_eq!((record.end, decided(&record)), (End::Complete, vec![]), "{request}");
            continue;
        }
        assert_eq!(record.end, End::Refused, "{request}");
        assert_eq!(decided(&record), [(rule.to_owned(), Action::Refuse, field.to_owned())], "{request}");
        assert_eq!(header(&told, "content-type"), Some("application/problem+json"));
        assert!(body(&told).contains(rule) && !body(&told).contains("admin"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_bodies_are_decided_whole() {
    let bench = Bench::start(&bundle_of(mirror().await, policy(EnforcementMode::Block)).await).await;
    let head = "POST /patients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let told = bench.connect().await.ask(&format!("{head}8\r\n{{\"name\":\r\n2\r\n7}}\r\n0\r\n\r\n")).await;
    assert_eq!(status(&told), 422, "{told}");
    let told =
        bench.connect().await.ask(&format!("{head}8\r\n{{\"name\":\r\n4\r\n\"x\"}}\r\n0\r\n\r\n")).await;
    assert_eq!(status(&told), 200, "{told}");
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    let told = bench.connect().await.ask(&format!("{head}{chunk}")).await;
    assert_eq!(status(&told), 413, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_tells_and_passes() {
    let bench = Bench::start(&bundle_of(mirror().await, policy(EnforcementMode::Observe)).await).await;
    let sent = r#"{"name":7,"role":"admin"}"#;
    let told = bench.connect().await.ask(&post("/patients", "application/json", sent)).await;
    assert_eq!((status(&told), body(&told)), (200, sent));
    let record = bench.record();
    let rules = decided(&record);
    assert!(
        rules.contains(&("contract-body-type".to_owned(), Action::Flag, "/name".to_owned())),
        "{rules:?}"
    );
    assert!(
        rules.contains(&("contract-response-type".to_owned(), Action::Flag, "/name".to_owned())),
        "{rules:?}"
    );
    assert!(record.decisions.iter().all(|told| told.mode == EnforcementMode::Observe));
    assert!(!format!("{record:?}").contains("admin"));
    let long = format!("{{\"name\":\"x\",\"age\":1{}}}", " ".repeat(2_000));
    let told = bench.connect().await.ask(&post("/patients", "application/json", &long)).await;
    assert_eq!((status(&told), body(&told)), (200, long.as_str()));
    assert_eq!(decided(&bench.record()), [("contract-body-size".to_owned(), Action::Flag, String::new())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undeclared_fields_are_stripped() {
    let strip = ContractPolicy {
        unknown_fields: Unknown::Strip,
        unknown_response_fields: Unknown::Strip,
        ..policy(EnforcementMode::Block)
    };
    let bench = Bench::start(&bundle_of(mirror().await, strip).await).await;
    let sent = r#"{"name":"x","role":"admin"}"#;
    let told = bench.connect().await.ask(&post("/patients", "application/json", sent)).await;
    assert_eq!((status(&told), body(&told)), (200, r#"{"name":"x"}"#));
    assert_eq!(
        decided(&bench.record()),
        [("contract-unknown-field".to_owned(), Action::Change, "/role".to_owned())]
    );
    // What the upstream says too much never reaches the client.
    let request =
        "GET /patients/7 HTTP/1.1\r\nHost: a\r\nX-Answer: {\"ssn\":\"078-05-1120\",\"name\":\"x\"}\r\n\r\n";
    let told = bench.connect().await.ask(request).await;
    assert_eq!((status(&told), body(&told)), (200, r#"{"name":"x"}"#));
    let record = bench.record();
    assert_eq!(
        decided(&record),
        [("contract-response-unknown-field".to_owned(), Action::Change, "/ssn".to_owned())]
    );
    assert_eq!(record.decisions[0].input.place, Some(Place::ResponseBody));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_break_the_contract_become_problems() {
    let bench = Bench::start(&bundle_of(mirror().await, policy(EnforcementMode::Block)).await).await;
    let ask = |answer: &str| format!("GET /patients/7 HTTP/1.1\r\nHost: a\r\nX-Answer: {answer}\r\n\r\n");
    for (answer, rule, field) in [
        (r#"{"name":7}"#, "contract-response-type", "/name"),
        (r#"{"name":"x","ssn":"078-05-1120"}"#, "contract-response-unknown-field", "/ssn"),
        ("<html>", "contract-response-syntax", ""),
    ] {
        let told = bench.connect().await.ask(&ask(answer)).await;
        assert_eq!(status(&told), 502, "{told}");
        assert!(!body(&told).contains("078"), "{told}");
        assert_eq!(decided(&bench.record()), [(rule.to_owned(), Action::Refuse, field.to_owned())]);
    }
    let told = bench.connect().await.ask(&ask(r#"{"id":1,"name":"x"}"#)).await;
    assert_eq!(status(&told), 200, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_have_modes_of_their_own() {
    let policy = ContractPolicy { responses: EnforcementMode::Observe, ..policy(EnforcementMode::Block) };
    let bench = Bench::start(&bundle_of(mirror().await, policy).await).await;
    let told = bench.connect().await.ask("GET /patients/7 HTTP/1.1\r\nHost: a\r\nX-Answer: {}\r\n\r\n").await;
    assert_eq!(status(&told), 200);
    assert_eq!(
        decided(&bench.record()),
        [("contract-response-required".to_owned(), Action::Flag, "/name".to_owned())]
    );
    let told = bench.connect().await.ask("GET /patients/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&told), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_stream_where_the_operation_lets_them() {
    let rules = vec![OperationRule { operation: 2, body_bytes: None, oversize: Some(Oversize::Stream) }];
    let bench = Bench::start(
        &bundle_of(mirror().await, ContractPolicy { rules, ..policy(EnforcementMode::Block) }).await,
    )
    .await;
    let long = "x".repeat(300_000);
    let told = bench.connect().await.ask(&post("/free", "application/octet-stream", &long)).await;
    assert_eq!((status(&told), body(&told).len()), (200, long.len()));
    assert_eq!(decided(&bench.record()), [("contract-body-size".to_owned(), Action::Flag, String::new())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_is_measured() {
    let graphql = GraphqlPolicy { paths: vec!["/graphql".into()], ..GraphqlPolicy::default() };
    let bench = Bench::start(
        &bundle_of(
            mirror().await,
            ContractPolicy { graphql: Some(graphql), ..policy(EnforcementMode::Block) },
        )
        .await,
    )
    .await;
    let ask = |query: &str| post("/graphql", "application/json", &format!("{{\"query\":\"{query}\"}}"));
    let told = bench.connect().await.ask(&ask("{patients{name}}")).await;
    assert_eq!(status(&told), 200, "{told}");
    let told = bench.connect().await.ask(&ask("{__schema{types{name}}}")).await;
    assert_eq!(status(&told), 400, "{told}");
    let told = bench.connect().await.ask(&ask(&format!("{}a{}", "{a".repeat(20), "}".repeat(20)))).await;
    assert_eq!(status(&told), 400, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_another_length_is_refused() {
    let mut bundle = bundle_of(mirror().await, policy(EnforcementMode::Block)).await;
    let bench = Bench::start(&bundle).await;
    bundle.revision = 2;
    bundle.services[0].operations.pop();
    let refused = bench.gateway.apply(sign(&bundle)).expect_err("a refusal");
    assert!(refused.to_string().contains("contract"), "{refused}");
}
