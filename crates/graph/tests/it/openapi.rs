//! The way round: calls become a document, the document is read, and calls are judged by it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use probity_graph::observed::Fold;
use probity_graph::openapi::learned;
use probity_model::bundle::contract::{ContractPolicy, TabledContract, Unknown};
use probity_model::exchange::{Authentication, Durations, End, PathRef, Protocol, UserAgentClass};
use probity_model::inventory::{Operation, Risk, RiskTier};
use probity_model::{
    ClassHit, DataClass, Exchange, OperationId, Place, RequestId, ServiceId, Signals, Template, Timestamp,
};
use probity_policy::contract::{Contract, Head};

fn call(method: &str, template: &str, status: u16, kind: &str, fields: &[&str]) -> Exchange {
    Exchange {
        sequence: 1,
        request_id: RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        gateway: "gw".into(),
        started_at: Timestamp::default(),
        revision: 1,
        service: ServiceId::new("clinic"),
        method: method.into(),
        path: PathRef::Template(Template::new(template)),
        query: vec!["page".into(), "{token}".into()],
        status,
        end: End::Complete,
        shape: fields.len() as u64 + u64::from(status),
        shape_fields: Some(fields.iter().map(|field| (*field).into()).collect()),
        request_type: if method == "POST" { "application/json".into() } else { "".into() },
        response_type: kind.into(),
        client: None,
        user_agent: UserAgentClass::None,
        protocol: Protocol::Http11,
        tls: None,
        request_bytes: 0,
        response_bytes: 10,
        durations: Durations { total_us: 1, upstream_us: 1 },
        authentication: Authentication::none(),
        classes: vec![ClassHit {
            class: DataClass::Email,
            place: Place::ResponseBody,
            field: "/items/*/email".into(),
            count: 1,
            masked: false,
        }],
        signals: Signals::default(),
        decisions: Vec::new(),
    }
}

fn operation(method: &str, template: &str, calls: &[Exchange]) -> Operation {
    let mut fold = Fold::new(&calls[0]);
    calls.iter().for_each(|call| fold.add(call));
    let service = ServiceId::new("clinic");
    Operation {
        id: OperationId::of(&service, method, template),
        service,
        method: method.into(),
        template: Template::new(template),
        states: BTreeMap::new(),
        owner: None,
        version: None,
        audience: None,
        criticality: None,
        tags: BTreeSet::new(),
        risk: Risk { tier: RiskTier::Low, formula: String::new() },
        documented: None,
        observed: Some(fold.summary),
    }
}

#[test]
fn what_is_learned_is_read_and_enforced() {
    let list = "/clinic/patients";
    let one = "/clinic/patients/{patientId}";
    let operations = [
        operation(
            "GET",
            list,
            &[
                call("GET", list, 200, "application/json", &["/items/*/id", "/items/*/email", "/next"]),
                call("GET", list, 401, "application/problem+json", &["/title"]),
            ],
        ),
        operation("POST", list, &[call("POST", list, 201, "application/json", &["/id"])]),
        operation("DELETE", one, &[call("DELETE", one, 204, "", &[])]),
    ];
    let service = ServiceId::new("clinic");
    let document = learned(&service, &operations, "/clinic").expect("a document");
    assert_eq!(document["paths"].as_object().unwrap().len(), 2);
    let text = document.to_string();
    assert!(!text.contains("{token}"), "{text}");
    let (specification, diagnostics) = probity_reader::openapi::read("learned.json", text.as_bytes());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let specification = specification.expect("a specification");
    let seen: Vec<String> =
        specification.operations.iter().map(|known| format!("{} {}", known.method, known.template)).collect();
    assert_eq!(seen, ["GET /patients", "POST /patients", "DELETE /patients/{patientId}"]);
    let operations = specification.operations.iter().map(|known| {
        known.contract.as_ref().map(|contract| TabledContract { table: 0, contract: contract.clone() })
    });
    let contract = Contract::new(&ContractPolicy {
        unknown_response_fields: Unknown::Strip,
        unknown_parameters: Unknown::Refuse,
        tables: vec![specification.schemas.clone()],
        operations: operations.collect(),
        ..ContractPolicy::default()
    });
    let json = Some("application/json");
    let good = br#"{"items":[{"id":7,"email":"a@b.example"}],"next":null}"#;
    assert_eq!(contract.judge_answer(Some(0), 200, json, good).violations, []);
    let bad = contract.judge_answer(Some(0), 200, json, br#"{"items":[{"email":7}]}"#);
    assert_eq!(bad.violations[0].rule, "contract-response-type");
    let more = contract.judge_answer(Some(0), 200, json, br#"{"items":[{"id":1,"ssn":"x"}]}"#);
    assert_eq!(more.edited.as_deref(), Some(&br#"{"items":[{"id":1}]}"#[..]));
    let head = |query| {
        let template = Template::new("/patients");
        let header = |_: &str| None::<Cow<'_, str>>;
        contract
            .judge_head(Some(0), &Head { path: "/patients", query, template: &template, header: &header })
            .len()
    };
    assert_eq!((head("page=2"), head("debug=1")), (0, 1));
    assert!(contract.judge_body(Some(1), "/patients", json, b"{\"any\":1}").violations.is_empty());
    assert_eq!(
        contract.judge_body(Some(1), "/patients", Some("text/csv"), b"a").violations[0].rule,
        "contract-content-type"
    );
    assert!(contract.judge_answer_head(Some(2), 204, None).is_empty());
}

#[test]
fn what_is_specified_is_not_learned() {
    let mut known = operation("GET", "/a", &[call("GET", "/a", 200, "text/plain", &[])]);
    known.documented = Some(probity_model::inventory::DocumentedAt {
        span: probity_model::Span { file: "a".into(), line: 1, column: 1 },
        version: "1".to_owned(),
        newest: true,
        deprecated: false,
        sunset: None,
    });
    assert!(learned(&ServiceId::new("clinic"), &[known], "").is_none());
}
