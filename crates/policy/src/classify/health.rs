//! Health data: record numbers, provider and plan numbers, diagnosis and medication codes. Nearly all of it is told by the
//! field's name; forms alone would name half of all order codes.

use super::card::{Digits, luhn};
use super::profile::{self, Profile};

fn is_code(bytes: &[u8], length: std::ops::RangeInclusive<usize>, digits: u32) -> bool {
    use profile::{BIG_EX, DASH, DIGIT, DOT, EX, HEX, LETTER, SLASH, SPACE, UPPER, WORD};
    const KNOWN: u32 = DIGIT | HEX | LETTER | EX | BIG_EX | UPPER | DASH | DOT | SLASH | SPACE | WORD;
    if !length.contains(&bytes.len()) {
        return false;
    }
    let profile = Profile::of(bytes);
    profile.flags & !KNOWN == 0 && profile.digits >= digits
}

/// In a field named for it.
pub(super) fn record(bytes: &[u8]) -> bool {
    is_code(bytes.trim_ascii(), 4..=24, 3)
}

/// `MRN 00123456`, `MRN-00123456`, `MRN: 123456`: names itself.
pub(super) fn labelled_record(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"MRN") else { return false };
    let number = rest.iter().skip_while(|byte| matches!(byte, b' ' | b'-' | b':' | b'#' | b'_'));
    let count = number.clone().count();
    (5..=12).contains(&count) && number.clone().all(u8::is_ascii_digit)
}

/// Ten digits, first 1 or 2; the check digit counts the card issuer prefix 80840 (ISO standard health applications).
pub(super) fn npi(bytes: &[u8]) -> bool {
    let Some(digits) = Digits::parse(bytes.trim_ascii(), b"") else { return false };
    let digits = digits.as_slice();
    let mut full = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let Some(place) = full.get_mut(5..) else { return false };
    if digits.len() != 10 || !matches!(digits.first(), Some(1 | 2)) {
        return false;
    }
    place.copy_from_slice(digits);
    luhn(&full)
}

/// In a field that names insurance.
pub(super) fn plan(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    is_code(bytes, 5..=24, 3) && !is_uuid_like(bytes)
}

/// In a field such as `memberId`, which may be a club's: only a Medicare number, or letters with at least six digits.
pub(super) fn plan_alone(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    let head = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let tail = bytes.get(head..).unwrap_or_default();
    is_mbi(bytes)
        || (2..=4).contains(&head) && (7..=12).contains(&tail.len()) && tail.iter().all(u8::is_ascii_digit)
}

fn is_uuid_like(bytes: &[u8]) -> bool {
    bytes.len() == 36 || bytes.iter().filter(|byte| **byte == b'-').count() > 3
}

/// Medicare beneficiary identifier: eleven places, each of digits or of letters without S, L, O, I, B, Z.
pub(super) fn is_mbi(bytes: &[u8]) -> bool {
    let mut places = 0;
    let letter =
        |byte: u8| byte.is_ascii_uppercase() && !matches!(byte, b'S' | b'L' | b'O' | b'I' | b'B' | b'Z');
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'-' && matches!(index, 4 | 8) {
            continue;
        }
        let fits = match places {
            0 => matches!(byte, b'1'..=b'9'),
            1 | 4 | 7 | 8 => letter(*byte),
            2 | 5 => letter(*byte) || byte.is_ascii_digit(),
            _ => byte.is_ascii_digit(),
        };
        if !fits || places > 10 {
            return false;
        }
        places += 1;
    }
    places == 11
}

/// ICD-10-CM: a letter, a digit, a digit or A or B, then up to four more behind a dot. Alone (a field named just `code`) the
/// dot must be there.
pub(super) fn diagnosis(bytes: &[u8], alone: bool) -> bool {
    let bytes = bytes.trim_ascii();
    let [letter, first, second, rest @ ..] = bytes else { return false };
    let head = letter.is_ascii_uppercase()
        && first.is_ascii_digit()
        && (second.is_ascii_digit() || matches!(second, b'A' | b'B'));
    let tail = match rest.split_first() {
        None => return head && !alone,
        Some((b'.', tail)) => tail,
        Some(_) if alone => return false,
        Some(_) => rest,
    };
    let places = tail.iter().enumerate().all(|(index, byte)| match index {
        3 => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        _ => byte.is_ascii_digit() || matches!(byte, b'A'..=b'D' | b'G' | b'S' | b'X'),
    });
    head && is_chapter(*letter, *first) && (1..=4).contains(&tail.len()) && places
}

/// Letters and first digits that the classification's chapters use.
fn is_chapter(letter: u8, digit: u8) -> bool {
    match letter {
        b'D' | b'H' => digit != b'9' || letter == b'H',
        b'U' => matches!(digit, b'0' | b'8'),
        b'A'..=b'T' | b'V'..=b'Z' => true,
        _ => false,
    }
}

/// National drug code: 5-4-2, 4-4-2, 5-3-2, 5-4-1, or eleven digits; a product code (5-4, 4-4, 5-3) counts as well.
pub(super) fn medication(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    if matches!(bytes.len(), 10 | 11) && bytes.iter().all(u8::is_ascii_digit) {
        return true;
    }
    let mut lengths = [0usize; 3];
    for (index, part) in bytes.split(|byte| *byte == b'-').enumerate() {
        let Some(place) = lengths.get_mut(index) else { return false };
        if part.is_empty() || !part.iter().all(u8::is_ascii_digit) {
            return false;
        }
        *place = part.len();
    }
    matches!(lengths, [5, 4, 2] | [4, 4, 2] | [5, 3, 2] | [5, 4, 1] | [5, 4, 0] | [4, 4, 0] | [5, 3, 0])
}
