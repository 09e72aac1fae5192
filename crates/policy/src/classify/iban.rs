//! International bank account numbers: length by country (ISO 13616 registry) and check digits (ISO 7064, mod 97-10).

/// Country and length.
const LENGTHS: [(&[u8; 2], u8); 87] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"XK", 20),
];

fn length_of(country: &[u8]) -> Option<usize> {
    let upper = |at: usize| country.get(at).map(u8::to_ascii_uppercase);
    let wanted = [upper(0)?, upper(1)?];
    LENGTHS
        .binary_search_by(|(known, _)| known.as_slice().cmp(&wanted))
        .ok()
        .and_then(|at| LENGTHS.get(at))
        .map(|(_, n)| usize::from(*n))
}

/// How far an account number reaches that `bytes` begin with; single spaces or dashes may stand between groups of four.
/// Lower case only where the field's name promises one.
pub(super) fn prefix(bytes: &[u8], lower: bool) -> Option<usize> {
    let [first, second, third, fourth, ..] = bytes else { return None };
    let letter = |byte: &u8| byte.is_ascii_uppercase() || lower && byte.is_ascii_lowercase();
    if !letter(first) || !letter(second) || !third.is_ascii_digit() || !fourth.is_ascii_digit() {
        return None;
    }
    let wanted = length_of(bytes)?;
    let mut letters = [0u8; 34];
    let (mut count, mut at) = (0, 0);
    while count < wanted {
        let byte = *bytes.get(at)?;
        if matches!(byte, b' ' | b'-') && count > 0 && count % 4 == 0 {
            at += 1;
        }
        let byte = *bytes.get(at)?;
        if !(byte.is_ascii_digit() || letter(&byte)) {
            return None;
        }
        *letters.get_mut(count)? = byte;
        count += 1;
        at += 1;
    }
    let longer = bytes.get(at).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_');
    (!longer && checks(letters.get(..count)?)).then_some(at)
}

fn checks(letters: &[u8]) -> bool {
    let (head, tail) = letters.split_at_checked(4).unwrap_or_default();
    let rest = tail.iter().chain(head).try_fold(0u32, |rest, byte| {
        let value = (*byte as char).to_digit(36)?;
        let shift = if value < 10 { 10 } else { 100 };
        Some((rest * shift + value) % 97)
    });
    rest == Some(1)
}

/// A value in a field named for account numbers; whether it is masked.
pub(super) fn promised(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii();
    if prefix(bytes, true) == Some(bytes.len()) {
        return Some(false);
    }
    let hidden = bytes.iter().filter(|byte| matches!(byte, b'*' | b'X' | b'x')).count();
    let known = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b' ' | b'-'));
    (known && hidden >= 4 && (8..=42).contains(&bytes.len()) && length_of(bytes).is_some()).then_some(true)
}

#[cfg(test)]
mod tests {
    #[test]
    fn countries_are_sorted() {
        assert!(super::LENGTHS.is_sorted_by_key(|(country, _)| *country));
    }
}
