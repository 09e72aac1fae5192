//! Patients and what belongs to one of them.
//!
//! Planted: the list gives more fields than it documents; a change of contact data also takes a role.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, created, ok, row, uuid};
use crate::credentials::{Principal, Role};
use crate::input::{Body, Page, Params, is_date, is_email, is_phone};
use crate::problem::Problem;
use crate::state::{Insurance, Patient, Shared, require_room};

const NAME_MAX: usize = 80;
const NUMBER_MAX: usize = 20;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/patients", get(list).post(create))
        .route("/v2/patients/{patient_id}", get(show).patch(change))
        .route("/v2/patients/{patient_id}/record", get(record))
        .route("/v2/patients/{patient_id}/appointments", get(appointments))
        .route("/v2/patients/{patient_id}/lab-results", get(lab_results))
        .route("/v2/patients/{patient_id}/insurance", get(insurance).put(insure))
}

async fn list(State(shared): State<Shared>, who: Principal, Params(page): Params<Page>) -> Answer {
    who.require_staff()?;
    let clinic = shared.clinic();
    let rows = clinic.patients.iter().map(|patient| {
        let codes: Vec<&str> = patient.diagnoses.iter().map(|diagnosis| diagnosis.code).collect();
        // Planted: `ssn` and `diagnoses` are not in the documented summary.
        json!({
            "id": patient.id,
            "mrn": patient.mrn,
            "givenName": patient.given_name,
            "familyName": patient.family_name,
            "birthDate": patient.birth_date,
            "ssn": patient.ssn,
            "diagnoses": codes,
        })
    });
    ok(page.of(rows.collect())?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPatient {
    given_name: String,
    family_name: String,
    birth_date: String,
    email: String,
    phone: String,
}

async fn create(State(shared): State<Shared>, who: Principal, Body(sent): Body<NewPatient>) -> Answer {
    who.require_staff()?;
    let named = |name: &str| !name.is_empty() && name.len() <= NAME_MAX;
    if !named(&sent.given_name) || !named(&sent.family_name) {
        return Err(Problem::invalid("expected names of 1 to 80 bytes"));
    }
    if !is_date(&sent.birth_date) {
        return Err(Problem::invalid("expected `birthDate` as YYYY-MM-DD"));
    }
    if !is_email(&sent.email) || !is_phone(&sent.phone) {
        return Err(Problem::invalid("expected an e-mail address and a telephone number"));
    }
    let mut clinic = shared.clinic();
    require_room(&clinic.patients)?;
    let patient = Patient {
        id: clinic.issue_uuid(),
        mrn: format!("MRN-{:07}", 60_000 + clinic.patients.len()),
        given_name: sent.given_name,
        family_name: sent.family_name,
        birth_date: sent.birth_date,
        email: sent.email,
        phone: sent.phone,
        ssn: String::new(),
        street: String::new(),
        city: String::new(),
        postal_code: String::new(),
        diagnoses: Vec::new(),
        medications: Vec::new(),
        allergies: Vec::new(),
        insurance: Insurance {
            payer: "self".to_owned(),
            member_id: String::new(),
            group_number: String::new(),
            valid_until: String::new(),
        },
    };
    let view = detail(&patient);
    clinic.record(who.user_id, "patient.create", format!("patient {}", patient.mrn));
    clinic.patients.push(patient);
    created(view)
}

async fn show(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    ok(detail(shared.clinic().patient(&id)?))
}

fn detail(patient: &Patient) -> Value {
    json!({
        "id": patient.id,
        "mrn": patient.mrn,
        "givenName": patient.given_name,
        "familyName": patient.family_name,
        "birthDate": patient.birth_date,
        "email": patient.email,
        "phone": patient.phone,
        "address": {
            "street": patient.street,
            "city": patient.city,
            "postalCode": patient.postal_code,
        },
    })
}

/// Planted: `role` is no contact data, and unlike every other input this one lets undocumented fields through.
#[derive(Deserialize)]
struct Change {
    email: Option<String>,
    phone: Option<String>,
    role: Option<Role>,
}

async fn change(
    State(shared): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
    Body(sent): Body<Change>,
) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    let mut clinic = shared.clinic();
    let patient = clinic.patient_mut(&id)?;
    if let Some(email) = sent.email {
        if !is_email(&email) {
            return Err(Problem::invalid("expected an e-mail address"));
        }
        patient.email = email;
    }
    if let Some(phone) = sent.phone {
        if !is_phone(&phone) {
            return Err(Problem::invalid("expected a telephone number"));
        }
        patient.phone = phone;
    }
    let mut view = detail(patient);
    if let Some(role) = sent.role {
        if let Some(user) = clinic.users.iter_mut().find(|user| user.patient_id.as_deref() == Some(&id)) {
            user.role = role;
        }
        if let Some(fields) = view.as_object_mut() {
            fields.insert("role".to_owned(), row(role));
        }
    }
    ok(view)
}

async fn record(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    let clinic = shared.clinic();
    let patient = clinic.patient(&id)?;
    ok(json!({
        "patientId": patient.id,
        "mrn": patient.mrn,
        "diagnoses": patient.diagnoses,
        "medications": patient.medications,
        "allergies": patient.allergies,
    }))
}

async fn appointments(
    State(shared): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
    Params(page): Params<Page>,
) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    let clinic = shared.clinic();
    clinic.patient(&id)?;
    let rows = clinic.appointments.iter().filter(|appointment| appointment.patient_id == id).map(row);
    ok(page.of(rows.collect())?)
}

async fn lab_results(
    State(shared): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
    Params(page): Params<Page>,
) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    let clinic = shared.clinic();
    clinic.patient(&id)?;
    let rows = clinic.lab_results.iter().filter(|result| result.patient_id == id).map(|result| {
        json!({ "id": result.id, "test": result.test, "value": result.value, "unit": result.unit, "takenOn": result.taken_on })
    });
    ok(page.of(rows.collect())?)
}

async fn insurance(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    ok(&shared.clinic().patient(&id)?.insurance)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInsurance {
    payer: String,
    member_id: String,
    group_number: String,
    valid_until: String,
}

async fn insure(
    State(shared): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
    Body(sent): Body<NewInsurance>,
) -> Answer {
    who.require_sight_of(uuid(&id)?)?;
    let short = sent.member_id.len() <= NUMBER_MAX && sent.group_number.len() <= NUMBER_MAX;
    if !is_date(&sent.valid_until) || !short || sent.payer.len() > NAME_MAX {
        return Err(Problem::invalid("expected `validUntil` as YYYY-MM-DD, and a payer with short numbers"));
    }
    let mut clinic = shared.clinic();
    let patient = clinic.patient_mut(&id)?;
    patient.insurance = Insurance {
        payer: sent.payer,
        member_id: sent.member_id,
        group_number: sent.group_number,
        valid_until: sent.valid_until,
    };
    ok(&patient.insurance)
}
