//! Encrypted tokens (RFC 7516, 7518): opened with keys that the bundle holds sealed. Inside must be a signed token, which is
//! judged as any other.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, UnparsedPublicKey, X25519};
use aws_lc_rs::cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::key_wrap::{AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::{constant_time, hmac, key_wrap, rand};
use probity_model::bundle::identity::token::{DecryptionKey, DecryptionKind};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::fault::TokenFault;
use super::jose::{Header, JWE_RULES, decode};

/// Keys that are tried for one token without `kid`.
const MAX_TRIES: usize = 4;
/// What stands before the 32 bytes of an X25519 key in PKCS#8 (RFC 8410).
const X25519_PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("a decryption key is unusable, expected PKCS#8 of the stated kind")]
    Unusable,
    #[error("an RSA decryption key has fewer than 2048 bits")]
    Weak,
}

/// A private key that opens tokens.
#[derive(Debug)]
pub(super) struct PrivateKey {
    kid: Option<Box<str>>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(OaepPrivateDecryptingKey),
    Agreement { curve: Curve, key: agreement::PrivateKey },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    X25519,
}

/// How the key of the content is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Management {
    RsaOaep,
    RsaOaep256,
    /// ECDH-ES, with the length of the wrapping key, or directly.
    Agreement(Option<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    A128Gcm,
    A256Gcm,
    A128CbcHs256,
    A256CbcHs512,
}

impl PrivateKey {
    /// From PKCS#8.
    pub fn new(key: &DecryptionKey, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let agreement = |curve: Curve, algorithm| {
            let key = agreement::PrivateKey::from_private_key_der(algorithm, pkcs8);
            key.map(|key| Material::Agreement { curve, key }).map_err(|_| KeyError::Unusable)
        };
        let material = match key.kind {
            DecryptionKind::Rsa => {
                let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| KeyError::Unusable)?;
                if key.key_size_bits() < 2048 {
                    return Err(KeyError::Weak);
                }
                Material::Rsa(OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Unusable)?)
            }
            DecryptionKind::P256 => agreement(Curve::P256, &ECDH_P256)?,
            DecryptionKind::P384 => agreement(Curve::P384, &ECDH_P384)?,
            DecryptionKind::X25519 => {
                let raw = pkcs8.strip_prefix(&X25519_PKCS8).ok_or(KeyError::Unusable)?;
                let key =
                    agreement::PrivateKey::from_private_key(&X25519, raw).map_err(|_| KeyError::Unusable)?;
                Material::Agreement { curve: Curve::X25519, key }
            }
        };
        Ok(Self { kid: key.kid.as_deref().map(Box::from), material })
    }

    fn fits(&self, management: Management, epk: Option<&Epk>) -> bool {
        match (&self.material, management) {
            (Material::Rsa(_), Management::RsaOaep | Management::RsaOaep256) => true,
            (Material::Agreement { curve, .. }, Management::Agreement(_)) => {
                epk.is_some_and(|epk| epk.curve == *curve)
            }
            _ => false,
        }
    }
}

/// The ephemeral public key of the sender.
#[derive(Debug)]
struct Epk {
    curve: Curve,
    point: Vec<u8>,
}

fn fault(rule: &'static str, field: &'static str, found: &'static str) -> TokenFault {
    TokenFault::token(rule, field, found)
}

/// Opens with the first key that fits; gives the payload and to whom the key belongs.
pub(super) fn open<'k, O: Copy>(
    [head, wrapped, iv, text, tag]: [&[u8]; 5],
    keys: impl Iterator<Item = (O, &'k PrivateKey)>,
) -> Result<(O, Zeroizing<Vec<u8>>), TokenFault> {
    let header = Header::parse(head, JWE_RULES)?;
    let malformed = |field, found| fault("gateway-jwe-malformed", field, found);
    let not_allowed = |field| fault("gateway-jwe-alg-not-allowed", field, "not-allowed");
    // What compresses to little can grow to much.
    if header.members.contains_key("zip") {
        return Err(fault("gateway-jwe-alg-not-allowed", "zip", "compressed"));
    }
    let management = header.alg().and_then(Management::parse).ok_or(not_allowed("alg"))?;
    let encryption = header.enc().and_then(Encryption::parse).ok_or(not_allowed("enc"))?;
    let epk = match management {
        Management::Agreement(_) => Some(Epk::parse(header.members.get("epk"))?),
        _ => None,
    };
    let part = |part: &[u8], field| decode(part).ok_or(malformed(field, "not-base64url"));
    let (wrapped, iv, tag) = (part(wrapped, "key")?, part(iv, "iv")?, part(tag, "tag")?);
    let text = Zeroizing::new(part(text, "ciphertext")?);
    let named =
        |key: &PrivateKey| header.kid().is_none() || key.kid.is_none() || key.kid.as_deref() == header.kid();
    let mut tried = false;
    for (owner, key) in
        keys.filter(|(_, key)| key.fits(management, epk.as_ref()) && named(key)).take(MAX_TRIES)
    {
        tried = true;
        let content = key.content_key(&header, management, encryption, epk.as_ref(), &wrapped);
        let content = content.map_err(|_| malformed("epk", "unusable"))?;
        if let Some(plain) = encryption.open(&content, head, &iv, &text, &tag) {
            return Ok((owner, plain));
        }
    }
    Err(if tried {
        fault("gateway-jwe-undecryptable", "token", "undecryptable")
    } else {
        fault("gateway-jwe-not-accepted", "kid", "no-key")
    })
}

struct Unusable;

impl PrivateKey {
    /// A wrapped key that does not unwrap becomes a random one, so that nobody learns which of the two steps failed
    /// (RFC 7516, section 11.5).
    fn content_key(
        &self,
        header: &Header,
        management: Management,
        encryption: Encryption,
        epk: Option<&Epk>,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unusable> {
        let len = encryption.key_len();
        let mut key = Zeroizing::new(vec![0u8; len]);
        rand::fill(&mut key).map_err(|_| Unusable)?;
        match (&self.material, management, epk) {
            (Material::Rsa(private), Management::RsaOaep, _) => {
                unwrap_rsa(private, &OAEP_SHA1_MGF1SHA1, wrapped, &mut key)
            }
            (Material::Rsa(private), Management::RsaOaep256, _) => {
                unwrap_rsa(private, &OAEP_SHA256_MGF1SHA256, wrapped, &mut key);
            }
            (Material::Agreement { key: private, curve }, Management::Agreement(wrap), Some(epk)) => {
                let name = if wrap.is_some() { header.alg() } else { header.enc() };
                let info = other_info(&header.members, name.unwrap_or_default(), wrap.unwrap_or(len))?;
                let mut derived = Zeroizing::new(vec![0u8; wrap.unwrap_or(len)]);
                let algorithm = match curve {
                    Curve::P256 => &ECDH_P256,
                    Curve::P384 => &ECDH_P384,
                    Curve::X25519 => &X25519,
                };
                let public = UnparsedPublicKey::new(algorithm, &epk.point);
                agreement::agree(private, public, Unusable, |shared| {
                    let hash = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(Unusable)?;
                    sskdf_digest(hash, shared, &info, &mut derived).map_err(|_| Unusable)
                })?;
                match wrap {
                    None if wrapped.is_empty() => key = derived,
                    None => {}
                    Some(_) => unwrap_aes(&derived, wrapped, &mut key),
                }
            }
            _ => {}
        }
        Ok(key)
    }
}

fn unwrap_rsa(
    private: &OaepPrivateDecryptingKey,
    algorithm: &'static OaepAlgorithm,
    wrapped: &[u8],
    key: &mut [u8],
) {
    let mut room = Zeroizing::new(vec![0u8; private.min_output_size()]);
    if let Ok(plain) = private.decrypt(algorithm, wrapped, &mut room, None)
        && plain.len() == key.len()
    {
        key.copy_from_slice(plain);
    }
}

fn unwrap_aes(kek: &[u8], wrapped: &[u8], key: &mut [u8]) {
    let cipher = if kek.len() == 16 { &key_wrap::AES_128 } else { &key_wrap::AES_256 };
    let Ok(kek) = AesKek::new(cipher, kek) else { return };
    if wrapped.len() != key.len() + 8 {
        return;
    }
    let mut room = Zeroizing::new(vec![0u8; wrapped.len()]);
    if let Ok(plain) = kek.unwrap(wrapped, &mut room)
        && plain.len() == key.len()
    {
        key.copy_from_slice(plain);
    }
}

/// RFC 7518, section 4.6.2: what the derived key is for.
fn other_info(members: &Map<String, Value>, name: &str, key_len: usize) -> Result<Vec<u8>, Unusable> {
    let party = |member: &str| match members.get(member) {
        None => Ok(Vec::new()),
        Some(value) => value.as_str().and_then(|text| decode(text.as_bytes())).ok_or(Unusable),
    };
    let mut info = Vec::new();
    for part in [name.as_bytes(), &party("apu")?, &party("apv")?] {
        info.extend_from_slice(&u32::try_from(part.len()).map_err(|_| Unusable)?.to_be_bytes());
        info.extend_from_slice(part);
    }
    info.extend_from_slice(&(key_len as u32 * 8).to_be_bytes());
    Ok(info)
}

impl Epk {
    fn parse(value: Option<&Value>) -> Result<Self, TokenFault> {
        let odd = || fault("gateway-jwe-malformed", "epk", "unusable");
        let jwk = value.and_then(Value::as_object).ok_or_else(odd)?;
        let bytes = |name: &str, len: usize| {
            let decoded = jwk.get(name).and_then(Value::as_str).and_then(|text| decode(text.as_bytes()));
            decoded.filter(|bytes| bytes.len() == len).ok_or_else(odd)
        };
        let point =
            |len: usize| Ok::<_, TokenFault>([&[4][..], &bytes("x", len)?, &bytes("y", len)?].concat());
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => Ok(Self { curve: Curve::P256, point: point(32)? }),
            (Some("EC"), Some("P-384")) => Ok(Self { curve: Curve::P384, point: point(48)? }),
            (Some("OKP"), Some("X25519")) => Ok(Self { curve: Curve::X25519, point: bytes("x", 32)? }),
            _ => Err(odd()),
        }
    }
}

impl Management {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RSA-OAEP" => Self::RsaOaep,
            "RSA-OAEP-256" => Self::RsaOaep256,
            "ECDH-ES" => Self::Agreement(None),
            "ECDH-ES+A128KW" => Self::Agreement(Some(16)),
            "ECDH-ES+A256KW" => Self::Agreement(Some(32)),
            _ => return None,
        })
    }
}

impl Encryption {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "A128GCM" => Self::A128Gcm,
            "A256GCM" => Self::A256Gcm,
            "A128CBC-HS256" => Self::A128CbcHs256,
            "A256CBC-HS512" => Self::A256CbcHs512,
            _ => return None,
        })
    }

    const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm | Self::A128CbcHs256 => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    fn open(self, key: &[u8], aad: &[u8], iv: &[u8], text: &[u8], tag: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::A128Gcm => gcm(&AES_128_GCM, key, aad, iv, text, tag),
            Self::A256Gcm => gcm(&AES_256_GCM, key, aad, iv, text, tag),
            Self::A128CbcHs256 => cbc(&AES_128, hmac::HMAC_SHA256, key, aad, iv, text, tag),
            Self::A256CbcHs512 => cbc(&AES_256, hmac::HMAC_SHA512, key, aad, iv, text, tag),
        }
    }
}

fn gcm(
    algorithm: &'static aws_lc_rs::aead::Algorithm,
    key: &[u8],
    aad: &[u8],
    iv: &[u8],
    text: &[u8],
    tag: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE_LEN] = iv.try_into().ok()?;
    if tag.len() != algorithm.tag_len() {
        return None;
    }
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let mut room = Zeroizing::new([text, tag].concat());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let len = key.open_in_place(nonce, Aad::from(aad), &mut room).ok()?.len();
    room.truncate(len);
    Some(room)
}

/// RFC 7518, section 5.2: the tag is looked at before anything is decrypted.
fn cbc(
    algorithm: &'static aws_lc_rs::cipher::Algorithm,
    mac: hmac::Algorithm,
    key: &[u8],
    aad: &[u8],
    iv: &[u8],
    text: &[u8],
    tag: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (mac_key, key) = key.split_at_checked(key.len() / 2)?;
    let iv: [u8; 16] = iv.try_into().ok()?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(mac, mac_key));
    for part in [aad, &iv, text, &(aad.len() as u64 * 8).to_be_bytes()] {
        context.update(part);
    }
    let expected = context.sign();
    constant_time::verify_slices_are_equal(expected.as_ref().get(..mac_key.len())?, tag).ok()?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut room = Zeroizing::new(text.to_vec());
    let len = key.decrypt(&mut room, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?.len();
    room.truncate(len);
    Some(room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::identity::token::jose::encode;

    /// RFC 7518, appendix C: Bob's side.
    #[test]
    fn keys_are_derived_as_in_the_document() {
        let header = r#"{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","epk":{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}"#;
        let header = Header::parse(encode(header.as_bytes()).as_bytes(), JWE_RULES).unwrap();
        let bob = decode(b"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let key = agreement::PrivateKey::from_private_key(&ECDH_P256, &bob).unwrap();
        let bob = PrivateKey { kid: None, material: Material::Agreement { curve: Curve::P256, key } };
        let epk = Epk::parse(header.members.get("epk")).unwrap();
        let direct = Management::Agreement(None);
        let derived = bob.content_key(&header, direct, Encryption::A128Gcm, Some(&epk), b"").ok().unwrap();
        assert_eq!(encode(&derived), "VqqN6vgjbSBcIijNcacQGg");
    }
}
