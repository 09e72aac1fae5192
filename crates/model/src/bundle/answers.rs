//! What the gateway puts right in answers: error bodies, banners, security headers, cookies, CORS.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnforcementMode;

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerPolicy {
    pub mode: EnforcementMode,
    #[serde(default)]
    pub errors: ErrorPolicy,
    /// `Server`, `X-Powered-By` and the like are taken away.
    #[serde(default = "yes")]
    pub banners: bool,
    #[serde(default)]
    pub headers: HeaderPolicy,
    #[serde(default)]
    pub cookies: CookiePolicy,
    /// Without it what the upstream says about other origins stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<CorsPolicy>,
}

/// Bodies of errors, which give way to `application/problem+json` (RFC 9457) of the same status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorPolicy {
    /// 5xx.
    pub server: bool,
    /// 4xx.
    pub client: bool,
    /// Answers of any status in which a stack trace or another detail of the inside is found.
    pub traces: bool,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        Self { server: true, client: false, traces: true }
    }
}

/// Set where the answer has no such field; an absent value sets none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderPolicy {
    /// `Strict-Transport-Security`, on TLS.
    pub hsts: Option<Arc<str>>,
    /// `X-Content-Type-Options: nosniff`.
    pub nosniff: bool,
    /// `Cache-Control: no-store` on answers with sensitive classes.
    pub no_store: bool,
    /// `Content-Security-Policy`, on answers that are no HTML.
    pub content_security_policy: Option<Arc<str>>,
    pub referrer_policy: Option<Arc<str>>,
}

impl Default for HeaderPolicy {
    fn default() -> Self {
        Self {
            hsts: Some("max-age=31536000".into()),
            nosniff: true,
            no_store: true,
            content_security_policy: Some("default-src 'none'; frame-ancestors 'none'".into()),
            referrer_policy: Some("no-referrer".into()),
        }
    }
}

/// Attributes that each `Set-Cookie` gets where it lacks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CookiePolicy {
    /// On TLS.
    pub secure: bool,
    pub http_only: bool,
    pub same_site: Option<SameSite>,
}

impl Default for CookiePolicy {
    fn default() -> Self {
        Self { secure: true, http_only: true, same_site: Some(SameSite::Lax) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SameSite {
    Strict,
    Lax,
    None,
}

/// Which other origins may read answers; the gateway answers preflights itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CorsPolicy {
    /// `https://app.example`, `https://*.example` for its subdomains, `*` for any (without credentials).
    pub origins: Vec<Arc<str>>,
    /// Upper case.
    pub methods: Vec<Arc<str>>,
    /// Lower case.
    pub headers: Vec<Arc<str>>,
    /// Fields of answers that scripts may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Arc<str>>,
    pub credentials: bool,
    /// Seconds that a preflight's answer may be kept.
    pub max_age: u32,
}

const fn yes() -> bool {
    true
}
