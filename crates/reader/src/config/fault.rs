//! The error of typed reading: what `serde` says, in words for whoever wrote the file, and where.

use std::fmt::{self, Display};

use serde::de::{Expected, Unexpected};

use crate::diagnostics::{Position, one_of, quoted};
use crate::nearest::nearest;

#[derive(Debug)]
pub(super) struct Fault {
    kind: Kind,
    /// The key whose value is at fault.
    key: Option<String>,
    pub(super) at: Option<Position>,
    /// The entry to leave out so that the rest can be read.
    pub(super) entry: Option<u32>,
    /// Only the consequence of a fault already told.
    pub(super) follows: bool,
}

#[derive(Debug)]
enum Kind {
    Custom(String),
    Type { found: String, expected: String },
    Value { found: String, expected: String },
    Length { found: usize, expected: String },
    UnknownKey { key: String, known: Vec<String> },
    UnknownVariant { found: String, known: Vec<String> },
    Missing { key: String },
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { kind, key: None, at: None, entry: None, follows: false }
    }
    pub(super) fn found_other(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(Kind::Type { found: found.into(), expected: expected.into() })
    }
    pub(super) fn unknown_key(key: &str, known: &[&str]) -> Self {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        Self::new(Kind::UnknownKey { key: key.to_owned(), known })
    }
    /// The innermost place wins.
    pub(super) fn at(mut self, at: Position) -> Self {
        self.at.get_or_insert(at);
        self
    }
    pub(super) fn blame(mut self, entry: u32, key: Option<&str>) -> Self {
        if self.entry.is_none() {
            self.entry = Some(entry);
            if !matches!(self.kind, Kind::Missing { .. }) {
                self.key = key.map(str::to_owned);
            }
        }
        self
    }
    pub(super) fn missing(&self) -> Option<&str> {
        match &self.kind {
            Kind::Missing { key } if self.entry.is_none() => Some(key),
            _ => None,
        }
    }
    /// Message and hint.
    pub(super) fn text(&self) -> (String, Option<String>) {
        let of = self.key.as_ref().map_or(String::new(), |key| format!("{}: ", quoted(key)));
        match &self.kind {
            Kind::Custom(message) => (format!("{of}{message}"), None),
            Kind::Type { found, expected } | Kind::Value { found, expected } => {
                (format!("{of}found {found}"), Some(format!("expected {}", plain(expected))))
            }
            Kind::Length { found, expected } => {
                (format!("{of}found {found} items"), Some(format!("expected {}", plain(expected))))
            }
            Kind::UnknownKey { key, known } => {
                (format!("unknown key {}", quoted(key)), Some(choice(key, known, "no key here")))
            }
            Kind::UnknownVariant { found, known } => {
                (format!("{of}unknown value {}", quoted(found)), Some(choice(found, known, "no value here")))
            }
            Kind::Missing { key } => {
                (format!("missing key {}", quoted(key)), Some("add it to this mapping".to_owned()))
            }
        }
    }
}

fn choice(name: &str, known: &[String], nothing: &str) -> String {
    if known.is_empty() {
        return format!("expected {nothing}");
    }
    let expected = match known.len() {
        1 => format!("expected {}", one_of(known)),
        _ => format!("expected one of {}", one_of(known)),
    };
    match nearest(name, known) {
        Some(near) => format!("did you mean {}? {expected}", quoted(near)),
        None => expected,
    }
}

/// What `serde`'s visitors call their types, for people.
fn plain(expected: &str) -> String {
    let number = |low: &str, high: &str| format!("a whole number from {low} to {high}");
    match expected {
        "u8" => number("0", "255"),
        "u16" => number("0", "65535"),
        "u32" => number("0", "4294967295"),
        "u64" | "usize" | "u128" => "a whole number, 0 or more".to_owned(),
        "i8" => number("-128", "127"),
        "i16" => number("-32768", "32767"),
        "i32" => number("-2147483648", "2147483647"),
        "i64" | "isize" | "i128" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "a borrowed string" | "str" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping of keys to values".to_owned(),
        "unit" => "nothing".to_owned(),
        _ if expected.starts_with("struct ") => "a mapping of keys to values".to_owned(),
        _ => expected.to_owned(),
    }
}

fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Str(text) => format!("text {}", quoted(text)),
        Unexpected::Signed(number) => format!("the number `{number}`"),
        Unexpected::Unsigned(number) => format!("the number `{number}`"),
        Unexpected::Float(number) => format!("the number `{number}`"),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        Unexpected::Other(other) => (*other).to_owned(),
        other => other.to_string(),
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            (message, Some(hint)) => write!(f, "{message} ({hint})"),
            (message, None) => f.write_str(&message),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Kind::Custom(message.to_string()))
    }
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Type { found: found(&unexpected), expected: expected.to_string() })
    }
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Value { found: found(&unexpected), expected: expected.to_string() })
    }
    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(Kind::Length { found, expected: expected.to_string() })
    }
    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        Self::new(Kind::UnknownVariant { found: found.to_owned(), known })
    }
    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::unknown_key(key, known)
    }
    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::Missing { key: key.to_owned() })
    }
    fn duplicate_field(key: &'static str) -> Self {
        Self::new(Kind::Custom(format!("key {} is given twice", quoted(key))))
    }
}
