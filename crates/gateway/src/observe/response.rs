//! What a response's fields show.

use probity_http1::RequestHead;
use probity_model::{Signal, Signals};

use super::ContentType;
use crate::enforce::Shown;

/// Gathered when the answer has ended.
#[derive(Debug)]
pub(super) struct ResponseFacts {
    pub content_type: ContentType,
    pub encoded: bool,
    pub signals: Signals,
    /// Shared caches may keep the answer.
    pub cacheable: bool,
}

impl ResponseFacts {
    pub fn gather(request: &RequestHead, response: &Shown, secure: bool) -> Self {
        let mut signals = Signals::default();
        let (mut content_type, mut encoded) = (None, false);
        let (mut hsts, mut nosniff, mut stored) = (false, false, true);
        let (mut allow_origin, mut allow_credentials) = (None, false);
        for (name, value) in response.fields() {
            let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
            match name.len() {
                6 if is(b"server") => signals.set(Signal::VersionBanner, names_version(value)),
                6 if is(b"sunset") => signals.insert(Signal::SunsetField),
                9 if is(b"ratelimit") => signals.insert(Signal::RateLimitFields),
                10 if is(b"set-cookie") => signals.set(Signal::WeakCookie, is_weak_cookie(value)),
                11 if is(b"retry-after") => signals.insert(Signal::RetryAfter),
                11 if is(b"deprecation") => signals.insert(Signal::DeprecationField),
                12 if is(b"content-type") => content_type = Some(value),
                12 if is(b"x-powered-by") => signals.set(Signal::VersionBanner, names_version(value)),
                13 if is(b"cache-control") => stored &= !forbids_shared_storage(value),
                13 if is(b"x-debug-token") => signals.insert(Signal::DebugPage),
                16 if is(b"content-encoding") => encoded |= !value.eq_ignore_ascii_case(b"identity"),
                16 if is(b"www-authenticate") => signals.insert(Signal::Challenge),
                16 if is(b"x-aspnet-version") => signals.insert(Signal::VersionBanner),
                17 if is(b"x-debug-exception") => signals.insert(Signal::DebugPage),
                22 if is(b"x-content-type-options") => nosniff |= value.eq_ignore_ascii_case(b"nosniff"),
                25 if is(b"strict-transport-security") => hsts = true,
                27 if is(b"access-control-allow-origin") => allow_origin = Some(value),
                32 if is(b"access-control-allow-credentials") => {
                    allow_credentials = value.eq_ignore_ascii_case(b"true");
                }
                _ if is_limit_field(name) => signals.insert(Signal::RateLimitFields),
                _ => {}
            }
        }
        let reflected = allow_credentials
            && allow_origin.is_some_and(|allowed| {
                allowed != b"*"
                    && request.header(b"origin") == Some(allowed)
                    && !request.host().is_some_and(|host| is_same_site(allowed, host))
            });
        signals.set(Signal::CorsAnyOrigin, allow_origin == Some(b"*"));
        signals.set(Signal::CorsReflectedCredentials, reflected);
        signals.set(Signal::HstsMissing, secure && !hsts);
        signals.set(Signal::NosniffMissing, !nosniff);
        let traced = matches!(request.method(), b"TRACE" | b"TRACK") && response.status() / 100 == 2;
        signals.set(Signal::TraceAnswered, traced);
        let content_type = ContentType::of(content_type);
        signals.set(Signal::ProblemJson, &*content_type.essence == "application/problem+json");
        let cacheable =
            stored && matches!(request.method(), b"GET" | b"HEAD") && response.status() / 100 == 2;
        Self { content_type, encoded, signals, cacheable }
    }
}

/// An origin under the same last two labels as the host: the service's own pages, which an allow-list names. Any other
/// origin that is repeated with credentials was taken from the caller.
fn is_same_site(origin: &[u8], host: &[u8]) -> bool {
    let bare = |text: &[u8]| -> Vec<u8> {
        let text = match memchr::memmem::find(text, b"://") {
            Some(at) => text.get(at + 3..).unwrap_or_default(),
            None => text,
        };
        let end = text.iter().position(|byte| matches!(byte, b':' | b'/')).unwrap_or(text.len());
        text.get(..end).unwrap_or_default().to_ascii_lowercase()
    };
    let (origin, host) = (bare(origin), bare(host));
    let site = |name: &[u8]| -> Option<Vec<u8>> {
        let labels: Vec<&[u8]> = name.rsplit(|byte| *byte == b'.').take(2).collect();
        (labels.len() == 2 && !name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'))
            .then(|| labels.join(&b'.'))
    };
    origin == host || site(&origin).is_some_and(|site_of_origin| site(&host) == Some(site_of_origin))
}

/// `nginx/1.25`, `PHP/8.2`, `Apache 2.4`: a digit after the product's name.
fn names_version(value: &[u8]) -> bool {
    value.windows(2).any(|pair| matches!(pair, [b'/' | b' ' | b'v', digit] if digit.is_ascii_digit()))
}

fn is_weak_cookie(value: &[u8]) -> bool {
    let mut found = [false; 3];
    for attribute in value.split(|byte| *byte == b';').skip(1) {
        let name = attribute.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        for (found, wanted) in found.iter_mut().zip([&b"secure"[..], b"httponly", b"samesite"]) {
            *found |= name.eq_ignore_ascii_case(wanted);
        }
    }
    found.contains(&false)
}

fn forbids_shared_storage(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|directive| {
        directive.eq_ignore_ascii_case(b"no-store") || directive.eq_ignore_ascii_case(b"private")
    })
}

fn is_limit_field(name: &[u8]) -> bool {
    let starts =
        |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    starts(b"ratelimit-") || starts(b"x-ratelimit-") || starts(b"x-rate-limit-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use probity_http1::{Limits, parse_request, parse_response};

    fn check(request: &str, response: &str, secure: bool, expected: &[Signal]) {
        let limits = Limits::default();
        let mut text =
            BytesMut::from(format!("{request}\r\nHost: a\r\nOrigin: https://o.example\r\n\r\n").as_bytes());
        let request = parse_request(&mut text, &limits).unwrap().unwrap();
        let mut text = BytesMut::from(format!("HTTP/1.1 200 OK\r\n{response}\r\n").as_bytes());
        let head = parse_response(&mut text, &limits, request.method()).unwrap().unwrap();
        let facts = ResponseFacts::gather(&request, &head.into(), secure);
        assert_eq!(facts.signals.iter().collect::<Vec<_>>(), expected, "{response}");
    }

    #[test]
    fn fields_become_signals() {
        use Signal::*;
        const GET: &str = "GET / HTTP/1.1";
        const SAFE: &str = "X-Content-Type-Options: nosniff\r\n";
        let safe = |more: &str| format!("{SAFE}{more}");
        check(GET, "", false, &[NosniffMissing]);
        check(GET, SAFE, true, &[HstsMissing]);
        check(GET, &safe("Strict-Transport-Security: max-age=1\r\n"), true, &[]);
        check(GET, &safe("Access-Control-Allow-Origin: *\r\n"), false, &[CorsAnyOrigin]);
        let reflected =
            "Access-Control-Allow-Origin: https://o.example\r\nAccess-Control-Allow-Credentials: true\r\n";
        check(GET, &safe(reflected), false, &[CorsReflectedCredentials]);
        let own =
            "Access-Control-Allow-Origin: https://o.example\r\nAccess-Control-Allow-Credentials: true\r\n";
        let request = "GET / HTTP/1.1\r\nX-A: b";
        assert!(is_same_site(b"https://app.clinic.example", b"clinic.example:8080"));
        assert!(is_same_site(b"http://localhost:3000", b"localhost:8080"));
        assert!(!is_same_site(b"https://evil.example", b"clinic.example"));
        assert!(!is_same_site(b"https://10.0.0.1", b"10.0.0.2"));
        check(request, &safe(own), false, &[CorsReflectedCredentials]);
        check(GET, &safe("Server: nginx\r\n"), false, &[]);
        check(GET, &safe("Server: nginx/1.25\r\n"), false, &[VersionBanner]);
        check(GET, &safe("X-Powered-By: PHP/8.1\r\n"), false, &[VersionBanner]);
        check(GET, &safe("Set-Cookie: a=b; Secure; HttpOnly; SameSite=Lax\r\n"), false, &[]);
        check(GET, &safe("Set-Cookie: a=b; Secure; HttpOnly\r\n"), false, &[WeakCookie]);
        check(GET, &safe("X-RateLimit-Limit: 5\r\n"), false, &[RateLimitFields]);
        check(GET, &safe("RateLimit: limit=5\r\nRetry-After: 5\r\n"), false, &[RateLimitFields, RetryAfter]);
        check(GET, &safe("Deprecation: @1\r\nSunset: x\r\n"), false, &[DeprecationField, SunsetField]);
        check(GET, &safe("WWW-Authenticate: Basic\r\n"), false, &[Challenge]);
        check(GET, &safe("Content-Type: application/problem+json\r\n"), false, &[ProblemJson]);
        check("TRACE / HTTP/1.1", SAFE, false, &[TraceAnswered]);
    }
}
