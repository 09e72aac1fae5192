//! Errors as the clinic tells them: RFC 9457 problem documents that give nothing inside away.
//!
//! The one route that breaks this rule does so by itself, see `routes/reports.rs`.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    fn of(status: StatusCode, title: &'static str, detail: &'static str) -> Self {
        Self { status, title, detail, header: None }
    }

    pub fn malformed(detail: &'static str) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "Malformed request", detail)
    }

    pub fn unauthenticated(challenge: &'static str) -> Self {
        let mut problem = Self::of(
            StatusCode::UNAUTHORIZED,
            "Not signed in",
            "the call carries no credential, or one that is not accepted",
        );
        problem.header = Some((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        problem
    }

    pub fn forbidden(detail: &'static str) -> Self {
        Self::of(StatusCode::FORBIDDEN, "Not allowed", detail)
    }

    pub fn missing(detail: &'static str) -> Self {
        Self::of(StatusCode::NOT_FOUND, "Not found", detail)
    }

    pub fn wrong_method() -> Self {
        Self::of(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed",
            "the resource does not take this method",
        )
    }

    pub fn conflict(detail: &'static str) -> Self {
        Self::of(StatusCode::CONFLICT, "Conflict", detail)
    }

    pub fn gone() -> Self {
        Self::of(StatusCode::GONE, "Gone", "version 1 was retired, use /v2")
    }

    pub fn invalid(detail: &'static str) -> Self {
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, "Invalid content", detail)
    }

    pub fn too_many(retry_after_seconds: &'static str) -> Self {
        let mut problem =
            Self::of(StatusCode::TOO_MANY_REQUESTS, "Too many requests", "wait before the next attempt");
        problem.header = Some((RETRY_AFTER, HeaderValue::from_static(retry_after_seconds)));
        problem
    }

    pub fn full() -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, "Full", "the demo keeps no more rows of this kind")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response =
            (self.status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
