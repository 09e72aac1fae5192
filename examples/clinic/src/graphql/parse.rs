//! GraphQL query text -> [`Document`]. Recursive descent with a bound on size and on depth.
//!
//! Variables are replaced by their values while parsing, so that running a document needs none.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::QueryError;

const QUERY_MAX_BYTES: usize = 8 * 1024;
pub(super) const DEPTH_MAX: usize = 20;

/// One query with its fragments.
#[derive(Debug)]
pub(crate) struct Document {
    pub(super) selections: Vec<Selection>,
    pub(super) fragments: BTreeMap<String, Vec<Selection>>,
}

#[derive(Debug)]
pub(super) enum Selection {
    Field(Field),
    Spread(String),
    Inline(Vec<Selection>),
}

#[derive(Debug)]
pub(super) struct Field {
    /// What the answer calls it: the alias, else the name.
    pub key: String,
    pub name: String,
    pub arguments: Map<String, Value>,
    pub selections: Vec<Selection>,
}

/// Parses `query`, which must hold exactly one operation.
pub(crate) fn parse(query: &str, variables: &Map<String, Value>) -> Result<Document, QueryError> {
    if query.len() > QUERY_MAX_BYTES {
        return Err(QueryError::TooLong);
    }
    let mut parser = Parser { text: query, at: 0, depth: 0, variables };
    let mut operation = None;
    let mut fragments = BTreeMap::new();
    loop {
        parser.skip_ignored();
        if parser.rest().is_empty() {
            break;
        }
        if parser.peek() == Some('{') {
            parser.keep_one(&mut operation)?;
            continue;
        }
        match parser.name()? {
            "query" => {
                parser.operation_head()?;
                parser.keep_one(&mut operation)?;
            }
            "fragment" => {
                let name = parser.name()?.to_owned();
                parser.type_condition()?;
                fragments.insert(name, parser.selections()?);
            }
            other => return Err(QueryError::NotAQuery(other.to_owned())),
        }
    }
    let selections = operation.ok_or(QueryError::OneOperation)?;
    Ok(Document { selections, fragments })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    variables: &'a Map<String, Value>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character, after what GraphQL ignores.
    fn peek(&mut self) -> Option<char> {
        self.skip_ignored();
        self.rest().chars().next()
    }

    fn skip_ignored(&mut self) {
        loop {
            let rest = self.rest();
            let kept =
                rest.trim_start_matches(|it: char| it.is_whitespace() || it == ',' || it == '\u{feff}');
            self.at += rest.len() - kept.len();
            if !kept.starts_with('#') {
                return;
            }
            self.at += kept.find('\n').unwrap_or(kept.len());
        }
    }

    fn error<T>(&self, expected: &'static str) -> Result<T, QueryError> {
        Err(QueryError::Syntax { expected, at: self.at })
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Result<(), QueryError> {
        if self.eat(wanted) { Ok(()) } else { self.error(expected) }
    }

    fn name(&mut self) -> Result<&'a str, QueryError> {
        self.skip_ignored();
        let rest = self.rest();
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len());
        let (name, _) = rest.split_at_checked(end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) {
            return self.error("a name");
        }
        self.at += end;
        Ok(name)
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(QueryError::TooDeep);
        }
        let done = inner(self);
        self.depth -= 1;
        done
    }

    fn keep_one(&mut self, operation: &mut Option<Vec<Selection>>) -> Result<(), QueryError> {
        match operation.replace(self.selections()?) {
            None => Ok(()),
            Some(_) => Err(QueryError::OneOperation),
        }
    }

    /// A query's name and variable definitions. Types are the caller's promise and are not judged.
    fn operation_head(&mut self) -> Result<(), QueryError> {
        if !matches!(self.peek(), Some('{' | '(')) {
            self.name()?;
        }
        if self.eat('(') {
            while !self.eat(')') {
                self.expect('$', "a variable")?;
                self.name()?;
                self.expect(':', "`:`")?;
                self.type_reference()?;
                if self.eat('=') {
                    self.value()?;
                }
            }
        }
        Ok(())
    }

    fn type_reference(&mut self) -> Result<(), QueryError> {
        if self.eat('[') {
            self.deeper(Self::type_reference)?;
            self.expect(']', "`]`")?;
        } else {
            self.name()?;
        }
        self.eat('!');
        Ok(())
    }

    fn type_condition(&mut self) -> Result<(), QueryError> {
        if self.name()? != "on" {
            return self.error("`on`");
        }
        self.name().map(|_| ())
    }

    fn selections(&mut self) -> Result<Vec<Selection>, QueryError> {
        self.expect('{', "`{`")?;
        self.deeper(|parser| {
            let mut selections = Vec::new();
            while !parser.eat('}') {
                selections.push(parser.selection()?);
            }
            Ok(selections)
        })
    }

    fn selection(&mut self) -> Result<Selection, QueryError> {
        if self.peek() == Some('.') {
            return self.fragment_use();
        }
        let first = self.name()?;
        let name = if self.eat(':') { self.name()? } else { first };
        let mut arguments = Map::new();
        if self.eat('(') {
            while !self.eat(')') {
                let argument = self.name()?.to_owned();
                self.expect(':', "`:`")?;
                arguments.insert(argument, self.value()?);
            }
        }
        self.refuse_directive()?;
        let selections = if self.peek() == Some('{') { self.selections()? } else { Vec::new() };
        Ok(Selection::Field(Field { key: first.to_owned(), name: name.to_owned(), arguments, selections }))
    }

    fn fragment_use(&mut self) -> Result<Selection, QueryError> {
        if !self.rest().starts_with("...") {
            return self.error("`...`");
        }
        self.at += 3;
        self.refuse_directive()?;
        if self.peek() == Some('{') {
            return Ok(Selection::Inline(self.selections()?));
        }
        let name = self.name()?;
        if name == "on" {
            self.name()?;
            self.refuse_directive()?;
            return Ok(Selection::Inline(self.selections()?));
        }
        self.refuse_directive()?;
        Ok(Selection::Spread(name.to_owned()))
    }

    fn refuse_directive(&mut self) -> Result<(), QueryError> {
        if self.peek() == Some('@') { Err(QueryError::Directive) } else { Ok(()) }
    }

    fn value(&mut self) -> Result<Value, QueryError> {
        match self.peek() {
            Some('$') => {
                self.at += 1;
                let name = self.name()?;
                Ok(self.variables.get(name).cloned().unwrap_or_default())
            }
            Some('"') => self.string(),
            Some('[') => {
                self.at += 1;
                self.deeper(|parser| {
                    let mut items = Vec::new();
                    while !parser.eat(']') {
                        items.push(parser.value()?);
                    }
                    Ok(Value::Array(items))
                })
            }
            Some('{') => {
                self.at += 1;
                self.deeper(|parser| {
                    let mut fields = Map::new();
                    while !parser.eat('}') {
                        let name = parser.name()?.to_owned();
                        parser.expect(':', "`:`")?;
                        fields.insert(name, parser.value()?);
                    }
                    Ok(Value::Object(fields))
                })
            }
            Some('-' | '0'..='9') => self.number(),
            _ => Ok(match self.name()? {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                enumerated => Value::String(enumerated.to_owned()),
            }),
        }
    }

    /// A quoted string, whose escapes are JSON's. Block strings are not supported.
    fn string(&mut self) -> Result<Value, QueryError> {
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find(|(_, it)| {
            let closes = *it == '"' && !escaped;
            escaped = *it == '\\' && !escaped;
            closes
        });
        let text = end.and_then(|(at, _)| self.rest().get(..=at));
        let Some((text, value)) = text.and_then(|text| Some((text, serde_json::from_str(text).ok()?))) else {
            return self.error("a string");
        };
        self.at += text.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, QueryError> {
        let rest = self.rest();
        let end = rest.find(|it: char| !matches!(it, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let Ok(value) = serde_json::from_str(text) else { return self.error("a number") };
        self.at += text.len();
        Ok(value)
    }
}
