//! Parameters of a call: taken apart by `style` and `explode`, typed by their schema, judged.

use std::borrow::Cow;

use probity_model::Place;
use probity_model::bundle::contract::{
    BodyLimits, OperationContract, ParameterContract, ParameterPlace, ParameterStyle, Unknown,
};
use probity_model::path::Template;

use super::coerce;
use super::json::{self, Kind, write_string};
use super::media::is_json;
use super::schema::{Schema, Table, Types};
use super::uri;
use super::validate::{self, Direction, Fault};

/// Pairs of a query that are looked at.
pub const MAX_PAIRS: usize = 2_000;
/// Values of one parameter, members of one object in it.
const MAX_VALUES: usize = 1_000;
/// `a[b][c]`: names inside names.
const MAX_DEEP: usize = 8;

/// What a call's head says, as the client sent it.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    pub template: &'a Template,
    /// The value of a header by its lower-case name; several lines are joined, cookies by `; `, others by `, `.
    pub header: &'a dyn Fn(&str) -> Option<Cow<'a, str>>,
}

impl std::fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Head({})", self.template)
    }
}

/// One finding about a parameter.
pub(crate) struct ParameterFault {
    pub place: Place,
    pub fault: Fault,
}

/// What a parameter can hold, found once for each operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    types: Types,
    list: bool,
    object: bool,
}

/// The shapes of an operation's parameters, in their order.
pub(crate) fn shapes(table: &Table, contract: &OperationContract) -> Vec<Shape> {
    let shape = |parameter: &ParameterContract| {
        let types = parameter.schema.map_or(Types::ANY, |row| coerce::types_of(table, table.row(row)));
        let scalar = [Kind::String, Kind::Number, Kind::Boolean].into_iter().any(|kind| types.has(kind));
        Shape {
            types,
            list: types.has(Kind::Array) && !scalar,
            object: types.has(Kind::Object) && !types.has(Kind::Array) && !scalar,
        }
    };
    contract.parameters.iter().map(shape).collect()
}

const fn place_of(place: ParameterPlace) -> Place {
    match place {
        ParameterPlace::Path => Place::RequestPath,
        ParameterPlace::Query => Place::RequestQuery,
        ParameterPlace::Header | ParameterPlace::Cookie => Place::RequestHeader,
    }
}

/// Judges all parameters of a call.
pub(crate) fn judge(
    table: &Table,
    contract: &OperationContract,
    shapes: &[Shape],
    head: &Head<'_>,
    unknown: Unknown,
    limits: &BodyLimits,
) -> Vec<ParameterFault> {
    let mut judge = Judge { table, limits, faults: Vec::new() };
    let mut query: Vec<Pair<'_>> = Vec::new();
    for (name, value) in uri::pairs(head.query, '&') {
        let Some(name) = uri::decode(name, true) else {
            judge.tell(Place::RequestQuery, "{name}", "syntax", "a name in UTF-8", "string", false);
            continue;
        };
        if query.len() >= MAX_PAIRS {
            judge.tell(Place::RequestQuery, "", "size", "fewer parameters", "array", false);
            break;
        }
        query.push(Pair { name, value, used: false });
    }
    let cookies = contract.parameters.iter().any(|parameter| parameter.place == ParameterPlace::Cookie);
    let cookies = if cookies { (head.header)("cookie") } else { None };
    for (parameter, shape) in contract.parameters.iter().zip(shapes) {
        match parameter.place {
            ParameterPlace::Path => {
                let value = path_value(head.template, head.path, &parameter.name);
                judge.single(parameter, *shape, value);
            }
            ParameterPlace::Header => {
                let value = (head.header)(&parameter.name.to_ascii_lowercase());
                judge.single(parameter, *shape, value.as_deref());
            }
            ParameterPlace::Cookie => {
                let text = cookies.as_deref().unwrap_or_default();
                let mut pairs: Vec<Pair<'_>> = uri::pairs(text, ';')
                    .take(MAX_PAIRS)
                    .map(|(name, value)| Pair { name: name.trim().into(), value: value.trim(), used: false })
                    .collect();
                judge.pairs(parameter, *shape, &mut pairs);
            }
            ParameterPlace::Query => judge.pairs(parameter, *shape, &mut query),
        }
    }
    if unknown != Unknown::Allow {
        for pair in query.iter().filter(|pair| !pair.used) {
            let flag = unknown == Unknown::Flag;
            judge.tell(
                Place::RequestQuery,
                &validate::shown(&pair.name),
                "unknown",
                "a declared parameter",
                "string",
                flag,
            );
        }
    }
    judge.faults
}

struct Pair<'q> {
    name: Cow<'q, str>,
    value: &'q str,
    used: bool,
}

struct Judge<'t> {
    table: &'t Table,
    limits: &'t BodyLimits,
    faults: Vec<ParameterFault>,
}

impl<'t> Judge<'t> {
    fn tell(
        &mut self,
        place: Place,
        name: &str,
        rule: &'static str,
        expected: &str,
        found: &'static str,
        flag: bool,
    ) {
        if self.faults.len() < validate::MAX_VIOLATIONS {
            let fault = Fault { rule, pointer: name.to_owned(), expected: expected.to_owned(), found, flag };
            self.faults.push(ParameterFault { place, fault });
        }
    }
    fn tell_of(
        &mut self,
        parameter: &ParameterContract,
        rule: &'static str,
        expected: &str,
        found: &'static str,
    ) {
        self.tell(place_of(parameter.place), &parameter.name, rule, expected, found, false);
    }
    fn schema(&self, parameter: &ParameterContract) -> Option<&'t Schema> {
        parameter.schema.map(|row| self.table.row(row))
    }
    fn missing(&mut self, parameter: &ParameterContract) {
        if parameter.required {
            self.tell_of(parameter, "missing", "a required parameter", "missing");
        }
    }

    /// A path segment or a header.
    fn single(&mut self, parameter: &ParameterContract, shape: Shape, raw: Option<&str>) {
        let Some(raw) = raw else { return self.missing(parameter) };
        if parameter.content.is_some() {
            return self.document(parameter, raw, parameter.place == ParameterPlace::Path);
        }
        if parameter.schema.is_none() {
            return;
        }
        let encoded = parameter.place == ParameterPlace::Path;
        match parameter.style {
            ParameterStyle::Label => match raw.strip_prefix('.') {
                Some(rest) => {
                    self.delimited(parameter, shape, rest, &[","], parameter.explode.then_some('.'), encoded)
                }
                None => self.tell_of(parameter, "syntax", "a value that begins with `.`", "string"),
            },
            ParameterStyle::Matrix => self.matrix(parameter, shape, raw),
            _ => self.delimited(parameter, shape, raw, &[","], parameter.explode.then_some(','), encoded),
        }
    }

    /// `separator` is set where an exploded object or list is split by it.
    fn delimited(
        &mut self,
        parameter: &ParameterContract,
        shape: Shape,
        raw: &str,
        commas: &[&str],
        exploded: Option<char>,
        encoded: bool,
    ) {
        let mut parts = Vec::new();
        match exploded {
            Some(separator) if shape.list || shape.object => parts.extend(raw.split(separator)),
            _ if shape.list || shape.object => split(raw, commas, &mut parts),
            _ => return self.scalar(parameter, shape, raw, encoded, false),
        }
        if shape.list && raw.is_empty() {
            parts.clear();
        }
        let text = if shape.list {
            self.list_text(parameter, parts.into_iter(), encoded)
        } else if exploded.is_some() {
            self.object_text(
                parameter,
                parts.into_iter().map(|part| part.split_once('=').unwrap_or((part, ""))),
                encoded,
            )
        } else {
            self.alternating(parameter, &parts, encoded)
        };
        self.judge_text(parameter, text);
    }
    fn alternating(&self, parameter: &ParameterContract, parts: &[&str], encoded: bool) -> Option<String> {
        let (pairs, rest) = parts.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        self.object_text(parameter, pairs.iter().map(|[name, value]| (*name, *value)), encoded)
    }

    fn matrix(&mut self, parameter: &ParameterContract, shape: Shape, raw: &str) {
        let Some(rest) = raw.strip_prefix(';') else {
            return self.tell_of(parameter, "syntax", "a value that begins with `;`", "string");
        };
        let pairs: Vec<(&str, &str)> = uri::pairs(rest, ';').take(MAX_VALUES).collect();
        let named =
            |(name, _): &(&str, &str)| uri::decode(name, false).is_some_and(|name| name == parameter.name);
        if shape.object && parameter.explode {
            let text = self.object_text(parameter, pairs.into_iter(), true);
            return self.judge_text(parameter, text);
        }
        if !pairs.iter().all(named) || pairs.is_empty() {
            return self.tell_of(parameter, "syntax", "`;name=value` with the parameter's name", "string");
        }
        if shape.list && parameter.explode {
            let text = self.list_text(parameter, pairs.into_iter().map(|(_, value)| value), true);
            return self.judge_text(parameter, text);
        }
        match pairs.as_slice() {
            [(_, value)] => self.delimited(parameter, shape, value, &[","], None, true),
            _ => self.tell_of(parameter, "repeated", "the parameter once", "array"),
        }
    }

    /// A query or cookie parameter.
    fn pairs(&mut self, parameter: &ParameterContract, shape: Shape, pairs: &mut [Pair<'_>]) {
        let schema = self.schema(parameter);
        if parameter.style == ParameterStyle::DeepObject {
            return self.deep(parameter, pairs);
        }
        if let (true, true, None, Some(schema)) =
            (shape.object, parameter.explode, &parameter.content, schema)
        {
            let mut members: Vec<(String, &str)> = Vec::new();
            for pair in pairs.iter_mut().filter(|pair| coerce::declares(self.table, schema, &pair.name)) {
                pair.used = true;
                members.push((pair.name.to_string(), pair.value));
            }
            if members.is_empty() {
                return self.missing(parameter);
            }
            let text =
                self.named_text(schema, members.iter().map(|(name, value)| (name.as_str(), *value)), true);
            return self.judge_text(parameter, text);
        }
        let mut values: Vec<&str> = Vec::new();
        for pair in pairs.iter_mut().filter(|pair| pair.name == parameter.name) {
            pair.used = true;
            values.push(pair.value);
        }
        let Some(first) = values.first().copied() else { return self.missing(parameter) };
        if parameter.content.is_none() && shape.list && parameter.explode {
            let text = self.list_text(parameter, values.into_iter(), true);
            return self.judge_text(parameter, text);
        }
        if values.len() > 1 {
            return self.tell_of(parameter, "repeated", "the parameter once", "array");
        }
        if parameter.content.is_some() {
            return self.document(parameter, first, true);
        }
        if parameter.schema.is_none() || first.is_empty() && parameter.allow_empty {
            return;
        }
        let commas: &[&str] = match parameter.style {
            ParameterStyle::SpaceDelimited => &["%20", "+"],
            ParameterStyle::PipeDelimited => &["|", "%7C", "%7c"],
            _ => &[","],
        };
        if shape.list || shape.object {
            self.delimited(parameter, shape, first, commas, None, true);
        } else {
            self.scalar(parameter, shape, first, true, parameter.place == ParameterPlace::Query);
        }
    }

    /// `name[a][b]=value`.
    fn deep(&mut self, parameter: &ParameterContract, pairs: &mut [Pair<'_>]) {
        let mut members: Vec<(Vec<String>, &str)> = Vec::new();
        let mut broken = false;
        for pair in pairs.iter_mut() {
            let Some(rest) = pair.name.strip_prefix(parameter.name.as_str()) else { continue };
            if !rest.starts_with('[') {
                continue;
            }
            pair.used = true;
            match brackets(rest) {
                Some(names) if members.len() < MAX_VALUES => members.push((names, pair.value)),
                _ => broken = true,
            }
        }
        if broken {
            return self.tell_of(parameter, "syntax", "`name[field]=value`", "string");
        }
        if members.is_empty() {
            return self.missing(parameter);
        }
        let Some(schema) = self.schema(parameter) else { return };
        let mut out = String::new();
        let text = self.nested(schema, &members, 0, &mut out).map(|()| out);
        self.judge_text(parameter, text);
    }
    fn nested(
        &self,
        schema: &Schema,
        members: &[(Vec<String>, &str)],
        depth: usize,
        out: &mut String,
    ) -> Option<()> {
        let mut names: Vec<&str> = Vec::new();
        for (path, _) in members {
            let name = path.get(depth)?.as_str();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        out.push('{');
        for (number, name) in names.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            write_string(out, name);
            out.push(':');
            let own: Vec<(Vec<String>, &str)> = members
                .iter()
                .filter(|(path, _)| path.get(depth).is_some_and(|known| known == name))
                .cloned()
                .collect();
            let property = coerce::property(self.table, schema, name);
            if own.iter().any(|(path, _)| path.len() > depth + 1) {
                self.nested(property.unwrap_or(schema), &own, depth + 1, out)?;
            } else {
                self.value(out, property, own.iter().map(|(_, value)| *value), true)?;
            }
        }
        out.push('}');
        Some(())
    }

    /// One or several texts as the value that the schema wants.
    fn value<'v>(
        &self,
        out: &mut String,
        schema: Option<&Schema>,
        values: impl Iterator<Item = &'v str> + Clone,
        plus: bool,
    ) -> Option<()> {
        let types = schema.map_or(Types::ANY, |schema| coerce::types_of(self.table, schema));
        let several = values.clone().nth(1).is_some();
        if several || types.has(Kind::Array) && !types.has(Kind::String) {
            let items = schema.and_then(|schema| coerce::items(self.table, schema));
            out.push('[');
            for (number, value) in values.take(MAX_VALUES).enumerate() {
                if number > 0 {
                    out.push(',');
                }
                coerce::write(out, self.table, items, &uri::decode(value, plus)?);
            }
            out.push(']');
            return Some(());
        }
        let text = values.into_iter().next()?;
        coerce::write(out, self.table, schema, &uri::decode(text, plus)?);
        Some(())
    }

    fn list_text<'v>(
        &self,
        parameter: &ParameterContract,
        values: impl Iterator<Item = &'v str>,
        encoded: bool,
    ) -> Option<String> {
        let items = self.schema(parameter).and_then(|schema| coerce::items(self.table, schema));
        let plus = parameter.place == ParameterPlace::Query;
        let mut out = String::from("[");
        for (number, value) in values.enumerate() {
            if number >= MAX_VALUES {
                return None;
            }
            if number > 0 {
                out.push(',');
            }
            let value = if encoded { uri::decode(value, plus)? } else { value.trim().into() };
            coerce::write(&mut out, self.table, items, &value);
        }
        out.push(']');
        Some(out)
    }
    fn object_text<'v>(
        &self,
        parameter: &ParameterContract,
        pairs: impl Iterator<Item = (&'v str, &'v str)>,
        encoded: bool,
    ) -> Option<String> {
        let schema = self.schema(parameter)?;
        let mut decoded: Vec<(String, &str)> = Vec::new();
        for (name, value) in pairs {
            if decoded.len() >= MAX_VALUES {
                return None;
            }
            let name = if encoded { uri::decode(name, false)?.into_owned() } else { name.trim().to_owned() };
            decoded.push((name, value));
        }
        self.named_text(schema, decoded.iter().map(|(name, value)| (name.as_str(), *value)), encoded)
    }
    /// Repeated names make a list.
    fn named_text<'v>(
        &self,
        schema: &Schema,
        pairs: impl Iterator<Item = (&'v str, &'v str)>,
        encoded: bool,
    ) -> Option<String> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in pairs {
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => groups.push((name, vec![value])),
            }
        }
        let mut out = String::from("{");
        for (number, (name, values)) in groups.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            write_string(&mut out, name);
            out.push(':');
            let property = coerce::property(self.table, schema, name);
            if encoded {
                self.value(&mut out, property, values.iter().copied(), true)?;
            } else {
                coerce::write(&mut out, self.table, property, values.first()?.trim());
            }
        }
        out.push('}');
        Some(out)
    }

    fn scalar(&mut self, parameter: &ParameterContract, shape: Shape, raw: &str, encoded: bool, plus: bool) {
        let Some(schema) = self.schema(parameter) else { return };
        let text = if encoded { uri::decode(raw, plus) } else { Some(Cow::Borrowed(raw)) };
        let Some(text) = text else {
            return self.tell_of(parameter, "syntax", "UTF-8, percent-encoded", "string");
        };
        let node = coerce::scalar(self.table, schema, shape.types, &text);
        let outcome = validate::judge(
            self.table,
            schema,
            std::slice::from_ref(&node),
            Direction::Request,
            Unknown::Refuse,
        );
        self.take(parameter, outcome.faults);
    }
    /// A document that stands in a parameter.
    fn document(&mut self, parameter: &ParameterContract, raw: &str, encoded: bool) {
        let text = if encoded { uri::decode(raw, true) } else { Some(Cow::Borrowed(raw)) };
        let Some(text) = text else {
            return self.tell_of(parameter, "syntax", "UTF-8, percent-encoded", "string");
        };
        let json = parameter.content.as_deref().is_some_and(is_json);
        let Some(schema) = self.schema(parameter).filter(|_| json) else { return };
        match json::parse(text.as_bytes(), self.limits) {
            Ok(nodes) => {
                let outcome =
                    validate::judge(self.table, schema, &nodes, Direction::Request, Unknown::Refuse);
                self.take(parameter, outcome.faults);
            }
            Err(fault) => self.tell_of(parameter, fault.rule(), fault.expected(), "string"),
        }
    }
    fn judge_text(&mut self, parameter: &ParameterContract, text: Option<String>) {
        let Some(schema) = self.schema(parameter) else { return };
        let Some(text) = text else {
            return self.tell_of(parameter, "syntax", "a value of the declared style", "string");
        };
        match json::parse(text.as_bytes(), self.limits) {
            Ok(nodes) => {
                let outcome =
                    validate::judge(self.table, schema, &nodes, Direction::Request, Unknown::Refuse);
                self.take(parameter, outcome.faults);
            }
            Err(fault) => self.tell_of(parameter, fault.rule(), fault.expected(), "string"),
        }
    }
    fn take(&mut self, parameter: &ParameterContract, faults: Vec<Fault>) {
        for fault in faults {
            if self.faults.len() < validate::MAX_VIOLATIONS {
                let pointer = format!("{}{}", parameter.name, fault.pointer);
                let place = place_of(parameter.place);
                self.faults.push(ParameterFault { place, fault: Fault { pointer, ..fault } });
            }
        }
    }
}

/// `[a][b]` as names.
fn brackets(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, tail) = rest.strip_prefix('[')?.split_once(']')?;
        if name.is_empty() || name.contains('[') || names.len() >= MAX_DEEP {
            return None;
        }
        names.push(name.to_owned());
        rest = tail;
    }
    Some(names)
}

fn split<'r>(raw: &'r str, separators: &[&str], out: &mut Vec<&'r str>) {
    let mut rest = raw;
    loop {
        let next = separators
            .iter()
            .filter_map(|separator| rest.find(separator).map(|at| (at, separator.len())))
            .min();
        let Some((at, width)) = next.filter(|_| out.len() < MAX_VALUES) else { break };
        out.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + width..).unwrap_or_default();
    }
    out.push(rest);
}

/// What stands in the path where the template has `{name}`.
fn path_value<'p>(template: &Template, path: &'p str, name: &str) -> Option<&'p str> {
    let strip = |text: &'p str| text.strip_prefix('/').unwrap_or(text);
    let own = template.as_str().strip_prefix('/').unwrap_or(template.as_str());
    own.split('/')
        .zip(strip(path).split('/'))
        .find_map(|(pattern, segment)| segment_value(pattern, segment, name))
}

fn segment_value<'p>(pattern: &str, segment: &'p str, name: &str) -> Option<&'p str> {
    let (mut pattern, mut rest) = (pattern, segment);
    loop {
        let (literal, after) = pattern.split_once('{')?;
        let (variable, behind) = after.split_once('}')?;
        rest = rest.get(literal.len()..)?;
        let next = behind.split('{').next().unwrap_or_default();
        let end = if behind == next && !next.is_empty() {
            rest.len().checked_sub(next.len())?
        } else if next.is_empty() {
            rest.len()
        } else {
            rest.find(next)?
        };
        let (value, tail) = rest.split_at_checked(end)?;
        if variable == name {
            return Some(value);
        }
        (pattern, rest) = (behind, tail);
    }
}
