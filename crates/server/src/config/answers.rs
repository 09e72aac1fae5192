//! `protect.answers`: what the gateway puts right in answers.

use probity_model::EnforcementMode;
use probity_model::bundle::answers::{CookiePolicy, ErrorPolicy, HeaderPolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Error bodies, banners, security headers, cookies, CORS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswersConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// Which bodies give way to a problem (RFC 9457): those of `server` errors, of `client` errors, of `traces`.
    pub errors: ErrorPolicy,
    /// Takes `Server`, `X-Powered-By` and the like away.
    pub banners: bool,
    /// Set where the answer has none; `null` sets none.
    pub headers: HeaderPolicy,
    /// Attributes that each cookie gets.
    pub cookies: CookiePolicy,
    /// Which other origins may read answers. Without it what the upstream says stands.
    pub cors: Option<CorsConfig>,
}

impl Default for AnswersConfig {
    fn default() -> Self {
        Self {
            mode: None,
            errors: ErrorPolicy::default(),
            banners: true,
            headers: HeaderPolicy::default(),
            cookies: CookiePolicy::default(),
            cors: None,
        }
    }
}

/// An allow-list of origins; preflights are answered by the gateway.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsConfig {
    /// `https://app.example`, `https://*.example` for its subdomains, or `*` for any (without credentials).
    pub origins: Vec<String>,
    #[serde(default = "methods")]
    pub methods: Vec<String>,
    #[serde(default = "headers")]
    pub headers: Vec<String>,
    /// Fields of answers that scripts may read.
    #[serde(default)]
    pub exposed: Vec<String>,
    #[serde(default)]
    pub credentials: bool,
    /// How long a browser may keep a preflight's answer.
    #[serde(default = "max_age")]
    pub max_age: probity_reader::config::Duration,
}

fn methods() -> Vec<String> {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).to_vec()
}

fn headers() -> Vec<String> {
    ["authorization", "content-type"].map(str::to_owned).to_vec()
}

fn max_age() -> probity_reader::config::Duration {
    probity_reader::config::Duration::from_millis(600_000)
}
