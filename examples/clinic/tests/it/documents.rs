//! YAML documents as JSON values, and what the tests ask of the specification.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

pub fn yaml(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1, "expected one document");
    value(&documents[0])
}

fn value(node: &Yaml) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(it)) => json!(it),
        Yaml::Value(Scalar::Integer(it)) => json!(it),
        Yaml::Value(Scalar::FloatingPoint(it)) => json!(it.into_inner()),
        Yaml::Value(Scalar::String(it)) => json!(it),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(pairs) => Value::Object(
            pairs.iter().map(|(key, it)| (key.as_str().unwrap().to_owned(), value(it))).collect(),
        ),
        other => panic!("unexpected YAML node {other:?}"),
    }
}

pub struct Specification(Value);

pub struct Operation<'a> {
    pub method: String,
    pub path: &'a str,
    pub id: &'a str,
    pub node: &'a Value,
}

impl Specification {
    pub fn read(text: &str) -> Self {
        Self(yaml(text))
    }

    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut all = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, node) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
                let id = node["operationId"].as_str().unwrap();
                all.push(Operation { method: method.to_uppercase(), path, id, node });
            }
        }
        all
    }

    /// Whether the operation asks for a credential.
    pub fn is_protected(&self, operation: &Operation<'_>) -> bool {
        let security = operation.node.get("security").unwrap_or(&self.0["security"]);
        !security.as_array().unwrap().is_empty()
    }

    /// The JSON schema documented for `status`, if any.
    pub fn response_schema<'a>(&'a self, operation: &Operation<'a>, status: u16) -> Option<&'a Value> {
        let response = self.resolve(operation.node["responses"].get(status.to_string())?);
        response.get("content")?.get("application/json")?.get("schema")
    }

    fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.0.pointer(reference.strip_prefix('#').unwrap()).expect(reference),
            None => node,
        }
    }

    /// Field names in which `value` and `schema` differ: `+path` undocumented, `-path` required and missing.
    pub fn differences(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.compare(schema, value, "", &mut found);
        found.sort();
        found.dedup();
        found
    }

    fn compare(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let (properties, required, open) = self.fields(schema);
                for (name, inner) in fields {
                    match properties.get(name) {
                        Some(schema) => self.compare(schema, inner, &format!("{place}/{name}"), found),
                        None if open => {}
                        None => found.push(format!("+{place}/{name}")),
                    }
                }
                let missing = required.iter().filter(|name| !fields.contains_key(*name));
                found.extend(missing.map(|name| format!("-{place}/{name}")));
            }
            Value::Array(items) => {
                let item = &self.resolve(schema)["items"];
                for inner in items {
                    self.compare(item, inner, &format!("{place}/*"), found);
                }
            }
            _ => {}
        }
    }

    /// Properties and required names of a schema with those of its `allOf` parts; whether it names none and
    /// thereby lets everything through.
    fn fields(&self, schema: &Value) -> (Map<String, Value>, Vec<String>, bool) {
        let schema = self.resolve(schema);
        let mut properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let named = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut required: Vec<String> = named.map(|name| name.as_str().unwrap().to_owned()).collect();
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let (more, needed, _) = self.fields(part);
            properties.extend(more);
            required.extend(needed);
        }
        let open = properties.is_empty();
        (properties, required, open)
    }
}

#[test]
fn differences_are_found() {
    let specification = Specification(json!({}));
    let schema = json!({ "allOf": [
        { "type": "object", "required": ["total"], "properties": { "total": {} } },
        { "properties": { "items": { "items": { "required": ["id"], "properties": { "id": {} } } } } },
    ]});
    let check =
        |value: Value, expected: &[&str]| assert_eq!(specification.differences(&schema, &value), expected);
    check(json!({ "total": 1, "items": [{ "id": 1 }] }), &[]);
    check(json!({ "items": [{ "id": 1, "ssn": "x" }, {}] }), &["+/items/*/ssn", "-/items/*/id", "-/total"]);
}

#[test]
fn misconfigurations_are_in_the_files() {
    let faults = yaml(probity_clinic::documents::FAULTS);
    let list = faults["misconfigurations"].as_array().unwrap();
    for planted in list {
        let file = planted["file"].as_str().unwrap();
        let text = match file {
            "openapi.yaml" => probity_clinic::documents::SPECIFICATION,
            "openapi-v1.yaml" => probity_clinic::documents::SPECIFICATION_V1,
            _ => {
                let found = probity_clinic::documents::DEPLOYMENT.iter().find(|(path, _)| *path == file);
                found.unwrap_or_else(|| panic!("{file} is not among the documents")).1
            }
        };
        let found_at = planted["found_at"].as_str().unwrap();
        assert!(text.contains(found_at), "{}: no `{found_at}` in {file}", planted["id"]);
    }
    assert_eq!(list.len(), 26);
}
