use super::*;
use proptest::prelude::*;

const PATIENT: &str = r#"{"type":"object","required":["name"],"properties":{
    "name":{"type":"string"},"age":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}},
    "address":{"type":"object","properties":{"city":{"type":"string"}}},"photo":{"type":"string","format":"binary"},
    "files":{"type":"array","items":{"type":"string","format":"binary"}}}}"#;

fn policy() -> ContractPolicy {
    let encoding = EncodingContract {
        name: "photo".to_owned(),
        content_types: vec!["image/*".to_owned()],
        style: ParameterStyle::Form,
        explode: true,
    };
    let content = vec![
        media("application/json", Some(0)),
        media("application/x-www-form-urlencoded", Some(0)),
        MediaContract { encoding: vec![encoding], ..media("multipart/form-data", Some(0)) },
        media("text/plain", Some(1)),
        media("application/xml", Some(0)),
    ];
    let response = |status: &str, content| ResponseContract { status: status.to_owned(), content };
    let responses = vec![
        response("200", vec![media("application/json", Some(0))]),
        response("4XX", vec![media("application/problem+json", Some(1))]),
        response("204", Vec::new()),
    ];
    contract(
        &[PATIENT, r#"{"type":"string","maxLength":5}"#],
        OperationContract {
            request: Some(RequestContract { required: true, content }),
            responses,
            ..OperationContract::default()
        },
    )
}

fn judge(content_type: Option<&str>, body: &str) -> Vec<String> {
    rules(&Contract::new(&policy()).judge_body(Some(0), "/x", content_type, body.as_bytes()).violations)
}

#[test]
fn bodies() {
    let json = Some("application/json; charset=utf-8");
    let form = Some("application/x-www-form-urlencoded");
    for (content_type, body, expected) in [
        (json, "", vec!["contract-body-missing"]),
        (None, "{}", vec!["contract-content-type"]),
        (Some("json"), "{}", vec!["contract-content-type"]),
        (Some("application/yaml"), "a", vec!["contract-content-type"]),
        (json, r#"{"name":"x"}"#, vec![]),
        (json, r#"{"name":1}"#, vec!["contract-body-type /name"]),
        (json, "{}", vec!["contract-body-required /name"]),
        (json, r#"{"name":"x","role":"admin"}"#, vec!["contract-unknown-field /role"]),
        (json, r#"{"name":"x","name":"y"}"#, vec!["contract-body-duplicate-key"]),
        (json, "{", vec!["contract-body-syntax"]),
        (json, &"[".repeat(100), vec!["contract-body-depth"]),
        (form, "name=x&age=5&tags=a&tags=b", vec![]),
        (form, "name=x&tags=a", vec![]),
        (form, "name=x&age=old", vec!["contract-body-type /age"]),
        (form, "age=5", vec!["contract-body-required /name"]),
        (form, "name=x&role=admin", vec!["contract-unknown-field /role"]),
        (form, "name=x&name=y", vec!["contract-body-type /name"]),
        (form, "name=x&address=%7B%22city%22%3A1%7D", vec!["contract-body-type /address/city"]),
        (form, "name=%ff", vec!["contract-body-syntax"]),
        (Some("text/plain"), "hello", vec![]),
        (Some("text/plain"), "hello!", vec!["contract-body-bounds"]),
        (Some("application/xml"), "<a/>", vec!["contract-undecidable"]),
    ] {
        assert_eq!(judge(content_type, body), expected, "{content_type:?} {body}");
    }
}

fn multipart(parts: &[(&str, Option<&str>, Option<&str>, &str)]) -> String {
    let mut out = String::new();
    for (name, file, content_type, body) in parts {
        out.push_str(&format!("--b\r\nContent-Disposition: form-data; name=\"{name}\""));
        if let Some(file) = file {
            out.push_str(&format!("; filename=\"{file}\""));
        }
        if let Some(content_type) = content_type {
            out.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        out.push_str(&format!("\r\n\r\n{body}\r\n"));
    }
    out + "--b--\r\n"
}

#[test]
fn multipart_bodies() {
    let text = |name, body| (name, None, None, body);
    for (parts, expected) in [
        (vec![text("name", "x"), text("age", "5")], vec![]),
        (vec![text("name", "x"), text("age", "old")], vec!["contract-body-type /age"]),
        (vec![text("name", "x"), ("photo", Some("a.png"), Some("image/png"), "PNG")], vec![]),
        (
            vec![text("name", "x"), ("photo", Some("a.html"), Some("text/html"), "<b>")],
            vec!["contract-body-content-type /photo"],
        ),
        (vec![text("name", "x"), ("files", Some("a"), None, "1"), ("files", Some("b"), None, "2")], vec![]),
        (
            vec![text("name", "x"), ("address", None, Some("application/json"), "{\"city\":1}")],
            vec!["contract-body-type /address/city"],
        ),
        (
            vec![text("name", "x"), ("address", None, Some("application/json"), "{")],
            vec!["contract-body-syntax"],
        ),
        (vec![text("name", "x"), ("age", Some("a"), None, "5")], vec!["contract-body-type /age"]),
        (vec![text("name", "x"), text("role", "admin")], vec!["contract-unknown-field /role"]),
        (vec![text("age", "5")], vec!["contract-body-required /name"]),
    ] {
        let body = multipart(&parts);
        assert_eq!(judge(Some("multipart/form-data; boundary=b"), &body), expected, "{parts:?}");
    }
    assert_eq!(judge(Some("multipart/form-data"), "--b--"), ["contract-body-syntax"]);
}

#[test]
fn bounds_hold_without_a_specification() {
    let contract = Contract::new(&ContractPolicy::default());
    let judge = |content_type: Option<&str>, body: &str| {
        rules(&contract.judge_body(None, "/", content_type, body.as_bytes()).violations)
    };
    assert_eq!(judge(Some("application/json"), &"[".repeat(40)), ["contract-body-depth"]);
    assert_eq!(judge(None, &"[".repeat(40)), ["contract-body-depth"]);
    assert_eq!(judge(Some("application/json"), "{\"a\":1}"), Vec::<String>::new());
    assert_eq!(
        judge(Some("application/x-www-form-urlencoded"), &"a=1&".repeat(2_000)),
        ["contract-body-json-size"]
    );
    assert_eq!(judge(Some("application/octet-stream"), "\u{0}"), Vec::<String>::new());
}

#[test]
fn strips_what_is_not_declared() {
    let policy = ContractPolicy {
        unknown_fields: Unknown::Strip,
        unknown_response_fields: Unknown::Strip,
        ..policy()
    };
    let contract = Contract::new(&policy);
    let body = br#"{"name":"x","role":"admin","address":{"city":"B","zip":1}}"#;
    let judged = contract.judge_body(Some(0), "/x", Some("application/json"), body);
    assert_eq!(judged.violations, []);
    assert_eq!(judged.edited.as_deref(), Some(&br#"{"name":"x","address":{"city":"B"}}"#[..]));
    assert_eq!(judged.stripped, ["role", "zip"]);
    let judged = contract.judge_answer(Some(0), 200, Some("application/json"), br#"{"ssn":"1","name":"x"}"#);
    assert_eq!(judged.edited.as_deref(), Some(&br#"{"name":"x"}"#[..]));
}

#[test]
fn answers() {
    let contract = Contract::new(&policy());
    let head = |status, content_type| rules(&contract.judge_answer_head(Some(0), status, content_type));
    let json = Some("application/json");
    assert_eq!(head(200, json), Vec::<String>::new());
    assert_eq!(head(200, Some("text/html")), ["contract-response-content-type"]);
    assert_eq!(head(201, json), ["contract-response-status 201"]);
    assert_eq!(head(404, Some("application/problem+json")), Vec::<String>::new());
    assert!(contract.judge_answer_head(Some(0), 500, json)[0].flag);
    assert_eq!(head(204, None), Vec::<String>::new());
    assert!(contract.wants_answer(Some(0), 200, json).is_some());
    assert!(contract.wants_answer(Some(0), 200, Some("text/html")).is_none());
    assert!(contract.wants_answer(Some(0), 500, json).is_none());
    let answer = |body: &str| rules(&contract.judge_answer(Some(0), 200, json, body.as_bytes()).violations);
    assert_eq!(answer(r#"{"name":"x","ssn":"1"}"#), ["contract-response-unknown-field /ssn"]);
    assert_eq!(answer(r#"{"name":7}"#), ["contract-response-type /name"]);
    assert_eq!(answer("<html>"), ["contract-response-syntax"]);
}

#[test]
fn limits_by_operation() {
    let rules = vec![OperationRule { operation: 3, body_bytes: Some(10), oversize: Some(Oversize::Stream) }];
    let contract = Contract::new(&ContractPolicy { rules, ..ContractPolicy::default() });
    assert_eq!(contract.body_limit(Some(3)), (10, Oversize::Stream));
    assert_eq!(contract.body_limit(Some(2)), (1024 * 1024, Oversize::Refuse));
    assert!(contract.oversized(Some(3)).flag);
    assert_eq!((contract.oversized(None).flag, contract.oversized(None).status), (false, 413));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..200), which in 0usize..5) {
        let types = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", "application/xml"];
        let contract = Contract::new(&policy());
        let _ = contract.judge_body(Some(0), "/x", Some(types[which]), &body);
        let _ = contract.judge_answer(Some(0), 200, Some(types[which]), &body);
    }

    #[test]
    fn hostile_parts_never_panic(head in "[a-zA-Z:;=\"\\\\ \r\n-]{0,80}", tail in "[a\r\n-]{0,20}") {
        let contract = Contract::new(&policy());
        let body = format!("--b\r\n{head}\r\n\r\n{tail}\r\n--b--");
        let _ = contract.judge_body(Some(0), "/x", Some("multipart/form-data; boundary=b"), body.as_bytes());
    }
}
