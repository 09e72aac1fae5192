//! Encrypted tokens, made here part by part.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, X25519};
use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{
    AsBigEndian as _, AsDer as _, Curve25519SeedBin, EcPrivateKeyRfc5915Der, Pkcs8V1Der,
};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use probity_model::bundle::identity::TokenPolicy;
use probity_model::bundle::identity::token::{DecryptionKey, DecryptionKind};
use serde_json::{Value, json};

use super::super::jose::{decode, encode};
use super::super::seal_secret;
use super::support::{Bench, SEALING_KEY, Signer, inline, issuer, merged};

/// The content under a key, in the five parts.
fn content(header: &Value, wrapped: &[u8], key: &[u8], plain: &[u8]) -> String {
    let head = encode(header.to_string().as_bytes());
    let (iv, text, tag) = match header["enc"].as_str().unwrap() {
        "A128CBC-HS256" => {
            let (mac, key) = key.split_at(16);
            let iv = [3u8; 16];
            let cipher = UnboundCipherKey::new(&AES_128, key).unwrap();
            let mut text = plain.to_vec();
            PaddedBlockEncryptingKey::cbc_pkcs7(cipher)
                .unwrap()
                .less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(iv)))
                .unwrap();
            let bits = (head.len() as u64 * 8).to_be_bytes();
            let whole = [head.as_bytes(), &iv, &text, &bits].concat();
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, mac), &whole);
            (iv.to_vec(), text, tag.as_ref()[..16].to_vec())
        }
        enc => {
            let algorithm = if enc == "A256GCM" { &AES_256_GCM } else { &AES_128_GCM };
            let sealing = LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap());
            let mut text = plain.to_vec();
            let nonce = Nonce::assume_unique_for_key([3; 12]);
            let tag =
                sealing.seal_in_place_separate_tag(nonce, Aad::from(head.as_bytes()), &mut text).unwrap();
            (vec![3; 12], text, tag.as_ref().to_vec())
        }
    };
    [head.as_str(), &encode(wrapped), &encode(&iv), &encode(&text), &encode(&tag)].join(".")
}

struct Recipient {
    rsa: PrivateDecryptingKey,
    p256: agreement::PrivateKey,
    x25519: agreement::PrivateKey,
}

impl Recipient {
    fn new() -> Self {
        Self {
            rsa: PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap(),
            p256: agreement::PrivateKey::generate(&ECDH_P256).unwrap(),
            x25519: agreement::PrivateKey::generate(&X25519).unwrap(),
        }
    }

    fn bench(&self, signer: &Signer, only: bool) -> Bench {
        let pkcs8: Pkcs8V1Der<'_> = self.rsa.as_der().unwrap();
        let p256: EcPrivateKeyRfc5915Der<'_> = self.p256.as_der().unwrap();
        let seed: Curve25519SeedBin<'_> = self.x25519.as_be_bytes().unwrap();
        let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];
        let x25519 = [&prefix[..], seed.as_ref()].concat();
        let secrets = [("rsa", pkcs8.as_ref()), ("p256", p256.as_ref()), ("x25519", &x25519)];
        let key = |kind, name: &str| DecryptionKey { kid: Some(name.into()), kind, secret: name.into() };
        let mut issuer = issuer(inline(&[signer]));
        issuer.encrypted_only = only;
        issuer.decryption = vec![
            key(DecryptionKind::Rsa, "rsa"),
            key(DecryptionKind::P256, "p256"),
            key(DecryptionKind::X25519, "x25519"),
        ];
        let sealed =
            secrets.map(|(name, secret)| (name.into(), seal_secret(&SEALING_KEY, name, secret).unwrap()));
        Bench::of(TokenPolicy { issuers: vec![issuer], sealed: sealed.into(), ..TokenPolicy::default() })
    }

    fn rsa(&self, alg: &str, enc: &str, plain: &str) -> String {
        let key: Vec<u8> = (0..if enc == "A128GCM" { 16 } else { 32 }).collect();
        let public = OaepPublicEncryptingKey::new(self.rsa.public_key()).unwrap();
        let algorithm = if alg == "RSA-OAEP" { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
        let mut wrapped = vec![0; public.ciphertext_size()];
        let wrapped = public.encrypt(algorithm, &key, &mut wrapped, None).unwrap();
        content(&json!({"alg": alg, "enc": enc, "kid": "rsa", "cty": "JWT"}), wrapped, &key, plain.as_bytes())
    }

    fn agreed(&self, alg: &str, enc: &str, curve: &str, plain: &str) -> String {
        let (mine, algorithm) =
            if curve == "P-256" { (&self.p256, &ECDH_P256) } else { (&self.x25519, &X25519) };
        let ephemeral = agreement::PrivateKey::generate(algorithm).unwrap();
        let public = ephemeral.compute_public_key().unwrap();
        let point = public.as_ref();
        let epk = if curve == "P-256" {
            json!({"kty": "EC", "crv": curve, "x": encode(&point[1..33]), "y": encode(&point[33..])})
        } else {
            json!({"kty": "OKP", "crv": curve, "x": encode(point)})
        };
        let header = json!({"alg": alg, "enc": enc, "epk": epk, "apu": encode(b"A"), "apv": encode(b"BC")});
        let len = if enc == "A128GCM" { 16 } else { 32 };
        let (name, derived_len) = match alg {
            "ECDH-ES" => (enc, len),
            "ECDH-ES+A128KW" => (alg, 16),
            _ => (alg, 32),
        };
        let part = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
        let bits = (derived_len as u32 * 8).to_be_bytes().to_vec();
        let info = [part(name.as_bytes()), part(b"A"), part(b"BC"), bits].concat();
        let mut derived = vec![0; derived_len];
        let theirs = mine.compute_public_key().unwrap().as_ref().to_vec();
        agreement::agree(&ephemeral, agreement::UnparsedPublicKey::new(algorithm, theirs), (), |shared| {
            let hash = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).unwrap();
            sskdf_digest(hash, shared, &info, &mut derived).map_err(drop)
        })
        .unwrap();
        if alg == "ECDH-ES" {
            return content(&header, b"", &derived, plain.as_bytes());
        }
        let key: Vec<u8> = (0..len as u8).collect();
        let cipher = if derived_len == 16 { &key_wrap::AES_128 } else { &key_wrap::AES_256 };
        let mut wrapped = vec![0; len + 8];
        let wrapped = AesKek::new(cipher, &derived).unwrap().wrap(&key, &mut wrapped).unwrap().to_vec();
        content(&header, &wrapped, &key, plain.as_bytes())
    }
}

#[tokio::test]
async fn encrypted_tokens_are_opened_and_judged() {
    let (signer, stranger, recipient) = (Signer::ec("s"), Signer::ec("s"), Recipient::new());
    let bench = recipient.bench(&signer, false);
    let good = signer.token(json!({}));
    for token in [
        recipient.rsa("RSA-OAEP", "A128GCM", &good),
        recipient.rsa("RSA-OAEP-256", "A256GCM", &good),
        recipient.rsa("RSA-OAEP-256", "A128CBC-HS256", &good),
        recipient.agreed("ECDH-ES", "A128GCM", "P-256", &good),
        recipient.agreed("ECDH-ES", "A128CBC-HS256", "X25519", &good),
        recipient.agreed("ECDH-ES+A128KW", "A256GCM", "P-256", &good),
        recipient.agreed("ECDH-ES+A256KW", "A128GCM", "X25519", &good),
    ] {
        assert_eq!(bench.verdict(&token, |_| ()).await, "alice");
        assert_eq!(bench.verdict(&token, |_| ()).await, "alice", "known");
        // Any part changed is nothing.
        for part in 0..5 {
            let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
            if part == 0 {
                let header: Value = serde_json::from_slice(&decode(parts[0].as_bytes()).unwrap()).unwrap();
                parts[0] = encode(merged(header, json!({"x": 1})).to_string().as_bytes());
            } else if parts[part].is_empty() {
                parts[part] = "AAAA".into();
            } else {
                let flipped = if parts[part].starts_with('A') { "B" } else { "A" };
                parts[part].replace_range(..1, flipped);
            }
            let verdict = bench.verdict(&parts.join("."), |_| ()).await;
            assert_eq!(verdict, "gateway-jwe-undecryptable undecryptable", "part {part}");
        }
    }
    let sealed = |plain: &str| recipient.rsa("RSA-OAEP", "A128GCM", plain);
    for (token, expected) in [
        (sealed(&stranger.token(json!({}))), "gateway-jwt-signature invalid"),
        (sealed(&signer.token(json!({"exp": 1}))), "gateway-jwt-expired expired"),
        (sealed(r#"{"sub":"alice"}"#), "gateway-jwe-not-signed not-signed"),
        (sealed(&sealed(&good)), "gateway-jwe-not-signed not-signed"),
        (Recipient::new().rsa("RSA-OAEP", "A128GCM", &good), "gateway-jwe-undecryptable undecryptable"),
    ] {
        assert_eq!(bench.verdict(&token, |_| ()).await, expected);
    }
    assert_eq!(bench.verdict(&good, |_| ()).await, "alice");
    let only = recipient.bench(&signer, true);
    assert_eq!(only.verdict(&good, |_| ()).await, "gateway-jwe-required not-encrypted");
    assert_eq!(only.verdict(&sealed(&good), |_| ()).await, "alice");
}

#[tokio::test]
async fn odd_encryptions_are_refused() {
    let (signer, recipient) = (Signer::ec("s"), Recipient::new());
    let bench = recipient.bench(&signer, false);
    let not_allowed = "gateway-jwe-alg-not-allowed not-allowed";
    let off_curve = json!({"kty": "EC", "crv": "P-256", "x": encode(&[1; 32]), "y": encode(&[1; 32])});
    for (header, expected) in [
        (json!({"alg": "RSA1_5", "enc": "A128GCM"}), not_allowed),
        (json!({"alg": "dir", "enc": "A128GCM"}), not_allowed),
        (json!({"alg": "A128KW", "enc": "A128GCM"}), not_allowed),
        (json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1e9}), not_allowed),
        (json!({"alg": "RSA-OAEP", "enc": "none"}), not_allowed),
        (json!({"alg": "RSA-OAEP"}), not_allowed),
        (
            json!({"alg": "RSA-OAEP", "enc": "A128GCM", "zip": "DEF"}),
            "gateway-jwe-alg-not-allowed compressed",
        ),
        (json!({"alg": "RSA-OAEP", "enc": "A128GCM", "crit": ["x"]}), "gateway-jwt-crit not-understood"),
        (json!({"alg": "RSA-OAEP", "enc": "A128GCM", "kid": "?"}), "gateway-jwe-not-accepted no-key"),
        (json!({"alg": "ECDH-ES", "enc": "A128GCM"}), "gateway-jwe-malformed unusable"),
        (json!({"alg": "ECDH-ES", "enc": "A128GCM", "epk": off_curve}), "gateway-jwe-malformed unusable"),
    ] {
        let token = format!("{}.AA.AA.AA.AA", encode(header.to_string().as_bytes()));
        assert_eq!(bench.verdict(&token, |_| ()).await, expected, "{header}");
    }
}
