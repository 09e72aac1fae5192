//! Prescriptions and their refills.
//!
//! Planted: a single prescription is shown to any signed-in user who knows, or counts up to, its number.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, created, number, ok, row};
use crate::credentials::Principal;
use crate::input::{Body, Page, Params};
use crate::problem::Problem;
use crate::seed::FIRST_PRESCRIPTION;
use crate::state::{Prescription, Shared, require_room};

const DOSAGE_MAX: usize = 200;
const DRUG_MAX: usize = 80;
const NDC_MAX: usize = 13;
const DIAGNOSIS_MAX: usize = 8;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/prescriptions", get(list).post(prescribe))
        .route("/v2/prescriptions/{prescription_id}", get(show))
        .route("/v2/prescriptions/{prescription_id}/refills", post(refill))
}

async fn list(State(shared): State<Shared>, who: Principal, Params(page): Params<Page>) -> Answer {
    let clinic = shared.clinic();
    let rows =
        clinic.prescriptions.iter().filter(|prescription| who.may_see(&prescription.patient_id)).map(row);
    ok(page.of(rows.collect())?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPrescription {
    patient_id: String,
    ndc: String,
    drug: String,
    dosage: String,
    diagnosis_code: String,
}

async fn prescribe(
    State(shared): State<Shared>,
    who: Principal,
    Body(sent): Body<NewPrescription>,
) -> Answer {
    who.require_staff()?;
    let digits = sent.ndc.bytes().filter(u8::is_ascii_digit).count();
    if !(10..=11).contains(&digits) || sent.ndc.len() > NDC_MAX {
        return Err(Problem::invalid("expected an NDC of 10 or 11 digits"));
    }
    let short = sent.drug.len() <= DRUG_MAX && sent.diagnosis_code.len() <= DIAGNOSIS_MAX;
    if !short || sent.dosage.len() > DOSAGE_MAX {
        return Err(Problem::invalid("expected a drug, a dosage and a diagnosis code of documented length"));
    }
    let mut clinic = shared.clinic();
    let patient = clinic.patient(&sent.patient_id)?;
    require_room(&clinic.prescriptions)?;
    let prescription = Prescription {
        id: FIRST_PRESCRIPTION + clinic.prescriptions.len() as u32,
        patient_name: format!("{} {}", patient.given_name, patient.family_name),
        patient_id: sent.patient_id,
        ndc: sent.ndc,
        drug: sent.drug,
        dosage: sent.dosage,
        diagnosis_code: sent.diagnosis_code,
        prescriber_npi: clinic.clinicians.first().map(|clinician| clinician.npi.clone()).unwrap_or_default(),
        refills_left: 3,
    };
    clinic.prescriptions.push(prescription.clone());
    clinic.record(who.user_id, "prescription.create", format!("prescription {}", prescription.id));
    created(prescription)
}

/// Planted: asks who calls, but not whose prescription it is.
async fn show(State(shared): State<Shared>, _: Principal, Path(id): Path<String>) -> Answer {
    ok(shared.clinic().prescription_mut(number(&id)?)?)
}

async fn refill(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    let id = number(&id)?;
    let mut clinic = shared.clinic();
    let prescription = clinic.prescription_mut(id)?;
    who.require_sight_of(&prescription.patient_id)?;
    let Some(left) = prescription.refills_left.checked_sub(1) else {
        return Err(Problem::conflict("no refill is left"));
    };
    prescription.refills_left = left;
    created(json!({ "prescriptionId": id, "refillsLeft": left, "readyOn": "2026-11-04" }))
}
