//! Who calls: proved by keys, opaque tokens and passwords, held against what an operation asks for, told to the upstream.

use std::sync::Arc;

use probity_gateway::{credential_hash, hash_password, mint_key, secret_digest};
use probity_model::bundle::identity::{
    Consumer, Credential, ForwardCredential, IdentityPolicy, Need, Password, PrincipalField, Revocation,
    SecretScheme, ServiceIdentity, SessionLimits, Way,
};
use probity_model::bundle::{Bundle, Protection};
use probity_model::exchange::{AuthenticationState, CredentialScheme};
use probity_model::principal::PrincipalKind;
use probity_model::{Action, EnforcementMode, Timestamp};

use crate::harness::*;

/// The key that [`Bench`] gives its gateway.
const IDENTITY_KEY: [u8; 32] = [7; 32];
const TOKEN: &str = "cldemo_pat1_Zr8wQ2nLx5Vt9KfB";

fn key() -> String {
    mint_key("live", &[9; 64]).unwrap()
}

fn credential(id: &str, secret: &str, scheme: SecretScheme) -> Credential {
    Credential {
        id: id.into(),
        hash: credential_hash(&IDENTITY_KEY, &secret_digest(secret.as_bytes())),
        consumer: 0,
        scheme,
        roles: None,
        scopes: Some(vec!["read".into()]),
        environment: None,
        issued_at: None,
        expires_at: None,
        revoked: false,
    }
}

fn policy() -> IdentityPolicy {
    IdentityPolicy {
        consumers: vec![Consumer {
            name: "clinic-app".into(),
            kind: PrincipalKind::User,
            tenant: Some("north".into()),
            roles: vec!["patient".into()],
            ..Consumer::default()
        }],
        credentials: vec![
            credential("k-1", &key(), SecretScheme::Any),
            credential("pat-1", TOKEN, SecretScheme::Bearer),
        ],
        ..IdentityPolicy::default()
    }
}

/// `GET /open` is public, `GET /both` wants two proofs, `GET /key` a key, everything else any proof.
fn service_identity(mode: EnforcementMode) -> ServiceIdentity {
    let need = |alternatives: &[&[Way]]| Need {
        alternatives: alternatives.iter().map(|ways| ways.to_vec()).collect(),
        ..Need::default()
    };
    ServiceIdentity {
        mode,
        needs: vec![
            need(&[]),
            Need { public: true, ..Need::default() },
            need(&[&[Way::Bearer, Way::ApiKey]]),
            need(&[&[Way::ApiKey]]),
        ],
        operations: vec![1, 2, 3],
        key_fields: vec!["x-api-key".into()],
        ..ServiceIdentity::default()
    }
}

fn identified(upstream: std::net::SocketAddr, mode: EnforcementMode) -> Bundle {
    let mut bundle = bundle(&[upstream]);
    bundle.identity = Some(policy());
    let service = &mut bundle.services[0];
    service.operations =
        ["/open", "/both", "/key"].map(|template| operation("clinic", "GET", template)).to_vec();
    service.protection = Some(Protection { identity: Some(service_identity(mode)), ..Protection::default() });
    bundle
}

fn identity(bundle: &mut Bundle) -> &mut ServiceIdentity {
    bundle.services[0].protection.as_mut().unwrap().identity.as_mut().unwrap()
}

fn request(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n")
}

/// The status, and the rule of the one decision.
async fn ask(bench: &Bench, path: &str, fields: &str) -> (u16, String) {
    let answer = bench.raw(&request(path, fields)).await;
    let record = bench.record();
    let rules: Vec<_> = record.decisions.iter().map(|decision| decision.rule.as_str()).collect();
    if status(&answer) == 401 {
        assert!(header(&answer, "www-authenticate").is_some(), "{answer}");
    }
    (status(&answer), rules.join(" "))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_operation_asks_for() {
    let bench = Bench::start(&identified(echo().await, EnforcementMode::Block)).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let key_field = format!("X-Api-Key: {}\r\n", key());
    let key_bearer = format!("authorization: bearer {}\r\n", key());
    let mistyped = format!("X-Api-Key: {}\r\n", key().replace("live", "test"));
    for (path, fields, expected) in [
        ("/", String::new(), (401, "gateway-credential-missing")),
        ("/", bearer.clone(), (200, "")),
        ("/", key_field.clone(), (200, "")),
        ("/", key_bearer.clone(), (200, "")),
        ("/", format!("Authorization: ApiKey {}\r\n", key()), (200, "")),
        ("/", "Authorization: Bearer nobody\r\n".into(), (401, "gateway-credential-unknown")),
        ("/", mistyped, (401, "gateway-credential-malformed")),
        ("/", format!("X-Api-Key: {TOKEN}\r\n"), (401, "gateway-credential-scheme")),
        ("/", "Authorization: Digest username=\"a\"\r\n".into(), (401, "gateway-credential-scheme")),
        ("/", format!("{bearer}{bearer}"), (401, "gateway-credential-repeated")),
        ("/key", bearer.clone(), (401, "gateway-credential-scheme")),
        ("/key", key_bearer, (200, "")),
        ("/both", bearer.clone(), (401, "gateway-credential-scheme")),
        ("/both", format!("{bearer}{key_field}"), (200, "")),
        ("/open", String::new(), (200, "")),
        ("/open", bearer, (200, "")),
    ] {
        let (status, rule) = ask(&bench, path, &fields).await;
        assert_eq!((status, rule.as_str()), expected, "{path} {fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_refuses_nothing_and_a_bad_credential_on_a_public_operation_is_seen() {
    let mut bundle = identified(echo().await, EnforcementMode::Observe);
    let bench = Bench::start(&bundle).await;
    assert_eq!(ask(&bench, "/", "").await, (200, "gateway-credential-missing".into()));
    bundle = identified(echo().await, EnforcementMode::Block);
    identity(&mut bundle).invalid_on_public = EnforcementMode::Observe;
    let bench = Bench::start(&bundle).await;
    let bad = "Authorization: Bearer nobody\r\n";
    assert_eq!(ask(&bench, "/open", bad).await, (200, "gateway-credential-unknown".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_names_the_caller_by_a_keyed_hash() {
    let bench = Bench::start(&identified(echo().await, EnforcementMode::Block)).await;
    let mut client = bench.connect().await;
    let mut names = Vec::new();
    for field in [format!("Authorization: Bearer {TOKEN}"), format!("X-Api-Key: {}", key())] {
        for _ in 0..2 {
            assert_eq!(
                status(&client.ask(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).await),
                200
            );
            let record = bench.record();
            let authentication = record.authentication;
            assert_eq!(authentication.state, AuthenticationState::Verified);
            assert!(authentication.credential.is_some());
            assert_eq!(authentication.key_version, 3);
            names.push((authentication.scheme, authentication.identity.unwrap()));
        }
    }
    assert_eq!(names[0], names[1]);
    assert_eq!(names[2], names[3]);
    assert_ne!(names[0].1, names[2].1);
    assert_eq!((names[0].0, names[2].0), (CredentialScheme::Bearer, CredentialScheme::ApiKeyHeader));
    // One that is refused names nobody.
    client.ask("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer nobody\r\n\r\n").await;
    let refused = bench.record().authentication;
    assert_eq!((refused.state, refused.identity), (AuthenticationState::Presented, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_with_the_next_call_of_an_open_connection() {
    let mut bundle = identified(echo().await, EnforcementMode::Block);
    let bench = Bench::start(&bundle).await;
    let mut client = bench.connect().await;
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    assert_eq!(status(&client.ask(&text).await), 200);
    let own = bundle.identity.as_mut().unwrap();
    own.revocations = vec![Revocation { subject: Some("pat-1".into()), ..Revocation::default() }];
    bundle.revision += 1;
    bench.gateway.apply(sign(&bundle)).unwrap();
    let answer = client.ask(&text).await;
    assert_eq!(status(&answer), 401);
    assert!(body(&answer).contains("\"gateway-credential-revoked\""), "{answer}");
    let own = bundle.identity.as_mut().unwrap();
    (own.revocations, own.credentials[1].revoked) = (Vec::new(), true);
    bundle.revision += 1;
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(status(&client.ask(&text).await), 401);
    let own = bundle.identity.as_mut().unwrap();
    own.credentials.truncate(1);
    bundle.revision += 1;
    bench.gateway.apply(sign(&bundle)).unwrap();
    let answer = client.ask(&text).await;
    assert!(body(&answer).contains("\"gateway-credential-unknown\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_and_environments_of_credentials() {
    let mut bundle = identified(echo().await, EnforcementMode::Block);
    let own = bundle.identity.as_mut().unwrap();
    own.credentials[0].expires_at = Some(Timestamp::from_seconds(1));
    own.credentials[1].environment = Some("test".into());
    identity(&mut bundle).environment = Some("production".into());
    let bench = Bench::start(&bundle).await;
    let key_field = format!("X-Api-Key: {}\r\n", key());
    assert_eq!(ask(&bench, "/", &key_field).await, (401, "gateway-credential-expired".into()));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&bench, "/", &bearer).await, (403, "gateway-environment".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end() {
    let mut bundle = identified(echo().await, EnforcementMode::Block);
    identity(&mut bundle).session =
        Some(SessionLimits { idle_s: None, absolute_s: Some(0), kinds: vec![PrincipalKind::User] });
    let bench = Bench::start(&bundle).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&bench, "/", &bearer).await, (200, String::new()));
    assert_eq!(ask(&bench, "/", &bearer).await, (401, "gateway-session-absolute".into()));
    // A new bundle does not begin it anew.
    bundle.revision += 1;
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(ask(&bench, "/", &bearer).await, (401, "gateway-session-absolute".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords() {
    let mut bundle = identified(echo().await, EnforcementMode::Block);
    bundle.identity.as_mut().unwrap().passwords = vec![Password {
        user: "ada".into(),
        consumer: 0,
        argon2id: hash_password(b"correct horse", &[1; 16]).unwrap().into(),
        expires_at: None,
    }];
    let bench = Bench::start(&bundle).await;
    // ada:correct horse, ada:wrong, bob:correct horse
    for (pair, expected) in [
        ("YWRhOmNvcnJlY3QgaG9yc2U=", (200, "")),
        ("YWRhOmNvcnJlY3QgaG9yc2U=", (200, "")),
        ("YWRhOndyb25n", (401, "gateway-credential-unknown")),
        ("Ym9iOmNvcnJlY3QgaG9yc2U=", (401, "gateway-credential-unknown")),
        ("", (401, "gateway-credential-malformed")),
    ] {
        let (status, rule) = ask(&bench, "/", &format!("Authorization: Basic {pair}\r\n")).await;
        assert_eq!((status, rule.as_str()), expected, "{pair}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_is_told_by_the_gateway_alone() {
    let mut bundle = identified(echo().await, EnforcementMode::Block);
    identity(&mut bundle).principal_field = Some(PrincipalField::default());
    identity(&mut bundle).forward_credential = ForwardCredential::Remove;
    let bench = Bench::start_with(
        &bundle,
        |options| options.admin = Some("127.0.0.1:0".parse().unwrap()),
        Default::default(),
    )
    .await;
    let forged = "Probity-Principal: forged\r\nX-User-Id: 1\r\nX-User-Agent: grpc\r\n";
    let fields = format!("Authorization: Bearer {TOKEN}\r\n{forged}");
    let answer = bench.raw(&request("/", &fields)).await;
    assert_eq!(status(&answer), 200);
    let seen: Vec<_> = body(&answer).lines().collect();
    let field = |name: &str| -> Vec<&str> {
        seen.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    };
    assert_eq!((field("authorization"), field("x-user-id")), (vec![], vec![]));
    assert_eq!(field("x-user-agent"), ["grpc"]);
    let [told] = field("probity-principal")[..] else { panic!("{seen:?}") };
    assert_eq!(told.split('.').count(), 3);
    let record = bench.record();
    let changes: Vec<_> =
        record.decisions.iter().map(|each| (each.action, each.input.field.clone())).collect();
    assert_eq!(
        changes,
        [(Action::Change, "probity-principal".to_owned()), (Action::Change, "x-user-id".to_owned())]
    );
    let mut admin =
        Client::new(tokio::net::TcpStream::connect(bench.gateway.admin_address().unwrap()).await.unwrap());
    admin.send("GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let keys = admin.rest().await;
    assert!(body(&keys).contains("\"crv\":\"Ed25519\""), "{keys}");
    // A caller without a proof is told of nobody, whatever they send.
    let answer = bench.raw(&request("/open", forged)).await;
    assert!(!body(&answer).contains("probity-principal"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_fit_is_refused_whole() {
    let good = identified(echo().await, EnforcementMode::Block);
    let bench = Bench::start(&good).await;
    let change = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        bundle.revision = 2;
        change(&mut bundle);
        bench.gateway.apply(sign(&bundle)).is_err()
    };
    assert!(change(&|bundle| bundle.identity.as_mut().unwrap().credentials[0].consumer = 7));
    assert!(change(&|bundle| identity(bundle).operations = vec![0, 9, 0]));
    assert!(change(&|bundle| identity(bundle).operations.clear()));
    assert!(change(&|bundle| {
        let password = Password {
            user: "a".into(),
            consumer: 0,
            argon2id: Arc::from("$argon2id$v=19$m=99999999,t=9,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
            expires_at: None,
        };
        bundle.identity.as_mut().unwrap().passwords.push(password);
    }));
    assert_eq!(bench.gateway.revision(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_tried_with_the_callers_in_force() {
    let mut bundle = identified(echo().await, EnforcementMode::Block);
    let service = &mut bundle.services[0];
    service.staged = service.protection.take();
    let bench = Bench::start(&bundle).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&bench, "/", &bearer).await, (200, String::new()));
    let (status, rules) = ask(&bench, "/", "").await;
    assert_eq!(status, 200);
    assert!(rules.ends_with("gateway-credential-missing"), "{rules}");
}
