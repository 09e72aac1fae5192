//! Secrets: web tokens, private keys, vendors' keys by their own marks, passwords by their field.

use probity_model::DataClass;

/// Shortest value of a secret-like field that counts: below it words and flags stand (`token: "none"`).
const MIN_SECRET: usize = 16;

/// A token of letters, digits, `_`, `-`, `.` that marks itself.
pub(super) fn marked(token: &[u8]) -> Option<DataClass> {
    if token.len() < 16 {
        return None;
    }
    let [first, second, ..] = token else { return None };
    match (first, second) {
        (b'e', b'y') => is_jwt(token).then_some(DataClass::Jwt),
        // How the marks of `VENDORS` begin; a test keeps the two together.
        (b'A', b'I' | b'K' | b'S')
        | (b'E', b'A')
        | (b'P', b'M')
        | (b'S', b'G' | b'K')
        | (b'd', b'a' | b'o')
        | (b'g', b'd' | b'h' | b'i' | b'l')
        | (b'h', b'f' | b'v')
        | (b'l', b'i')
        | (b'n', b'p')
        | (b'p', b'y')
        | (b'r', b'k')
        | (b's', b'h' | b'k' | b'q')
        | (b'w', b'h')
        | (b'x', b'o')
        | (b'y', b'a') => is_vendor_key(token).then_some(DataClass::ApiKey),
        _ => None,
    }
}

/// Three parts (signed) or five (encrypted) in base64url, whose first is a JSON object with `alg` (RFC 7519).
fn is_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == b'.');
    let Some(header) = parts.next() else { return false };
    let (mut count, mut whole) = (1, true);
    for part in parts {
        count += 1;
        whole &= part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        // An unsigned token's third part is empty.
        whole &= !part.is_empty() || count == 3;
    }
    whole && matches!(count, 3 | 5) && header_has_algorithm(header)
}

fn header_has_algorithm(header: &[u8]) -> bool {
    let mut decoded = [0u8; 384];
    let header = header.get(..header.len().min(512)).unwrap_or_default();
    let Some(length) = base64url(header, &mut decoded) else { return false };
    decoded
        .get(..length)
        .is_some_and(|json| json.starts_with(b"{") && memchr::memmem::find(json, b"\"alg\"").is_some())
}

fn base64url(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut bits, mut held, mut length) = (0u32, 0u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            *out.get_mut(length)? = (bits >> held & 0xff) as u8;
            length += 1;
        }
    }
    Some(length)
}

#[derive(Clone, Copy)]
enum Letters {
    /// `A-Z0-9`.
    Upper,
    /// `0-9a-f`.
    Hex,
    Alphanumeric,
    /// With `-` and `_`.
    Base64Url,
    /// With `-`, `_` and `.`.
    Dotted,
}

impl Letters {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
        }
    }
}

/// Mark, letters behind it, fewest and most of them; from the vendors' public documentation and secret-scanning lists.
const VENDORS: [(&[u8], Letters, usize, usize); 45] = [
    (b"AKIA", Letters::Upper, 16, 16),                   // AWS access key
    (b"ASIA", Letters::Upper, 16, 16),                   // AWS temporary access key
    (b"AIza", Letters::Base64Url, 35, 35),               // Google
    (b"EAACEdEose0cBA", Letters::Alphanumeric, 10, 300), // Facebook
    (b"PMAK-", Letters::Base64Url, 40, 80),              // Postman
    (b"SG.", Letters::Dotted, 60, 70),                   // SendGrid
    (b"SK", Letters::Hex, 32, 32),                       // Twilio
    (b"dapi", Letters::Hex, 32, 34),                     // Databricks
    (b"dop_v1_", Letters::Hex, 64, 64),                  // DigitalOcean
    (b"doo_v1_", Letters::Hex, 64, 64),                  // DigitalOcean, OAuth
    (b"github_pat_", Letters::Base64Url, 60, 90),        // GitHub, fine-grained
    (b"ghp_", Letters::Alphanumeric, 30, 255),           // GitHub
    (b"gho_", Letters::Alphanumeric, 30, 255),
    (b"ghu_", Letters::Alphanumeric, 30, 255),
    (b"ghs_", Letters::Alphanumeric, 30, 255),
    (b"ghr_", Letters::Alphanumeric, 30, 255),
    (b"glpat-", Letters::Dotted, 20, 300),         // GitLab
    (b"gldt-", Letters::Dotted, 20, 300),          // GitLab, deployment
    (b"hf_", Letters::Alphanumeric, 30, 40),       // Hugging Face
    (b"hvs.", Letters::Base64Url, 24, 200),        // Vault
    (b"lin_api_", Letters::Alphanumeric, 40, 40),  // Linear
    (b"npm_", Letters::Alphanumeric, 36, 36),      // npm
    (b"pypi-", Letters::Base64Url, 50, 300),       // PyPI
    (b"rk_live_", Letters::Alphanumeric, 20, 250), // Stripe, restricted
    (b"rk_test_", Letters::Alphanumeric, 20, 250),
    (b"sk_live_", Letters::Alphanumeric, 20, 250), // Stripe
    (b"sk_test_", Letters::Alphanumeric, 20, 250),
    (b"sk-ant-", Letters::Base64Url, 40, 200),     // Anthropic
    (b"sk-proj-", Letters::Base64Url, 40, 250),    // OpenAI, project
    (b"sk-svcacct-", Letters::Base64Url, 40, 250), // OpenAI, service account
    (b"sk-or-v1-", Letters::Hex, 64, 64),          // OpenRouter
    (b"sk-", Letters::Alphanumeric, 40, 64),       // OpenAI
    (b"shpat_", Letters::Hex, 32, 32),             // Shopify
    (b"shpss_", Letters::Hex, 32, 32),
    (b"shpca_", Letters::Hex, 32, 32),
    (b"sq0csp-", Letters::Base64Url, 43, 43), // Square
    (b"sq0atp-", Letters::Base64Url, 22, 22),
    (b"whsec_", Letters::Alphanumeric, 24, 100), // Stripe, webhooks
    (b"xoxa-", Letters::Base64Url, 20, 200),     // Slack
    (b"xoxb-", Letters::Base64Url, 20, 200),
    (b"xoxe-", Letters::Base64Url, 20, 200),
    (b"xoxp-", Letters::Base64Url, 20, 200),
    (b"xoxr-", Letters::Base64Url, 20, 200),
    (b"xoxs-", Letters::Base64Url, 20, 200),
    (b"ya29.", Letters::Dotted, 40, 300), // Google OAuth
];

fn is_vendor_key(token: &[u8]) -> bool {
    VENDORS.iter().any(|(mark, letters, least, most)| {
        token.strip_prefix(*mark).is_some_and(|rest| {
            (*least..=*most).contains(&rest.len())
                && rest.iter().all(|byte| letters.has(*byte))
                && varied(rest)
        })
    })
}

/// Placeholders such as `xxxxxxxx` and `00000000` are no keys.
fn varied(rest: &[u8]) -> bool {
    let mut seen = 0u128;
    for byte in rest.iter().filter(|byte| byte.is_ascii()) {
        seen |= 1 << byte;
    }
    seen.count_ones() >= 6
}

/// An Azure application secret: three letters or digits, one digit, `Q~`, 31 to 34 more.
pub(super) fn azure(token: &[u8]) -> bool {
    let marked = token.get(3).is_some_and(u8::is_ascii_digit) && token.get(4..6) == Some(b"Q~");
    marked && (37..=40).contains(&token.len())
}

/// The head of a private key in PEM.
pub(super) fn private_key(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"-----BEGIN ") else { return false };
    let head = rest.get(..rest.len().min(48)).unwrap_or_default();
    memchr::memmem::find(head, b"-----")
        .and_then(|end| head.get(..end))
        .is_some_and(|label| label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK")
}

/// A value in a password's field; whether it is masked. Flags and empty values are none.
pub(super) fn password(bytes: &[u8]) -> Option<bool> {
    let text = bytes.trim_ascii();
    let flag = |word: &&[u8]| text.eq_ignore_ascii_case(word);
    if text.is_empty()
        || bytes.len() > 1024
        || [&b"null"[..], b"none", b"true", b"false", b"string"].iter().any(flag)
    {
        return None;
    }
    Some(is_hidden(text))
}

/// Stars, bullets or a word that stands for a secret.
fn is_hidden(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"redacted", b"hidden", b"masked", b"filtered", b"secret", b"removed"];
    let stars = text.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'#') || *byte >= 0x80);
    let inner = text.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let inner = inner.or_else(|| text.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")));
    let inner = inner.or_else(|| text.strip_prefix(b"***").and_then(|rest| rest.strip_suffix(b"***")));
    stars || inner.is_some_and(|inner| WORDS.iter().any(|word| inner.eq_ignore_ascii_case(word)))
}

/// A value in a field named for secrets.
pub(super) fn promised(bytes: &[u8]) -> Option<(DataClass, bool)> {
    let text = bytes.trim_ascii();
    let (scheme, token) = match memchr::memchr(b' ', text).and_then(|at| text.split_at_checked(at)) {
        Some((scheme, token)) => (scheme, token.trim_ascii()),
        None => (&b""[..], text),
    };
    if private_key(text) {
        return Some((DataClass::PrivateKey, false));
    }
    if scheme.eq_ignore_ascii_case(b"basic") && token.len() >= 4 {
        return Some((DataClass::Password, false));
    }
    let bare = scheme.is_empty()
        || [&b"bearer"[..], b"token", b"apikey"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if !bare {
        return None;
    }
    if let Some(class) = marked(token) {
        return Some((class, false));
    }
    if token.len() >= 4 && is_hidden(token) {
        return Some((DataClass::ApiKey, true));
    }
    let fits = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'{' | b'}' | b'"');
    let letters = token.iter().any(u8::is_ascii_alphabetic);
    let digits = token.iter().any(u8::is_ascii_digit);
    let mixed =
        digits || token.iter().any(u8::is_ascii_lowercase) && token.iter().any(u8::is_ascii_uppercase);
    let url = memchr::memmem::find(token, b"://").is_some();
    (token.len() >= MIN_SECRET && token.iter().all(fits) && letters && mixed && varied(token) && !url)
        .then_some((DataClass::ApiKey, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_reached() {
        for (mark, _, least, _) in VENDORS {
            let letters = if mark.starts_with(b"A") { "A1B2C3D4E5F6G7H8" } else { "a1b2c3d4e5f60789" };
            let key: Vec<u8> = mark.iter().copied().chain(letters.bytes().cycle().take(least)).collect();
            assert_eq!(marked(&key), Some(DataClass::ApiKey), "{}", String::from_utf8_lossy(&key));
        }
    }
}
