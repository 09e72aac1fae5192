//! ECMAScript patterns as bounded regular expressions: linear in time, whatever the client sends.
//!
//! What JSON Schema's `pattern` means is ECMA-262 with the `u` flag. It is translated, not passed on: classes that
//! differ (`\d`, `\w`, `\s`, `.`), escapes, brackets. Lookaheads at the front (`^(?=.*[A-Z])(?!.*x)...`), the usual
//! way to write password rules, become conditions of their own. Lookbehinds, lookaheads elsewhere and back references
//! have no such form and are told, never passed over.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Bytes of a pattern.
pub const MAX_PATTERN: usize = 4_096;
/// Memory of one compiled pattern.
const MAX_COMPILED: usize = 1 << 20;
const MAX_NESTING: u32 = 50;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    #[error("pattern is longer than {MAX_PATTERN} bytes")]
    Long,
    #[error("{0} in a pattern cannot be judged in bounded time")]
    Unbounded(&'static str),
    #[error("pattern is not a regular expression that is known here: {0}")]
    Invalid(String),
}

/// A compiled pattern: a text matches when all conditions hold.
#[derive(Clone)]
pub struct Pattern {
    conditions: Vec<(Regex, bool)>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.conditions.iter().map(|(regex, _)| regex.as_str())).finish()
    }
}

impl Pattern {
    pub fn compile(ecma: &str) -> Result<Self, PatternFault> {
        if ecma.len() > MAX_PATTERN {
            return Err(PatternFault::Long);
        }
        let mut conditions = Vec::new();
        let mut rest = ecma;
        let mut anchored = "";
        if !has_top_level_choice(ecma) {
            if let Some(behind) = ecma.strip_prefix('^') {
                (rest, anchored) = (behind, "^");
            }
            while let Some((inner, positive, behind)) = lookahead(rest) {
                // Without `^` each place of the text would be a start of its own.
                if anchored.is_empty() {
                    return Err(PatternFault::Unbounded("a lookahead"));
                }
                conditions.push((build(&format!("^(?:{})", translate(inner)?))?, positive));
                rest = behind;
            }
        }
        let body = translate(rest)?;
        if !body.is_empty() || conditions.is_empty() {
            conditions.push((build(&format!("{anchored}{body}"))?, true));
        }
        Ok(Self { conditions })
    }
    pub fn is_match(&self, text: &str) -> bool {
        self.conditions.iter().all(|(regex, wanted)| regex.is_match(text) == *wanted)
    }
}

fn build(pattern: &str) -> Result<Regex, PatternFault> {
    let built = RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(MAX_NESTING)
        .build();
    built.map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        PatternFault::Invalid(last.strip_prefix("error: ").unwrap_or(last).chars().take(200).collect())
    })
}

/// Where a class that opens before `at` ends.
fn class_end(text: &str, at: usize) -> usize {
    let mut escaped = false;
    for (offset, c) in text.get(at..).unwrap_or_default().char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => return at + offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// Calls `visit` with every character outside classes and escapes, its place and its depth of groups, until it says stop.
fn scan(text: &str, mut visit: impl FnMut(char, usize, usize) -> bool) {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match c {
            '\\' => {
                let escaped = text.get(at + 1..).and_then(|rest| rest.chars().next());
                at += 1 + escaped.map_or(0, char::len_utf8);
                continue;
            }
            '[' => {
                at = class_end(text, at + 1);
                continue;
            }
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if visit(c, at, depth) {
            return;
        }
        at += c.len_utf8();
    }
}

fn has_top_level_choice(text: &str) -> bool {
    let mut found = false;
    scan(text, |c, _, depth| {
        found |= c == '|' && depth == 0;
        found
    });
    found
}

/// The lookahead that `text` begins with: what is in it, whether it must hold, and what follows.
fn lookahead(text: &str) -> Option<(&str, bool, &str)> {
    let (rest, positive) = match (text.strip_prefix("(?="), text.strip_prefix("(?!")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return None,
    };
    let mut open = 1usize;
    let mut end = None;
    scan(rest, |c, at, _| {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            end = Some(at);
        }
        open == 0
    });
    let end = end?;
    let behind = rest.get(end + 1..)?;
    // A quantified lookahead means nothing useful; it is told as one.
    let plain = !behind.starts_with(['*', '+', '?', '{']);
    plain.then_some((rest.get(..end)?, positive, behind))
}

const SPACE: &str =
    r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";

fn translate(ecma: &str) -> Result<String, PatternFault> {
    let mut out = String::with_capacity(ecma.len() + 16);
    let mut chars = ecma.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, class, &mut out)?,
            '[' if class => out.push_str("\\["),
            '[' => {
                class = true;
                match chars.peek() {
                    Some('^') => {
                        chars.next();
                        match chars.peek() {
                            Some(']') => {
                                chars.next();
                                out.push_str("(?s:.)");
                                class = false;
                            }
                            _ => out.push_str("[^"),
                        }
                    }
                    Some(']') => {
                        chars.next();
                        out.push_str("[^\\x00-\\x{10FFFF}]");
                        class = false;
                    }
                    _ => out.push('['),
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            // A doubled hyphen means a difference of classes to the other syntax.
            '-' if class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            _ if class => out.push(c),
            ']' => out.push_str("\\]"),
            '}' => out.push_str("\\}"),
            '{' => match quantifier(&mut chars) {
                Some(text) => out.push_str(&text),
                None => out.push_str("\\{"),
            },
            '.' => out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
            '(' => {
                out.push('(');
                if chars.peek() == Some(&'?') {
                    chars.next();
                    out.push('?');
                    match chars.peek() {
                        Some(':') => {}
                        Some('<') => {
                            chars.next();
                            if matches!(chars.peek(), Some('=' | '!')) {
                                return Err(PatternFault::Unbounded("a lookbehind"));
                            }
                            out.push('<');
                        }
                        Some('=' | '!') => return Err(PatternFault::Unbounded("a lookahead")),
                        _ => return Err(PatternFault::Invalid("unknown group".to_owned())),
                    }
                }
            }
            c => out.push(c),
        }
    }
    if class { Err(PatternFault::Invalid("a class is not closed".to_owned())) } else { Ok(out) }
}

/// Reads on behind `{` where a count follows; leaves the text alone where it does not.
fn quantifier(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut ahead = chars.clone();
    let mut text = String::from("{");
    loop {
        match ahead.next()? {
            c @ ('0'..='9' | ',') if text.len() < 16 => text.push(c),
            '}' if text.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                text.push('}');
                *chars = ahead;
                return Some(text);
            }
            _ => return None,
        }
    }
}

fn escape(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    class: bool,
    out: &mut String,
) -> Result<(), PatternFault> {
    let invalid = || PatternFault::Invalid("unknown escape".to_owned());
    let set = |out: &mut String, inside: &str| match class {
        true => out.push_str(inside),
        false => out.push_str(&format!("[{inside}]")),
    };
    let c = chars.next().ok_or_else(invalid)?;
    match c {
        'd' => set(out, "0-9"),
        'w' => set(out, "0-9A-Za-z_"),
        's' => set(out, SPACE),
        'D' => out.push_str("[^0-9]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'S' => out.push_str(&format!("[^{SPACE}]")),
        'b' if class => out.push_str("\\x08"),
        'b' => out.push_str("(?-u:\\b)"),
        'B' => out.push_str("(?-u:\\B)"),
        't' | 'n' | 'r' => {
            out.push('\\');
            out.push(c);
        }
        'v' => out.push_str("\\x0B"),
        'f' => out.push_str("\\x0C"),
        '0' if !matches!(chars.peek(), Some('0'..='9')) => out.push_str("\\x00"),
        'c' => {
            let letter = chars.next().filter(char::is_ascii_alphabetic).ok_or_else(invalid)?;
            out.push_str(&format!("\\x{:02X}", letter as u32 % 32));
        }
        'x' => {
            let code = digits(chars, 2).ok_or_else(invalid)?;
            out.push_str(&format!("\\x{{{code:X}}}"));
        }
        'u' if chars.peek() == Some(&'{') => {
            chars.next();
            let mut code = String::new();
            loop {
                match chars.next().ok_or_else(invalid)? {
                    '}' => break,
                    digit if digit.is_ascii_hexdigit() && code.len() < 6 => code.push(digit),
                    _ => return Err(invalid()),
                }
            }
            out.push_str(&format!("\\x{{{code}}}"));
        }
        'u' => {
            let mut code = digits(chars, 4).ok_or_else(invalid)?;
            if (0xD800..0xDC00).contains(&code) {
                let low = (chars.next() == Some('\\') && chars.next() == Some('u'))
                    .then(|| digits(chars, 4))
                    .flatten()
                    .filter(|low| (0xDC00..0xE000).contains(low))
                    .ok_or_else(invalid)?;
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
            out.push_str(&format!("\\x{{{code:X}}}"));
        }
        'p' | 'P' => {
            out.push('\\');
            out.push(c);
        }
        '1'..='9' | 'k' => return Err(PatternFault::Unbounded("a back reference")),
        c if c.is_ascii_punctuation() || c == ' ' => {
            if c != '<' && c != '>' && c != ' ' {
                out.push('\\');
            }
            out.push(c);
        }
        c if c.is_ascii_alphanumeric() => return Err(invalid()),
        c => out.push(c),
    }
    Ok(())
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, count: usize) -> Option<u32> {
    let mut value = 0;
    for _ in 0..count {
        value = value * 16 + chars.next()?.to_digit(16)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_ecma_does() {
        for (pattern, text, expected) in [
            (r"^\d{3}-\d{4}$", "555-1234", true),
            (r"^\d+$", "\u{0661}\u{0662}", false),
            (r"^\w+$", "stra\u{df}e", false),
            (r"^a.c$", "a\rc", false),
            (r"^a.c$", "abc", true),
            (r"^[^]$", "\n", true),
            (r"a\/b", "a/b", true),
            (r"^\u0041$", "A", true),
            (r"^\u{1F600}$", "\u{1F600}", true),
            (r"^\uD83D\uDE00$", "\u{1F600}", true),
            (r"^[[a]$", "[", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[\w-]+$", "a-b_c", true),
            (r"^[\w.+-]+@[a-z]+\.[a-z]+$", "a.b+c@d.ee", true),
            (r"^x{2}$", "xx", true),
            (r"^{a}$", "{a}", true),
            (r"^\s$", "\u{feff}", true),
            (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "Passw0rdX", true),
            (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "passw0rdx", false),
            (r"^(?!admin$)[a-z]+$", "admin", false),
            (r"^(?!admin$)[a-z]+$", "administrator", true),
            (r"^(?<year>\d{4})$", "2024", true),
            (r"b", "abc", true),
            (r"^$", "", true),
            (r"\ba", "x a", true),
        ] {
            let compiled = Pattern::compile(pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault}"));
            assert_eq!(compiled.is_match(text), expected, "{pattern} {text:?}");
        }
    }

    #[test]
    fn tells_what_it_cannot_judge() {
        for pattern in
            [r"(a)\1", r"(?<=a)b", r"a(?=b)", r"(?=a)b", r"^(?=a)|b", r"\q", "[a", "(", "a{1,100000000}"]
        {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
        assert_eq!(Pattern::compile(&"a".repeat(MAX_PATTERN + 1)).err(), Some(PatternFault::Long));
    }
}
