//! Keys, issuers and a small HTTP server for the tests beside.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use probity_model::Timestamp;
use probity_model::bundle::identity::token::{ClaimMap, Issuer, JwksPolicy, KeySource, SignatureAlgorithm};
use probity_model::bundle::identity::{TokenDemand, TokenPolicy};
use probity_model::principal::Principal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::jose::encode;
use super::super::{DpopField, Memory, Presented, TargetUri, TokenFault, TokenScheme, Tokens};

pub const NOW_S: i64 = 1_800_000_000;
pub const SEALING_KEY: [u8; 32] = [6; 32];

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW_S + seconds)
}

pub enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub struct Signer {
    pub kid: &'static str,
    pub alg: &'static str,
    pub pair: Pair,
}

/// Made once: RSA keys take their time.
pub static RSA: LazyLock<Signer> = LazyLock::new(|| Signer {
    kid: "rsa-1",
    alg: "RS256",
    pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
});

impl Signer {
    pub fn ec(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid, alg: "ES256", pair: Pair::Ec(pair) }
    }
    pub fn ed(kid: &'static str) -> Self {
        Self { kid, alg: "EdDSA", pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    pub fn public(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                // SEQUENCE of two INTEGERs: 2,048 bits, and 65,537.
                let der = pair.public_key().as_ref();
                json!({"kty": "RSA", "n": encode(&der[9..265]), "e": encode(&der[267..])})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = self.public();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub fn thumbprint(&self) -> String {
        super::super::jwk::PublicKey::parse(self.public().as_object().unwrap()).unwrap().thumbprint()
    }

    pub fn signature(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, message, &mut out).unwrap();
                out
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// Signs header and claims just as they are.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message =
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let alg = header["alg"].as_str().unwrap_or(self.alg);
        let signature = self.signature(alg, message.as_bytes());
        format!("{message}.{}", encode(&signature))
    }

    /// A good token with some claims changed; `null` takes one out.
    pub fn token(&self, change: Value) -> String {
        self.sign(&json!({"alg": self.alg, "kid": self.kid, "typ": "at+jwt"}), &merged(usual(), change))
    }
}

pub fn usual() -> Value {
    json!({
        "iss": "https://id.example", "aud": "api", "sub": "alice", "client_id": "web", "iat": NOW_S - 10,
        "exp": NOW_S + 300, "jti": "t1", "scope": "read write",
    })
}

pub fn merged(mut base: Value, change: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}

pub fn issuer(keys: KeySource) -> Issuer {
    Issuer {
        name: "main".into(),
        issuer: "https://id.example".into(),
        audiences: vec!["api".into()],
        algorithms: vec![SignatureAlgorithm::RS256, SignatureAlgorithm::ES256, SignatureAlgorithm::EdDSA],
        types: Vec::new(),
        keys,
        clock_skew_s: 30,
        max_lifetime_s: None,
        jwks: JwksPolicy { max_age_s: 600, cool_down_s: 30, stale_s: 1_000 },
        claims: ClaimMap::default(),
        sender_constrained: false,
        introspection: None,
        decryption: Vec::new(),
        encrypted_only: false,
        allow_private: true,
        ca_file: None,
    }
}

pub fn inline(signers: &[&Signer]) -> KeySource {
    KeySource::Inline(set(signers))
}

pub fn set(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

pub struct Bench {
    pub memory: Memory,
    pub tokens: Arc<Tokens>,
    pub policy: TokenPolicy,
}

impl Bench {
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self::of(TokenPolicy { issuers, ..TokenPolicy::default() })
    }

    pub fn of(policy: TokenPolicy) -> Self {
        let memory = Memory::default();
        memory.unseal_with(&SEALING_KEY);
        let tokens = Tokens::of(&policy, &memory).unwrap();
        Self { memory, tokens, policy }
    }

    pub async fn judge<'a>(
        &self,
        token: &'a str,
        change: impl FnOnce(&mut Presented<'a>),
    ) -> Result<Arc<Principal>, TokenFault> {
        static ANY: LazyLock<TokenDemand> = LazyLock::new(TokenDemand::default);
        let mut presented = presented(token, &ANY);
        change(&mut presented);
        self.tokens.verify(presented).await
    }

    /// `alice`, or the rule and what was found.
    pub async fn verdict<'a>(&self, token: &'a str, change: impl FnOnce(&mut Presented<'a>)) -> String {
        match self.judge(token, change).await {
            Ok(principal) => principal.subject.to_string(),
            Err(fault) => format!("{} {}", fault.rule, fault.found),
        }
    }
}

pub fn presented<'a>(token: &'a str, demand: &'a TokenDemand) -> Presented<'a> {
    Presented {
        token: token.as_bytes(),
        scheme: TokenScheme::Bearer,
        method: b"GET",
        uri: TargetUri { https: true, authority: b"api.example", path: b"/x" },
        dpop: DpopField::None,
        certificate: None,
        credential: None,
        demand,
        now: at(0),
    }
}

type Answer = dyn Fn(&str, &str) -> (u16, String, String) + Send + Sync;

/// An HTTP server on loopback: path and body in, status, fields and body out.
pub struct Site {
    pub origin: String,
    pub asked: Arc<AtomicU32>,
    pub heads: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Arc<Answer>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    pub async fn new(answer: impl Fn(&str, &str) -> (u16, String, String) + Send + Sync + 'static) -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", socket.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Arc<Answer>>> = Arc::new(Mutex::new(Arc::new(answer)));
        let (count, keep, how) = (Arc::clone(&asked), Arc::clone(&heads), Arc::clone(&answer));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&count), Arc::clone(&keep), Arc::clone(&how)));
            }
        });
        Self { origin, asked, heads, answer, task }
    }

    pub fn answers(&self, answer: impl Fn(&str, &str) -> (u16, String, String) + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    pub fn asked(&self) -> u32 {
        self.asked.load(SeqCst)
    }
}

async fn serve(
    mut stream: tokio::net::TcpStream,
    count: Arc<AtomicU32>,
    keep: Arc<Mutex<Vec<String>>>,
    how: Arc<Mutex<Arc<Answer>>>,
) {
    let mut text = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        text.extend_from_slice(&part[..read]);
        let whole = String::from_utf8(text.clone()).unwrap();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
        if read == 0 {
            return;
        }
    };
    count.fetch_add(1, SeqCst);
    let path = head.split(' ').nth(1).unwrap().to_owned();
    keep.lock().unwrap().push(head);
    let answer = {
        let how = Arc::clone(&how.lock().unwrap());
        let (status, fields, body) = how(&path, &body);
        format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n{body}",
            body.len()
        )
    };
    // A client that has had enough goes away.
    let _ = stream.write_all(answer.as_bytes()).await;
}

pub fn ok(body: impl Into<String>) -> (u16, String, String) {
    (200, String::new(), body.into())
}
