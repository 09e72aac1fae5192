use probity_model::{Subject, SubjectKind};

use super::*;

const AT: Timestamp = Timestamp(1_790_000_000_000_000);

/// A bundle of one service with one operation, `protection` and `identity` as JSON.
fn bundle(protection: &Value, identity: &Value) -> Bundle {
    let mut bundle = probity_gateway::refusing_bundle();
    let service = json!({
        "id": "clinic",
        "hosts": [],
        "path_prefix": "/",
        "strip_prefix": false,
        "upstreams": [],
        "operations": [
            {"id": "clinic GET /a", "method": "GET", "template": "/a", "documented": true, "durable": false},
            {"id": "clinic POST /b", "method": "POST", "template": "/b", "documented": true, "durable": false},
        ],
        "credential_names": [],
        "durable": false,
        "protection": protection,
    });
    bundle.services = vec![serde_json::from_value(service).unwrap()];
    bundle.identity = serde_json::from_value(identity.clone()).unwrap();
    bundle
}

fn in_force(protection: &Value, identity: &Value) -> InForce {
    InForce::new(bundle(protection, identity), &GatewayId::new("gw-1"))
}

fn stated(in_force: &InForce, operation: &str) -> SubjectFacts {
    let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Operation, operation));
    in_force.state_operation(&OperationId::from(operation.to_owned()), &mut facts, AT);
    facts
}

fn value<'a>(facts: &'a SubjectFacts, key: &str) -> &'a Value {
    facts.facts.get(key).map_or(&Value::Null, |entries| &entries[0].value)
}

fn enforced(facts: &SubjectFacts) -> Vec<String> {
    let list = value(facts, "gateway.enforced").as_array().unwrap();
    let text = |each: &Value, key: &str| each[key].as_str().unwrap().to_owned();
    list.iter().map(|each| format!("{} {}", text(each, "check"), text(each, "mode"))).collect()
}

#[test]
fn a_service_without_protection_enforces_nothing() {
    let in_force = in_force(&Value::Null, &Value::Null);
    for operation in ["clinic GET /a", "clinic GET /unknown"] {
        let facts = stated(&in_force, operation);
        assert_eq!(facts.facts.keys().collect::<Vec<_>>(), ["gateway.enforced"]);
        assert_eq!(enforced(&facts), [""; 0]);
    }
}

fn issuer(change: impl FnOnce(&mut Value)) -> Value {
    let mut issuer = json!({
        "name": "staff", "issuer": "https://id.example", "audiences": ["clinic"], "algorithms": ["ES256"],
        "keys": "discovery", "clock_skew_s": 30, "max_lifetime_s": 600,
        "jwks": {"max_age_s": 60, "cool_down_s": 30, "stale_s": 0}, "claims": {},
    });
    change(&mut issuer);
    json!({"tokens": {"issuers": [issuer], "cache": {}, "dpop": {}, "bounds": {}}})
}

#[test]
fn identity_states_what_a_need_asks() {
    let protection = |mode: &str, need: Value| {
        json!({"identity": {
            "mode": mode, "needs": [need, {"public": true}], "operations": [0, 1], "unknown": 0,
            "environment": "production", "session": {"idle_s": 900, "kinds": []},
        }})
    };
    let bearer = json!({"alternatives": [["bearer"]], "token": {"step_up": {"acr": ["gold"]}}});
    let gateway = in_force(&protection("block", bearer.clone()), &issuer(|_| {}));
    let facts = stated(&gateway, "clinic GET /a");
    assert_eq!(
        enforced(&facts),
        [
            "authn-required block",
            "authn-strength block",
            "env-separation block",
            "mfa-user block",
            "session-timeout block"
        ]
    );
    let identity = value(&facts, "gateway.identity");
    for (key, expected) in [
        ("mode", json!("block")),
        ("required", json!(true)),
        ("accepted", json!(["jwt"])),
        ("algorithms", json!(["ES256"])),
        ("issuers_checked", json!(true)),
        ("audiences_checked", json!(true)),
        ("lifetime_seconds", json!(600)),
        ("step_up", json!(true)),
        ("sender_constrained", json!(false)),
        ("environment", json!("production")),
    ] {
        assert_eq!(identity[key], expected, "{key}");
    }
    let sessions = json!({"mode": "block", "idle_seconds": 900, "absolute_seconds": null});
    assert_eq!(*value(&facts, "gateway.sessions"), sessions);

    // A public operation asks for nothing, so nothing is enforced of it.
    let public = stated(&gateway, "clinic POST /b");
    assert_eq!(enforced(&public), [""; 0]);
    assert_eq!(value(&public, "gateway.identity")["required"], false);

    let observed = stated(&in_force(&protection("observe", bearer), &issuer(|_| {})), "clinic GET /a");
    assert!(enforced(&observed).iter().all(|each| each.ends_with(" observe")), "{observed:?}");

    let bound = issuer(|issuer| issuer["sender_constrained"] = true.into());
    let facts = stated(
        &in_force(&protection("block", json!({"alternatives": [["bearer"]]})), &bound),
        "clinic GET /a",
    );
    assert!(enforced(&facts).contains(&"sender-constrained block".to_owned()));
    // One way around the binding is enough to lose it.
    let either = json!({"alternatives": [["bearer"], ["basic"]]});
    let facts = stated(&in_force(&protection("block", either), &bound), "clinic GET /a");
    assert_eq!(value(&facts, "gateway.identity")["sender_constrained"], false);
    assert!(!enforced(&facts).contains(&"sender-constrained block".to_owned()), "{facts:?}");
}

#[test]
fn network_and_limits_are_stated_of_the_operations_that_they_name() {
    let protection = json!({
        "network": {
            "mode": "block",
            "origins": [{"name": "staff", "operations": [0], "allow": ["10.0.0.0/8"]}],
            "retired": [{"operation": 1, "removed": true, "deprecated": true, "sunset": null}],
        },
        "limits": {
            "mode": "block",
            "limits": [
                {"name": "each", "mode": "block", "by": ["consumer"],
                 "algorithm": {"sliding-window": {"limit": 10, "window_ms": 1000}}},
                {"name": "at-once", "mode": "block", "algorithm": {"concurrency": {"limit": 7}}},
                {"name": "soft", "mode": "observe", "applies": {"operations": [1]},
                 "algorithm": {"sliding-window": {"limit": 10, "window_ms": 1000}}},
            ],
            "sign_in": [{"operation": 1}],
            "escalations": [{"name": "guesses", "mode": "block", "watch": "sign-in", "by": "address",
                "window_ms": 60000, "steps": [
                    {"after": 5, "action": {"slow": {"ms": 1000}}},
                    {"after": 10, "action": {"block": {"ms": 1800000}}},
                ]}],
        },
    });
    let gateway = in_force(&protection, &Value::Null);
    let a = stated(&gateway, "clinic GET /a");
    assert_eq!(enforced(&a), ["net-restrict block", "rate-limit block"]);
    let network = json!({"mode": "block", "sources": true, "countries": false, "denied": false});
    assert_eq!(*value(&a, "gateway.network"), network);
    assert_eq!(value(&a, "gateway.bounds")["concurrency"], 7);
    let b = stated(&gateway, "clinic POST /b");
    assert_eq!(
        enforced(&b),
        ["authn-bruteforce block", "rate-limit block", "shadow-zombie block", "version-deprecation block"]
    );
    let limits = value(&b, "gateway.limits").as_array().unwrap();
    let names: Vec<_> = limits.iter().map(|limit| limit["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["each", "at-once", "soft", "guesses"]);
    assert_eq!(limits[3]["block_seconds"], 1800);
    assert_eq!(limits[3]["after"], 10);
    let blocking = gateway.blocking(&gateway.bundle().services[0]);
    assert_eq!(
        blocking[0],
        ("GET /a".to_owned(), "net-restrict protect.network\nrate-limit protect.limits".to_owned())
    );
}

#[test]
fn credentials_are_stated_without_secrets() {
    let hash = "ab".repeat(32);
    let identity = json!({
        "consumers": [{"name": "billing", "environment": "test"}],
        "credentials": [{"id": "key-1", "hash": hash, "consumer": 0, "scheme": "api-key",
            "issued_at": "2026-01-01T00:00:00Z", "revoked": true}],
    });
    let facts = caller_facts(&in_force(&Value::Null, &identity), AT);
    let [facts] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(facts.subject, Subject::new(SubjectKind::Credential, "key-1"));
    assert_eq!(*value(facts, "credential.owners"), json!(["billing"]));
    assert_eq!(*value(facts, "credential.environments"), json!(["test"]));
    let life = value(facts, "credential.lifecycle");
    assert_eq!((&life["revoked"], &life["expires_at"]), (&json!(true), &Value::Null));
    assert!(life.get("last_used_on").is_none(), "nobody knows");
    assert!(!serde_json::to_string(facts).unwrap().contains(&hash));
}

#[test]
fn leaks_are_stated_class_by_class() {
    let leaks =
        |rules: Value| in_force(&json!({"leaks": {"mode": "block", "responses": rules}}), &Value::Null);
    let facts = stated(
        &leaks(json!([
            {"classes": ["card-number"], "roles": ["cashier"], "action": "pass"},
            {"classes": ["card-number", "email"], "action": "mask"},
            {"classes": ["email"], "action": "pass"},
            {"classes": ["card-track", "card-verification-code"], "action": "drop"},
            {"classes": ["ssn"], "operations": {"at": [1]}, "action": "mask"},
        ])),
        "clinic GET /a",
    );
    assert_eq!(enforced(&facts), ["pan-mask block", "response-dlp block", "sad-block block"]);
    assert_eq!(
        value(&facts, "gateway.leaks")["classes"],
        json!({"card-number": "mask", "card-track": "drop", "card-verification-code": "drop", "email": "mask"})
    );
    // Somebody may see it, so it is not kept from everyone; and a token of it is something kept.
    for first in [
        json!({"classes": ["card-track"], "roles": ["cashier"], "action": "pass"}),
        json!({"classes": ["card-track"], "action": "tokenise"}),
    ] {
        let both = json!({"classes": ["card-track", "card-verification-code"], "action": "drop"});
        assert_eq!(enforced(&stated(&leaks(json!([first, both])), "clinic GET /a")), ["response-dlp block"]);
    }
    assert_eq!(
        enforced(&stated(&leaks(json!([{"classes": ["email"], "action": "pass"}])), "clinic GET /a")),
        [""; 0]
    );
}

#[test]
fn a_contract_is_stated_where_schemas_are_declared() {
    let contract = |mode: &str, schema: Value| {
        let declared = json!({"table": 0, "contract": {
            "request": {"required": true, "content": [{"media_type": "application/json", "schema": schema}]},
            "responses": [{"status": "200", "content": [{"media_type": "application/json", "schema": 0}]}],
        }});
        let policy = json!({"mode": mode, "responses": "observe", "unknown_fields": "refuse",
            "tables": [["{}"]], "operations": [declared, null],
            "rules": [{"operation": 0, "body_bytes": 4096}]});
        in_force(&json!({"contract": policy}), &Value::Null)
    };
    let a = stated(&contract("block", json!(0)), "clinic GET /a");
    assert_eq!(enforced(&a), ["dos-limits block", "response-validate observe", "schema-enforce block"]);
    assert_eq!(value(&a, "gateway.contract")["unknown_fields"], "refuse");
    let bounds = value(&a, "gateway.bounds");
    assert_eq!((&bounds["mode"], &bounds["body_bytes"]), (&json!("block"), &json!(4096)));
    let b = stated(&contract("block", json!(0)), "clinic POST /b");
    assert_eq!(enforced(&b), ["dos-limits block"], "no specification knows it");
    let open = stated(&contract("block", Value::Null), "clinic GET /a");
    assert_eq!(enforced(&open), ["dos-limits block", "response-validate observe"]);
    let observed = stated(&contract("observe", json!(0)), "clinic GET /a");
    assert_eq!(value(&observed, "gateway.bounds")["body_bytes"], Value::Null);
}

#[test]
fn authorization_states_rights_objects_and_fields() {
    let gateway = in_force(
        &json!({"authorization": {
            "mode": "block",
            "unknown": {"mode": "block", "status": 404},
            "access": [
                {"name": "a", "mode": "block", "operations": [0], "scopes": [["cards.read"]], "roles": ["clerk"]},
                {"name": "b", "mode": "observe", "operations": [1], "roles": ["admin"]},
            ],
            "objects": [
                {"name": "own", "mode": "block", "operations": [0], "object": {"path": "id"},
                 "owner": {"attribute": "patient"}, "status": 404},
                {"name": "tenant", "mode": "observe", "operations": [0], "object": {"query": "clinic"},
                 "owner": "tenant", "status": 403},
            ],
            "properties": [{"name": "fields", "mode": "block", "operations": [1], "forbidden": "strip",
                "writable": {"only": ["/note"]}}],
        }}),
        &Value::Null,
    );
    let a = stated(&gateway, "clinic GET /a");
    assert_eq!(enforced(&a), ["function-authz block", "object-authz block", "tenant-isolation observe"]);
    let rights = value(&a, "gateway.authorization");
    assert_eq!((&rights["roles"], &rights["scopes"]), (&json!(["clerk"]), &json!(["cards.read"])));
    assert_eq!(
        rights["objects"],
        json!([{"attribute": "patient", "place": "request-path", "field": "id"}]),
        "a binding that is only observed is none"
    );
    let b = stated(&gateway, "clinic POST /b");
    assert_eq!(enforced(&b), ["function-authz observe", "property-authz block"]);
    let rights = value(&b, "gateway.authorization");
    assert_eq!(
        (&rights["roles"], &rights["properties"]),
        (&json!([]), &json!({"read": false, "write": true}))
    );
    let mut service = SubjectFacts::new(Subject::new(SubjectKind::Service, "clinic"));
    gateway.state_service(&ServiceId::new("clinic"), &mut service, AT);
    assert_eq!(value(&service, "service.default")["unknown_operations"], "block");
    assert_eq!(enforced(&service), ["deny-default block"]);
}
