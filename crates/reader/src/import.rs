//! A call that somebody else recorded, as the road of recorded calls takes it. Text and bodies are borrowed from the
//! file, are raw, and are there to be typed and classified at once and then dropped: nothing here may be kept.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use probity_model::Timestamp;
use probity_model::exchange::Protocol;

/// Names of query parameters read per call.
pub const MAX_QUERY_NAMES: usize = 256;

#[derive(Clone)]
pub struct ImportedCall<'a> {
    /// Line of the file, from 1.
    pub line: u64,
    pub started_at: Timestamp,
    /// As written; upper case in practice.
    pub method: Cow<'a, str>,
    /// Lower case, without user; with the port when it is neither 80 nor 443.
    pub host: Option<Cow<'a, str>>,
    /// Raw, without query; starts with `/` (or is `*`).
    pub path: Cow<'a, str>,
    /// Names of the query parameters, decoded, in order.
    pub query: Vec<String>,
    /// The raw query, for the classifier only.
    pub query_text: Option<Cow<'a, str>>,
    pub status: u16,
    pub protocol: Protocol,
    pub client: Option<IpAddr>,
    pub user_agent: Option<Cow<'a, str>>,
    /// The log names a user whom the server had authenticated. The name itself is not read.
    pub authenticated: bool,
    /// Essence of the content type, as written.
    pub request_type: Option<Cow<'a, str>>,
    pub response_type: Option<Cow<'a, str>>,
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub total_us: Option<u64>,
    /// Time spent waiting for the upstream or server.
    pub upstream_us: Option<u64>,
    /// Names as written.
    pub request_headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub response_headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub request_body: Option<Cow<'a, [u8]>>,
    pub response_body: Option<Cow<'a, [u8]>>,
}

impl<'a> ImportedCall<'a> {
    /// A call without anything optional.
    pub(crate) fn new(
        line: u64,
        started_at: Timestamp,
        method: Cow<'a, str>,
        path: Cow<'a, str>,
        status: u16,
    ) -> Self {
        Self {
            line,
            started_at,
            method,
            host: None,
            path,
            query: Vec::new(),
            query_text: None,
            status,
            protocol: Protocol::Unknown,
            client: None,
            user_agent: None,
            authenticated: false,
            request_type: None,
            response_type: None,
            request_bytes: None,
            response_bytes: None,
            total_us: None,
            upstream_us: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            request_body: None,
            response_body: None,
        }
    }
    pub(crate) fn with_target(self, target: Target<'a>) -> Self {
        Self {
            host: target.host.map(Cow::Owned).or(self.host),
            query: target.query.as_deref().map(query_names).unwrap_or_default(),
            path: target.path,
            query_text: target.query,
            ..self
        }
    }
}

/// Nothing but what a record would hold anyway: a log line may print this.
impl fmt::Debug for ImportedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedCall")
            .field("line", &self.line)
            .field("started_at", &self.started_at)
            .field("method", &self.method)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// `HTTP/1.1`, `h2`, `HTTP/2.0`, `http/2.0`.
pub(crate) fn protocol(text: &str) -> Protocol {
    let version = match text.split_once('/') {
        Some((name, version)) if name.eq_ignore_ascii_case("http") => version,
        _ if text.eq_ignore_ascii_case("h2") || text.eq_ignore_ascii_case("h2c") => "2",
        _ => return Protocol::Unknown,
    };
    match version {
        "1.0" => Protocol::Http10,
        "1.1" => Protocol::Http11,
        "2" | "2.0" => Protocol::Http2,
        _ => Protocol::Unknown,
    }
}

/// `text/html; charset=utf-8` -> `text/html`.
pub(crate) fn essence<'a>(content_type: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    let cut = |text: &str| text.split(';').next().map_or(0, |head| head.trim_end().len());
    let trimmed = match content_type {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..cut(text))?.trim_start()),
        Cow::Owned(text) => Cow::Owned(text.get(..cut(text))?.trim_start().to_owned()),
    };
    (!trimmed.is_empty()).then_some(trimmed)
}

/// Splits a request target or a whole URL into host, path and query. `None` when it is neither.
pub(crate) fn target<'a>(text: Cow<'a, str>) -> Option<Target<'a>> {
    match text {
        Cow::Borrowed(text) => split_target(text),
        Cow::Owned(text) => split_target(&text).map(|target| Target {
            host: target.host,
            path: Cow::Owned(target.path.into_owned()),
            query: target.query.map(|query| Cow::Owned(query.into_owned())),
        }),
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) host: Option<String>,
    pub(crate) path: Cow<'a, str>,
    pub(crate) query: Option<Cow<'a, str>>,
}

fn split_target(text: &str) -> Option<Target<'_>> {
    let text = text.split('#').next().unwrap_or_default();
    let (host, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_web(scheme) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end)?;
            (Some(host(authority)?), rest)
        }
        _ => (None, text),
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(Cow::Borrowed(query))),
        None => (rest, None),
    };
    let path = match path {
        "" if host.is_some() => "/",
        path if path.starts_with('/') || path == "*" => path,
        _ => return None,
    };
    Some(Target { host, path: Cow::Borrowed(path), query })
}

fn is_web(scheme: &str) -> bool {
    ["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The authority without its user and without the usual ports, in lower case.
pub(crate) fn host(authority: &str) -> Option<String> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host);
    let wellformed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    (!host.is_empty() && host.chars().all(wellformed)).then(|| host.to_ascii_lowercase())
}

/// The names in a query, decoded.
pub(crate) fn query_names(query: &str) -> Vec<String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(MAX_QUERY_NAMES)
        .map(|pair| decode(pair.split('=').next().unwrap_or_default()))
        .collect()
}

fn decode(name: &str) -> String {
    let mut bytes = name.as_bytes().iter();
    let mut out = Vec::with_capacity(name.len());
    while let Some(&byte) = bytes.next() {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        match (byte, bytes.as_slice()) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    bytes.nth(1);
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// An address, also with a port (`10.0.0.1:52311`, `[::1]:80`).
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// What an HTTP method may be made of, short enough to be one.
pub(crate) fn is_method(text: &str) -> bool {
    (1..=24).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'))
}

/// `0.013` seconds, or milliseconds with a fraction, in microseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
pub(crate) fn micros(amount: f64, unit_us: f64) -> Option<u64> {
    (amount.is_finite() && amount >= 0.0).then(|| (amount * unit_us).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_targets() {
        for (text, expected) in [
            ("/a/b?x=1&y", Some((None, "/a/b", Some("x=1&y")))),
            ("https://u:p@Api.Example.com:443/a#f", Some((Some("api.example.com"), "/a", None))),
            ("http://[::1]:8080?x", Some((Some("[::1]:8080"), "/", Some("x")))),
            ("wss://h", Some((Some("h"), "/", None))),
            ("*", Some((None, "*", None))),
            ("data:text/plain,x", None),
            ("http:///x", None),
            ("", None),
            ("a/b", None),
        ] {
            let found = target(Cow::Borrowed(text));
            let found = found.as_ref().map(|t| (t.host.as_deref(), &*t.path, t.query.as_deref()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn names_queries_and_addresses() {
        assert_eq!(query_names("a=1&b%5B0%5D=2&&c+d&%zz=%C3"), ["a", "b[0]", "c d", "%zz"]);
        for (text, expected) in [
            ("10.0.0.1:52311", Some("10.0.0.1")),
            ("[::1]:80", Some("::1")),
            ("[::1]", Some("::1")),
            ("::1", Some("::1")),
            ("unix:", None),
        ] {
            assert_eq!(address(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
        assert_eq!(essence(&Cow::Borrowed(" text/html ; q")).as_deref(), Some("text/html"));
        assert_eq!(micros(0.0135, 1e6), Some(13_500));
        assert_eq!(micros(-1.0, 1e6), None);
    }
}
