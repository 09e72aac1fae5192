//! Card numbers, verification codes, track data.
//!
//! A run of digits is a card number if an issuer has such numbers at that length and its check digit is right, and:
//! - grouped as on a card (4-4-4-4, 4-6-5, 4-6-4, 4-4-4-4-3; one kind of separator): anywhere;
//! - without separators: unless its field is an identifier, a time, an amount or a tracking number, or it touches a letter,
//!   `_`, `-`, `.` or `/`; and only at the lengths in use (14 Diners, 15 Amex, 16);
//! - in a field named for card numbers: at any length from 12 to 19, of any issuer.
//!
//! One in ten identifiers has a right check digit, so that a card number kept in a field named `id` is not found; the price
//! of not crying wolf for every order.

/// Shortest and longest card number (ISO/IEC 7812-1).
const LENGTHS: std::ops::RangeInclusive<usize> = 12..=19;
/// Most digits in clear before and behind the masked ones (PCI DSS 3.4.1: BIN and last four).
const CLEAR_HEAD: usize = 8;
const CLEAR_TAIL: usize = 4;

/// Digits of a candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    digits: [u8; 20],
    length: usize,
}

impl Digits {
    pub(super) fn new() -> Self {
        Self { digits: [0; 20], length: 0 }
    }
    /// False when full.
    pub(super) fn push(&mut self, ascii: u8) -> bool {
        let Some(place) = self.digits.get_mut(self.length) else { return false };
        *place = ascii.wrapping_sub(b'0');
        self.length += 1;
        true
    }
    pub(super) fn as_slice(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }
    /// All of `bytes` are digits, or single `separators` between digits.
    pub(super) fn parse(bytes: &[u8], separators: &[u8]) -> Option<Self> {
        let mut digits = Self::new();
        let mut separated = true;
        for byte in bytes {
            if byte.is_ascii_digit() {
                separated = false;
                if !digits.push(*byte) {
                    return None;
                }
            } else if separators.contains(byte) && !separated {
                separated = true;
            } else {
                return None;
            }
        }
        (!separated).then_some(digits)
    }
}

/// ISO/IEC 7812-1, annex B, over digit values.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0u32, |sum, (index, digit)| {
        let digit = u32::from(*digit);
        sum + if index % 2 == 0 { digit } else { digit * 2 - if digit > 4 { 9 } else { 0 } }
    });
    sum % 10 == 0
}

/// Whether an issuer has numbers that begin like this, at this length.
fn is_issued(digits: &[u8]) -> bool {
    let lead = |count: usize| {
        digits.get(..count).map_or(0, |lead| lead.iter().fold(0u32, |n, d| n * 10 + u32::from(*d)))
    };
    let (one, two, three, four, six) = (lead(1), lead(2), lead(3), lead(4), lead(6));
    match digits.len() {
        14 => matches!(two, 36 | 38 | 39) || matches!(three, 300..=305 | 309),
        15 => matches!(two, 34 | 37),
        length @ 16..=19 => {
            let visa = one == 4 && (length == 16 || length == 19);
            let mastercard = length == 16 && (matches!(two, 51..=55) || matches!(four, 2221..=2720));
            let discover =
                four == 6011 || matches!(three, 644..=649) || two == 65 || matches!(six, 622_126..=622_925);
            let jcb = matches!(four, 3528..=3589);
            let union_pay = two == 62 || matches!(two, 81);
            let maestro = matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763);
            let diners = length == 16 && (matches!(two, 38 | 39) || matches!(three, 300..=305));
            visa || mastercard || discover || jcb || union_pay || maestro || diners
        }
        _ => false,
    }
}

fn is_card(digits: &[u8]) -> bool {
    is_issued(digits) && luhn(digits) && !is_uniform(digits)
}

fn is_uniform(digits: &[u8]) -> bool {
    digits.iter().all(|digit| Some(digit) == digits.first())
}

/// A run of digits without separators, at the lengths in use.
pub(super) fn bare(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 14..=16)
        && Digits::parse(bytes, b"").is_some_and(|digits| is_card(digits.as_slice()))
}

/// Groupings of printed numbers.
const GROUPINGS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// The length of a grouped card number that `bytes` begin with.
pub(super) fn grouped(bytes: &[u8]) -> Option<usize> {
    let separator = *bytes.get(4).filter(|byte| matches!(byte, b' ' | b'-'))?;
    GROUPINGS.iter().find_map(|grouping| grouped_as(bytes, grouping, separator))
}

fn grouped_as(bytes: &[u8], grouping: &[usize], separator: u8) -> Option<usize> {
    let mut digits = Digits::new();
    let mut at = 0;
    for (index, group) in grouping.iter().enumerate() {
        if index > 0 {
            if bytes.get(at) != Some(&separator) {
                return None;
            }
            at += 1;
        }
        for byte in bytes.get(at..at + group)? {
            if !byte.is_ascii_digit() || !digits.push(*byte) {
                return None;
            }
        }
        at += group;
    }
    let next = bytes.get(at).copied();
    let longer = next.is_some_and(|next| next.is_ascii_alphanumeric() || next == b'_')
        || next == Some(b'-') && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
    (!longer && is_card(digits.as_slice())).then_some(at)
}

/// A value in a field named for card numbers; whether it is masked.
pub(super) fn promised(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii();
    if let Some(digits) = Digits::parse(bytes, b" -.") {
        let digits = digits.as_slice();
        return (LENGTHS.contains(&digits.len()) && luhn(digits) && !is_uniform(digits)).then_some(false);
    }
    mask(bytes, true).or_else(|| short_mask(bytes).then_some(true))
}

/// A number with some of its digits hidden; `Some(false)` if more than BIN and last four are in clear.
pub(super) fn mask(bytes: &[u8], promised: bool) -> Option<bool> {
    let (mut head, mut hidden, mut tail, mut separators) = (0usize, 0usize, 0usize, 0usize);
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= 80)?;
    for letter in text.chars() {
        match letter {
            '0'..='9' if hidden == 0 => head += 1,
            '0'..='9' => tail += 1,
            '*' | '•' | '●' | '·' | '∗' | '⁎' => hidden += 1,
            'x' | 'X' | '#' if promised || head + hidden > 0 || matches!(letter, 'X' | '#') => hidden += 1,
            ' ' | '-' => separators += 1,
            _ => return None,
        }
        if tail > 0 && !letter.is_ascii_digit() && !matches!(letter, ' ' | '-') {
            return None;
        }
    }
    let length = head + hidden + tail;
    let shaped = LENGTHS.contains(&length) && hidden >= 4 && tail >= 2 && separators <= 4;
    let carded = promised
        || length >= 14
            && (head >= 4 || tail == 4 && separators >= 3 || tail == 4 && head == 0 && length >= 15);
    (shaped && carded).then_some(head <= CLEAR_HEAD && tail <= CLEAR_TAIL)
}

/// `**** 1111` and the like, which mean a card only inside one.
pub(super) fn short_mask(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes.trim_ascii()) else { return false };
    let body = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let tail = text.len() - body.len();
    let hidden = body.chars().filter(|c| matches!(c, '*' | '•' | '●' | '·' | 'x' | 'X' | '#')).count();
    let rest = body.chars().filter(|c| matches!(c, ' ' | '-')).count();
    tail == 4 && hidden >= 2 && hidden + rest == body.chars().count() && body.len() <= 64
}

/// A verification code; whether it is masked.
pub(super) fn code(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii();
    if !matches!(bytes.len(), 3 | 4) {
        return None;
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        return Some(false);
    }
    bytes.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'#')).then_some(true)
}

/// A field named for track data: track 1 or 2 with or without its sentinels.
pub(super) fn is_track_field(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    let bytes = bytes.strip_prefix(b"%").or_else(|| bytes.strip_prefix(b";")).unwrap_or(bytes);
    match bytes.split_first() {
        Some((b'B' | b'b', _)) => track1(bytes).is_some(),
        _ => track2(bytes).is_some(),
    }
}

/// The digits that `bytes` begin with.
fn leading(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, b""))
}

fn is_track_number(number: &[u8]) -> bool {
    (13..=19).contains(&number.len())
        && Digits::parse(number, b"").is_some_and(|digits| luhn(digits.as_slice()))
}

/// Track 1 (ISO/IEC 7813) from its format code `B` on: number, name, expiry and service code.
pub(super) fn track1(bytes: &[u8]) -> Option<usize> {
    let (number, rest) = leading(bytes.get(1..)?);
    let rest = rest.strip_prefix(b"^")?;
    let name = memchr::memchr(b'^', rest.get(..rest.len().min(30))?)?;
    let (expiry, after) = leading(rest.get(name + 1..)?);
    (is_track_number(number) && expiry.len() >= 4).then_some(bytes.len() - after.len())
}

/// Track 2 from its number on: number, separator, expiry, service code.
pub(super) fn track2(bytes: &[u8]) -> Option<usize> {
    let (number, rest) = leading(bytes);
    let rest = rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b"D"))?;
    let (tail, after) = leading(rest);
    let month = tail.get(2..4)?;
    let month = month.iter().fold(0u32, |n, digit| n * 10 + u32::from(digit - b'0'));
    let good = tail.len() >= 7 && tail.len() <= 24 && (1..=12).contains(&month);
    (good && is_track_number(number)).then_some(bytes.len() - after.len())
}
