//! National identity numbers: some by their check digits alone, the others only in a field that is named for one.
//!
//! With check digits: Italy (codice fiscale), Mexico (CURP), Brazil (CPF), Spain (DNI, NIE), Poland (PESEL), the
//! Netherlands (BSN), Finland (HETU), India (Aadhaar). By form: United Kingdom (National Insurance).

use super::card::Digits;

/// Formats strong enough to stand without a name.
pub(super) fn unmistakable(token: &[u8]) -> bool {
    match token.len() {
        16 => codice_fiscale(token),
        18 => curp(token),
        14 => formatted_cpf(token),
        _ => false,
    }
}

/// In a field named for one; whether it is masked.
pub(super) fn promised(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii();
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'.' | b'/' | b'+');
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if bytes.iter().all(known) {
        let plausible = (6..=24).contains(&bytes.len()) && digits >= 4 && letters <= 12 && !is_time(bytes);
        return plausible.then_some(false);
    }
    let hidden = bytes.iter().filter(|byte| **byte == b'*').count();
    let masked = bytes.iter().all(|byte| known(byte) || *byte == b'*');
    (masked && hidden >= 3 && (6..=24).contains(&bytes.len())).then_some(true)
}

fn is_time(bytes: &[u8]) -> bool {
    matches!(bytes, [b'1' | b'2', _, _, _, b'-', _, _, b'-', ..]) && bytes.len() >= 10
}

/// Numbers with check digits that are told after a label in a text (`DNI: 12345678Z`).
pub(super) fn is_checked(token: &[u8]) -> bool {
    unmistakable(token)
        || dni(token)
        || nino(token)
        || hetu(token)
        || Digits::parse(token, b" -.").is_some_and(|digits| {
            let digits = digits.as_slice();
            cpf(digits) || pesel(digits) || bsn(digits) || aadhaar(digits)
        })
}

fn codice_fiscale(token: &[u8]) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, // digits
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23, // letters
    ];
    let upper = |at: usize| token.get(at).map(u8::to_ascii_uppercase);
    // LLLLLL dd L dd L ddd L, where digits may be written as letters against namesakes.
    for at in 0..16 {
        let Some(byte) = upper(at) else { return false };
        let digit = byte.is_ascii_digit() || (b'L'..=b'V').contains(&byte) && byte != b'O';
        let fits = match at {
            6 | 7 | 9 | 10 | 12 | 13 | 14 => digit,
            8 => matches!(byte, b'A'..=b'E' | b'H' | b'L' | b'M' | b'P' | b'R'..=b'T'),
            _ => byte.is_ascii_uppercase(),
        };
        if !fits {
            return false;
        }
    }
    let sum = token.iter().take(15).enumerate().try_fold(0u32, |sum, (index, byte)| {
        let value = (*byte as char).to_digit(36)?;
        let even = if value >= 10 { value - 10 } else { value };
        Some(sum + if index % 2 == 0 { *ODD.get(value as usize)? } else { even })
    });
    let check = upper(15).map(|byte| u32::from(byte.wrapping_sub(b'A')));
    sum.map(|sum| sum % 26) == check
}

fn curp(token: &[u8]) -> bool {
    const ORDER: &[u8] = b"0123456789ABCDEFGHIJKLMN.OPQRSTUVWXYZ";
    // LLLL dddddd [HMX] LLLLL [0-9A-Z] d; the letter after N counts one more than in English.
    for (index, byte) in token.iter().enumerate() {
        let fits = match index {
            0..=3 | 11..=15 => byte.is_ascii_uppercase(),
            4..=9 | 17 => byte.is_ascii_digit(),
            10 => matches!(byte, b'H' | b'M' | b'X'),
            _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        };
        if !fits {
            return false;
        }
    }
    let sum = token.iter().take(17).zip((2..=18u32).rev()).try_fold(0u32, |sum, (byte, weight)| {
        let value = ORDER.iter().position(|known| known == byte).and_then(|at| u32::try_from(at).ok())?;
        Some(sum + value * weight)
    });
    let check = token.get(17).map(|byte| u32::from(byte - b'0'));
    sum.map(|sum| (10 - sum % 10) % 10) == check
}

/// `ddd.ddd.ddd-dd`.
fn formatted_cpf(token: &[u8]) -> bool {
    let marks = (token.get(3), token.get(7), token.get(11));
    marks == (Some(&b'.'), Some(&b'.'), Some(&b'-'))
        && Digits::parse(token, b".-").is_some_and(|digits| cpf(digits.as_slice()))
}

fn cpf(digits: &[u8]) -> bool {
    let check = |count: usize| {
        let sum: usize =
            digits.iter().take(count).enumerate().map(|(at, d)| usize::from(*d) * (count + 1 - at)).sum();
        sum * 10 % 11 % 10
    };
    let uniform = digits.iter().all(|digit| Some(digit) == digits.first());
    digits.len() == 11
        && !uniform
        && digits.get(9).is_some_and(|digit| usize::from(*digit) == check(9))
        && digits.get(10).is_some_and(|digit| usize::from(*digit) == check(10))
}

/// DNI (eight digits and a letter), NIE (X, Y or Z, seven digits and a letter).
fn dni(token: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    if token.len() != 9 {
        return false;
    }
    let number = token.iter().take(8).enumerate().try_fold(0u32, |number, (index, byte)| {
        let digit = match (index, byte.to_ascii_uppercase()) {
            (0, b'X') => 0,
            (0, b'Y') => 1,
            (0, b'Z') => 2,
            (_, digit) => (digit as char).to_digit(10)?,
        };
        Some(number * 10 + digit)
    });
    let wanted = number.and_then(|number| LETTERS.get((number % 23) as usize)).copied();
    wanted.is_some() && wanted == token.get(8).map(u8::to_ascii_uppercase)
}

fn pesel(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let day = digits.get(4..6).map_or(0, |day| day.iter().fold(0, |n, d| n * 10 + *d));
    digits.len() == 11 && sum.is_multiple_of(10) && (1..=31).contains(&day)
}

fn bsn(digits: &[u8]) -> bool {
    let sum: i32 = digits
        .iter()
        .zip([9, 8, 7, 6, 5, 4, 3, 2, -1])
        .map(|(digit, weight)| i32::from(*digit) * weight)
        .sum();
    digits.len() == 9 && sum % 11 == 0 && sum > 0
}

/// Twelve digits, the first above 1, the last a Verhoeff check digit.
fn aadhaar(digits: &[u8]) -> bool {
    if digits.len() != 12 || digits.first().is_none_or(|first| *first < 2) {
        return false;
    }
    digits.iter().rev().enumerate().fold(0u8, |sum, (place, digit)| dihedral(sum, permuted(*digit, place)))
        == 0
}

/// The product in the dihedral group of ten.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

fn permuted(digit: u8, times: usize) -> u8 {
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    (0..times % 8).fold(digit, |digit, _| STEP.get(usize::from(digit)).copied().unwrap_or(digit))
}

/// `DDMMYYCNNNX` with a century sign and a check letter.
fn hetu(token: &[u8]) -> bool {
    const LETTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (Some(date), Some(sign), Some(rest)) = (token.get(..6), token.get(6), token.get(7..10)) else {
        return false;
    };
    if token.len() != 11 || !matches!(sign, b'+' | b'-' | b'A'..=b'F' | b'U'..=b'Y') {
        return false;
    }
    let number =
        date.iter().chain(rest).try_fold(0u32, |n, byte| Some(n * 10 + (*byte as char).to_digit(10)?));
    let wanted = number.and_then(|number| LETTERS.get((number % 31) as usize));
    wanted.is_some() && wanted == token.get(10)
}

/// Two letters (not D, F, I, Q, U, V; O not second), six digits, A to D.
fn nino(token: &[u8]) -> bool {
    let [first, second, digits @ .., last] = token else { return false };
    let barred = |byte: &u8| matches!(byte, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    let pair = (*first, *second);
    digits.len() == 6
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !barred(first)
        && !barred(second)
        && *second != b'O'
        && !matches!(
            pair,
            (b'B', b'G')
                | (b'G', b'B')
                | (b'N', b'K')
                | (b'K', b'N')
                | (b'T', b'N')
                | (b'N', b'T')
                | (b'Z', b'Z')
        )
        && digits.iter().all(u8::is_ascii_digit)
        && matches!(last, b'A'..=b'D')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        let check =
            |token: &str, expected: bool| assert_eq!(is_checked(token.as_bytes()), expected, "{token}");
        check("RSSMRA85T10A562S", true);
        check("RSSMRA85T10A562T", false);
        check("HEGG560427MVZRRL04", true);
        check("HEGG560427MVZRRL05", false);
        check("529.982.247-25", true);
        check("529.982.247-26", false);
        check("52998224725", true);
        check("111.111.111-11", false);
        check("12345678Z", true);
        check("12345678A", false);
        check("X1234567L", true);
        check("44051401359", true);
        check("44051401358", false);
        check("111222333", true);
        check("111222334", false);
        check("131052-308T", true);
        check("131052-308U", false);
        check("AB123456C", true);
        check("QQ123456C", false);
        check("234123412346", true);
        check("234123412347", false);
    }
}
