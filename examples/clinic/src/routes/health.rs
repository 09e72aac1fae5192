//! Liveness, for load balancers: public, and says nothing else.

use axum::Router;
use axum::routing::get;
use serde_json::json;

use super::ok;
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/health", get(async || ok(json!({ "status": "ok" }))))
}
