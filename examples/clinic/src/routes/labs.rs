//! One laboratory result.
//!
//! Planted: the specification asks for a bearer token, the route asks for nobody.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;

use super::{Answer, ok, uuid};
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v2/lab-results/{lab_result_id}", get(show))
}

async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let clinic = shared.clinic();
    let id = uuid(&id)?;
    let found = clinic.lab_results.iter().find(|result| result.id == id);
    ok(found.ok_or_else(|| Problem::missing("no such laboratory result"))?)
}
