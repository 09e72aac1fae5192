//! Who may call: a key from its issue to its revocation, over the socket and on the folder of a stopped process.

use serde_json::Value;

use crate::binary::Place;
use crate::client::{Connection, curl};
use crate::deadline::wait_for;
use crate::running::{Running, configuration};
use crate::upstream::Upstream;

const PROTECT: &str = "    environment: production
    protect:
      mode: block
      identity:
        principal_field: {}
        forward_credential: remove
";

fn service(upstream: &Upstream) -> String {
    format!("  - name: shop\n    path: /\n    upstreams: [{{url: \"{}\"}}]\n{PROTECT}", upstream.url())
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    let all = arguments.iter().copied().chain(["--format", "json"]);
    serde_json::from_str(&place.run(all).exits(0).out).unwrap()
}

fn with_key(open: &mut Connection, key: &str) -> u16 {
    open.send(&format!("GET /orders HTTP/1.1\r\nHost: shop\r\nX-Api-Key: {key}\r\n\r\n"));
    open.receive().status
}

#[test]
fn a_key_counts_from_its_issue_to_its_revocation() {
    let place = Place::new();
    let upstream = Upstream::echo("shop");
    place.write("probity.yaml", configuration(&service(&upstream)));
    let running = Running::start(&place);
    assert_eq!(curl([running.url("/orders")]).status, 401);

    json(&place, &["consumer", "add", "billing", "--scope", "orders:read", "--environment", "production"]);
    let issued = json(&place, &["key", "issue", "--consumer", "billing"]);
    let key = issued["secret"].as_str().unwrap().to_owned();
    assert!(key.starts_with("prb_production_"), "{key}");
    let mut open = Connection::open(running.address());
    wait_for("the key to count", || (with_key(&mut open, &key) == 200).then_some(()));

    // The store, the bundle and lists hold no secret.
    let listed = place.run(["key", "list", "--format", "json"]).exits(0).out;
    assert!(!listed.contains(&key) && listed.contains(issued["key"]["hint"].as_str().unwrap()), "{listed}");
    for file in ["probity.sqlite", "probity.sqlite-wal"] {
        let bytes = std::fs::read(place.data().join(file)).unwrap_or_default();
        assert!(memchr(&bytes, key.as_bytes()).is_none(), "{file}");
    }

    let id = issued["key"]["id"].as_str().unwrap();
    let rotated = json(&place, &["key", "rotate", id, "--overlap", "1h"]);
    let next = rotated["secret"].as_str().unwrap().to_owned();
    wait_for("the next key to count", || (with_key(&mut open, &next) == 200).then_some(()));
    assert_eq!(with_key(&mut open, &key), 200);

    json(&place, &["key", "revoke", id, "--reason", "found in a log"]);
    wait_for("the revoked key to be refused", || (with_key(&mut open, &key) == 401).then_some(()));
    assert_eq!(with_key(&mut open, &next), 200);

    // A key of another environment is refused here.
    let other = json(&place, &["key", "issue", "--consumer", "billing", "--environment", "test"]);
    let other = other["secret"].as_str().unwrap().to_owned();
    wait_for("the other key to be known", || (with_key(&mut open, &other) == 403).then_some(()));

    json(&place, &["credential", "revoke", "--consumer", "billing", "--reason", "contract ended"]);
    wait_for("the consumer to be refused", || (with_key(&mut open, &next) == 401).then_some(()));
    running.stop();

    let shown = json(&place, &["consumer", "show", "billing"]);
    let keys = shown["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    let first = keys.iter().find(|each| each["id"] == id).unwrap();
    assert_eq!((&first["state"], first["last_used"].is_null()), (&"revoked".into(), false));
    // Without a process the folder itself is changed.
    let late = json(&place, &["key", "issue", "--consumer", "billing"]);
    let late = late["secret"].as_str().unwrap().to_owned();
    let running = Running::start(&place);
    assert_eq!(with_key(&mut Connection::open(running.address()), &late), 200);
    assert_eq!(with_key(&mut Connection::open(running.address()), &key), 401);
    running.stop();
}

#[test]
fn a_known_token_is_imported_and_passed_on() {
    let place = Place::new();
    let upstream = Upstream::echo("shop");
    let text = configuration(&service(&upstream).replace("        forward_credential: remove\n", ""));
    let configured = "identity:\n  consumers:\n    - name: patient-1\n      kind: user\n      credentials:\n        - {file: token.txt, scheme: bearer}\n";
    place.write("token.txt", "cldemo_pat1_Zr8wQ2nLx5Vt9KfB\n");
    place.write("probity.yaml", format!("{text}{configured}"));
    let running = Running::start(&place);
    let bearer =
        |token: &str| curl(["-H", &format!("Authorization: Bearer {token}"), &running.url("/orders")]).status;
    assert_eq!(bearer("cldemo_pat1_Zr8wQ2nLx5Vt9KfB"), 200);
    assert_eq!(bearer("cldemo_pat2_hT4mYc7PqW1sJd6E"), 401);
    let file = place.write("other.txt", "cldemo_pat2_hT4mYc7PqW1sJd6E");
    let file = file.display().to_string();
    let import = ["key", "import", "--consumer", "patient-1", "--value-file", &file, "--presented", "bearer"];
    json(&place, &import);
    wait_for("the imported token to count", || (bearer("cldemo_pat2_hT4mYc7PqW1sJd6E") == 200).then_some(()));
    running.stop();
}

fn memchr(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}
