//! What the insurer's systems call, with an API key.
//!
//! Planted: the download of an export also takes the key in its query, from where it reaches every access log.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, created, ok, row};
use crate::credentials::{Partner, partner};
use crate::input::{Body, Page, Params, is_date};
use crate::problem::Problem;
use crate::state::{Clinic, Export, Shared, require_room};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/partner/exports", get(list).post(order))
        .route("/v2/partner/exports/{export_id}", get(show))
        .route("/v2/partner/exports/{export_id}/download", get(download))
        .route("/v2/partner/eligibility/{member_id}", get(eligibility))
}

async fn list(State(shared): State<Shared>, key: Partner, Params(page): Params<Page>) -> Answer {
    key.require(Partner::Insurer)?;
    let clinic = shared.clinic();
    ok(page.of(clinic.exports.iter().map(row).collect())?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExport {
    from: String,
    to: String,
}

async fn order(State(shared): State<Shared>, key: Partner, Body(sent): Body<NewExport>) -> Answer {
    key.require(Partner::Insurer)?;
    if !is_date(&sent.from) || !is_date(&sent.to) || sent.from > sent.to {
        return Err(Problem::invalid("expected `from` and `to` as dates in order"));
    }
    let mut clinic = shared.clinic();
    require_room(&clinic.exports)?;
    let id = format!("exp-{}", clinic.issue_hex());
    let export = Export { id, from: sent.from, to: sent.to, status: "ready", rows: 40 };
    clinic.exports.push(export.clone());
    created(export)
}

async fn show(State(shared): State<Shared>, key: Partner, Path(id): Path<String>) -> Answer {
    key.require(Partner::Insurer)?;
    ok(find(&shared.clinic(), &id)?)
}

fn find<'a>(clinic: &'a Clinic, id: &str) -> Result<&'a Export, Problem> {
    clinic.exports.iter().find(|export| export.id == id).ok_or_else(|| Problem::missing("no such export"))
}

#[derive(Deserialize)]
struct KeyInQuery {
    access_token: Option<String>,
}

async fn download(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Params(query): Params<KeyInQuery>,
    Path(id): Path<String>,
) -> Answer {
    // Planted: a key in the address is as good as one in the header.
    let in_query = query.access_token.as_deref().and_then(Partner::from_key);
    let key = match in_query {
        Some(key) => key,
        None => partner(&headers)?,
    };
    key.require(Partner::Insurer)?;
    let clinic = shared.clinic();
    let export = find(&clinic, &id)?;
    let mut table = String::from("mrn,member_id,diagnosis,service_date\n");
    for (patient, claim) in clinic.patients.iter().zip(&clinic.claims).take(export.rows) {
        let diagnosis = &claim.diagnosis_code;
        table.push_str(&format!(
            "{},{},{diagnosis},{}\n",
            patient.mrn, patient.insurance.member_id, claim.service_date
        ));
    }
    Ok(([(CONTENT_TYPE, "text/csv")], table).into_response())
}

async fn eligibility(State(shared): State<Shared>, key: Partner, Path(member_id): Path<String>) -> Answer {
    key.require(Partner::Insurer)?;
    let clinic = shared.clinic();
    let found = clinic.patients.iter().find(|patient| patient.insurance.member_id == member_id);
    let insurance = &found.ok_or_else(|| Problem::missing("no such member"))?.insurance;
    ok(json!({
        "memberId": insurance.member_id,
        "payer": insurance.payer,
        "eligible": true,
        "validUntil": insurance.valid_until,
    }))
}
