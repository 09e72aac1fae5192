//! Error bodies, banners, security headers, cookies, CORS.

use probity_model::bundle::answers::{AnswerPolicy, CookiePolicy, CorsPolicy, ErrorPolicy, HeaderPolicy};
use probity_model::bundle::{Bundle, Protection};
use probity_model::{Action, EnforcementMode, Exchange};

use crate::harness::*;

fn policy() -> AnswerPolicy {
    AnswerPolicy {
        mode: EnforcementMode::Block,
        errors: ErrorPolicy::default(),
        banners: true,
        headers: HeaderPolicy::default(),
        cookies: CookiePolicy::default(),
        cors: None,
    }
}

fn protected(upstream: std::net::SocketAddr, answers: AnswerPolicy) -> Bundle {
    let mut bundle = bundle(&[upstream]);
    for service in &mut bundle.services {
        service.operations = vec![operation("clinic", "GET", "/a")];
        service.protection = Some(Protection { answers: Some(answers.clone()), ..Protection::default() });
    }
    bundle
}

fn get(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: clinic\r\n{fields}Connection: close\r\n\r\n")
}

fn rules(record: &Exchange) -> Vec<(String, Action)> {
    record.decisions.iter().map(|decision| (decision.rule.to_string(), decision.action)).collect()
}

async fn origin_of(
    status: u16,
    content_type: &'static str,
    body: &'static str,
    fields: &'static [(&str, &str)],
) -> std::net::SocketAddr {
    origin(move |_| async move {
        let mut response = answer(status, content_type, body);
        for (name, value) in fields {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        response
    })
    .await
}

const TRACE: &str = r#"{"error":"java.lang.NullPointerException\n\tat com.clinic.Api.load(Api.java:42)"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn errors_become_problems() {
    for (status_code, content_type, given, replaced) in [
        (500, "text/html", "<h1>oops</h1>", true),
        (503, "application/json", "{}", true),
        (500, "application/problem+json", r#"{"title":"x"}"#, false),
        (404, "application/json", "{}", false),
        (400, "application/json", TRACE, true),
        (200, "application/json", TRACE, true),
        (200, "application/json", r#"{"ok":1}"#, false),
    ] {
        let upstream = origin_of(status_code, content_type, given, &[]).await;
        let bench = Bench::start(&protected(upstream, policy())).await;
        let told = bench.raw(&get("")).await;
        assert_eq!(status(&told), status_code);
        let record = bench.record();
        if replaced {
            assert_eq!(header(&told, "content-type"), Some("application/problem+json"), "{given}");
            let id = header(&told, "x-request-id").unwrap();
            assert!(body(&told).contains(id) && body(&told).contains(&format!("\"status\":{status_code}")));
            assert!(!told.contains("java"));
            assert_eq!(rules(&record), [("gateway-error-body".to_owned(), Action::Change)]);
            assert!(!record.signals.contains(probity_model::Signal::StackTrace));
        } else {
            assert_eq!(body(&told), given);
            assert!(record.decisions.is_empty(), "{given}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_put_right() {
    let upstream = origin_of(
        200,
        "application/json",
        "{}",
        &[
            ("server", "nginx/1.25"),
            ("x-powered-by", "PHP/8"),
            ("x-total", "3"),
            ("referrer-policy", "origin"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d; SameSite=Strict"),
        ],
    )
    .await;
    let bench = Bench::start(&protected(upstream, policy())).await;
    let told = bench.raw(&get("")).await;
    for (name, value) in [
        ("server", None),
        ("x-powered-by", None),
        ("x-total", Some("3")),
        ("referrer-policy", Some("origin")),
        ("x-content-type-options", Some("nosniff")),
        ("content-security-policy", Some("default-src 'none'; frame-ancestors 'none'")),
        ("strict-transport-security", None),
    ] {
        assert_eq!(header(&told, name), value, "{name}: {told}");
    }
    assert!(told.contains("set-cookie: a=b; HttpOnly; SameSite=Lax\r\n"), "{told}");
    assert!(told.contains("set-cookie: c=d; SameSite=Strict; HttpOnly\r\n"), "{told}");
    assert_eq!(rules(&bench.record()), [("gateway-banner".to_owned(), Action::Change)]);

    let observing = AnswerPolicy { mode: EnforcementMode::Observe, ..policy() };
    let bench = Bench::start(&protected(upstream, observing)).await;
    let told = bench.raw(&get("")).await;
    assert_eq!(
        (header(&told, "server"), header(&told, "x-content-type-options")),
        (Some("nginx/1.25"), None)
    );
    assert_eq!(rules(&bench.record()), [("gateway-banner".to_owned(), Action::Flag)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sensitive_answers_are_not_stored() {
    for (given, expected) in [(r#"{"ssn":"123-45-6789"}"#, Some("no-store")), (r#"{"a":1}"#, None)] {
        let upstream = origin_of(200, "application/json", given, &[]).await;
        let bench = Bench::start(&protected(upstream, policy())).await;
        assert_eq!(header(&bench.raw(&get("")).await, "cache-control"), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_are_answered_by_the_list() {
    let upstream = origin_of(
        200,
        "application/json",
        "{}",
        &[("access-control-allow-origin", "*"), ("access-control-allow-credentials", "true")],
    )
    .await;
    let cors = CorsPolicy {
        origins: vec!["https://app.example".into()],
        methods: vec!["GET".into()],
        headers: vec!["authorization".into()],
        exposed: Vec::new(),
        credentials: true,
        max_age: 600,
    };
    let bench = Bench::start(&protected(upstream, AnswerPolicy { cors: Some(cors), ..policy() })).await;
    let told = bench.raw(&get("Origin: https://app.example\r\n")).await;
    assert_eq!(header(&told, "access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(header(&told, "vary"), Some("Origin"));
    assert!(bench.record().decisions.is_empty());
    let told = bench.raw(&get("Origin: https://evil.test\r\n")).await;
    assert!(!told.contains("access-control"), "{told}");
    assert_eq!(rules(&bench.record()), [("gateway-cors-origin".to_owned(), Action::Change)]);
    let told = bench.raw(&get("")).await;
    assert!(!told.contains("access-control"), "{told}");
    bench.record();
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /a HTTP/1.1\r\nHost: clinic\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n"
        )
    };
    let told = bench.raw(&preflight("https://app.example")).await;
    assert_eq!((status(&told), header(&told, "access-control-allow-methods")), (204, Some("GET")));
    assert!(bench.record().decisions.is_empty());
    let told = bench.raw(&preflight("https://evil.test")).await;
    assert_eq!((status(&told), header(&told, "access-control-allow-origin")), (204, None));
    assert_eq!(rules(&bench.record()), [("gateway-cors-preflight".to_owned(), Action::Change)]);
}
