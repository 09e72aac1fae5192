//! The schema definition language, without descriptions and directives.

use probity_model::bundle::contract::{GraphqlArgument, GraphqlField, GraphqlKind, GraphqlSchema};

use super::{Collected, Fault, MAX_FIELDS};

/// Types and values in each other.
const MAX_NESTING: u32 = 32;

type Read<T> = Result<T, Fault>;

pub(super) fn read(text: &str) -> Read<GraphqlSchema> {
    let mut reader = Reader { text, at: 0, collected: Collected::default() };
    while reader.peek().is_some() {
        reader.definition()?;
    }
    let end = reader.at;
    reader.collected.finish().map_err(|message| Fault { at: end, message })
}

struct Reader<'s> {
    text: &'s str,
    at: usize,
    collected: Collected,
}

impl<'s> Reader<'s> {
    fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }
    fn fault<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(Fault { at: self.at, message: message.into() })
    }
    fn peek(&mut self) -> Option<u8> {
        loop {
            let rest = self.rest();
            let kept = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '\u{feff}'));
            self.at += rest.len() - kept.len();
            if !kept.starts_with('#') {
                return kept.bytes().next();
            }
            self.at += kept.find('\n').unwrap_or(kept.len());
        }
    }
    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }
    fn expect(&mut self, wanted: u8) -> Read<()> {
        if self.eat(wanted) { Ok(()) } else { self.fault(format!("expected `{}`", char::from(wanted))) }
    }
    fn name(&mut self) -> Read<&'s str> {
        self.peek();
        let rest = self.rest();
        let end =
            rest.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_').unwrap_or(rest.len());
        let (name, _) = rest.split_at_checked(end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return self.fault("expected a name");
        }
        self.at += end;
        Ok(name)
    }
    fn description(&mut self) -> Read<()> {
        if self.peek() == Some(b'"') { self.string() } else { Ok(()) }
    }
    fn string(&mut self) -> Read<()> {
        if let Some(block) = self.rest().strip_prefix("\"\"\"") {
            let mut from = 0;
            loop {
                let Some(found) = block.get(from..).and_then(|rest| rest.find("\"\"\"")) else {
                    return self.fault("a text without end");
                };
                let end = from + found;
                if block.get(..end).is_some_and(|before| before.ends_with('\\')) {
                    from = end + 3;
                    continue;
                }
                self.at += end + 6;
                return Ok(());
            }
        }
        let mut escaped = false;
        for (offset, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at += offset + 1;
                    return Ok(());
                }
                _ => {}
            }
        }
        self.fault("a text without end")
    }
    fn directives(&mut self) -> Read<()> {
        while self.eat(b'@') {
            self.name()?;
            if self.eat(b'(') {
                while !self.eat(b')') {
                    self.name()?;
                    self.expect(b':')?;
                    self.value(0)?;
                }
            }
        }
        Ok(())
    }
    fn value(&mut self, depth: u32) -> Read<()> {
        if depth > MAX_NESTING {
            return self.fault("a value nested too deeply");
        }
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'[') => {
                self.at += 1;
                while !self.eat(b']') {
                    self.value(depth + 1)?;
                }
                Ok(())
            }
            Some(b'{') => {
                self.at += 1;
                while !self.eat(b'}') {
                    self.name()?;
                    self.expect(b':')?;
                    self.value(depth + 1)?;
                }
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let rest = self.rest();
                let end =
                    rest.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !b"+-.".contains(&byte));
                self.at += end.unwrap_or(rest.len());
                Ok(())
            }
            _ => self.name().map(drop),
        }
    }
    fn kind(&mut self, out: &mut String, depth: u32) -> Read<()> {
        if depth > MAX_NESTING {
            return self.fault("a type nested too deeply");
        }
        if self.eat(b'[') {
            out.push('[');
            self.kind(out, depth + 1)?;
            self.expect(b']')?;
            out.push(']');
        } else {
            out.push_str(self.name()?);
        }
        if self.eat(b'!') {
            out.push('!');
        }
        Ok(())
    }

    fn definition(&mut self) -> Read<()> {
        self.description()?;
        let mut word = self.name()?;
        if word == "extend" {
            word = self.name()?;
        }
        match word {
            "schema" => self.roots(),
            "scalar" => {
                self.define(GraphqlKind::Scalar)?;
                self.directives()
            }
            "type" => self.object(GraphqlKind::Object),
            "interface" => self.object(GraphqlKind::Interface),
            "input" => self.object(GraphqlKind::Input),
            "enum" => self.values(),
            "union" => self.members(),
            "directive" => self.directive(),
            other => self.fault(format!("`{other}` is no definition of a schema")),
        }
    }
    fn define(&mut self, kind: GraphqlKind) -> Read<&'s str> {
        let name = self.name()?;
        match self.collected.of(name, kind) {
            Ok(_) => Ok(name),
            Err(message) => self.fault(message),
        }
    }
    fn roots(&mut self) -> Read<()> {
        self.collected.explicit = true;
        self.directives()?;
        if !self.eat(b'{') {
            return Ok(());
        }
        while !self.eat(b'}') {
            let root = self.name()?;
            self.expect(b':')?;
            let name = Some(self.name()?.to_owned());
            match root {
                "query" => self.collected.query = name,
                "mutation" => self.collected.mutation = name,
                "subscription" => self.collected.subscription = name,
                other => return self.fault(format!("`{other}` is no kind of operation")),
            }
        }
        Ok(())
    }
    fn object(&mut self, kind: GraphqlKind) -> Read<()> {
        let name = self.define(kind)?;
        if self.rest().trim_start().starts_with("implements") {
            self.name()?;
            self.eat(b'&');
            loop {
                let interface = self.name()?.to_owned();
                self.collected.implements.push((name.to_owned(), interface));
                if !self.eat(b'&') && !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    break;
                }
                // Without a body the next definition follows.
                if self.rest().starts_with("type ") {
                    break;
                }
            }
        }
        self.directives()?;
        let mut fields = Vec::new();
        if self.eat(b'{') {
            while !self.eat(b'}') {
                if fields.len() >= MAX_FIELDS {
                    return self.fault(format!("more than {MAX_FIELDS} fields"));
                }
                fields.push(self.field(kind == GraphqlKind::Input)?);
            }
        }
        match self.collected.of(name, kind) {
            Ok(known) => known.fields.extend(fields),
            Err(message) => return self.fault(message),
        }
        Ok(())
    }
    fn field(&mut self, input: bool) -> Read<GraphqlField> {
        self.description()?;
        let name = self.name()?.to_owned();
        let mut arguments = Vec::new();
        if !input && self.eat(b'(') {
            while !self.eat(b')') {
                if arguments.len() >= MAX_FIELDS {
                    return self.fault(format!("more than {MAX_FIELDS} arguments"));
                }
                self.description()?;
                let name = self.name()?.to_owned();
                self.expect(b':')?;
                let mut kind = String::new();
                self.kind(&mut kind, 0)?;
                let defaulted = self.eat(b'=');
                if defaulted {
                    self.value(0)?;
                }
                self.directives()?;
                arguments.push(GraphqlArgument { name, kind, defaulted });
            }
        }
        self.expect(b':')?;
        let mut kind = String::new();
        self.kind(&mut kind, 0)?;
        if input && self.eat(b'=') {
            self.value(0)?;
            // What has a default may be left out.
            kind.truncate(kind.strip_suffix('!').map_or(kind.len(), str::len));
        }
        self.directives()?;
        Ok(GraphqlField { name, kind, arguments })
    }
    fn values(&mut self) -> Read<()> {
        let name = self.define(GraphqlKind::Enum)?;
        self.directives()?;
        let mut values = Vec::new();
        if self.eat(b'{') {
            while !self.eat(b'}') {
                if values.len() >= MAX_FIELDS {
                    return self.fault(format!("more than {MAX_FIELDS} values"));
                }
                self.description()?;
                values.push(self.name()?.to_owned());
                self.directives()?;
            }
        }
        match self.collected.of(name, GraphqlKind::Enum) {
            Ok(known) => known.values.extend(values),
            Err(message) => return self.fault(message),
        }
        Ok(())
    }
    fn members(&mut self) -> Read<()> {
        let name = self.define(GraphqlKind::Union)?;
        self.directives()?;
        let mut members = Vec::new();
        if self.eat(b'=') {
            self.eat(b'|');
            loop {
                members.push(self.name()?.to_owned());
                if !self.eat(b'|') {
                    break;
                }
            }
        }
        match self.collected.of(name, GraphqlKind::Union) {
            Ok(known) => known.members.extend(members),
            Err(message) => return self.fault(message),
        }
        Ok(())
    }
    fn directive(&mut self) -> Read<()> {
        self.expect(b'@')?;
        self.name()?;
        if self.eat(b'(') {
            while !self.eat(b')') {
                self.description()?;
                self.name()?;
                self.expect(b':')?;
                self.kind(&mut String::new(), 0)?;
                if self.eat(b'=') {
                    self.value(0)?;
                }
                self.directives()?;
            }
        }
        let mut word = self.name()?;
        if word == "repeatable" {
            word = self.name()?;
        }
        if word != "on" {
            return self.fault("expected `on`");
        }
        self.eat(b'|');
        loop {
            self.name()?;
            if !self.eat(b'|') {
                return Ok(());
            }
        }
    }
}
