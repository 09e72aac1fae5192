//! Heads between the two protocols, under the rules of the HTTP/1.1 codec.
//!
//! An HTTP/2 head is written down as the HTTP/1.1 head that says the same, after its fields passed the codec's octet
//! rules, and is then read by the codec. So the pipeline knows one kind of head, and whatever would be refused over
//! HTTP/1.1 is refused here by the same name.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use probity_http1::{
    BodyFraming, Limits, Refusal, RequestHead, ResponseHead, check_field, check_method, check_path,
    parse_request, parse_response,
};

use crate::peer::field_map;

/// Fields of a connection, which HTTP/2 has none of (RFC 9113, 8.2.2).
const CONNECTION_SPECIFIC: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The request of an HTTP/2 stream as the codec reads it.
pub(crate) fn request_of_h2(
    request: &http::Request<()>,
    body_follows: bool,
    limits: &Limits,
) -> Result<RequestHead, Refusal> {
    let fields = request.headers();
    let method = request.method().as_str().as_bytes();
    check_method(method)?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if target != "*" {
        check_path(target.as_bytes())?;
    }
    let mut text = BytesMut::with_capacity(1024);
    put(&mut text, &[method, b" ", target.as_bytes(), b" HTTP/1.1\r\n"]);
    put_field(&mut text, b"host", host_of(request)?)?;
    for (name, value) in fields {
        match name.as_str() {
            "host" | "cookie" => {}
            "te" if value != "trailers" => return Err(Refusal::ConnectionOption),
            name if CONNECTION_SPECIFIC.contains(&name) => return Err(Refusal::ConnectionOption),
            name => put_field(&mut text, name.as_bytes(), value.as_bytes())?,
        }
    }
    put_cookies(&mut text, fields)?;
    if body_follows && !fields.contains_key("content-length") {
        text.put_slice(b"transfer-encoding: chunked\r\n");
    }
    text.put_slice(b"\r\n");
    parse_request(&mut text, limits)?.ok_or(Refusal::HeadTooLarge)
}

/// `:authority`, or `Host` where there is none. Two that differ are refused.
fn host_of(request: &http::Request<()>) -> Result<&[u8], Refusal> {
    let mut hosts = request.headers().get_all("host").iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(Refusal::HostRepeated);
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => Err(Refusal::HostMismatch),
        (Some(authority), _) => Ok(authority),
        (None, Some(host)) => Ok(host),
        (None, None) => Err(Refusal::HostMissing),
    }
}

/// HTTP/2 may cut `Cookie` into crumbs; HTTP/1.1 has one field (RFC 9113, 8.2.3).
fn put_cookies(text: &mut BytesMut, fields: &HeaderMap) -> Result<(), Refusal> {
    let mut joined = Vec::new();
    for crumb in fields.get_all("cookie") {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(crumb.as_bytes());
    }
    if joined.is_empty() { Ok(()) } else { put_field(text, b"cookie", &joined) }
}

/// The response of an HTTP/2 upstream as the codec reads it.
pub(crate) fn response_of_h2(
    response: &http::Response<()>,
    body_follows: bool,
    method: &[u8],
    limits: &Limits,
) -> Result<ResponseHead, Refusal> {
    let fields = response.headers();
    let status = response.status();
    let mut text = BytesMut::with_capacity(1024);
    put(&mut text, &[b"HTTP/1.1 ", status.as_str().as_bytes(), b" \r\n"]);
    for (name, value) in fields {
        if CONNECTION_SPECIFIC.contains(&name.as_str()) {
            return Err(Refusal::ConnectionOption);
        }
        put_field(&mut text, name.as_str().as_bytes(), value.as_bytes())?;
    }
    let bodiless = method == b"HEAD" || matches!(status.as_u16(), 100..=199 | 204 | 304);
    if !bodiless && !fields.contains_key("content-length") {
        text.put_slice(if body_follows {
            b"transfer-encoding: chunked\r\n"
        } else {
            b"content-length: 0\r\n"
        });
    }
    text.put_slice(b"\r\n");
    parse_response(&mut text, limits, method)?.ok_or(Refusal::HeadTooLarge)
}

/// A request for an HTTP/2 upstream.
pub(crate) fn request_for_h2<'a>(
    method: &[u8],
    secure: bool,
    target: &[u8],
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    framing: BodyFraming,
) -> Result<http::Request<()>, Refusal> {
    let mut host = None;
    let mut map = field_map(fields.filter(|(name, value)| {
        let is_host = name.eq_ignore_ascii_case(b"host");
        if is_host {
            host = Some(*value);
        }
        !is_host
    }))?;
    put_length(&mut map, framing);
    let uri = http::Uri::builder()
        .scheme(if secure { "https" } else { "http" })
        .authority(host.ok_or(Refusal::HostMissing)?)
        .path_and_query(target)
        .build()
        .map_err(|_| Refusal::TargetForm)?;
    let mut request = http::Request::new(());
    *request.method_mut() = http::Method::from_bytes(method).map_err(|_| Refusal::Method)?;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = map;
    Ok(request)
}

/// A response for an HTTP/2 client.
pub(crate) fn response_for_h2<'a>(
    status: u16,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    framing: BodyFraming,
) -> Result<http::Response<()>, Refusal> {
    let mut map = field_map(fields)?;
    put_length(&mut map, framing);
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(status).map_err(|_| Refusal::Status)?;
    *response.headers_mut() = map;
    Ok(response)
}

fn put_length(map: &mut HeaderMap, framing: BodyFraming) {
    if let BodyFraming::Length(length) = framing {
        map.insert(HeaderName::from_static("content-length"), HeaderValue::from(length));
    }
}

fn put_field(text: &mut BytesMut, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    check_field(name, value)?;
    put(text, &[name, b": ", value, b"\r\n"]);
    Ok(())
}

fn put(text: &mut BytesMut, parts: &[&[u8]]) {
    parts.iter().for_each(|part| text.put_slice(part));
}

/// The length that an HTTP/2 head declares.
pub(crate) fn declared_length(framing: BodyFraming) -> Option<u64> {
    match framing {
        BodyFraming::Length(length) => Some(length),
        _ => None,
    }
}

/// The path for the upstream: without the service's prefix where that is cut off.
pub(crate) fn upstream_target(head: &RequestHead, cut: Option<&str>) -> Bytes {
    let target = head.path_and_query();
    match cut.and_then(|cut| target.strip_prefix(cut.as_bytes())) {
        Some(rest @ [b'/', ..]) => head.share(rest),
        Some(rest) => [b"/", rest].concat().into(),
        None => head.share(target),
    }
}

/// The same target with another query; none when that is empty.
pub(crate) fn with_query(target: &[u8], query: &[u8]) -> Bytes {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    match query {
        [] => Bytes::copy_from_slice(path),
        query => [path, b"?", query].concat().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h2_request(uri: &str, fields: &[(&'static str, &str)]) -> http::Request<()> {
        let mut request = http::Request::builder().method("POST").uri(uri).version(http::Version::HTTP_2);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn check(uri: &str, fields: &[(&'static str, &str)], expected: &str) {
        let request = h2_request(uri, fields);
        let got = match request_of_h2(&request, true, &Limits::default()) {
            Ok(head) => String::from_utf8(head.as_bytes().to_vec()).unwrap().replace("\r\n", "|"),
            Err(refusal) => refusal.name().to_owned(),
        };
        assert_eq!(got, expected, "{uri} {fields:?}");
    }

    #[test]
    fn h2_requests_obey_the_rules_of_h1() {
        check(
            "http://a.example/p?q=1",
            &[("x-a", "1")],
            "POST /p?q=1 HTTP/1.1|host: a.example|x-a: 1|transfer-encoding: chunked||",
        );
        check(
            "/p",
            &[("host", "a.example"), ("content-length", "3"), ("cookie", "a=1"), ("cookie", "b=2")],
            "POST /p HTTP/1.1|host: a.example|content-length: 3|cookie: a=1; b=2||",
        );
        check("http://a.example/p", &[("host", "b.example")], "host-mismatch");
        check("/p", &[], "host-missing");
        check("/p", &[("host", "a"), ("host", "a")], "host-repeated");
        check("http://a/p", &[("connection", "close")], "connection-option");
        check("http://a/p", &[("transfer-encoding", "chunked")], "connection-option");
        check("http://a/p", &[("te", "gzip")], "connection-option");
        check("http://a/p", &[("content-length", "1"), ("content-length", "2")], "repeated-cl");
        check("http://a/p", &[("content-length", "+1")], "cl-not-numeric");
        check("http://a/../p", &[], "dot-segment");
        check("http://a/%2e%2e/p", &[], "dot-segment");
        check("http://a/%00", &[], "nul-in-path");
        check("http://a/p", &[("x-a", " b")], "field-value");
        check("http://a/p", &[("expect", "gold")], "expect-unknown");
    }

    #[test]
    fn prefixes_are_cut() {
        for (target, cut, expected) in [
            ("/api/x?y", Some("/api"), "/x?y"),
            ("/api", Some("/api"), "/"),
            ("/api?y", Some("/api"), "/?y"),
            ("/api/", Some("/api"), "/"),
            ("/api/x", None, "/api/x"),
        ] {
            let mut text = BytesMut::from(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
            let head = parse_request(&mut text, &Limits::default()).unwrap().unwrap();
            assert_eq!(upstream_target(&head, cut), expected.as_bytes(), "{target}");
        }
    }
}
