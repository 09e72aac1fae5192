//! Proofs that are none: keys, passwords, tokens, and proofs of possession used twice.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use probity_gateway::{credential_hash, hash_password, mint_key, secret_digest};
use probity_model::bundle::identity::token::{ClaimMap, Issuer, JwksPolicy, KeySource, SignatureAlgorithm};
use probity_model::bundle::identity::{
    Consumer, Credential, IdentityPolicy, Password, SecretScheme, TokenPolicy,
};
use serde_json::{Value, json};

use super::{Expect, Row, get, passed, refused, row};

const ISSUER: &str = "https://id.example";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

struct Signer(EcdsaKeyPair);

static SERVER: LazyLock<Signer> = LazyLock::new(Signer::new);
static CLIENT: LazyLock<Signer> = LazyLock::new(Signer::new);
static THIEF: LazyLock<Signer> = LazyLock::new(Signer::new);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn public(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
    }

    fn thumbprint(&self) -> String {
        let key = self.public();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
        encode(digest(&SHA256, text.as_bytes()))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encode(signature))
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}

fn merged(mut base: Value, change: Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
            _ => base[name] = value.clone(),
        }
    }
    base
}

fn claims(change: Value) -> Value {
    let now = now();
    let usual = json!({
        "iss": ISSUER, "aud": "api", "sub": "alice", "client_id": "web", "iat": now - 10, "exp": now + 600,
        "scope": "read",
    });
    merged(usual, change)
}

fn header(change: Value) -> Value {
    merged(json!({"alg": "ES256", "kid": "s-1", "typ": "at+jwt"}), change)
}

/// A proof for `GET http://a.example/patients/1`.
fn proof(key: &Signer, token: &str, head: Value, change: Value) -> String {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let jti = format!("p-{}", TURN.fetch_add(1, Relaxed));
    let ath = encode(digest(&SHA256, token.as_bytes()));
    let usual =
        json!({"jti": jti, "htm": "GET", "htu": "http://a.example/patients/1", "iat": now(), "ath": ath});
    let usual_head = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public()});
    key.sign(&merged(usual_head, head), &merged(usual, change))
}

fn key_of(seed: u8) -> String {
    mint_key("live", &[seed; 64]).unwrap()
}

/// The field of somebody who may do everything.
pub fn good_key() -> String {
    format!("X-Api-Key: {}\r\n", key_of(9))
}

/// The field of a patient, who may do little.
pub fn patient_key() -> String {
    format!("X-Api-Key: {}\r\n", key_of(8))
}

pub fn policy() -> IdentityPolicy {
    let consumer = |name: &str, role: &str| Consumer {
        name: name.into(),
        roles: vec![role.into()],
        attributes: [("patient_id".into(), json!("p-1"))].into(),
        ..Consumer::default()
    };
    let credential = |id: &str, secret: &str, consumer, scheme| Credential {
        id: id.into(),
        hash: credential_hash(&[7; 32], &secret_digest(secret.as_bytes())),
        consumer,
        scheme,
        roles: None,
        scopes: None,
        environment: None,
        issued_at: None,
        expires_at: None,
        revoked: id == "revoked",
    };
    let mut public = SERVER.public();
    public["kid"] = "s-1".into();
    let issuer = Issuer {
        name: "main".into(),
        issuer: ISSUER.into(),
        audiences: vec!["api".into()],
        algorithms: vec![SignatureAlgorithm::RS256, SignatureAlgorithm::ES256],
        types: Vec::new(),
        keys: KeySource::Inline(json!({"keys": [public]}).to_string()),
        clock_skew_s: 30,
        max_lifetime_s: None,
        jwks: JwksPolicy::default(),
        claims: ClaimMap::default(),
        sender_constrained: false,
        introspection: None,
        decryption: Vec::new(),
        encrypted_only: false,
        allow_private: false,
        ca_file: None,
    };
    let password = Password {
        user: "ada".into(),
        consumer: 1,
        argon2id: hash_password(b"correct horse", &[1; 16]).unwrap().into(),
        expires_at: None,
    };
    IdentityPolicy {
        tokens: Some(TokenPolicy { issuers: vec![issuer], ..TokenPolicy::default() }),
        consumers: vec![consumer("staff", "staff"), consumer("patient", "patient")],
        credentials: vec![
            credential("staff", &key_of(9), 0, SecretScheme::Any),
            credential("patient", &key_of(8), 1, SecretScheme::Any),
            credential("revoked", &key_of(7), 1, SecretScheme::Any),
            credential("opaque", "opaque-secret", 1, SecretScheme::Bearer),
        ],
        passwords: vec![password],
        ..IdentityPolicy::default()
    }
}

fn tokens() -> Vec<(&'static str, String, Expect)> {
    let server = &*SERVER;
    let good = server.sign(&header(json!({})), &claims(json!({})));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let unsigned = |alg: &str, signature: &str| {
        format!("{}.{payload}.{signature}", encode(header(json!({"alg": alg})).to_string()))
    };
    let confused = |secret: &[u8]| {
        let message = format!("{}.{payload}", encode(header(json!({"alg": "HS256"})).to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", encode(tag))
    };
    let headed = |change: Value| server.sign(&header(change), &claims(json!({})));
    let claimed = |change: Value| server.sign(&header(json!({})), &claims(change));
    let paid = |payload: &[u8]| format!("{head}.{}.{signature}", encode(payload));
    let now = now();
    let no = |rule: &str| refused(401, &format!("gateway-{rule}"));
    vec![
        ("good", good.clone(), passed(&["GET /patients/1"], &[])),
        ("none", unsigned("none", ""), no("jwt-alg-none")),
        ("None", unsigned("None", ""), no("jwt-alg-none")),
        ("nOnE", unsigned("nOnE", ""), no("jwt-alg-none")),
        ("none with a signature", unsigned("none", signature), no("jwt-alg-none")),
        ("no algorithm", headed(json!({"alg": null})), no("jwt-malformed")),
        ("algorithm a number", headed(json!({"alg": 7})), no("jwt-malformed")),
        ("algorithm empty", unsigned("", signature), no("jwt-alg-not-allowed")),
        (
            "HS256 with the key's text",
            confused(SERVER.public().to_string().as_bytes()),
            no("jwt-alg-symmetric"),
        ),
        ("HS256 with the key's point", confused(SERVER.0.public_key().as_ref()), no("jwt-alg-symmetric")),
        ("HS256 with nothing", confused(b"\0"), no("jwt-alg-symmetric")),
        ("RS256 for a curve's key", unsigned("RS256", signature), no("jwt-key-mismatch")),
        ("PS512, not of the issuer", unsigned("PS512", signature), no("jwt-alg-not-allowed")),
        (
            "another's key of the same name",
            THIEF.sign(&header(json!({})), &claims(json!({}))),
            no("jwt-signature"),
        ),
        ("kid of a path", headed(json!({"kid": "../../../dev/null"})), no("jwt-key-unknown")),
        ("kid of SQL", headed(json!({"kid": "x' UNION SELECT 'k'--"})), no("jwt-key-unknown")),
        ("kid of a command", headed(json!({"kid": "|/bin/sh"})), no("jwt-key-unknown")),
        ("kid of an address", headed(json!({"kid": "http://169.254.169.254/"})), no("jwt-key-unknown")),
        ("kid with NUL", headed(json!({"kid": "s-1\0"})), no("jwt-malformed")),
        ("kid a list", headed(json!({"kid": ["s-1"]})), no("jwt-malformed")),
        ("kid of 5,000 letters", headed(json!({"kid": "k".repeat(5_000)})), no("jwt-malformed")),
        (
            "own key in the header",
            THIEF.sign(&json!({"alg": "ES256", "jwk": THIEF.public()}), &claims(json!({}))),
            no("jwt-key-in-header"),
        ),
        ("jku", headed(json!({"jku": "http://127.0.0.1/keys"})), no("jwt-key-in-header")),
        ("x5u", headed(json!({"x5u": "http://127.0.0.1/chain"})), no("jwt-key-in-header")),
        ("x5c", headed(json!({"x5c": ["AAAA"]})), no("jwt-key-in-header")),
        ("crit", headed(json!({"crit": ["exp"]})), no("jwt-crit")),
        ("crit empty", headed(json!({"crit": []})), no("jwt-crit")),
        ("b64", headed(json!({"b64": false, "crit": ["b64"]})), no("jwt-crit")),
        ("type of a proof", headed(json!({"typ": "dpop+jwt"})), no("jwt-type")),
        ("expired", claimed(json!({"exp": now - 100})), no("jwt-expired")),
        ("expired long ago", claimed(json!({"exp": 1})), no("jwt-expired")),
        ("no end", claimed(json!({"exp": null})), no("jwt-no-expiry")),
        ("end a text", claimed(json!({"exp": "9999999999"})), no("jwt-claims")),
        ("end past all", claimed(json!({"exp": 1e300})), no("jwt-claims")),
        ("end below nothing", claimed(json!({"exp": -1})), no("jwt-claims")),
        ("not yet", claimed(json!({"nbf": now + 1_000})), no("jwt-not-yet-valid")),
        ("from tomorrow", claimed(json!({"iat": now + 86_400})), no("jwt-issued-in-future")),
        ("another issuer", claimed(json!({"iss": "https://evil.example"})), no("jwt-issuer")),
        ("the issuer and a slash", claimed(json!({"iss": "https://id.example/"})), no("jwt-issuer")),
        ("issuers in a list", claimed(json!({"iss": [ISSUER]})), no("jwt-issuer")),
        ("another audience", claimed(json!({"aud": "other"})), no("jwt-audience")),
        ("no audience", claimed(json!({"aud": null})), no("jwt-audience")),
        ("nobody", claimed(json!({"sub": null, "client_id": null})), no("jwt-claims")),
        ("a subject that is an object", claimed(json!({"sub": {"a": 1}})), no("jwt-claims")),
        (
            "a signature of another payload",
            paid(claims(json!({"sub": "root"})).to_string().as_bytes()),
            no("jwt-signature"),
        ),
        ("a signature of zeros", format!("{message}.{}", encode([0; 64])), no("jwt-signature")),
        ("a signature cut", format!("{message}.{}", &signature[..40]), no("jwt-signature")),
        ("no signature", format!("{message}."), no("jwt-signature")),
        ("padding", format!("{good}="), no("jwt-malformed")),
        ("letters of the other base64", format!("{message}.+/{}", &signature[2..]), no("jwt-malformed")),
        ("four parts", format!("{good}.x"), no("token-not-accepted")),
        ("five parts", format!("{good}.x.y"), no("jwe-alg-not-allowed")),
        ("two parts", message.to_owned(), no("token-not-accepted")),
        ("only dots", "..".into(), no("token-not-accepted")),
        ("4,000 dots", ".".repeat(4_000), no("token-not-accepted")),
        (
            "a header that is no JSON",
            format!("{}.{payload}.{signature}", encode("x")),
            no("token-not-accepted"),
        ),
        (
            "a header with a member twice",
            format!("{}.{payload}.{signature}", encode(r#"{"alg":"ES256","alg":"none"}"#)),
            no("jwt-malformed"),
        ),
        ("a payload that is no JSON", paid(b"\xff"), no("jwt-malformed")),
        ("a payload that is a list", paid(b"[]"), no("jwt-malformed")),
        ("a payload with a claim twice", paid(br#"{"sub":"a","sub":"root"}"#), no("jwt-malformed")),
        ("a payload 5,000 deep", paid(&[&b"{\"a\":"[..], &b"[".repeat(5_000)].concat()), no("jwt-malformed")),
        ("20 KiB", claimed(json!({"x": "y".repeat(20 << 10)})), no("jwt-too-long")),
        (
            "encrypted to nobody",
            "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AA.AA.AA.AA".into(),
            no("jwe-not-accepted"),
        ),
        ("opaque and unknown", "mF_9-B5f".into(), no("token-not-accepted")),
        (
            "bound, without its proof",
            claimed(json!({"cnf": {"jkt": CLIENT.thumbprint()}})),
            no("dpop-downgrade"),
        ),
    ]
}

fn proofs() -> Vec<(&'static str, String, Expect)> {
    let bound = SERVER.sign(&header(json!({})), &claims(json!({"cnf": {"jkt": CLIENT.thumbprint()}})));
    let free = SERVER.sign(&header(json!({})), &claims(json!({})));
    let with = |token: &str, proof: &str| format!("Authorization: DPoP {token}\r\nDPoP: {proof}\r\n");
    let claimed = |change: Value| with(&bound, &proof(&CLIENT, &bound, json!({}), change));
    let headed = |change: Value| with(&bound, &proof(&CLIENT, &bound, change, json!({})));
    let once = claimed(json!({}));
    let no = |rule: &str| refused(401, &format!("gateway-{rule}"));
    vec![
        ("a good proof", once.clone(), passed(&["GET /patients/1"], &[])),
        ("the same proof again", once.clone(), no("dpop-replay")),
        ("none", format!("Authorization: DPoP {bound}\r\n"), no("dpop-missing")),
        ("two", format!("{once}DPoP: x\r\n"), no("dpop-malformed")),
        ("garbage", with(&bound, "garbage"), no("dpop-malformed")),
        ("of another method", claimed(json!({"htm": "POST"})), no("dpop-method")),
        ("of another target", claimed(json!({"htu": "http://a.example/admin"})), no("dpop-url")),
        ("of another host", claimed(json!({"htu": "http://evil.example/patients/1"})), no("dpop-url")),
        ("of last year", claimed(json!({"iat": now() - 31_536_000})), no("dpop-time")),
        ("of next year", claimed(json!({"iat": now() + 31_536_000})), no("dpop-time")),
        ("of another token", claimed(json!({"ath": "AAAA"})), no("dpop-token-hash")),
        ("without a name", claimed(json!({"jti": ""})), no("dpop-malformed")),
        ("of type JWT", headed(json!({"typ": "JWT"})), no("dpop-type")),
        ("of none", headed(json!({"alg": "none"})), no("dpop-alg")),
        ("of HS256", headed(json!({"alg": "HS256"})), no("dpop-alg")),
        (
            "with a private key",
            headed(json!({"jwk": merged(CLIENT.public(), json!({"d": "AAAA"}))})),
            no("dpop-key"),
        ),
        ("without a key", headed(json!({"jwk": null})), no("dpop-key")),
        ("by a thief", with(&bound, &proof(&THIEF, &bound, json!({}), json!({}))), no("dpop-thumbprint")),
        (
            "by a thief under the client's key",
            with(&bound, &proof(&THIEF, &bound, json!({"jwk": CLIENT.public()}), json!({}))),
            no("dpop-signature"),
        ),
        (
            "for a token that is not bound",
            with(&free, &proof(&CLIENT, &free, json!({}), json!({}))),
            no("token-not-bound"),
        ),
    ]
}

fn secrets() -> Vec<(&'static str, String, Expect)> {
    let no = |rule: &str| refused(401, &format!("gateway-credential-{rule}"));
    let key = key_of(9);
    let field = |key: &str| format!("X-Api-Key: {key}\r\n");
    let basic = |pair: &[u8]| format!("Authorization: Basic {}\r\n", STANDARD.encode(pair));
    let bearer = "Authorization: Bearer opaque-secret\r\n";
    vec![
        ("a good key", field(&key), passed(&["GET /patients/1"], &[])),
        ("nothing", String::new(), no("missing")),
        ("a revoked key", field(&key_of(7)), no("revoked")),
        ("a key nobody has", field(&key_of(5)), no("unknown")),
        ("a key mistyped", field(&key.replace("live", "test")), no("malformed")),
        ("a key cut", field(&key[..20]), no("malformed")),
        ("a key and more", field(&format!("{key}x")), no("malformed")),
        ("a key in capitals", field(&key.to_uppercase()), no("unknown")),
        ("an empty key", field(""), no("malformed")),
        ("a key of 10 KiB", field(&"k".repeat(10 << 10)), no("malformed")),
        ("a key of SQL", field("' OR '1'='1"), no("unknown")),
        ("a key past ASCII", field("\u{e9}\u{e9}"), no("unknown")),
        ("two keys", format!("{}{}", field(&key), field(&key_of(8))), no("repeated")),
        ("two keys in one field", field(&format!("{key}, {key}")), no("malformed")),
        ("the opaque token as a key", field("opaque-secret"), no("scheme")),
        ("Authorization twice", format!("{bearer}{bearer}"), no("repeated")),
        (
            "Authorization twice of two kinds",
            format!("{bearer}Authorization: Basic eA==\r\n"),
            no("repeated"),
        ),
        (
            "two tokens in one field",
            "Authorization: Bearer opaque-secret, Bearer x\r\n".into(),
            refused(401, "gateway-token-not-accepted"),
        ),
        ("Bearer of nothing", "Authorization: Bearer\r\n".into(), refused(401, "gateway-token-not-accepted")),
        ("Authorization empty", "Authorization: \r\n".into(), no("scheme")),
        ("an unknown scheme", "Authorization: Magic x\r\n".into(), no("scheme")),
        ("Digest", "Authorization: Digest username=\"a\"\r\n".into(), no("scheme")),
        ("NTLM", "Authorization: NTLM TlRMTVNTUAAB\r\n".into(), no("scheme")),
        ("Negotiate", "Authorization: Negotiate YII=\r\n".into(), no("scheme")),
        ("a scheme of 5,000 letters", format!("Authorization: {} x\r\n", "S".repeat(5_000)), no("scheme")),
        ("Basic of nothing", "Authorization: Basic\r\n".into(), no("malformed")),
        ("Basic that is no base64", "Authorization: Basic !!!!\r\n".into(), no("malformed")),
        ("Basic without a colon", basic(b"ada"), no("malformed")),
        // One of nobody is hashed for, in 19 MiB that the allocator keeps by thread: `identity` has it, where no memory is told.
        ("Basic of 5,000 letters", basic(&[&b"a:"[..], &b"x".repeat(5_000)].concat()), no("malformed")),
        ("Basic of colons", basic(b":::::"), no("malformed")),
    ]
}

pub fn rows() -> Vec<Row> {
    let of = |kind: &'static str, rows: Vec<(&str, String, Expect)>| {
        rows.into_iter()
            .map(move |(name, fields, expect)| row(kind, name, get("/patients/1", &fields), expect))
            .collect::<Vec<_>>()
    };
    let tokens = tokens()
        .into_iter()
        .map(|(name, token, expect)| (name, format!("Authorization: Bearer {token}\r\n"), expect))
        .collect();
    [of("token", tokens), of("proof of possession", proofs()), of("key and password", secrets())]
        .into_iter()
        .flatten()
        .collect()
}
