//! Version 1, which the newest specification no longer has.
//!
//! Planted: two of its operations still answer. All others answer 410, as a removed version should.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{any, get};
use serde_json::json;

use super::{Answer, ok, row, uuid};
use crate::credentials::Principal;
use crate::problem::Problem;
use crate::state::Shared;

const LIST_MAX: usize = 20;

pub(super) fn routes() -> Router<Shared> {
    let gone = async || Problem::gone();
    Router::new()
        .route("/v1/patients/{patient_id}", get(patient).fallback(gone))
        .route("/v1/appointments", get(appointments).fallback(gone))
        .route("/v1/{*rest}", any(gone))
}

async fn patient(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    let clinic = shared.clinic();
    let patient = clinic.patient(&id)?;
    ok(json!({
        "id": patient.id,
        "name": format!("{} {}", patient.given_name, patient.family_name),
        "dob": patient.birth_date,
        "ssn": patient.ssn,
        "phone": patient.phone,
    }))
}

async fn appointments(State(shared): State<Shared>, who: Principal) -> Answer {
    let clinic = shared.clinic();
    let seen = clinic.appointments.iter().filter(|appointment| who.may_see(&appointment.patient_id));
    let rows: Vec<_> = seen.take(LIST_MAX).map(row).collect();
    ok(json!({ "appointments": rows }))
}
