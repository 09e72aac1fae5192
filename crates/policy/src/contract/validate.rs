//! Judges a tree by a compiled schema, in two passes: what the schema demands, then what nobody declared.
//!
//! The first is JSON Schema 2020-12, format asserted. The second gathers for each object every schema that applies to
//! it, through references, compositions and discriminators, and finds the members that none of them mentions; there
//! also `readOnly` in requests and `writeOnly` in answers are judged. It runs only where the first met something that it
//! could object to. What is told never holds a value.

use std::borrow::Cow;

use probity_model::bundle::contract::Unknown;
use serde_json::Value;

use super::json::{Kind, Node, elements, members};
use super::number::Number;
use super::schema::{
    ArrayRules, Composition, Discriminator, NumberRules, ObjectRules, Schema, StringRules, Table,
};

/// Findings kept of one body.
pub const MAX_VIOLATIONS: usize = 16;
/// Schemas looked at for one body, whatever the schema and the body do together.
pub const MAX_STEPS: u32 = 2_000_000;
/// References and compositions at one place.
const MAX_IN_PLACE: u32 = 64;
/// Schemas that apply to one place.
const MAX_APPLICABLE: usize = 256;
const MAX_NAME: usize = 40;
/// The same of one with digits in it: tokens have some.
const MAX_MIXED: usize = 16;

/// Which way the body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Request,
    Answer,
}

/// What breaks the contract at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `type`, `required`, `unknown-field`: the last words of a rule id.
    pub rule: &'static str,
    /// JSON pointer; names that nobody declared are shown only where they look like names.
    pub pointer: String,
    pub expected: String,
    pub found: &'static str,
    /// It is told and never refused.
    pub flag: bool,
}

/// What came of one body.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub faults: Vec<Fault>,
    /// Nodes of keys that are to be taken out.
    pub strip: Vec<usize>,
}

impl Outcome {
    /// Nothing stands against it but what is only told.
    pub fn is_valid(&self) -> bool {
        self.faults.iter().all(|fault| fault.flag)
    }
}

/// Judges `nodes` by `schema`, in the scope of the table that it stands in.
pub(crate) fn judge<'t>(
    table: &'t Table,
    schema: &'t Schema,
    nodes: &[Node<'_>],
    direction: Direction,
    unknown: Unknown,
) -> Outcome {
    let mut judge = Judge::new(table, nodes, direction, unknown);
    let valid = judge.check(schema, 0, 0, None);
    if valid
        && judge.unsettled
        && matches!(nodes.first(), Some(Node { kind: Kind::Object | Kind::Array, .. }))
    {
        judge.surplus(&[schema], 0);
    }
    judge.finish()
}

/// Whether `nodes` are valid, unknown members aside.
pub(crate) fn is_valid(table: &Table, schema: &Schema, nodes: &[Node<'_>]) -> bool {
    let mut judge = Judge::new(table, nodes, Direction::Request, Unknown::Allow);
    judge.quiet = 1;
    judge.check(schema, 0, 0, None)
}

#[derive(Clone, Copy)]
enum Step {
    /// The key's node.
    Key(usize),
    Element(usize),
}

/// Members or elements that some schema looked at, by their number.
struct Evaluated(Vec<bool>);

impl Evaluated {
    fn mark(&mut self, number: usize) {
        if let Some(seen) = self.0.get_mut(number) {
            *seen = true;
        }
    }
    fn merge(&mut self, other: &Self) {
        for (seen, too) in self.0.iter_mut().zip(&other.0) {
            *seen |= too;
        }
    }
    fn same_size(&self) -> Self {
        Self(vec![false; self.0.len()])
    }
}

struct Judge<'t, 'n, 'a> {
    table: &'t Table,
    nodes: &'n [Node<'a>],
    direction: Direction,
    unknown: Unknown,
    /// Above 0 nothing is told and the first fault ends it.
    quiet: u32,
    steps: u32,
    path: Vec<Step>,
    out: Outcome,
    undecidable: bool,
    exhausted: bool,
    /// The first pass met a composition, a member that a schema does not name, or one of the other direction.
    unsettled: bool,
    /// Places where a discriminator is being followed.
    following: Vec<(usize, *const Schema)>,
}

impl<'t, 'n, 'a> Judge<'t, 'n, 'a> {
    fn new(table: &'t Table, nodes: &'n [Node<'a>], direction: Direction, unknown: Unknown) -> Self {
        Self {
            table,
            nodes,
            direction,
            unknown,
            quiet: 0,
            steps: MAX_STEPS,
            path: Vec::new(),
            out: Outcome::default(),
            undecidable: false,
            exhausted: false,
            unsettled: false,
            following: Vec::new(),
        }
    }

    fn finish(mut self) -> Outcome {
        for (hit, rule, expected, flag) in [
            (self.exhausted, "complexity", "a body that can be judged in bounded time", false),
            (self.undecidable, "undecidable", "a schema that can be judged", true),
        ] {
            if hit && self.out.faults.len() < MAX_VIOLATIONS {
                let (pointer, expected) = (String::new(), expected.to_owned());
                self.out.faults.push(Fault { rule, pointer, expected, found: "undecidable", flag });
            }
        }
        self.out
    }

    fn node(&self, at: usize) -> Node<'a> {
        self.nodes.get(at).copied().unwrap_or(Node::scalar(Kind::Null, "null"))
    }

    fn found(&self, at: usize) -> &'static str {
        let node = self.node(at);
        match node.kind {
            Kind::Number if Number::parse(node.text).is_some_and(Number::is_integer) => "integer",
            kind => kind.as_str(),
        }
    }

    /// Tells a fault where anything is told, and says so.
    fn fail(&mut self, rule: &'static str, at: usize, expected: impl FnOnce() -> String) -> bool {
        self.tell(rule, None, self.found(at), false, expected);
        false
    }
    fn tell(
        &mut self,
        rule: &'static str,
        last: Option<&str>,
        found: &'static str,
        flag: bool,
        expected: impl FnOnce() -> String,
    ) {
        if self.quiet > 0 || self.out.faults.len() >= MAX_VIOLATIONS {
            return;
        }
        let mut pointer = self.pointer();
        if let Some(last) = last {
            push_name(&mut pointer, last);
        }
        if !self.out.faults.iter().any(|known| known.rule == rule && known.pointer == pointer) {
            self.out.faults.push(Fault { rule, pointer, expected: expected(), found, flag });
        }
    }
    fn pointer(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Key(at) => push_name(&mut out, &self.node(*at).string()),
                Step::Element(number) => out.push_str(&format!("/{number}")),
            }
        }
        out
    }
    fn spend(&mut self) -> bool {
        if self.steps == 0 {
            self.exhausted = true;
            return false;
        }
        self.steps -= 1;
        true
    }
    fn quietly(&mut self, schema: &'t Schema, at: usize, depth: u32, seen: Option<&mut Evaluated>) -> bool {
        self.quiet += 1;
        let valid = self.check(schema, at, depth, seen);
        self.quiet -= 1;
        valid
    }

    fn check(&mut self, schema: &'t Schema, at: usize, depth: u32, mut seen: Option<&mut Evaluated>) -> bool {
        if !self.spend() {
            return false;
        }
        if depth > MAX_IN_PLACE {
            (self.undecidable, self.unsettled) = (true, true);
            return true;
        }
        if schema.fault.is_some() {
            self.undecidable = true;
        }
        let node = self.node(at);
        if schema.never {
            return self.fail("forbidden", at, || "nothing".to_owned());
        }
        if !schema.types.has(node.kind) {
            return self.fail("type", at, || schema.types.to_string());
        }
        let mut valid = true;
        macro_rules! hold {
            ($holds:expr) => {
                if !$holds {
                    if self.quiet > 0 {
                        return false;
                    }
                    valid = false;
                }
            };
        }
        // What `unevaluated*` of this schema asks about is gathered apart.
        let more = schema.more.as_deref();
        self.unsettled |= more.is_some() && matches!(node.kind, Kind::Object | Kind::Array);
        let asks = more.is_some_and(|more| {
            node.kind == Kind::Object && more.unevaluated_properties.is_some()
                || node.kind == Kind::Array && more.unevaluated_items.is_some()
        });
        let mut own = asks.then(|| Evaluated(vec![false; node.count as usize]));
        {
            let mut seen = match &mut own {
                Some(own) => Some(&mut *own),
                None => seen.as_deref_mut(),
            };
            match node.kind {
                Kind::Number if schema.types.only_integers() || schema.number.is_some() => {
                    hold!(self.number(schema, at, node.text));
                }
                Kind::String => {
                    if let Some(rules) = &schema.string {
                        hold!(self.string(rules, at, node));
                    }
                }
                Kind::Object => {
                    if let Some(rules) = &schema.object {
                        hold!(self.object(rules, at, seen.as_deref_mut()));
                    }
                }
                Kind::Array => {
                    if let Some(rules) = &schema.array {
                        hold!(self.array(rules, at, seen.as_deref_mut()));
                    }
                }
                _ => {}
            }
            if let Some(values) = &schema.values {
                hold!(
                    values.iter().any(|value| self.equals(at, value)) || {
                        self.fail("enum", at, || "one of the declared values".to_owned())
                    }
                );
            }
            if let Some(row) = schema.reference {
                let table = self.table;
                hold!(self.check(table.row(row), at, depth + 1, seen.as_deref_mut()));
            }
            if let Some(more) = more {
                hold!(self.composition(schema, more, at, depth, seen));
            }
        }
        if let (Some(own), Some(more)) = (&mut own, more) {
            hold!(self.unevaluated(more, at, own));
        }
        if let (Some(own), Some(outer)) = (&own, seen) {
            outer.merge(own);
        }
        valid
    }

    fn number(&mut self, schema: &Schema, at: usize, text: &str) -> bool {
        let Some(number) = Number::parse(text) else { return false };
        if schema.types.only_integers() && !number.is_integer() {
            return self.fail("type", at, || schema.types.to_string());
        }
        let Some(rules) = schema.number.as_deref() else { return true };
        let NumberRules { minimum, maximum, above, below, multiple_of, format } = rules;
        let bounds = minimum.is_none_or(|bound| number.compare(bound).is_ge())
            && maximum.is_none_or(|bound| number.compare(bound).is_le())
            && above.is_none_or(|bound| number.compare(bound).is_gt())
            && below.is_none_or(|bound| number.compare(bound).is_lt())
            && multiple_of.is_none_or(|step| number.is_multiple_of(step));
        if !bounds {
            return self.fail("bounds", at, || "a number within the declared bounds".to_owned());
        }
        match format {
            Some(format) if !format.holds_number(number) => {
                self.fail("format", at, || format.as_str().to_owned())
            }
            _ => true,
        }
    }

    fn string(&mut self, rules: &StringRules, at: usize, node: Node<'a>) -> bool {
        let text: Cow<'_, str> = node.string();
        if rules.min.is_some() || rules.max.is_some() {
            let length = if text.is_ascii() { text.len() } else { text.chars().count() } as u64;
            if rules.min.is_some_and(|min| length < min) || rules.max.is_some_and(|max| length > max) {
                return self.fail("bounds", at, || match (rules.min, rules.max) {
                    (Some(min), Some(max)) => format!("{min} to {max} characters"),
                    (Some(min), None) => format!("at least {min} characters"),
                    (_, max) => format!("at most {} characters", max.unwrap_or_default()),
                });
            }
        }
        if let Some(format) = rules.format.filter(|format| !format.holds(&text)) {
            return self.fail("format", at, || format.as_str().to_owned());
        }
        if rules.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&text)) {
            return self.fail("pattern", at, || "the declared pattern".to_owned());
        }
        true
    }

    fn object(&mut self, rules: &'t ObjectRules, at: usize, mut seen: Option<&mut Evaluated>) -> bool {
        let (nodes, count) = (self.nodes, u64::from(self.node(at).count));
        let mut valid = true;
        if rules.min.is_some_and(|min| count < min) || rules.max.is_some_and(|max| count > max) {
            valid = self.fail("bounds", at, || "another number of members".to_owned());
            if self.quiet > 0 {
                return false;
            }
        }
        let required = match self.direction {
            Direction::Request => &rules.required_in_request,
            Direction::Answer => &rules.required_in_answer,
        };
        let has = |name: &str| members(nodes, at).any(|member| member.key.is_text(name));
        for name in required {
            if !has(name) {
                valid = false;
                if self.quiet > 0 {
                    return false;
                }
                self.tell("required", Some(name), "missing", false, || "a required field".to_owned());
            }
        }
        for (name, needs) in &rules.dependent_required {
            for need in needs.iter().filter(|need| has(name) && !has(need)) {
                valid = false;
                if self.quiet > 0 {
                    return false;
                }
                self.tell("required", Some(need), "missing", false, || {
                    "a field that another one needs".to_owned()
                });
            }
        }
        if rules.properties.is_empty()
            && rules.patterns.is_empty()
            && rules.additional.is_none()
            && rules.names.is_none()
        {
            return valid;
        }
        for (number, member) in members(nodes, at).enumerate() {
            let name = member.key.string();
            let mut matched = false;
            self.path.push(Step::Key(member.at));
            if let Some(schema) = rules.property(&name) {
                matched = true;
                self.unsettled |= self.is_misdirected(schema);
                valid &= self.check(schema, member.value, 0, None);
            }
            for (pattern, schema) in &rules.patterns {
                if pattern.is_match(&name) {
                    matched = true;
                    self.unsettled |= self.is_misdirected(schema);
                    valid &= self.check(schema, member.value, 0, None);
                }
            }
            if let (false, Some(additional)) = (matched, &rules.additional) {
                matched = true;
                self.unsettled |= self.is_misdirected(additional);
                valid &= self.extra(additional, member.at, member.value);
            }
            self.unsettled |= !matched;
            if let Some(names) = &rules.names {
                let key = [Node::scalar(Kind::String, &name)];
                if !is_valid(self.table, names, &key) {
                    valid =
                        self.fail("field-name", member.value, || "a name that the schema allows".to_owned());
                }
            }
            self.path.pop();
            if matched && let Some(seen) = seen.as_deref_mut() {
                seen.mark(number);
            }
            if !valid && self.quiet > 0 {
                return false;
            }
        }
        valid
    }

    /// A member with this schema belongs to the other direction.
    fn is_misdirected(&self, schema: &Schema) -> bool {
        match self.direction {
            Direction::Request => schema.read_only,
            Direction::Answer => schema.write_only,
        }
    }

    /// A member under `additionalProperties` or `unevaluatedProperties`.
    fn extra(&mut self, schema: &'t Schema, key: usize, value: usize) -> bool {
        if !schema.never || self.quiet > 0 {
            return self.check(schema, value, 0, None);
        }
        if self.unknown == Unknown::Strip {
            self.strip(key);
            return true;
        }
        self.fail("unknown-field", value, || "a declared field".to_owned())
    }
    fn strip(&mut self, key: usize) {
        if !self.out.strip.contains(&key) {
            self.out.strip.push(key);
        }
    }

    fn array(&mut self, rules: &'t ArrayRules, at: usize, mut seen: Option<&mut Evaluated>) -> bool {
        let (nodes, count) = (self.nodes, u64::from(self.node(at).count));
        let mut valid = true;
        if rules.min.is_some_and(|min| count < min) || rules.max.is_some_and(|max| count > max) {
            valid = self.fail("bounds", at, || match (rules.min, rules.max) {
                (Some(min), Some(max)) => format!("{min} to {max} elements"),
                (Some(min), None) => format!("at least {min} elements"),
                (_, max) => format!("at most {} elements", max.unwrap_or_default()),
            });
            if self.quiet > 0 {
                return false;
            }
        }
        let mut contained = 0;
        for (number, element) in elements(nodes, at).enumerate() {
            let schema = rules.prefix.get(number).or(rules.items.as_ref());
            let mut looked = schema.is_some();
            self.path.push(Step::Element(number));
            if let Some(schema) = schema {
                valid &= self.check(schema, element, 0, None);
            }
            if let Some(contains) = &rules.contains
                && self.quietly(contains, element, 0, None)
            {
                contained += 1;
                looked = true;
            }
            self.path.pop();
            if looked && let Some(seen) = seen.as_deref_mut() {
                seen.mark(number);
            }
            if !valid && self.quiet > 0 {
                return false;
            }
        }
        if rules.contains.is_some()
            && (contained < rules.min_contains.unwrap_or(1)
                || rules.max_contains.is_some_and(|max| contained > max))
        {
            valid = self.fail("bounds", at, || "another number of elements of one kind".to_owned());
        }
        if rules.unique && count > 1 && !self.is_unique(at) {
            valid = self.fail("unique", at, || "each element once".to_owned());
        }
        valid
    }

    fn composition(
        &mut self,
        schema: &'t Schema,
        more: &'t Composition,
        at: usize,
        depth: u32,
        mut seen: Option<&mut Evaluated>,
    ) -> bool {
        let mut valid = true;
        macro_rules! hold {
            ($holds:expr) => {
                if !$holds {
                    if self.quiet > 0 {
                        return false;
                    }
                    valid = false;
                }
            };
        }
        for part in &more.all_of {
            hold!(self.check(part, at, depth + 1, seen.as_deref_mut()));
        }
        match self.chosen(schema, more, at) {
            Chosen::Row(row) => {
                self.following.push((at, schema));
                let table = self.table;
                let holds = self.check(table.row(row), at, depth + 1, seen.as_deref_mut());
                self.following.pop();
                hold!(holds);
            }
            Chosen::Wrong => {
                let name = more.discriminator.as_ref().map(|known| known.property.as_ref());
                let found =
                    self.value_of(at, name.unwrap_or_default()).map_or("missing", |value| self.found(value));
                self.tell("discriminator", name, found, false, || "one of the declared kinds".to_owned());
                hold!(false);
            }
            Chosen::Unknown => {
                if !more.any_of.is_empty() {
                    hold!(self.alternatives(&more.any_of, at, depth, seen.as_deref_mut(), false));
                }
                if !more.one_of.is_empty() {
                    hold!(self.alternatives(&more.one_of, at, depth, seen.as_deref_mut(), true));
                }
            }
        }
        if let Some(not) = &more.not {
            hold!(
                !self.quietly(not, at, depth + 1, None)
                    || self.fail("composition", at, || "something else".to_owned())
            );
        }
        if let Some(condition) = &more.condition {
            let mut own = seen.as_deref().map(Evaluated::same_size);
            let holds = self.quietly(condition, at, depth + 1, own.as_mut());
            if let (true, Some(own), Some(seen)) = (holds, &own, seen.as_deref_mut()) {
                seen.merge(own);
            }
            if let Some(branch) = if holds { &more.then } else { &more.otherwise } {
                hold!(self.check(branch, at, depth + 1, seen.as_deref_mut()));
            }
        }
        if self.node(at).kind == Kind::Object {
            for (name, schema) in &more.dependent_schemas {
                if self.value_of(at, name).is_some() {
                    hold!(self.check(schema, at, depth + 1, seen.as_deref_mut()));
                }
            }
        }
        valid
    }

    fn alternatives(
        &mut self,
        list: &'t [Schema],
        at: usize,
        depth: u32,
        mut seen: Option<&mut Evaluated>,
        exactly_one: bool,
    ) -> bool {
        if let [only] = list {
            return self.check(only, at, depth + 1, seen);
        }
        let mut valid = 0;
        for branch in list {
            let mut own = seen.as_deref().map(Evaluated::same_size);
            if !self.quietly(branch, at, depth + 1, own.as_mut()) {
                continue;
            }
            valid += 1;
            match (own, seen.as_deref_mut()) {
                (Some(own), Some(seen)) => seen.merge(&own),
                _ if !exactly_one => return true,
                _ => {}
            }
            if exactly_one && valid > 1 {
                return self.fail("composition", at, || "only one of the declared alternatives".to_owned());
            }
        }
        valid > 0 || self.fail("composition", at, || "one of the declared alternatives".to_owned())
    }

    fn value_of(&self, at: usize, name: &str) -> Option<usize> {
        members(self.nodes, at).find(|member| member.key.is_text(name)).map(|member| member.value)
    }
    /// What the discriminator, if there is one, says of the object.
    fn chosen(&self, schema: &Schema, more: &Composition, at: usize) -> Chosen {
        let Some(Discriminator { property, mapping }) = &more.discriminator else { return Chosen::Unknown };
        if self.node(at).kind != Kind::Object || self.following.contains(&(at, std::ptr::from_ref(schema))) {
            return Chosen::Unknown;
        }
        let alternatives = !more.one_of.is_empty() || !more.any_of.is_empty();
        let value = self
            .value_of(at, property)
            .map(|value| self.node(value))
            .filter(|value| value.kind == Kind::String);
        let row = value.and_then(|value| {
            let text = value.string();
            let found = mapping.binary_search_by(|(known, _)| (**known).cmp(&*text)).ok()?;
            mapping.get(found).map(|(_, row)| *row)
        });
        match row {
            Some(row) => Chosen::Row(row),
            // Alone it names subtypes, and the value may be the type itself.
            None if alternatives && !mapping.is_empty() => Chosen::Wrong,
            None => Chosen::Unknown,
        }
    }

    fn unevaluated(&mut self, more: &'t Composition, at: usize, seen: &mut Evaluated) -> bool {
        let nodes = self.nodes;
        let mut valid = true;
        if let (Kind::Object, Some(schema)) = (self.node(at).kind, &more.unevaluated_properties) {
            for (number, member) in members(nodes, at).enumerate() {
                if seen.0.get(number) == Some(&false) {
                    self.path.push(Step::Key(member.at));
                    valid &= self.extra(schema, member.at, member.value);
                    self.path.pop();
                }
            }
        }
        if let (Kind::Array, Some(schema)) = (self.node(at).kind, &more.unevaluated_items) {
            for (number, element) in elements(nodes, at).enumerate() {
                if seen.0.get(number) == Some(&false) {
                    self.path.push(Step::Element(number));
                    valid &= self.check(schema, element, 0, None);
                    self.path.pop();
                }
            }
        }
        seen.0.fill(true);
        valid
    }

    fn equals(&self, at: usize, value: &Value) -> bool {
        let node = self.node(at);
        match value {
            Value::Null => node.kind == Kind::Null,
            Value::Bool(wanted) => node.kind == Kind::Boolean && (node.text == "true") == *wanted,
            Value::Number(wanted) => {
                node.kind == Kind::Number
                    && match (Number::parse(node.text), Number::parse(&wanted.to_string())) {
                        (Some(one), Some(other)) => one.compare(other).is_eq(),
                        _ => false,
                    }
            }
            Value::String(wanted) => node.kind == Kind::String && node.is_text(wanted),
            Value::Array(wanted) => {
                node.kind == Kind::Array
                    && node.count as usize == wanted.len()
                    && elements(self.nodes, at)
                        .zip(wanted)
                        .all(|(element, value)| self.equals(element, value))
            }
            Value::Object(wanted) => {
                node.kind == Kind::Object
                    && node.count as usize == wanted.len()
                    && members(self.nodes, at).all(|member| {
                        wanted
                            .get(&*member.key.string())
                            .is_some_and(|value| self.equals(member.value, value))
                    })
            }
        }
    }

    /// Elements are told apart by their canonical text.
    fn is_unique(&self, at: usize) -> bool {
        let mut texts: Vec<String> = Vec::with_capacity(self.node(at).count as usize);
        for element in elements(self.nodes, at) {
            let mut text = String::new();
            self.canonical(element, &mut text);
            texts.push(text);
        }
        texts.sort_unstable();
        texts.array_windows().all(|[one, other]| one != other)
    }
    fn canonical(&self, at: usize, out: &mut String) {
        let node = self.node(at);
        match node.kind {
            Kind::Null | Kind::Boolean => out.push_str(node.text),
            Kind::Number => match Number::parse(node.text) {
                Some(Number::Exact { mantissa, exponent }) => out.push_str(&format!("{mantissa}e{exponent}")),
                Some(Number::Rough(value)) => out.push_str(&format!("{value:e}")),
                None => out.push_str(node.text),
            },
            Kind::String => super::json::write_string(out, &node.string()),
            Kind::Array => {
                out.push('[');
                for element in elements(self.nodes, at) {
                    self.canonical(element, out);
                    out.push(',');
                }
                out.push(']');
            }
            Kind::Object => {
                let mut list: Vec<(Cow<'_, str>, usize)> =
                    members(self.nodes, at).map(|member| (member.key.string(), member.value)).collect();
                list.sort_unstable();
                out.push('{');
                for (key, value) in list {
                    super::json::write_string(out, &key);
                    self.canonical(value, out);
                    out.push(',');
                }
                out.push('}');
            }
        }
    }

    /// Every schema that applies at `at` because `schema` does.
    fn expand(&mut self, schema: &'t Schema, at: usize, depth: u32, out: &mut Vec<&'t Schema>) {
        if depth > MAX_IN_PLACE || out.len() >= MAX_APPLICABLE || !self.spend() {
            return;
        }
        out.push(schema);
        let table = self.table;
        if let Some(row) = schema.reference {
            self.expand(table.row(row), at, depth + 1, out);
        }
        let Some(more) = schema.more.as_deref() else { return };
        for part in &more.all_of {
            self.expand(part, at, depth + 1, out);
        }
        match self.chosen(schema, more, at) {
            Chosen::Row(row) => {
                self.following.push((at, schema));
                self.expand(table.row(row), at, depth + 1, out);
                self.following.pop();
            }
            Chosen::Wrong => {}
            Chosen::Unknown => {
                let single = more.any_of.len() + more.one_of.len() == 1;
                for branch in more.any_of.iter().chain(&more.one_of) {
                    if single || self.quietly(branch, at, depth + 1, None) {
                        self.expand(branch, at, depth + 1, out);
                    }
                }
            }
        }
        if let Some(condition) = &more.condition {
            let holds = self.quietly(condition, at, depth + 1, None);
            if holds {
                self.expand(condition, at, depth + 1, out);
            }
            if let Some(branch) = if holds { &more.then } else { &more.otherwise } {
                self.expand(branch, at, depth + 1, out);
            }
        }
        for (name, part) in &more.dependent_schemas {
            if self.value_of(at, name).is_some() {
                self.expand(part, at, depth + 1, out);
            }
        }
    }

    /// Finds what nobody declared, under the schemas that apply at `at`.
    fn surplus(&mut self, schemas: &[&'t Schema], at: usize) {
        let nodes = self.nodes;
        let mut applied = Vec::with_capacity(schemas.len() + 2);
        for schema in schemas {
            self.expand(schema, at, 0, &mut applied);
        }
        let mut inner = Vec::new();
        if self.node(at).kind == Kind::Array {
            if applied.iter().all(|schema| schema.array.is_none()) {
                return;
            }
            for (number, element) in elements(nodes, at).enumerate() {
                if !matches!(self.node(element).kind, Kind::Object | Kind::Array) {
                    continue;
                }
                inner.clear();
                let rules = applied.iter().filter_map(|schema| schema.array.as_deref());
                inner.extend(rules.filter_map(|rules| rules.prefix.get(number).or(rules.items.as_ref())));
                self.path.push(Step::Element(number));
                self.surplus(&inner, element);
                self.path.pop();
            }
            return;
        }
        let rules = || applied.iter().filter_map(|schema| schema.object.as_deref());
        let declares = rules().any(ObjectRules::declares);
        // What is said of the others stands: whatever they are, or none, which the first pass has judged.
        let settled = rules().any(|rules| rules.additional.is_some())
            || applied.iter().any(|schema| {
                schema.more.as_deref().is_some_and(|more| more.unevaluated_properties.is_some())
            });
        for member in members(nodes, at) {
            let name = member.key.string();
            inner.clear();
            for rules in rules() {
                let before = inner.len();
                inner.extend(rules.property(&name));
                inner.extend(
                    rules
                        .patterns
                        .iter()
                        .filter(|(pattern, _)| pattern.is_match(&name))
                        .map(|(_, schema)| schema),
                );
                if inner.len() == before {
                    inner.extend(rules.additional.iter().filter(|schema| !schema.never));
                }
            }
            self.path.push(Step::Key(member.at));
            if inner.is_empty() {
                if declares && !settled {
                    self.undeclared(member.at, "unknown-field", "a declared field");
                }
            } else {
                match self.direction {
                    Direction::Request if inner.iter().any(|schema| schema.read_only) => {
                        self.undeclared(member.at, "read-only", "a field that only answers have");
                    }
                    Direction::Answer if inner.iter().any(|schema| schema.write_only) => {
                        self.undeclared(member.at, "write-only", "a field that only requests have");
                    }
                    _ => {}
                }
                if matches!(self.node(member.value).kind, Kind::Object | Kind::Array) {
                    let inner = inner.clone();
                    self.surplus(&inner, member.value);
                }
            }
            self.path.pop();
        }
    }

    fn undeclared(&mut self, key: usize, rule: &'static str, expected: &str) {
        match self.unknown {
            Unknown::Allow => {}
            Unknown::Strip => self.strip(key),
            Unknown::Refuse | Unknown::Flag => {
                let flag = self.unknown == Unknown::Flag;
                self.tell(rule, None, self.found(key + 1), flag, || expected.to_owned());
            }
        }
    }
}

enum Chosen {
    Row(u32),
    /// The value names none of the kinds.
    Wrong,
    Unknown,
}

/// Adds a name to a pointer.
fn push_name(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&shown(name));
}

/// A name as it may be shown: clients choose the names of what nobody declared, and a token is no name.
pub(crate) fn shown(name: &str) -> String {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.$".contains(&byte));
    if plain && name.len() <= MAX_NAME && (digits == 0 || digits <= 4 && name.len() <= MAX_MIXED) {
        name.to_owned()
    } else {
        "{name}".to_owned()
    }
}
