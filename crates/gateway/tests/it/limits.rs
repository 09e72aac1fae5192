//! Limits from outside: what is refused, what callers are told, what survives a restart, what connections may do.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use probity_gateway::{Tuning, credential_hash, mint_key, secret_digest};
use probity_model::bundle::identity::{
    Consumer, Credential, IdentityPolicy, Need, SecretScheme, ServiceIdentity, Way,
};
use probity_model::bundle::limits::*;
use probity_model::bundle::{Bundle, ConnectionLimits, Forwarding, Protection};
use probity_model::exchange::End;
use probity_model::{Action, EnforcementMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::*;

fn limit(name: &str, by: Vec<LimitKey>, algorithm: LimitAlgorithm) -> Limit {
    Limit {
        name: name.into(),
        mode: EnforcementMode::Block,
        by,
        applies: LimitMatch::default(),
        algorithm,
        cost: LimitCost::default(),
    }
}

fn policy(limits: Vec<Limit>) -> LimitPolicy {
    LimitPolicy {
        mode: EnforcementMode::Block,
        limits,
        announce: true,
        sign_in: Vec::new(),
        escalations: Vec::new(),
        challenge: None,
    }
}

/// So slow that a test sees no refill.
fn bucket(burst: u32) -> LimitAlgorithm {
    LimitAlgorithm::TokenBucket { burst, rate: 1, per_ms: 3_600_000 }
}

async fn upstream_of_status() -> std::net::SocketAddr {
    origin(|request| async move {
        let status =
            request.headers().get("x-status").map_or(200, |text| text.to_str().unwrap().parse().unwrap());
        answer(status, "text/plain", "ok")
    })
    .await
}

async fn protected(limits: LimitPolicy) -> Bundle {
    let mut bundle = bundle(&[upstream_of_status().await]);
    // The test's address stands for many clients.
    bundle.forwarding = Forwarding { trusted_proxies: vec!["127.0.0.1".into()] };
    let service = &mut bundle.services[0];
    service.operations = vec![operation("clinic", "GET", "/a"), operation("clinic", "POST", "/login")];
    service.protection = Some(Protection { limits: Some(limits), ..Protection::default() });
    bundle
}

fn get_from(address: &str, path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n{more}\r\n")
}

fn login(address: &str, name: &str, status: u16) -> String {
    let body = format!(r#"{{"user":"{name}"}}"#);
    format!(
        "POST /login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\nX-Status: {status}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_its_own_allowance() {
    let bench =
        Bench::start(&protected(policy(vec![limit("api", vec![LimitKey::Address], bucket(2))])).await).await;
    let mut client = bench.connect().await;
    for (address, expected, left) in [
        ("192.0.2.1", 200, "1"),
        ("192.0.2.1", 200, "0"),
        ("192.0.2.1", 429, "0"),
        ("192.0.2.2", 200, "1"),
        ("2001:db8::1", 200, "1"),
        ("2001:db8::2", 200, "0"),
        ("2001:db8:0:1::1", 200, "1"),
    ] {
        let answer = client.ask(&get_from(address, "/a", "")).await;
        assert_eq!(status(&answer), expected, "{address}: {answer}");
        assert_eq!(header(&answer, "ratelimit-policy"), Some("\"api\";q=2;w=7200"));
        let state = header(&answer, "ratelimit").unwrap();
        assert!(state.starts_with(&format!("\"api\";r={left};t=")), "{state}");
        let record = bench.record();
        assert_eq!(record.status, expected);
        if expected == 429 {
            let wait: u64 = header(&answer, "retry-after").unwrap().parse().unwrap();
            assert!((3_500..=3_600).contains(&wait), "{wait}");
            assert_eq!(header(&answer, "content-type"), Some("application/problem+json"));
            let [decision] = record.decisions.as_slice() else { panic!("one decision: {record:?}") };
            assert_eq!(
                (decision.check.as_str(), decision.rule.as_str()),
                ("rate-limit", "gateway-limit-api")
            );
            assert_eq!((decision.action, record.end), (Action::Refuse, End::Refused));
            assert_eq!(
                (decision.input.field.as_str(), decision.input.found.as_str()),
                ("address", "used-up")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_takes_nothing_from_other_limits() {
    let only = |operation| LimitMatch { operations: Some(vec![operation]), ..LimitMatch::default() };
    let wide = limit("wide", vec![LimitKey::Address], bucket(3));
    let narrow = Limit { applies: only(0), ..limit("narrow", vec![LimitKey::Address], bucket(1)) };
    let bench = Bench::start(&protected(policy(vec![wide, narrow])).await).await;
    let mut client = bench.connect().await;
    let mut statuses = Vec::new();
    for path in ["/a", "/a", "/a", "/a", "/b", "/b", "/b"] {
        let answer = client.ask(&get_from("192.0.2.1", path, "")).await;
        statuses.push((
            path,
            status(&answer),
            header(&answer, "ratelimit").unwrap().split(';').next().unwrap().to_owned(),
        ));
    }
    let (narrow, wide) = ("\"narrow\"".to_owned(), "\"wide\"".to_owned());
    let expected = [
        ("/a", 200, narrow.clone()),
        ("/a", 429, narrow.clone()),
        ("/a", 429, narrow.clone()),
        ("/a", 429, narrow),
        ("/b", 200, wide.clone()),
        ("/b", 200, wide.clone()),
        ("/b", 429, wide),
    ];
    assert_eq!(statuses, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_limits_only_mark() {
    let soft = Limit { mode: EnforcementMode::Observe, ..limit("soft", vec![], bucket(1)) };
    let bench = Bench::start(&protected(policy(vec![soft])).await).await;
    let mut client = bench.connect().await;
    for marks in [0, 1, 1] {
        assert_eq!(status(&client.ask(&get_from("192.0.2.1", "/a", "")).await), 200);
        let decisions = bench.record().decisions;
        assert_eq!(decisions.len(), marks);
        assert!(decisions.iter().all(|decision| decision.action == Action::Flag));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_cost_by_their_size() {
    let cost = LimitCost { call: 1, request_kib: 2 };
    let sized = Limit { cost, ..limit("bytes", vec![LimitKey::Header("x-key".into())], bucket(10)) };
    let bench = Bench::start(&protected(policy(vec![sized])).await).await;
    let mut client = bench.connect().await;
    let post = |key: &str, bytes: usize| {
        let body = "x".repeat(bytes);
        format!("POST /b HTTP/1.1\r\nHost: a\r\nX-Key: {key}\r\nContent-Length: {bytes}\r\n\r\n{body}")
    };
    // 1 + 2 * 3, then nothing is left for as much again.
    assert!(header(&client.ask(&post("k", 2_500)).await, "ratelimit").unwrap().contains("r=3"));
    let refused = bench.connect().await.ask(&post("k", 2_500)).await;
    assert_eq!(status(&refused), 429);
    // One that can never pass is told no time to wait.
    let never = bench.connect().await.ask(&post("other", 20_000)).await;
    assert_eq!((status(&never), header(&never, "retry-after")), (429, None));
    // Of unknown length: charged afterwards.
    let chunked = "POST /b HTTP/1.1\r\nHost: a\r\nX-Key: c\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n"
        .to_owned()
        + &"y".repeat(4_096)
        + "\r\n0\r\n\r\n";
    assert!(header(&client.ask(&chunked).await, "ratelimit").unwrap().contains("r=9"));
    for _ in 0..3 {
        bench.record();
    }
    assert!(header(&client.ask(&post("c", 0)).await, "ratelimit").unwrap().contains("r=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_at_once() {
    let (entered, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let upstream = origin(move |_| {
        entered.send(()).unwrap();
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            answer(200, "text/plain", "ok")
        }
    })
    .await;
    let mut bundle = bundle(&[upstream]);
    let limits = policy(vec![limit("at-once", vec![], LimitAlgorithm::Concurrency { limit: 2 })]);
    bundle.services[0].protection = Some(Protection { limits: Some(limits), ..Protection::default() });
    let bench = Bench::start(&bundle).await;
    let (mut first, mut second, mut third) =
        (bench.connect().await, bench.connect().await, bench.connect().await);
    first.send(get_from("192.0.2.1", "/a", "")).await;
    second.send(get_from("192.0.2.1", "/a", "")).await;
    waiting.recv().await.unwrap();
    waiting.recv().await.unwrap();
    let refused = third.ask(&get_from("192.0.2.1", "/a", "")).await;
    assert_eq!((status(&refused), header(&refused, "retry-after")), (429, Some("1")));
    assert_eq!(bench.record().decisions[0].check.as_str(), "dos-limits");
    gate.add_permits(10);
    assert_eq!(status(&first.until("\r\n\r\n").await), 200);
    assert_eq!(status(&second.until("\r\n\r\n").await), 200);
    bench.record();
    bench.record();
    assert_eq!(status(&third.ask(&get_from("192.0.2.1", "/a", "")).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let quota = LimitAlgorithm::Quota { limit: 3, period: QuotaPeriod::Month, zone: vec![] };
    let mut bundle = protected(policy(vec![limit("monthly", vec![LimitKey::Address], quota)])).await;
    let mut left = Vec::new();
    for drained in [true, false, true] {
        let tuning = Tuning { workers: Some(1), ..Tuning::default() };
        let bench =
            Bench::start_with(&bundle, |options| options.bundle_file = Some(file.clone()), tuning).await;
        let answer = bench.connect().await.ask(&get_from("192.0.2.1", "/a", "Connection: close\r\n")).await;
        left.push((
            status(&answer),
            header(&answer, "ratelimit").unwrap().split(';').nth(1).unwrap().to_owned(),
        ));
        if drained {
            assert!(bench.gateway.drain(PATIENCE).await);
        }
        bundle.revision += 1;
    }
    assert_eq!(left, [(200, "r=2".to_owned()), (200, "r=1".to_owned()), (200, "r=0".to_owned())]);
    let bench = Bench::start_with(
        &bundle,
        |options| options.bundle_file = Some(file.clone()),
        Tuning { workers: Some(1), ..Tuning::default() },
    )
    .await;
    let mut client = bench.connect().await;
    assert_eq!(status(&client.ask(&get_from("192.0.2.1", "/a", "")).await), 429);
    assert_eq!(status(&client.ask(&get_from("192.0.2.2", "/a", "")).await), 200);
}

fn escalation(name: &str, watch: Watch, by: EscalationKey, steps: &[(u32, EscalationAction)]) -> Escalation {
    let steps = steps.iter().map(|(after, action)| EscalationStep { after: *after, action: *action });
    Escalation {
        name: name.into(),
        mode: EnforcementMode::Block,
        watch,
        by,
        window_ms: 600_000,
        steps: steps.collect(),
    }
}

fn watching(escalations: Vec<Escalation>) -> LimitPolicy {
    let name = Some(NameSource::Body("/user".into()));
    LimitPolicy { sign_in: vec![SignIn { operation: 1, name }], escalations, ..policy(vec![]) }
}

const HOUR: EscalationAction = EscalationAction::Block { ms: 3_600_000 };

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_locked_after_failed_sign_ins() {
    let ladder = escalation("lockout", Watch::SignIn, EscalationKey::Name, &[(3, HOUR)]);
    let bench = Bench::start(&protected(watching(vec![ladder])).await).await;
    let mut client = bench.connect().await;
    // From ever new addresses, and however the name is written.
    for (address, name) in [("192.0.2.1", "ada"), ("192.0.2.2", "Ada"), ("192.0.2.3", " ada")] {
        assert_eq!(status(&client.ask(&login(address, name, 401)).await), 401, "{name}");
        bench.record();
    }
    let locked = client.ask(&login("192.0.2.4", "ada", 200)).await;
    assert_eq!(status(&locked), 429, "{locked}");
    assert!(header(&locked, "retry-after").unwrap().parse::<u64>().unwrap() > 3_500);
    let record = bench.record();
    let decision = &record.decisions[0];
    assert_eq!(decision.rule.as_str(), "gateway-escalation-lockout");
    assert_eq!((decision.check.as_str(), decision.input.found.as_str()), ("authn-bruteforce", "blocked"));
    assert!(!format!("{record:?}").contains("ada\""), "{record:?}");
    assert_eq!(status(&client.ask(&login("192.0.2.1", "bob", 200)).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_from_one_address_are_stuffing() {
    let ladder = escalation("stuffing", Watch::Names, EscalationKey::Address, &[(4, HOUR)]);
    let bench = Bench::start(&protected(watching(vec![ladder])).await).await;
    let mut client = bench.connect().await;
    // One account that is tried again and again is no stuffing.
    for _ in 0..8 {
        assert_eq!(status(&client.ask(&login("192.0.2.1", "ada", 401)).await), 401);
    }
    let mut last = 401;
    for account in 0..12 {
        // A refusal closes: the body was not read.
        let mut client = bench.connect().await;
        last = status(&client.ask(&login("192.0.2.2", &format!("account-{account}"), 401)).await);
    }
    assert_eq!(last, 429);
    // Blocked everywhere, and nobody else is.
    assert_eq!(status(&client.ask(&get_from("192.0.2.2", "/a", "")).await), 429);
    assert_eq!(status(&client.ask(&get_from("192.0.2.1", "/a", "")).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_lead_from_a_mark_to_a_block() {
    let key = tempfile::NamedTempFile::new().unwrap();
    key.as_file().write_all(b"0123456789abcdef").unwrap();
    let steps = [
        (1, EscalationAction::Mark),
        (2, EscalationAction::Slow { ms: 1 }),
        (3, EscalationAction::Challenge),
        (4, HOUR),
    ];
    let mut limits =
        watching(vec![escalation("probing", Watch::Statuses(vec![404]), EscalationKey::Address, &steps)]);
    limits.challenge = Some(Challenge {
        key_file: key.path().display().to_string(),
        pass: PassPlace::Cookie("pass".into()),
        answer: ChallengeAnswer::Redirect("/prove".into()),
    });
    let bench = Bench::start(&protected(limits).await).await;
    let mut client = bench.connect().await;
    let missing = get_from("192.0.2.1", "/x", "X-Status: 404\r\n");
    for found in [None, Some("marked"), Some("slowed")] {
        assert_eq!(status(&client.ask(&missing).await), 404);
        let record = bench.record();
        assert_eq!(record.decisions.first().map(|decision| decision.input.found.as_str()), found);
        assert!(record.decisions.iter().all(|decision| decision.action == Action::Flag));
    }
    let challenged = client.ask(&missing).await;
    assert_eq!((status(&challenged), header(&challenged, "location")), (303, Some("/prove")));
    let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
    let sign = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"0123456789abcdef"),
        format!("probity-challenge-v1\n{until}\n192.0.2.1").as_bytes(),
    );
    let tag: String = sign.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let pass = format!("Cookie: a=1; pass={until}.{tag}\r\n");
    assert_eq!(status(&client.ask(&get_from("192.0.2.1", "/a", &pass)).await), 200);
    // With the pass it goes on failing.
    assert_eq!(
        status(&client.ask(&get_from("192.0.2.1", "/x", &format!("{pass}X-Status: 404\r\n"))).await),
        404
    );
    assert_eq!(status(&client.ask(&get_from("192.0.2.1", "/a", &pass)).await), 429);
    assert_eq!(status(&client.ask(&get_from("192.0.2.9", "/a", "")).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_refuses_nobody() {
    let ladder = escalation("lockout", Watch::SignIn, EscalationKey::Address, &[(2, HOUR)]);
    let mut limits = watching(vec![ladder]);
    limits.mode = EnforcementMode::Observe;
    limits.limits = vec![limit("api", vec![], bucket(1))];
    let bench = Bench::start(&protected(limits).await).await;
    let mut client = bench.connect().await;
    let mut found = Vec::new();
    for _ in 0..4 {
        assert_eq!(status(&client.ask(&login("192.0.2.1", "ada", 401)).await), 401);
        found.extend(
            bench.record().decisions.into_iter().map(|decision| (decision.action, decision.input.found)),
        );
    }
    let flag = |found: &str| (Action::Flag, found.to_owned());
    assert_eq!(found, [flag("used-up"), flag("blocked"), flag("used-up"), flag("blocked"), flag("used-up")]);
}

/// Two consumers with a key each, in two services.
async fn identified(limits: LimitPolicy) -> (Bundle, [String; 2]) {
    let keys = [1, 2].map(|seed| mint_key("live", &[seed; 64]).unwrap());
    let credential = |at: usize| Credential {
        id: format!("k-{at}").into(),
        hash: credential_hash(&[7; 32], &secret_digest(keys[at].as_bytes())),
        consumer: u32::try_from(at).unwrap(),
        scheme: SecretScheme::Any,
        roles: None,
        scopes: None,
        environment: None,
        issued_at: None,
        expires_at: None,
        revoked: false,
    };
    let consumer = |name: &str, role: &str| Consumer {
        name: name.into(),
        tenant: Some("north".into()),
        roles: vec![role.into()],
        ..Consumer::default()
    };
    let mut bundle = protected(limits).await;
    bundle.identity = Some(IdentityPolicy {
        consumers: vec![consumer("app", "patient"), consumer("desk", "staff")],
        credentials: vec![credential(0), credential(1)],
        ..IdentityPolicy::default()
    });
    let service = &mut bundle.services[0];
    service.protection.as_mut().unwrap().identity = Some(ServiceIdentity {
        mode: EnforcementMode::Block,
        needs: vec![Need { alternatives: vec![vec![Way::ApiKey]], ..Need::default() }],
        operations: vec![0, 0],
        key_fields: vec!["x-api-key".into()],
        ..ServiceIdentity::default()
    });
    let mut other = service.clone();
    other.id = "other".into();
    other.path_prefix = "/other".into();
    (other.operations, other.protection.as_mut().unwrap().identity.as_mut().unwrap().operations) =
        (vec![], vec![]);
    other.protection.as_mut().unwrap().limits = Some(policy(vec![]));
    bundle.services.push(other);
    (bundle, keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn proved_callers_are_counted_by_what_is_proved() {
    let staff = LimitMatch { roles: vec!["staff".into()], ..LimitMatch::default() };
    let limits = policy(vec![
        limit("consumer", vec![LimitKey::Consumer], bucket(2)),
        limit("tenant", vec![LimitKey::Tenant], bucket(5)),
        Limit {
            applies: staff,
            ..limit("staff", vec![LimitKey::Credential, LimitKey::Operation], bucket(1))
        },
    ]);
    let (bundle, keys) = identified(limits).await;
    let bench = Bench::start(&bundle).await;
    let mut client = bench.connect().await;
    for (key, path, expected) in [
        (0, "/a", (200, None)),
        (0, "/a", (200, None)),
        // From wherever it comes.
        (0, "/a", (429, Some("gateway-limit-consumer"))),
        (1, "/a", (200, None)),
        (1, "/a", (429, Some("gateway-limit-staff"))),
        (1, "/b", (200, None)),
        (1, "/b", (429, Some("gateway-limit-consumer"))),
    ] {
        let fields = format!("X-Api-Key: {}\r\n", keys[key]);
        let answer = client.ask(&get_from(&format!("192.0.2.{key}"), path, &fields)).await;
        let record = bench.record();
        let rule = record.decisions.first().map(|decision| decision.rule.as_str());
        assert_eq!((status(&answer), rule), expected, "{key} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_keys_ends_before_they_are_looked_up() {
    let ladder = escalation("guessing", Watch::Statuses(vec![401]), EscalationKey::Address, &[(3, HOUR)]);
    let (bundle, keys) = identified(watching(vec![ladder])).await;
    let bench = Bench::start(&bundle).await;
    let mut client = bench.connect().await;
    let with = |address: &str, key: &str| get_from(address, "/a", &format!("X-Api-Key: {key}\r\n"));
    for guess in 0..3 {
        assert_eq!(status(&client.ask(&with("192.0.2.1", &format!("guess-{guess}"))).await), 401);
        bench.record();
    }
    // Even the right one.
    assert_eq!(status(&client.ask(&with("192.0.2.1", &keys[0])).await), 429);
    assert_eq!(status(&client.ask(&with("192.0.2.2", &keys[0])).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_revoked_everywhere() {
    let steps = [(2, EscalationAction::Revoke { ms: 3_600_000 })];
    let ladder = escalation("probing", Watch::Statuses(vec![403]), EscalationKey::Credential, &steps);
    let (bundle, keys) = identified(watching(vec![ladder])).await;
    let bench = Bench::start(&bundle).await;
    let mut client = bench.connect().await;
    let with = |key: &str, path: &str, status: u16| {
        get_from("192.0.2.1", path, &format!("X-Api-Key: {key}\r\nX-Status: {status}\r\n"))
    };
    for _ in 0..2 {
        assert_eq!(status(&client.ask(&with(&keys[0], "/a", 403)).await), 403);
        bench.record();
    }
    for (key, path, expected) in [(0, "/a", 401), (0, "/other/x", 401), (1, "/a", 200), (1, "/other/x", 200)]
    {
        assert_eq!(status(&client.ask(&with(&keys[key], path, 200)).await), expected, "{key} {path}");
    }
}

async fn bounded(change: impl FnOnce(&mut ConnectionLimits)) -> Bench {
    let mut bundle = bundle(&[echo().await]);
    change(&mut bundle.limits);
    Bench::start(&bundle).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_address() {
    let bench = bounded(|limits| limits.connections_per_address = 2).await;
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut first, mut second) = (bench.connect().await, bench.connect().await);
    assert_eq!((status(&first.ask(get).await), status(&second.ask(get).await)), (200, 200));
    assert!(bench.connect().await.is_closed().await);
    assert!(bench.gateway.metrics().contains(r#"reason="too-many-connections-of-address"} 1"#));
    drop(first);
    // Its place is free once the gateway has seen the end.
    let again = async {
        loop {
            let mut client = bench.connect().await;
            client.stream.write_all(get.as_bytes()).await.unwrap_or_default();
            let mut one = [0; 1];
            if let Ok(1) = client.stream.read(&mut one).await {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    // Trusted proxies have no such bound.
    let mut bundle = bundle(&[echo().await]);
    bundle.limits.connections_per_address = 1;
    bundle.forwarding.trusted_proxies = vec!["127.0.0.0/8".into()];
    let bench = Bench::start(&bundle).await;
    let (mut first, mut second) = (bench.connect().await, bench.connect().await);
    assert_eq!((status(&first.ask(get).await), status(&second.ask(get).await)), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_not_waited_for() {
    let bench = bounded(|limits| (limits.body_bytes_per_second, limits.body_grace_ms) = (1_000_000, 1)).await;
    let mut client = bench.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc").await;
    let answer = client.rest().await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("body-too-slow"), "{answer}");
    // One that comes at once is none.
    let answer =
        bench.connect().await.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(status(&answer), 200);
}

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Sends until the gateway closes; the codes of the GOAWAY frames that it sent.
async fn goodbyes(bench: &Bench, frames: impl Fn(u32) -> Vec<u8> + Send + 'static) -> Vec<u32> {
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        let start = [PREFACE, &frame(4, 0, 0, &[])].concat();
        if write.write_all(&start).await.is_err() {
            return;
        }
        for turn in 0..1_000_000 {
            if write.write_all(&frames(turn)).await.is_err() {
                return;
            }
        }
    });
    let mut all = Vec::new();
    let reading = async { while let Ok(1..) = read.read_buf(&mut all).await {} };
    tokio::time::timeout(PATIENCE, reading).await.expect("the gateway closes");
    sending.abort();
    let mut codes = Vec::new();
    let mut rest = all.as_slice();
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        if head[3] == 7 {
            codes.push(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = after;
    }
    codes
}

/// `:method: GET`, `:scheme: http`, `:path: /`, `:authority: a`.
const GET: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];

#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_end_the_connection() {
    let bench = bounded(|limits| limits.resets = 50).await;
    let codes = goodbyes(&bench, |turn| {
        let stream = turn * 2 + 1;
        [frame(1, 5, stream, &GET), frame(3, 0, stream, &8u32.to_be_bytes())].concat()
    })
    .await;
    assert!(codes.contains(&ENHANCE_YOUR_CALM), "{codes:?}");
    // The gateway goes on.
    let client = h2_client(bench.address()).await;
    assert_eq!(h2_ask(&client, get("http://a/"), None).await.unwrap().0.status(), 200);
}

/// Resets that come so late that each call is on its way already.
#[tokio::test(flavor = "multi_thread")]
async fn calls_given_up_after_a_while_are_counted_too() {
    let hanging = origin(|_| std::future::pending()).await;
    let mut bundle = bundle(&[hanging]);
    bundle.limits.resets = 20;
    let bench = Bench::start(&bundle).await;
    let client = h2_client(bench.address()).await;
    let ask = async {
        for given_up in 0..200 {
            let Ok(mut ready) = client.clone().ready().await else { return given_up };
            let Ok((answer, _)) = ready.send_request(get("http://a/"), true) else { return given_up };
            drop(answer);
            // The record tells that the gateway has seen the end of it.
            let record = bench.record();
            assert_eq!(record.end, End::ClientAborted);
        }
        panic!("never refused");
    };
    let given_up = tokio::time::timeout(PATIENCE, ask).await.unwrap();
    assert!((20..30).contains(&given_up), "{given_up}");
    assert!(bench.gateway.metrics().contains(r#"reason="too-many-resets"} 1"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn continuation_floods_end_the_connection() {
    let bench = bounded(|_| {}).await;
    let codes = goodbyes(&bench, |turn| match turn {
        0 => frame(1, 0, 1, &GET),
        // A literal field without indexing, again and again, and never an end.
        _ => frame(9, 0, 1, &[&[0x00, 0x01, b'x', 0x7f, 0x81, 0x07][..], &[b'y'; 256]].concat()),
    })
    .await;
    assert!(codes.iter().all(|code| *code != 0), "{codes:?}");
    let client = h2_client(bench.address()).await;
    assert_eq!(h2_ask(&client, get("http://a/"), None).await.unwrap().0.status(), 200);
    // Empty ones are no way around it.
    let codes =
        goodbyes(&bench, |turn| if turn == 0 { frame(1, 0, 1, &GET) } else { frame(9, 0, 1, &[]) }).await;
    assert!(codes.iter().all(|code| *code != 0), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_so_many_streams() {
    let hanging = origin(|_| std::future::pending()).await;
    let mut bundle = bundle(&[hanging]);
    bundle.limits.streams = 3;
    let bench = Bench::start(&bundle).await;
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    let (client, connection): (h2::client::SendRequest<Bytes>, _) =
        h2::client::handshake(stream).await.unwrap();
    let settled = client.clone().ready().await.unwrap();
    let driver = tokio::spawn(connection);
    let mut open = Vec::new();
    // The client's own library keeps to what the gateway says.
    let (first, _) = settled.clone().send_request(get("http://a/"), true).unwrap();
    open.push(first);
    let filled = async {
        while client.current_max_send_streams() > 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, filled).await.unwrap();
    assert_eq!(client.current_max_send_streams(), 3);
    driver.abort();
}
