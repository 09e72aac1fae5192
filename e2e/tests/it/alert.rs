//! Webhooks: signed as Standard Webhooks says, tried again, and never sent where an operator did not allow it.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::binary::Place;
use crate::deadline::wait_for;
use crate::running::Running;
use crate::shop;
use crate::upstream::{Request, Upstream};

const SECRET: &[u8; 32] = b"a secret that only this test has";

fn alerts(place: &Place, receiver: &Upstream, more: &str) -> String {
    place.write("webhook.secret", format!("whsec_{}\n", STANDARD.encode(SECRET)));
    let url = format!("{}/hook", receiver.url());
    format!("alerts:\n  webhooks:\n    - {{url: \"{url}\", secret_file: webhook.secret{more}}}\n")
}

/// What a receiver does before it believes a delivery.
fn verified(request: &Request) -> Value {
    let [id, at, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| request.field(name).unwrap_or_else(|| panic!("no {name}: {request:?}")));
    let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    hmac::verify(&key, format!("{id}.{at}.{}", request.body).as_bytes(), &tag).unwrap();
    assert!(hmac::verify(&key, format!("{id}.{at}.{} ", request.body).as_bytes(), &tag).is_err());
    assert!(at.parse::<u64>().unwrap() > 1_700_000_000, "seconds: {at}");
    serde_json::from_str(&request.body).unwrap()
}

fn is_of(check: &str, body: &Value) -> bool {
    body["type"] == "finding.opened" && body["data"]["check"] == check
}

#[test]
fn a_grave_finding_is_told_signed_and_again_after_a_failure() {
    let place = Place::new();
    let tries = AtomicUsize::new(0);
    let receiver = Upstream::start(move |request| {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let first = is_of("pan-mask", &body) && tries.fetch_add(1, Ordering::Relaxed) == 0;
        (if first { 500 } else { 200 }, json!({}))
    });
    let more = alerts(&place, &receiver, ", allow_private: true");
    let _shop = shop::open(&place, &more);
    let running = Running::start(&place);
    shop::visit(&place, &running);
    let told = wait_for("the alert to be told twice", || {
        let seen = receiver.seen();
        let of_it = seen.into_iter().filter(|request| is_of("pan-mask", &verified(request)));
        let of_it: Vec<Request> = of_it.collect();
        (of_it.len() == 2).then_some(of_it)
    });
    let [first, second] = [&told[0], &told[1]].map(verified);
    assert_eq!((told[0].method.as_str(), told[0].target.as_str()), ("POST", "/hook"));
    assert_eq!((&told[0].field("webhook-id"), &first), (&told[1].field("webhook-id"), &second));
    assert_eq!(first["data"]["subject"]["id"], format!("shop {}", shop::PAYMENT));
    assert_eq!(first["data"]["severity"], "high");

    let all: Vec<Value> = receiver.seen().iter().map(verified).collect();
    assert!(all.iter().any(|body| body["type"] == "control.not_met" && body["data"]["control"] == "3.4.1"));
    let grave = |body: &&Value| body["type"] == "finding.opened";
    let mild = all
        .iter()
        .filter(grave)
        .find(|body| !matches!(body["data"]["severity"].as_str(), Some("high" | "critical")));
    assert_eq!(mild, None, "high is the lowest by default");
    assert!(receiver.seen().iter().all(|request| !request.body.contains("4111111111111111")));
    running.stop();
}

#[test]
fn a_receiver_on_a_private_address_must_be_allowed() {
    let place = Place::new();
    let receiver = Upstream::echo("receiver");
    let more = alerts(&place, &receiver, "");
    let _shop = shop::open(&place, &more);
    let running = Running::start(&place);
    shop::visit(&place, &running);
    wait_for("the refusal", || {
        running.log().contains("has no public address; set `allow_private: true`").then_some(())
    });
    assert_eq!(receiver.seen().len(), 0);
    running.stop();
    assert_eq!(receiver.connections(), 0);
}
