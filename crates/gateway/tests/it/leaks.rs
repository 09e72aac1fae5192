//! Sensitive data on its way out, and on its way in.

use std::io::Write;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use probity_model::bundle::leaks::{BodyBounds, LeakAction, LeakPolicy, LeakRule, Operations, Undecodable};
use probity_model::bundle::{Bundle, Protection};
use probity_model::exchange::End;
use probity_model::{Action, DataClass, EnforcementMode, Exchange, Place};

use crate::harness::*;

const CARD: &str = r#"{"id":7,"pan":"4111111111111111","cvv":"123","email":"ada@example.com"}"#;

fn rule(class: DataClass, action: LeakAction) -> LeakRule {
    LeakRule { classes: vec![class], roles: Vec::new(), operations: Operations::All, action }
}

fn policy(responses: Vec<LeakRule>) -> LeakPolicy {
    LeakPolicy {
        mode: EnforcementMode::Block,
        responses,
        requests: Vec::new(),
        detokenise: None,
        bodies: BodyBounds::default(),
        card_bin: 6,
    }
}

fn usual() -> LeakPolicy {
    policy(vec![
        rule(DataClass::CardNumber, LeakAction::Mask),
        rule(DataClass::CardVerificationCode, LeakAction::Drop),
    ])
}

fn protected(upstream: std::net::SocketAddr, leaks: LeakPolicy) -> Bundle {
    let mut bundle = bundle(&[upstream]);
    for service in &mut bundle.services {
        service.operations = vec![operation("clinic", "GET", "/cards"), operation("clinic", "POST", "/pay")];
        service.protection = Some(Protection { leaks: Some(leaks.clone()), ..Protection::default() });
    }
    bundle
}

fn get(fields: &str) -> String {
    format!("GET /cards HTTP/1.1\r\nHost: clinic\r\n{fields}Connection: close\r\n\r\n")
}

fn post(target: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: clinic\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn unmasked(record: &Exchange, place: Place) -> Vec<String> {
    let hits = record.classes.iter().filter(|hit| hit.place == place && !hit.masked);
    hits.map(|hit| hit.class.to_string()).collect()
}

fn rules(record: &Exchange) -> Vec<(String, Action)> {
    record.decisions.iter().map(|decision| (decision.rule.to_string(), decision.action)).collect()
}

fn coded(coding: &'static str, body: Vec<u8>) -> Response {
    let mut response = answer(200, "application/json", body);
    response.headers_mut().insert("content-encoding", coding.parse().unwrap());
    response.headers_mut().insert("etag", "\"1\"".parse().unwrap());
    response
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_masked_and_its_code_dropped() {
    let upstream = origin(|_| async {
        let mut response = answer(200, "application/json", CARD);
        response.headers_mut().insert("etag", "\"1\"".parse().unwrap());
        response.headers_mut().insert("x-card", "4111111111111111".parse().unwrap());
        response
    })
    .await;
    let bench = Bench::start(&protected(upstream, usual())).await;
    let told = bench.raw(&get("")).await;
    let expected = r#"{"id":7,"pan":"411111******1111","email":"ada@example.com"}"#;
    assert_eq!((status(&told), body(&told)), (200, expected));
    assert_eq!(header(&told, "content-length"), Some(expected.len().to_string().as_str()));
    assert_eq!((header(&told, "etag"), header(&told, "x-card")), (None, Some("411111******1111")));
    let record = bench.record();
    // What is recorded is what was sent.
    assert_eq!(unmasked(&record, Place::ResponseBody), ["email"]);
    assert_eq!(unmasked(&record, Place::ResponseHeader), Vec::<String>::new());
    assert_eq!(
        rules(&record),
        [
            ("gateway-response-mask".to_owned(), Action::Change),
            ("gateway-response-mask".to_owned(), Action::Change),
            ("gateway-response-drop".to_owned(), Action::Change),
        ]
    );
    assert_eq!(record.decisions[1].input.field, "/pan");
    assert_eq!(record.decisions[1].check.as_str(), "pan-mask");
    assert_eq!(record.decisions[2].check.as_str(), "sad-block");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_anything_passes_as_it_is() {
    let upstream = origin(|_| async {
        let mut response = answer(200, "application/json", r#"{ "email" : "ada@example.com" }"#);
        response.headers_mut().insert("etag", "\"1\"".parse().unwrap());
        response
    })
    .await;
    let bench = Bench::start(&protected(upstream, usual())).await;
    let told = bench.raw(&get("")).await;
    assert_eq!((body(&told), header(&told, "etag")), (r#"{ "email" : "ada@example.com" }"#, Some("\"1\"")));
    let record = bench.record();
    // The record has what the one scan found.
    assert_eq!(unmasked(&record, Place::ResponseBody), ["email"]);
    assert!(record.decisions.is_empty() && record.shape != 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_changes_nothing() {
    let upstream = origin(|_| async { answer(200, "application/json", CARD) }).await;
    let leaks = LeakPolicy { mode: EnforcementMode::Observe, ..usual() };
    let bench = Bench::start(&protected(upstream, leaks)).await;
    assert_eq!(body(&bench.raw(&get("")).await), CARD);
    let record = bench.record();
    assert!(record.decisions.iter().all(|decision| decision.action == Action::Flag));
    assert_eq!(record.decisions.len(), 2);
    assert_eq!(unmasked(&record, Place::ResponseBody).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_class_ends_the_call() {
    let upstream = origin(|_| async { answer(200, "application/json", CARD) }).await;
    let leaks = policy(vec![rule(DataClass::CardVerificationCode, LeakAction::Block)]);
    let bench = Bench::start(&protected(upstream, leaks)).await;
    let told = bench.raw(&get("")).await;
    assert_eq!(status(&told), 502);
    assert!(!told.contains("4111") && told.contains("gateway-response-block"), "{told}");
    assert_eq!(rules(&bench.record()), [("gateway-response-block".to_owned(), Action::Refuse)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn coded_answers_are_judged() {
    for (coding, sent) in [
        ("gzip", gzip(CARD.as_bytes())),
        ("gzip, gzip", gzip(&gzip(CARD.as_bytes()))),
        (
            "zstd",
            ruzstd::encoding::compress_to_vec(CARD.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest),
        ),
    ] {
        let upstream = origin(move |_| {
            let sent = sent.clone();
            async move { coded(coding, sent) }
        })
        .await;
        let bench = Bench::start(&protected(upstream, usual())).await;
        let told = bench.raw(&get("Accept-Encoding: gzip, zstd\r\n")).await;
        assert!(body(&told).contains("411111******1111") && !body(&told).contains("cvv"), "{coding}: {told}");
        assert_eq!((header(&told, "content-encoding"), header(&told, "etag")), (None, None));
        assert_eq!(unmasked(&bench.record(), Place::ResponseBody), ["email"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_is_refused_or_flagged() {
    for (undecodable, coding, expected, action) in [
        (Undecodable::Refuse, "gzip", 502, Action::Refuse),
        (Undecodable::Refuse, "compress", 502, Action::Refuse),
        (Undecodable::Refuse, "gzip, gzip, gzip", 502, Action::Refuse),
        (Undecodable::Pass, "compress", 200, Action::Flag),
    ] {
        let upstream = origin(move |_| async move { coded(coding, CARD.as_bytes().to_vec()) }).await;
        let leaks = LeakPolicy { bodies: BodyBounds { undecodable, ..BodyBounds::default() }, ..usual() };
        let bench = Bench::start(&protected(upstream, leaks)).await;
        assert_eq!(status(&bench.raw(&get("")).await), expected, "{coding}");
        assert_eq!(rules(&bench.record()), [("gateway-undecodable".to_owned(), action)]);
    }
    // A bomb.
    let upstream = origin(|_| async { coded("gzip", gzip(&vec![b'0'; 4 << 20])) }).await;
    let bench = Bench::start(&protected(upstream, usual())).await;
    assert_eq!(status(&bench.raw(&get("")).await), 502);
    assert_eq!(bench.record().decisions[0].input.found, "over-ratio");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_is_asked_for_what_can_be_judged() {
    let bench = Bench::start(&protected(echo().await, usual())).await;
    let told =
        bench.raw(&get("Accept-Encoding: br;q=1, dcz, *\r\nRange: bytes=0-9\r\nIf-Range: \"1\"\r\n")).await;
    assert!(told.contains("accept-encoding: br;q=1\n"), "{told}");
    assert!(!told.contains("range:"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_masked_as_it_streams() {
    let one = r#"{"pan":"4111111111111111","note":"some text beside it, so that it grows"},"#;
    let long = format!("[{}{{\"end\":true}}]", one.repeat(40_000));
    let length = long.len();
    for (coding, sent) in [(None, long.clone().into_bytes()), (Some("gzip"), gzip(long.as_bytes()))] {
        let sent = Bytes::from(sent);
        let upstream = origin(move |_| {
            let sent = sent.clone();
            async move {
                let mut response = answer(200, "application/json", sent);
                if let Some(coding) = coding {
                    response.headers_mut().insert("content-encoding", coding.parse().unwrap());
                }
                response
            }
        })
        .await;
        let bodies = BodyBounds { hold: 1024, ratio: 2000, ..BodyBounds::default() };
        let bench = Bench::start(&protected(upstream, LeakPolicy { bodies, ..usual() })).await;
        let told = bench.raw(&get("")).await;
        assert_eq!(told.matches("411111******1111").count(), 40_000, "{coding:?}");
        assert!(!told.contains("4111111111111111"), "{coding:?}");
        assert!(
            told.len() > length && told.trim_end_matches("0\r\n\r\n").trim_end().ends_with("{\"end\":true}]")
        );
        let record = bench.record();
        assert_eq!(rules(&record), [("gateway-response-mask".to_owned(), Action::Change)]);
        assert!(unmasked(&record, Place::ResponseBody).is_empty());
        assert_eq!(record.end, End::Complete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_class_cuts_a_long_answer() {
    let long =
        format!("[{}{{\"cvv\":\"123\"}},{{\"pan\":\"4111111111111111\"}}]", "{\"note\":\"x\"},".repeat(4000));
    let upstream = origin(move |_| {
        let long = long.clone();
        async move { answer(200, "application/json", long) }
    })
    .await;
    let bodies = BodyBounds { hold: 1024, ..BodyBounds::default() };
    let blocked = policy(vec![rule(DataClass::CardVerificationCode, LeakAction::Block)]);
    let bench = Bench::start(&protected(upstream, LeakPolicy { bodies, ..blocked })).await;
    let told = bench.raw(&get("")).await;
    assert!(!told.contains("cvv") && !told.contains("4111") && !told.ends_with("0\r\n\r\n"));
    let record = bench.record();
    assert_ne!(record.end, End::Complete);
    assert_eq!(rules(&record), [("gateway-response-block".to_owned(), Action::Refuse)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_go_out_and_come_back() {
    let upstream = origin(|request| async move {
        let uri = request.uri().to_string();
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        match uri.as_str() {
            "/cards" => answer(200, "application/json", CARD),
            _ => answer(200, "application/octet-stream", sent),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let leaks = LeakPolicy {
        detokenise: Some(Operations::At(vec![1])),
        ..policy(vec![rule(DataClass::CardNumber, LeakAction::Tokenise)])
    };
    let mut known = None;
    for _ in 0..2 {
        let bundle = protected(upstream, leaks.clone());
        let tuning = probity_gateway::Tuning { workers: Some(1), ..Default::default() };
        let kept = file.clone();
        let bench = Bench::start_with(&bundle, |options| options.bundle_file = Some(kept), tuning).await;
        let told = bench.raw(&get("")).await;
        let token = body(&told).split('"').find(|text| text.starts_with("ptk_")).expect("a token").to_owned();
        assert!(!told.contains("4111"), "{told}");
        let record = bench.record();
        assert_eq!(unmasked(&record, Place::ResponseBody), ["card-verification-code", "email"]);
        assert_eq!(record.decisions[0].input.found, "tokenise");
        // The same value has the same token, after a restart too.
        assert_eq!(*known.get_or_insert(token.clone()), token);
        let sent = format!("{{\"card\":\"{token}\",\"amount\":5}}");
        let told = bench.raw(&post("/pay", "application/json", &sent)).await;
        assert_eq!(body(&told), r#"{"card":"4111111111111111","amount":5}"#);
        assert_eq!(rules(&bench.record()), [("gateway-request-detokenise".to_owned(), Action::Change)]);
    }
    let map = probity_gateway::TokenMap::read(&[6; 32], &folder.path().join("tokens")).unwrap();
    assert_eq!(map.value(&known.unwrap()).unwrap().0, DataClass::CardNumber);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_judged_where_asked() {
    let leaks = LeakPolicy {
        requests: vec![
            LeakRule {
                classes: vec![DataClass::Jwt, DataClass::ApiKey, DataClass::Password],
                roles: Vec::new(),
                operations: Operations::At(vec![0]),
                action: LeakAction::Block,
            },
            rule(DataClass::CardNumber, LeakAction::Mask),
        ],
        ..policy(Vec::new())
    };
    let bench = Bench::start(&protected(echo().await, leaks)).await;
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let told = bench
        .raw(&format!("GET /cards?access_token={jwt} HTTP/1.1\r\nHost: clinic\r\nConnection: close\r\n\r\n"))
        .await;
    assert_eq!(status(&told), 400);
    let record = bench.record();
    assert_eq!(rules(&record), [("gateway-credential-in-url".to_owned(), Action::Refuse)]);
    assert_eq!(record.decisions[0].check.as_str(), "secrets-exposure");
    // Elsewhere it passes; a card number is masked in query and body.
    let told = bench
        .raw(&post(
            "/pay?card=4111111111111111&x=1",
            "application/x-www-form-urlencoded",
            "pan=4111+1111+1111+1111&y=2",
        ))
        .await;
    assert!(told.contains("POST /pay?card=411111******1111&x=1 "), "{told}");
    assert!(told.contains("pan=4111+11**+****+1111&y=2"), "{told}");
    let record = bench.record();
    assert_eq!(rules(&record), vec![("gateway-request-mask".to_owned(), Action::Change); 2]);
    let told = bench.raw(&post("/pay", "application/json", r#"{"a":1}"#)).await;
    assert!(told.contains(r#"{"a":1}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bodies_pass() {
    let image: Vec<u8> = b"4111111111111111".repeat(20);
    let sent = image.clone();
    let upstream = origin(move |_| {
        let sent = sent.clone();
        async move {
            hyper::Response::builder()
                .header("content-type", "image/png")
                .body(Full::new(Bytes::from(sent)).boxed())
                .unwrap()
        }
    })
    .await;
    let bench = Bench::start(&protected(upstream, usual())).await;
    assert_eq!(body(&bench.raw(&get("")).await).as_bytes(), image);
    let head = bench.raw("HEAD /cards HTTP/1.1\r\nHost: clinic\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
}
