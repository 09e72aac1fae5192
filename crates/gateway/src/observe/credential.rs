//! Who calls, as far as fields and query show it. A credential is presented here, never verified; what is kept of it is a
//! keyed hash.

use std::sync::Mutex;

use aws_lc_rs::hmac;
use probity_http1::RequestHead;
use probity_model::exchange::{Authentication, AuthenticationState, CredentialScheme};

use super::Observer;
use crate::watch::lock;

/// Fields that carry an API key by custom.
const KEY_FIELDS: [&[u8]; 8] = [
    b"x-api-key",
    b"api-key",
    b"apikey",
    b"x-auth-token",
    b"x-access-token",
    b"x-apikey",
    b"x-api-token",
    b"ocp-apim-subscription-key",
];
/// Query parameters that do.
const KEY_PARAMETERS: [&[u8]; 9] = [
    b"access_token",
    b"api_key",
    b"apikey",
    b"api-key",
    b"token",
    b"key",
    b"auth",
    b"auth_token",
    b"subscription-key",
];
/// Parts of the names of cookies that carry a session or a token.
const SESSION_MARKS: [&[u8]; 6] = [b"sess", b"auth", b"token", b"jwt", b"login", b"remember"];
/// Pairs that are looked at in a cookie or query.
const MAX_PAIRS: usize = 64;

/// The last credential of a connection, by a hash of what carried it: calls that repeat it cost no HMAC.
#[derive(Debug, Default)]
pub(crate) struct CredentialCache(Mutex<Option<(u64, [u8; 16])>>);

/// Where a credential was found, the best of several.
#[derive(Debug, Default)]
pub(super) struct Presented<'a> {
    authorization: Option<&'a [u8]>,
    field: Option<&'a [u8]>,
    cookie: Option<(&'a [u8], &'a [u8])>,
    query: Option<&'a [u8]>,
}

impl<'a> Presented<'a> {
    /// Looks at one field; the name may be in any case.
    pub fn see(&mut self, name: &[u8], value: &'a [u8], own: &[Box<[u8]>]) {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match name.len() {
            13 if is(b"authorization") => self.authorization = Some(value),
            6 if is(b"cookie") => self.cookie = self.cookie.or_else(|| session_cookie(value)),
            _ if KEY_FIELDS.iter().any(|known| is(known)) || own.iter().any(|known| is(known)) => {
                self.field = Some(value);
            }
            _ => {}
        }
    }

    pub fn see_query(&mut self, query: &'a [u8], own: &[Box<[u8]>]) {
        let is_key = |name: &[u8]| {
            KEY_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
                || own.iter().any(|known| name.eq_ignore_ascii_case(known))
        };
        self.query = pairs(query, b'&')
            .find(|(name, value)| !value.is_empty() && is_key(name))
            .map(|(_, value)| value);
    }

    /// Whether the request target holds a credential.
    pub fn in_url(&self) -> bool {
        self.query.is_some()
    }

    pub fn authentication(&self, observer: &Observer, cache: &CredentialCache) -> Authentication {
        let (scheme, name, value) = match self {
            Self { authorization: Some(value), .. } => {
                let (scheme, part) = authorization(value);
                (scheme, &b""[..], part)
            }
            Self { field: Some(value), .. } => (CredentialScheme::ApiKeyHeader, &b""[..], *value),
            Self { cookie: Some((name, value)), .. } => (CredentialScheme::Cookie, *name, *value),
            Self { query: Some(value), .. } => (CredentialScheme::ApiKeyQuery, &b""[..], *value),
            _ => return Authentication::none(),
        };
        Authentication {
            state: AuthenticationState::Presented,
            scheme,
            identity: None,
            credential: Some(cache.credential(observer, scheme, name, value)),
            key_version: observer.key_version,
        }
    }
}

impl CredentialCache {
    fn credential(
        &self,
        observer: &Observer,
        scheme: CredentialScheme,
        name: &[u8],
        value: &[u8],
    ) -> [u8; 16] {
        let hash = observer.local_hash(value) ^ observer.local_hash(name).rotate_left(1) ^ scheme as u64;
        if let Some((known, credential)) = *lock(&self.0)
            && known == hash
        {
            return credential;
        }
        let mut context = hmac::Context::with_key(&observer.identity);
        for part in [b"probity-credential-v1", scheme.name().as_bytes(), name, value] {
            context.update(part);
            context.update(&[0]);
        }
        let credential = context.sign().as_ref().first_chunk().copied().unwrap_or_default();
        *lock(&self.0) = Some((hash, credential));
        credential
    }
}

/// The scheme, and the part of the value that stays the same from call to call.
fn authorization(value: &[u8]) -> (CredentialScheme, &[u8]) {
    let end = memchr::memchr(b' ', value).unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(end).unwrap_or((value, b""));
    let rest = rest.trim_ascii();
    let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    match () {
        () if is(b"bearer") => (CredentialScheme::Bearer, rest),
        () if is(b"basic") => (CredentialScheme::Basic, rest),
        () if is(b"digest") => (CredentialScheme::Digest, parameter(rest, b"username=").unwrap_or(rest)),
        () if is(b"signature") => (CredentialScheme::Signature, parameter(rest, b"keyId=").unwrap_or(rest)),
        () if is(b"hawk") => (CredentialScheme::Signature, parameter(rest, b"id=").unwrap_or(rest)),
        () if scheme.to_ascii_uppercase().starts_with(b"AWS4-HMAC-") => {
            let key = parameter(rest, b"Credential=").unwrap_or(rest);
            (CredentialScheme::Signature, key.split(|byte| *byte == b'/').next().unwrap_or(key))
        }
        () => (CredentialScheme::Other, rest),
    }
}

fn parameter<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = memchr::memmem::find(text, name)? + name.len();
    let rest = text.get(start..)?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    rest.split(|byte| matches!(byte, b'"' | b',' | b' ')).next()
}

fn session_cookie(cookie: &[u8]) -> Option<(&[u8], &[u8])> {
    pairs(cookie, b';').find(|(name, value)| !value.is_empty() && is_session(name))
}

fn is_session(name: &[u8]) -> bool {
    let mut lower = [0; 64];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    // A token against forged requests says nothing of who calls.
    let forgery =
        memchr::memmem::find(lower, b"csrf").is_some() || memchr::memmem::find(lower, b"xsrf").is_some();
    !forgery
        && (lower.ends_with(b"sid")
            || SESSION_MARKS.iter().any(|mark| memchr::memmem::find(lower, mark).is_some()))
}

fn pairs(text: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(move |byte| *byte == separator).take(MAX_PAIRS).filter_map(|pair| {
        let pair = pair.trim_ascii();
        pair.split_at_checked(memchr::memchr(b'=', pair)?)
            .map(|(name, value)| (name, value.get(1..).unwrap_or_default()))
    })
}

/// Whether a field carries a credential, so that its value is not classified as a leak.
pub(super) fn is_credential_field(name: &[u8], own: &[Box<[u8]>]) -> bool {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    is(b"authorization")
        || is(b"cookie")
        || KEY_FIELDS.iter().any(|known| is(known))
        || own.iter().any(|known| is(known))
}

/// All credentials of a head.
pub(super) fn presented<'a>(head: &'a RequestHead, own: &[Box<[u8]>]) -> Presented<'a> {
    let mut presented = Presented::default();
    head.headers().for_each(|(name, value)| presented.see(name, value, own));
    if let Some(query) = head.query() {
        presented.see_query(query, own);
    }
    presented
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Tuning;
    use bytes::BytesMut;
    use probity_http1::{Limits, parse_request};

    fn read(target: &str, fields: &str) -> Authentication {
        let mut text = BytesMut::from(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
        let head = parse_request(&mut text, &Limits::default()).unwrap().unwrap();
        let observer = Observer::new("g".into(), &[3; 32], 4, Tuning::default()).unwrap();
        let own: [Box<[u8]>; 1] = [b"x-clinic-key"[..].into()];
        presented(&head, &own).authentication(&observer, &CredentialCache::default())
    }

    #[test]
    fn schemes() {
        use CredentialScheme::*;
        for (target, fields, expected) in [
            ("/", "", None),
            ("/", "Authorization: Bearer abc\r\n", Bearer),
            ("/", "authorization: basic YTpi\r\n", Basic),
            ("/", "Authorization: Digest username=\"a\", nonce=\"1\"\r\n", Digest),
            ("/", "Authorization: AWS4-HMAC-SHA256 Credential=AK/2026/x, Signature=1\r\n", Signature),
            ("/", "Authorization: Strange abc\r\n", Other),
            ("/", "X-API-Key: 1\r\n", ApiKeyHeader),
            ("/", "X-Clinic-Key: 1\r\n", ApiKeyHeader),
            ("/", "Cookie: theme=dark; PHPSESSID=1\r\n", Cookie),
            ("/", "Cookie: theme=dark; csrftoken=1\r\n", None),
            ("/?a=1&access_token=2", "", ApiKeyQuery),
            ("/?x-clinic-key=2", "", ApiKeyQuery),
            ("/?keyboard=2&token=", "", None),
            ("/?token=1", "X-Auth-Token: 1\r\nAuthorization: Bearer x\r\n", Bearer),
        ] {
            let got = read(target, fields);
            assert_eq!(got.scheme, expected, "{target} {fields}");
            assert_eq!(got.credential.is_some(), expected != None);
            assert_eq!(got.state == AuthenticationState::Presented, expected != None);
        }
    }

    #[test]
    fn one_credential_has_one_hash() {
        let hash = |fields: &str| read("/", fields).credential.unwrap();
        assert_eq!(hash("Authorization: Bearer abc\r\n"), hash("authorization: BEARER abc\r\n"));
        assert_ne!(hash("Authorization: Bearer abc\r\n"), hash("Authorization: Bearer abd\r\n"));
        assert_ne!(hash("Authorization: Bearer abc\r\n"), hash("X-Api-Key: abc\r\n"));
        assert_eq!(
            hash("Authorization: Digest username=\"a\", nonce=\"1\"\r\n"),
            hash("Authorization: Digest username=\"a\", nonce=\"2\"\r\n")
        );
    }

    #[test]
    fn the_cache_does_not_confuse() {
        let observer = Observer::new("g".into(), &[3; 32], 4, Tuning::default()).unwrap();
        let cache = CredentialCache::default();
        let of = |scheme, value: &[u8]| cache.credential(&observer, scheme, b"", value);
        let first = of(CredentialScheme::Bearer, b"a");
        assert_eq!(of(CredentialScheme::Bearer, b"a"), first);
        assert_ne!(of(CredentialScheme::Basic, b"a"), first);
        assert_ne!(of(CredentialScheme::Bearer, b"b"), first);
        assert_eq!(of(CredentialScheme::Bearer, b"a"), first);
    }
}
