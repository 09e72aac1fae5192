//! Response headers of the whole API: the security baseline, and which origins a browser may call from.
//!
//! Three planted faults live here, each a special case in [`baseline_applies`] or [`allowed_origin`]: the
//! reporting service is left out of the baseline, `/v2/me` trusts any origin with credentials, and
//! `/v2/announcements` allows every origin.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    ORIGIN, REFERRER_POLICY, SERVER, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The only web application that is meant to call the API from a browser.
const WEB_APP: &str = "https://app.clinic.example";

const BASELINE: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

pub(crate) async fn apply(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let origin = request.headers().get(ORIGIN).cloned();
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);

    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    if baseline_applies(&path) {
        for (name, value) in BASELINE {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
    } else {
        headers.insert(SERVER, HeaderValue::from_static("Apache-Coyote/1.1"));
        headers
            .insert("x-powered-by", HeaderValue::from_static("Servlet/3.1 JSP/2.3 (Apache Tomcat/8.5.31)"));
    }
    if let Some(origin) = origin {
        allow_origin(headers, &path, origin, preflight);
    }
    response
}

fn baseline_applies(path: &str) -> bool {
    !(path == "/v2/reports" || path.starts_with("/v2/reports/"))
}

enum Allowed {
    Any,
    WithCredentials(HeaderValue),
}

fn allowed_origin(path: &str, origin: HeaderValue) -> Option<Allowed> {
    match path {
        "/v2/announcements" => Some(Allowed::Any),
        "/v2/me" => Some(Allowed::WithCredentials(origin)),
        _ if origin.as_bytes() == WEB_APP.as_bytes() => Some(Allowed::WithCredentials(origin)),
        _ => None,
    }
}

fn allow_origin(headers: &mut HeaderMap, path: &str, origin: HeaderValue, preflight: bool) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    match allowed_origin(path, origin) {
        None => return,
        Some(Allowed::Any) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Some(Allowed::WithCredentials(origin)) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    if preflight {
        let methods = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    }
}
