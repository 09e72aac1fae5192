use super::schema::Table;
use super::validate::{self, Direction};
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn judge(table: &Table, text: &str, unknown: Unknown, direction: Direction) -> Outcome {
    let nodes = super::json::parse(text.as_bytes(), &BodyLimits::default()).expect("JSON");
    validate::judge(table, table.row(0), &nodes, direction, unknown)
}

fn reference(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .expect("a schema")
}

/// Judges alike, and as the reference does; rows of `$defs` are rows of the table.
fn agree(schema: &Value, instances: &[Value]) {
    let mut rows = vec![schema.to_string()];
    if let Some(defs) = schema.get("$defs").and_then(Value::as_object) {
        rows.extend((1..=defs.len()).map(|number| defs[&number.to_string()].to_string()));
    }
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (table, other) = (table_of(&rows), reference(schema));
    for instance in instances {
        let own = judge(&table, &instance.to_string(), Unknown::Allow, Direction::Answer);
        assert_eq!(own.is_valid(), other.is_valid(instance), "{schema} {instance} {:?}", own.faults);
    }
}

#[test]
fn keywords_agree_with_the_reference() {
    let instances = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(-3),
        json!(100),
        json!(0.3),
        json!(9_007_199_254_740_993i64),
        json!(""),
        json!("a"),
        json!("abc"),
        json!("2024-02-30"),
        json!("\u{1F600}\u{e9}"),
        json!([]),
        json!([1]),
        json!([1, 1.0]),
        json!([1, 2, 3]),
        json!(["a", 1, null]),
        json!([{"a": 1}, {"a": 1.0}]),
        json!([[1, 2], [2, 1]]),
        json!({}),
        json!({"a": 1}),
        json!({"a": "x"}),
        json!({"a": 1, "b": 2}),
        json!({"b": "x", "c": true}),
        json!({"foo": 1, "bar": "x"}),
        json!({"a": {"a": {"a": {}}}}),
        json!({"a": {"a": 1}}),
        json!({"kind": "x", "a": 1}),
        json!({"b": [1, "x"]}),
    ];
    for schema in [
        json!(true),
        json!(false),
        json!({}),
        json!({"type": "integer"}),
        json!({"type": "number"}),
        json!({"type": ["string", "null"]}),
        json!({"type": "array"}),
        json!({"enum": [1, "a", null, [1], {"a": 1}]}),
        json!({"const": 1}),
        json!({"const": {"a": 1}}),
        json!({"minimum": 1}),
        json!({"maximum": 1.5}),
        json!({"exclusiveMinimum": 1}),
        json!({"exclusiveMaximum": 1}),
        json!({"multipleOf": 0.1}),
        json!({"multipleOf": 2}),
        json!({"minLength": 2}),
        json!({"maxLength": 2}),
        json!({"pattern": "^a"}),
        json!({"pattern": "^(?=a)[a-z]+$"}),
        json!({"format": "date"}),
        json!({"minItems": 2}),
        json!({"maxItems": 1}),
        json!({"uniqueItems": true}),
        json!({"items": {"type": "integer"}}),
        json!({"prefixItems": [{"type": "string"}], "items": false}),
        json!({"contains": {"const": 1}}),
        json!({"contains": {"const": 1}, "minContains": 2}),
        json!({"contains": {"const": 1}, "maxContains": 1}),
        json!({"contains": {"const": 1}, "minContains": 0}),
        json!({"minProperties": 2}),
        json!({"maxProperties": 1}),
        json!({"required": ["a"]}),
        json!({"properties": {"a": {"type": "integer"}}}),
        json!({"properties": {"a": true}, "additionalProperties": false}),
        json!({"additionalProperties": {"type": "integer"}}),
        json!({"patternProperties": {"^[ab]$": {"type": "integer"}}, "additionalProperties": false}),
        json!({"propertyNames": {"maxLength": 1}}),
        json!({"dependentRequired": {"a": ["b"]}}),
        json!({"dependentSchemas": {"a": {"required": ["b"]}}}),
        json!({"allOf": [{"required": ["a"]}, {"properties": {"a": {"minimum": 1}}}]}),
        json!({"anyOf": [{"type": "string"}, {"minimum": 1}]}),
        json!({"oneOf": [{"type": "integer"}, {"minimum": 1}]}),
        json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"not": {"type": "object"}}),
        json!({"if": {"type": "integer"}, "then": {"minimum": 1}, "else": {"type": "string"}}),
        json!({"unevaluatedProperties": false, "allOf": [{"properties": {"a": true}}]}),
        json!({"unevaluatedProperties": false, "anyOf": [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {"type": "string"}}, "required": ["b"]}]}),
        json!({"unevaluatedProperties": {"type": "integer"}, "properties": {"b": true}}),
        json!({"unevaluatedProperties": false, "if": {"required": ["a"]}, "then": {"properties": {"a": true, "b": true}}}),
        json!({"unevaluatedItems": false, "prefixItems": [true]}),
        json!({"unevaluatedItems": false, "contains": {"type": "integer"}}),
        json!({"allOf": [{"unevaluatedProperties": true}], "unevaluatedProperties": false}),
        json!({"$ref": "#/$defs/1", "$defs": {"1": {"type": "object", "properties": {"a": {"$ref": "#/$defs/1"}}, "additionalProperties": false}}}),
        json!({"items": {"$ref": "#/$defs/1"}, "$defs": {"1": {"type": ["integer", "null"]}}}),
    ] {
        agree(&schema, &instances);
    }
}

#[test]
fn tells_places_and_types_never_values() {
    let table = table_of(&[r##"{"type":"object","required":["name","tags"],"properties":{
        "name":{"type":"string","maxLength":3},"age":{"type":"integer","minimum":0},
        "tags":{"type":"array","items":{"type":"string","format":"uuid"}},
        "kind":{"enum":["a","b"]},"card":{"type":"string","pattern":"^x"}}}"##]);
    let text = r#"{"name":"4111111111111111","age":"sesame","tags":[1,"secret"],"kind":"zebra","card":"y"}"#;
    let outcome = judge(&table, text, Unknown::Refuse, Direction::Request);
    let told: Vec<(&str, &str, &str)> =
        outcome.faults.iter().map(|fault| (fault.rule, fault.pointer.as_str(), fault.found)).collect();
    assert_eq!(
        told,
        [
            ("bounds", "/name", "string"),
            ("type", "/age", "string"),
            ("type", "/tags/0", "integer"),
            ("format", "/tags/1", "string"),
            ("enum", "/kind", "string"),
            ("pattern", "/card", "string"),
        ]
    );
    let all = format!("{outcome:?}");
    for value in ["4111", "sesame", "secret", "zebra"] {
        assert!(!all.contains(value), "{all}");
    }
    let missing = judge(&table, r#"{"name":"x"}"#, Unknown::Refuse, Direction::Request);
    assert_eq!((missing.faults[0].rule, missing.faults[0].pointer.as_str()), ("required", "/tags"));
}

#[test]
fn finds_what_nobody_declared() {
    let rows = [
        r##"{"allOf":[{"$ref":"#/$defs/1"},{"properties":{"b":{"type":"object","properties":{"x":true}}}}]}"##,
        r##"{"type":"object","properties":{"a":true,"b":{"properties":{"y":true}},"map":{"type":"object","additionalProperties":{"type":"integer"}},"free":{"type":"object"},"list":{"items":{"properties":{"z":true}}}}}"##,
    ];
    let table = table_of(&rows);
    let names = |text: &str| -> Vec<String> {
        let outcome = judge(&table, text, Unknown::Refuse, Direction::Request);
        outcome.faults.into_iter().map(|fault| fault.pointer).collect()
    };
    assert_eq!(
        names(r#"{"a":1,"b":{"x":1,"y":2},"map":{"k":1},"free":{"k":1},"list":[{"z":1}]}"#),
        Vec::<String>::new()
    );
    assert_eq!(names(r#"{"role":1,"b":{"w":2}}"#), ["/role", "/b/w"]);
    assert_eq!(names(r#"{"list":[{"z":1},{"admin":true}]}"#), ["/list/1/admin"]);
    assert_eq!(names(r#"{"0123456789abcdef":1}"#), ["/{name}"]);
    let strip = judge(&table, r#"{"role":1,"b":{"w":2}}"#, Unknown::Strip, Direction::Request);
    assert_eq!((strip.faults.len(), strip.strip.len()), (0, 2));
    let flag = judge(&table, r#"{"role":1}"#, Unknown::Flag, Direction::Request);
    assert!(flag.is_valid() && flag.faults[0].flag);
    assert!(judge(&table, r#"{"role":1}"#, Unknown::Allow, Direction::Request).faults.is_empty());
    // A closed schema is broken under every policy but the stripping one.
    let closed = table_of(&[r#"{"properties":{"a":true},"additionalProperties":false}"#]);
    for (unknown, valid, stripped) in [
        (Unknown::Allow, false, 0),
        (Unknown::Flag, false, 0),
        (Unknown::Refuse, false, 0),
        (Unknown::Strip, true, 1),
    ] {
        let outcome = judge(&closed, r#"{"a":1,"b":2}"#, unknown, Direction::Request);
        assert_eq!((outcome.is_valid(), outcome.strip.len()), (valid, stripped), "{unknown:?}");
    }
}

#[test]
fn alternatives_declare_what_their_branch_does() {
    let table = table_of(&[r##"{"oneOf":[
        {"properties":{"kind":{"const":"card"},"pan":true,"more":{"properties":{"x":true}}},"required":["kind"]},
        {"properties":{"kind":{"const":"iban"},"iban":true},"required":["kind"]}]}"##]);
    let names = |text: &str| -> Vec<String> {
        let outcome = judge(&table, text, Unknown::Refuse, Direction::Request);
        outcome.faults.into_iter().map(|fault| format!("{} {}", fault.rule, fault.pointer)).collect()
    };
    assert_eq!(names(r#"{"kind":"card","pan":1,"more":{"x":1}}"#), Vec::<String>::new());
    assert_eq!(names(r#"{"kind":"iban","pan":1}"#), ["unknown-field /pan"]);
    assert_eq!(names(r#"{"kind":"card","more":{"y":1}}"#), ["unknown-field /more/y"]);
    assert_eq!(names(r#"{"kind":"cash"}"#), ["composition "]);
}

#[test]
fn discriminators_choose() {
    let table = table_of(&[
        r##"{"oneOf":[{"$ref":"#/$defs/1"},{"$ref":"#/$defs/2"}],"discriminator":{"propertyName":"kind","mapping":{"cat":"#/$defs/1","dog":"#/$defs/2"}}}"##,
        r##"{"properties":{"kind":{"type":"string"},"lives":{"type":"integer"}},"required":["kind","lives"]}"##,
        r##"{"properties":{"kind":{"type":"string"},"bark":{"type":"boolean"}},"required":["kind"]}"##,
    ]);
    for (text, expected) in [
        (r#"{"kind":"cat","lives":9}"#, vec![]),
        (r#"{"kind":"dog","bark":true}"#, vec![]),
        (r#"{"kind":"dog","bark":1}"#, vec!["type /bark"]),
        (r#"{"kind":"dog","lives":9}"#, vec!["unknown-field /lives"]),
        (r#"{"kind":"cow"}"#, vec!["discriminator /kind"]),
        (r#"{}"#, vec!["discriminator /kind"]),
        (r#"{"kind":7}"#, vec!["discriminator /kind"]),
    ] {
        let outcome = judge(&table, text, Unknown::Refuse, Direction::Request);
        let told: Vec<String> =
            outcome.faults.iter().map(|fault| format!("{} {}", fault.rule, fault.pointer)).collect();
        assert_eq!(told, expected, "{text}");
    }
    // A base with subtypes: the value leads to the subtype, which refers back to the base.
    let table = table_of(&[
        r##"{"type":"object","properties":{"kind":{"type":"string"}},"required":["kind"],"discriminator":{"propertyName":"kind","mapping":{"cat":"#/$defs/1"}}}"##,
        r##"{"allOf":[{"$ref":"#/$defs/0"},{"properties":{"lives":{"type":"integer"}}}]}"##,
    ]);
    for (text, valid) in [
        (r#"{"kind":"cat","lives":9}"#, true),
        (r#"{"kind":"cat","lives":"x"}"#, false),
        (r#"{"kind":"pet"}"#, true),
        (r#"{"kind":"pet","lives":9}"#, false),
    ] {
        assert_eq!(judge(&table, text, Unknown::Refuse, Direction::Request).is_valid(), valid, "{text}");
    }
}

#[test]
fn knows_the_direction() {
    let table = table_of(&[
        r#"{"properties":{"id":{"readOnly":true},"password":{"writeOnly":true},"name":true},"required":["id","password","name"]}"#,
    ]);
    for (direction, text, expected) in [
        (Direction::Request, r#"{"password":"x","name":"y"}"#, vec![]),
        (Direction::Request, r#"{"id":1,"password":"x","name":"y"}"#, vec!["read-only /id"]),
        (Direction::Answer, r#"{"id":1,"name":"y"}"#, vec![]),
        (Direction::Answer, r#"{"id":1,"name":"y","password":"x"}"#, vec!["write-only /password"]),
        (Direction::Answer, r#"{"name":"y"}"#, vec!["required /id"]),
    ] {
        let outcome = judge(&table, text, Unknown::Refuse, direction);
        let told: Vec<String> =
            outcome.faults.iter().map(|fault| format!("{} {}", fault.rule, fault.pointer)).collect();
        assert_eq!(told, expected, "{text}");
    }
}

#[test]
fn what_cannot_be_judged_is_told() {
    for row in [
        r##"{"$dynamicRef":"#x"}"##,
        r##"{"$ref":"other.json"}"##,
        r##"{"pattern":"(a)\\1"}"##,
        r##"{"type":"strnig"}"##,
        r##"{"$ref":"#/$defs/7"}"##,
        r##"{"$ref":"#/$defs/0"}"##,
    ] {
        let table = table_of(&[row]);
        let outcome = judge(&table, "\"aa\"", Unknown::Refuse, Direction::Request);
        assert_eq!(outcome.faults.len(), 1, "{row}");
        assert!(outcome.faults[0].flag && outcome.faults[0].rule == "undecidable", "{row}");
    }
    let table = table_of(&[r#"{"properties":{"a":{"items":{"pattern":"(a)\\1"}}}}"#, "true"]);
    let faults = table.faults(10);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].1.contains("back reference"), "{faults:?}");
}

#[test]
fn work_is_bounded() {
    // Each level doubles the branches, and the last one fails them all.
    let row = |row: u32| {
        let next = format!(r##"{{"properties":{{"a":{{"$ref":"#/$defs/{}"}}}}}}"##, row + 1);
        format!(r#"{{"anyOf":[{next},{next}]}}"#)
    };
    let rows: Vec<String> = (0..30).map(row).chain(["false".to_owned()]).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let table = table_of(&rows);
    let text = format!("{}1{}", "{\"a\":".repeat(30), "}".repeat(30));
    let outcome = judge(&table, &text, Unknown::Refuse, Direction::Request);
    assert!(!outcome.is_valid());
    assert!(outcome.faults.iter().any(|fault| fault.rule == "complexity"), "{:?}", outcome.faults);
}

fn instance() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (-5i64..5).prop_map(|value| json!(value)),
        (-20i64..20).prop_map(|value| json!(value as f64 / 4.0)),
        "[ab]{0,3}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::hash_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        prop_oneof!["string", "integer", "number", "boolean", "null", "array", "object"]
            .prop_map(|name| json!({"type": name})),
        (-4i64..4).prop_map(|value| json!({"minimum": value})),
        (1i64..4).prop_map(|value| json!({"multipleOf": value as f64 / 2.0})),
        (0u64..3).prop_map(|value| json!({"minLength": value})),
        (0u64..3).prop_map(|value| json!({"maxItems": value})),
        "[abc]".prop_map(|name| json!({"required": [name]})),
        instance().prop_map(|value| json!({"enum": [value, 1]})),
        Just(json!({"uniqueItems": true})),
        "[ab]{1,2}".prop_map(|text| json!({"pattern": format!("^{text}")})),
    ];
    leaf.prop_recursive(3, 20, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            list.clone().prop_map(|list| json!({"allOf": list})),
            list.clone().prop_map(|list| json!({"anyOf": list})),
            list.clone().prop_map(|list| json!({"oneOf": list})),
            list.prop_map(|list| json!({"prefixItems": list, "unevaluatedItems": false})),
            inner.clone().prop_map(|part| json!({"not": part})),
            inner.clone().prop_map(|part| json!({"items": part})),
            inner.clone().prop_map(|part| json!({"contains": part})),
            inner.clone().prop_map(|part| json!({"additionalProperties": part})),
            ("[abc]", inner.clone(), inner.clone())
                .prop_map(|(name, one, two)| json!({"properties": {name: one}, "additionalProperties": two})),
            ("[abc]", inner.clone(), inner.clone())
                .prop_map(|(name, one, two)| json!({"anyOf": [{"properties": {name: one}}, two], "unevaluatedProperties": false})),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn agrees_with_the_reference(schema in schema(), instances in proptest::collection::vec(instance(), 6)) {
        agree(&schema, &instances);
    }

    /// What is stripped leaves a body that is read again and is valid.
    #[test]
    fn stripping_leaves_what_is_valid(instance in instance()) {
        let table = table_of(&[r##"{"properties":{"a":{"$ref":"#/$defs/0"}}}"##]);
        let text = instance.to_string();
        let outcome = judge(&table, &text, Unknown::Strip, Direction::Request);
        let nodes = super::json::parse(text.as_bytes(), &BodyLimits::default()).expect("JSON");
        let left = super::json::without(text.as_bytes(), &nodes, &outcome.strip);
        let left = String::from_utf8(left).expect("text");
        prop_assert!(judge(&table, &left, Unknown::Refuse, Direction::Request).faults.is_empty(), "{text} {left}");
    }

    #[test]
    fn any_text_compiles_or_is_told(text in "\\PC{0,60}") {
        let table = table_of(&[&text]);
        let _ = judge(&table, "{\"a\":[1]}", Unknown::Refuse, Direction::Request);
    }

    #[test]
    fn any_pattern_compiles_or_is_told(text in "[\\[\\]()^$\\\\dwsbuxpk{},:?=!<>|*+.a1\\- ]{0,20}") {
        if let Ok(pattern) = super::pattern::Pattern::compile(&text) {
            let _ = pattern.is_match("aaa1");
        }
    }
}
