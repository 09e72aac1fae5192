use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Clinic, Ids, Who};
use crate::documents::Specification;

struct Sample {
    operation: &'static str,
    target: String,
    who: Who,
    body: Option<Value>,
    status: u16,
}

/// One good call of every documented operation, in an order that works.
fn samples(ids: &Ids) -> Vec<Sample> {
    let own = Who::Patient(0);
    let patient = &ids.patient;
    let mut all = Vec::new();
    let mut add = |operation, target: &str, who, body: Option<Value>, status| {
        all.push(Sample { operation, target: target.to_owned(), who, body, status });
    };
    let insurance = json!({ "payer": "Cedar Plan", "memberId": ids.member, "groupNumber": "GRP-1", "validUntil": "2028-01-01" });
    let booking = json!({ "patientId": patient, "clinician": ids.clinician, "startsAt": "2027-01-04T08:00:00Z", "reason": "check-up" });
    let prescription = json!({ "patientId": patient, "ndc": "00093-1048-01", "drug": "metformin", "dosage": "one", "diagnosisCode": "E11.9" });
    let card = json!({ "number": "5555555555554444", "expiry": "01/30", "cvv": "321" });
    let admission = json!({ "givenName": "Robin", "familyName": "Vidal", "birthDate": "1990-01-31", "email": "r@mail.example", "phone": "+1-503-555-0101" });

    add("health", "/health", Who::Nobody, None, 200);
    let sign_in =
        json!({ "email": "wilma.stone@clinic.example", "password": probity_clinic::credentials::PASSWORD });
    add("signIn", "/v2/sessions", Who::Nobody, Some(sign_in), 201);
    add("signOut", "/v2/sessions/current", own, None, 204);
    add("resetPassword", "/v2/password-resets", Who::Nobody, Some(json!({ "email": "a@b.example" })), 202);
    add("ownAccount", "/v2/me", own, None, 200);
    add("listPatients", "/v2/patients", Who::Staff, None, 200);
    add("admitPatient", "/v2/patients", Who::Staff, Some(admission), 201);
    add("showPatient", &format!("/v2/patients/{patient}"), own, None, 200);
    add(
        "changePatient",
        &format!("/v2/patients/{patient}"),
        own,
        Some(json!({ "phone": "+1-415-555-0111" })),
        200,
    );
    add("showRecord", &format!("/v2/patients/{patient}/record"), own, None, 200);
    add("listAppointmentsOfPatient", &format!("/v2/patients/{patient}/appointments"), own, None, 200);
    add("listLabResultsOfPatient", &format!("/v2/patients/{patient}/lab-results"), own, None, 200);
    add("showInsurance", &format!("/v2/patients/{patient}/insurance"), own, None, 200);
    add("replaceInsurance", &format!("/v2/patients/{patient}/insurance"), own, Some(insurance), 200);
    add("listAppointments", "/v2/appointments?limit=50", own, None, 200);
    add("bookAppointment", "/v2/appointments", own, Some(booking), 201);
    let appointment = format!("/v2/appointments/{}", ids.appointment);
    add("showAppointment", &appointment, own, None, 200);
    add("shiftAppointment", &appointment, own, Some(json!({ "startsAt": "2027-01-05T08:00:00Z" })), 200);
    add("cancelAppointment", &appointment, own, None, 204);
    add("showAvailability", "/v2/availability/2026-11-09", own, None, 200);
    add("listClinicians", "/v2/clinicians", own, None, 200);
    add("showClinician", &format!("/v2/clinicians/{}", ids.clinician), own, None, 200);
    add("showProvider", &format!("/v2/providers/{}", ids.clinician), own, None, 200);
    add("showHours", "/v2/departments/imaging/hours", Who::Nobody, None, 200);
    add("listPrescriptions", "/v2/prescriptions", own, None, 200);
    add("prescribe", "/v2/prescriptions", Who::Staff, Some(prescription), 201);
    add("showPrescription", &format!("/v2/prescriptions/{}", ids.prescription), own, None, 200);
    add("refillPrescription", &format!("/v2/prescriptions/{}/refills", ids.prescription), own, None, 201);
    add("showLabResult", &format!("/v2/lab-results/{}", ids.lab_result), own, None, 200);
    add("listPayments", "/v2/payments", own, None, 200);
    add(
        "pay",
        "/v2/payments",
        own,
        Some(json!({ "patientId": patient, "amountCents": 900, "card": card })),
        201,
    );
    add("showPayment", &format!("/v2/payments/{}", ids.payment), own, None, 200);
    add("showReceipt", &format!("/v2/payments/{}/receipt", ids.payment), own, None, 200);
    add(
        "refund",
        &format!("/v2/payments/{}/refunds", ids.payment),
        Who::Staff,
        Some(json!({ "amountCents": 1 })),
        201,
    );
    add("listExports", "/v2/partner/exports", Who::Partner, None, 200);
    let order = json!({ "from": "2026-10-01", "to": "2026-10-31" });
    add("orderExport", "/v2/partner/exports", Who::Partner, Some(order), 201);
    add("showExport", "/v2/partner/exports/exp-2026-10", Who::Partner, None, 200);
    add("downloadExport", "/v2/partner/exports/exp-2026-10/download", Who::Partner, None, 200);
    add("showEligibility", &format!("/v2/partner/eligibility/{}", ids.member), Who::Partner, None, 200);
    add("listClaims", "/v2/batch/claims", Who::Batch, None, 200);
    add(
        "settleClaim",
        &format!("/v2/batch/claims/{}/status", ids.claim),
        Who::Batch,
        Some(json!({ "status": "paid" })),
        200,
    );
    add("listUsers", "/v2/admin/users", Who::Admin, None, 200);
    add("changeRole", "/v2/admin/users/2003/role", Who::Admin, Some(json!({ "role": "staff" })), 200);
    add("listAudit", "/v2/admin/audit", Who::Admin, None, 200);
    add("listReports", "/v2/reports", Who::Staff, None, 200);
    add("showReport", "/v2/reports/revenue?month=2026-09", Who::Staff, None, 200);
    let referral = json!({ "patientId": patient, "faxNumber": "+1-617-555-0100" });
    add("faxReferral", "/v2/referrals/fax", Who::Staff, Some(referral), 201);
    add("listAnnouncements", "/v2/announcements", Who::Nobody, None, 200);
    add("streamEvents", "/v2/events", own, None, 200);
    // Without the handshake's headers: the operation is there and says what it wants.
    add("chat", "/v2/chat", own, None, 400);
    add("graphql", "/v2/graphql", own, Some(json!({ "query": "{ me { name } }" })), 200);
    all
}

/// What the planted faults add to documented answers.
fn planted(operation: &str) -> &'static [&'static str] {
    match operation {
        "listPatients" => &["+/items/*/diagnoses", "+/items/*/ssn"],
        "showPayment" => &["+/card/expiry", "+/card/number"],
        "showReceipt" => &["+/card/cvv"],
        _ => &[],
    }
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
    let operations = specification.operations();
    assert!(operations.len() >= 50, "{} operations", operations.len());
    let clinic = Clinic::start().await;
    let ids = Ids::of(&clinic).await;
    let samples = samples(&ids);
    let known: BTreeSet<&str> = operations.iter().map(|operation| operation.id).collect();
    let sampled: BTreeSet<&str> = samples.iter().map(|sample| sample.operation).collect();
    assert_eq!(known, sampled, "documented and sampled operations");

    let mut compared = 0;
    for sample in samples {
        let operation = operations.iter().find(|operation| operation.id == sample.operation).unwrap();
        let path = sample.target.split('?').next().unwrap();
        assert!(matches_template(operation.path, path), "{}: {path}", operation.id);
        let answer = clinic.call(&operation.method, &sample.target, sample.who, sample.body).await;
        assert_eq!(answer.status, sample.status, "{}: {}", operation.id, answer.text);
        let documented = operation.node["responses"].get(sample.status.to_string());
        assert!(documented.is_some(), "{}: {} is not documented", operation.id, sample.status);
        if let Some(schema) = specification.response_schema(operation, sample.status) {
            let differences = specification.differences(schema, &answer.json);
            assert_eq!(differences, planted(operation.id), "{}: {}", operation.id, answer.text);
            assert!(!answer.json.is_null(), "{}", operation.id);
            compared += 1;
        }
    }
    assert!(compared >= 43, "{compared} answers compared");
    clinic.end().await;
}

#[tokio::test]
async fn protected_operations_ask_for_a_credential() {
    let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
    let clinic = Clinic::start().await;
    let ids = Ids::of(&clinic).await;
    for sample in samples(&ids) {
        let operations = specification.operations();
        let operation = operations.iter().find(|operation| operation.id == sample.operation).unwrap();
        // Planted: this one does not ask.
        if !specification.is_protected(operation) || operation.id == "showLabResult" {
            continue;
        }
        for (wrong, headers) in [
            ("none", &[][..]),
            ("wrong", &[("authorization", "Bearer wrong"), ("x-api-key", "wrong")][..]),
            ("empty", &[("authorization", ""), ("x-api-key", "")][..]),
        ] {
            let body = sample.body.clone();
            let answer =
                clinic.call_with(&operation.method, &sample.target, Who::Nobody, body, headers).await;
            assert_eq!(answer.status, 401, "{} with {wrong} credential: {}", operation.id, answer.text);
            assert!(!answer.header("www-authenticate").is_empty(), "{}", operation.id);
        }
    }
    clinic.end().await;
}

#[test]
fn operations_have_owners_but_for_the_planted_one() {
    let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
    let operations = specification.operations();
    let unowned = operations.iter().filter(|it| it.node.get("x-owner").is_none()).map(|it| it.id);
    assert_eq!(unowned.collect::<Vec<_>>(), ["listAnnouncements"]);
    assert!(!probity_clinic::documents::CODEOWNERS.contains("announcements"));
    assert!(!probity_clinic::documents::CODEOWNERS.lines().any(|line| line.starts_with('*')));
    let deprecated = operations.iter().filter(|it| it.node.get("deprecated").is_some()).map(|it| it.id);
    assert_eq!(deprecated.collect::<Vec<_>>(), ["showProvider"]);
}

fn matches_template(template: &str, path: &str) -> bool {
    let (mut expected, mut found) = (template.split('/'), path.split('/'));
    expected.by_ref().all(|segment| {
        found.next().is_some_and(|it| if segment.starts_with('{') { !it.is_empty() } else { it == segment })
    }) && found.next().is_none()
}
