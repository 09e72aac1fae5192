//! Public keys of others: JWK sets and the key inside a DPoP proof (RFC 7517, 7518, 8037). Private and symmetric keys are
//! never read.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use probity_model::bundle::identity::token::SignatureAlgorithm;
use serde_json::{Map, Value};

use super::jose::{decode, encode};
use super::strict::{self, StrictError};

/// Bytes of a JWK set.
pub(super) const MAX_SET_BYTES: usize = 256 * 1024;
/// Keys of one set.
const MAX_KEYS: usize = 128;
const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;

/// Why a key set or a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwkError {
    #[error("the JWK set is {0}")]
    Json(StrictError),
    #[error("the JWK set has no list `keys`")]
    NoKeys,
    #[error("the JWK set has more than {MAX_KEYS} keys")]
    TooMany,
    #[error("no key of the JWK set can verify signatures")]
    NoneUsable,
    #[error("the key is of an unknown kind")]
    Kind,
    #[error("the key holds a secret")]
    Secret,
    #[error("the key is not for signatures")]
    Use,
    #[error("the key is malformed")]
    Malformed,
    #[error("the key is weaker than {MIN_RSA_BITS} bits")]
    Weak,
}

/// A public key that verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub kid: Option<Box<str>>,
    /// The one algorithm that it may be used with, where its owner says so.
    alg: Option<SignatureAlgorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The usable keys of a set. Keys of other kinds and uses stand in many sets and are passed over.
pub(super) fn parse_set(json: &[u8]) -> Result<Vec<PublicKey>, JwkError> {
    let set = strict::object(json, MAX_SET_BYTES).map_err(JwkError::Json)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(JwkError::NoKeys)?;
    if keys.len() > MAX_KEYS {
        return Err(JwkError::TooMany);
    }
    let usable: Vec<_> =
        keys.iter().filter_map(Value::as_object).filter_map(|key| PublicKey::parse(key).ok()).collect();
    if usable.is_empty() { Err(JwkError::NoneUsable) } else { Ok(usable) }
}

impl PublicKey {
    pub fn parse(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        // Whoever publishes a private key has shared it: nothing signed with it means anything.
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name)) {
            return Err(JwkError::Secret);
        }
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return Err(JwkError::Use);
        }
        if let Some(purposes) = jwk.get("key_ops") {
            let purposes = purposes.as_array().ok_or(JwkError::Malformed)?;
            if !purposes.iter().any(|purpose| purpose == "verify") {
                return Err(JwkError::Use);
            }
        }
        let material = Material::parse(jwk)?;
        let alg = match jwk.get("alg") {
            None => None,
            Some(name) => {
                let name = name.as_str().ok_or(JwkError::Malformed)?;
                let algorithm = SignatureAlgorithm::parse(name).ok_or(JwkError::Use)?;
                if !material.fits(algorithm) {
                    return Err(JwkError::Malformed);
                }
                Some(algorithm)
            }
        };
        Ok(Self { kid: text("kid").map(Box::from), alg, material })
    }

    /// Whether a signature by that algorithm can be this key's.
    pub fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        self.material.fits(algorithm) && self.alg.is_none_or(|own| own == algorithm)
    }

    pub fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let verified = match &self.material {
            Material::Rsa { n, e } => match rsa(algorithm) {
                Some(parameters) => RsaPublicKeyComponents { n, e }.verify(parameters, message, signature),
                None => return false,
            },
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        verified.is_ok()
    }

    /// RFC 7638, with SHA-256, in base64url.
    pub fn thumbprint(&self) -> String {
        let point = |crv: &str, point: &[u8]| {
            let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
            format!(r#"{{"crv":"{crv}","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
        };
        let canonical = match &self.material {
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)),
            Material::P256(both) => point("P-256", both),
            Material::P384(both) => point("P-384", both),
            Material::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
        };
        encode(digest(&SHA256, canonical.as_bytes()).as_ref())
    }
}

impl Material {
    fn parse(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).ok_or(JwkError::Malformed);
        let bytes = |name: &str| decode(text(name)?.as_bytes()).ok_or(JwkError::Malformed);
        match (text("kty")?, jwk.get("crv").and_then(Value::as_str)) {
            ("RSA", None) => Self::rsa(bytes("n")?, bytes("e")?),
            ("EC", Some("P-256")) => Ok(Self::P256(uncompressed(&bytes("x")?, &bytes("y")?, 32)?)),
            ("EC", Some("P-384")) => Ok(Self::P384(uncompressed(&bytes("x")?, &bytes("y")?, 48)?)),
            ("OKP", Some("Ed25519")) => match bytes("x")? {
                x if x.len() == 32 => Ok(Self::Ed25519(x)),
                _ => Err(JwkError::Malformed),
            },
            _ => Err(JwkError::Kind),
        }
    }

    /// Numbers have no leading zeros (RFC 7518, section 2), so that a key has one thumbprint.
    fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, JwkError> {
        let (Some(first), Some(last)) = (n.first(), n.last()) else { return Err(JwkError::Malformed) };
        let bits = n.len() * 8 - first.leading_zeros() as usize;
        let odd_exponent = e.last().is_some_and(|last| last % 2 == 1);
        if *first == 0 || last % 2 == 0 || !odd_exponent || e.first() == Some(&0) || e == [1] || e.len() > 4 {
            return Err(JwkError::Malformed);
        }
        match bits {
            MIN_RSA_BITS..=MAX_RSA_BITS => Ok(Self::Rsa { n, e }),
            ..MIN_RSA_BITS => Err(JwkError::Weak),
            _ => Err(JwkError::Malformed),
        }
    }

    fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        match self {
            Self::Rsa { .. } => rsa(algorithm).is_some(),
            Self::P256(_) => algorithm == SignatureAlgorithm::ES256,
            Self::P384(_) => algorithm == SignatureAlgorithm::ES384,
            Self::Ed25519(_) => algorithm == SignatureAlgorithm::EdDSA,
        }
    }
}

fn uncompressed(x: &[u8], y: &[u8], len: usize) -> Result<Vec<u8>, JwkError> {
    if x.len() == len && y.len() == len { Ok([&[4], x, y].concat()) } else { Err(JwkError::Malformed) }
}

fn rsa(algorithm: SignatureAlgorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        SignatureAlgorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        SignatureAlgorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        SignatureAlgorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        SignatureAlgorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// Why no key of a set is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// No key has that `kid`, or none fits at all.
    Unknown,
    /// The key with that `kid` is of another kind or for another algorithm.
    Unfit,
    /// Several keys fit and the token names none.
    Ambiguous,
}

/// The key of a token. A `kid` is compared, never used otherwise.
pub(super) fn select<'k>(
    keys: &'k [PublicKey],
    kid: Option<&str>,
    algorithm: SignatureAlgorithm,
) -> Result<&'k PublicKey, Missing> {
    let named = |key: &&PublicKey| kid.is_none() || key.kid.as_deref() == kid;
    let mut fitting = keys.iter().filter(named).filter(|key| key.fits(algorithm));
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(Missing::Ambiguous),
        (None, _) if kid.is_some() && keys.iter().any(|key| named(&key)) => Err(Missing::Unfit),
        (None, _) => Err(Missing::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7638, section 3.1.
    const RFC_7638: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;

    fn with(change: impl FnOnce(&mut Map<String, Value>)) -> Result<PublicKey, JwkError> {
        let mut jwk = strict::object(RFC_7638.as_bytes(), 4096).unwrap();
        change(&mut jwk);
        PublicKey::parse(&jwk)
    }

    fn set(name: &'static str, value: impl Into<Value>) -> Result<PublicKey, JwkError> {
        with(|jwk| drop(jwk.insert(name.into(), value.into())))
    }

    #[test]
    fn the_thumbprint_is_that_of_the_document() {
        let key = with(|_| ()).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let p256 = r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
        let p256 = PublicKey::parse(&strict::object(p256.as_bytes(), 4096).unwrap()).unwrap();
        // RFC 9449, section 6.1.
        assert_eq!(p256.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn only_public_signature_keys_of_good_size_count() {
        use JwkError::*;
        let kind = |got: Result<PublicKey, JwkError>| got.map(|_| ());
        assert_eq!(kind(set("use", "sig")), Ok(()));
        assert_eq!(kind(set("use", "enc")), Err(Use));
        assert_eq!(kind(set("key_ops", vec!["verify"])), Ok(()));
        assert_eq!(kind(set("key_ops", vec!["sign", "encrypt"])), Err(Use));
        assert_eq!(kind(set("key_ops", "verify")), Err(Malformed));
        assert_eq!(kind(set("alg", "ES256")), Err(Malformed));
        assert_eq!(kind(set("alg", "HS256")), Err(Use));
        assert_eq!(kind(set("alg", "RSA-OAEP")), Err(Use));
        assert_eq!(kind(set("d", "AQAB")), Err(Secret));
        assert_eq!(kind(set("kty", "oct")), Err(Kind));
        assert_eq!(kind(set("kty", "EC")), Err(Kind));
        assert_eq!(kind(set("e", "AQ")), Err(Malformed));
        assert_eq!(kind(set("e", "AA")), Err(Malformed));
        assert_eq!(kind(set("e", "AAEAAQ")), Err(Malformed));
        assert_eq!(kind(set("e", "AQAA")), Err(Malformed));
        assert_eq!(kind(set("n", "")), Err(Malformed));
        assert_eq!(kind(set("n", "=")), Err(Malformed));
        assert_eq!(kind(set("n", encode(&[255; 128]))), Err(Weak));
        assert_eq!(
            kind(set("n", encode(&[0x7f].iter().chain(&[255; 255]).copied().collect::<Vec<_>>()))),
            Err(Weak)
        );
        assert_eq!(kind(set("n", encode(&[255; 1025]))), Err(Malformed));
        let secret = r#"{"kty":"oct","k":"c2VjcmV0"}"#;
        assert_eq!(kind(PublicKey::parse(&strict::object(secret.as_bytes(), 99).unwrap())), Err(Secret));
    }

    #[test]
    fn sets_are_bounded_and_pass_over_what_is_not_meant() {
        let check = |json: &str, expected: Result<usize, JwkError>| {
            assert_eq!(parse_set(json.as_bytes()).map(|keys| keys.len()), expected, "{json:.80}");
        };
        check(&format!(r#"{{"keys":[{RFC_7638},{{"kty":"oct","k":"AA"}},7,{{"kty":"new"}}]}}"#), Ok(1));
        check(r#"{"keys":[]}"#, Err(JwkError::NoneUsable));
        check(r#"{"keys":{}}"#, Err(JwkError::NoKeys));
        check(r#"{"kys":[]}"#, Err(JwkError::NoKeys));
        check(&format!(r#"{{"keys":[{}7]}}"#, "7,".repeat(128)), Err(JwkError::TooMany));
        check(r#"{"keys":[],"keys":[]}"#, Err(JwkError::Json(StrictError::Repeated)));
        check("<html>", Err(JwkError::Json(StrictError::Malformed)));
    }

    #[test]
    fn keys_are_chosen_by_name_and_kind() {
        use SignatureAlgorithm::{ES256, PS256, RS256};
        let one = with(|_| ()).unwrap();
        let other = with(|jwk| drop((jwk.insert("kid".into(), "b".into()), jwk.remove("alg")))).unwrap();
        let keys = [one.clone(), other.clone()];
        assert_eq!(select(&keys, Some("2011-04-29"), RS256), Ok(&one));
        assert_eq!(select(&keys, Some("2011-04-29"), PS256), Err(Missing::Unfit));
        assert_eq!(select(&keys, Some("b"), PS256), Ok(&other));
        assert_eq!(select(&keys, Some("b"), ES256), Err(Missing::Unfit));
        assert_eq!(select(&keys, Some("../../dev/null"), RS256), Err(Missing::Unknown));
        assert_eq!(select(&keys, None, RS256), Err(Missing::Ambiguous));
        assert_eq!(select(&keys, None, PS256), Ok(&other));
        assert_eq!(select(&keys, None, ES256), Err(Missing::Unknown));
        assert_eq!(select(&[one.clone(), one.clone()], Some("2011-04-29"), RS256), Err(Missing::Ambiguous));
    }
}
