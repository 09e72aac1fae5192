//! Referrals by fax: documented, working, and called by nobody any more (planted: the orphan).

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, created};
use crate::credentials::Principal;
use crate::input::Body;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v2/referrals/fax", post(send))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Referral {
    patient_id: String,
    fax_number: String,
}

async fn send(State(shared): State<Shared>, who: Principal, Body(sent): Body<Referral>) -> Answer {
    who.require_staff()?;
    if sent.fax_number.is_empty() {
        return Err(Problem::invalid("expected a fax number"));
    }
    let mut clinic = shared.clinic();
    clinic.patient(&sent.patient_id)?;
    created(json!({ "referralId": format!("fax-{}", clinic.issue_hex()), "status": "queued" }))
}
