//! Every route of the clinic, one file for each area of it.
//!
//! The order of a handler's arguments is the order of its checks: who calls comes before what they sent.

mod admin;
mod announcements;
mod appointments;
mod batch;
mod clinicians;
mod graph;
mod health;
mod internal;
mod labs;
mod live;
mod partner;
mod patients;
mod payments;
mod prescriptions;
mod referrals;
mod reports;
mod sessions;
mod v1;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::headers;
use crate::problem::Problem;
use crate::state::Shared;

/// Request bodies larger than this are refused.
const BODY_MAX: usize = 64 * 1024;

pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .merge(admin::routes())
        .merge(announcements::routes())
        .merge(appointments::routes())
        .merge(batch::routes())
        .merge(clinicians::routes())
        .merge(graph::routes())
        .merge(health::routes())
        .merge(internal::routes())
        .merge(labs::routes())
        .merge(live::routes())
        .merge(partner::routes())
        .merge(patients::routes())
        .merge(payments::routes())
        .merge(prescriptions::routes())
        .merge(referrals::routes())
        .merge(reports::routes())
        .merge(sessions::routes())
        .merge(v1::routes())
        .fallback(async || Problem::missing("no such resource"))
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .layer(axum::middleware::from_fn(headers::apply))
        .with_state(shared)
}

type Answer = Result<Response, Problem>;

fn ok(value: impl Serialize) -> Answer {
    Ok(axum::Json(value).into_response())
}

fn created(value: impl Serialize) -> Answer {
    Ok((StatusCode::CREATED, axum::Json(value)).into_response())
}

fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A row as the JSON value that lists are made of.
fn row(value: impl Serialize) -> Value {
    // Rows are plain structs with string keys, which always serialise.
    serde_json::to_value(value).unwrap_or_default()
}

/// An integer id out of a path.
fn number(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::malformed("expected a numeric id in the path"))
}

/// A UUID out of a path.
fn uuid(text: &str) -> Result<&str, Problem> {
    if crate::input::is_uuid(text) {
        Ok(text)
    } else {
        Err(Problem::malformed("expected a UUID in the path"))
    }
}
