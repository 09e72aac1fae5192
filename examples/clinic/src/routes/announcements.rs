//! Public announcements: documented, healthy in itself, and nobody's (planted: no owner; open to every origin).

use axum::Router;
use axum::routing::get;
use serde_json::json;

use super::{Answer, ok};
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v2/announcements", get(list))
}

async fn list() -> Answer {
    ok(json!({ "items": [
        { "slug": "flu-season", "title": "Walk-in vaccination on Saturdays", "publishedOn": "2026-10-19" },
        { "slug": "new-imaging-wing", "title": "The imaging wing has moved", "publishedOn": "2026-09-02" },
    ]}))
}
