use probity_model::Signal;

use super::*;

fn check(body: &str, expected: &[Signal]) {
    let wrapped = serde_json::json!({ "error": body }).to_string();
    for (content, text) in [(Content::Text, body), (Content::Json, wrapped.as_str())] {
        let found: Vec<Signal> = signals(content, text).iter().collect();
        assert_eq!(found, expected, "{content:?}: {body}");
    }
}

#[test]
fn stack_traces() {
    let only = [Signal::StackTrace];
    check(
        "java.lang.NullPointerException: null\n\tat com.example.Api.get(Api.java:42)\n\tat java.base/x.Y.z(Y.java:1)",
        &only,
    );
    check("Exception in thread \"main\" kotlin.Error\n\tat MainKt.main(Main.kt:3)", &only);
    check("Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\nValueError", &only);
    check(
        "TypeError: x is not a function\n    at Object.get (routes.js:12:5)\n    at next (index.js:2:1)",
        &only,
    );
    check("Error\n    at run (src/app.ts:3:9)", &only);
    check("System.NullReferenceException: Object\n   at Shop.Api.Get(Int32 id) in Api.cs:line 12", &only);
    check(
        "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:8 +0x1b",
        &only,
    );
    check("app.rb:12:in `show': undefined method", &only);
    check("PHP Fatal error:  Uncaught Exception in index.php:3", &only);
    check("Fatal error: Uncaught Exception: x in a.php:3\nStack trace:\n#0 {main}", &only);
    check("thread 'main' panicked at src/main.rs:2:5:\nboom", &only);
}

#[test]
fn inner_details() {
    let only = [Signal::InternalDetail];
    check("ORA-00942: table or view does not exist", &only);
    check("SQLSTATE[42S02]: Base table or view not found", &only);
    check("You have an error in your SQL syntax; check the manual", &only);
    check("ERROR: syntax error at or near \"SELEC\"", &only);
    check("duplicate key value violates unique constraint \"users_email_key\"", &only);
    check("psycopg2.errors.UndefinedTable", &only);
    check("SQLITE_ERROR: no such table: users", &only);
    check("Incorrect syntax near 'x'.", &only);
    check("E11000 duplicate key error collection: shop.users", &only);
    check("connect ECONNREFUSED 10.0.3.7:5432", &only);
    check("could not open /var/www/shop/config.php", &only);
    check("no route to patients-db.internal:5432", &only);
    check("dial tcp: lookup redis.default.svc.cluster.local", &only);
    check("cannot read C:\\inetpub\\wwwroot\\web.config", &only);
    check("not found", &[]);
    check("validation failed: name must not be empty", &[]);
    check("see https://example.com/docs/errors.html:12 for details", &[]);
    check("the quick brown fox (see page 12) at noon", &[]);
}

#[test]
fn a_path_outside_of_errors_is_no_slip() {
    let found = signals(Content::Json, r#"{"mount": {"path": "/home/ada/files", "host": "10.0.0.5:5432"}}"#);
    assert_eq!(found.iter().count(), 0);
    let link = signals(Content::Json, r#"{"html_url": "https://github.com/a/b/blob/main/x.js:12"}"#);
    assert_eq!(link.iter().count(), 0);
}

#[test]
fn requests_raise_no_slips() {
    let mut out = Findings::new();
    let body = br#"{"error": "Traceback (most recent call last)"}"#;
    scanner().scan(Content::Json, Place::RequestBody, body, false, &mut out);
    assert_eq!(out.signals, Signals::default());
}

#[test]
fn pages_and_listings() {
    check("<html><head><title>Werkzeug Debugger</title>", &[Signal::DebugPage]);
    check("You're seeing this error because you have <code>DEBUG = True</code>", &[Signal::DebugPage]);
    check("<h1>Whitelabel Error Page</h1>", &[Signal::DebugPage]);
    check("<html><head><title>Index of /files</title></head>", &[Signal::DirectoryListing]);
    check("<title>Directory listing for /tmp/</title>", &[Signal::DirectoryListing]);
}

#[test]
fn introspection() {
    let asked = |content: Content, place: Place, body: &str| {
        let mut out = Findings::new();
        scanner().scan(content, place, body.as_bytes(), false, &mut out);
        out.signals.contains(Signal::GraphqlIntrospectionAsked)
    };
    let body = Place::RequestBody;
    assert!(asked(Content::Json, body, r#"{"query": "{ __schema { types { name } } }"}"#));
    assert!(asked(
        Content::Json,
        body,
        r#"{"query": "query($n: String!) { __type(name: $n) { name } }", "variables": {}}"#
    ));
    assert!(asked(Content::Graphql, body, "{ __schema { types { name } } }"));
    assert!(!asked(Content::Json, body, r#"{"query": "{ patient { __typename name } }"}"#));
    assert!(!asked(Content::Json, body, r#"{"filter": {"query": "__schema"}}"#));
    assert!(!asked(Content::Json, Place::ResponseBody, r#"{"query": "{ __schema { types { name } } }"}"#));
    let mut out = Findings::new();
    scanner().scan_query("query=%7B__schema%7Btypes%7Bname%7D%7D%7D", &mut out);
    assert!(out.signals.contains(Signal::GraphqlIntrospectionAsked));

    let answered = |body: &str| json(body).signals.contains(Signal::GraphqlIntrospectionAnswered);
    assert!(answered(r#"{"data": {"__schema": {"types": []}}}"#));
    assert!(answered(r#"{"data":{"__type" : {"name": "Patient"}}}"#));
    assert!(!answered(r#"{"data": {"__schema": null}}"#));
    assert!(!answered(r#"{"data": {"patient": {"__typename": "Patient"}}}"#));
    assert!(!answered(r#"{"__type": "Shop.Order"}"#));
}

#[test]
fn credentials_in_urls() {
    let key = format!("sk_live_{}", "aB3dE5gH7jK9mN1pQ2sT4vW6");
    let query = |query: &str| {
        let mut out = Findings::new();
        scanner().scan_query(query, &mut out);
        (listed(&out), out.signals.contains(Signal::CredentialInUrl))
    };
    assert_eq!(query(&format!("a=1&key={key}")), (vec!["api-key key".into()], true));
    assert_eq!(query("password=hunter2&x"), (vec!["password password".into()], true));
    assert_eq!(query("email=ada%40example.com"), (vec!["email email".into()], false));
    assert_eq!(query("page=2&sort=name"), (vec![], false));
    let mut out = Findings::new();
    scanner().scan_field(Place::RequestPath, "id", &key, &mut out);
    assert!(out.signals.contains(Signal::CredentialInUrl));
}

#[test]
fn a_cut_body_says_so() {
    let mut out = Findings::new();
    scanner().scan(Content::Binary, Place::ResponseBody, b"", true, &mut out);
    assert!(out.signals.contains(Signal::InspectionTruncated));
}
