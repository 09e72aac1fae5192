//! JSON (RFC 8259), straight into the tree. Iterative; columns are counted once per byte, so that a document on one
//! long line costs no more than another.

use std::sync::Arc;

use super::build::Builder;
use super::{Fault, Tree};
use crate::diagnostics::{Diagnostics, Position, quoted};

pub(super) fn json(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Result<Tree, Fault> {
    let mut scanner = Scanner {
        text,
        at: 0,
        place: Position::START,
        counted: 0,
        builder: Builder::new(file, text.len() / 2, true),
        scratch: String::new(),
    };
    scanner.document(diagnostics)?;
    scanner.builder.finish()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Line and column of the byte at `counted`.
    place: Position,
    counted: usize,
    builder: Builder,
    scratch: String,
}

/// What comes next.
enum State {
    Value,
    /// A key, or the end of a mapping just opened.
    FirstKey,
    Key,
    /// A value, or the end of a list just opened.
    FirstItem,
    /// A comma, an end, or after the root nothing.
    After,
}

impl Scanner<'_> {
    fn document(&mut self, diagnostics: &mut Diagnostics) -> Result<(), Fault> {
        let mut open: Vec<bool> = Vec::new();
        let mut state = State::Value;
        loop {
            self.skip_whitespace();
            let here = self.place();
            let next = self.peek();
            state = match (state, next, open.last()) {
                (State::FirstKey, Some(b'}'), _)
                | (State::FirstItem, Some(b']'), _)
                | (State::After, Some(b'}'), Some(true))
                | (State::After, Some(b']'), Some(false)) => {
                    self.at += 1;
                    open.pop();
                    self.builder.close(diagnostics)?;
                    State::After
                }
                (State::FirstKey | State::Key, Some(b'"'), _) => {
                    self.string(here)?;
                    self.skip_whitespace();
                    let colon = self.place();
                    if self.peek() != Some(b':') {
                        return Err(self.unexpected(colon, "expected `:` after a key"));
                    }
                    self.at += 1;
                    State::Value
                }
                (State::FirstKey | State::Key, ..) => {
                    return Err(self.unexpected(here, "expected a key in double quotes"));
                }
                (State::Value | State::FirstItem, Some(b'{'), _) => {
                    self.at += 1;
                    open.push(true);
                    self.builder.open(here, true)?;
                    State::FirstKey
                }
                (State::Value | State::FirstItem, Some(b'['), _) => {
                    self.at += 1;
                    open.push(false);
                    self.builder.open(here, false)?;
                    State::FirstItem
                }
                (State::Value | State::FirstItem, Some(b'"'), _) => {
                    self.string(here)?;
                    State::After
                }
                (State::Value | State::FirstItem, ..) => {
                    self.bare(here)?;
                    State::After
                }
                (State::After, None, None) => return Ok(()),
                (State::After, _, None) => {
                    return Err(self.unexpected(here, "expected nothing after the document"));
                }
                (State::After, Some(b','), Some(mapping)) => {
                    self.at += 1;
                    if *mapping { State::Key } else { State::Value }
                }
                (State::After, _, Some(true)) => return Err(self.unexpected(here, "expected `,` or `}`")),
                (State::After, _, Some(false)) => return Err(self.unexpected(here, "expected `,` or `]`")),
            };
        }
    }
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
    fn skip_whitespace(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.counted = self.at;
                self.place = Position { line: self.place.line.saturating_add(1), column: 1 };
            }
        }
    }
    /// Line and column of `self.at`.
    fn place(&mut self) -> Position {
        let passed = self.text.as_bytes().get(self.counted..self.at).unwrap_or_default();
        let characters = passed.iter().filter(|b| (**b & 0xC0) != 0x80).count();
        self.place.column = self.place.column.saturating_add(u32::try_from(characters).unwrap_or(u32::MAX));
        self.counted = self.at;
        self.place
    }
    fn unexpected(&self, at: Position, expected: &str) -> Fault {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the file ends".to_owned(),
            Some(c) => format!("found {}", quoted(&c.to_string())),
        };
        Fault::new(at, format!("not valid JSON: {found}")).hint(expected)
    }

    /// The string at the opening quote, a key or a value.
    fn string(&mut self, here: Position) -> Result<(), Fault> {
        self.at += 1;
        let Self { text, scratch, .. } = self;
        let text = *text;
        scratch.clear();
        let mut plain_from = self.at;
        loop {
            let rest = text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(step) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)) else {
                return Err(Fault::new(here, "not valid JSON: a string without its closing quote"));
            };
            self.at += step;
            let piece = text.get(plain_from..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    if self.scratch.is_empty() {
                        self.builder.scalar(here, piece, false)?;
                    } else {
                        self.scratch.push_str(piece);
                        self.builder.scalar(here, &self.scratch, false)?;
                    }
                    return Ok(());
                }
                Some(b'\\') => {
                    self.scratch.push_str(piece);
                    self.escape()?;
                    plain_from = self.at;
                }
                _ => {
                    let at = self.place();
                    return Err(Fault::new(at, "not valid JSON: a control character in a string")
                        .hint("expected it escaped, such as `\\n`"));
                }
            }
        }
    }
    fn escape(&mut self) -> Result<(), Fault> {
        let (c, length) = match self.rest() {
            [_, b'"', ..] => ('"', 2),
            [_, b'\\', ..] => ('\\', 2),
            [_, b'/', ..] => ('/', 2),
            [_, b'b', ..] => ('\u{8}', 2),
            [_, b'f', ..] => ('\u{c}', 2),
            [_, b'n', ..] => ('\n', 2),
            [_, b'r', ..] => ('\r', 2),
            [_, b't', ..] => ('\t', 2),
            [_, b'u', digits @ ..] => match unicode(digits) {
                Some((c, length)) => (c, length + 2),
                None => return Err(self.bad_escape()),
            },
            _ => return Err(self.bad_escape()),
        };
        self.scratch.push(c);
        self.at += length;
        Ok(())
    }
    fn bad_escape(&mut self) -> Fault {
        let at = self.place();
        Fault::new(at, "not valid JSON: an unknown escape in a string")
            .hint("expected one such as `\\n` or `\\u00e9`")
    }

    /// A number, `true`, `false` or `null`.
    fn bare(&mut self, here: Position) -> Result<(), Fault> {
        let length = self
            .rest()
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
            .unwrap_or(self.rest().len());
        let word = self.text.get(self.at..self.at + length).unwrap_or_default();
        if !matches!(word, "true" | "false" | "null") && !is_number(word) {
            return Err(match word {
                "" => self.unexpected(here, "expected a value"),
                _ => Fault::new(here, format!("not valid JSON: found {}", quoted(word)))
                    .hint("expected a value"),
            });
        }
        self.builder.scalar(here, word, true)?;
        self.at += length;
        Ok(())
    }
}

/// The character of `\u` and how many bytes after it belong to it. Half a surrogate pair becomes U+FFFD.
fn unicode(digits: &[u8]) -> Option<(char, usize)> {
    let unit = |digits: &[u8]| {
        let digits = digits.get(..4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(digits)?;
    if (0xD800..0xDC00).contains(&first)
        && let Some([b'\\', b'u', low @ ..]) = digits.get(4..)
        && let Some(second @ 0xDC00..0xE000) = unit(low)
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4))
}

fn is_number(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(word);
    if whole == 0 || (whole > 1 && word.starts_with('0')) {
        return false;
    }
    let mut rest = word.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
