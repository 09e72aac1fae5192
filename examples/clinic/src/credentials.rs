//! The demo's fixed credentials and what they stand for.
//!
//! They open nothing but this in-memory demo, which is why they may stand in the source. A request's credential
//! becomes a [`Principal`] or a [`Partner`] here; what either may do is decided by each route.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::state::Shared;

/// Bearer tokens of the patients with user ids 1001 to 1008; each belongs to the patient of the same index.
pub const PATIENT_TOKENS: [&str; 8] = [
    "cldemo_pat1_Zr8wQ2nLx5Vt9KfB",
    "cldemo_pat2_hT4mYc7PqW1sJd6E",
    "cldemo_pat3_Gk9vNb3RzX8uLa5C",
    "cldemo_pat4_wF2jSx6HtM4yQp7D",
    "cldemo_pat5_Vc1rKe8BnU3gZo9T",
    "cldemo_pat6_pL7dWy5JmA2xRi4H",
    "cldemo_pat7_Qs3tGh9FvC6kNe1M",
    "cldemo_pat8_bX5zUo4KwT7rYj2P",
];

/// Bearer tokens of the staff members with user ids 2001 to 2003.
pub const STAFF_TOKENS: [&str; 3] =
    ["cldemo_stf1_Mn6cTa2QrE9wVx4L", "cldemo_stf2_yB8hPk5DsG1jZu7F", "cldemo_stf3_Rw4gXq7NvL3eHt6K"];

/// Bearer token of the administrator, user id 3001.
pub const ADMIN_TOKEN: &str = "cldemo_adm1_Jt9xCz3VbM7nQw5S";

/// API key of the insurance partner, header `X-API-Key`.
pub const PARTNER_KEY: &str = "cldemo_key_northwind_Ea6fRu1YkP8s";

/// API key of the nightly claims job, header `X-API-Key`.
pub const BATCH_KEY: &str = "cldemo_key_nightly_Do3hVi7ZqT5m";

/// Password of every seeded user.
pub const PASSWORD: &str = "correct-horse-battery";

/// What a gateway in front of the clinic is called and proves itself with at the introspection endpoint.
pub const INTROSPECTION_CLIENT: &str = "gateway";
pub const INTROSPECTION_SECRET: &str = "cldemo_gwy_Kp4sWd9XzB6vQm2N";
pub(crate) const INTROSPECTION_AUTHORIZATION: &str = "Basic Z2F0ZXdheTpjbGRlbW9fZ3d5X0twNHNXZDlYekI2dlFtMk4=";

/// The header that carries an API key.
pub const API_KEY_HEADER: &str = "x-api-key";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Patient,
    Staff,
    Admin,
}

/// The user behind a verified bearer token.
#[derive(Debug, Clone)]
pub struct Principal {
    pub user_id: u32,
    pub role: Role,
    /// The patient this user is, if one.
    pub patient_id: Option<String>,
    pub(crate) token: String,
}

impl Principal {
    /// Staff and administrators work for the clinic; patients do not.
    pub fn works_here(&self) -> bool {
        matches!(self.role, Role::Staff | Role::Admin)
    }

    /// Whether this user may see what belongs to `patient_id`.
    pub(crate) fn may_see(&self, patient_id: &str) -> bool {
        self.works_here() || self.patient_id.as_deref() == Some(patient_id)
    }

    pub(crate) fn require_sight_of(&self, patient_id: &str) -> Result<(), Problem> {
        if self.may_see(patient_id) { Ok(()) } else { Err(Problem::forbidden("belongs to another patient")) }
    }

    pub(crate) fn require_staff(&self) -> Result<(), Problem> {
        if self.works_here() { Ok(()) } else { Err(Problem::forbidden("for clinic staff only")) }
    }

    pub(crate) fn require_admin(&self) -> Result<(), Problem> {
        if self.role == Role::Admin { Ok(()) } else { Err(Problem::forbidden("for administrators only")) }
    }
}

impl FromRequestParts<Shared> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        principal(&parts.headers, shared)
    }
}

/// The principal named by the `Authorization` header.
pub(crate) fn principal(headers: &HeaderMap, shared: &Shared) -> Result<Principal, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(Problem::unauthenticated("Bearer realm=\"clinic\""));
    };
    let refused = || Problem::unauthenticated("Bearer realm=\"clinic\", error=\"invalid_token\"");
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(refused)?;
    shared.clinic().principal(token).ok_or_else(refused)
}

/// A machine that calls with an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partner {
    Insurer,
    NightlyJob,
}

impl Partner {
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        match key {
            PARTNER_KEY => Some(Self::Insurer),
            BATCH_KEY => Some(Self::NightlyJob),
            _ => None,
        }
    }

    pub(crate) fn require(self, wanted: Self) -> Result<(), Problem> {
        if self == wanted { Ok(()) } else { Err(Problem::forbidden("not granted to this key")) }
    }
}

impl FromRequestParts<Shared> for Partner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        partner(&parts.headers)
    }
}

pub(crate) fn partner(headers: &HeaderMap) -> Result<Partner, Problem> {
    headers
        .get(API_KEY_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(Partner::from_key)
        .ok_or_else(|| Problem::unauthenticated("ApiKey realm=\"clinic-partners\""))
}
