//! Splits Rego text into the few tokens that the loader's own checks need: names, strings, the rest. It is not a
//! parser; regorus parses. Comments are left out, so nothing in METADATA is taken for code.

/// A token and where it begins; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub line: u32,
    pub column: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Identifiers joined by dots without space: `count`, `input.params.days`.
    Path(String),
    /// The content between the quotes, escapes as written.
    Text(String),
    Sign(char),
}

pub(crate) fn tokens(rego: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: rego.chars().peekable(), line: 1, column: 1 };
    std::iter::from_fn(|| lexer.token()).collect()
}

struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    column: u32,
}

impl Lexer<'_> {
    fn token(&mut self) -> Option<Token> {
        loop {
            let next = *self.rest.peek()?;
            match next {
                '#' => self.skip_line(),
                _ if next.is_whitespace() => {
                    self.bump();
                }
                _ => break,
            }
        }
        let (line, column) = (self.line, self.column);
        let first = self.bump()?;
        let kind = match first {
            '"' => TokenKind::Text(self.quoted()),
            '`' => TokenKind::Text(self.until('`')),
            _ if is_name(first) => TokenKind::Path(self.path(first)),
            _ => TokenKind::Sign(first),
        };
        Some(Token { kind, line, column })
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        if next == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(next)
    }

    fn skip_line(&mut self) {
        while self.bump().is_some_and(|c| c != '\n') {}
    }

    fn quoted(&mut self) -> String {
        let mut text = String::new();
        while let Some(next) = self.bump() {
            match next {
                '"' => break,
                '\\' => {
                    text.push(next);
                    text.extend(self.bump());
                }
                _ => text.push(next),
            }
        }
        text
    }

    fn until(&mut self, end: char) -> String {
        let mut text = String::new();
        while let Some(next) = self.bump() {
            if next == end {
                break;
            }
            text.push(next);
        }
        text
    }

    fn path(&mut self, first: char) -> String {
        let mut path = String::from(first);
        while let Some(&next) = self.rest.peek() {
            if !is_name(next) && next != '.' {
                break;
            }
            path.push(next);
            self.bump();
        }
        path
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}
