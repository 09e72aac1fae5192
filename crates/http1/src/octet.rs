//! Classes of octets, one table lookup each.

/// `tchar` of RFC 9110.
pub(crate) const TOKEN: u8 = 1;
/// What a path may hold unencoded: `pchar`, `/`, and the brackets and braces that clients send as they are.
pub(crate) const PATH: u8 = 1 << 2;
/// What a query may hold unencoded: visible ASCII without `"`, `#`, `<` and `>`.
pub(crate) const QUERY: u8 = 1 << 3;
/// Methods: upper-case letters, `-`, `_`. Lower case is a different method for some servers and an error for
/// others.
pub(crate) const METHOD: u8 = 1 << 4;
/// Registered names of hosts.
pub(crate) const HOST: u8 = 1 << 5;
/// Visible ASCII.
pub(crate) const VISIBLE: u8 = 1 << 6;
/// Octets of a path that call for a closer look at its segments.
pub(crate) const SUSPECT: u8 = 1 << 7;

static CLASSES: [u8; 256] = table();

pub(crate) const fn class(octet: u8) -> u8 {
    #[allow(clippy::indexing_slicing, reason = "256 entries, indexed by a u8")]
    CLASSES[octet as usize]
}

pub(crate) fn all(bytes: &[u8], wanted: u8) -> bool {
    bytes.iter().fold(wanted, |seen, octet| seen & class(*octet)) == wanted
}

/// Whether a field value or reason phrase holds only what it may: HTAB, SP, VCHAR, obs-text.
pub(crate) fn is_field(bytes: &[u8]) -> bool {
    let one_by_one = || !bytes.iter().any(|octet| is_control(*octet) && *octet != b'\t');
    let Some(last) = bytes.last_chunk::<8>() else { return one_by_one() };
    let (words, _) = bytes.as_chunks::<8>();
    // The last word overlaps the one before, so that no rest is left. A tab is rare: it is judged again.
    let odd = words.iter().chain([last]).fold(0, |odd, word| odd | controls(u64::from_le_bytes(*word)));
    odd == 0 || one_by_one()
}

/// Nonzero when some octet of the word is a control. Borrows may mark octets above a control too, which
/// changes nothing: one mark is enough.
const fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    let del = word ^ (ONES * 0x7f);
    below_space | (del.wrapping_sub(ONES) & !del & HIGH)
}

/// Whether there is only visible ASCII.
pub(crate) fn is_visible(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |odd, octet| odd | (*octet <= 0x20) | (*octet >= 0x7f))
}

/// C0 controls and DEL.
pub(crate) const fn is_control(octet: u8) -> bool {
    octet < 0x20 || octet == 0x7f
}

pub(crate) const fn hex(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// The value without surrounding SP and HTAB.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

const fn table() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut octet = 0usize;
    while octet < 256 {
        #[allow(clippy::indexing_slicing, reason = "the loop ends at the length")]
        {
            table[octet] = classify(octet as u8);
        }
        octet += 1;
    }
    table
}

const fn classify(octet: u8) -> u8 {
    let mut class = 0;
    if octet.is_ascii_alphanumeric() {
        class |= TOKEN | PATH | HOST;
    }
    if octet.is_ascii_uppercase() || matches!(octet, b'-' | b'_') {
        class |= METHOD;
    }
    if matches!(
        octet,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) {
        class |= TOKEN;
    }
    if matches!(
        octet,
        b'-' | b'.'
            | b'_'
            | b'~'
            | b'!'
            | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b':'
            | b'@'
            | b'/'
            | b'%'
            | b'['
            | b']'
            | b'{'
            | b'}'
    ) {
        class |= PATH;
    }
    if matches!(octet, b'-' | b'.' | b'_') {
        class |= HOST;
    }
    if octet > 0x20 && octet < 0x7f {
        class |= VISIBLE;
        if !matches!(octet, b'"' | b'#' | b'<' | b'>') {
            class |= QUERY;
        }
    }
    if matches!(octet, b'%' | b'.') {
        class |= SUSPECT;
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_grammars() {
        for octet in 0..=255u8 {
            assert_eq!(is_field(&[octet]), octet == b'\t' || (octet >= 0x20 && octet != 0x7f), "{octet:#x}");
            let mut padded = [b' '; 19];
            for place in [0, 7, 8, 15, 16, 18] {
                padded[place] = octet;
                assert_eq!(is_field(&padded), is_field(&[octet]), "{octet:#x} at {place}");
                padded[place] = b'\xff';
            }
            assert_eq!(is_visible(&[b'a', octet, b'b']), class(octet) & VISIBLE != 0, "{octet:#x}");
            let token = octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
            assert_eq!(class(octet) & TOKEN != 0, token, "{octet:#x}");
            if class(octet) & (PATH | QUERY | METHOD | HOST | TOKEN) != 0 {
                assert_ne!(class(octet) & VISIBLE, 0, "{octet:#x}");
            }
        }
        assert!(all(b"GET", METHOD) && !all(b"get", METHOD) && !all(b"G T", METHOD));
    }

    #[test]
    fn trim_takes_spaces_and_tabs_only() {
        for (input, expected) in [
            ("", ""),
            (" \t ", ""),
            (" a b\t", "a b"),
            ("a", "a"),
            ("\x0ba", "\x0ba"),
            ("a\u{a0}", "a\u{a0}"),
        ] {
            assert_eq!(trim(input.as_bytes()), expected.as_bytes());
        }
    }
}
