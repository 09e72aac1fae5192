use std::collections::BTreeMap;
use std::sync::Arc;

use probity_model::Template;
use probity_model::bundle::authorization::{AccessRule, Owner};
use probity_model::principal::{Principal, PrincipalKind, Proof};
use proptest::prelude::*;
use serde_json::json;

use super::json::{MAX_DEPTH, Pointer, scalar, without};
use super::place::{decoded, values};
use super::*;

fn list(words: &str) -> Vec<Arc<str>> {
    words.split_whitespace().map(Into::into).collect()
}

pub(crate) fn principal(roles: &str, scopes: &str) -> Principal {
    Principal {
        kind: PrincipalKind::User,
        issuer: "https://issuer.example".into(),
        subject: "ada".into(),
        tenant: Some("north".into()),
        consumer: None,
        roles: list(roles),
        scopes: list(scopes),
        attributes: BTreeMap::from([
            ("patient_id".into(), json!("p-1")),
            ("number".into(), json!(17)),
            ("wards".into(), json!(["a", "b", 3, ["deep"]])),
            ("none".into(), json!(null)),
            ("odd".into(), json!({"a": "a"})),
        ]),
        proof: Proof {
            scheme: probity_model::exchange::CredentialScheme::Bearer,
            credential: [0; 16],
            sender_constrained: false,
            acr: None,
            amr: Vec::new(),
            authenticated_at: None,
            issued_at: None,
            expires_at: None,
            environment: None,
        },
    }
}

#[test]
fn demands_of_a_rule() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut AccessRule), roles: &str, scopes: &str, expected: Option<Unmet>) {
        let mut rule = AccessRule::default();
        change(&mut rule);
        assert_eq!(unmet(&rule, Some(&principal(roles, scopes))), expected);
        assert_eq!(unmet(&rule, None), Some(Unmet::Principal));
    }
    check(|_| {}, "", "", None);
    check(|rule| rule.roles = list("admin"), "staff admin", "", None);
    check(|rule| rule.roles = list("admin root"), "staff", "", Some(Unmet::Role));
    check(|rule| rule.roles = list("admin"), "Admin administrator", "", Some(Unmet::Role));
    check(|rule| rule.scopes = vec![list("read write")], "", "write read more", None);
    check(|rule| rule.scopes = vec![list("read write")], "", "read", Some(Unmet::Scope(list("read write"))));
    check(|rule| rule.scopes = vec![list("a b"), list("c")], "", "c", None);
    check(|rule| rule.scopes = vec![list("a b d"), list("c e")], "", "c", Some(Unmet::Scope(list("c e"))));
    check(|rule| rule.kinds = vec![PrincipalKind::Service], "", "", Some(Unmet::Kind));
    check(|rule| rule.kinds = vec![PrincipalKind::Service, PrincipalKind::User], "", "", None);
    check(|rule| rule.tenants = list("north"), "", "", None);
    check(|rule| rule.tenants = list("south"), "", "", Some(Unmet::Tenant));
    check(|rule| rule.consumers = list("app"), "", "", Some(Unmet::Consumer));
    let attribute = |name: &str, value: &str| {
        let (name, value): (Arc<str>, Arc<str>) = (name.into(), value.into());
        move |rule: &mut AccessRule| drop(rule.attributes.insert(name, vec![value]))
    };
    check(attribute("wards", "b"), "", "", None);
    check(attribute("wards", "3"), "", "", None);
    check(attribute("wards", "c"), "", "", Some(Unmet::Attribute("wards".into())));
    check(attribute("wards", "deep"), "", "", Some(Unmet::Attribute("wards".into())));
    check(attribute("absent", "c"), "", "", Some(Unmet::Attribute("absent".into())));
    // What stands first is told: who calls, before what they may.
    check(|rule| (rule.tenants, rule.roles) = (list("south"), list("admin")), "", "", Some(Unmet::Tenant));
}

#[test]
fn owners() {
    #[track_caller]
    fn check(owner: Owner, value: &str, expected: Option<bool>) {
        assert_eq!(owns(&principal("", ""), &owner, value), expected, "{owner:?} {value}");
    }
    let attribute = |name: &str| Owner::Attribute(name.into());
    check(Owner::Subject, "ada", Some(true));
    check(Owner::Subject, "Ada", Some(false));
    check(Owner::Tenant, "north", Some(true));
    check(Owner::Tenant, "", Some(false));
    check(Owner::Consumer, "ada", None);
    check(attribute("patient_id"), "p-1", Some(true));
    check(attribute("patient_id"), "p-10", Some(false));
    check(attribute("number"), "17", Some(true));
    check(attribute("number"), "017", Some(false));
    check(attribute("wards"), "a", Some(true));
    check(attribute("wards"), "c", Some(false));
    check(attribute("none"), "null", None);
    check(attribute("odd"), "a", Some(false));
    check(attribute("absent"), "", None);
}

#[test]
fn variables_of_paths() {
    #[track_caller]
    fn check(template: &str, name: &str, path: &str, expected: Option<&str>) {
        let variable = PathVariable::of(&Template::new(template), name);
        let value = variable.as_ref().and_then(|variable| variable.value(path));
        assert_eq!(value.as_deref(), expected, "{template} {path}");
    }
    check("/v2/p/{id}", "id", "/v2/p/7", Some("7"));
    check("/v2/p/{id}/x/{other}", "other", "/v2/p/7/x/8", Some("8"));
    check("/v2/p/{id}", "other", "/v2/p/7", None);
    check("/v2/p/{id}", "id", "/v2/p/%37%2F8", Some("7/8"));
    check("/v2/p/{id}", "id", "/v2/p/a+b", Some("a+b"));
    check("/v2/p/{id}", "id", "/v2/p/%ff", None);
    check("/v2/p/{id}.json", "id", "/v2/p/7.json", Some("7"));
    check("/v2/p/{id}.json", "id", "/v2/p/7%2ejson", Some("7"));
    check("/v2/p/{id}-{other}", "id", "/v2/p/7-8", None);
    check("/v2/p/{id}", "id", "/v2", None);
}

#[test]
fn values_of_queries() {
    #[track_caller]
    fn check(query: &str, expected: Option<&[&str]>) {
        let found = values(query, "id");
        let found = found.as_ref().map(|all| all.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
        assert_eq!(found.as_deref(), expected, "{query}");
    }
    check("", Some(&[]));
    check("id=1", Some(&["1"]));
    check("id=1&x=2&id=3", Some(&["1", "3"]));
    check("%69d=1", Some(&["1"]));
    check("id=a+b%2B", Some(&["a b+"]));
    check("id", Some(&[""]));
    check("Id=1&ids=2", Some(&[]));
    check("id=%f", None);
    check("%zz=1&id=2", None);
    check(&"a&".repeat(place::MAX_PAIRS), None);
    assert_eq!(decoded("%41%c3%a9", false).as_deref(), Some("Aé"));
}

#[test]
fn values_by_pointer() {
    #[track_caller]
    fn check(pointer: &str, text: &str, expected: &[&str]) {
        let found = Pointers::new([pointer]).find(text.as_bytes()).unwrap();
        let found: Vec<&str> = found.iter().map(|hit| &text[hit.value.clone()]).collect();
        assert_eq!(found, expected, "{pointer} {text}");
    }
    check("/a", r#"{"a":1}"#, &["1"]);
    check("/a", r#"{"a" : 1 , "b":{"a":2}, "a": "x"}"#, &["1", r#""x""#]);
    check("/a/b", r#"{"a":{"b":[1,2]},"b":3}"#, &["[1,2]"]);
    check("/*/id", r#"[{"id":1},{"id":2},{"x":0},3]"#, &["1", "2"]);
    check("/items/*/id", r#"{"items":[{"id":1}],"more":[{"id":2}]}"#, &["1"]);
    check("/items/0", r#"{"items":[1]}"#, &[]);
    check("/a~1b~0c", r#"{"a/b~c":true}"#, &["true"]);
    check("/a", "{\"\\u0061\":null}", &["null"]);
    check("", r#" {"a":1} "#, &[r#"{"a":1}"#]);
    check("/a", "{}", &[]);
    check("/a", "3", &[]);
    assert_eq!(scalar(br#""a\u00e9\"""#, &(0..11)).as_deref(), Some("aé\""));
    assert_eq!(scalar(b"-1.5e3", &(0..6)).as_deref(), Some("-1.5e3"));
    assert_eq!(scalar(b"null", &(0..4)), None);
    assert_eq!(scalar(b"[1]", &(0..3)), None);
}

#[test]
fn what_is_no_json_is_not_judged() {
    for odd in [
        "",
        "{",
        "}",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "[1 2]",
        "tru",
        "nul",
        "01x",
        "-",
        "1.",
        "1e",
        "\"a",
        "\"a\\",
        "{\"a\":1}}",
        "[1]x",
        "\u{feff}{}",
        "{'a':1}",
        "{\"a\":1,}",
        "NaN",
        "+1",
        "/**/1",
    ] {
        assert!(matches!(Pointers::new(["/a"]).find(odd.as_bytes()), Err(Malformed::At(_))), "{odd}");
    }
    let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
    assert_eq!(Pointers::new(["/a"]).find(deep.as_bytes()), Err(Malformed::Deep));
    let many = format!("[{}1]", "1,".repeat(json::MAX_HITS));
    assert_eq!(Pointers::new(["/*"]).find(many.as_bytes()), Err(Malformed::Many));
}

#[test]
fn missing_values() {
    #[track_caller]
    fn check(pointer: &str, text: &str, expected: bool) {
        assert_eq!(Pointer::new(pointer).find(text.as_bytes()).unwrap().1, expected, "{pointer} {text}");
    }
    check("/a", r#"{"a":1}"#, false);
    check("/a", r#"{"b":1}"#, true);
    check("/items/*/id", r#"{"items":[]}"#, false);
    check("/items/*/id", r#"{}"#, true);
    check("/items/*/id", r#"{"items":[{"id":1},{"id":2}]}"#, false);
    check("/items/*/id", r#"{"items":[{"id":1,"id":3},{"x":2}]}"#, true);
    check("/items/*/id", r#"{"items":[{"x":2},{"id":1}]}"#, true);
    check("/*", "[]", false);
    check("/*", "{}", false);
}

#[test]
fn fields_are_cut() {
    #[track_caller]
    fn check(pointers: &[&str], text: &str, expected: &str) {
        let hits = Pointers::new(pointers).find(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(without(text.as_bytes(), hits)).unwrap(),
            expected,
            "{pointers:?} {text}"
        );
    }
    check(&["/a"], r#"{"a":1}"#, "{}");
    check(&["/a"], r#"{ "a": 1, "b": 2 }"#, r#"{ "b": 2 }"#);
    check(&["/b"], r#"{ "a": 1 , "b": 2 }"#, r#"{ "a": 1 }"#);
    check(&["/b"], r#"{"a":1,"b":[2,{"b":3}],"c":4}"#, r#"{"a":1,"c":4}"#);
    check(&["/a", "/b"], r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3}"#);
    check(&["/a", "/c"], r#"{"a":1,"b":2,"c":3}"#, r#"{"b":2}"#);
    check(&["/b", "/c"], r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1}"#);
    check(&["/a", "/b", "/c"], r#"{"a":1,"b":2,"c":3}"#, "{}");
    check(&["/*/a"], r#"[{"a":1,"b":2},{"b":2,"a":1}]"#, r#"[{"b":2},{"b":2}]"#);
    check(&["/a", "/a/b"], r#"{"a":{"b":1},"c":2}"#, r#"{"c":2}"#);
    check(&["/x"], r#"{"a":1}"#, r#"{"a":1}"#);
}

#[test]
fn what_is_not_named_is_cut() {
    #[track_caller]
    fn check(pointers: &[&str], text: &str, expected: &str) {
        let hits = Pointers::new(pointers).others(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(without(text.as_bytes(), hits)).unwrap(),
            expected,
            "{pointers:?} {text}"
        );
    }
    check(&["/a"], r#"{"a":{"x":1},"b":2,"c":{"a":3}}"#, r#"{"a":{"x":1}}"#);
    check(&["/a/x"], r#"{"a":{"x":1,"y":2},"b":2}"#, r#"{"a":{"x":1}}"#);
    check(&["/a/x"], r#"{"a":5,"b":2}"#, "{}");
    check(&["/a/x"], r#"{"a":null}"#, r#"{"a":null}"#);
    check(
        &["/items/*/id", "/total"],
        r#"{"items":[{"id":1,"ssn":"x"},{"ssn":"y","id":2}],"total":2,"debug":{}}"#,
        r#"{"items":[{"id":1},{"id":2}],"total":2}"#,
    );
    check(&["/*/id"], r#"[{"id":1,"b":2}]"#, r#"[{"id":1}]"#);
    check(&[], r#"{"a":1,"b":2}"#, "{}");
    check(&[""], r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "[a-c\"\\\\é\n]{0,4}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// What the walk finds is what serde_json finds; what is cut is gone and everything else as it was.
    #[test]
    fn the_walk_agrees_with_a_parser(value in any_json(), pointer in "(/([abc]|\\*)){1,3}", pretty in any::<bool>()) {
        fn collect<'a>(value: &'a serde_json::Value, tokens: &[&str], out: &mut Vec<&'a serde_json::Value>) {
            let Some((first, rest)) = tokens.split_first() else { return out.push(value) };
            match value {
                serde_json::Value::Object(map) => map.iter()
                    .filter(|(name, _)| *first == "*" || name == first)
                    .for_each(|(_, below)| collect(below, rest, out)),
                serde_json::Value::Array(items) if *first == "*" => {
                    items.iter().for_each(|below| collect(below, rest, out));
                }
                _ => {}
            }
        }
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let pointers = Pointers::new([&pointer]);
        let hits = pointers.find(text.as_bytes()).unwrap();
        let tokens: Vec<&str> = pointer.split('/').skip(1).collect();
        let mut expected = Vec::new();
        collect(&value, &tokens, &mut expected);
        let found: Vec<serde_json::Value> =
            hits.iter().map(|hit| serde_json::from_str(&text[hit.value.clone()]).unwrap()).collect();
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        let cut = without(text.as_bytes(), hits);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&cut).is_ok());
        prop_assert!(pointers.find(&cut).unwrap().is_empty());
        let others = without(text.as_bytes(), pointers.others(text.as_bytes()).unwrap());
        prop_assert!(pointers.others(&others).unwrap().is_empty());
        prop_assert_eq!(pointers.find(&others).unwrap().len(), found.len());
    }

    #[test]
    fn no_text_makes_it_panic(text in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ta1-.e n\xff".to_vec()), 0..64)) {
        let pointers = Pointers::new(["/a", "/*/t"]);
        for hits in [pointers.find(&text), pointers.others(&text)].into_iter().flatten() {
            without(&text, hits);
        }
    }
}

fn judged(rego: &str, who: Option<&Principal>, request: &RequestView<'_>) -> Result<Said, Stopped> {
    let rules =
        AttributeRules::compile([("rules.rego", rego)]).map_err(|faults| panic!("{faults:?}")).unwrap();
    let at = probity_model::Timestamp(1_790_000_000_000_000);
    let first = rules.judge(who, request, at);
    assert_eq!(rules.judge(who, request, at), first, "a second time");
    first
}

const HEAD: &str = "package probity.authorization\n\nimport rego.v1\n\n";

#[test]
fn attribute_rules() {
    #[track_caller]
    fn check(rules: &str, expected: Result<Said, Stopped>) {
        let request = RequestView {
            method: "GET",
            template: "/patients/{id}",
            path: vec![("id", "p-1".into())],
            query: vec![("q".into(), "a".into()), ("q".into(), "b".into())],
            headers: vec![("x-ward", "a")],
            client: "192.0.2.1".into(),
            tags: vec!["patients"],
            classes: Vec::new(),
        };
        assert_eq!(
            judged(&format!("{HEAD}{rules}"), Some(&principal("staff", "read")), &request),
            expected,
            "{rules}"
        );
    }
    let deny = |name: &str| Ok(Said::Deny(name.into()));
    check("deny contains {\"rule\": \"r-1\"} if input.request.method == \"GET\"", deny("r-1"));
    check("deny contains {\"rule\": \"r-1\"} if input.request.method == \"PUT\"", Ok(Said::Allow));
    check("deny contains \"said\" if \"staff\" in input.principal.roles", deny(""));
    check("deny contains {\"rule\": \"a secret: x\"} if true", deny(""));
    check("allow if input.principal.attributes.patient_id == input.request.path.id", Ok(Said::Allow));
    check("allow if input.principal.attributes.patient_id == \"p-2\"", Ok(Said::NotAllowed));
    check("allow if input.principal.attributes.absent == \"p-2\"", Ok(Said::NotAllowed));
    check("allow if input.request.headers[\"x-ward\"] in input.principal.attributes.wards", Ok(Said::Allow));
    check("allow if input.request.query.q == [\"a\", \"b\"]", Ok(Said::Allow));
    check("allow if startswith(input.at, \"2026-\")", Ok(Said::Allow));
    check("allow if true\ndeny contains {\"rule\": \"late\"} if input.at > \"2026\"", deny("late"));
    // What goes wrong is told, it does not pass and it does not merely not hold.
    check("deny contains {} if to_number(input.request.path.id) > 3", Err(Stopped));
    check("allow if true\nallow := 1 if false\ndeny := 3", Err(Stopped));
}

#[test]
fn a_rule_that_does_not_end_is_stopped() {
    let endless = format!(
        "{HEAD}allow if count([1 | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000); x == -y]) == 0"
    );
    assert_eq!(judged(&endless, None, &RequestView::default()), Err(Stopped));
}

#[test]
fn faults_of_attribute_rules_have_their_place() {
    #[track_caller]
    fn check(rego: &str, expected: &str) {
        let faults = AttributeRules::compile([("a.rego", rego)]).map(drop).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|fault| fault.contains(expected)), "{told:?}");
    }
    check("package other\n\nallow if true", "a.rego:1:1");
    check(&format!("{HEAD}allow if time.now_ns() > 1"), "a.rego:5:10");
    check(&format!("{HEAD}allow if http.send({{}})"), "`http.send` may not be called");
    check(&format!("{HEAD}allow if if"), "a.rego:5:");
    check(&format!("{HEAD}permit if true"), "defines `deny` or `allow`");
}
