//! Who may do what: unknown operations, roles and scopes, objects in requests and answers.

use probity_gateway::{credential_hash, secret_digest};
use probity_model::bundle::authorization::{
    AccessRule, AttributeModule, AttributePolicy, AuthorizationPolicy, Fields, Forbidden, LearnedBinding,
    LearnedFrom, ObjectBinding, ObjectPlace, Owner, PropertyRule, UnknownOperations, UnlistedOperations,
};
use probity_model::bundle::identity::{
    Consumer, Credential, IdentityPolicy, Need, SecretScheme, ServiceIdentity,
};
use probity_model::bundle::{Bundle, Protection};
use probity_model::{Action, EnforcementMode};
use serde_json::json;

use crate::harness::*;

const BLOCK: EnforcementMode = EnforcementMode::Block;

const OPERATIONS: [(&str, &str); 8] = [
    ("GET", "/prescriptions/{id}"),
    ("GET", "/patients/{patientId}"),
    ("PUT", "/admin/users/{userId}/role"),
    ("GET", "/search"),
    ("POST", "/orders"),
    ("GET", "/old"),
    ("GET", "/prescriptions"),
    ("GET", "/open"),
];

/// `Bearer staff` is staff, `Bearer p-1` the patient p-1, `Bearer nobody` has neither role nor attribute.
fn consumers() -> IdentityPolicy {
    let consumer = |name: &str, roles: &[&str], patient: Option<&str>| Consumer {
        name: name.into(),
        tenant: Some("north".into()),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        scopes: vec!["read".into()],
        attributes: patient.map(|id| ("patient_id".into(), json!([id, "p-9"]))).into_iter().collect(),
        ..Consumer::default()
    };
    let credential = |consumer: u32, secret: &str| Credential {
        id: secret.into(),
        hash: credential_hash(&[7; 32], &secret_digest(secret.as_bytes())),
        consumer,
        scheme: SecretScheme::Bearer,
        roles: None,
        scopes: None,
        environment: None,
        issued_at: None,
        expires_at: None,
        revoked: false,
    };
    IdentityPolicy {
        consumers: vec![
            consumer("staff", &["staff"], None),
            consumer("patient", &["patient"], Some("p-1")),
            consumer("nobody", &[], None),
        ],
        credentials: vec![credential(0, "staff"), credential(1, "p-1"), credential(2, "nobody")],
        ..IdentityPolicy::default()
    }
}

fn guarded(upstream: std::net::SocketAddr, policy: AuthorizationPolicy) -> Bundle {
    let mut bundle = bundle(&[upstream]);
    bundle.identity = Some(consumers());
    let service = &mut bundle.services[0];
    service.operations = OPERATIONS.map(|(method, template)| operation("clinic", method, template)).to_vec();
    let identity = ServiceIdentity {
        mode: BLOCK,
        needs: vec![Need { public: true, ..Need::default() }],
        operations: vec![0; OPERATIONS.len()],
        ..ServiceIdentity::default()
    };
    service.protection =
        Some(Protection { identity: Some(identity), authorization: Some(policy), ..Protection::default() });
    bundle
}

fn position(template: &str) -> u32 {
    OPERATIONS.iter().position(|(_, known)| *known == template).unwrap() as u32
}

fn policy() -> AuthorizationPolicy {
    AuthorizationPolicy { mode: BLOCK, ..AuthorizationPolicy::default() }
}

fn binding(template: &str, object: ObjectPlace) -> ObjectBinding {
    ObjectBinding {
        name: "own".into(),
        mode: BLOCK,
        operations: vec![position(template)],
        object,
        owner: Owner::Attribute("patient_id".into()),
        unless_roles: vec!["staff".into()],
        unless_scopes: Vec::new(),
        status: 403,
        required: false,
    }
}

/// Status and rule, with the word for what was found.
async fn ask(bench: &Bench, line: &str, who: &str, fields: &str, body: &str) -> (u16, String) {
    let (answer, told) = told(bench, line, who, fields, body).await;
    (status(&answer), told)
}

async fn told(bench: &Bench, line: &str, who: &str, fields: &str, body: &str) -> (String, String) {
    let who = if who.is_empty() { String::new() } else { format!("Authorization: Bearer {who}\r\n") };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request =
        format!("{line} HTTP/1.1\r\nHost: a\r\n{who}{fields}{length}Connection: close\r\n\r\n{body}");
    let answer = bench.raw(&request).await;
    let decisions = bench.record().decisions;
    let words: Vec<String> = decisions
        .iter()
        .map(|decision| format!("{} {}", decision.rule.as_str(), decision.input.found))
        .collect();
    (answer, words.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_operations_are_refused() {
    let unknown = UnknownOperations { mode: BLOCK, status: 404, superseded: vec![position("/old")] };
    let policy = AuthorizationPolicy { unknown: Some(unknown.clone()), ..policy() };
    let bench = Bench::start(&guarded(echo().await, policy.clone())).await;
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n";
    for (line, fields, expected) in [
        ("GET /open", "", (200, "")),
        ("GET /nowhere", "", (404, "gateway-operation-unknown unknown")),
        ("GET /open/", "", (404, "gateway-operation-unknown unknown")),
        ("GET /old", "", (404, "gateway-operation-unknown unknown")),
        ("DELETE /old", "", (404, "gateway-operation-unknown unknown")),
        ("DELETE /orders", "", (405, "gateway-method-unknown unknown-method")),
        ("HEAD /open", "", (405, "gateway-method-unknown unknown-method")),
        ("OPTIONS /orders", "", (405, "gateway-method-unknown unknown-method")),
        ("OPTIONS /orders", preflight, (200, "")),
        ("OPTIONS /open", preflight, (405, "gateway-method-unknown unknown-method")),
        ("OPTIONS /nowhere", preflight, (404, "gateway-operation-unknown unknown")),
    ] {
        let (answer, told) = told(&bench, line, "", fields, "").await;
        assert_eq!((status(&answer), told.as_str()), expected, "{line} {fields}");
        if line == "DELETE /orders" {
            assert_eq!(header(&answer, "allow"), Some("POST"), "{answer}");
        }
    }
    let mut observing = guarded(echo().await, policy.clone());
    let authorization = |bundle: &mut Bundle| {
        bundle.services[0]
            .protection
            .as_mut()
            .unwrap()
            .authorization
            .as_mut()
            .unwrap()
            .unknown
            .take()
            .unwrap()
    };
    let unknown = UnknownOperations { mode: EnforcementMode::Observe, ..authorization(&mut observing) };
    observing.services[0].protection.as_mut().unwrap().authorization.as_mut().unwrap().unknown =
        Some(unknown);
    let bench = Bench::start(&observing).await;
    assert_eq!(
        ask(&bench, "GET /nowhere", "", "", "").await,
        (200, "gateway-operation-unknown unknown".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_scopes_by_operation() {
    let rule = |name: &str, operations: &[&str]| AccessRule {
        name: name.into(),
        mode: BLOCK,
        operations: operations.iter().map(|template| position(template)).collect(),
        ..AccessRule::default()
    };
    let policy = AuthorizationPolicy {
        access: vec![
            AccessRule { roles: vec!["staff".into()], ..rule("admin", &["/admin/users/{userId}/role"]) },
            AccessRule { scopes: vec![vec!["write".into()]], ..rule("orders", &["/orders"]) },
            AccessRule { tenants: vec!["south".into()], ..rule("south", &["/search"]) },
            AccessRule {
                roles: vec!["root".into()],
                mode: EnforcementMode::Observe,
                ..rule("root", &["/prescriptions"])
            },
            rule("signed-in", &["/prescriptions"]),
        ],
        unlisted: Some(UnlistedOperations { mode: BLOCK, operations: vec![position("/old")] }),
        ..policy()
    };
    let bench = Bench::start(&guarded(echo().await, policy)).await;
    for (line, who, expected) in [
        ("PUT /admin/users/7/role", "", (401, "gateway-principal-missing missing")),
        ("PUT /admin/users/7/role", "p-1", (403, "gateway-role-missing role-missing")),
        ("PUT /admin/users/7/role", "staff", (200, "")),
        ("POST /orders", "staff", (403, "gateway-scope-missing scope-missing")),
        ("GET /search", "p-1", (403, "gateway-tenant-refused tenant-refused")),
        ("GET /prescriptions", "p-1", (200, "gateway-role-missing role-missing")),
        (
            "GET /prescriptions",
            "",
            (401, "gateway-principal-missing missing, gateway-principal-missing missing"),
        ),
        ("GET /old", "staff", (403, "gateway-operation-unlisted unlisted")),
        ("GET /open", "", (200, "")),
    ] {
        let (answer, told) = told(&bench, line, who, "", "").await;
        assert_eq!((status(&answer), told.as_str()), expected, "{line} {who}");
        if expected.0 == 401 {
            assert_eq!(header(&answer, "www-authenticate"), Some("Bearer realm=\"clinic\""));
        }
        if line == "POST /orders" {
            let challenge = "Bearer realm=\"clinic\", error=\"insufficient_scope\", scope=\"write\"";
            assert_eq!(header(&answer, "www-authenticate"), Some(challenge));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_requests_belong_to_their_caller() {
    let policy = AuthorizationPolicy {
        objects: vec![
            ObjectBinding {
                status: 404,
                ..binding("/patients/{patientId}", ObjectPlace::Path("patientId".into()))
            },
            binding("/search", ObjectPlace::Query("patient".into())),
            binding("/orders", ObjectPlace::Body("/items/*/patient".into())),
        ],
        hold_bytes: Some(200),
        ..policy()
    };
    let bench = Bench::start(&guarded(echo().await, policy)).await;
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let gzip = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let long = format!(r#"{{"items":[{{"patient":"p-1"}}],"x":"{}"}}"#, "x".repeat(200));
    let foreign = |word: &str| format!("gateway-object-foreign {word}");
    for (line, who, fields, body, status, told) in [
        ("GET /patients/p-1", "p-1", "", "", 200, String::new()),
        ("GET /patients/p-9", "p-1", "", "", 200, String::new()),
        ("GET /patients/%70-1", "p-1", "", "", 200, String::new()),
        ("GET /patients/p-2", "p-1", "", "", 404, foreign("foreign")),
        ("GET /patients/%ff", "p-1", "", "", 404, foreign("unreadable")),
        ("GET /patients/p-1", "nobody", "", "", 404, foreign("owner-unknown")),
        ("GET /patients/p-2", "staff", "", "", 200, String::new()),
        ("GET /patients/p-1", "", "", "", 401, "gateway-principal-missing missing".into()),
        ("GET /search", "p-1", "", "", 200, String::new()),
        ("GET /search?patient=p-1", "p-1", "", "", 200, String::new()),
        ("GET /search?patient=p-1&patient=p-2", "p-1", "", "", 403, foreign("foreign")),
        ("GET /search?pat%69ent=p-2", "p-1", "", "", 403, foreign("foreign")),
        ("POST /orders", "p-1", json, r#"{"items":[{"patient":"p-1"}]}"#, 200, String::new()),
        (
            "POST /orders",
            "p-1",
            json,
            r#"{"items":[{"patient":"p-1"},{"patient":"p-2"}]}"#,
            403,
            foreign("foreign"),
        ),
        (
            "POST /orders",
            "p-1",
            json,
            r#"{"items":[{"patient":"p-1","patient":"p-2"}]}"#,
            403,
            foreign("foreign"),
        ),
        ("POST /orders", "p-1", json, "{\"items\":[{\"p\\u0061tient\":\"p-2\"}]}", 403, foreign("foreign")),
        ("POST /orders", "p-1", json, r#"{"items":[{"patient":{"a":1}}]}"#, 403, foreign("no-text")),
        ("POST /orders", "p-1", json, "{", 403, foreign("unreadable")),
        ("POST /orders", "p-1", json, &long, 403, foreign("too-long")),
        ("POST /orders", "p-1", gzip, "{}", 403, foreign("encoded")),
        ("POST /orders", "p-1", form, "a=b", 200, String::new()),
        ("POST /orders", "staff", json, "{", 200, String::new()),
    ] {
        let expected = (status, told);
        assert_eq!(ask(&bench, line, who, fields, body).await, expected, "{line} {who} {body}");
    }
}

/// An upstream whose answer is the query's `say`, with the status in `status`.
async fn parrot() -> std::net::SocketAddr {
    origin(|request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (code, said) = query.split_once('&').unwrap();
        let said = said.replace("%22", "\"").replace("%7B", "{").replace("%7D", "}");
        answer(code.parse().unwrap(), "application/json", said)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_answers_belong_to_their_caller() {
    let policy = AuthorizationPolicy {
        objects: vec![
            ObjectBinding {
                required: true,
                ..binding("/prescriptions/{id}", ObjectPlace::Answer("/patientId".into()))
            },
            ObjectBinding {
                required: true,
                ..binding("/prescriptions", ObjectPlace::Answer("/items/*/patientId".into()))
            },
        ],
        hold_bytes: Some(300),
        ..policy()
    };
    let bench = Bench::start(&guarded(parrot().await, policy)).await;
    let quoted = |text: &str| text.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    let long = format!(r#"{{"patientId":"p-1","x":"{}"}}"#, "x".repeat(300));
    let foreign = |word: &str| (403, format!("gateway-object-foreign {word}"));
    for (path, who, code, said, expected) in [
        ("/prescriptions/1", "p-1", 200, r#"{"id":1,"patientId":"p-1"}"#, (200, String::new())),
        ("/prescriptions/1", "p-1", 200, r#"{"id":1,"patientId":"p-2"}"#, foreign("foreign")),
        ("/prescriptions/1", "staff", 200, r#"{"id":1,"patientId":"p-2"}"#, (200, String::new())),
        ("/prescriptions/1", "nobody", 200, r#"{"id":1,"patientId":"p-2"}"#, foreign("owner-unknown")),
        ("/prescriptions/1", "p-1", 404, r#"{"title":"none"}"#, (404, String::new())),
        ("/prescriptions/1", "p-1", 200, r#"{"id":1}"#, foreign("missing")),
        ("/prescriptions/1", "p-1", 200, r#"{"patientId":null}"#, foreign("no-text")),
        ("/prescriptions/1", "p-1", 200, "oops", foreign("unreadable")),
        ("/prescriptions/1", "p-1", 200, &long, foreign("too-long")),
        ("/prescriptions/1", "staff", 200, &long, (200, String::new())),
        ("/prescriptions", "p-1", 200, r#"{"items":[]}"#, (200, String::new())),
        (
            "/prescriptions",
            "p-1",
            200,
            r#"{"items":[{"patientId":"p-1"},{"patientId":"p-9"}]}"#,
            (200, String::new()),
        ),
        (
            "/prescriptions",
            "p-1",
            200,
            r#"{"items":[{"patientId":"p-1"},{"patientId":"p-2"}]}"#,
            foreign("foreign"),
        ),
        ("/prescriptions", "p-1", 200, r#"{"items":[{"patientId":"p-1"},{}]}"#, foreign("missing")),
    ] {
        let line = format!("GET {path}?{code}&{}", quoted(said));
        let (answer, told) = told(&bench, &line, who, "", "").await;
        assert_eq!((status(&answer), told), expected, "{path} {who} {said}");
        if expected.0 == 200 {
            assert_eq!(body(&answer), said);
        } else if expected.0 == 403 {
            assert!(!answer.contains("patientId"), "{answer}");
        }
    }
    // Without a caller nothing of an answer is shown either.
    let line = format!("GET /prescriptions/1?200&{}", quoted(r#"{"patientId":"p-1"}"#));
    assert_eq!(ask(&bench, &line, "", "", "").await, (401, "gateway-principal-missing missing".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_names_place_and_field() {
    let policy = AuthorizationPolicy {
        objects: vec![binding("/search", ObjectPlace::Query("patient".into()))],
        ..policy()
    };
    let bench = Bench::start(&guarded(echo().await, policy)).await;
    bench.raw("GET /search?patient=p-2 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer p-1\r\nConnection: close\r\n\r\n").await;
    let decision = bench.record().decisions.remove(0);
    assert_eq!((decision.check.as_str(), decision.action), ("object-authz", Action::Refuse));
    assert_eq!((decision.input.field.as_str(), decision.revision), ("patient", 1));
    assert_eq!(decision.input.place, Some(probity_model::Place::RequestQuery));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_learned_from_answers() {
    let learned = LearnedBinding {
        name: "given".into(),
        mode: BLOCK,
        learn: vec![LearnedFrom { operations: vec![position("/prescriptions")], ids: "/items/*/id".into() }],
        operations: vec![position("/prescriptions/{id}")],
        object: ObjectPlace::Path("id".into()),
        unless_roles: vec!["staff".into()],
        status: 404,
        warm_up_ms: 0,
    };
    let policy = AuthorizationPolicy { learned: vec![learned], ..policy() };
    let mut bundle = guarded(parrot().await, policy);
    let bench = Bench::start(&bundle).await;
    let list = "GET /prescriptions?200&%7B%22items%22:[%7B%22id%22:7%7D,%7B%22id%22:%22a-8%22%7D]%7D";
    let none = (404, "gateway-object-foreign never-given".to_owned());
    let passes = (200, String::new());
    assert_eq!(ask(&bench, "GET /prescriptions/7?200&x", "p-1", "", "").await, none);
    assert_eq!(ask(&bench, "GET /prescriptions/7?200&x", "staff", "", "").await, passes);
    assert_eq!(ask(&bench, list, "p-1", "", "").await, passes);
    assert_eq!(ask(&bench, "GET /prescriptions/7?200&x", "p-1", "", "").await, passes);
    assert_eq!(ask(&bench, "GET /prescriptions/a-8?200&x", "p-1", "", "").await, passes);
    assert_eq!(ask(&bench, "GET /prescriptions/9?200&x", "p-1", "", "").await, none);
    // What one was given is not another's.
    assert_eq!(ask(&bench, "GET /prescriptions/7?200&x", "nobody", "", "").await, none);
    // What was learned outlives a bundle; while it warms up, the rest is only flagged.
    bundle.revision = 2;
    bundle.services[0].protection.as_mut().unwrap().authorization.as_mut().unwrap().learned[0].warm_up_ms =
        3_600_000;
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(ask(&bench, "GET /prescriptions/7?200&x", "p-1", "", "").await, passes);
    let flagged = (200, "gateway-object-foreign never-given".to_owned());
    assert_eq!(ask(&bench, "GET /prescriptions/9?200&x", "p-1", "", "").await, flagged);
}

fn property(template: &str, forbidden: Forbidden) -> PropertyRule {
    PropertyRule {
        name: "fields".into(),
        mode: BLOCK,
        operations: vec![position(template)],
        roles: Vec::new(),
        unless_roles: vec!["staff".into()],
        readable: None,
        writable: None,
        forbidden,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_properties_are_stripped_or_refused() {
    let readable = Some(Fields::Except(vec!["/items/*/ssn".into(), "/debug".into()]));
    let writable = Some(Fields::Only(vec!["/phone".into()]));
    let policy = AuthorizationPolicy {
        properties: vec![
            PropertyRule { readable, ..property("/prescriptions", Forbidden::Strip) },
            PropertyRule { writable: writable.clone(), ..property("/orders", Forbidden::Strip) },
            PropertyRule { writable, ..property("/admin/users/{userId}/role", Forbidden::Refuse) },
            PropertyRule {
                readable: Some(Fields::Only(vec!["/id".into()])),
                ..property("/prescriptions/{id}", Forbidden::Refuse)
            },
        ],
        ..policy()
    };
    let bench = Bench::start(&guarded(parrot().await, policy.clone())).await;
    let quoted = |text: &str| text.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    for (path, who, said, expected, told_as) in [
        (
            "/prescriptions",
            "p-1",
            r#"{"items":[{"id":1,"ssn":"x"},{"ssn":2}],"debug":{}}"#,
            Some(r#"{"items":[{"id":1},{}]}"#),
            "gateway-property-forbidden 3 fields",
        ),
        ("/prescriptions", "p-1", r#"{"items":[]}"#, Some(r#"{"items":[]}"#), ""),
        ("/prescriptions", "staff", r#"{"debug":1}"#, Some(r#"{"debug":1}"#), ""),
        ("/prescriptions", "p-1", "oops", None, "gateway-property-forbidden unreadable"),
        ("/prescriptions/1", "p-1", r#"{"id":1}"#, Some(r#"{"id":1}"#), ""),
        ("/prescriptions/1", "p-1", r#"{"id":1,"ssn":2}"#, None, "gateway-property-forbidden 1 fields"),
        ("/prescriptions/1", "p-1", r#""all""#, None, "gateway-property-forbidden unreadable"),
    ] {
        let (answer, told) = told(&bench, &format!("GET {path}?200&{}", quoted(said)), who, "", "").await;
        assert_eq!(
            (status(&answer), told.as_str()),
            (if expected.is_some() { 200 } else { 403 }, told_as),
            "{said}"
        );
        if let Some(expected) = expected {
            assert_eq!(body(&answer), expected);
        }
    }
    let bench = Bench::start(&guarded(echo().await, policy)).await;
    let json = "Content-Type: application/json\r\n";
    let sent = r#"{"phone":"1","role":"admin"}"#;
    let (answer, told_as) = told(&bench, "POST /orders", "p-1", json, sent).await;
    assert!(answer.ends_with("\n\n{\"phone\":\"1\"}") && answer.contains("content-length: 13"), "{answer}");
    assert_eq!(told_as, "gateway-property-forbidden 1 fields");
    let (answer, _) = told(&bench, "POST /orders", "staff", json, sent).await;
    assert!(answer.ends_with(sent), "{answer}");
    let refused = ask(&bench, "PUT /admin/users/1/role", "p-1", json, sent).await;
    assert_eq!(refused, (403, "gateway-property-forbidden 1 fields".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn attribute_rules_judge_calls() {
    let rego = "package probity.authorization\n\nimport rego.v1\n\n\
                deny contains {\"rule\": \"own-patients\"} if {\n\
                \t\"care\" in input.request.tags\n\
                \tnot input.request.path.patientId in input.principal.attributes.patient_id\n}\n\n\
                deny contains {\"rule\": \"odd\"} if to_number(input.request.headers[\"x-level\"]) > 3\n";
    let attributes = AttributePolicy {
        mode: BLOCK,
        operations: None,
        modules: vec![AttributeModule { name: "rules.rego".into(), rego: rego.into() }],
        headers: vec!["x-level".into()],
        described: [(
            position("/patients/{patientId}"),
            probity_model::bundle::authorization::OperationWords {
                tags: vec!["care".into()],
                classes: Vec::new(),
            },
        )]
        .into(),
    };
    let mut bundle = guarded(echo().await, AuthorizationPolicy { attributes: Some(attributes), ..policy() });
    let bench = Bench::start(&bundle).await;
    for (line, who, fields, status, told_as) in [
        ("GET /patients/p-1", "p-1", "", 200, ""),
        ("GET /patients/p-2", "p-1", "", 403, "gateway-policy-denied denied"),
        ("GET /patients/p-1", "", "", 403, "gateway-policy-denied denied"),
        ("GET /search", "", "", 200, ""),
        ("GET /search", "", "X-Level: 3\r\n", 200, ""),
        ("GET /search", "", "X-Level: 4\r\n", 403, "gateway-policy-denied denied"),
        ("GET /search", "", "X-Level: four\r\n", 403, "gateway-policy-error stopped"),
        ("GET /search", "", "X-Level: 1\r\nX-Level: 9\r\n", 403, "gateway-policy-error unreadable"),
        ("GET /search?a=%f", "", "", 403, "gateway-policy-error unreadable"),
    ] {
        assert_eq!(
            ask(&bench, line, who, fields, "").await,
            (status, told_as.into()),
            "{line} {who} {fields}"
        );
    }
    // A bundle whose rules do not compile is refused whole.
    let section = bundle.services[0].protection.as_mut().unwrap().authorization.as_mut().unwrap();
    section.attributes.as_mut().unwrap().modules[0].rego = "package probity.authorization\n\nallow if".into();
    bundle.revision = 2;
    assert!(bench.gateway.apply(sign(&bundle)).is_err());
    assert_eq!(bench.gateway.revision(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn used_privileges_are_kept() {
    let rule = AccessRule {
        name: "staff".into(),
        mode: BLOCK,
        operations: vec![position("/search")],
        roles: vec!["staff".into()],
        ..AccessRule::default()
    };
    let bench =
        Bench::start(&guarded(echo().await, AuthorizationPolicy { access: vec![rule], ..policy() })).await;
    ask(&bench, "GET /search", "staff", "", "").await;
    ask(&bench, "GET /search", "p-1", "", "").await;
    let privileges = bench.gateway.privileges();
    let [staff] = privileges.as_slice() else { panic!("{privileges:?}") };
    assert_eq!((&*staff.consumer, staff.used_roles.len(), staff.used_scopes.len()), ("staff", 1, 0));
    assert_eq!((staff.granted_roles.len(), staff.granted_scopes.len()), (1, 1));
}
