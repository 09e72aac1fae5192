//! What belongs to one person by its field's name: social security numbers, dates of birth, passports, names, addresses.

use super::card::Digits;
use super::profile::{self, Profile};

/// Area, group and serial as the Social Security Administration never left them empty (area 000, 666, 9xx; group 00;
/// serial 0000 were never given out).
fn is_ssn(digits: &[u8]) -> bool {
    let [a, b, c, d, e, f, g, h, i] = digits else { return false };
    let area = (*a, *b, *c);
    area != (0, 0, 0)
        && area != (6, 6, 6)
        && *a != 9
        && (*d, *e) != (0, 0)
        && (*f, *g, *h, *i) != (0, 0, 0, 0)
}

/// `ddd-dd-dddd`, wherever it stands.
pub(super) fn ssn_dashed(bytes: &[u8]) -> bool {
    ssn_with(bytes, b'-')
}

fn ssn_with(bytes: &[u8], separator: u8) -> bool {
    let (Some(first), Some(second)) = (bytes.get(3), bytes.get(6)) else { return false };
    bytes.len() == 11
        && *first == separator
        && *second == separator
        && Digits::parse(bytes, &[separator]).is_some_and(|digits| is_ssn(digits.as_slice()))
}

/// In a field named for it: also without or with other separators; whether it is masked.
pub(super) fn ssn_promised(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii();
    if ssn_dashed(bytes) || ssn_with(bytes, b' ') || ssn_with(bytes, b'.') {
        return Some(false);
    }
    if bytes.len() == 9
        && Digits::parse(bytes, b"")
            .is_some_and(|digits| is_ssn(digits.as_slice()) || is_itin(digits.as_slice()))
    {
        return Some(false);
    }
    let hidden = bytes.iter().filter(|byte| matches!(byte, b'*' | b'X' | b'x' | b'#')).count();
    let known = bytes
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'X' | b'x' | b'#' | b'-' | b' '));
    (known && hidden >= 3 && (9..=11).contains(&bytes.len())).then_some(true)
}

/// Individual taxpayer numbers: 9xx, then 50-65, 70-88, 90-92, 94-99.
fn is_itin(digits: &[u8]) -> bool {
    let [9, _, _, d, e, ..] = digits else { return false };
    matches!(d * 10 + e, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// A date in one of the usual notations, or seconds or milliseconds since 1970.
pub(super) fn birth_date(bytes: &[u8], number: bool) -> bool {
    let bytes = bytes.trim_ascii();
    if number {
        return bytes.len() >= 7;
    }
    if let [a, b, c, d, b'-', e, f, b'-', g, h] = bytes {
        let value =
            |digits: &[u8]| digits.iter().fold(0u32, |n, digit| n * 10 + u32::from(digit.wrapping_sub(b'0')));
        return is_date(Some(value(&[*a, *b, *c, *d])), Some(value(&[*e, *f])), Some(value(&[*g, *h])));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if text.len() > 40 {
        return false;
    }
    // A time of day after the date says nothing more.
    let date = text
        .split(['T', 't'])
        .next()
        .filter(|_| text.len() > 10 && text.as_bytes().get(10).is_some_and(|b| matches!(b, b'T' | b't')));
    let date = date.unwrap_or(text);
    if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) {
        return is_date(number_of(date.get(..4)), number_of(date.get(4..6)), number_of(date.get(6..)));
    }
    let mut parts = date.split(['-', '/', '.', ' ', ',']).filter(|part| !part.is_empty());
    let (Some(first), Some(second), Some(third)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (a, b, c) = (number_of(Some(first)), number_of(Some(second)), number_of(Some(third)));
    if month_name(first) || month_name(second) {
        let day = if month_name(first) { b } else { a };
        return is_date(c, Some(1), day);
    }
    is_date(a, b, c)
        || is_date(c, b, a)
        || is_date(c, a, b)
        || third.len() == 2 && is_date(c.map(|year| year + 1900), a, b)
        || third.len() == 2 && is_date(c.map(|year| year + 1900), b, a)
}

fn number_of(text: Option<&str>) -> Option<u32> {
    text.filter(|text| text.len() <= 4).and_then(|text| text.parse().ok())
}

fn is_date(year: Option<u32>, month: Option<u32>, day: Option<u32>) -> bool {
    let in_range = |value: Option<u32>, range: std::ops::RangeInclusive<u32>| {
        value.is_some_and(|value| range.contains(&value))
    };
    in_range(year, 1880..=2100) && in_range(month, 1..=12) && in_range(day, 1..=31)
}

fn month_name(text: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    text.get(..3).is_some_and(|head| MONTHS.iter().any(|month| head.eq_ignore_ascii_case(month)))
}

/// In a field named for it: six to nine letters and digits, most of them digits.
pub(super) fn passport(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let known = bytes.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    (6..=9).contains(&bytes.len()) && known && digits >= 4
}

/// The first line of a passport's machine-readable zone (ICAO 9303: 44 letters) at the start of `bytes`.
pub(super) fn machine_readable(bytes: &[u8]) -> bool {
    let Some(line) = bytes.get(..44) else { return false };
    let fits = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'<';
    line.starts_with(b"P")
        && line.iter().all(fits)
        && memchr::memmem::find(line, b"<<").is_some_and(|at| at > 5)
        && !bytes.get(44).is_some_and(|next| next.is_ascii_alphanumeric())
}

/// In a field named for it: one word or a few, no digits; whether it is masked.
pub(super) fn name(bytes: &[u8], profile: Profile) -> Option<bool> {
    if bytes.len() < 2 || bytes.len() > 120 || profile.digits > 0 {
        return None;
    }
    let odd = profile::AT
        | profile::COLON
        | profile::SLASH
        | profile::ANGLE
        | profile::EQUALS
        | profile::UNDERSCORE;
    if profile.has(odd | profile::PLUS | profile::CARET)
        || !profile.has(profile::HEX | profile::LETTER | profile::WIDE)
    {
        return None;
    }
    if matches!(bytes, b"null" | b"none" | b"unknown" | b"undefined" | b"string" | b"true" | b"false") {
        return None;
    }
    Some(memchr::memchr(b'*', bytes).is_some())
}

/// In a field named for it: words with a house number, or several words; `street` fields also one word and a number.
pub(super) fn address(bytes: &[u8], profile: Profile, street: bool) -> bool {
    let odd = profile::AT | profile::EQUALS | profile::ANGLE;
    let letters = profile.has(profile::HEX | profile::LETTER | profile::WIDE);
    let spaced = profile.has(profile::SPACE);
    if bytes.len() < 5 || bytes.len() > 300 || !letters || profile.has(odd) {
        return false;
    }
    spaced && (profile.digits > 0 || memchr::memchr(b',', bytes).is_some() || street)
        || street && profile.digits == 0 && bytes.len() >= 6 && !profile.has(profile::SLASH)
}
