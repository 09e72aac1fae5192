//! What is known of an operation before and after a rule that refuses came into force.

use std::sync::Arc;

use probity_graph::decided::Origin;
use probity_graph::facts;
use probity_graph::reconcile::{View, reconcile};
use probity_graph::{Inventory, Reconciled, RiskRules, Sources};
use probity_model::decision::{Action, DecisionInput, EnforcementMode};
use probity_model::exchange::{
    Authentication, AuthenticationState, Durations, End, PathRef, Protocol, UserAgentClass,
};
use probity_model::{
    CheckId, ClassHit, DataClass, Decision, Exchange, GatewayId, Place, RequestId, RuleId, ServiceId,
    Signals, SubjectFacts, Template, Timestamp,
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000_000);

fn call(sequence: u64, revision: u64) -> Exchange {
    Exchange {
        sequence,
        request_id: RequestId::from_parts(0, [0; 10]),
        gateway: GatewayId::new("gw-1"),
        started_at: NOW,
        revision,
        service: ServiceId::new("clinic"),
        method: Arc::from("GET"),
        path: PathRef::Template(Template::new("/v2/cards/{id}")),
        query: Vec::new(),
        status: 200,
        end: End::Complete,
        shape: 1,
        shape_fields: None,
        request_type: Arc::from(""),
        response_type: Arc::from("application/json"),
        client: Some("198.51.100.7".parse().unwrap()),
        user_agent: UserAgentClass::Library,
        protocol: Protocol::Http11,
        tls: None,
        request_bytes: 0,
        response_bytes: 100,
        durations: Durations::default(),
        authentication: Authentication { state: AuthenticationState::None, ..Authentication::none() },
        classes: vec![ClassHit {
            class: DataClass::CardNumber,
            place: Place::ResponseBody,
            field: "/number".into(),
            count: 1,
            masked: false,
        }],
        signals: Signals::default(),
        decisions: Vec::new(),
    }
}

fn decision(rule: &str, mode: EnforcementMode, action: Action) -> Decision {
    Decision {
        check: CheckId::new("pan-mask"),
        rule: RuleId::new(rule),
        mode,
        action,
        input: DecisionInput {
            place: Some(Place::ResponseBody),
            field: "/number".into(),
            class: Some(DataClass::CardNumber),
            found: "whole".into(),
        },
        revision: 2,
    }
}

fn enforce(inventory: &mut Inventory, revision: u64, rules: &str) {
    let rules = [("GET /v2/cards/{id}".to_owned(), rules.to_owned())];
    inventory.enforce(&ServiceId::new("clinic"), revision, rules);
}

fn reconciled(inventory: &mut Inventory) -> Reconciled {
    let risk = RiskRules {
        rules: Vec::new(),
        otherwise: probity_model::inventory::RiskTier::Low,
        raised_by: probity_model::Severity::High,
    };
    let findings = Default::default();
    let view = View { at: NOW, window_us: 1, risk: &risk, findings: &findings };
    reconcile(inventory, &Sources::default(), view)
}

fn stated(inventory: &mut Inventory) -> (SubjectFacts, Option<SubjectFacts>) {
    let reconciled = reconciled(inventory);
    let operation = reconciled.operations.first().unwrap();
    let recent = facts::of_operation(operation, &reconciled, inventory, "gw-1", NOW);
    (recent, facts::since_enforced(operation, &reconciled, inventory, "gw-1", NOW))
}

fn value<'a>(facts: &'a SubjectFacts, key: &str) -> &'a Value {
    &facts.facts[key][0].value
}

#[test]
fn what_was_seen_before_a_rule_is_superseded_until_it_is_seen_again() {
    let mut inventory = Inventory::new();
    inventory.fold(&call(1, 1));
    let (recent, since) = stated(&mut inventory);
    assert_eq!(since, None);
    assert_eq!(value(&recent, "traffic.classes")[0].get("superseded"), None);

    enforce(&mut inventory, 2, "pan-mask protect.leaks");
    let (recent, since) = stated(&mut inventory);
    assert_eq!(value(&recent, "traffic.classes")[0]["superseded"], true);
    let since = since.unwrap();
    assert_eq!(value(&since, "traffic.classes")[0]["superseded"], true);
    assert!(!since.facts.contains_key("traffic.authentication"), "no call since");

    // Decided under the older bundle, recorded later.
    inventory.fold(&call(2, 1));
    assert_eq!(value(&stated(&mut inventory).0, "traffic.classes")[0]["superseded"], true);

    inventory.fold(&call(3, 2));
    let (recent, since) = stated(&mut inventory);
    assert_eq!(value(&recent, "traffic.classes")[0]["superseded"], false);
    assert_eq!(*value(&since.unwrap(), "operation.calls"), json!(1));

    // The same rules at a later revision keep what was seen; others begin anew; none forget it.
    enforce(&mut inventory, 3, "pan-mask protect.leaks");
    assert_eq!(value(&stated(&mut inventory).0, "traffic.classes")[0]["superseded"], false);
    enforce(&mut inventory, 4, "pan-mask protect.leaks\nresponse-dlp protect.leaks");
    assert_eq!(value(&stated(&mut inventory).0, "traffic.classes")[0]["superseded"], true);
    enforce(&mut inventory, 5, "");
    assert_eq!(stated(&mut inventory).1, None);
}

#[test]
fn what_the_gateway_masked_did_not_leave_whole() {
    for (mode, action, masked) in [
        (EnforcementMode::Block, Action::Change, true),
        (EnforcementMode::Observe, Action::Flag, false),
        (EnforcementMode::Block, Action::Allow, false),
    ] {
        let mut inventory = Inventory::new();
        inventory.fold(&Exchange { decisions: vec![decision("mask", mode, action)], ..call(1, 2) });
        let (recent, _) = stated(&mut inventory);
        assert_eq!(value(&recent, "traffic.classes")[0]["masked"], masked, "{mode:?} {action:?}");
    }
}

#[test]
fn decisions_are_a_set_without_drafts_and_survive_a_snapshot() {
    let mut inventory = Inventory::new();
    inventory.fold(&call(1, 1));
    enforce(&mut inventory, 2, "pan-mask protect.leaks");
    let flag = || decision("mask", EnforcementMode::Observe, Action::Flag);
    let draft = decision("draft:mask", EnforcementMode::Observe, Action::Flag);
    inventory.fold(&Exchange { decisions: vec![flag(), flag(), draft], ..call(2, 2) });
    // Refused before the upstream saw it: known of the gateway, not of the operation.
    let refusal = decision("refuse", EnforcementMode::Block, Action::Refuse);
    inventory.fold(&Exchange { decisions: vec![refusal], end: End::Refused, status: 403, ..call(3, 2) });
    let mut inventory = Inventory::restore(&inventory.snapshot().unwrap()).unwrap();
    let (recent, _) = stated(&mut inventory);
    assert_eq!(
        *value(&recent, "traffic.decisions"),
        json!([
            {"check": "pan-mask", "rule": "mask", "mode": "observe", "action": "flag"},
            {"check": "pan-mask", "rule": "refuse", "mode": "block", "action": "refuse"},
        ])
    );
    assert_eq!(*value(&recent, "operation.calls"), json!(2));
    assert_eq!(*value(&recent, "traffic.origins"), json!(["public"]));
}

#[test]
fn a_flood_of_rules_is_bounded() {
    let mut inventory = Inventory::new();
    for sequence in 1..1_000 {
        let decisions = vec![decision(&format!("r{sequence}"), EnforcementMode::Observe, Action::Flag)];
        inventory.fold(&Exchange { decisions, ..call(sequence, 1) });
    }
    let (recent, _) = stated(&mut inventory);
    let kept = value(&recent, "traffic.decisions").as_array().unwrap().len();
    assert_eq!(kept, probity_graph::decided::MAX_DECISIONS);
}

#[test]
fn addresses_are_told_apart_by_where_they_lie() {
    for (address, origin) in [
        ("127.0.0.1", Origin::Loopback),
        ("::1", Origin::Loopback),
        ("::ffff:127.0.0.1", Origin::Loopback),
        ("10.1.2.3", Origin::Private),
        ("192.168.0.9", Origin::Private),
        ("::ffff:10.0.0.1", Origin::Private),
        ("fd00::1", Origin::Private),
        ("fe80::1", Origin::Private),
        ("198.51.100.7", Origin::Public),
        ("2001:db8::1", Origin::Public),
    ] {
        assert_eq!(Origin::of(address.parse().unwrap()), origin, "{address}");
    }
}
