//! The directory: clinicians, the deprecated way to them, and opening hours.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::LINK;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;

use super::{Answer, ok, row};
use crate::credentials::Principal;
use crate::input::{Page, Params};
use crate::problem::Problem;
use crate::state::{Clinician, Shared};

const DEPARTMENTS: [&str; 4] = ["primary-care", "cardiology", "outpatient", "imaging"];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/clinicians", get(list))
        .route("/v2/clinicians/{slug}", get(show))
        .route("/v2/providers/{slug}", get(show_deprecated))
        .route("/v2/departments/{slug}/hours", get(hours))
}

async fn list(State(shared): State<Shared>, _: Principal, Params(page): Params<Page>) -> Answer {
    let clinic = shared.clinic();
    ok(page.of(clinic.clinicians.iter().map(row).collect())?)
}

async fn show(State(shared): State<Shared>, _: Principal, Path(slug): Path<String>) -> Answer {
    ok(find(&shared, &slug)?)
}

fn find(shared: &Shared, slug: &str) -> Result<Clinician, Problem> {
    let clinic = shared.clinic();
    let found = clinic.clinicians.iter().find(|clinician| clinician.slug == slug);
    found.cloned().ok_or_else(|| Problem::missing("no such clinician"))
}

/// Announces its end as RFC 9745 and RFC 8594 ask.
async fn show_deprecated(State(shared): State<Shared>, _: Principal, Path(slug): Path<String>) -> Answer {
    let clinician = find(&shared, &slug)?;
    let successor = format!("</v2/clinicians/{}>; rel=\"successor-version\"", clinician.slug);
    let notice = [
        ("deprecation", "@1767225600".to_owned()),
        ("sunset", "Wed, 30 Jun 2027 00:00:00 GMT".to_owned()),
        (LINK.as_str(), successor),
    ];
    Ok((notice, ok(clinician)?).into_response())
}

async fn hours(Path(slug): Path<String>) -> Answer {
    if !DEPARTMENTS.contains(&slug.as_str()) {
        return Err(Problem::missing("no such department"));
    }
    ok(json!({
        "department": slug,
        "weekdays": { "opens": "08:00", "closes": "17:30" },
        "saturday": { "opens": "09:00", "closes": "12:00" },
    }))
}
