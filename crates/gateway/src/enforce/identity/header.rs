//! Who calls, told to the upstream in one field that it can verify; and the fields by which others pretend to say so.
//!
//! `Probity-Principal` is a compact JWS (RFC 7515) with EdDSA. Its key is derived from the gateway's identity key; the
//! public half stands at `/.well-known/jwks.json` of the admin address. Signing is paid once for each credential and
//! service, not for each call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use probity_model::Timestamp;
use probity_model::bundle::identity::PrincipalField;
use probity_model::principal::{Principal, PrincipalKind};
use probity_model::time::MICROS_PER_SECOND;
use serde::Serialize;

use crate::bundle::hex;
use crate::watch::lock;

/// In lower case, as it is written.
pub(super) const FIELD: &str = "probity-principal";
/// Longest life of one value.
const MAX_SECONDS: u32 = 300;
/// Values kept for one service.
const MAX_KEPT: usize = 10_000;

/// Fields by which gateways and proxies tell who calls; a `*` stands for any ending. `X-Forwarded-*` never passes at all,
/// and is here to be seen.
const FORGEABLE: [&str; 23] = [
    FIELD,
    "remote-user",
    "x-amzn-oidc-*",
    "x-auth-request-*",
    "x-authenticated-*",
    "x-client-cert*",
    "x-client-verify",
    "x-consumer-*",
    "x-credential-*",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-goog-authenticated-user-*",
    "x-jwt-assertion",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "x-remote-user*",
    "x-ssl-client-*",
    "x-user*",
    "x-webauth-*",
];
/// Ones that begin so and say something else.
const HARMLESS: [&str; 1] = ["x-user-agent"];

/// Which fields of a request pretend to say who calls.
#[derive(Debug)]
pub(super) struct Forgeable {
    /// Without the `*`, and whether it stood there.
    names: Vec<(Box<str>, bool)>,
    allowed: Vec<Box<str>>,
}

impl Forgeable {
    pub fn new(more: &[Arc<str>], allowed: &[Arc<str>]) -> Self {
        let name = |text: &str| {
            let text = text.to_ascii_lowercase();
            match text.strip_suffix('*') {
                Some(start) => (start.into(), true),
                None => (text.into(), false),
            }
        };
        Self {
            names: FORGEABLE.iter().copied().chain(more.iter().map(|text| &**text)).map(name).collect(),
            allowed: HARMLESS
                .iter()
                .copied()
                .chain(allowed.iter().map(|text| &**text))
                .map(|text| text.to_ascii_lowercase().into())
                .collect(),
        }
    }

    pub fn means(&self, name: &[u8]) -> bool {
        self.names.iter().any(|(known, any_ending)| {
            let start = name.get(..known.len());
            start.is_some_and(|start| is_read_as(start, known)) && (*any_ending || name.len() == known.len())
        }) && !self.allowed.iter().any(|allowed| is_read_as(name, allowed))
    }
}

/// Whether an upstream may read one name for the other: CGI and what came after it write `-` and `_` alike.
fn is_read_as(name: &[u8], known: &str) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == known.len() && name.iter().map(plain).eq(known.as_bytes().iter().map(plain))
}

/// Signs what upstreams are told.
pub(crate) struct Signer {
    key: Ed25519KeyPair,
    kid: String,
    head: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.kid)
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'a str,
    sub: &'a str,
    /// Who proved the subject.
    sub_iss: &'a str,
    kind: PrincipalKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'a str>,
    roles: &'a [Arc<str>],
    scope: String,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    attributes: &'a std::collections::BTreeMap<Arc<str>, serde_json::Value>,
    iat: i64,
    exp: i64,
}

impl Signer {
    /// `None` where the library refuses the derived seed.
    pub fn new(identity_key: &[u8; 32]) -> Option<Self> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, identity_key);
        let seed = hmac::sign(&root, b"probity-principal-field-v1");
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).ok()?;
        let kid = hex(super::key::secret_digest(key.public_key().as_ref()).get(..8)?);
        let head = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
        Some(Self { key, kid, head: URL_SAFE_NO_PAD.encode(head) })
    }

    /// The public key as a JWK set (RFC 7517, RFC 8037).
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"{}","x":"{x}"}}]}}"#,
            self.kid
        )
    }

    fn sign(
        &self,
        principal: &Principal,
        service: &str,
        now: Timestamp,
        seconds: u32,
    ) -> (Arc<str>, Timestamp) {
        let iat = now.as_micros() / MICROS_PER_SECOND;
        let claims = Claims {
            iss: "probity",
            aud: service,
            sub: &principal.subject,
            sub_iss: &principal.issuer,
            kind: principal.kind,
            tenant: principal.tenant.as_deref(),
            consumer: principal.consumer.as_deref(),
            roles: &principal.roles,
            scope: principal.scopes.join(" "),
            attributes: &principal.attributes,
            iat,
            exp: iat + i64::from(seconds),
        };
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let mut text = format!("{}.{}", self.head, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut text);
        (text.into(), Timestamp::from_seconds(iat + i64::from(seconds)))
    }
}

/// A value of the field and of whom it tells.
#[derive(Debug)]
struct Value {
    of: Arc<Principal>,
    text: Arc<str>,
    until: Timestamp,
}

/// The values of one service in use.
#[derive(Debug)]
pub(super) struct Told {
    seconds: u32,
    service: Box<str>,
    kept: Mutex<HashMap<[u8; 16], Value>>,
}

impl Told {
    pub fn new(field: PrincipalField, service: &str) -> Self {
        Self { seconds: field.seconds.clamp(1, MAX_SECONDS), service: service.into(), kept: Mutex::default() }
    }

    /// The field's value, good for at least half of its life.
    pub fn value(&self, signer: &Signer, principal: &Arc<Principal>, now: Timestamp) -> Arc<str> {
        let fresh = now.plus_micros(i64::from(self.seconds) * MICROS_PER_SECOND / 2);
        let credential = principal.proof.credential;
        let mut kept = lock(&self.kept);
        if let Some(known) = kept.get(&credential)
            && known.until >= fresh
            && (Arc::ptr_eq(&known.of, principal) || known.of == *principal)
        {
            return Arc::clone(&known.text);
        }
        let (text, until) = signer.sign(principal, &self.service, now, self.seconds);
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, value| value.until >= fresh);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(credential, Value { of: Arc::clone(principal), text: Arc::clone(&text), until });
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::identity::tests::principal;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    #[test]
    fn fields_that_say_who_calls() {
        let forgeable = Forgeable::new(&["X-Clinic-*".into(), "x-role".into()], &["X-User-Locale".into()]);
        for name in [
            "Probity-Principal",
            "X-User",
            "x-user-id",
            "X-USERNAME",
            "X-Client-Cert",
            "x-clinic-role",
            "X-Role",
        ] {
            assert!(forgeable.means(name.as_bytes()), "{name}");
        }
        for name in ["x-user-agent", "X-User-Locale", "x-use", "accept", "x-roles", "probity-principals", ""]
        {
            assert!(!forgeable.means(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_field_verifies_and_is_signed_once() {
        let (signer, caller) = (Signer::new(&[7; 32]).unwrap(), Arc::new(principal("ada")));
        let told = Told::new(PrincipalField { seconds: 60 }, "clinic");
        let now = Timestamp::from_seconds(1_000_000);
        let value = told.value(&signer, &caller, now);
        let (signed, signature) = value.rsplit_once('.').unwrap();
        let key: serde_json::Value = serde_json::from_str(&signer.jwks()).unwrap();
        let key = &key["keys"][0];
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        UnparsedPublicKey::new(&ED25519, decoded(key["x"].as_str().unwrap()))
            .verify(signed.as_bytes(), &decoded(signature))
            .unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        let head: serde_json::Value = serde_json::from_slice(&decoded(head)).unwrap();
        assert_eq!((&head["alg"], &head["kid"]), (&"EdDSA".into(), &key["kid"]));
        let claims: serde_json::Value = serde_json::from_slice(&decoded(claims)).unwrap();
        assert_eq!(
            claims,
            serde_json::json!({
                "iss": "probity", "aud": "clinic", "sub": "ada", "sub_iss": "probity", "kind": "user",
                "tenant": "north", "consumer": "clinic-app", "roles": ["reader"], "scope": "read write",
                "iat": 1_000_000, "exp": 1_000_060,
            })
        );
        let later = |seconds: i64| told.value(&signer, &caller, Timestamp::from_seconds(1_000_000 + seconds));
        assert!(Arc::ptr_eq(&value, &later(30)));
        assert!(!Arc::ptr_eq(&value, &later(31)));
        let mut other = principal("ada");
        other.roles.clear();
        assert_ne!(told.value(&signer, &Arc::new(other), now), value);
    }
}
