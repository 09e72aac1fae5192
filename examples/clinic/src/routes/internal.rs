//! What no specification knows: a feature that the mobile app uses already, and a page left from debugging.
//!
//! Planted: both are undocumented; the debug page needs no credential and shows a key.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, ok};
use crate::credentials::Principal;
use crate::input::Body;
use crate::problem::Problem;
use crate::state::{Shared, TODAY};

/// In the form of a cloud provider's access key, put together here so that it is one nowhere in the source.
const CLOUD_KEY: &str = concat!("AKIA", "3PZ7QW2LMN4XHV6T");

const SYMPTOMS_MAX: usize = 20;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v2/beta/triage", post(triage)).route("/internal/debug/config", get(debug))
}

#[derive(Deserialize)]
struct Symptoms {
    symptoms: Vec<String>,
}

async fn triage(State(shared): State<Shared>, who: Principal, Body(sent): Body<Symptoms>) -> Answer {
    if sent.symptoms.is_empty() || sent.symptoms.len() > SYMPTOMS_MAX {
        return Err(Problem::invalid("expected 1 to 20 symptoms"));
    }
    let urgency =
        if sent.symptoms.iter().any(|symptom| symptom == "chest pain") { "today" } else { "this week" };
    let clinic = shared.clinic();
    let suggested = clinic.clinicians.first().map(|clinician| clinician.slug.clone());
    ok(
        json!({ "patientId": who.patient_id, "urgency": urgency, "suggestedClinician": suggested, "on": TODAY }),
    )
}

async fn debug() -> Answer {
    ok(json!({
        "build": "2.14.0-rc3",
        "database": "postgres://clinic_rw@clinic-db.internal:5432/clinic",
        "objectStore": { "bucket": "clinic-exports", "accessKeyId": CLOUD_KEY },
        "features": { "triage": true },
    }))
}
