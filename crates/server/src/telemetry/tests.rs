use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::http::{HeaderMap as Fields, StatusCode};
use axum::routing::post;
use serde_json::json;

use super::*;

fn trace(seed: u8) -> CallTrace {
    let span = |id, parent, kind, attributes, failed| Span {
        id,
        parent,
        name: "GET /a/{id}".to_owned(),
        kind,
        start_ns: 1_700_000_000_000_000_001,
        end_ns: 1_700_000_000_000_002_000,
        attributes,
        failed,
    };
    let attributes = vec![
        ("http.route", Value::from("/a/{id}")),
        ("http.response.status_code", Value::Number(502)),
        ("probity.decision.rules", Value::Texts(vec!["gateway-x".to_owned()])),
    ];
    CallTrace {
        trace_id: [seed; 16],
        state: Some("a=1".to_owned()),
        spans: vec![
            span([seed; 8], None, SpanKind::Server, attributes, true),
            span([9; 8], Some([seed; 8]), SpanKind::Client, Vec::new(), false),
        ],
    }
}

#[test]
fn the_shape_is_otlp() {
    let text = |key, value| json!({"key": key, "value": {"stringValue": value}});
    let times = [("startTimeUnixNano", "1700000000000000001"), ("endTimeUnixNano", "1700000000000002000")];
    let mut expected = json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", "probity-gateway"),
            text("service.instance.id", "gw-1"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeSpans": [{
            "scope": {"name": "probity-gateway", "version": env!("CARGO_PKG_VERSION")},
            "spans": [
                {
                    "traceId": "07".repeat(16), "spanId": "07".repeat(8), "traceState": "a=1",
                    "name": "GET /a/{id}", "kind": 2, "status": {"code": 2},
                    "attributes": [
                        text("http.route", "/a/{id}"),
                        {"key": "http.response.status_code", "value": {"intValue": "502"}},
                        {"key": "probity.decision.rules",
                         "value": {"arrayValue": {"values": [{"stringValue": "gateway-x"}]}}},
                    ],
                },
                {
                    "traceId": "07".repeat(16), "spanId": "09".repeat(8), "traceState": "a=1",
                    "parentSpanId": "07".repeat(8), "name": "GET /a/{id}", "kind": 3, "attributes": [],
                },
            ],
        }],
    }]});
    for span in expected["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap() {
        times.iter().for_each(|(name, value)| span[*name] = json!(value));
    }
    assert_eq!(serde_json::to_value(request("gw-1", &[trace(7)])).unwrap(), expected);
}

/// A collector that answers as told, then 200; keeps what it was sent.
#[derive(Clone, Default)]
struct Collector {
    answers: Arc<Mutex<VecDeque<u16>>>,
    seen: Arc<Mutex<Vec<(Fields, serde_json::Value)>>>,
}

impl Collector {
    async fn start(answers: &[u16]) -> (Self, String) {
        let collector = Self::default();
        collector.answers.lock().unwrap().extend(answers);
        let kept = collector.clone();
        let app = Router::new().route(
            "/v1/traces",
            post(move |fields: Fields, body: String| async move {
                kept.seen.lock().unwrap().push((fields, serde_json::from_str(&body).unwrap()));
                let status = kept.answers.lock().unwrap().pop_front().unwrap_or(200);
                (StatusCode::from_u16(status).unwrap(), "{}")
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (collector, url)
    }
}

/// Sends traces through an exporter that is stopped at once; gives how many spans were dropped.
async fn export(folder: &Path, url: &str, traces: usize) -> u64 {
    std::fs::write(folder.join("headers"), "Authorization: Bearer s3cret\n\nx-tenant: a\n").unwrap();
    let text = format!(
        "version: 1\nservices: [{{name: a, upstreams: [{{url: \"http://127.0.0.1:1\"}}]}}]\n\
         telemetry: {{otlp: {{endpoint: \"{url}\", headers_file: headers}}}}\n"
    );
    let loaded = Loaded::parse(&folder.join("probity.yaml"), text).unwrap();
    let (gateway, exporter) = exporter(&loaded).unwrap().unwrap();
    for seed in 1..=traces {
        gateway.sender.try_send(trace(seed as u8)).unwrap();
    }
    let (stop, stopped) = oneshot::channel();
    drop(stop);
    exporter.run(stopped).await;
    gateway.dropped.load(Relaxed)
}

#[tokio::test]
async fn a_collector_is_sent_everything_that_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (collector, url) = Collector::start(&[]).await;
    assert_eq!(export(folder.path(), &url, BATCH + 3).await, 0);
    let seen = collector.seen.lock().unwrap();
    let spans = |body: &serde_json::Value| {
        body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len()
    };
    assert_eq!(seen.iter().map(|(_, body)| spans(body)).collect::<Vec<_>>(), [2 * BATCH, 6]);
    assert_eq!(seen[0].0["authorization"], "Bearer s3cret");
    assert_eq!(
        (&seen[0].0["x-tenant"], &seen[0].0["content-type"]),
        (&"a".parse().unwrap(), &"application/json".parse().unwrap())
    );
}

#[tokio::test]
async fn what_cannot_be_delivered_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    for status in [400, 503] {
        // However often it is asked before it is given up.
        let (collector, url) = Collector::start(&[status; 16]).await;
        assert_eq!(export(folder.path(), &url, 2).await, 4, "{status}");
        assert!(!collector.seen.lock().unwrap().is_empty());
    }
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(export(folder.path(), &format!("http://{nowhere}"), 1).await, 2);
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again() {
    let (collector, url) = Collector::start(&[503, 429]).await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "version: 1\nservices: [{{name: a, upstreams: [{{url: \"http://127.0.0.1:1\"}}]}}]\ntelemetry: {{otlp: {{endpoint: \"{url}\"}}}}\n"
    );
    let loaded = Loaded::parse(&folder.path().join("probity.yaml"), text).unwrap();
    let (gateway, exporter) = exporter(&loaded).unwrap().unwrap();
    exporter.deliver(&[trace(1)], &[Duration::ZERO; 3]).await;
    assert_eq!((collector.seen.lock().unwrap().len(), gateway.dropped.load(Relaxed)), (3, 0));
}
