//! GraphQL: how much a request asks for, and whether the schema knows it.
//!
//! Depth, cost, aliases, fields, directives and batches are bounded with and without a schema. Fragments are counted
//! each time they are used, and circles among them are refused. With a schema, fields, arguments, input fields and
//! variables that it does not know are refused too. What it is not: an executor, or the whole of GraphQL's validation.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use probity_model::bundle::contract::{
    BodyLimits, GraphqlField, GraphqlKind, GraphqlLimits, GraphqlPolicy, GraphqlSchema, GraphqlType,
};

use super::json::{self, JsonFault, Kind, Node};
use super::number::Number;
use super::uri;

pub mod parse;

use parse::{Document, Field, OperationKind, ParseFault, Selection, Value, Variable};

/// Findings kept of one request.
const MAX_FAULTS: usize = 16;
/// Selections looked at for one request, fragments counted each time.
const MAX_STEPS: u32 = 50_000;
/// What a list is taken to hold when no argument says.
const LIST_SIZE: u64 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphqlFault {
    /// Last words of the rule.
    pub rule: &'static str,
    /// `Type.field` or a name; only names that the schema or the limits speak of.
    pub field: String,
    pub expected: String,
    pub found: &'static str,
    /// It is a bound, not the schema.
    pub is_limit: bool,
}

fn limit(rule: &'static str, expected: String) -> GraphqlFault {
    GraphqlFault { rule, field: String::new(), expected, found: "more", is_limit: true }
}

/// Judges the requests of one service's GraphQL endpoints.
#[derive(Debug)]
pub struct Guard {
    paths: Vec<String>,
    limits: GraphqlLimits,
    costs: HashMap<String, u64>,
    multipliers: Vec<String>,
    schema: Option<Arc<GraphqlSchema>>,
}

impl Guard {
    pub fn new(policy: &GraphqlPolicy) -> Self {
        Self {
            paths: policy.paths.clone(),
            limits: policy.limits,
            costs: policy.costs.iter().map(|cost| (cost.field.clone(), u64::from(cost.cost))).collect(),
            multipliers: policy.multipliers.clone(),
            schema: policy.schema.clone(),
        }
    }
    pub fn takes(&self, path: &str) -> bool {
        // However its letters are written: an upstream decodes them too.
        let path = uri::decode(path, false).unwrap_or(Cow::Borrowed(path));
        self.paths.iter().any(|known| *known == path)
    }

    /// Judges a URL's query; `None` where it carries no GraphQL.
    pub fn judge_query(&self, query: &str, limits: &BodyLimits) -> Option<Vec<GraphqlFault>> {
        let value =
            |name: &str| uri::pairs(query, '&').find(|(known, _)| *known == name).map(|(_, value)| value);
        let given = value("query")?;
        let Some(text) = uri::decode(given, true) else {
            return Some(vec![syntax("UTF-8, percent-encoded")]);
        };
        let variables = value("variables").map(|text| uri::decode(text, true).unwrap_or_default());
        let nodes = match variables.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => match json::parse(text.as_bytes(), limits) {
                Ok(nodes) => Some(nodes),
                Err(fault) => return Some(vec![syntax(fault.expected())]),
            },
            None => None,
        };
        let variables = Variables { nodes: nodes.as_deref().unwrap_or_default(), at: 0 };
        Some(self.judge(&text, variables, true))
    }

    /// Judges a JSON body: one request or a batch.
    pub fn judge_body(&self, body: &[u8], limits: &BodyLimits) -> Result<Vec<GraphqlFault>, JsonFault> {
        let nodes = json::parse(body, limits)?;
        let Some(root) = nodes.first() else { return Ok(Vec::new()) };
        let mut faults = Vec::new();
        if root.kind == Kind::Array {
            if root.count > self.limits.batch {
                faults.push(limit("batch", format!("at most {} requests at once", self.limits.batch)));
                return Ok(faults);
            }
            for request in json::elements(&nodes, 0) {
                faults.extend(self.judge_request(&nodes, request));
            }
        } else {
            faults.extend(self.judge_request(&nodes, 0));
        }
        faults.truncate(MAX_FAULTS);
        Ok(faults)
    }

    fn judge_request(&self, nodes: &[Node<'_>], at: usize) -> Vec<GraphqlFault> {
        let text = json::member(nodes, at, "query").and_then(|query| nodes.get(query));
        let Some(text) = text.filter(|node| node.kind == Kind::String) else {
            return vec![syntax("a `query`")];
        };
        let variables = json::member(nodes, at, "variables").unwrap_or(usize::MAX);
        self.judge(&text.string(), Variables { nodes, at: variables }, false)
    }

    /// Judges one document with its variables.
    fn judge(&self, text: &str, variables: Variables<'_, '_>, read_only: bool) -> Vec<GraphqlFault> {
        if text.len() > self.limits.query_bytes as usize {
            return vec![limit("size", format!("at most {} bytes", self.limits.query_bytes))];
        }
        let document = match parse::parse(text) {
            Ok(document) => document,
            Err(ParseFault::Syntax(expected)) => return vec![syntax(expected)],
            Err(ParseFault::Nesting) => return vec![limit("depth", self.depth_text())],
        };
        let mut measure = Measure {
            guard: self,
            schema: self.schema.as_deref(),
            document: &document,
            variables,
            steps: MAX_STEPS,
            aliases: 0,
            fields: 0,
            directives: 0,
            stack: Vec::new(),
            faults: Vec::new(),
        };
        for operation in &document.operations {
            if read_only && operation.kind != OperationKind::Query {
                measure.tell("method", "", "a query, not a change, in a URL", "mutation");
            }
            measure.operation(operation);
        }
        measure.faults
    }
    fn depth_text(&self) -> String {
        format!("at most {} levels", self.limits.depth)
    }
}

fn syntax(expected: &str) -> GraphqlFault {
    let expected = expected.to_owned();
    GraphqlFault { rule: "syntax", field: String::new(), expected, found: "malformed", is_limit: false }
}

/// The variables of a request: a JSON object, or nothing.
#[derive(Clone, Copy)]
struct Variables<'n, 'a> {
    nodes: &'n [Node<'a>],
    at: usize,
}

impl Variables<'_, '_> {
    fn get(&self, name: &str) -> Option<usize> {
        json::member(self.nodes, self.at, name)
    }
    fn int(&self, name: &str) -> Option<u64> {
        let node = self.nodes.get(self.get(name)?)?;
        (node.kind == Kind::Number).then(|| node.text.parse().unwrap_or(u64::MAX))
    }
}

struct Measure<'g, 'd, 'q, 'n, 'a> {
    guard: &'g Guard,
    schema: Option<&'g GraphqlSchema>,
    document: &'d Document<'q>,
    variables: Variables<'n, 'a>,
    steps: u32,
    aliases: u32,
    fields: u32,
    directives: u32,
    /// Fragments that are being used.
    stack: Vec<&'q str>,
    faults: Vec<GraphqlFault>,
}

impl<'g, 'd, 'q> Measure<'g, 'd, 'q, '_, '_> {
    fn push(&mut self, fault: GraphqlFault) {
        if self.faults.len() < MAX_FAULTS
            && !self.faults.iter().any(|known| known.rule == fault.rule && known.field == fault.field)
        {
            self.faults.push(fault);
        }
    }
    fn tell(&mut self, rule: &'static str, field: &str, expected: &str, found: &'static str) {
        let (field, expected) = (super::validate::shown(field), expected.to_owned());
        self.push(GraphqlFault { rule, field, expected, found, is_limit: false });
    }
    fn type_named(&self, name: &str) -> Option<&'g GraphqlType> {
        let types = &self.schema?.types;
        types.binary_search_by(|known| known.name.as_str().cmp(name)).ok().and_then(|at| types.get(at))
    }
    /// Whether the measuring goes on: not past a bound.
    fn counted(&mut self) -> bool {
        let limits = self.guard.limits;
        let counts: [(&'static str, bool, u64); 4] = [
            ("fields", self.fields > limits.fields, u64::from(limits.fields)),
            ("aliases", self.aliases > limits.aliases, u64::from(limits.aliases)),
            ("directives", self.directives > limits.directives, u64::from(limits.directives)),
            ("complexity", self.steps == 0, u64::from(MAX_STEPS)),
        ];
        for (rule, over, most) in counts {
            if over {
                self.push(limit(rule, format!("at most {most}")));
            }
        }
        counts.iter().all(|(_, over, _)| !over)
    }

    fn operation(&mut self, operation: &'d parse::Operation<'q>) {
        (self.aliases, self.fields) = (0, 0);
        self.directives = operation.directives;
        let root = self.schema.map(|schema| match operation.kind {
            OperationKind::Query => &schema.query,
            OperationKind::Mutation => &schema.mutation,
            OperationKind::Subscription => &schema.subscription,
        });
        let root = match root {
            Some(Some(name)) => self.type_named(name),
            Some(None) => {
                return self.tell("operation", "", "a kind of operation that the schema has", "operation");
            }
            None => None,
        };
        if self.schema.is_some() {
            for variable in &operation.variables {
                self.variable(variable);
            }
        }
        let cost = self.selections(&operation.selections, root, 1);
        if cost > self.guard.limits.cost {
            self.push(limit("cost", format!("at most a cost of {}", self.guard.limits.cost)));
        }
    }

    /// The cost of a selection.
    fn selections(&mut self, list: &'d [Selection<'q>], on: Option<&'g GraphqlType>, depth: u32) -> u64 {
        if depth > self.guard.limits.depth {
            self.push(limit("depth", self.guard.depth_text()));
            return 0;
        }
        let mut cost = 0u64;
        for selection in list {
            self.steps = self.steps.saturating_sub(1);
            match selection {
                Selection::Field(field) => {
                    self.fields += 1;
                    self.aliases += u32::from(field.aliased);
                    self.directives = self.directives.saturating_add(field.directives);
                    if !self.counted() {
                        return cost;
                    }
                    cost = cost.saturating_add(self.field(field, on, depth));
                }
                Selection::Spread { name, directives } => {
                    self.directives = self.directives.saturating_add(*directives);
                    if !self.counted() {
                        return cost;
                    }
                    let document = self.document;
                    let Some(fragment) = document.fragments.iter().find(|known| known.name == *name) else {
                        self.tell("fragment", "", "a fragment that is defined", "missing");
                        continue;
                    };
                    if self.stack.contains(name) {
                        self.tell("fragment-circle", "", "fragments without circles", "circle");
                        continue;
                    }
                    self.directives = self.directives.saturating_add(fragment.directives);
                    let on = self.condition(fragment.on, on);
                    self.stack.push(name);
                    // A fragment is no level, and circles are refused, so that this ends.
                    cost = cost.saturating_add(self.selections(&fragment.selections, on, depth));
                    self.stack.pop();
                }
                Selection::Inline { on: condition, directives, selections } => {
                    self.directives = self.directives.saturating_add(*directives);
                    if !self.counted() {
                        return cost;
                    }
                    let on = match condition {
                        Some(name) => self.condition(name, on),
                        None => on,
                    };
                    cost = cost.saturating_add(self.selections(selections, on, depth));
                }
            }
        }
        cost
    }
    fn condition(&mut self, name: &str, outer: Option<&'g GraphqlType>) -> Option<&'g GraphqlType> {
        outer?;
        let found = self.type_named(name);
        if !found.is_some_and(|found| {
            matches!(found.kind, GraphqlKind::Object | GraphqlKind::Interface | GraphqlKind::Union)
        }) {
            self.tell("type", "", "a type that the schema has", "another type");
        }
        found
    }

    fn field(&mut self, field: &'d Field<'q>, on: Option<&'g GraphqlType>, depth: u32) -> u64 {
        if matches!(field.name, "__schema" | "__type") && !self.guard.limits.introspection {
            self.push(GraphqlFault {
                rule: "introspection",
                field: field.name.to_owned(),
                expected: "no introspection".to_owned(),
                found: "introspection",
                is_limit: false,
            });
            return 0;
        }
        let (mut inner, mut list) = (None, false);
        if let Some(on) = on.filter(|_| !field.name.starts_with("__")) {
            let known = field_of(on, field.name);
            let Some(known) = known else {
                self.tell("unknown-field", field.name, "a field that the schema has", "unknown");
                return 1;
            };
            self.arguments(field, known);
            list = known.kind.contains('[');
            inner = self.type_named(base(&known.kind));
            let leaf =
                inner.is_none_or(|inner| matches!(inner.kind, GraphqlKind::Scalar | GraphqlKind::Enum));
            if leaf != field.selections.is_empty() {
                let expected = if leaf { "no fields of a leaf" } else { "fields of an object" };
                self.tell("selection", field.name, expected, "selection");
            }
        }
        let own = on
            .and_then(|on| self.guard.costs.get(&format!("{}.{}", on.name, field.name)))
            .or_else(|| self.guard.costs.get(field.name))
            .copied()
            .unwrap_or(1);
        let asked = field
            .arguments
            .iter()
            .filter(|(name, _)| self.guard.multipliers.iter().any(|known| known == name));
        let asked = asked.filter_map(|(_, value)| match value {
            Value::Int(count) => Some(count.unsigned_abs()),
            Value::Variable(name) => self.variables.int(name),
            _ => None,
        });
        let times = asked.max().unwrap_or(if list { LIST_SIZE } else { 1 }).max(1);
        if field.selections.is_empty() {
            return own;
        }
        own.saturating_add(self.selections(&field.selections, inner, depth + 1).saturating_mul(times))
    }

    fn arguments(&mut self, field: &'d Field<'q>, known: &'g GraphqlField) {
        for (number, (name, value)) in field.arguments.iter().enumerate() {
            if field.arguments.iter().take(number).any(|(other, _)| other == name) {
                self.tell("argument", name, "each argument once", "repeated");
            }
            match known.arguments.iter().find(|argument| argument.name == *name) {
                Some(argument) => self.literal(value, &argument.kind, name),
                None => self.tell("argument", name, "an argument that the schema has", "unknown"),
            }
        }
        for argument in
            known.arguments.iter().filter(|argument| argument.kind.ends_with('!') && !argument.defaulted)
        {
            if !field.arguments.iter().any(|(name, _)| *name == argument.name) {
                self.tell("argument", &argument.name, "a required argument", "missing");
            }
        }
    }

    /// A value that stands in the query.
    fn literal(&mut self, value: &Value<'_>, kind: &str, name: &str) {
        const FOUND: &str = "another type";
        let inner = kind.strip_suffix('!');
        let kind = inner.unwrap_or(kind);
        match value {
            // Its own type is judged with the variables.
            Value::Variable(_) => return,
            Value::Null => {
                if inner.is_some() {
                    self.tell("type", name, "a value", "null");
                }
                return;
            }
            _ => {}
        }
        if let Some(item) = kind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            match value {
                Value::List(items) => items.iter().for_each(|value| self.literal(value, item, name)),
                value => self.literal(value, item, name),
            }
            return;
        }
        let fits = match (kind, value) {
            ("Int", Value::Int(number)) => i32::try_from(*number).is_ok(),
            ("Float", Value::Int(_) | Value::Float)
            | ("String", Value::String)
            | ("Boolean", Value::Boolean)
            | ("ID", Value::String | Value::Int(_)) => true,
            ("Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
            _ => match (self.type_named(kind), value) {
                (Some(known), Value::Object(fields)) if known.kind == GraphqlKind::Input => {
                    for (field, value) in fields {
                        match field_of(known, field) {
                            Some(known) => self.literal(value, &known.kind, field),
                            None => {
                                self.tell("unknown-field", field, "a field that the schema has", "unknown")
                            }
                        }
                    }
                    true
                }
                (Some(known), Value::Enum(value)) if known.kind == GraphqlKind::Enum => {
                    known.values.iter().any(|known| known == value)
                }
                (Some(known), _) => known.kind == GraphqlKind::Scalar,
                (None, _) => true,
            },
        };
        if !fits {
            self.tell("type", name, base(kind), FOUND);
        }
    }

    fn variable(&mut self, variable: &Variable<'_>) {
        match self.variables.get(variable.name) {
            Some(at) => self.json(at, &variable.kind, variable.name, 0),
            None if variable.kind.ends_with('!') && !variable.defaulted => {
                self.tell("variable", variable.name, "a required variable", "missing");
            }
            None => {}
        }
    }
    /// A value that stands in the variables.
    fn json(&mut self, at: usize, kind: &str, name: &str, depth: u32) {
        let Some(node) = self.variables.nodes.get(at).copied() else { return };
        let inner = kind.strip_suffix('!');
        let kind = inner.unwrap_or(kind);
        if node.kind == Kind::Null {
            if inner.is_some() {
                self.tell("type", name, "a value", "null");
            }
            return;
        }
        if depth > parse::MAX_NESTING {
            return self.push(limit("depth", self.guard.depth_text()));
        }
        if let Some(item) = kind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if node.kind == Kind::Array {
                let nodes = self.variables.nodes;
                for element in json::elements(nodes, at) {
                    self.json(element, item, name, depth + 1);
                }
            } else {
                self.json(at, item, name, depth + 1);
            }
            return;
        }
        let integer = || Number::parse(node.text).is_some_and(Number::is_integer);
        let fits = match kind {
            "Int" => {
                node.kind == Kind::Number
                    && super::format::Format::Int32
                        .holds_number(Number::parse(node.text).unwrap_or(Number::Rough(f64::NAN)))
            }
            "Float" => node.kind == Kind::Number,
            "String" => node.kind == Kind::String,
            "Boolean" => node.kind == Kind::Boolean,
            "ID" => node.kind == Kind::String || node.kind == Kind::Number && integer(),
            _ => match self.type_named(kind) {
                Some(known) if known.kind == GraphqlKind::Input => {
                    if node.kind == Kind::Object {
                        self.input(at, known, depth);
                    }
                    node.kind == Kind::Object
                }
                Some(known) if known.kind == GraphqlKind::Enum => {
                    node.kind == Kind::String && known.values.iter().any(|value| node.is_text(value))
                }
                Some(known) => known.kind == GraphqlKind::Scalar,
                None => true,
            },
        };
        if !fits {
            self.tell("type", name, base(kind), node.kind.as_str());
        }
    }
    fn input(&mut self, at: usize, known: &'g GraphqlType, depth: u32) {
        let nodes = self.variables.nodes;
        for member in json::members(nodes, at) {
            let name = member.key.string();
            match field_of(known, &name) {
                Some(field) => self.json(member.value, &field.kind, &name, depth + 1),
                None => self.tell("unknown-field", &name, "a field that the schema has", "unknown"),
            }
        }
        for field in known.fields.iter().filter(|field| field.kind.ends_with('!')) {
            // Defaults of input fields are arguments of none: the reader marks them by a type that may be null.
            if json::member(nodes, at, &field.name).is_none() {
                self.tell("required", &field.name, "a required field", "missing");
            }
        }
    }
}

fn field_of<'g>(on: &'g GraphqlType, name: &str) -> Option<&'g GraphqlField> {
    on.fields.binary_search_by(|known| known.name.as_str().cmp(name)).ok().and_then(|at| on.fields.get(at))
}

/// `[Patient!]!` is about `Patient`.
fn base(kind: &str) -> &str {
    kind.trim_matches(['[', ']', '!'])
}
