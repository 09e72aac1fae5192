//! Booking, moving and cancelling appointments, and the free slots of a day.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, created, no_content, number, ok, row};
use crate::credentials::Principal;
use crate::input::{Body, Page, Params, is_date};
use crate::problem::Problem;
use crate::seed::FIRST_APPOINTMENT;
use crate::state::{Appointment, Clinic, Shared, require_room};

const REASON_MAX: usize = 200;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/appointments", get(list).post(book))
        .route("/v2/appointments/{appointment_id}", get(show).patch(shift).delete(cancel))
        .route("/v2/availability/{date}", get(availability))
}

/// Restates the page's fields: the query deserialiser cannot flatten numbers.
#[derive(Deserialize)]
struct Filter {
    date: Option<String>,
}

async fn list(
    State(shared): State<Shared>,
    who: Principal,
    Params(filter): Params<Filter>,
    Params(page): Params<Page>,
) -> Answer {
    if filter.date.as_deref().is_some_and(|date| !is_date(date)) {
        return Err(Problem::malformed("expected `date` as YYYY-MM-DD"));
    }
    let clinic = shared.clinic();
    let rows = clinic
        .appointments
        .iter()
        .filter(|appointment| who.may_see(&appointment.patient_id))
        .filter(|appointment| filter.date.as_ref().is_none_or(|date| appointment.starts_at.starts_with(date)))
        .map(row);
    ok(page.of(rows.collect())?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAppointment {
    patient_id: String,
    clinician: String,
    starts_at: String,
    reason: String,
}

async fn book(State(shared): State<Shared>, who: Principal, Body(sent): Body<NewAppointment>) -> Answer {
    who.require_sight_of(&sent.patient_id)?;
    if !is_instant(&sent.starts_at) || sent.reason.len() > REASON_MAX {
        return Err(Problem::invalid(
            "expected `startsAt` as date and time, and a reason of up to 200 bytes",
        ));
    }
    let mut clinic = shared.clinic();
    clinic.patient(&sent.patient_id)?;
    require_room(&clinic.appointments)?;
    require_free(&clinic, &sent.patient_id, &sent.starts_at)?;
    if !clinic.clinicians.iter().any(|clinician| clinician.slug == sent.clinician) {
        return Err(Problem::invalid("no such clinician"));
    }
    let appointment = Appointment {
        id: FIRST_APPOINTMENT + clinic.appointments.len() as u32 * 3,
        patient_id: sent.patient_id,
        clinician: sent.clinician,
        starts_at: sent.starts_at,
        reason: sent.reason,
        status: "booked",
    };
    clinic.appointments.push(appointment.clone());
    created(appointment)
}

/// A patient cannot be in two places at once.
fn require_free(clinic: &Clinic, patient_id: &str, starts_at: &str) -> Result<(), Problem> {
    let taken = clinic.appointments.iter().any(|appointment| {
        appointment.patient_id == patient_id
            && appointment.starts_at == starts_at
            && appointment.status == "booked"
    });
    if taken { Err(Problem::conflict("the patient has an appointment at that time")) } else { Ok(()) }
}

fn is_instant(text: &str) -> bool {
    text.len() == 20 && text.ends_with('Z') && text.split_once('T').is_some_and(|(date, _)| is_date(date))
}

async fn show(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    let id = number(&id)?;
    let mut clinic = shared.clinic();
    let appointment = clinic.appointment_mut(id)?;
    who.require_sight_of(&appointment.patient_id)?;
    ok(appointment)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shift {
    starts_at: String,
}

async fn shift(
    State(shared): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
    Body(sent): Body<Shift>,
) -> Answer {
    let id = number(&id)?;
    if !is_instant(&sent.starts_at) {
        return Err(Problem::invalid("expected `startsAt` as date and time"));
    }
    let mut clinic = shared.clinic();
    let patient_id = clinic.appointment_mut(id)?.patient_id.clone();
    who.require_sight_of(&patient_id)?;
    require_free(&clinic, &patient_id, &sent.starts_at)?;
    let appointment = clinic.appointment_mut(id)?;
    appointment.starts_at = sent.starts_at;
    ok(appointment)
}

async fn cancel(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    let id = number(&id)?;
    let mut clinic = shared.clinic();
    let appointment = clinic.appointment_mut(id)?;
    who.require_sight_of(&appointment.patient_id)?;
    if appointment.status == "cancelled" {
        return Err(Problem::conflict("already cancelled"));
    }
    appointment.status = "cancelled";
    no_content()
}

async fn availability(State(shared): State<Shared>, _: Principal, Path(date): Path<String>) -> Answer {
    if !is_date(&date) {
        return Err(Problem::malformed("expected a date as YYYY-MM-DD in the path"));
    }
    let clinic = shared.clinic();
    let slots: Vec<_> = clinic
        .clinicians
        .iter()
        .take(8)
        .zip(["08:00", "08:30", "09:30", "10:00", "11:30", "13:00", "14:30", "16:00"])
        .map(|(clinician, time)| json!({ "clinician": clinician.slug, "startsAt": format!("{date}T{time}:00Z") }))
        .collect();
    ok(json!({ "date": date, "slots": slots }))
}
