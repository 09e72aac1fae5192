//! What a record says, and what it never says.

use std::sync::Arc;

use probity_gateway::Tuning;
use probity_model::bundle::{BundleService, OnRecordFailure};
use probity_model::exchange::{AuthenticationState, CredentialScheme, End, PathRef, UserAgentClass};
use probity_model::path::SegmentKind;
use probity_model::{DataClass, Place, Signal};

use crate::harness::*;

fn clinic(upstream: std::net::SocketAddr) -> BundleService {
    BundleService {
        operations: vec![operation("clinic", "GET", "/patients/{id}")],
        credential_names: vec!["X-Clinic-Key".into()],
        ..service("clinic", &[upstream])
    }
}

/// A patient's data and a card number that pass the usual checks; none of them is anyone's.
const PATIENT: &str = r#"{"id": 7, "email": "ada@clinic.example", "card": {"number": "4111111111111111"}}"#;

async fn patients() -> Bench {
    let address = origin(|_| async {
        let mut response = answer(200, "application/json", PATIENT);
        response.headers_mut().insert("server", "nginx/1.25.1".parse().unwrap());
        response
    })
    .await;
    let mut bundle = bundle(&[]);
    bundle.services = vec![clinic(address)];
    Bench::start(&bundle).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_full() {
    let bench = patients().await;
    let mut client = bench.connect().await;
    let request = "GET /patients/77190?verbose=1&fields=all HTTP/1.1\r\nHost: clinic.example\r\n\
         Authorization: Bearer s3cret-token-value\r\nUser-Agent: curl/8.5.0\r\n\r\n";
    client.ask(request).await;
    let record = bench.record();
    assert_eq!(record.sequence, 1);
    assert_eq!(record.gateway.as_str(), "test");
    assert_eq!((record.revision, record.service.as_str(), &*record.method), (1, "clinic", "GET"));
    assert_eq!(record.path.display(), "/patients/{id}");
    assert!(matches!(record.path, PathRef::Template(_)));
    assert_eq!(record.query, [Arc::from("fields"), Arc::from("verbose")]);
    assert_eq!((record.status, record.end), (200, End::Complete));
    assert_eq!(&*record.response_type, "application/json");
    assert_eq!(record.response_bytes, PATIENT.len() as u64);
    assert_eq!(record.user_agent, UserAgentClass::CommandLine);
    assert_eq!(record.authentication.state, AuthenticationState::Presented);
    assert_eq!(record.authentication.scheme, CredentialScheme::Bearer);
    assert_eq!(record.authentication.key_version, 3);
    assert_eq!(record.authentication.identity, None);
    let fields = record.shape_fields.clone().expect("the first of its shape");
    assert!(fields.iter().any(|field| &**field == "/card/number"), "{fields:?}");
    for (class, field) in [(DataClass::Email, "/email"), (DataClass::CardNumber, "/card/number")] {
        let hit = record.classes.iter().find(|hit| hit.class == class).unwrap_or_else(|| panic!("{class}"));
        assert_eq!((hit.place, hit.field.as_str(), hit.masked), (Place::ResponseBody, field, false));
    }
    for signal in
        [Signal::ClearText, Signal::VersionBanner, Signal::NosniffMissing, Signal::CacheableSensitive]
    {
        assert!(record.signals.contains(signal), "{signal:?}");
    }
    assert!(!record.signals.contains(Signal::HstsMissing));
    assert!(record.durations.total_us >= record.durations.upstream_us && record.durations.upstream_us > 0);

    // No value that went by is anywhere in it.
    let text = serde_json::to_string(&record).unwrap();
    for secret in ["77190", "s3cret", "ada@", "4111", "curl"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    // The same caller and shape again: joined by hash, names not repeated.
    client.ask(request).await;
    let again = bench.record();
    assert_eq!(again.authentication, record.authentication);
    assert_eq!((again.shape, again.shape_fields), (record.shape, None));
    client.ask(&request.replace("s3cret", "other")).await;
    assert_ne!(bench.record().authentication.credential, record.authentication.credential);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_are_typed() {
    let bench = patients().await;
    let mut client = bench.connect().await;
    let mut hashes = Vec::new();
    for id in ["77190", "77190", "5"] {
        client.ask(&format!("GET /v1/visits/{id} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let record = bench.record();
        assert_eq!(record.path.display(), "/v1/visits/{int}");
        let PathRef::Segments(segments) = record.path else { panic!("no template is known") };
        assert_eq!(segments[2].kind, SegmentKind::Int);
        hashes.push(segments[2].hash);
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
    assert_ne!(hashes[0], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_found_wherever_they_stand() {
    let bench = patients().await;
    let mut client = bench.connect().await;
    for (target, field, scheme, in_url) in [
        ("/a", "X-API-Key: k", CredentialScheme::ApiKeyHeader, false),
        ("/a", "X-Clinic-Key: k", CredentialScheme::ApiKeyHeader, false),
        ("/a", "Cookie: sessionid=1", CredentialScheme::Cookie, false),
        ("/a?access_token=abc", "X-A: b", CredentialScheme::ApiKeyQuery, true),
        ("/a", "X-A: b", CredentialScheme::None, false),
    ] {
        client.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).await;
        let record = bench.record();
        assert_eq!(record.authentication.scheme, scheme, "{target} {field}");
        assert_eq!(record.signals.contains(Signal::CredentialInUrl), in_url, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_bodies_are_inspected_and_binary_ones_are_not() {
    let bench = patients().await;
    let mut client = bench.connect().await;
    let post = |content_type: &str, more: &str| {
        format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n{more}Content-Length: {}\r\n\r\n{PATIENT}",
            PATIENT.len()
        )
    };
    for (request, found, truncated) in [
        (post("application/json", ""), true, false),
        (post("image/png", ""), false, false),
        (post("application/json", "Content-Encoding: gzip\r\n"), false, true),
    ] {
        client.ask(&request).await;
        let record = bench.record();
        let hit = record.classes.iter().any(|hit| hit.place == Place::RequestBody);
        assert_eq!(
            (hit, record.signals.contains(Signal::InspectionTruncated)),
            (found, truncated),
            "{request}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inspection_is_bounded() {
    let address = origin(|_| async {
        answer(
            200,
            "application/json",
            format!(r#"{{"pad": "{}", "email": "ada@clinic.example"}}"#, "x".repeat(5000)),
        )
    })
    .await;
    let mut bundle = bundle(&[address]);
    bundle.inspection.body_bytes = 1000;
    let bench = Bench::start(&bundle).await;
    bench.connect().await.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let record = bench.record();
    assert!(record.signals.contains(Signal::InspectionTruncated));
    assert!(record.classes.iter().all(|hit| hit.class != DataClass::Email));
    assert!(record.response_bytes > 5000);
}

/// A stage that panics passes the call and is recorded; the process and the connection live.
#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_stage_passes_and_is_recorded() {
    fn probe(path: &str) {
        assert_ne!(path, "/panic", "the test asked for it");
    }
    let tuning = Tuning { workers: Some(1), stage_probe: Some(probe), ..Tuning::default() };
    let bench = Bench::start_with(&bundle(&[echo().await]), |_| {}, tuning).await;
    let mut client = bench.connect().await;
    for (path, panicked) in [("/a", false), ("/panic", true), ("/b", false)] {
        let answer = client.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(status(&answer), 200);
        let record = bench.record();
        assert_eq!(record.status, 200);
        let rules: Vec<_> = record.decisions.iter().map(|decision| decision.rule.as_str()).collect();
        assert_eq!(rules, if panicked { vec!["gateway-stage-panicked"] } else { vec![] });
    }
    assert!(bench.gateway.metrics().contains("probity_gateway_stage_panics_total 1"));
    bench.is_settled(3);
}

/// Durable: when the client has the whole answer, the record is on disk.
#[tokio::test(flavor = "multi_thread")]
async fn durable_calls_are_on_disk_before_their_end() {
    for chunked in [false, true] {
        let address = match chunked {
            true => {
                canned(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await
            }
            false => canned(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await,
        };
        let mut bundle = bundle(&[address]);
        bundle.services[0].durable = true;
        let bench = Bench::start(&bundle).await;
        let mut client = bench.connect().await;
        for n in 1..=5 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            client.until(if chunked { "0\r\n\r\n" } else { "\r\n\r\nok" }).await;
            assert_eq!(bench.events.counts().recorded, n);
            assert_eq!(bench.record().end, End::Complete);
        }
        bench.is_settled(5);
    }
    // Over HTTP/2 as well.
    let mut bundle = bundle(&[canned(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await]);
    bundle.services[0].durable = true;
    let bench = Bench::start(&bundle).await;
    let client = h2_client(bench.address()).await;
    let (_, body, _) = h2_ask(&client, get("http://a/"), None).await.unwrap();
    assert_eq!((body.as_slice(), bench.events.counts().recorded), (&b"ok"[..], 1));
}

/// With recording shut down, durable calls are cut where nothing may be lost, and pass elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn unrecordable_calls_follow_the_configuration() {
    for (on_full, passes) in [(OnRecordFailure::Refuse, false), (OnRecordFailure::Pass, true)] {
        let mut bundle = bundle(&[canned(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await]);
        bundle.services[0].durable = true;
        bundle.record.on_full = on_full;
        let bench = Bench::start(&bundle).await;
        bench.events.shutdown();
        let answer = bench.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert_eq!(answer.ends_with("ok"), passes, "{on_full:?} {answer:?}");
    }
}
