//! Claims, as the nightly job collects and settles them.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use serde::Deserialize;

use super::{Answer, ok, row};
use crate::credentials::Partner;
use crate::input::{Body, Page, Params};
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/batch/claims", get(list))
        .route("/v2/batch/claims/{claim_number}/status", put(settle))
}

async fn list(State(shared): State<Shared>, key: Partner, Params(page): Params<Page>) -> Answer {
    key.require(Partner::NightlyJob)?;
    let clinic = shared.clinic();
    ok(page.of(clinic.claims.iter().map(row).collect())?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settlement {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Submitted,
    Paid,
    Rejected,
}

async fn settle(
    State(shared): State<Shared>,
    key: Partner,
    Path(claim_number): Path<String>,
    Body(sent): Body<Settlement>,
) -> Answer {
    key.require(Partner::NightlyJob)?;
    let mut clinic = shared.clinic();
    let found = clinic.claims.iter_mut().find(|claim| claim.claim_number == claim_number);
    let claim = found.ok_or_else(|| Problem::missing("no such claim"))?;
    claim.status = match sent.status {
        Status::Submitted => "submitted",
        Status::Paid => "paid",
        Status::Rejected => "rejected",
    };
    ok(claim)
}
