//! The outside of JWS and JWE in compact form: parts, base64url, and headers read strictly. What a header says about where
//! keys are to be had is never followed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use probity_model::bundle::identity::token::SignatureAlgorithm;
use serde_json::{Map, Value};

use super::fault::TokenFault;
use super::strict;

/// Bytes of a decoded JOSE header.
const MAX_HEADER_BYTES: usize = 4 * 1024;
/// Bytes of a `kid`.
const MAX_KID: usize = 256;
/// Members by which a header would choose its own key.
const KEY_MEMBERS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// What a token looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    Signed(Signed<'a>),
    Encrypted([&'a [u8]; 5]),
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    pub header: &'a [u8],
    pub payload: &'a [u8],
    pub signature: &'a [u8],
    /// Header and payload as they were signed.
    pub message: &'a [u8],
}

/// Tells by dots and alphabet alone. Three parts without a readable header are opaque: other tokens have dots too.
pub(super) fn form(token: &[u8]) -> Form<'_> {
    let mut parts = token.split(|byte| *byte == b'.');
    let found: [Option<&[u8]>; 6] = std::array::from_fn(|_| parts.next());
    match found {
        [Some(header), Some(payload), Some(signature), None, ..] if looks_like_header(header) => {
            let message = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
            Form::Signed(Signed { header, payload, signature, message })
        }
        [Some(header), Some(key), Some(iv), Some(text), Some(tag), None] if looks_like_header(header) => {
            Form::Encrypted([header, key, iv, text, tag])
        }
        _ => Form::Opaque,
    }
}

/// `{` in base64url begins with `e`, or with the encodings of space, tab and line ends before it.
fn looks_like_header(part: &[u8]) -> bool {
    matches!(part, [b'e', b'w' | b'x' | b'y' | b'z', ..] | [b'I' | b'C' | b'D', ..])
}

/// base64url without padding, and only its canonical spelling.
pub(super) fn decode(part: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The decoded, bounded members of a header, without anything that must be understood and is not.
#[derive(Debug)]
pub(super) struct Header {
    pub members: Map<String, Value>,
}

/// Names of rules, so that a token and a proof are refused by rules of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderRules {
    pub malformed: &'static str,
    pub critical: &'static str,
    pub make: fn(&'static str, &'static str, &'static str) -> TokenFault,
}

pub(super) const TOKEN_RULES: HeaderRules =
    HeaderRules { malformed: "gateway-jwt-malformed", critical: "gateway-jwt-crit", make: TokenFault::token };
pub(super) const JWE_RULES: HeaderRules =
    HeaderRules { malformed: "gateway-jwe-malformed", critical: "gateway-jwt-crit", make: TokenFault::token };

impl Header {
    pub fn parse(part: &[u8], rules: HeaderRules) -> Result<Self, TokenFault> {
        let malformed = |found| (rules.make)(rules.malformed, "header", found);
        if part.len() > MAX_HEADER_BYTES.div_ceil(3) * 4 {
            return Err(malformed("too-long"));
        }
        let json = decode(part).ok_or_else(|| malformed("not-base64url"))?;
        let members = strict::object(&json, MAX_HEADER_BYTES).map_err(|error| malformed(error.word()))?;
        let header = Self { members };
        // Nothing beyond the RFCs' own members is understood here, so nothing may be critical; `b64` would change what
        // is signed.
        if header.members.contains_key("crit") || header.members.contains_key("b64") {
            return Err((rules.make)(rules.critical, "crit", "not-understood"));
        }
        for name in ["alg", "kid", "typ", "cty", "enc"] {
            if header.members.get(name).is_some_and(|value| !value.is_string()) {
                return Err(malformed("not-a-string"));
            }
        }
        if header.kid().is_some_and(|kid| kid.len() > MAX_KID || kid.chars().any(char::is_control)) {
            return Err((rules.make)(rules.malformed, "kid", "unusable"));
        }
        Ok(header)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }
    pub fn alg(&self) -> Option<&str> {
        self.text("alg")
    }
    pub fn enc(&self) -> Option<&str> {
        self.text("enc")
    }
    pub fn kid(&self) -> Option<&str> {
        self.text("kid")
    }
    /// Media types are compared without `application/` (RFC 7515, section 4.1.9).
    pub fn typ(&self) -> Option<&str> {
        self.text("typ").map(short_type)
    }

    /// The header of a token's signature.
    pub fn of_token(part: &[u8]) -> Result<(Self, SignatureAlgorithm), TokenFault> {
        let header = Self::parse(part, TOKEN_RULES)?;
        if KEY_MEMBERS.iter().any(|name| header.members.contains_key(*name)) {
            return Err(TokenFault::token("gateway-jwt-key-in-header", "header", "key"));
        }
        let algorithm = header.algorithm()?;
        Ok((header, algorithm))
    }

    fn algorithm(&self) -> Result<SignatureAlgorithm, TokenFault> {
        let name = self.alg().ok_or(TokenFault::token("gateway-jwt-malformed", "alg", "missing"))?;
        if name.eq_ignore_ascii_case("none") {
            return Err(TokenFault::token("gateway-jwt-alg-none", "alg", "none"));
        }
        // A public key as the secret of an HMAC is the oldest confusion there is.
        if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) {
            return Err(TokenFault::token("gateway-jwt-alg-symmetric", "alg", "symmetric"));
        }
        SignatureAlgorithm::parse(name).ok_or(TokenFault::token(
            "gateway-jwt-alg-not-allowed",
            "alg",
            "unknown",
        ))
    }
}

pub(super) fn short_type(typ: &str) -> &str {
    const PREFIX: usize = "application/".len();
    match typ.split_at_checked(PREFIX) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') => rest,
        _ => typ,
    }
}

impl strict::StrictError {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::TooDeep => "too-deep",
            Self::Repeated => "member-repeated",
            Self::Malformed => "not-json",
            Self::NotObject => "not-an-object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(header: &str, expected: &str) {
        let got = match Header::of_token(encode(header.as_bytes()).as_bytes()) {
            Ok((header, algorithm)) => format!("{} {:?}", algorithm.name(), header.kid()),
            Err(fault) => format!("{} {}", fault.rule, fault.found),
        };
        assert_eq!(got, expected, "{header}");
    }

    #[test]
    fn headers_are_read_strictly() {
        check(r#"{"alg":"RS256","kid":"a","typ":"JWT"}"#, r#"RS256 Some("a")"#);
        check(r#"{"alg":"Ed25519"}"#, "EdDSA None");
        check(r#"{"alg":"ES256","x5t":"abc","zzz":{"a":[1]}}"#, "ES256 None");
        for none in ["none", "None", "NONE", "nOnE"] {
            check(&format!(r#"{{"alg":"{none}"}}"#), "gateway-jwt-alg-none none");
        }
        for symmetric in ["HS256", "HS384", "HS512", "hs256", "HS1"] {
            check(&format!(r#"{{"alg":"{symmetric}"}}"#), "gateway-jwt-alg-symmetric symmetric");
        }
        for odd in ["RS1", "rs256", "ES512", "ES256K", "dir", "A128KW", "RSA-OAEP", "", "RS256 ", "ﬁ"] {
            check(&format!(r#"{{"alg":"{odd}"}}"#), "gateway-jwt-alg-not-allowed unknown");
        }
        check(r#"{"kid":"a"}"#, "gateway-jwt-malformed missing");
        check(r#"{"alg":["RS256"]}"#, "gateway-jwt-malformed not-a-string");
        check(r#"{"alg":null}"#, "gateway-jwt-malformed not-a-string");
        check(r#"{"alg":"RS256","kid":7}"#, "gateway-jwt-malformed not-a-string");
        check(r#"{"alg":"RS256","kid":{"$ne":1}}"#, "gateway-jwt-malformed not-a-string");
        check(r#"{"alg":"RS256","kid":"a\u0000b"}"#, "gateway-jwt-malformed unusable");
        check(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257)), "gateway-jwt-malformed unusable");
        check(r#"{"alg":"none","alg":"RS256"}"#, "gateway-jwt-malformed member-repeated");
        check(r#"{"alg":"RS256","alg":"RS256"}"#, "gateway-jwt-malformed member-repeated");
        check(r#"{"alg":"RS256","crit":["exp"]}"#, "gateway-jwt-crit not-understood");
        check(r#"{"alg":"RS256","crit":[]}"#, "gateway-jwt-crit not-understood");
        check(r#"{"alg":"RS256","b64":false,"crit":["b64"]}"#, "gateway-jwt-crit not-understood");
        check(r#"{"alg":"RS256","b64":false}"#, "gateway-jwt-crit not-understood");
        for member in KEY_MEMBERS {
            check(&format!(r#"{{"alg":"RS256","{member}":"x"}}"#), "gateway-jwt-key-in-header key");
        }
        check("[]", "gateway-jwt-malformed not-an-object");
        check(&format!(r#"{{"alg":"RS256","p":"{}"}}"#, "x".repeat(4096)), "gateway-jwt-malformed too-long");
        check(
            &format!(r#"{{"alg":"RS256","p":{}{}}}"#, "[".repeat(40), "]".repeat(40)),
            "gateway-jwt-malformed too-deep",
        );
    }

    #[test]
    fn forms_are_told_apart() {
        let shape = |token: &str| match form(token.as_bytes()) {
            Form::Signed(signed) => format!("signed {}", String::from_utf8_lossy(signed.message)),
            Form::Encrypted(_) => "encrypted".to_owned(),
            Form::Opaque => "opaque".to_owned(),
        };
        for (token, expected) in [
            ("eyJh.b.c", "signed eyJh.b"),
            ("eyJh..", "signed eyJh."),
            ("eyJh.b.c.d.e", "encrypted"),
            ("eyJh.b", "opaque"),
            ("eyJh.b.c.d", "opaque"),
            ("eyJh.b.c.d.e.f", "opaque"),
            ("", "opaque"),
            ("gho_16C7e42F292c6912E7710c838347Ae178B4a", "opaque"),
            ("ya29.a0Af.x", "opaque"),
        ] {
            assert_eq!(shape(token), expected, "{token}");
        }
    }

    #[test]
    fn base64url_has_one_spelling() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("QQ", Some(b"A")),
            ("QR", None),
            ("QQ==", None),
            ("QQ=", None),
            ("Q", None),
            ("+/8", None),
            ("-_8", Some(b"\xfb\xff")),
            ("Q Q", None),
            ("QQ\n", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_decodes_encodes_back(part in "[A-Za-z0-9_-]{0,60}") {
            if let Some(bytes) = decode(part.as_bytes()) {
                prop_assert_eq!(encode(&bytes), part);
            }
        }

        #[test]
        fn bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Header::of_token(&bytes);
            let _ = Header::of_token(encode(&bytes).as_bytes());
            let _ = form(&bytes);
        }

        #[test]
        fn a_header_means_what_any_reader_sees(
            alg in proptest::sample::select(vec!["RS256", "ES256", "EdDSA"]), kid in "[ -~]{0,40}", extra in "[a-z]{4,8}",
        ) {
            let mut json = serde_json::json!({"alg": alg, "kid": kid});
            json[&extra] = serde_json::json!([1, {"a": null}]);
            let (header, algorithm) = Header::of_token(encode(json.to_string().as_bytes()).as_bytes()).unwrap();
            prop_assert_eq!(algorithm.name(), alg);
            prop_assert_eq!(header.kid(), Some(kid.as_str()));
            prop_assert_eq!(Value::Object(header.members), json);
        }
    }
}
