//! Signing in and out, forgotten passwords, and the caller's own account.
//!
//! For what stands in front there is token introspection (RFC 7662), on the clinic's own network.
//!
//! Planted: signing in has no limit on attempts. Password resets next to it show how a limit looks.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, created, no_content, ok};
use crate::credentials::{INTROSPECTION_AUTHORIZATION, PASSWORD, Principal};
use crate::input::{Body, is_email};
use crate::problem::Problem;
use crate::state::{ROWS_MAX, Shared};

/// Resets of one address within [`RESET_WINDOW`].
const RESETS_MAX: u32 = 5;
const RESET_WINDOW: Duration = Duration::from_secs(60);

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/sessions", post(sign_in))
        .route("/v2/sessions/current", delete(sign_out))
        .route("/v2/password-resets", post(reset))
        .route("/v2/me", get(me))
        .route("/internal/oauth/introspect", post(introspect))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    email: String,
    password: String,
}

async fn sign_in(State(shared): State<Shared>, Body(sent): Body<SignIn>) -> Answer {
    let mut clinic = shared.clinic();
    let user = clinic.users.iter().find(|user| user.email == sent.email);
    let Some(user_id) = user.filter(|_| sent.password == PASSWORD).map(|user| user.user_id) else {
        return Err(Problem::unauthenticated("Bearer realm=\"clinic\""));
    };
    let token = clinic.open_session(user_id);
    created(json!({ "accessToken": token, "tokenType": "Bearer", "expiresIn": 3600 }))
}

async fn sign_out(State(shared): State<Shared>, who: Principal) -> Answer {
    // The seeded tokens stay valid: only a session that was opened by password can be closed.
    shared.clinic().sessions.remove(&who.token);
    no_content()
}

#[derive(Deserialize)]
struct Introspected {
    token: String,
}

/// RFC 7662. Only for the gateway, which proves itself by HTTP Basic.
async fn introspect(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(sent): Form<Introspected>,
) -> Answer {
    let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if presented != Some(INTROSPECTION_AUTHORIZATION) {
        return Err(Problem::unauthenticated("Basic realm=\"clinic-introspection\""));
    }
    let clinic = shared.clinic();
    let Some(who) = clinic.principal(&sent.token) else { return ok(json!({ "active": false })) };
    ok(json!({
        "active": true,
        "iss": "clinic",
        "sub": who.user_id.to_string(),
        "aud": "clinic",
        "token_type": "Bearer",
        "roles": [who.role],
        "patient_id": who.patient_id,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    email: String,
}

async fn reset(State(shared): State<Shared>, Body(sent): Body<Reset>) -> Answer {
    if !is_email(&sent.email) {
        return Err(Problem::invalid("expected an e-mail address"));
    }
    let now = Instant::now();
    let mut clinic = shared.clinic();
    if clinic.resets.len() >= ROWS_MAX {
        clinic.resets.retain(|_, (since, _)| now.duration_since(*since) < RESET_WINDOW);
        if clinic.resets.len() >= ROWS_MAX {
            return Err(Problem::full());
        }
    }
    let (since, count) = clinic.resets.entry(sent.email).or_insert((now, 0));
    if now.duration_since(*since) >= RESET_WINDOW {
        (*since, *count) = (now, 0);
    }
    if *count >= RESETS_MAX {
        return Err(Problem::too_many("60"));
    }
    *count += 1;
    // The same answer whether or not the address is known.
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn me(State(shared): State<Shared>, who: Principal) -> Answer {
    let clinic = shared.clinic();
    let user = clinic
        .users
        .iter()
        .find(|user| user.user_id == who.user_id)
        .ok_or_else(|| Problem::missing("no such user"))?;
    ok(json!({
        "userId": user.user_id,
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "patientId": user.patient_id,
    }))
}
