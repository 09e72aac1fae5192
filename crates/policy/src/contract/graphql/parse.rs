//! GraphQL requests to a tree that borrows the text. Executable documents only; schemas are the reader's.
//!
//! Bounded by the length of the text and by [`MAX_NESTING`]; it never recurses deeper.

/// Selections in selections, and values in values.
pub const MAX_NESTING: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseFault {
    Syntax(&'static str),
    Nesting,
}

type Parsed<T> = Result<T, ParseFault>;

#[derive(Debug, Default)]
pub struct Document<'q> {
    pub operations: Vec<Operation<'q>>,
    pub fragments: Vec<Fragment<'q>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    Query,
    Mutation,
    Subscription,
}

#[derive(Debug)]
pub struct Operation<'q> {
    pub kind: OperationKind,
    pub name: Option<&'q str>,
    pub variables: Vec<Variable<'q>>,
    pub directives: u32,
    pub selections: Vec<Selection<'q>>,
}

#[derive(Debug)]
pub struct Variable<'q> {
    pub name: &'q str,
    /// As written, without spaces: `[ID!]!`.
    pub kind: String,
    pub defaulted: bool,
}

#[derive(Debug)]
pub struct Fragment<'q> {
    pub name: &'q str,
    pub on: &'q str,
    pub directives: u32,
    pub selections: Vec<Selection<'q>>,
}

#[derive(Debug)]
pub enum Selection<'q> {
    Field(Field<'q>),
    Spread { name: &'q str, directives: u32 },
    Inline { on: Option<&'q str>, directives: u32, selections: Vec<Selection<'q>> },
}

#[derive(Debug)]
pub struct Field<'q> {
    pub aliased: bool,
    pub name: &'q str,
    pub arguments: Vec<(&'q str, Value<'q>)>,
    pub directives: u32,
    pub selections: Vec<Selection<'q>>,
}

#[derive(Debug, PartialEq)]
pub enum Value<'q> {
    Null,
    Boolean,
    /// Saturated where it is longer than 64 bits.
    Int(i64),
    Float,
    String,
    Enum(&'q str),
    Variable(&'q str),
    List(Vec<Value<'q>>),
    Object(Vec<(&'q str, Value<'q>)>),
}

/// Reads an executable document.
pub fn parse(text: &str) -> Parsed<Document<'_>> {
    let mut parser = Parser { text, at: 0 };
    let mut document = Document::default();
    parser.skip();
    while !parser.rest().is_empty() {
        if parser.peek() == Some(b'{') {
            let selections = parser.selections(0)?;
            let kind = OperationKind::Query;
            document.operations.push(Operation {
                kind,
                name: None,
                variables: Vec::new(),
                directives: 0,
                selections,
            });
        } else {
            match parser.name("an operation or a fragment")? {
                "fragment" => {
                    let name = parser.name("a fragment's name")?;
                    if name == "on" || parser.name("`on`")? != "on" {
                        return Err(ParseFault::Syntax("a fragment's name and `on`"));
                    }
                    let on = parser.name("a type")?;
                    let directives = parser.directives(0)?;
                    let selections = parser.selections(0)?;
                    if document.fragments.iter().any(|known| known.name == name) {
                        return Err(ParseFault::Syntax("each fragment once"));
                    }
                    document.fragments.push(Fragment { name, on, directives, selections });
                }
                word => {
                    let kind = match word {
                        "query" => OperationKind::Query,
                        "mutation" => OperationKind::Mutation,
                        "subscription" => OperationKind::Subscription,
                        _ => return Err(ParseFault::Syntax("an operation or a fragment")),
                    };
                    let operation = parser.operation(kind)?;
                    document.operations.push(operation);
                }
            }
        }
        parser.skip();
    }
    if document.operations.is_empty() {
        return Err(ParseFault::Syntax("an operation"));
    }
    Ok(document)
}

struct Parser<'q> {
    text: &'q str,
    at: usize,
}

impl<'q> Parser<'q> {
    fn rest(&self) -> &'q str {
        self.text.get(self.at..).unwrap_or_default()
    }
    /// Passes over what GraphQL ignores.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let kept = rest.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
            self.at += rest.len() - kept.len();
            if !kept.starts_with('#') {
                return;
            }
            self.at += kept.find(['\n', '\r']).unwrap_or(kept.len());
        }
    }
    fn peek(&mut self) -> Option<u8> {
        self.skip();
        self.text.as_bytes().get(self.at).copied()
    }
    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }
    fn expect(&mut self, wanted: u8, expected: &'static str) -> Parsed<()> {
        if self.eat(wanted) { Ok(()) } else { Err(ParseFault::Syntax(expected)) }
    }
    fn name(&mut self, expected: &'static str) -> Parsed<&'q str> {
        self.skip();
        let rest = self.rest();
        let end =
            rest.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_').unwrap_or(rest.len());
        let (name, _) = rest.split_at_checked(end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ParseFault::Syntax(expected));
        }
        self.at += end;
        Ok(name)
    }
    fn operation(&mut self, kind: OperationKind) -> Parsed<Operation<'q>> {
        let name = match self.peek() {
            Some(b'{' | b'(' | b'@') => None,
            _ => Some(self.name("an operation's name or `{`")?),
        };
        let mut variables = Vec::new();
        if self.eat(b'(') {
            while !self.eat(b')') {
                self.expect(b'$', "a variable")?;
                let name = self.name("a variable's name")?;
                self.expect(b':', "`:`")?;
                let mut kind = String::new();
                self.kind(&mut kind, 0)?;
                let defaulted = self.eat(b'=');
                if defaulted {
                    self.value(0)?;
                }
                self.directives(0)?;
                variables.push(Variable { name, kind, defaulted });
            }
        }
        let directives = self.directives(0)?;
        let selections = self.selections(0)?;
        Ok(Operation { kind, name, variables, directives, selections })
    }
    fn kind(&mut self, out: &mut String, depth: u32) -> Parsed<()> {
        if depth > MAX_NESTING {
            return Err(ParseFault::Nesting);
        }
        if self.eat(b'[') {
            out.push('[');
            self.kind(out, depth + 1)?;
            self.expect(b']', "`]`")?;
            out.push(']');
        } else {
            out.push_str(self.name("a type")?);
        }
        if self.eat(b'!') {
            out.push('!');
        }
        Ok(())
    }
    fn selections(&mut self, depth: u32) -> Parsed<Vec<Selection<'q>>> {
        self.expect(b'{', "`{`")?;
        if depth >= MAX_NESTING {
            return Err(ParseFault::Nesting);
        }
        let mut list = Vec::new();
        while !self.eat(b'}') {
            list.push(self.selection(depth)?);
        }
        if list.is_empty() { Err(ParseFault::Syntax("a field")) } else { Ok(list) }
    }
    fn selection(&mut self, depth: u32) -> Parsed<Selection<'q>> {
        if self.peek() == Some(b'.') {
            return self.spread(depth);
        }
        let first = self.name("a field")?;
        let aliased = self.eat(b':');
        let name = if aliased { self.name("a field")? } else { first };
        let arguments = self.arguments(depth)?;
        let directives = self.directives(depth)?;
        let selections = if self.peek() == Some(b'{') { self.selections(depth + 1)? } else { Vec::new() };
        Ok(Selection::Field(Field { aliased, name, arguments, directives, selections }))
    }
    fn spread(&mut self, depth: u32) -> Parsed<Selection<'q>> {
        if !self.rest().starts_with("...") {
            return Err(ParseFault::Syntax("`...`"));
        }
        self.at += 3;
        let on = match self.peek() {
            Some(b'{' | b'@') => None,
            _ => match self.name("a fragment")? {
                "on" => Some(self.name("a type")?),
                name => return Ok(Selection::Spread { name, directives: self.directives(depth)? }),
            },
        };
        let directives = self.directives(depth)?;
        Ok(Selection::Inline { on, directives, selections: self.selections(depth + 1)? })
    }
    fn arguments(&mut self, depth: u32) -> Parsed<Vec<(&'q str, Value<'q>)>> {
        let mut list = Vec::new();
        if self.eat(b'(') {
            while !self.eat(b')') {
                let name = self.name("an argument")?;
                self.expect(b':', "`:`")?;
                list.push((name, self.value(depth)?));
            }
        }
        Ok(list)
    }
    /// How many there are.
    fn directives(&mut self, depth: u32) -> Parsed<u32> {
        let mut count = 0;
        while self.eat(b'@') {
            self.name("a directive")?;
            self.arguments(depth)?;
            count += 1;
        }
        Ok(count)
    }
    fn value(&mut self, depth: u32) -> Parsed<Value<'q>> {
        if depth > MAX_NESTING {
            return Err(ParseFault::Nesting);
        }
        match self.peek() {
            Some(b'$') => {
                self.at += 1;
                self.name("a variable's name").map(Value::Variable)
            }
            Some(b'"') => self.string(),
            Some(b'[') => {
                self.at += 1;
                let mut list = Vec::new();
                while !self.eat(b']') {
                    list.push(self.value(depth + 1)?);
                }
                Ok(Value::List(list))
            }
            Some(b'{') => {
                self.at += 1;
                let mut list = Vec::new();
                while !self.eat(b'}') {
                    let name = self.name("a field")?;
                    self.expect(b':', "`:`")?;
                    list.push((name, self.value(depth + 1)?));
                }
                Ok(Value::Object(list))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Ok(match self.name("a value")? {
                "null" => Value::Null,
                "true" | "false" => Value::Boolean,
                name => Value::Enum(name),
            }),
        }
    }
    fn number(&mut self) -> Parsed<Value<'q>> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit() && !b"+-.eE".contains(&byte));
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at += text.len();
        if text.contains(['.', 'e', 'E']) {
            return if text.parse::<f64>().is_ok() {
                Ok(Value::Float)
            } else {
                Err(ParseFault::Syntax("a number"))
            };
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseFault::Syntax("a number"));
        }
        Ok(Value::Int(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX })))
    }
    fn string(&mut self) -> Parsed<Value<'q>> {
        const FAULT: ParseFault = ParseFault::Syntax("the end of a string");
        if let Some(block) = self.rest().strip_prefix("\"\"\"") {
            let mut from = 0;
            loop {
                let found = block.get(from..).and_then(|rest| rest.find("\"\"\"")).ok_or(FAULT)? + from;
                if block.get(..found).is_some_and(|before| before.ends_with('\\')) {
                    from = found + 3;
                    continue;
                }
                self.at += found + 6;
                return Ok(Value::String);
            }
        }
        let mut escaped = false;
        for (offset, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' | b'\r' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at += offset + 1;
                    return Ok(Value::String);
                }
                _ => {}
            }
        }
        Err(FAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_graphql_allows() {
        for text in [
            "{a}",
            "query Q($a: [ID!]! = [1] @d, $b: Int) @x(y: 1) { a: b(c: {d: [1, 2.5e3, \"x\\\"\", \"\"\"a \\\"\"\" b\"\"\", E, $a, null, true]}) { ...F ... on T @i { c } ... { d } } }\nfragment F on T { e }",
            "subscription { a } # end",
            "\u{feff}mutation,M{a,b}",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text).err());
        }
    }

    #[test]
    fn refuses_what_it_does_not() {
        for text in [
            "",
            "{}",
            "{a",
            "{a}}",
            "a{b}",
            "query",
            "{a(b)}",
            "{a(b:)}",
            "{...}",
            "{a(b:\"x)}",
            "{a(b:\"x\n\")}",
            "fragment F on T {a}",
            "{a}fragment on on T{a}",
            "{a}fragment F on T{a}fragment F on T{a}",
            "{a @}",
            "{1a}",
            "query($a Int){a}",
            "{a(b:1.)}x",
            "type T {a: Int}",
            "{a(b: -)}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let deep = "{a".repeat(10_000);
        assert_eq!(parse(&deep).err(), Some(ParseFault::Nesting));
        let deep = format!("{{a(b:{}", "[".repeat(10_000));
        assert_eq!(parse(&deep).err(), Some(ParseFault::Nesting));
    }
}
