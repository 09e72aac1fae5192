//! Clinic staff at the web application, and the administrator.

use axum::http::Method;
use serde_json::json;

use super::{Scene, Step};
use crate::seed::DRUGS;
use crate::traffic::call::{Call, Credential, Keep};

pub(super) const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

const WEB_APP: &str = "https://app.clinic.example";

pub(super) const OPENING: &[Step] = &[
    me,
    patients,
    admit,
    patient,
    record,
    change_email,
    lab_results,
    insurance,
    appointments,
    book,
    appointment,
    cancel,
    prescriptions,
    prescribe,
    prescription,
    payments,
    refund,
    reports,
    report,
    impossible_month,
    clinicians,
    events,
    announcements,
];

pub(super) const USUAL: &[Step] = &[
    appointments,
    patient,
    patients,
    record,
    appointment,
    prescribe,
    book,
    prescriptions,
    prescription,
    lab_results,
    lab_result,
    clinicians,
    payments,
    report,
    insurance,
    change_email,
    admit,
    cancel,
    refund,
    reports,
];

pub(super) const ERRORS: &[Step] = &[
    missing_patient,
    mistyped_patient,
    oversized_page,
    wrong_code,
    signed_out,
    missing_report,
    administrators_only,
    impossible_month,
];

pub(super) const ADMIN_OPENING: &[Step] = &[me, users, change_role, audit, reports, report, patients];
pub(super) const ADMIN_USUAL: &[Step] = &[audit, users, report, patients, change_role];
pub(super) const ADMIN_ERRORS: &[Step] = &[missing_user, signed_out, unknown_role];

/// The web application is served from an origin of its own.
fn from_browser(call: Call) -> Call {
    call.header("origin", WEB_APP).header("accept", "application/json")
}

fn me(_: &mut Scene) -> Call {
    from_browser(Call::plain(Method::GET, "/v2/me"))
}

fn patients(scene: &mut Scene) -> Call {
    let offset = scene.word(&["0", "20", "40", "60"]);
    from_browser(Call::get("/v2/patients", format!("/v2/patients?limit=20&offset={offset}")))
        .fault("excess-fields")
}

fn admit(scene: &mut Scene) -> Call {
    let family = scene.word(&["Sorensen", "Tanaka", "Urbanek", "Vidal"]);
    let number = scene.made;
    let body = json!({
        "givenName": "Robin",
        "familyName": family,
        "birthDate": "1984-05-17",
        "email": format!("robin.{}{number}@mail.example", family.to_lowercase()),
        "phone": "+1-503-555-0147",
    });
    from_browser(Call::plain(Method::POST, "/v2/patients")).body(body).expect(&[201]).keep(Keep::Patient)
}

fn patient(scene: &mut Scene) -> Call {
    let id = scene.patient();
    from_browser(Call::get("/v2/patients/{patientId}", format!("/v2/patients/{id}")))
}

fn record(scene: &mut Scene) -> Call {
    let id = scene.patient();
    from_browser(Call::get("/v2/patients/{patientId}/record", format!("/v2/patients/{id}/record")))
}

fn change_email(scene: &mut Scene) -> Call {
    let id = match scene.newest(Keep::Patient) {
        Some(id) => id,
        None => scene.patient(),
    };
    let email = format!("robin.moved{}@mail.example", scene.made);
    from_browser(Call::new(Method::PATCH, "/v2/patients/{patientId}", format!("/v2/patients/{id}")))
        .body(json!({ "email": email }))
}

fn lab_results(scene: &mut Scene) -> Call {
    let id = scene.patient();
    from_browser(Call::get("/v2/patients/{patientId}/lab-results", format!("/v2/patients/{id}/lab-results")))
}

fn lab_result(scene: &mut Scene) -> Call {
    let clinic = std::sync::Arc::clone(&scene.clinic);
    let id = scene.popular(&clinic.lab_results).map(|result| result.id).unwrap_or_default();
    from_browser(Call::get("/v2/lab-results/{labResultId}", format!("/v2/lab-results/{id}")))
}

fn insurance(scene: &mut Scene) -> Call {
    let id = scene.patient();
    from_browser(Call::get("/v2/patients/{patientId}/insurance", format!("/v2/patients/{id}/insurance")))
}

fn appointments(scene: &mut Scene) -> Call {
    let target = format!("/v2/appointments?date={}&limit=50", scene.day());
    from_browser(Call::get("/v2/appointments", target))
}

fn book(scene: &mut Scene) -> Call {
    let body = json!({
        "patientId": scene.patient(),
        "clinician": scene.clinician(),
        "startsAt": scene.moment(),
        "reason": "follow-up",
    });
    from_browser(Call::plain(Method::POST, "/v2/appointments"))
        .body(body)
        .expect(&[201, 409])
        .keep(Keep::Appointment)
}

fn any_appointment(scene: &mut Scene) -> String {
    let clinic = std::sync::Arc::clone(&scene.clinic);
    scene.popular(&clinic.appointments).map(|appointment| appointment.id.to_string()).unwrap_or_default()
}

fn appointment(scene: &mut Scene) -> Call {
    let id = any_appointment(scene);
    from_browser(Call::get("/v2/appointments/{appointmentId}", format!("/v2/appointments/{id}")))
}

fn cancel(scene: &mut Scene) -> Call {
    let id = scene.take_newest(Keep::Appointment).unwrap_or_else(|| any_appointment(scene));
    let target = format!("/v2/appointments/{id}");
    from_browser(Call::new(Method::DELETE, "/v2/appointments/{appointmentId}", target)).expect(&[204, 409])
}

fn prescriptions(scene: &mut Scene) -> Call {
    let offset = scene.word(&["0", "20", "40"]);
    from_browser(Call::get("/v2/prescriptions", format!("/v2/prescriptions?offset={offset}")))
}

fn prescribe(scene: &mut Scene) -> Call {
    let (ndc, drug, dosage) = scene.popular(&DRUGS).unwrap_or_default();
    let code = scene.word(&["I10", "E11.9", "J45.909"]);
    let body = json!({
        "patientId": scene.patient(),
        "ndc": ndc,
        "drug": drug,
        "dosage": dosage,
        "diagnosisCode": code,
    });
    from_browser(Call::plain(Method::POST, "/v2/prescriptions")).body(body).expect(&[201])
}

fn prescription(scene: &mut Scene) -> Call {
    let clinic = std::sync::Arc::clone(&scene.clinic);
    let id = scene.popular(&clinic.prescriptions).map(|it| it.id).unwrap_or_default();
    from_browser(Call::get("/v2/prescriptions/{prescriptionId}", format!("/v2/prescriptions/{id}")))
}

fn payments(scene: &mut Scene) -> Call {
    let offset = scene.word(&["0", "20", "40"]);
    from_browser(Call::get("/v2/payments", format!("/v2/payments?offset={offset}")))
}

fn refund(scene: &mut Scene) -> Call {
    let clinic = std::sync::Arc::clone(&scene.clinic);
    let id = scene.popular(&clinic.payments).map(|payment| payment.id).unwrap_or_default();
    let target = format!("/v2/payments/{id}/refunds");
    from_browser(Call::new(Method::POST, "/v2/payments/{paymentId}/refunds", target))
        .body(json!({ "amountCents": 1000 }))
        .expect(&[201, 409])
}

fn clinicians(_: &mut Scene) -> Call {
    from_browser(Call::get("/v2/clinicians", "/v2/clinicians?limit=50"))
}

fn events(_: &mut Scene) -> Call {
    from_browser(Call::get("/v2/events", "/v2/events?limit=20"))
}

fn announcements(_: &mut Scene) -> Call {
    from_browser(Call::plain(Method::GET, "/v2/announcements"))
        .with(Credential::None)
        .fault("cors-any-origin")
}

fn reports(_: &mut Scene) -> Call {
    from_browser(Call::plain(Method::GET, "/v2/reports")).fault("server-banner")
}

fn report(scene: &mut Scene) -> Call {
    let name = scene.word(&["utilisation", "no-shows", "revenue"]);
    let month = scene.word(&["2026-10", "2026-09", "2026-08"]);
    from_browser(Call::get("/v2/reports/{name}", format!("/v2/reports/{name}?month={month}")))
}

fn impossible_month(_: &mut Scene) -> Call {
    from_browser(Call::get("/v2/reports/{name}", "/v2/reports/utilisation?month=2026-13"))
        .expect(&[500])
        .fault("stack-trace")
}

fn missing_patient(scene: &mut Scene) -> Call {
    let target = format!("/v2/patients/6f9619ff-8b86-4d01-b42d-{:012x}", scene.made);
    from_browser(Call::get("/v2/patients/{patientId}", target)).expect(&[404])
}

fn mistyped_patient(_: &mut Scene) -> Call {
    from_browser(Call::get("/v2/patients/{patientId}", "/v2/patients/6f9619ff-8b86-4d01")).expect(&[400])
}

fn oversized_page(_: &mut Scene) -> Call {
    from_browser(Call::get("/v2/patients", "/v2/patients?limit=1000")).expect(&[400])
}

fn wrong_code(scene: &mut Scene) -> Call {
    let body = json!({ "patientId": scene.patient(), "ndc": "none", "drug": "metformin", "dosage": "500 mg",
                       "diagnosisCode": "E11.9" });
    from_browser(Call::plain(Method::POST, "/v2/prescriptions")).body(body).expect(&[422])
}

fn signed_out(_: &mut Scene) -> Call {
    from_browser(Call::plain(Method::GET, "/v2/me"))
        .with(Credential::Bearer("cldemo_ses_77b1c04e9d5a2f38".to_owned()))
        .expect(&[401])
}

fn missing_report(_: &mut Scene) -> Call {
    from_browser(Call::get("/v2/reports/{name}", "/v2/reports/waiting-times")).expect(&[404])
}

fn administrators_only(_: &mut Scene) -> Call {
    from_browser(Call::plain(Method::GET, "/v2/admin/users")).expect(&[403])
}

fn users(_: &mut Scene) -> Call {
    from_browser(Call::plain(Method::GET, "/v2/admin/users"))
}

fn change_role(scene: &mut Scene) -> Call {
    // The role that the user has already: administration is seen, and nobody's rights change.
    let user = scene.word(&["2001", "2002", "2003"]);
    from_browser(Call::new(
        Method::PUT,
        "/v2/admin/users/{userId}/role",
        format!("/v2/admin/users/{user}/role"),
    ))
    .body(json!({ "role": "staff" }))
}

fn audit(scene: &mut Scene) -> Call {
    let limit = scene.word(&["20", "50"]);
    from_browser(Call::get("/v2/admin/audit", format!("/v2/admin/audit?limit={limit}")))
}

fn missing_user(scene: &mut Scene) -> Call {
    let target = format!("/v2/admin/users/{}/role", 9_000 + scene.made);
    from_browser(Call::new(Method::PUT, "/v2/admin/users/{userId}/role", target))
        .body(json!({ "role": "staff" }))
        .expect(&[404])
}

fn unknown_role(_: &mut Scene) -> Call {
    from_browser(Call::new(Method::PUT, "/v2/admin/users/{userId}/role", "/v2/admin/users/2001/role"))
        .body(json!({ "role": "director" }))
        .expect(&[422])
}
