//! Amounts with their unit: `10s`, `1h30m`, `64KiB`. A bare number is a size in bytes and never a duration.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("{found} is no duration, expected one such as `500ms`, `10s`, `1h30m` or `30d`")]
    Duration { found: String },
    #[error("{found} is no size, expected one such as `512`, `64KiB`, `10MB` or `1GiB`")]
    Size { found: String },
    #[error("{found} is larger than can be counted")]
    TooLarge { found: String },
}

/// A span of time, to the microsecond.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Duration(time::Duration);

/// In microseconds, largest first.
const DURATION_UNITS: [(&str, u64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Duration {
    pub const ZERO: Self = Self(time::Duration::ZERO);

    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(time::Duration::from_millis(milliseconds))
    }
    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }
    pub const fn from_days(days: u64) -> Self {
        Self(time::Duration::from_secs(days.saturating_mul(86_400)))
    }
    pub const fn as_std(self) -> time::Duration {
        self.0
    }
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
    pub fn as_micros(self) -> u64 {
        u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX)
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = QuantityError;

    /// Whole numbers with units, the larger unit first, each unit once; a plain `0` needs none.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let wrong = || QuantityError::Duration { found: crate::diagnostics::quoted(text) };
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let mut rest = text.trim();
        let mut micros = 0u64;
        let mut units = DURATION_UNITS.iter();
        while !rest.is_empty() {
            let (digits, tail) = split_digits(rest);
            let (unit, tail) = tail.split_at(tail.bytes().take_while(u8::is_ascii_alphabetic).count());
            let (_, scale) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let large = || QuantityError::TooLarge { found: crate::diagnostics::quoted(text) };
            let amount: u64 = match digits {
                "" => return Err(wrong()),
                digits => digits.parse().map_err(|_| large())?,
            };
            micros =
                amount.checked_mul(*scale).and_then(|part| micros.checked_add(part)).ok_or_else(large)?;
            rest = tail;
        }
        if text.trim().is_empty() { Err(wrong()) } else { Ok(Self(time::Duration::from_micros(micros))) }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.as_micros();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in DURATION_UNITS.iter().filter(|(unit, _)| *unit != "w") {
            let amount = rest / scale;
            if amount > 0 {
                write!(f, "{amount}{unit}")?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

/// A count of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }
    pub const fn gib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 30))
    }
    pub const fn bytes(self) -> u64 {
        self.0
    }
    /// As a length in memory; what does not fit becomes the largest length.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let found = || crate::diagnostics::quoted(text);
        let (digits, unit) = split_digits(text.trim());
        let unit = unit.trim_start();
        let scale = match SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
            Some((_, scale)) => *scale,
            None if unit.is_empty() => 1,
            None => return Err(QuantityError::Size { found: found() }),
        };
        if digits.is_empty() {
            return Err(QuantityError::Size { found: found() });
        }
        let amount: u64 = digits.parse().map_err(|_| QuantityError::TooLarge { found: found() })?;
        amount.checked_mul(scale).map(Self).ok_or_else(|| QuantityError::TooLarge { found: found() })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, scale): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*scale);
        match SIZE_UNITS.iter().take(4).find(exact) {
            Some((unit, scale)) => write!(f, "{}{unit}", self.0 / scale),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// Text in files and JSON, a number in binary records.
macro_rules! quantity {
    ($name:ident, $to:expr, $from:expr, $title:literal, $schema:expr, $expecting:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_u64($to(*self))
                }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                }
                if deserializer.is_human_readable() {
                    deserializer.deserialize_any(Text)
                } else {
                    u64::deserialize(deserializer).map($from)
                }
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

quantity!(
    Duration,
    Duration::as_micros,
    |micros| Duration(time::Duration::from_micros(micros)),
    "Duration",
    json_schema!({
        "type": "string",
        "pattern": "^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?)$",
        "description": "a duration such as 500ms, 10s, 1h30m or 30d"
    }),
    "a duration such as `500ms`, `10s`, `1h30m` or `30d`"
);
quantity!(
    ByteSize,
    ByteSize::bytes,
    ByteSize,
    "ByteSize",
    json_schema!({
        "type": ["string", "integer"],
        "pattern": "^[0-9]+ ?([kKmMgGtT]?[iI]?[bB])?$",
        "minimum": 0,
        "description": "a size in bytes such as 512, 64KiB, 10MB or 1GiB"
    }),
    "a size such as `512`, `64KiB`, `10MB` or `1GiB`"
);
