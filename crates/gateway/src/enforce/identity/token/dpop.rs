//! Proofs of possession (RFC 9449): a small signed statement about this very request, by the key that the token is bound
//! to, good once.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{constant_time, hmac};
use probity_model::Timestamp;
use probity_model::bundle::identity::token::{DpopPolicy, SignatureAlgorithm};
use probity_model::time::MICROS_PER_SECOND;
use serde_json::Value;

use super::address::split_authority;
use super::fault::TokenFault;
use super::jose::{self, Form, Header, HeaderRules};
use super::jwk::{JwkError, PublicKey};
use super::memory::Keys;
use super::replay::Sight;
use super::{DpopField, Presented, TargetUri, seconds, strict};

/// Bytes of a proof.
const MAX_PROOF: usize = 8 * 1024;
/// Bytes of a proof's `jti`.
const MAX_JTI: usize = 256;
/// Bytes of a nonce of ours before its encoding.
const NONCE_LEN: usize = 16;

const RULES: HeaderRules = HeaderRules {
    malformed: "gateway-dpop-malformed",
    critical: "gateway-dpop-crit",
    make: TokenFault::proof,
};

/// Judges the proof of a call whose token is bound to the key with that thumbprint.
pub(super) fn check(
    call: &Presented<'_>,
    thumbprint: &str,
    policy: &DpopPolicy,
    keys: &Keys,
) -> Result<(), TokenFault> {
    let fault = TokenFault::proof;
    let malformed = |field, found| fault("gateway-dpop-malformed", field, found);
    let proof = match call.dpop {
        DpopField::One(proof) if proof.len() <= MAX_PROOF => proof,
        DpopField::One(_) => return Err(malformed("DPoP", "too-long")),
        DpopField::None => return Err(fault("gateway-dpop-missing", "DPoP", "missing")),
        DpopField::Several => return Err(malformed("DPoP", "repeated")),
    };
    let Form::Signed(signed) = jose::form(proof) else { return Err(malformed("DPoP", "not-signed")) };
    let header = Header::parse(signed.header, RULES)?;
    if !header.typ().is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
        return Err(fault("gateway-dpop-type", "typ", "other-type"));
    }
    let algorithm = header.alg().and_then(SignatureAlgorithm::parse);
    let Some(algorithm) = algorithm.filter(|algorithm| policy.algorithms.contains(algorithm)) else {
        return Err(fault("gateway-dpop-alg", "alg", "not-allowed"));
    };
    let Some(Value::Object(jwk)) = header.members.get("jwk") else {
        return Err(fault("gateway-dpop-key", "jwk", "missing"));
    };
    let key = PublicKey::parse(jwk).map_err(|error| {
        fault("gateway-dpop-key", "jwk", if error == JwkError::Secret { "private" } else { "unusable" })
    })?;
    if key.thumbprint() != *thumbprint {
        return Err(fault("gateway-dpop-thumbprint", "jwk", "other-key"));
    }
    let signature = jose::decode(signed.signature).ok_or(malformed("signature", "not-base64url"))?;
    if !key.verify(algorithm, signed.message, &signature) {
        return Err(fault("gateway-dpop-signature", "signature", "invalid"));
    }
    let payload = jose::decode(signed.payload).ok_or(malformed("payload", "not-base64url"))?;
    let claims = strict::object(&payload, MAX_PROOF).map_err(|error| malformed("payload", error.word()))?;
    let text = |name: &'static str| match claims.get(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(malformed(name, "not-a-string")),
        None => Err(malformed(name, "missing")),
    };
    if text("htm")?.as_bytes() != call.method {
        return Err(fault("gateway-dpop-method", "htm", "other-method"));
    }
    if !is_same_target(text("htu")?, &call.uri) {
        return Err(fault("gateway-dpop-url", "htu", "other-target"));
    }
    let ath = jose::encode(digest(&SHA256, call.token).as_ref());
    if text("ath")? != ath {
        return Err(fault("gateway-dpop-token-hash", "ath", "other-token"));
    }
    nonce(&claims, policy, keys, call.now)?;
    let issued = claims.get("iat").and_then(Value::as_f64).ok_or(malformed("iat", "not-a-date"))?;
    let now = call.now.0 as f64 / MICROS_PER_SECOND as f64;
    let window = f64::from(policy.window_s);
    // No odd number is inside a range.
    if !(-window..=window).contains(&(issued - now)) {
        return Err(fault("gateway-dpop-time", "iat", if issued < now { "too-old" } else { "in-future" }));
    }
    let jti = text("jti")?;
    if jti.is_empty() || jti.len() > MAX_JTI {
        return Err(malformed("jti", "unusable"));
    }
    // Last, so that nobody can use up a name without the key behind it.
    let name = [thumbprint.as_bytes(), b"\n", jti.as_bytes()].concat();
    let life = seconds(policy.window_s).saturating_mul(2).saturating_add(MICROS_PER_SECOND);
    match keys.replay.see(&name, call.now, life, policy.replay_entries as usize) {
        Sight::First => Ok(()),
        Sight::Again => Err(fault("gateway-dpop-replay", "jti", "replayed")),
        Sight::Full => Err(TokenFault::unavailable("gateway-dpop-replay-full", "too-many-proofs")),
    }
}

/// Nonces are not kept: each is a keyed hash of the half window it was made in, and the one before counts too.
fn nonce(
    claims: &serde_json::Map<String, Value>,
    policy: &DpopPolicy,
    keys: &Keys,
    now: Timestamp,
) -> Result<(), TokenFault> {
    if !policy.nonce {
        return Ok(());
    }
    let period = now.0.div_euclid((seconds(policy.window_s) / 2).max(1));
    let current = made(keys, period);
    let found = match claims.get("nonce").and_then(Value::as_str) {
        None => "missing",
        Some(nonce) => {
            let same = |ours: String| {
                constant_time::verify_slices_are_equal(nonce.as_bytes(), ours.as_bytes()).is_ok()
            };
            if same(current.clone()) || same(made(keys, period - 1)) {
                return Ok(());
            }
            "not-current"
        }
    };
    Err(TokenFault::nonce(found, current))
}

fn made(keys: &Keys, period: i64) -> String {
    let tag = hmac::sign(&keys.nonce, &[&b"dpop-nonce "[..], &period.to_be_bytes()].concat());
    jose::encode(tag.as_ref().get(..NONCE_LEN).unwrap_or_default())
}

/// Compares as RFC 3986 normalises scheme, host, port and percent-encoding; query and fragment do not count.
fn is_same_target(htu: &str, uri: &TargetUri<'_>) -> bool {
    let Some((scheme, rest)) = htu.split_once("://") else { return false };
    let https = scheme.eq_ignore_ascii_case("https");
    if https != uri.https || !https && !scheme.eq_ignore_ascii_case("http") {
        return false;
    }
    let usual = if https { 443 } else { 80 };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let ours = std::str::from_utf8(uri.authority).ok().and_then(|ours| split_authority(ours, usual));
    match (split_authority(authority, usual), ours) {
        (Some((host, port)), Some((our_host, our_port))) => {
            host.eq_ignore_ascii_case(our_host)
                && port == our_port
                && normal(path.as_bytes()) == normal(uri.path)
        }
        _ => false,
    }
}

/// Percent-encoding in its one spelling; `None` for a broken one.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len().max(1));
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        rest = after;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let octet = (digit(*high)? << 4 | digit(*low)?) as u8;
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(octet);
        } else {
            out.extend_from_slice(&[b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(htu: &str, https: bool, authority: &str, path: &str, expected: bool) {
        let uri = TargetUri { https, authority: authority.as_bytes(), path: path.as_bytes() };
        assert_eq!(is_same_target(htu, &uri), expected, "{htu} {authority}{path}");
    }

    #[test]
    fn targets_are_compared_in_normal_form() {
        check("https://a.example/x", true, "a.example", "/x", true);
        check("HTTPS://A.example:443/x?q=1#f", true, "a.EXAMPLE", "/x", true);
        check("https://a.example", true, "a.example", "/", true);
        check("https://a.example/%7Ex%2fy", true, "a.example:443", "/~x%2Fy", true);
        check("http://127.0.0.1:80/x", false, "127.0.0.1", "/x", true);
        check("https://[::1]:8/x", true, "[::1]:8", "/x", true);
        check("http://a.example/x", true, "a.example", "/x", false);
        check("https://a.example/x", false, "a.example", "/x", false);
        check("https://b.example/x", true, "a.example", "/x", false);
        check("https://a.example:444/x", true, "a.example", "/x", false);
        check("https://a.example/X", true, "a.example", "/x", false);
        check("https://a.example/x/", true, "a.example", "/x", false);
        check("https://a.example/x%2Fy", true, "a.example", "/x/y", false);
        check("https://a.example@b.example/x", true, "b.example", "/x", false);
        check("/x", true, "a.example", "/x", false);
        check("", true, "a.example", "/", false);
        check("ftp://a.example/x", false, "a.example", "/x", false);
    }
}
