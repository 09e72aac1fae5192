use std::sync::Arc;

use super::*;

fn names(body: &str) -> Vec<Arc<str>> {
    json(body).field_names()
}

#[test]
fn pointers_golden() {
    let check = |body: &str, expected: &[&str]| {
        let found = names(body);
        let found: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
        assert_eq!(found, expected, "{body}");
    };
    check(r#"{"a": 1, "b": {"c": [1, {"d": 2}]}}"#, &["/a", "/b", "/b/c", "/b/c/*/d"]);
    check(r#"[{"id": 1}, {"id": 2, "x": null}]"#, &["/*/id", "/*/x"]);
    check(r#"{"a": [[{"b": 1}]]}"#, &["/a", "/a/*/*/b"]);
    check("{}", &[]);
    check("[]", &[]);
    check("", &[]);
    check("4", &[]);
    check(r#"{"": {"x": 1}}"#, &["/", "//x"]);
    check("{\"a\":1}\n{\"b\":2}\n", &["/a", "/b"]);
    check(r#"{"a": "x", "a": {"b": 1}}"#, &["/a", "/a/b"]);
    check("{ \"a\" : 1 , // remark\n \"b\" : [ 1 , ] , }", &["/a", "/b"]);
    check(r#"{"a": {"b": 1}} trailing"#, &["/a", "/a/b"]);
    check(r#"{"a": {"b": 1"#, &["/a", "/a/b"]);
    check(r#"{"a": {"b"#, &["/a"]);
    check(r#"]]}}{"a": 1}"#, &["/a"]);
}

#[test]
fn keys_that_look_like_values_are_replaced() {
    let check = |key: &str, expected: &str| {
        let body = serde_json::json!({ key: {"x": 1} }).to_string();
        let found = names(&body);
        assert_eq!(&*found[0], expected, "{key}");
        assert_eq!(&*found[1], format!("{expected}/x"), "{key}");
    };
    check("12345", "/{int}");
    check("0b0e6f5e-3c53-4a51-9a0e-3c2f5e0a7d11", "/{uuid}");
    check("ada@example.com", "/{email}");
    check("2026-07-30", "/{date}");
    check("deadbeef01", "/{hex}");
    check("AB-1234", "/{code}");
    check("12.5", "/{decimal}");
    check("Ada Lovelace", "/{token}");
    check("a/b", "/{token}");
    check("a~b", "/{token}");
    check("*", "/{token}");
    check("{id}", "/{token}");
    check("4111111111111111", "/{int}");
    check("address_line_1", "/address_line_1");
    check("ipv4", "/ipv4");
    check("sha256", "/sha256");
    check("@type", "/@type");
    check("xsi:type", "/xsi:type");
    check("Straße", "/Straße");
    check("naïve\u{202e}key", "/{token}");
}

#[test]
fn bounds_hold() {
    let deep = format!("{}\"4111111111111111\"{}", "{\"a\":[".repeat(500), "]}".repeat(500));
    let found = json(&deep);
    assert_eq!(found.hits.len(), 1);
    assert!(found.fields.len() <= MAX_DEPTH);
    let after = format!("{{\"x\":{deep},\"last\":\"ada@example.com\"}}");
    assert!(listed(&json(&after)).contains(&"email /last".to_owned()));

    let wide: String = (0..5000).map(|n| format!("\"k{}\":\"ada@example.com\",", letters(n))).collect();
    let found = json(&format!("{{{wide}}}"));
    assert_eq!(found.fields.len(), MAX_FIELDS);
    assert_eq!(found.hits.len(), MAX_HITS);
    let values = "\"ada@example.com\",".repeat(3000);
    assert_eq!(listed(&json(&format!("[{values}]"))), ["email /* x3000"]);
}

fn letters(mut n: usize) -> String {
    let mut out = String::new();
    for _ in 0..4 {
        out.push(char::from(b'a' + (n % 20) as u8));
        n /= 20;
    }
    out
}

#[test]
fn findings_are_reused() {
    let scanner = scanner();
    let mut out = Findings::new();
    let first = br#"{"email": "ada@example.com", "a": {"b": 1}}"#;
    scanner.scan(Content::Json, Place::ResponseBody, first, false, &mut out);
    let shape = out.shape(200, "application/json");
    out.clear();
    assert!(out.hits.is_empty() && out.fields.is_empty() && out.field_names().is_empty());
    scanner.scan(Content::Json, Place::ResponseBody, first, false, &mut out);
    assert_eq!(out.shape(200, "application/json"), shape);
    assert_eq!(out.hits[0].count, 1);
    scanner.scan(Content::Json, Place::ResponseBody, first, false, &mut out);
    assert_eq!(out.hits[0].count, 2);
    let taken = std::mem::take(&mut out.hits);
    scanner.scan(Content::Json, Place::ResponseBody, first, false, &mut out);
    assert_eq!((taken.len(), out.hits.len()), (1, 1));
}

#[test]
fn shapes() {
    let shape = |body: &str| json(body).shape(200, "application/json");
    let base = shape(r#"{"a": 1, "b": [{"c": 1}]}"#);
    assert_eq!(base, shape(r#"{"b": [{"c": 5}, {"c": "x"}], "a": null}"#));
    assert_ne!(base, shape(r#"{"a": 1, "b": [{"d": 1}]}"#));
    assert_ne!(base, shape(r#"{"a": 1}"#));
    assert_ne!(shape(r#"{"a": {"b": 1}}"#), shape(r#"{"b": {"a": 1}}"#));
    let found = json(r#"{"a": 1, "b": [{"c": 1}]}"#);
    assert_eq!(found.shape(200, "application/json"), found.shape(204, "Application/JSON; charset=utf-8"));
    assert_ne!(found.shape(200, "application/json"), found.shape(404, "application/json"));
    assert_ne!(found.shape(200, "application/json"), found.shape(200, "application/problem+json"));
    // A shape leaves the process: these numbers never change.
    assert_eq!(base, GOLDEN_SHAPE);
    assert_eq!(json("").shape(204, ""), GOLDEN_EMPTY);
}
const GOLDEN_SHAPE: u64 = 3_156_628_614_189_023_960;
const GOLDEN_EMPTY: u64 = 18_257_270_500_178_225_863;

#[test]
fn a_request_does_not_change_the_answers_shape() {
    let scanner = scanner();
    let mut out = Findings::new();
    scanner.scan(Content::Json, Place::RequestBody, br#"{"q": {"x": 1}}"#, false, &mut out);
    scanner.scan_query("page=2&from=ada@example.com", &mut out);
    scanner.scan_field(Place::RequestHeader, "x-user", "ada@example.com", &mut out);
    let before = out.shape(200, "application/json");
    assert_eq!(before, Findings::new().shape(200, "application/json"));
    scanner.scan(Content::Json, Place::ResponseBody, br#"{"a": 1}"#, false, &mut out);
    assert_ne!(out.shape(200, "application/json"), before);
    let all: Vec<String> =
        [Place::RequestBody, Place::RequestQuery, Place::RequestHeader, Place::ResponseBody]
            .map(|place| out.fields.names(place).join(" "))
            .into();
    assert_eq!(all, ["/q /q/x", "from page", "x-user", "/a"]);
    assert_eq!(listed(&out), ["email from", "email x-user"]);
}

#[test]
fn content_types() {
    let check = |text: &str, expected: Content| assert_eq!(Content::of(text), expected, "{text}");
    check("application/json", Content::Json);
    check("Application/JSON; charset=utf-8", Content::Json);
    check("application/problem+json", Content::Json);
    check("application/x-ndjson", Content::Json);
    check("application/fhir+json;v=4", Content::Json);
    check("application/x-www-form-urlencoded", Content::Form);
    check("multipart/form-data; boundary=x", Content::Form);
    check("text/plain", Content::Text);
    check("text/html; charset=utf-8", Content::Text);
    check("text/csv", Content::Text);
    check("", Content::Text);
    check("application/yaml", Content::Text);
    check("text/xml", Content::Xml);
    check("application/soap+xml", Content::Xml);
    check("application/graphql", Content::Graphql);
    check("image/svg+xml", Content::Binary);
    check("image/png", Content::Binary);
    check("application/octet-stream", Content::Binary);
    check("application/grpc", Content::Binary);
}

#[test]
fn other_contents() {
    let check = |content: Content, body: &str, expected: &[&str]| {
        assert_eq!(listed(&findings(content, body)), expected, "{body}");
    };
    check(
        Content::Form,
        "cvv=123&email=ada%40example.com&card=4111+1111+1111+1111",
        &["card-number card", "card-verification-code cvv", "email email"],
    );
    check(Content::Form, "user%5Bpassword%5D=hunter2&a=&=b&&c", &["password user[password]"]);
    let parts = "--b1\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n123456789\r\n--b1\r\n\
        Content-Disposition: form-data; name=\"data\"\r\nContent-Type: application/json\r\n\r\n{\"email\":\"ada@example.com\"}\r\n\
        --b1\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: image/png\r\n\r\nada@example.com\r\n--b1--\r\n";
    check(Content::Form, parts, &["email data/email", "ssn ssn"]);
    let xml = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body><patient ssn=\"123456789\"><email>ada@example.com</email>\
        <firstName>Ada &amp; Bob</firstName><empty/><!-- a@example.com --><note><![CDATA[4111111111111111]]></note></patient></s:Body></s:Envelope>";
    let fields = [
        "card-number /Envelope/Body/patient/note",
        "email /Envelope/Body/patient/email",
        "person-name /Envelope/Body/patient/firstName",
        "ssn /Envelope/Body/patient/@ssn",
    ];
    check(Content::Xml, xml, &fields);
    check(Content::Text, xml, &fields);
    check(Content::Text, " {\"ssn\": \"123456789\"}", &["ssn /ssn"]);
    check(Content::Text, "name,email\nAda,ada@example.com\nBob,bob@example.com\n", &["email  x2"]);
    check(
        Content::Text,
        "ssn: 123456789\ncvv:123\nid: 4111111111111111\n",
        &["card-verification-code ", "ssn "],
    );
    check(Content::Graphql, "mutation { add(email: \"ada@example.com\") { id } }", &["email "]);
    check(Content::Binary, "ada@example.com", &[]);
}
