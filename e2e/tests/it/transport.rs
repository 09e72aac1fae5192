//! A workplace: certificates made for it, a load balancer in front, traces to a collector, logs that say nothing private.

use serde_json::{Value, json};

use crate::binary::Place;
use crate::client::curl;
use crate::deadline::wait_for;
use crate::running::Running;
use crate::upstream::Upstream;

/// Values that nobody but the upstream may ever see.
const PRIVATE: [&str; 5] = ["p4th-7021", "qu3ry-s3cret", "h3ader-s3cret", "b0dy-s3cret", "4111111111111111"];

fn text(collector: &Upstream, upstream: &Upstream) -> String {
    format!(
        "version: 1\ngateway:\n  listen:\n    - address: \"127.0.0.1:0\"\n      name: main\n      tls: {{self_signed: true}}\n      proxy_protocol: {{trusted: [\"127.0.0.1\"]}}\n  admin: \"127.0.0.1:0\"\nservices:\n  - name: shop\n    upstreams: [{{url: \"{}\"}}]\n  - name: gone\n    path: /gone\n    upstreams: [{{url: \"http://127.0.0.1:1\"}}]\ntelemetry: {{otlp: {{endpoint: \"{}\"}}}}\n",
        upstream.url(),
        collector.url()
    )
}

fn spans(collector: &Upstream) -> Vec<Value> {
    let bodies = collector.seen().into_iter().filter(|request| request.target == "/v1/traces");
    let bodies = bodies.map(|request| serde_json::from_str::<Value>(&request.body).unwrap());
    bodies
        .flat_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn a_workplace_serves_traces_and_logs() {
    let place = Place::new();
    let (collector, shop) = (Upstream::start(|_| (200, json!({}))), Upstream::echo("shop"));
    place.write("probity.yaml", text(&collector, &shop));
    let up = ["up", "--config", &place.text("probity.yaml")];
    place.run(up).exits(2).complains("self-signed").complains("`--dev`");

    let running = Running::start_with(
        &place,
        &["--dev", "--log-json"],
        "probity=trace,probity_gateway=trace,probity_server=trace",
    );
    let certificate = place.data().join("self-signed/main.pem");
    let url = |path: &str| format!("https://localhost:{}{path}", running.address().port());
    let arguments = |path: &str| {
        let mut arguments: Vec<String> =
            ["--haproxy-protocol", "--cacert", certificate.to_str().unwrap()].map(str::to_owned).to_vec();
        arguments.extend(["-H", "authorization: Bearer h3ader-s3cret", "-d"].map(str::to_owned));
        arguments.push("{\"card\": \"4111111111111111\", \"note\": \"b0dy-s3cret\"}".to_owned());
        arguments.push(url(path));
        arguments
    };
    assert_eq!(curl(arguments("/p4th-7021?q=qu3ry-s3cret")).status, 200);
    assert_eq!(curl(arguments("/gone/p4th-7021?q=qu3ry-s3cret")).status, 502);
    let spans = wait_for("both traces", || {
        let spans = spans(&collector);
        (spans.iter().filter(|span| span["kind"] == 2).count() == 2).then_some(spans)
    });
    let parent = shop.seen()[0].field("traceparent").unwrap().to_owned();
    let upstream = spans.iter().find(|span| span["kind"] == 3).unwrap();
    assert_eq!(
        parent,
        format!("00-{}-{}-01", upstream["traceId"].as_str().unwrap(), upstream["spanId"].as_str().unwrap())
    );
    assert!(running.metric("probity_gateway_certificate_expiry_seconds") > 86_400.0);
    assert_eq!(running.metric("probity_gateway_spans_dropped_total"), 0.0);

    let log = running.log();
    let spans = Value::from(spans).to_string();
    for private in PRIVATE {
        assert!(!log.contains(private) && !spans.contains(private), "{private}\n{log}\n{spans}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["message"] == "no upstream connection").unwrap();
    assert!(failed["level"] == "WARN" && failed["request_id"].is_string(), "{failed}");
    for line in &lines {
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{name} in {line}");
        }
    }
    running.stop();
}
