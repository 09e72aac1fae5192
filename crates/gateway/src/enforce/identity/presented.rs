//! Which credentials a request carries, and where. Nothing is verified here.

use probity_http1::RequestHead;

use super::header::Forgeable;

/// Pairs that are looked at in a cookie or query.
const MAX_PAIRS: usize = 64;
/// Forged fields of one call that are named.
const MAX_FORGED: usize = 16;

/// Where keys are looked for; names in lower case.
#[derive(Debug, Default)]
pub(super) struct KeyPlaces {
    pub fields: Vec<Box<[u8]>>,
    pub parameters: Vec<Box<[u8]>>,
    pub cookies: Vec<Box<[u8]>>,
}

/// Where a key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyPlace {
    Field,
    Query,
    Cookie,
}

#[derive(Debug, Default)]
pub(super) struct Presented<'a> {
    pub authorization: Option<&'a [u8]>,
    pub key: Option<(&'a [u8], KeyPlace)>,
    pub dpop: Option<&'a [u8]>,
    pub several_proofs: bool,
    /// A credential stands there twice: which one counts would be a guess.
    pub repeated: bool,
    /// Lower-case names of fields that pretend to say who calls.
    pub forged: Vec<String>,
}

impl<'a> Presented<'a> {
    pub fn read(head: &'a RequestHead, places: &KeyPlaces, forgeable: &Forgeable) -> Self {
        let mut seen = Self::default();
        for (name, value) in head.headers() {
            seen.see(name, value, places, forgeable);
        }
        if !places.parameters.is_empty()
            && let Some(query) = head.query()
        {
            seen.see_pairs(query, b'&', &places.parameters, KeyPlace::Query);
        }
        seen
    }

    fn see(&mut self, name: &[u8], value: &'a [u8], places: &KeyPlaces, forgeable: &Forgeable) {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match name.len() {
            13 if is(b"authorization") => {
                self.repeated |= self.authorization.is_some();
                self.authorization = Some(value);
            }
            4 if is(b"dpop") => {
                self.several_proofs |= self.dpop.is_some();
                self.dpop = Some(value);
            }
            6 if is(b"cookie") && !places.cookies.is_empty() => {
                self.see_pairs(value, b';', &places.cookies, KeyPlace::Cookie);
            }
            _ if places.fields.iter().any(|known| is(known)) => self.see_key(value, KeyPlace::Field),
            _ if forgeable.means(name) && self.forged.len() < MAX_FORGED => {
                self.forged.push(String::from_utf8_lossy(name).to_ascii_lowercase());
            }
            _ => {}
        }
    }

    fn see_pairs(&mut self, text: &'a [u8], separator: u8, names: &[Box<[u8]>], place: KeyPlace) {
        for pair in text.split(|byte| *byte == separator).take(MAX_PAIRS) {
            let pair = pair.trim_ascii();
            let Some((name, value)) = memchr::memchr(b'=', pair).and_then(|at| pair.split_at_checked(at))
            else {
                continue;
            };
            if names.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                self.see_key(value.get(1..).unwrap_or_default(), place);
            }
        }
    }

    fn see_key(&mut self, value: &'a [u8], place: KeyPlace) {
        self.repeated |= self.key.is_some_and(|(known, _)| known != value);
        self.key.get_or_insert((value, place));
    }
}

/// The scheme of an `Authorization` and what follows it.
pub(super) fn scheme(authorization: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b' ', authorization).unwrap_or(authorization.len());
    let (scheme, rest) = authorization.split_at_checked(end).unwrap_or((authorization, b""));
    (scheme, rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use probity_http1::{Limits, parse_request};

    fn check(target: &str, fields: &str, expected: (&str, &str, bool, usize)) {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = parse_request(&mut BytesMut::from(text.as_bytes()), &Limits::default()).unwrap().unwrap();
        let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().into()).collect();
        let places = KeyPlaces {
            fields: names(&["x-api-key"]),
            parameters: names(&["access_token"]),
            cookies: names(&["session"]),
        };
        let forgeable = Forgeable::new(&[], &[]);
        let seen = Presented::read(&head, &places, &forgeable);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let key = seen.key.map_or(String::new(), |(key, place)| format!("{} {place:?}", text(key)));
        let authorization = text(seen.authorization.unwrap_or_default());
        assert_eq!(
            (authorization.as_str(), key.as_str(), seen.repeated, seen.forged.len()),
            expected,
            "{target} {fields}"
        );
    }

    #[test]
    fn credentials_are_found_where_they_may_stand() {
        check("/", "", ("", "", false, 0));
        check("/", "authorization: Bearer a\r\n", ("Bearer a", "", false, 0));
        check("/", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", ("Bearer b", "", true, 0));
        check("/", "X-API-Key: a\r\n", ("", "a Field", false, 0));
        check("/", "X-API-Key: a\r\nx-api-key: b\r\n", ("", "a Field", true, 0));
        check("/?access_token=a", "X-API-Key: a\r\n", ("", "a Field", false, 0));
        check("/?access_token=b", "X-API-Key: a\r\n", ("", "a Field", true, 0));
        check("/?a=1&access_token=b", "", ("", "b Query", false, 0));
        check("/?a=1&token=b", "", ("", "", false, 0));
        check("/", "Cookie: a=1; session=c\r\n", ("", "c Cookie", false, 0));
        check("/", "X-User: root\r\nProbity-Principal: e30.e30.\r\n", ("", "", false, 2));
    }

    #[test]
    fn schemes_are_split_off() {
        for (value, expected) in [
            ("Bearer abc", ("Bearer", "abc")),
            ("Bearer", ("Bearer", "")),
            ("  x", ("", "x")),
            ("", ("", "")),
        ] {
            let (scheme, rest) = scheme(value.as_bytes());
            assert_eq!((scheme, rest), (expected.0.as_bytes(), expected.1.as_bytes()), "{value}");
        }
    }
}
