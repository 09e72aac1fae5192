//! The rules of request paths: what is refused because two servers could resolve it to two places.
//!
//! A path is judged as received and after each round of percent-decoding, because any hop behind may decode
//! once more: NUL and other controls, `.` and `..` segments in every spelling known to be folded to them
//! (overlong UTF-8, full-width forms, back-slashes, encoded slashes, `;` parameters, trailing spaces).

use crate::Refusal;
use crate::octet::{self, PATH, QUERY, SUSPECT};

/// Rounds of decoding that a path may need before it stops changing. Deeper nesting has no honest use.
const MAX_DECODE_ROUNDS: usize = 4;

/// Judges an origin-form target (a path with an optional query), as in a request line or an HTTP/2 `:path`.
pub fn check_path(target: &[u8]) -> Result<(), Refusal> {
    origin_form(target).map(|_| ())
}

/// Judges an origin-form target and gives the length of its path.
pub(crate) fn origin_form(target: &[u8]) -> Result<usize, Refusal> {
    if target.first() != Some(&b'/') {
        return Err(Refusal::TargetForm);
    }
    let mut seen = 0;
    let mut end = target.len();
    for (at, octet) in target.iter().enumerate() {
        let class = octet::class(*octet);
        if class & PATH == 0 {
            if *octet == b'?' {
                end = at;
                break;
            }
            return Err(odd_octet(*octet));
        }
        seen |= class;
    }
    let Some((path, query)) = target.split_at_checked(end) else { return Err(Refusal::TargetForm) };
    if let Some(odd) = query.iter().find(|octet| octet::class(**octet) & QUERY == 0) {
        return Err(odd_octet(*odd));
    }
    if seen & SUSPECT != 0 {
        check_segments(path)?;
        if memchr::memchr(b'%', path).is_some() {
            check_decoded(path)?;
        }
    }
    Ok(end)
}

/// The reason for an octet that no target may hold as it is.
pub(crate) fn odd_octet(octet: u8) -> Refusal {
    match octet {
        0 => Refusal::NulInPath,
        b'#' => Refusal::Fragment,
        octet if octet::is_control(octet) => Refusal::ControlByte,
        _ => Refusal::TargetByte,
    }
}

fn check_segments(path: &[u8]) -> Result<(), Refusal> {
    let is_dots = |segment: &[u8]| {
        let stem = segment.split(|octet| matches!(octet, b';' | b'?' | b'#')).next().unwrap_or_default();
        matches!(stem.trim_ascii_end(), b"." | b"..")
    };
    if path.split(|octet| matches!(octet, b'/' | b'\\')).any(is_dots) {
        return Err(Refusal::DotSegment);
    }
    Ok(())
}

fn check_decoded(path: &[u8]) -> Result<(), Refusal> {
    let mut current = decode(path, Malformed::Refuse)?;
    let mut rounds = 1;
    loop {
        check_octets(&current)?;
        current = fold_lookalikes(&current);
        check_segments(&current)?;
        let next = decode(&current, Malformed::Keep)?;
        if next.len() == current.len() {
            return Ok(());
        }
        rounds += 1;
        if rounds > MAX_DECODE_ROUNDS {
            return Err(Refusal::PercentEncoding);
        }
        current = next;
    }
}

#[derive(Clone, Copy)]
enum Malformed {
    /// The first round: what the client wrote must be well-formed.
    Refuse,
    /// Later rounds: `%25zz` is an honest way to write `%zz`.
    Keep,
}

/// One round of percent-decoding. Later rounds also know the `%uXXXX` form of some servers. Every decoded
/// sequence gets shorter, so an unchanged length means that nothing was decoded.
fn decode(path: &[u8], malformed: Malformed) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((octet, tail)) = rest.split_first() {
        rest = tail;
        if *octet != b'%' {
            out.push(*octet);
            continue;
        }
        match (tail, malformed) {
            ([high, low, after @ ..], _) if octet::hex(*high).is_some() && octet::hex(*low).is_some() => {
                out.push(hex_value(&[*high, *low]) as u8);
                rest = after;
            }
            ([b'u' | b'U', a, b, c, d, after @ ..], Malformed::Keep)
                if [a, b, c, d].iter().all(|digit| octet::hex(**digit).is_some()) =>
            {
                let point =
                    char::from_u32(hex_value(&[*a, *b, *c, *d])).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            (_, Malformed::Keep) => out.push(b'%'),
            (_, Malformed::Refuse) => return Err(Refusal::PercentEncoding),
        }
    }
    Ok(out)
}

fn hex_value(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value << 4 | u32::from(octet::hex(*digit).unwrap_or(0)))
}

fn check_octets(decoded: &[u8]) -> Result<(), Refusal> {
    for (at, octet) in decoded.iter().enumerate() {
        let next = decoded.get(at + 1).copied().unwrap_or(0);
        match octet {
            0 => return Err(Refusal::NulInPath),
            octet if octet::is_control(*octet) => return Err(Refusal::ControlByte),
            // Leads that occur in no shortest form, and leads whose second octet shows that a shorter form
            // exists.
            0xc0 | 0xc1 => return Err(Refusal::OverlongUtf8),
            0xe0 if (0x80..0xa0).contains(&next) => return Err(Refusal::OverlongUtf8),
            0xf0 if (0x80..0x90).contains(&next) => return Err(Refusal::OverlongUtf8),
            0xf8.. if (0x80..0xc0).contains(&next) => return Err(Refusal::OverlongUtf8),
            _ => {}
        }
    }
    Ok(())
}

/// Characters that compatibility folding or best-fit mapping turns into the ones that shape a path.
const LOOKALIKES: &[(&str, &[u8])] = &[
    ("\u{ff0e}", b"."),
    ("\u{fe52}", b"."),
    ("\u{2024}", b"."),
    ("\u{2025}", b".."),
    ("\u{fe30}", b".."),
    ("\u{ff0f}", b"/"),
    ("\u{2044}", b"/"),
    ("\u{2215}", b"/"),
    ("\u{ff3c}", b"\\"),
    ("\u{fe68}", b"\\"),
    ("\u{2216}", b"\\"),
    ("\u{ff05}", b"%"),
    ("\u{fe6a}", b"%"),
    ("\u{ff1b}", b";"),
];

fn fold_lookalikes(decoded: &[u8]) -> Vec<u8> {
    if decoded.is_ascii() {
        return decoded.to_vec();
    }
    let mut out = Vec::with_capacity(decoded.len());
    let mut rest = decoded;
    while let Some((octet, tail)) = rest.split_first() {
        let found = LOOKALIKES.iter().find_map(|(from, to)| Some((rest.strip_prefix(from.as_bytes())?, to)));
        match found {
            Some((after, to)) if *octet >= 0x80 => {
                out.extend_from_slice(to);
                rest = after;
            }
            _ => {
                out.push(*octet);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
