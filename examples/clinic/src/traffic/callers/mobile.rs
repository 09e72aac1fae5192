//! Patients with the mobile app, and one whose app is two years old.

use axum::http::Method;
use serde_json::json;

use super::{Scene, Step};
use crate::credentials::PASSWORD;
use crate::seed::CARDS;
use crate::traffic::call::{Call, Credential, Keep, Reading};

pub(super) const IOS_USER_AGENT: &str = "ClinicApp/4.2.1 (iPhone; iOS 26.1; Scale/3.00)";
pub(super) const ANDROID_USER_AGENT: &str = "ClinicApp/4.2.0 (Android 16; Pixel 9) okhttp/5.1.0";
pub(super) const OLD_USER_AGENT: &str = "ClinicApp/1.8.3 (iPhone; iOS 15.8)";

pub(super) const OPENING: &[Step] = &[
    sign_in,
    me,
    own_patient,
    appointments,
    record,
    own_appointments,
    own_lab_results,
    lab_result,
    insurance,
    insure,
    change_phone,
    availability,
    book,
    appointment,
    shift,
    cancel,
    clinicians,
    clinician,
    hours,
    prescriptions,
    prescription,
    refill,
    payments,
    pay,
    payment,
    receipt,
    triage,
    announcements,
    events,
    chat,
    graph,
    forgotten_password,
    health,
    sign_out,
];

pub(super) const USUAL: &[Step] = &[
    appointments,
    me,
    own_patient,
    availability,
    appointment,
    own_appointments,
    book,
    prescriptions,
    clinicians,
    clinician,
    own_lab_results,
    payments,
    graph,
    prescription,
    announcements,
    record,
    triage,
    pay,
    lab_result,
    refill,
    payment,
    events,
    hours,
    cancel,
    receipt,
    insurance,
    shift,
    change_phone,
    chat,
    insure,
];

pub(super) const ERRORS: &[Step] = &[
    expired_token,
    missing_appointment,
    mistyped_card,
    bad_date,
    missing_clinician,
    mistyped_password,
    oversized_page,
    foreign_function,
];

pub(super) const OLD_OPENING: &[Step] =
    &[me, old_patient, old_appointments, old_booking, old_doctors, provider, old_patient];

pub(super) const OLD_USUAL: &[Step] =
    &[old_appointments, old_patient, provider, old_appointments, old_booking];

fn own_id(scene: &Scene) -> String {
    scene.clinic.patients.get(scene.own).map(|patient| patient.id.clone()).unwrap_or_default()
}

fn own_email(scene: &Scene) -> String {
    scene.clinic.patients.get(scene.own).map(|patient| patient.email.clone()).unwrap_or_default()
}

/// One of the rows that belong to the caller, by its id.
fn own_row<T>(scene: &mut Scene, rows: impl FnOnce(&Scene, &str) -> Vec<T>) -> String
where
    T: Clone + ToString,
{
    let own = own_id(scene);
    let rows = rows(scene, &own);
    scene.popular(&rows).map(|id| id.to_string()).unwrap_or_default()
}

fn own_appointment(scene: &mut Scene) -> String {
    own_row(scene, |scene, own| {
        scene.clinic.appointments.iter().filter(|it| it.patient_id == own).map(|it| it.id).collect()
    })
}

fn own_prescription(scene: &mut Scene) -> String {
    own_row(scene, |scene, own| {
        scene.clinic.prescriptions.iter().filter(|it| it.patient_id == own).map(|it| it.id).collect()
    })
}

fn own_payment(scene: &mut Scene) -> String {
    own_row(scene, |scene, own| {
        scene.clinic.payments.iter().filter(|it| it.patient_id == own).map(|it| it.id.clone()).collect()
    })
}

fn sign_in(scene: &mut Scene) -> Call {
    Call::plain(Method::POST, "/v2/sessions")
        .with(Credential::None)
        .body(json!({ "email": scene.clinic.users.get(scene.own).map(|user| &user.email), "password": PASSWORD }))
        .expect(&[201])
        .keep(Keep::Session)
}

fn sign_out(scene: &mut Scene) -> Call {
    let call = Call::plain(Method::DELETE, "/v2/sessions/current").expect(&[204]);
    match scene.take_newest(Keep::Session) {
        Some(token) => call.with(Credential::Bearer(token)),
        None => call,
    }
}

fn me(scene: &mut Scene) -> Call {
    let call = Call::plain(Method::GET, "/v2/me");
    match scene.newest(Keep::Session) {
        Some(token) => call.with(Credential::Bearer(token)),
        None => call,
    }
}

fn forgotten_password(scene: &mut Scene) -> Call {
    Call::plain(Method::POST, "/v2/password-resets")
        .with(Credential::None)
        .body(json!({ "email": own_email(scene) }))
        .expect(&[202, 429])
}

fn own_patient(scene: &mut Scene) -> Call {
    Call::get("/v2/patients/{patientId}", format!("/v2/patients/{}", own_id(scene)))
}

fn record(scene: &mut Scene) -> Call {
    Call::get("/v2/patients/{patientId}/record", format!("/v2/patients/{}/record", own_id(scene)))
}

fn own_appointments(scene: &mut Scene) -> Call {
    let limit = scene.word(&["10", "20", "5"]);
    Call::get(
        "/v2/patients/{patientId}/appointments",
        format!("/v2/patients/{}/appointments?limit={limit}", own_id(scene)),
    )
}

fn own_lab_results(scene: &mut Scene) -> Call {
    Call::get("/v2/patients/{patientId}/lab-results", format!("/v2/patients/{}/lab-results", own_id(scene)))
}

fn lab_result(scene: &mut Scene) -> Call {
    let id = own_row(scene, |scene, own| {
        scene.clinic.lab_results.iter().filter(|it| it.patient_id == own).map(|it| it.id.clone()).collect()
    });
    Call::get("/v2/lab-results/{labResultId}", format!("/v2/lab-results/{id}"))
}

fn insurance(scene: &mut Scene) -> Call {
    Call::get("/v2/patients/{patientId}/insurance", format!("/v2/patients/{}/insurance", own_id(scene)))
}

fn insure(scene: &mut Scene) -> Call {
    let insurance = scene.clinic.patients.get(scene.own).map(|patient| patient.insurance.clone());
    let target = format!("/v2/patients/{}/insurance", own_id(scene));
    Call::new(Method::PUT, "/v2/patients/{patientId}/insurance", target).body(json!(insurance))
}

fn change_phone(scene: &mut Scene) -> Call {
    let phone = scene.clinic.patients.get(scene.own).map(|patient| patient.phone.clone());
    Call::new(Method::PATCH, "/v2/patients/{patientId}", format!("/v2/patients/{}", own_id(scene)))
        .body(json!({ "phone": phone }))
}

fn appointments(scene: &mut Scene) -> Call {
    let target = match scene.word(&["", "day", "page"]) {
        "day" => format!("/v2/appointments?date={}", scene.day()),
        "page" => "/v2/appointments?limit=10&offset=10".to_owned(),
        _ => "/v2/appointments".to_owned(),
    };
    Call::get("/v2/appointments", target)
}

fn availability(scene: &mut Scene) -> Call {
    Call::get("/v2/availability/{date}", format!("/v2/availability/{}", scene.day()))
}

fn book(scene: &mut Scene) -> Call {
    let reason = scene.word(&["check-up", "follow-up", "vaccination", "back pain"]);
    let body = json!({
        "patientId": own_id(scene),
        "clinician": scene.clinician(),
        "startsAt": scene.moment(),
        "reason": reason,
    });
    Call::plain(Method::POST, "/v2/appointments").body(body).expect(&[201, 409]).keep(Keep::Appointment)
}

fn appointment(scene: &mut Scene) -> Call {
    let id = scene.newest(Keep::Appointment).unwrap_or_else(|| own_appointment(scene));
    Call::get("/v2/appointments/{appointmentId}", format!("/v2/appointments/{id}"))
}

fn shift(scene: &mut Scene) -> Call {
    let id = scene.newest(Keep::Appointment).unwrap_or_else(|| own_appointment(scene));
    Call::new(Method::PATCH, "/v2/appointments/{appointmentId}", format!("/v2/appointments/{id}"))
        .body(json!({ "startsAt": scene.moment() }))
        .expect(&[200, 409])
}

fn cancel(scene: &mut Scene) -> Call {
    let id = scene.take_newest(Keep::Appointment).unwrap_or_else(|| own_appointment(scene));
    Call::new(Method::DELETE, "/v2/appointments/{appointmentId}", format!("/v2/appointments/{id}"))
        .expect(&[204, 409])
}

fn clinicians(scene: &mut Scene) -> Call {
    let limit = scene.word(&["20", "10", "50"]);
    Call::get("/v2/clinicians", format!("/v2/clinicians?limit={limit}"))
}

fn clinician(scene: &mut Scene) -> Call {
    Call::get("/v2/clinicians/{slug}", format!("/v2/clinicians/{}", scene.clinician()))
}

fn hours(scene: &mut Scene) -> Call {
    let slug = scene.word(&["primary-care", "outpatient", "imaging", "cardiology"]);
    Call::get("/v2/departments/{slug}/hours", format!("/v2/departments/{slug}/hours")).with(Credential::None)
}

fn prescriptions(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v2/prescriptions")
}

fn prescription(scene: &mut Scene) -> Call {
    Call::get("/v2/prescriptions/{prescriptionId}", format!("/v2/prescriptions/{}", own_prescription(scene)))
}

fn refill(scene: &mut Scene) -> Call {
    let target = format!("/v2/prescriptions/{}/refills", own_prescription(scene));
    Call::new(Method::POST, "/v2/prescriptions/{prescriptionId}/refills", target).expect(&[201, 409])
}

fn payments(scene: &mut Scene) -> Call {
    let limit = scene.word(&["20", "10"]);
    Call::get("/v2/payments", format!("/v2/payments?limit={limit}"))
}

fn pay(scene: &mut Scene) -> Call {
    let (brand, number) = scene.popular(&CARDS).unwrap_or_default();
    let cvv = if brand == "amex" { "4821" } else { "482" };
    let amount = scene.word(&["2500", "4000", "12000"]).parse::<u32>().unwrap_or_default();
    let card = json!({ "number": number, "expiry": "08/29", "cvv": cvv });
    Call::plain(Method::POST, "/v2/payments")
        .body(json!({ "patientId": own_id(scene), "amountCents": amount, "card": card }))
        .expect(&[201])
        .keep(Keep::Payment)
}

fn payment(scene: &mut Scene) -> Call {
    let id = scene.newest(Keep::Payment).unwrap_or_else(|| own_payment(scene));
    Call::get("/v2/payments/{paymentId}", format!("/v2/payments/{id}")).fault("full-card-number")
}

fn receipt(scene: &mut Scene) -> Call {
    let id = scene.newest(Keep::Payment).unwrap_or_else(|| own_payment(scene));
    Call::get("/v2/payments/{paymentId}/receipt", format!("/v2/payments/{id}/receipt")).fault("security-code")
}

fn triage(scene: &mut Scene) -> Call {
    let symptom = scene.word(&["headache", "fever", "chest pain", "rash"]);
    Call::plain(Method::POST, "/v2/beta/triage").body(json!({ "symptoms": [symptom] })).fault("shadow-triage")
}

fn announcements(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v2/announcements").with(Credential::None).fault("no-owner")
}

fn events(scene: &mut Scene) -> Call {
    let limit = scene.word(&["5", "10"]);
    Call::get("/v2/events", format!("/v2/events?limit={limit}")).header("accept", "text/event-stream")
}

fn chat(_: &mut Scene) -> Call {
    let mut call = Call::plain(Method::GET, "/v2/chat").expect(&[101]);
    call.reading = Reading::Chat;
    call
}

fn graph(scene: &mut Scene) -> Call {
    let body = match scene.word(&["me", "appointments", "patient"]) {
        "appointments" => json!({ "query": "{ appointments(first: 5) { id startsAt clinician status } }" }),
        "patient" => json!({
            "query": "query Own($id: ID!) { patient(id: $id) { name mrn diagnoses { code description } } }",
            "variables": { "id": own_id(scene) },
        }),
        _ => json!({ "query": "{ me { id name role } clinicians(first: 3) { slug name } }" }),
    };
    Call::plain(Method::POST, "/v2/graphql").body(body)
}

fn health(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/health").with(Credential::None)
}

fn expired_token(scene: &mut Scene) -> Call {
    let call = match scene.word(&["/v2/me", "/v2/appointments", "/v2/prescriptions"]) {
        "/v2/appointments" => Call::plain(Method::GET, "/v2/appointments"),
        "/v2/prescriptions" => Call::plain(Method::GET, "/v2/prescriptions"),
        _ => Call::plain(Method::GET, "/v2/me"),
    };
    call.with(Credential::Bearer("cldemo_ses_0f3c9a17d2e84b66".to_owned())).expect(&[401])
}

fn missing_appointment(scene: &mut Scene) -> Call {
    let target = format!("/v2/appointments/{}", 9_000_000 + scene.made);
    Call::get("/v2/appointments/{appointmentId}", target).expect(&[404])
}

fn mistyped_card(scene: &mut Scene) -> Call {
    let card = json!({ "number": "4111111111111112", "expiry": "08/29", "cvv": "482" });
    Call::plain(Method::POST, "/v2/payments")
        .body(json!({ "patientId": own_id(scene), "amountCents": 2500, "card": card }))
        .expect(&[422])
}

fn bad_date(_: &mut Scene) -> Call {
    Call::get("/v2/availability/{date}", "/v2/availability/2026-13-40").expect(&[400])
}

fn missing_clinician(scene: &mut Scene) -> Call {
    let slug = scene.word(&["amara-abarra", "jonas-eriksson", "greta-h"]);
    Call::get("/v2/clinicians/{slug}", format!("/v2/clinicians/{slug}")).expect(&[404])
}

fn mistyped_password(scene: &mut Scene) -> Call {
    Call::plain(Method::POST, "/v2/sessions")
        .with(Credential::None)
        .body(json!({ "email": own_email(scene), "password": "correct-horse-batery" }))
        .expect(&[401])
}

fn oversized_page(_: &mut Scene) -> Call {
    Call::get("/v2/clinicians", "/v2/clinicians?limit=5000").expect(&[400])
}

fn foreign_function(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v2/patients").expect(&[403])
}

fn old_patient(scene: &mut Scene) -> Call {
    Call::get("/v1/patients/{patientId}", format!("/v1/patients/{}", own_id(scene)))
        .fault("zombie-v1-patient")
}

fn old_appointments(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v1/appointments").fault("zombie-v1-appointments")
}

fn old_booking(scene: &mut Scene) -> Call {
    Call::plain(Method::POST, "/v1/appointments")
        .body(json!({ "patient": own_id(scene), "when": scene.moment() }))
        .expect(&[410])
}

fn old_doctors(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v1/doctors").expect(&[410])
}

fn provider(scene: &mut Scene) -> Call {
    Call::get("/v2/providers/{slug}", format!("/v2/providers/{}", scene.clinician()))
}
