//! The masked form of a value: what its class may show, and asterisks.

use probity_model::DataClass;
use probity_model::class::ClassGroup;

/// Digits of a card number, at least, that stay hidden.
const MIN_HIDDEN: usize = 4;
/// Digits in clear at the end of a number.
const TAIL: usize = 4;
/// What stands for a value of which nothing may be shown.
pub(super) const HIDDEN: &str = "***";

/// How much a mask may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Digits in clear at the beginning of a card number: at most 6, or 8 of a number of 16 digits and more (PCI DSS 3.4.1).
    pub card_bin: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { card_bin: 6 }
    }
}

/// The masked form of `value`. What is no text is hidden whole.
pub fn mask(class: &DataClass, value: &[u8], style: Style) -> String {
    let Ok(text) = std::str::from_utf8(value) else { return HIDDEN.to_owned() };
    use DataClass as C;
    match class {
        C::CardNumber => card(text, style),
        C::Ssn => match digits(text) {
            9 => "***-**-".to_owned() + &last_digits(text, TAIL),
            _ => HIDDEN.to_owned(),
        },
        C::Iban => hide(text, 2, TAIL, |letter| letter.is_ascii_alphanumeric()),
        C::Email => email(text),
        C::Phone => match digits(text) {
            0..8 => HIDDEN.to_owned(),
            _ => hide(text, 0, 2, |letter| letter.is_ascii_digit()),
        },
        C::DateOfBirth => birth_date(text),
        C::IpAddress => address(text),
        C::PersonName => name(text),
        C::Passport | C::NationalId | C::MedicalRecord | C::Npi | C::HealthPlan => match text.len() {
            8.. => format!("{HIDDEN}{}", last(text, 2)),
            _ => HIDDEN.to_owned(),
        },
        _ => HIDDEN.to_owned(),
    }
}

/// Whether nothing of the class may be kept even in part.
pub(super) fn is_authentication(class: &DataClass) -> bool {
    matches!(class.group(), ClassGroup::CardAuthentication | ClassGroup::Secret)
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

fn card(text: &str, style: Style) -> String {
    let count = digits(text);
    let bin = if style.card_bin >= 8 && count >= 16 { 8 } else { style.card_bin.min(6) };
    let head = if count < bin + TAIL + MIN_HIDDEN { count.saturating_sub(TAIL + 8).min(4) } else { bin };
    match text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.')) {
        true => hide(text, head, TAIL, |letter| letter.is_ascii_digit()).replace('.', ""),
        false => HIDDEN.to_owned(),
    }
}

/// All letters that `counts` but the first and the last ones; what stands between them is kept.
fn hide(text: &str, head: usize, tail: usize, counts: impl Fn(&char) -> bool) -> String {
    let total = text.chars().filter(&counts).count();
    if total < head + tail + MIN_HIDDEN {
        return HIDDEN.to_owned();
    }
    let mut seen = 0;
    let shown = |letter: char| {
        if !counts(&letter) {
            return letter;
        }
        seen += 1;
        if seen <= head || seen > total - tail { letter } else { '*' }
    };
    text.chars().map(shown).collect()
}

fn last(text: &str, count: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.iter().skip(letters.len().saturating_sub(count)).collect()
}

fn last_digits(text: &str, count: usize) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    last(&digits, count)
}

/// `a***@example.com`.
fn email(text: &str) -> String {
    let Some((local, domain)) = text.rsplit_once('@') else { return HIDDEN.to_owned() };
    let first = local.chars().next().filter(|first| first.is_alphanumeric() && local.chars().count() > 1);
    format!("{}{HIDDEN}@{domain}", first.map(String::from).unwrap_or_default())
}

/// Of a date that begins with its year, the year.
fn birth_date(text: &str) -> String {
    match text.split_once('-') {
        Some((year, _)) if year.len() == 4 && digits(year) == 4 => format!("{year}-**-**"),
        _ => HIDDEN.to_owned(),
    }
}

/// Of an IPv4 address, its network.
fn address(text: &str) -> String {
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(first), Some(second), Some(_), Some(_), None) => format!("{first}.{second}.*.*"),
        _ => HIDDEN.to_owned(),
    }
}

/// `A*** L***`.
fn name(text: &str) -> String {
    let initial = |word: &str| word.chars().next().map(|first| format!("{first}{HIDDEN}"));
    let words: Vec<String> = text.split_whitespace().filter_map(initial).take(8).collect();
    if words.is_empty() { HIDDEN.to_owned() } else { words.join(" ") }
}
