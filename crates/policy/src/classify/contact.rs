//! E-mail addresses, phone numbers, IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::profile::{self, Profile};

/// Longest address (RFC 5321, 4.5.3.1.3).
const MAX_EMAIL: usize = 254;

/// Endings that are files, not top-level domains (`logo@2x.png`, `pkg@1.0.tgz`).
fn is_file(ending: &[u8]) -> bool {
    if ending.len() > 5 {
        return false;
    }
    let mut lower = [0u8; 5];
    let Some(place) = lower.get_mut(..ending.len()) else { return false };
    place.copy_from_slice(ending);
    place.make_ascii_lowercase();
    matches!(
        &*place,
        b"png"
            | b"jpg"
            | b"jpeg"
            | b"gif"
            | b"svg"
            | b"webp"
            | b"ico"
            | b"js"
            | b"css"
            | b"json"
            | b"html"
            | b"tgz"
            | b"woff"
            | b"map"
    )
}

/// Whether a token with `@` in it is an address; whether its local part is masked.
pub(super) fn email(token: &[u8]) -> Option<bool> {
    if token.len() > MAX_EMAIL || token.len() < 6 {
        return None;
    }
    let at = memchr::memchr(b'@', token)?;
    let (local, domain) = token.split_at_checked(at)?;
    let domain = domain.get(1..)?;
    let local_fits = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'*' | b'~' | b'#')
            || *byte >= 0x80
    };
    if local.is_empty() || local.len() > 64 || local == b"git" || local.first() == Some(&b'.') {
        return None;
    }
    if !local.iter().all(local_fits) {
        return None;
    }
    let mut masked = local.iter().any(|byte| matches!(byte, b'*' | b'#'));
    let (mut label, mut dots, mut alphabetic) = (0, 0, true);
    for byte in domain {
        match byte {
            b'.' if (1..=63).contains(&label) => {
                dots += 1;
                (label, alphabetic) = (0, true);
            }
            b'a'..=b'z' | b'A'..=b'Z' => label += 1,
            b'-' if label == 0 => return None,
            b'0'..=b'9' | b'-' | b'*' | 0x80.. => {
                label += 1;
                alphabetic = false;
                masked |= *byte == b'*';
            }
            _ => return None,
        }
    }
    let top = domain.get(domain.len().checked_sub(label)?..)?;
    if dots == 0 || !alphabetic || !(2..=24).contains(&label) || is_file(top) {
        return None;
    }
    Some(masked)
}

/// Fewest and most digits with a country code (E.164).
const MIN_DIGITS: usize = 8;
const MAX_DIGITS: usize = 15;

/// How far an international number (`+` first) reaches that `bytes` begin with.
pub(super) fn international(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"+")?;
    if !matches!(rest.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut digits, mut end, mut separated, mut at, mut open) = (0, None, false, 0, false);
    loop {
        match rest.get(at) {
            Some(b'0'..=b'9') => {
                digits += 1;
                separated = false;
            }
            other => {
                if !separated && (MIN_DIGITS..=MAX_DIGITS).contains(&digits) && !open {
                    end = Some(at);
                }
                match other {
                    Some(b' ' | b'-' | b'.') if !separated => separated = true,
                    Some(b'(') if !open => open = true,
                    Some(b')') if open => {
                        open = false;
                        separated = false;
                    }
                    _ => break,
                }
            }
        }
        at += 1;
        if digits > MAX_DIGITS || at > 32 {
            break;
        }
    }
    let end = end?;
    let longer =
        rest.get(end).is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, b'_' | b'@' | b'='));
    (!longer).then_some(end + 1)
}

/// `ddd-ddd-dddd` with area and exchange as the North American plan gives them, `1-` before it or not.
pub(super) fn north_american(token: &[u8]) -> bool {
    let token = token.strip_prefix(b"1-").unwrap_or(token);
    let [a, _, _, b'-', d, _, _, b'-', ..] = token else { return false };
    token.len() == 12
        && matches!(a, b'2'..=b'9')
        && matches!(d, b'2'..=b'9')
        && token.iter().enumerate().all(|(index, byte)| matches!(index, 3 | 7) || byte.is_ascii_digit())
}

/// How far `(ddd) ddd-dddd` reaches that `bytes` begin with.
pub(super) fn parenthesised(bytes: &[u8]) -> Option<usize> {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let head =
        bytes.first() == Some(&b'(') && matches!(bytes.get(1), Some(b'2'..=b'9')) && digit(2) && digit(3);
    if !head || bytes.get(4) != Some(&b')') {
        return None;
    }
    let start = if bytes.get(5) == Some(&b' ') { 6 } else { 5 };
    let tail = bytes.get(start..start + 8)?;
    let fits = tail.iter().enumerate().all(|(index, byte)| match index {
        0 => matches!(byte, b'2'..=b'9'),
        3 => matches!(byte, b'-' | b'.' | b' '),
        _ => byte.is_ascii_digit(),
    });
    let longer = bytes.get(start + 8).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'-');
    (fits && !longer).then_some(start + 8)
}

/// A value in a field named for phone numbers; whether it is masked.
pub(super) fn phone_promised(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii();
    let bytes = bytes.strip_prefix(b"tel:").unwrap_or(bytes);
    let profile = Profile::of(bytes);
    let plain =
        profile::DIGIT | profile::SPACE | profile::DASH | profile::DOT | profile::PAREN | profile::SLASH;
    if profile.flags & !(plain | profile::WORD) == 0 {
        return ((7..=MAX_DIGITS).contains(&(profile.digits as usize)) && bytes.len() <= 32).then_some(false);
    }
    let (mut digits, mut hidden) = (0, 0);
    let mut extension = false;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits += usize::from(!extension),
            b'*' => hidden += 1,
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' => {}
            b'+' if index == 0 || index == 1 => {}
            b'x' | b'e' | b't' | b';' | b'=' | b'#' if digits >= 7 => extension = true,
            _ => return None,
        }
    }
    match hidden {
        0 => ((7..=MAX_DIGITS).contains(&digits) && bytes.len() <= 32).then_some(false),
        _ => (digits >= 2 && (7..=MAX_DIGITS).contains(&(digits + hidden))).then_some(true),
    }
}

/// Whether a token is an address of a host; networks (`10.0.0.0/8`), loopback and unspecified addresses are none.
pub(super) fn ipv4(token: &[u8]) -> bool {
    if !(7..=15).contains(&token.len()) {
        return false;
    }
    let mut octets = [0u8; 4];
    let mut parts = 0;
    for part in token.split(|byte| *byte == b'.') {
        let Some(place) = octets.get_mut(parts) else { return false };
        if part.is_empty() || part.len() > 3 || part.len() > 1 && part.first() == Some(&b'0') {
            return false;
        }
        let value = part
            .iter()
            .try_fold(0u16, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u16::from(byte - b'0')));
        let Some(value) = value.and_then(|value| u8::try_from(value).ok()) else { return false };
        *place = value;
        parts += 1;
    }
    let address = Ipv4Addr::from(octets);
    let [first, ..] = octets;
    parts == 4 && first != 0 && !address.is_loopback() && !address.is_broadcast() && !address.is_multicast()
}

/// Whether the whole value is an IPv6 address, in brackets or with a zone or not.
pub(super) fn ipv6(bytes: &[u8], profile: Profile) -> bool {
    let odd =
        profile::SPACE | profile::AT | profile::EQUALS | profile::DASH | profile::UNDERSCORE | profile::SLASH;
    let shaped = profile.has(profile::COLON) && profile.digits > 0 && (6..=64).contains(&bytes.len());
    if !shaped || profile.has(odd | profile::PAREN) || profile.has(profile::LETTER) && !bytes.contains(&b'%')
    {
        return false;
    }
    let inner =
        bytes.strip_prefix(b"[").and_then(|rest| rest.split(|byte| *byte == b']').next()).unwrap_or(bytes);
    let inner = inner.split(|byte| *byte == b'%').next().unwrap_or(inner);
    let colons = inner.iter().filter(|byte| **byte == b':').count();
    if !(2..=8).contains(&colons) || inner.len() > 45 {
        return false;
    }
    let address: Option<Ipv6Addr> = std::str::from_utf8(inner).ok().and_then(|text| text.parse().ok());
    address
        .is_some_and(|address| !address.is_loopback() && !address.is_unspecified() && !address.is_multicast())
}
