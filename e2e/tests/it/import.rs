//! `probity import`: recorded calls take the same road as live ones.

use serde_json::{Value, json};

use crate::binary::Place;
use crate::shop::{self, DEBUG, ORDER, PAYMENT};

/// Calls of each operation in the inventory.
fn calls(place: &Place, operation: &str) -> u64 {
    let list = place.json(["inventory", "list"]);
    let id = format!("shop {operation}");
    let found = list.as_array().unwrap().iter().find(|known| known["id"] == id.as_str());
    found.unwrap_or_else(|| panic!("no `{id}` in {list}"))["observed"]["calls"].as_u64().unwrap_or(0)
}

fn entry(method: &str, path: &str, status: u16, body: &Value) -> Value {
    let text = body.to_string();
    json!({
        "startedDateTime": "2026-03-01T10:00:00.000Z",
        "time": 12,
        "request": {
            "method": method,
            "url": format!("https://shop.example{path}"),
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Host", "value": "shop.example"}],
            "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 0,
        },
        "response": {
            "status": status, "statusText": "", "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "cookies": [], "redirectURL": "", "headersSize": -1, "bodySize": text.len(),
            "content": {"size": text.len(), "mimeType": "application/json", "text": text},
        },
        "cache": {},
        "timings": {"send": 0, "wait": 12, "receive": 0},
    })
}

#[test]
fn a_har_file_shows_what_its_bodies_hold() {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let mut entries = vec![
        entry("GET", "/orders/1", 200, &json!({"id": 1})),
        entry("GET", "/orders/2", 200, &json!({"id": 2})),
        entry("GET", "/payments/7", 200, &json!({"id": 7, "card": {"number": "4111111111111111"}})),
        entry("GET", "/internal/debug", 200, &json!({"debug": true})),
    ];
    let har = |entries: &[Value]| json!({"log": {"version": "1.2", "creator": {"name": "test", "version": "1"}, "entries": entries}});
    let file = place.write("session.har", har(&entries).to_string());
    let import = ["import", file.to_str().unwrap(), "--config", "probity.yaml"];
    place.run(import).exits(0).says("(har): 4 calls recorded, 0 not read").says("shop: 4 calls");
    assert_eq!([ORDER, PAYMENT, DEBUG].map(|operation| calls(&place, operation)), [2, 1, 1]);
    let found = place.json(["finding", "list", "--check", "pan-mask"]);
    assert_eq!(found[0]["subject"]["id"], format!("shop {PAYMENT}"), "{found}");
    let kept = place.run(["explain", found[0]["id"].as_str().unwrap()]).exits(0);
    assert!(!kept.out.contains("4111111111111111"), "{kept}");

    entries[0]["request"]["url"] = "no address".into();
    place.write("session.har", har(&entries[..2]).to_string());
    let answer = place.run(import).exits(3);
    answer.says("(har): 1 calls recorded, ").says("session.har:1:60: entry not read: `url` is no HTTP URL");
    assert_eq!(calls(&place, ORDER), 3);
}

#[test]
fn an_access_log_of_nginx_is_read_line_by_line() {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let line = |second: u32, request: &str, status: u16| {
        format!(
            "192.0.2.7 - - [01/Mar/2026:10:00:{second:02} +0000] \"{request}\" {status} 31 \"-\" \"curl/8.5\"\n"
        )
    };
    let good = line(1, "GET /orders/1 HTTP/1.1", 200) + &line(2, "GET /orders/2?page=2 HTTP/1.1", 404);
    let last = line(3, "GET /internal/debug HTTP/2.0", 200);
    place.write("access.log", format!("{good}no line of a log\n{last}"));
    let file = place.text("access.log");
    let import = ["import", &file, "--config", "probity.yaml", "--service", "shop"];
    let answer = place.run(import).exits(3);
    answer
        .says("(combined): 3 calls recorded, 1 not read")
        .says("access.log:3: ")
        .says("from 2026-03-01T10:00:01");
    assert_eq!([ORDER, DEBUG].map(|operation| calls(&place, operation)), [2, 1]);
    let order = place.json(["inventory", "show", ORDER]);
    assert_eq!(order["observed"]["statuses"], json!({"200": 1, "404": 1}));

    place.write("access.log", &good);
    place.run(import).exits(0);
    place.write("access.log", "words\nand more words\n");
    place.run(import).exits(4).complains("is in no known format");
    place.run(["import", &place.text("none.log")]).exits(3).complains("cannot read");
    place.run(["verify", &place.text("data")]).exits(0);
}

#[test]
fn envoy_s_json_lines_are_read_while_up_runs() {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let running = crate::running::Running::start(&place);
    let line = |path: &str, code: u16| {
        json!({
            "start_time": "2026-03-01T10:00:00.123Z", "method": "GET", "path": path, "protocol": "HTTP/1.1",
            "response_code": code, "bytes_received": 0, "bytes_sent": 9, "duration": 4,
            "authority": "shop.example", "user_agent": "curl/8.5", "x_forwarded_for": "192.0.2.9",
            "request_id": "5f2ad0c3-51b4-4d63-8f1c-2c8b1a6f0e11",
        })
        .to_string()
    };
    let text = [line("/orders/1", 200), line("/payments/7", 200), "{\"method\": 7}".to_owned()].join("\n");
    let file = place.write("envoy.log", text);
    let answer = place.run(["import", file.to_str().unwrap()]).exits(3);
    answer.says("(envoy-json): 2 calls recorded, 1 not read").says("envoy.log:3: ").says("shop: 2 calls");
    assert_eq!([ORDER, PAYMENT].map(|operation| calls(&place, operation)), [1, 1]);
    running.stop();
    assert_eq!(
        [ORDER, PAYMENT].map(|operation| calls(&place, operation)),
        [1, 1],
        "nothing is counted twice"
    );
}
