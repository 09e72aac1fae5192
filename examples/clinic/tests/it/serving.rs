use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Clinic, Ids, Who};

#[tokio::test]
async fn ends_with_open_connections() {
    let clinic = Clinic::start().await;
    // A kept-alive connection and a followed stream; neither may hold the end up for good.
    let mut kept = TcpStream::connect(clinic.address).await.unwrap();
    kept.write_all(b"GET /health HTTP/1.1\r\nhost: clinic\r\n\r\n").await.unwrap();
    let mut followed = TcpStream::connect(clinic.address).await.unwrap();
    let token = probity_clinic::credentials::ADMIN_TOKEN;
    let request = format!(
        "GET /v2/events?follow=true HTTP/1.1\r\nhost: clinic\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    followed.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    followed.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    clinic.end().await;
}

#[tokio::test]
async fn healthy_operations_have_the_baseline() {
    let clinic = Clinic::start().await;
    for (target, who) in [("/health", Who::Nobody), ("/v2/patients", Who::Staff), ("/nowhere", Who::Nobody)] {
        let answer = clinic.get(target, who).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("cache-control"), "no-store", "{target}");
        assert_eq!(answer.header("server"), "", "{target}");
    }
    let foreign = [("origin", "https://attacker.example")];
    let answer = clinic.call_with("GET", "/v2/appointments", Who::Patient(0), None, &foreign).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let preflight = [("origin", "https://app.clinic.example"), ("access-control-request-method", "POST")];
    let answer = clinic.call_with("OPTIONS", "/v2/appointments", Who::Nobody, None, &preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.clinic.example");
    clinic.end().await;
}

#[tokio::test]
async fn objects_and_functions_beside_the_faults_are_guarded() {
    let clinic = Clinic::start().await;
    let ids = Ids::of(&clinic).await;
    let stranger = Who::Patient(1);
    let patient = &ids.patient;
    for target in [
        format!("/v2/patients/{patient}"),
        format!("/v2/patients/{patient}/record"),
        format!("/v2/patients/{patient}/appointments"),
        format!("/v2/patients/{patient}/lab-results"),
        format!("/v2/patients/{patient}/insurance"),
        format!("/v2/appointments/{}", ids.appointment),
        format!("/v2/payments/{}", ids.payment),
        format!("/v2/payments/{}/receipt", ids.payment),
        format!("/v1/patients/{patient}"),
        "/v2/patients".to_owned(),
        "/v2/admin/users".to_owned(),
        "/v2/admin/audit".to_owned(),
        "/v2/reports".to_owned(),
    ] {
        assert_eq!(clinic.get(&target, stranger).await.status, 403, "{target}");
    }
    // A key opens only what it was granted for.
    assert_eq!(clinic.get("/v2/batch/claims", Who::Partner).await.status, 403);
    assert_eq!(clinic.get("/v2/partner/exports", Who::Batch).await.status, 403);
    let query = format!("{{ patient(id: \"{patient}\") {{ ssn }} }}");
    let answer = clinic.call("POST", "/v2/graphql", stranger, Some(json!({ "query": query }))).await;
    assert_eq!(answer.json["errors"][0]["message"], "not allowed");
    clinic.end().await;
}

#[tokio::test]
async fn bad_input_is_refused() {
    let clinic = Clinic::start().await;
    let ids = Ids::of(&clinic).await;
    let own = Who::Patient(0);
    let check =
        async |method: &str, target: &str, who: Who, body: Option<serde_json::Value>, expected: u16| {
            let answer = clinic.call(method, target, who, body).await;
            assert_eq!(answer.status, expected, "{method} {target}: {}", answer.text);
            if expected >= 400 {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {target}");
            }
        };
    check("GET", "/v2/patients?limit=0", Who::Staff, None, 400).await;
    check("GET", "/v2/patients?limit=x", Who::Staff, None, 400).await;
    check("GET", "/v2/patients?offset=99999", Who::Staff, None, 200).await;
    check("GET", "/v2/patients/42", Who::Staff, None, 400).await;
    check("GET", "/v2/appointments/4294967296", own, None, 400).await;
    check("GET", "/v2/appointments?date=2026-00-01", own, None, 400).await;
    check("GET", "/v2/availability/tomorrow", own, None, 400).await;
    check("GET", "/v2/events?limit=51", own, None, 400).await;
    check("POST", "/v2/patients", Who::Staff, None, 400).await;
    check("POST", "/v2/patients", Who::Staff, Some(json!({ "givenName": "A" })), 422).await;
    check("DELETE", "/v2/patients", Who::Staff, None, 405).await;
    check("GET", "/v1/anything/else", Who::Nobody, None, 410).await;
    check("PUT", "/v1/appointments", Who::Nobody, None, 410).await;
    let pay = |amount: u32, number: &str| {
        let card = json!({ "number": number, "expiry": "08/29", "cvv": "123" });
        Some(json!({ "patientId": ids.patient, "amountCents": amount, "card": card }))
    };
    check("POST", "/v2/payments", own, pay(0, "4111111111111111"), 422).await;
    check("POST", "/v2/payments", own, pay(100, "4111111111111112"), 422).await;
    check("POST", "/v2/payments", own, pay(100, "41x1111111111111"), 422).await;
    check("POST", "/v2/payments", own, pay(100, "4111111111111111"), 201).await;
    clinic.end().await;
}
