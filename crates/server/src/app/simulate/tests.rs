//! Drafts over made-up records.

use std::net::IpAddr;

use probity_model::bundle::network::{NetworkPolicy, OriginRule};
use probity_model::bundle::{BundleOperation, BundleService, Protection, limits};
use probity_model::exchange::{
    Authentication, AuthenticationState, Durations, End, Exchange, PathRef, Protocol, UserAgentClass,
};
use probity_model::{
    Bundle, EnforcementMode, OperationId, RequestId, ServiceId, Signals, Template, Timestamp,
};

use super::{Simulation, simulate};

fn bundle(protection: Protection) -> Bundle {
    let operation = |method: &str, template: &str| BundleOperation {
        id: OperationId::of(&ServiceId::new("shop"), method, template),
        method: method.into(),
        template: Template::new(template),
        documented: true,
        durable: false,
    };
    Bundle {
        revision: 7,
        services: vec![BundleService {
            id: ServiceId::new("shop"),
            hosts: Vec::new(),
            path_prefix: "/".into(),
            strip_prefix: false,
            upstreams: Vec::new(),
            operations: vec![operation("GET", "/items/{id}"), operation("POST", "/items")],
            credential_names: Vec::new(),
            durable: false,
            protection: Some(protection),
            staged: None,
        }],
        ..probity_gateway::refusing_bundle()
    }
}

fn call(second: i64, address: &str, template: Option<&str>, state: AuthenticationState) -> Exchange {
    Exchange {
        sequence: 1,
        request_id: RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        gateway: "gw".into(),
        started_at: Timestamp(second * 1_000_000),
        revision: 7,
        service: ServiceId::new("shop"),
        method: "GET".into(),
        path: template.map_or(PathRef::Segments(Vec::new()), |text| PathRef::Template(Template::new(text))),
        query: Vec::new(),
        status: 200,
        end: End::Complete,
        shape: 0,
        shape_fields: None,
        request_type: "".into(),
        response_type: "".into(),
        client: address.parse::<IpAddr>().ok(),
        user_agent: UserAgentClass::None,
        protocol: Protocol::Http11,
        tls: None,
        request_bytes: 0,
        response_bytes: 10,
        durations: Durations::default(),
        authentication: Authentication { state, ..Authentication::none() },
        classes: Vec::new(),
        signals: Signals::default(),
        decisions: Vec::new(),
    }
}

fn draft(protection: Protection, calls: Vec<Exchange>) -> Simulation {
    let current = bundle(Protection::default());
    simulate(&current, &bundle(protection), Timestamp(0), Timestamp(1), calls.into_iter())
}

fn network(allow: &[&str]) -> NetworkPolicy {
    NetworkPolicy {
        mode: EnforcementMode::Block,
        origins: vec![OriginRule {
            name: "office".into(),
            operations: Some(vec![0]),
            allow: allow.iter().map(ToString::to_string).collect(),
            deny: Vec::new(),
            allow_countries: Vec::new(),
            deny_countries: Vec::new(),
        }],
        country_file: None,
        maintenance: None,
        retired: Vec::new(),
        retries: None,
        breaker: None,
        health: None,
    }
}

#[test]
fn calls_and_callers_that_would_change_are_counted() {
    let protection = Protection { network: Some(network(&["10.0.0.0/8"])), ..Protection::default() };
    let none = AuthenticationState::None;
    let calls = vec![
        call(1, "10.1.1.1", Some("/items/{id}"), none),
        call(2, "192.0.2.1", Some("/items/{id}"), none),
        call(3, "192.0.2.1", Some("/items/{id}"), none),
        call(4, "192.0.2.2", Some("/items/{id}"), none),
        call(5, "192.0.2.2", Some("/other"), none),
    ];
    let said = draft(protection, calls);
    assert_eq!((said.calls, said.changed, said.consumers, said.newly_refused), (5, 3, 2, 3));
    assert_eq!(said.rules.len(), 1);
    assert_eq!((said.rules[0].rule.as_str(), said.rules[0].calls), ("gateway-origin-office", 3));
    assert_eq!(said.undecided_calls, 0);
}

#[test]
fn limits_are_counted_over_the_records() {
    let limit = limits::Limit {
        name: "each".into(),
        mode: EnforcementMode::Block,
        by: vec![limits::LimitKey::Address],
        applies: limits::LimitMatch::default(),
        algorithm: limits::LimitAlgorithm::SlidingWindow { limit: 2, window_ms: 60_000 },
        cost: limits::LimitCost { call: 1, request_kib: 0 },
    };
    let policy: limits::LimitPolicy = serde_json::from_value(serde_json::json!({
        "mode": "block", "limits": [limit], "announce": false, "sign_in": [], "escalations": [],
    }))
    .unwrap();
    let protection = Protection { limits: Some(policy), ..Protection::default() };
    let none = AuthenticationState::None;
    let calls = (1..=4)
        .map(|second| call(second, "192.0.2.1", Some("/items/{id}"), none))
        .chain([call(5, "192.0.2.2", Some("/items/{id}"), none)])
        .collect();
    let said = draft(protection, calls);
    assert_eq!((said.changed, said.consumers), (2, 1));
    assert_eq!(said.rules[0].rule, "gateway-limit-each");
}

#[test]
fn what_no_record_holds_is_not_guessed() {
    let identity = serde_json::from_value(serde_json::json!({
        "mode": "block", "needs": [{"public": false}], "operations": [0, 0], "unknown": 0, "forward_credential": "keep",
    }))
    .unwrap();
    let protection = Protection { identity: Some(identity), ..Protection::default() };
    let calls = vec![
        call(1, "192.0.2.1", Some("/items/{id}"), AuthenticationState::None),
        call(2, "192.0.2.1", Some("/items/{id}"), AuthenticationState::Presented),
        call(3, "192.0.2.1", Some("/items/{id}"), AuthenticationState::Verified),
    ];
    let said = draft(protection, calls);
    assert_eq!((said.newly_refused, said.undecided_calls), (1, 1));
    assert_eq!(said.rules[0].rule, "gateway-credential-missing");
    assert_eq!(said.undecided[0].rule, "gateway-credential-unknown");
}
