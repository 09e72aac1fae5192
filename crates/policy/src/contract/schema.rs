//! Schemas, compiled: one row of a table at its first use, each row once for all operations that refer to it.
//!
//! JSON Schema 2020-12, validation and applicator keywords, with OpenAPI's discriminator, `readOnly` and `writeOnly`.
//! What cannot be judged (dynamic references, anchors, patterns without a bounded form) is kept as a fault of the
//! schema: a value that comes to stand under it is told as undecidable, never passed over. Judging is in `validate`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use probity_model::bundle::contract::SchemaTable;
use serde_json::{Map, Value};

use super::format::Format;
use super::json::{Kind, MAX_DEPTH};
use super::number::Number;
use super::pattern::Pattern;

/// Members of `properties`, values of `enum` and the like, of one schema.
const MAX_PARTS: usize = 20_000;

/// A set of JSON types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Types(u8);

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const INTEGER: u8 = 4;
const NUMBER: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;
const NAMES: [(u8, &str); 7] = [
    (NULL, "null"),
    (BOOLEAN, "boolean"),
    (INTEGER, "integer"),
    (NUMBER, "number"),
    (STRING, "string"),
    (ARRAY, "array"),
    (OBJECT, "object"),
];

impl Types {
    pub const ANY: Self = Self(0x7F);

    fn named(name: &str) -> Option<Self> {
        let (bit, _) = NAMES.iter().find(|(_, known)| *known == name)?;
        Some(Self(if *bit == NUMBER { NUMBER | INTEGER } else { *bit }))
    }
    pub fn is_any(self) -> bool {
        self == Self::ANY
    }
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub const fn none() -> Self {
        Self(0)
    }
    const fn bits(kind: Kind) -> u8 {
        match kind {
            Kind::Null => NULL,
            Kind::Boolean => BOOLEAN,
            Kind::Number => NUMBER | INTEGER,
            Kind::String => STRING,
            Kind::Array => ARRAY,
            Kind::Object => OBJECT,
        }
    }
    pub const fn only(kind: Kind) -> Self {
        Self(Self::bits(kind))
    }
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & Self::bits(kind) != 0
    }
    /// Of numbers only whole ones.
    pub fn only_integers(self) -> bool {
        self.0 & NUMBER == 0
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (bit, name) in NAMES {
            if self.0 & bit == 0 || bit == INTEGER && self.0 & NUMBER != 0 {
                continue;
            }
            write!(f, "{}{name}", if first { "" } else { " or " })?;
            first = false;
        }
        if first { f.write_str("nothing") } else { Ok(()) }
    }
}

#[derive(Debug)]
pub(crate) struct Schema {
    /// `false`: nothing is valid.
    pub never: bool,
    pub types: Types,
    /// A row of the table.
    pub reference: Option<u32>,
    pub string: Option<Box<StringRules>>,
    pub number: Option<Box<NumberRules>>,
    pub object: Option<Box<ObjectRules>>,
    pub array: Option<Box<ArrayRules>>,
    pub values: Option<Box<[Value]>>,
    pub more: Option<Box<Composition>>,
    pub read_only: bool,
    pub write_only: bool,
    /// Why a part of it cannot be judged.
    pub fault: Option<Box<str>>,
}

/// The rarer keywords.
#[derive(Debug, Default)]
pub(crate) struct Composition {
    pub all_of: Vec<Schema>,
    pub any_of: Vec<Schema>,
    pub one_of: Vec<Schema>,
    pub not: Option<Schema>,
    pub condition: Option<Schema>,
    pub then: Option<Schema>,
    pub otherwise: Option<Schema>,
    pub discriminator: Option<Discriminator>,
    pub unevaluated_properties: Option<Schema>,
    pub unevaluated_items: Option<Schema>,
    pub dependent_schemas: Vec<(Box<str>, Schema)>,
}

#[derive(Debug)]
pub(crate) struct Discriminator {
    pub property: Box<str>,
    /// Rows by value; sorted.
    pub mapping: Vec<(Box<str>, u32)>,
}

#[derive(Debug, Default)]
pub(crate) struct StringRules {
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub pattern: Option<Pattern>,
    pub format: Option<Format>,
}

#[derive(Debug, Default)]
pub(crate) struct NumberRules {
    pub minimum: Option<Number>,
    pub maximum: Option<Number>,
    pub above: Option<Number>,
    pub below: Option<Number>,
    pub multiple_of: Option<Number>,
    pub format: Option<Format>,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectRules {
    /// Sorted by name.
    pub properties: Vec<(Box<str>, Schema)>,
    pub patterns: Vec<(Pattern, Schema)>,
    pub additional: Option<Schema>,
    /// `required` without what is not there in that direction.
    pub required_in_request: Vec<Box<str>>,
    pub required_in_answer: Vec<Box<str>>,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub names: Option<Schema>,
    pub dependent_required: Vec<(Box<str>, Vec<Box<str>>)>,
}

/// Properties up to which each is looked at.
const FEW_PROPERTIES: usize = 16;

impl ObjectRules {
    pub fn property(&self, name: &str) -> Option<&Schema> {
        // Few are told apart by their length, mostly.
        if self.properties.len() <= FEW_PROPERTIES {
            return self.properties.iter().find(|(known, _)| **known == *name).map(|(_, schema)| schema);
        }
        let at = self.properties.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.properties.get(at).map(|(_, schema)| schema)
    }
    /// It says which members there are.
    pub fn declares(&self) -> bool {
        !self.properties.is_empty() || !self.patterns.is_empty()
    }
}

#[derive(Debug, Default)]
pub(crate) struct ArrayRules {
    pub prefix: Vec<Schema>,
    pub items: Option<Schema>,
    pub contains: Option<Schema>,
    pub min_contains: Option<u64>,
    pub max_contains: Option<u64>,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub unique: bool,
}

impl Schema {
    const fn open() -> Self {
        Self {
            never: false,
            types: Types::ANY,
            reference: None,
            string: None,
            number: None,
            object: None,
            array: None,
            values: None,
            more: None,
            read_only: false,
            write_only: false,
            fault: None,
        }
    }
}

/// Rows of schemas, compiled as they are asked for.
pub struct Table {
    rows: SchemaTable,
    compiled: Box<[OnceLock<Box<Schema>>]>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compiled = self.compiled.iter().filter(|row| row.get().is_some()).count();
        write!(f, "Table({} rows, {compiled} compiled)", self.compiled.len())
    }
}

static MISSING: OnceLock<Schema> = OnceLock::new();

impl Table {
    pub fn new(rows: SchemaTable) -> Self {
        let compiled = rows.0.iter().map(|_| OnceLock::new()).collect();
        Self { rows, compiled }
    }
    pub(crate) fn row(&self, row: u32) -> &Schema {
        let at = row as usize;
        match (self.compiled.get(at), self.rows.0.get(at)) {
            (Some(compiled), Some(text)) => compiled.get_or_init(|| Box::new(compile_text(text))),
            _ => MISSING.get_or_init(|| Schema {
                fault: Some("a schema that is not in the table".into()),
                ..Schema::open()
            }),
        }
    }
    pub fn len(&self) -> usize {
        self.compiled.len()
    }
    pub fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }
    /// What of the rows from `first` on cannot be judged, at most `limit` of it: row and why.
    pub fn faults(&self, limit: usize) -> Vec<(u32, String)> {
        let mut out = Vec::new();
        for (row, text) in self.rows.0.iter().enumerate() {
            // Not kept: a check of 40,000 operations must not hold them all compiled.
            let schema = compile_text(text);
            let mut found = Vec::new();
            faults_in(&schema, &mut found);
            out.extend(found.into_iter().map(|why| (u32::try_from(row).unwrap_or(u32::MAX), why)));
            if out.len() >= limit {
                break;
            }
        }
        out.truncate(limit);
        out
    }
}

fn faults_in(schema: &Schema, out: &mut Vec<String>) {
    out.extend(schema.fault.as_deref().map(str::to_owned));
    let more = schema.more.as_deref();
    let lists = more.into_iter().flat_map(|more| more.all_of.iter().chain(&more.any_of).chain(&more.one_of));
    let singles = more.into_iter().flat_map(|more| {
        let parts = [
            &more.not,
            &more.condition,
            &more.then,
            &more.otherwise,
            &more.unevaluated_properties,
            &more.unevaluated_items,
        ];
        parts.into_iter().flatten().chain(more.dependent_schemas.iter().map(|(_, schema)| schema))
    });
    let object = schema.object.as_deref().into_iter().flat_map(|object| {
        let named = object.properties.iter().map(|(_, schema)| schema);
        named
            .chain(object.patterns.iter().map(|(_, schema)| schema))
            .chain(&object.additional)
            .chain(&object.names)
    });
    let array = schema
        .array
        .as_deref()
        .into_iter()
        .flat_map(|array| array.prefix.iter().chain(&array.items).chain(&array.contains));
    for part in lists.chain(singles).chain(object).chain(array) {
        faults_in(part, out);
    }
}

fn compile_text(text: &str) -> Schema {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => compile(&value, 0),
        Err(_) => Schema { fault: Some("a schema that is no JSON".into()), ..Schema::open() },
    }
}

fn compile(value: &Value, depth: u32) -> Schema {
    let map = match value {
        Value::Bool(true) => return Schema::open(),
        Value::Bool(false) => return Schema { never: true, ..Schema::open() },
        Value::Object(map) => map,
        _ => return Schema { fault: Some("a schema that is no object".into()), ..Schema::open() },
    };
    if depth > MAX_DEPTH {
        return Schema { fault: Some("a schema nested too deeply".into()), ..Schema::open() };
    }
    let mut compiler = Compiler { map, depth, fault: None };
    compiler.schema()
}

struct Compiler<'v> {
    map: &'v Map<String, Value>,
    depth: u32,
    fault: Option<String>,
}

/// Keywords whose meaning needs more than the schema and the value.
const UNKNOWN: [&str; 6] =
    ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "dependencies", "additionalItems"];

impl<'v> Compiler<'v> {
    fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key)
    }
    fn tell(&mut self, why: impl Into<String>) {
        self.fault.get_or_insert_with(|| why.into());
    }
    fn sub(&self, key: &str) -> Option<Schema> {
        self.get(key).map(|value| compile(value, self.depth + 1))
    }
    fn list(&mut self, key: &str) -> Vec<Schema> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.tell(format!("`{key}` that is no list"));
            return Vec::new();
        };
        if items.len() > MAX_PARTS {
            self.tell(format!("`{key}` with more than {MAX_PARTS} parts"));
        }
        items.iter().take(MAX_PARTS).map(|item| compile(item, self.depth + 1)).collect()
    }
    fn map_of(&mut self, key: &str) -> Vec<(Box<str>, Schema)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Value::Object(map) = value else {
            self.tell(format!("`{key}` that is no mapping"));
            return Vec::new();
        };
        if map.len() > MAX_PARTS {
            self.tell(format!("`{key}` with more than {MAX_PARTS} parts"));
        }
        let named = map
            .iter()
            .take(MAX_PARTS)
            .map(|(name, value)| (name.as_str().into(), compile(value, self.depth + 1)));
        let mut list: Vec<(Box<str>, Schema)> = named.collect();
        list.sort_by(|one, other| one.0.cmp(&other.0));
        list
    }
    fn count(&mut self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        let count = value
            .as_u64()
            .or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0).map(|f| f as u64));
        if count.is_none() {
            self.tell(format!("`{key}` that is no count"));
        }
        count
    }
    fn number(&mut self, key: &str) -> Option<Number> {
        let value = self.get(key)?;
        let number = match value {
            Value::Number(number) => Number::parse(&number.to_string()),
            _ => None,
        };
        if number.is_none() {
            self.tell(format!("`{key}` that is no number"));
        }
        number
    }
    fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
    fn names(&mut self, key: &str, value: &Value) -> Vec<Box<str>> {
        let Value::Array(items) = value else {
            self.tell(format!("`{key}` that is no list"));
            return Vec::new();
        };
        items.iter().filter_map(Value::as_str).take(MAX_PARTS).map(Into::into).collect()
    }
    fn pattern(&mut self, ecma: &str) -> Option<Pattern> {
        match Pattern::compile(ecma) {
            Ok(pattern) => Some(pattern),
            Err(fault) => {
                self.tell(format!("{fault} (`{}`)", ecma.chars().take(80).collect::<String>()));
                None
            }
        }
    }

    fn schema(&mut self) -> Schema {
        if let Some(unknown) = UNKNOWN.into_iter().find(|key| self.map.contains_key(*key)) {
            self.tell(format!("`{unknown}`"));
        }
        let reference = self.reference();
        let schema = Schema {
            never: false,
            types: self.types(),
            reference,
            string: self.string(),
            number: self.numbers(),
            object: self.object(),
            array: self.array(),
            values: self.values(),
            more: self.composition(),
            read_only: self.flag("readOnly"),
            write_only: self.flag("writeOnly"),
            fault: None,
        };
        Schema { fault: self.fault.take().map(Into::into), ..schema }
    }
    fn row_of(text: &str) -> Option<u32> {
        text.strip_prefix("#/$defs/")?.parse().ok()
    }
    fn reference(&mut self) -> Option<u32> {
        let text = self.get("$ref")?.as_str().unwrap_or_default();
        let row = Self::row_of(text);
        if row.is_none() {
            self.tell(format!("reference `{}`", text.chars().take(80).collect::<String>()));
        }
        row
    }
    fn types(&mut self) -> Types {
        let names: Vec<&str> = match self.get("type") {
            None => return Types::ANY,
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(_) => Vec::new(),
        };
        let mut types = Types::none();
        for name in &names {
            match Types::named(name) {
                Some(named) => types = types.or(named),
                None => self.tell(format!("type `{}`", name.chars().take(40).collect::<String>())),
            }
        }
        if types == Types::none() {
            self.tell("`type` that names none");
            return Types::ANY;
        }
        types
    }
    fn values(&mut self) -> Option<Box<[Value]>> {
        let given = match (self.get("enum"), self.get("const")) {
            (Some(Value::Array(list)), None) => list.clone(),
            (None, Some(value)) => vec![value.clone()],
            (Some(Value::Array(list)), Some(value)) => {
                list.iter().filter(|one| *one == value).cloned().collect()
            }
            (Some(_), _) => {
                self.tell("`enum` that is no list");
                return None;
            }
            (None, None) => return None,
        };
        if given.len() > MAX_PARTS {
            self.tell(format!("`enum` with more than {MAX_PARTS} values"));
            return None;
        }
        Some(given.into())
    }
    fn string(&mut self) -> Option<Box<StringRules>> {
        let format =
            self.get("format").and_then(Value::as_str).and_then(Format::of).filter(|f| !f.is_numeric());
        let pattern = self.get("pattern").and_then(Value::as_str).and_then(|pattern| self.pattern(pattern));
        let rules =
            StringRules { min: self.count("minLength"), max: self.count("maxLength"), pattern, format };
        let empty =
            rules.min.is_none() && rules.max.is_none() && rules.pattern.is_none() && rules.format.is_none();
        (!empty).then(|| Box::new(rules))
    }
    fn numbers(&mut self) -> Option<Box<NumberRules>> {
        let keys = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
        let format =
            self.get("format").and_then(Value::as_str).and_then(Format::of).filter(|f| f.is_numeric());
        if format.is_none() && !keys.iter().any(|key| self.map.contains_key(*key)) {
            return None;
        }
        Some(Box::new(NumberRules {
            minimum: self.number("minimum"),
            maximum: self.number("maximum"),
            above: self.number("exclusiveMinimum"),
            below: self.number("exclusiveMaximum"),
            multiple_of: self.number("multipleOf"),
            format,
        }))
    }
    fn object(&mut self) -> Option<Box<ObjectRules>> {
        const KEYS: [&str; 8] = [
            "properties",
            "patternProperties",
            "additionalProperties",
            "required",
            "minProperties",
            "maxProperties",
            "propertyNames",
            "dependentRequired",
        ];
        if !KEYS.iter().any(|key| self.map.contains_key(*key)) {
            return None;
        }
        let properties = self.map_of("properties");
        let required = match self.get("required") {
            Some(value) => self.names("required", value),
            None => Vec::new(),
        };
        let without = |hidden: fn(&Schema) -> bool| {
            let is_hidden =
                |name: &str| properties.iter().any(|(known, schema)| **known == *name && hidden(schema));
            required.iter().filter(|name| !is_hidden(name)).cloned().collect()
        };
        let mut patterns = Vec::new();
        for (pattern, schema) in self.map_of("patternProperties") {
            patterns.extend(self.pattern(&pattern).map(|pattern| (pattern, schema)));
        }
        let mut dependent_required = Vec::new();
        if let Some(Value::Object(map)) = self.get("dependentRequired") {
            for (name, value) in map {
                dependent_required.push((name.as_str().into(), self.names("dependentRequired", value)));
            }
        }
        Some(Box::new(ObjectRules {
            required_in_request: without(|schema| schema.read_only),
            required_in_answer: without(|schema| schema.write_only),

            properties,
            patterns,
            additional: self.sub("additionalProperties"),
            min: self.count("minProperties"),
            max: self.count("maxProperties"),
            names: self.sub("propertyNames"),
            dependent_required,
        }))
    }
    fn array(&mut self) -> Option<Box<ArrayRules>> {
        const KEYS: [&str; 8] = [
            "items",
            "prefixItems",
            "contains",
            "minContains",
            "maxContains",
            "minItems",
            "maxItems",
            "uniqueItems",
        ];
        if !KEYS.iter().any(|key| self.map.contains_key(*key)) {
            return None;
        }
        Some(Box::new(ArrayRules {
            prefix: self.list("prefixItems"),
            items: self.sub("items"),
            contains: self.sub("contains"),
            min_contains: self.count("minContains"),
            max_contains: self.count("maxContains"),
            min: self.count("minItems"),
            max: self.count("maxItems"),
            unique: self.flag("uniqueItems"),
        }))
    }
    fn composition(&mut self) -> Option<Box<Composition>> {
        const KEYS: [&str; 11] = [
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "discriminator",
            "unevaluatedProperties",
            "unevaluatedItems",
            "dependentSchemas",
        ];
        if !KEYS.iter().any(|key| self.map.contains_key(*key)) {
            return None;
        }
        Some(Box::new(Composition {
            all_of: self.list("allOf"),
            any_of: self.list("anyOf"),
            one_of: self.list("oneOf"),
            not: self.sub("not"),
            condition: self.sub("if"),
            then: self.sub("then"),
            otherwise: self.sub("else"),
            discriminator: self.discriminator(),
            unevaluated_properties: self.sub("unevaluatedProperties"),
            unevaluated_items: self.sub("unevaluatedItems"),
            dependent_schemas: self.map_of("dependentSchemas"),
        }))
    }
    fn discriminator(&mut self) -> Option<Discriminator> {
        let given = self.get("discriminator")?;
        let property = given.get("propertyName").and_then(Value::as_str)?;
        let mut mapping = BTreeMap::new();
        for (value, target) in given.get("mapping").and_then(Value::as_object).into_iter().flatten() {
            match target.as_str().and_then(Self::row_of) {
                Some(row) => {
                    mapping.insert(Box::from(value.as_str()), row);
                }
                None => self.tell("a discriminator's mapping that leads nowhere"),
            }
        }
        Some(Discriminator { property: property.into(), mapping: mapping.into_iter().collect() })
    }
}

/// One schema of its own as a table of one row, with its `$defs` beside it: for trying.
pub fn table_of(rows: &[&str]) -> Table {
    Table::new(SchemaTable(rows.iter().map(|row| Arc::from(*row)).collect()))
}
