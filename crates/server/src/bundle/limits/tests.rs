use std::path::Path;

use probity_graph::Sources;
use probity_model::bundle::BundleOperation;
use probity_model::bundle::limits::QuotaPeriod;
use probity_model::{OperationId, ServiceId, Template};

use super::*;
use crate::sources::Loaded;

fn read(limits: &str) -> Result<Loaded, String> {
    let indented: String = limits.lines().map(|line| format!("        {line}\n")).collect();
    let text = format!(
        "version: 1\nservices:\n  - name: clinic\n    upstreams: [{{url: \"http://127.0.0.1:1\"}}]\n    \
         protect:\n      mode: block\n      limits:\n{indented}"
    );
    Loaded::parse(Path::new("/srv/probity.yaml"), text)
        .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))
}

fn compiled(limits: &str) -> Result<LimitPolicy, String> {
    let loaded = read(limits)?;
    let service = &loaded.config.services[0];
    let id = ServiceId::new("clinic");
    let operations: Vec<BundleOperation> = [("GET", "/patients/{id}"), ("POST", "/login")]
        .map(|(method, template)| BundleOperation {
            id: OperationId::of(&id, method, template),
            method: method.into(),
            template: Template::new(template),
            documented: true,
            durable: false,
        })
        .into();
    let sources = Sources::default();
    let context = Context {
        loaded: &loaded,
        service,
        sources: &sources,
        operations: &operations,
        mode: EnforcementMode::Block,
    };
    let config = service.protect.as_ref().unwrap().limits.as_ref().unwrap();
    Ok(compile(&context, config)?.unwrap())
}

const ALL: &str = r#"
announce: true
rules:
  - {name: per-consumer, by: [consumer], rate: 100/s, burst: 200}
  - {name: searches, by: [address, operation], operations: ["GET /patients/{id}"], sliding: 30/1m}
  - {name: daily, by: ["claim:plan", "header:X-Device"], quota: 10000/day, zone: "+02:00", mode: observe}
  - {name: monthly, quota: 5/month}
  - {name: at-once, by: [tenant], concurrency: 20, methods: [post], roles: [staff], cost: {call: 2, request_kib: 1}}
  - {name: strangers, by: [address], rate: 10/1m, anonymous: true}
sign_in:
  - {operation: POST /login, name: /username}
escalations:
  - name: lockout
    watch: sign-in
    by: name
    window: 15m
    steps: [{after: 3, slow: 500ms}, {after: 10, block: 30m}]
  - name: stuffing
    watch: names
    by: address
    window: 10m
    steps: [{after: 5, mark: true}, {after: 8, challenge: true}]
  - name: probing
    watch: [401, 403, 404]
    by: credential
    window: 1m
    steps: [{after: 50, revoke: 1h}]
challenge: {key: challenge.key, cookie: pass, redirect: "https://example.org/challenge"}
"#;

#[test]
fn everything_compiles() {
    let policy = compiled(ALL).unwrap();
    let algorithms: Vec<&LimitAlgorithm> = policy.limits.iter().map(|limit| &limit.algorithm).collect();
    let zone = vec![ZoneOffset { from: i64::MIN, offset_seconds: 7200 }];
    let expected = [
        LimitAlgorithm::TokenBucket { burst: 200, rate: 100, per_ms: 1_000 },
        LimitAlgorithm::SlidingWindow { limit: 30, window_ms: 60_000 },
        LimitAlgorithm::Quota { limit: 10_000, period: QuotaPeriod::Day, zone },
        LimitAlgorithm::Quota { limit: 5, period: QuotaPeriod::Month, zone: vec![] },
        LimitAlgorithm::Concurrency { limit: 20 },
        LimitAlgorithm::TokenBucket { burst: 1, rate: 10, per_ms: 60_000 },
    ];
    assert_eq!(algorithms, expected.iter().collect::<Vec<_>>());
    let [first, second, third, _, fifth, _] = policy.limits.as_slice() else { panic!("six limits") };
    assert_eq!((first.mode, third.mode), (EnforcementMode::Block, EnforcementMode::Observe));
    assert_eq!(second.applies.operations, Some(vec![0]));
    assert_eq!(third.by, [LimitKey::Claim("plan".into()), LimitKey::Header("x-device".into())]);
    assert_eq!(fifth.applies.methods, [Arc::from("POST")]);
    assert_eq!((fifth.cost.call, fifth.cost.request_kib), (2, 1));
    assert_eq!(policy.sign_in[0], SignIn { operation: 1, name: Some(NameSource::Body("/username".into())) });
    assert_eq!(policy.escalations[0].steps[1].action, EscalationAction::Block { ms: 1_800_000 });
    assert_eq!(policy.escalations[2].watch, Watch::Statuses(vec![401, 403, 404]));
    let challenge = policy.challenge.unwrap();
    assert_eq!(challenge.key_file, "/srv/challenge.key");
}

#[test]
fn faults_are_told() {
    let escalation = |rest: &str| {
        format!("sign_in: [{{operation: POST /login}}]\nescalations:\n  - {{name: e, window: 1m, {rest}}}")
    };
    let rows = [
        ("rules: [{name: a, rate: 1/s, quota: 1/day}]".to_owned(), "exactly one of `rate`"),
        ("rules: [{name: a}]".to_owned(), "exactly one of `rate`"),
        ("rules: [{name: a, rate: 0/s}]".to_owned(), "`0/s` is no rate"),
        ("rules: [{name: a, rate: fast}]".to_owned(), "`fast` is no rate"),
        ("rules: [{name: a, quota: 1/year}]".to_owned(), "`1/year` is no quota"),
        ("rules: [{name: a b, rate: 1/s}]".to_owned(), "name `a b`"),
        ("rules: [{name: a, rate: 1/s}, {name: a, rate: 2/s}]".to_owned(), "there twice"),
        ("rules: [{name: a, rate: 1/s, by: [claim]}]".to_owned(), "key `claim` is unknown"),
        ("rules: [{name: a, rate: 1/s, burst: 1, cost: {call: 2}}]".to_owned(), "none would pass"),
        ("rules: [{name: a, rate: 1/s, operations: [GET /nowhere]}]".to_owned(), "in no specification"),
        (
            "rules: [{name: a, quota: 1/day, zone: ../etc/passwd}]".to_owned(),
            "zone `../etc/passwd` is unknown",
        ),
        ("rules: [{name: a, rate: 1/s, zone: UTC}]".to_owned(), "goes with `quota`"),
        ("rules: [{name: a, concurrency: 0}]".to_owned(), "`concurrency` is 0"),
        (escalation("watch: [200], by: address, steps: [{after: 1, mark: true}]"), "status 200"),
        (escalation("watch: sign-in, by: name, steps: [{after: 1, mark: true}]"), "where the account"),
        (
            escalation("watch: sign-in, by: address, steps: [{after: 1, challenge: true}]"),
            "expected `challenge`",
        ),
        (escalation("watch: sign-in, by: address, steps: [{after: 1, revoke: 1m}]"), "`revoke` goes with"),
        (escalation("watch: sign-in, by: address, steps: [{after: 1}]"), "exactly one of `mark`"),
        (
            escalation("watch: sign-in, by: address, steps: [{after: 2, mark: true}, {after: 2, block: 1m}]"),
            "does not rise",
        ),
    ];
    for (config, expected) in rows {
        let error = compiled(&config).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}

#[test]
fn zones_by_name() {
    assert_eq!(zone("UTC").unwrap(), []);
    assert_eq!(zone("-05:30").unwrap()[0].offset_seconds, -19_800);
    for odd in ["", "Nowhere/Atall", "/etc/passwd", "+25:00", "+1:00", "a\0b"] {
        assert!(zone(odd).is_err(), "{odd}");
    }
    // Only where the system has its zones.
    if Path::new(ZONES).join("Europe/Vienna").exists() {
        let offsets = zone("Europe/Vienna").unwrap();
        assert!(offsets.len() > 50 && offsets.iter().all(|each| [3600, 7200].contains(&each.offset_seconds)));
    }
}
