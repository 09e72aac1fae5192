//! Formats, asserted: what a string or number with a `format` must look like.
//!
//! A format that is not known here asserts nothing, as JSON Schema has it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::number::Number;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Date,
    DateTime,
    Time,
    Duration,
    Uuid,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
    UriReference,
    Byte,
    JsonPointer,
    Int32,
    Int64,
    Float,
    Double,
}

impl Format {
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "date" => Self::Date,
            "date-time" => Self::DateTime,
            "time" => Self::Time,
            "duration" => Self::Duration,
            "uuid" => Self::Uuid,
            "email" | "idn-email" => Self::Email,
            "hostname" => Self::Hostname,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "uri" | "url" | "iri" => Self::Uri,
            "uri-reference" | "iri-reference" => Self::UriReference,
            "byte" => Self::Byte,
            "json-pointer" => Self::JsonPointer,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float" => Self::Float,
            "double" => Self::Double,
            _ => return None,
        })
    }
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "a date",
            Self::DateTime => "a date and time",
            Self::Time => "a time",
            Self::Duration => "a duration",
            Self::Uuid => "a UUID",
            Self::Email => "an e-mail address",
            Self::Hostname => "a host name",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Uri => "a URI",
            Self::UriReference => "a URI reference",
            Self::Byte => "base64",
            Self::JsonPointer => "a JSON pointer",
            Self::Int32 => "a whole number of 32 bits",
            Self::Int64 => "a whole number of 64 bits",
            Self::Float | Self::Double => "a number that fits",
        }
    }
    pub const fn is_numeric(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Float | Self::Double)
    }
    /// Of strings. A number's format says nothing of a string.
    pub fn holds(self, text: &str) -> bool {
        match self {
            Self::Date => is_date(text.as_bytes()),
            Self::DateTime => is_date_time(text.as_bytes()),
            Self::Time => is_time(text.as_bytes()),
            Self::Duration => is_duration(text.as_bytes()),
            Self::Uuid => is_uuid(text.as_bytes()),
            Self::Email => is_email(text),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uri => is_uri(text, true),
            Self::UriReference => is_uri(text, false),
            Self::Byte => is_base64(text.as_bytes()),
            Self::JsonPointer => is_pointer(text),
            Self::Int32 | Self::Int64 | Self::Float | Self::Double => true,
        }
    }
    pub fn holds_number(self, number: Number) -> bool {
        let within = |low: i64, high: i64| {
            number.is_integer()
                && number.compare(Number::of(low)).is_ge()
                && number.compare(Number::of(high)).is_le()
        };
        match self {
            Self::Int32 => within(i64::from(i32::MIN), i64::from(i32::MAX)),
            Self::Int64 => within(i64::MIN, i64::MAX),
            Self::Float => number.as_f64().abs() <= f64::from(f32::MAX),
            Self::Double => number.as_f64().is_finite(),
            _ => true,
        }
    }
}

/// Two to four decimal digits.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

fn is_date(bytes: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return false };
    let (Some(year), Some(month), Some(day)) =
        (digits(&[y1, y2, y3, y4]), digits(&[m1, m2]), digits(&[d1, d2]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=last).contains(&day)
}

fn is_date_time(bytes: &[u8]) -> bool {
    match bytes.split_at_checked(10) {
        Some((date, [b'T' | b't', time @ ..])) => is_date(date) && is_time(time),
        _ => false,
    }
}

/// RFC 3339 full-time.
fn is_time(bytes: &[u8]) -> bool {
    let &[h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = bytes else { return false };
    let (Some(hour), Some(minute), Some(second)) = (digits(&[h1, h2]), digits(&[m1, m2]), digits(&[s1, s2]))
    else {
        return false;
    };
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let end = fraction.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
            if end == 0 {
                return false;
            }
            fraction.get(end..).unwrap_or_default()
        }
        rest => rest,
    };
    let offset = match rest {
        [b'Z' | b'z'] => Some(0),
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => match (digits(&[h1, h2]), digits(&[m1, m2])) {
            (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => {
                let minutes = i64::from(hours * 60 + minutes);
                Some(if sign == b'-' { -minutes } else { minutes })
            }
            _ => None,
        },
        _ => None,
    };
    let Some(offset) = offset else { return false };
    if hour > 23 || minute > 59 {
        return false;
    }
    // A leap second stands at the end of a day, in UTC.
    second <= 59
        || second == 60 && (i64::from(hour * 60 + minute) - offset).rem_euclid(24 * 60) == 23 * 60 + 59
}

/// ISO 8601 as RFC 3339 appendix A has it.
fn is_duration(bytes: &[u8]) -> bool {
    let Some((b'P', mut rest)) = bytes.split_first() else { return false };
    let mut units: &[u8] = b"YMWD";
    let (mut any, mut in_time, mut weeks, mut others) = (false, false, false, false);
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'T' && !in_time {
            (in_time, units, rest, any) = (true, b"HMS", tail, false);
            continue;
        }
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let Some((_, [unit, tail @ ..])) = rest.split_at_checked(end).filter(|_| end > 0) else {
            return false;
        };
        let Some(found) = units.iter().position(|known| known == unit) else { return false };
        units = units.get(found + 1..).unwrap_or_default();
        (weeks, others) = (weeks | (*unit == b'W'), others | (*unit != b'W'));
        any = true;
        rest = tail;
    }
    any && !(weeks && others)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => !quoted.chars().any(|c| c == '"' || c.is_control()),
        None => {
            !local.split('.').any(str::is_empty)
                && local
                    .chars()
                    .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c))
        }
    };
    let domain_ok = match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => match literal.strip_prefix("IPv6:") {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => literal.parse::<Ipv4Addr>().is_ok(),
        },
        None => is_hostname(domain) || !domain.is_ascii() && !domain.contains(char::is_whitespace),
    };
    !local.is_empty() && local.len() <= 64 && local_ok && domain_ok
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 253
        && !text.is_empty()
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// RFC 3986 by its letters, with a scheme when `absolute`. Letters beyond ASCII pass, as in an IRI.
fn is_uri(text: &str, absolute: bool) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    if absolute && scheme.is_none() {
        return false;
    }
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let good = match byte {
            b'%' => {
                matches!((rest.next(), rest.next()), (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
            }
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=0x20 | 0x7F => false,
            _ => true,
        };
        if !good {
            return false;
        }
    }
    true
}

fn is_base64(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let (body, _) = bytes.split_at_checked(bytes.len().saturating_sub(padding)).unwrap_or_default();
    padding <= 2
        && bytes.len().is_multiple_of(4)
        && body.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/'))
        && text.split('~').skip(1).all(|part| part.starts_with('0') || part.starts_with('1'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asserts_strings() {
        for (format, good, bad) in [
            (
                "date",
                vec!["2024-02-29", "2000-02-29"],
                vec!["2023-02-29", "1900-02-29", "2024-2-9", "2024-13-01", ""],
            ),
            (
                "date-time",
                vec!["2024-01-01T00:00:00Z", "2024-01-01t23:59:60z", "2024-01-01T01:02:03.456+02:00"],
                vec!["2024-01-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T22:59:60Z"],
            ),
            ("time", vec!["12:00:00Z", "00:29:60+00:30"], vec!["12:00:00", "12:00Z", "12:00:00.Z"]),
            (
                "duration",
                vec!["P1D", "PT5M", "P1Y2M3DT4H5M6S", "P4W"],
                vec!["P", "PT", "P1", "1D", "P1W2D", "PT1D"],
            ),
            (
                "uuid",
                vec!["2EB8AA08-AA98-11EA-B4AA-73B441D16380"],
                vec!["2eb8aa08aa9811eab4aa73b441d16380", ""],
            ),
            (
                "email",
                vec!["joe.bloggs@example.com", "te~st@example.com", "\"joe b\"@example.com", "a@[127.0.0.1]"],
                vec!["x", ".a@b.c", "a..b@c.d", "a@", "@b", "a b@c.d"],
            ),
            ("hostname", vec!["a.example.com", "x"], vec!["-a.com", "a_b.com", "a..b", ""]),
            ("ipv4", vec!["192.0.2.1"], vec!["192.0.2", "256.1.1.1", "01.1.1.1", "1.1.1.1/8"]),
            (
                "ipv6",
                vec!["::1", "2001:db8::8a2e:370:7334", "::ffff:192.0.2.1"],
                vec!["12345::", "::1%eth0", ":"],
            ),
            (
                "uri",
                vec!["https://example.com/a?b#c", "urn:a:b"],
                vec!["/a", "http://a b", "a", "http://x/%zz"],
            ),
            ("uri-reference", vec!["/a", "", "../b?c"], vec!["a b", "\\\\x"]),
            ("byte", vec!["", "YQ==", "YWJj"], vec!["YQ", "Y===", "a_b="]),
            ("json-pointer", vec!["", "/a/b~0c"], vec!["a", "/a~2"]),
        ] {
            let known = Format::of(format).expect("a known format");
            for text in good {
                assert!(known.holds(text), "{format} {text:?}");
            }
            for text in bad {
                assert!(!known.holds(text), "{format} {text:?}");
            }
        }
    }

    #[test]
    fn asserts_numbers() {
        for (format, number, expected) in [
            (Format::Int32, "2147483647", true),
            (Format::Int32, "2147483648", false),
            (Format::Int32, "1.5", false),
            (Format::Int64, "9223372036854775807", true),
            (Format::Int64, "9223372036854775808", false),
            (Format::Float, "1e39", false),
            (Format::Double, "1e39", true),
            (Format::Double, "1e999", false),
        ] {
            assert_eq!(format.holds_number(Number::parse(number).expect("a number")), expected, "{number}");
        }
    }
}
