//! Administration of users, and the clinic's own audit trail.
//!
//! Planted: changing a role is open to every signed-in user. The functions beside it are not.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use serde::Deserialize;

use super::{Answer, number, ok, row};
use crate::credentials::{Principal, Role};
use crate::input::{Body, Page, Params};
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/admin/users", get(users))
        .route("/v2/admin/users/{user_id}/role", put(change_role))
        .route("/v2/admin/audit", get(audit))
}

async fn users(State(shared): State<Shared>, who: Principal, Params(page): Params<Page>) -> Answer {
    who.require_admin()?;
    let clinic = shared.clinic();
    ok(page.of(clinic.users.iter().map(row).collect())?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    role: Role,
}

/// Planted: asks who calls, but not whether they administrate.
async fn change_role(
    State(shared): State<Shared>,
    who: Principal,
    Path(user_id): Path<String>,
    Body(sent): Body<NewRole>,
) -> Answer {
    let user_id = number(&user_id)?;
    let mut clinic = shared.clinic();
    let found = clinic.users.iter_mut().find(|user| user.user_id == user_id);
    let user = found.ok_or_else(|| Problem::missing("no such user"))?;
    user.role = sent.role;
    let view = row(user);
    clinic.record(who.user_id, "user.role", format!("user {user_id}"));
    ok(view)
}

async fn audit(State(shared): State<Shared>, who: Principal, Params(page): Params<Page>) -> Answer {
    who.require_admin()?;
    let clinic = shared.clinic();
    ok(page.of(clinic.audit.iter().map(row).collect())?)
}
