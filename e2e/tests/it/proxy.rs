//! `probity up` in front of somebody's services: which one answers, over which protocol, and what is refused.

use std::process::Command;
use std::sync::mpsc;

use rustix::process::Signal;
use serde_json::json;

use crate::binary::{Place, finish};
use crate::client::{Connection, curl};
use crate::deadline::{PATIENCE, wait_for};
use crate::running::{Running, configuration};
use crate::upstream::Upstream;

#[test]
fn calls_go_by_host_and_path() {
    let place = Place::new();
    let (shop, billing, other) = (Upstream::echo("shop"), Upstream::echo("billing"), Upstream::echo("other"));
    let services = format!(
        "  - name: shop\n    hosts: [shop.example, \"*.shop.example\"]\n    upstreams: [{{url: \"{}\"}}]\n\
         \x20 - name: billing\n    hosts: [shop.example]\n    path: /billing\n    strip_path: true\n    \
         upstreams: [{{url: \"{}\"}}]\n\
         \x20 - name: other\n    hosts: [other.example]\n    path: /api\n    upstreams: [{{url: \"{}\"}}]\n",
        shop.url(),
        billing.url(),
        other.url()
    );
    place.write("probity.yaml", configuration(&services));
    let running = Running::start(&place);
    let rows = [
        ("shop.example", "/orders/1?page=2", Some(("shop", "/orders/1?page=2"))),
        ("eu.shop.example", "/billing/x", Some(("shop", "/billing/x"))),
        ("shop.example", "/billing/invoices/7?a=b", Some(("billing", "/invoices/7?a=b"))),
        ("shop.example", "/billing", Some(("billing", "/"))),
        ("shop.example", "/billings", Some(("shop", "/billings"))),
        ("other.example", "/api/things", Some(("other", "/api/things"))),
        ("other.example", "/things", None),
        ("nobody.example", "/", None),
    ];
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for (host, path, expected) in rows {
            let answer = curl([version, "-H", &format!("Host: {host}"), &running.url(path)]);
            match expected {
                Some((name, target)) => {
                    assert_eq!(answer.status, 200, "{host}{path}: {answer:?}");
                    let body = answer.json();
                    assert_eq!((body["name"].as_str(), body["target"].as_str()), (Some(name), Some(target)));
                }
                None => {
                    assert_eq!(answer.status, 404, "{host}{path}: {answer:?}");
                    assert_eq!(answer.field("content-type"), Some("application/problem+json"));
                    assert_eq!(answer.json()["reason"], "no-service");
                }
            }
        }
    }
    running.stop();
}

#[test]
fn an_upstream_learns_who_called_and_the_caller_how_to_ask() {
    let place = Place::new();
    let shop = Upstream::echo("shop");
    place.write(
        "probity.yaml",
        configuration(&format!("  - name: shop\n    upstreams: [{{url: \"{}\"}}]\n", shop.url())),
    );
    let running = Running::start(&place);
    let forged = "X-Forwarded-For: 203.0.113.9";
    let answer = curl(["-H", forged, "-X", "POST", "-d", "{\"a\": 1}", &running.url("/orders")]);
    assert_eq!((answer.status, answer.version.as_str()), (200, "HTTP/1.1"));
    let seen = shop.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.body.as_str()), ("POST", "{\"a\": 1}"));
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"), "{seen:?}");
    assert_eq!(seen.field("x-request-id"), answer.field("x-request-id"));
    assert!(answer.field("x-request-id").is_some_and(|id| id.len() == 36), "{answer:?}");

    let second = curl(["--http2-prior-knowledge", &running.url("/orders")]);
    assert_eq!((second.status, second.version.as_str()), (200, "HTTP/2"));
    assert_ne!(second.field("x-request-id"), answer.field("x-request-id"));

    for (path, words) in [("/livez", "alive"), ("/readyz", "ready")] {
        let answer = curl([running.admin(path)]);
        assert_eq!((answer.status, answer.body.trim()), (200, words));
    }
    assert_eq!(running.metric("probity_gateway_requests_total"), 2.0);
    assert_eq!(curl([running.url("/livez")]).json()["name"], "shop", "the data path has no page of its own");
    running.stop();
}

#[test]
fn ambiguous_requests_are_refused_by_name() {
    let place = Place::new();
    let shop = Upstream::echo("shop");
    place.write(
        "probity.yaml",
        configuration(&format!("  - name: shop\n    upstreams: [{{url: \"{}\"}}]\n", shop.url())),
    );
    let running = Running::start(&place);
    let rows = [
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "te-with-cl",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "repeated-cl"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host-repeated"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "space-before-colon"),
        ("GET /a/%2e%2e/b HTTP/1.1\r\nHost: a\r\n\r\n", "dot-segment"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "obs-fold"),
        ("GET / HTTP/1.1\nHost: a\n\n", "bare-lf"),
    ];
    for (request, reason) in rows {
        let mut connection = Connection::open(running.address());
        connection.send(request);
        let answer = connection.receive();
        assert_eq!(answer.status, 400, "{reason}: {answer:?}");
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["reason"], reason);
        assert!(connection.try_receive().is_none(), "{reason}: the connection must end");
    }
    assert_eq!(running.metric("probity_gateway_refusals_total"), rows.len() as f64);
    assert_eq!(shop.seen().len(), 0, "nothing of it may reach the upstream");
    running.stop();
}

/// An authority, `ca.pem`, and its certificate for `localhost`.
fn certificate(place: &Place) {
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-days", "2"]).args(arguments);
        finish(command).exits(0);
    };
    let (ca, ca_key) = (place.text("ca.pem"), place.text("ca.key"));
    openssl(&["-subj", "/CN=authority", "-keyout", &ca_key, "-out", &ca]);
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let (cert, key) = (place.text("cert.pem"), place.text("key.pem"));
    let leaf = ["-subj", "/CN=localhost", "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&[&leaf[..], &["-CA", &ca, "-CAkey", &ca_key, "-keyout", &key, "-out", &cert]].concat());
}

#[test]
fn tls_is_served_with_the_configured_certificate() {
    let place = Place::new();
    certificate(&place);
    let shop = Upstream::echo("shop");
    let text = configuration(&format!("  - name: shop\n    upstreams: [{{url: \"{}\"}}]\n", shop.url()));
    let listen = "    - address: \"127.0.0.1:0\"\n      name: secure\n      tls: {certificate: cert.pem, key: key.pem}\n";
    let text = text.replace("  admin:", &format!("{listen}  admin:"));
    place.write("probity.yaml", text);
    let running = Running::start(&place);
    let clear = curl([running.url("/clear")]);
    assert_eq!(clear.status, 200);
    let url = format!("https://localhost:{}/secure", running.listener(1).port());
    let cert = place.text("ca.pem");
    for (version, expected) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")] {
        let answer = curl([version, "--cacert", &cert, &url]);
        assert_eq!((answer.status, answer.version.as_str()), (200, expected));
        assert_eq!(answer.json()["target"], "/secure");
    }
    let refused = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-q", "-sS", "--noproxy", "*", &url]).args(arguments);
        finish(command).code
    };
    const UNKNOWN_AUTHORITY: i32 = 60;
    const HANDSHAKE: i32 = 35;
    assert_eq!(refused(&[]), Some(UNKNOWN_AUTHORITY));
    assert_eq!(
        refused(&["--cacert", &cert, "--tls-max", "1.2"]),
        Some(HANDSHAKE),
        "1.3 is the lowest by default"
    );
    running.stop();
}

#[test]
fn sigterm_lets_open_calls_end() {
    let place = Place::new();
    let (open, opened) = mpsc::channel();
    let opened = std::sync::Mutex::new(opened);
    let slow = Upstream::start(move |request| {
        if request.target == "/slow" {
            opened.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        (200, json!({"late": true}))
    });
    place.write(
        "probity.yaml",
        configuration(&format!("  - name: shop\n    upstreams: [{{url: \"{}\"}}]\n", slow.url())),
    );
    let running = Running::start(&place);
    let mut connection = Connection::open(running.address());
    connection.send("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_for("the call to reach the upstream", || (slow.seen().len() == 1).then_some(()));
    running.signal(Signal::TERM);
    wait_for("the listener to close", || {
        std::net::TcpStream::connect(running.address()).is_err().then_some(())
    });
    open.send(()).unwrap();
    let answer = connection.receive();
    assert_eq!((answer.status, answer.json()["late"].as_bool()), (200, Some(true)));
    assert!(connection.try_receive().is_none(), "a drained connection ends with its call");
    assert_eq!(running.code(), Some(0));
    let counted = place.json(["inventory", "list"]);
    assert_eq!(counted[0]["observed"]["calls"], 1, "{counted}");
}
