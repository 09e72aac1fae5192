//! A small shop behind Probity: two documented operations, of which one shows card numbers, and one that no document has.

use serde_json::json;

use crate::binary::Place;
use crate::client::curl;
use crate::deadline::wait_for;
use crate::running::{Running, configuration};
use crate::upstream::Upstream;

const SPECIFICATION: &str = r#"openapi: 3.1.0
info: {title: Shop, version: "2.0"}
x-owner: team-shop
paths:
  /orders/{orderId}:
    get:
      operationId: order
      parameters: [{name: orderId, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: An order
          content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}
  /payments/{paymentId}:
    get:
      operationId: payment
      parameters: [{name: paymentId, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: A payment
          content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}
"#;

pub const ORDER: &str = "GET /orders/{orderId}";
pub const PAYMENT: &str = "GET /payments/{paymentId}";
pub const DEBUG: &str = "GET /internal/debug";

/// The shop's own server, its documents and the configuration written into `place`; `more` is added to it.
pub fn open(place: &Place, more: &str) -> Upstream {
    let upstream = Upstream::start(|request| match request.target.as_str() {
        target if target.starts_with("/orders/") => (200, json!({"id": 1})),
        target if target.starts_with("/payments/") => {
            (200, json!({"id": 7, "card": {"number": "4111111111111111"}}))
        }
        "/internal/debug" => (200, json!({"debug": true})),
        _ => (404, json!({})),
    });
    place.write("openapi.yaml", SPECIFICATION);
    let service = format!(
        "  - name: shop\n    hosts: [shop.example, 127.0.0.1]\n    upstreams: [{{url: \"{}\"}}]\n    \
         specifications: [openapi.yaml]\n{more}",
        upstream.url()
    );
    place.write("probity.yaml", configuration(&service));
    upstream
}

/// Calls each operation and waits until the calls are judged. The request id of the call that showed a card number.
pub fn visit(place: &Place, running: &Running) -> String {
    let before = calls(place);
    let paths = ["/orders/1", "/orders/2", "/internal/debug", "/payments/7"];
    let answers = paths.map(|path| curl([running.url(path)]));
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    wait_for("the calls to be judged", || {
        let counted = calls(place) == before + paths.len() as u64;
        let found = || place.json(["finding", "list", "--state", "all", "--check", "pan-mask"]) != json!([]);
        (counted && found()).then_some(())
    });
    answers.last().unwrap().field("x-request-id").unwrap().to_owned()
}

/// Calls that the inventory knows of, over all operations.
pub fn calls(place: &Place) -> u64 {
    let list = place.json(["inventory", "list"]);
    list.as_array().unwrap().iter().filter_map(|operation| operation["observed"]["calls"].as_u64()).sum()
}
