//! Each planted fault is shown by real calls; a fault that is listed and not shown here fails the test.

use std::collections::BTreeSet;

use probity_clinic::credentials::PARTNER_KEY;
use probity_clinic::traffic::{Plan, Target, drive};
use serde_json::json;

use crate::client::{Clinic, Ids, Who};
use crate::documents::{Specification, yaml};

fn documented(method: &str, path: &str) -> bool {
    let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
    specification.operations().iter().any(|it| it.method == method && it.path == path)
}

fn documented_in_v1(method: &str, path: &str) -> bool {
    let specification = Specification::read(probity_clinic::documents::SPECIFICATION_V1);
    specification.operations().iter().any(|it| it.method == method && it.path == path)
}

const STRANGER: Who = Who::Patient(7);

/// Shows one fault, on a clinic of its own.
async fn show(id: &str, method: &str, path: &str) {
    let clinic = Clinic::start().await;
    let ids = Ids::of(&clinic).await;
    let target = path
        .replace("{patientId}", &ids.patient)
        .replace("{labResultId}", &ids.lab_result)
        .replace("{prescriptionId}", &ids.foreign_prescription)
        .replace("{paymentId}", &ids.payment)
        .replace("{exportId}", "exp-2026-10")
        .replace("{userId}", "1008")
        .replace("{name}", "revenue");
    let own = Who::Patient(0);
    match id {
        "shadow-triage" => {
            assert!(!documented(method, path) && !documented_in_v1(method, path));
            let answer = clinic.call(method, &target, own, Some(json!({ "symptoms": ["fever"] }))).await;
            assert_eq!(answer.status, 200);
        }
        "shadow-debug-config" => {
            assert!(!documented(method, path) && !documented_in_v1(method, path));
            let answer = clinic.get(&target, Who::Nobody).await;
            assert_eq!(answer.status, 200);
            let key = answer.json["objectStore"]["accessKeyId"].as_str().unwrap();
            assert!(key.starts_with("AKIA") && key.len() == 20, "{key}");
        }
        "zombie-v1-patient" => {
            assert!(!documented(method, path) && documented_in_v1(method, path));
            let answer = clinic.get(&target, own).await;
            assert_eq!(answer.status, 200);
            assert!(is_ssn(answer.json["ssn"].as_str().unwrap()));
            assert_eq!((answer.header("sunset"), answer.header("deprecation")), ("", ""));
        }
        "zombie-v1-appointments" => {
            assert!(!documented(method, path) && documented_in_v1(method, path));
            let answer = clinic.get(&target, own).await;
            assert_eq!(answer.status, 200);
            assert!(!answer.json["appointments"].as_array().unwrap().is_empty());
        }
        "orphan-fax" => {
            assert!(documented(method, path));
            let body = json!({ "patientId": ids.patient, "faxNumber": "+1-617-555-0100" });
            assert_eq!(clinic.call(method, &target, Who::Staff, Some(body)).await.status, 201);
            let to = Target { authority: clinic.address, host: "clinic.example".to_owned() };
            let report = drive(&to, &Plan::default()).await;
            assert!(report.labels.iter().all(|call| call.template.as_deref() != Some(path)));
        }
        "no-authentication" => {
            let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
            let operations = specification.operations();
            let operation = operations.iter().find(|it| it.path == path).unwrap();
            assert!(specification.is_protected(operation));
            let answer = clinic.get(&target, Who::Nobody).await;
            assert_eq!(answer.status, 200);
            assert!(answer.json["patientName"].is_string() && answer.json["birthDate"].is_string());
        }
        "bola" => {
            let answer = clinic.get(&target, own).await;
            assert_eq!(answer.status, 200);
            assert_ne!(answer.json["patientId"], ids.patient);
        }
        "bfla" => {
            assert_eq!(clinic.get("/v2/admin/users", STRANGER).await.status, 403);
            let answer = clinic.call(method, &target, STRANGER, Some(json!({ "role": "admin" }))).await;
            assert_eq!(answer.status, 200);
            assert_eq!(clinic.get("/v2/admin/users", STRANGER).await.status, 200);
        }
        "full-card-number" => {
            let answer = clinic.get(&target, own).await;
            assert!((13..=19).contains(&answer.json["card"]["number"].as_str().unwrap().len()));
            let listed = clinic.get("/v2/payments", own).await;
            assert!(listed.json["items"][0]["card"].get("number").is_none());
        }
        "security-code" => {
            let answer = clinic.get(&target, own).await;
            assert!((3..=4).contains(&answer.json["card"]["cvv"].as_str().unwrap().len()));
        }
        "excess-fields" => {
            let answer = clinic.get(&target, Who::Staff).await;
            for item in answer.json["items"].as_array().unwrap() {
                assert!(is_ssn(item["ssn"].as_str().unwrap()), "{item}");
                assert!(!item["diagnoses"].as_array().unwrap().is_empty());
            }
        }
        "token-in-url" => {
            let with_key = format!("{target}?access_token={PARTNER_KEY}");
            assert_eq!(clinic.get(&with_key, Who::Nobody).await.status, 200);
            assert_eq!(clinic.get(&format!("{target}?access_token=x"), Who::Nobody).await.status, 401);
        }
        "mass-assignment" => {
            assert_eq!(clinic.get("/v2/patients", own).await.status, 403);
            let answer = clinic.call(method, &target, own, Some(json!({ "role": "staff" }))).await;
            assert_eq!((answer.status, &answer.json["role"]), (200, &json!("staff")));
            assert_eq!(clinic.get("/v2/patients", own).await.status, 200);
        }
        "stack-trace" => {
            let answer = clinic.get(&format!("{target}?month=2026-13"), own).await;
            assert_eq!(answer.status, 500);
            assert!(answer.text.contains("\tat ") && answer.text.contains("SELECT"));
        }
        "no-rate-limit" => {
            let guess = json!({ "email": "wilma.stone@clinic.example", "password": "guess" });
            for _ in 0..100 {
                assert_eq!(clinic.call(method, &target, Who::Nobody, Some(guess.clone())).await.status, 401);
            }
            let reset = json!({ "email": "wilma.stone@clinic.example" });
            let mut limited =
                clinic.call("POST", "/v2/password-resets", Who::Nobody, Some(reset.clone())).await;
            for _ in 0..5 {
                limited = clinic.call("POST", "/v2/password-resets", Who::Nobody, Some(reset.clone())).await;
            }
            assert_eq!((limited.status, limited.header("retry-after")), (429, "60"));
        }
        "cors-reflected-origin" => {
            let origin = [("origin", "https://attacker.example")];
            let answer = clinic.call_with(method, &target, own, None, &origin).await;
            assert_eq!(answer.header("access-control-allow-origin"), "https://attacker.example");
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
        }
        "cors-any-origin" => {
            let origin = [("origin", "https://attacker.example")];
            let answer = clinic.call_with(method, &target, Who::Nobody, None, &origin).await;
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
        "graphql-introspection" => {
            let query =
                json!({ "query": "{ __schema { queryType { name } types { name fields { name } } } }" });
            let answer = clinic.call(method, &target, Who::Nobody, Some(query)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json["data"]["__schema"]["queryType"]["name"], "Query");
            assert!(answer.text.contains("\"ssn\""));
            let data = json!({ "query": "{ me { name } }" });
            assert_eq!(clinic.call(method, &target, Who::Nobody, Some(data)).await.status, 401);
        }
        "no-owner" => {
            let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
            let operations = specification.operations();
            let operation = operations.iter().find(|it| it.path == path).unwrap();
            assert!(operation.node.get("x-owner").is_none());
            assert_eq!(clinic.get(&target, Who::Nobody).await.status, 200);
        }
        "server-banner" => {
            let answer = clinic.get(&target, Who::Staff).await;
            assert_eq!(answer.status, 200);
            assert!(answer.header("server").contains("Coyote/1.1"));
            assert!(answer.header("x-powered-by").contains("Tomcat/8"));
            assert_eq!(answer.header("x-content-type-options"), "");
            assert_eq!(answer.header("strict-transport-security"), "");
        }
        other => panic!("no call shows the fault `{other}`"),
    }
    clinic.end().await;
}

fn is_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, group, serial] = parts[..] else { return false };
    let number = |part: &str, width: usize| part.len() == width && part.parse::<u16>().is_ok_and(|it| it > 0);
    number(area, 3)
        && number(group, 2)
        && number(serial, 4)
        && area.parse::<u16>().is_ok_and(|it| it < 900 && it != 666)
}

#[tokio::test]
async fn every_planted_fault_is_there() {
    let faults = yaml(probity_clinic::documents::FAULTS);
    let faults = faults["faults"].as_array().unwrap();
    let mut seen = BTreeSet::new();
    for fault in faults {
        let field = |name: &str| fault[name].as_str().unwrap_or_else(|| panic!("no {name} in {fault}"));
        assert!(fault["stoppable"].is_boolean() && !field("stopped_by").is_empty(), "{fault}");
        assert!(!field("title").is_empty() && field("curl").contains("curl "), "{fault}");
        show(field("id"), field("method"), field("path")).await;
        assert!(seen.insert(field("id").to_owned()), "{fault}");
    }
    assert_eq!(seen.len(), 20);
}

#[test]
fn every_fault_is_told_in_words() {
    let words = include_str!("../../FAULTS.md");
    let faults = yaml(probity_clinic::documents::FAULTS);
    for list in ["faults", "misconfigurations"] {
        for fault in faults[list].as_array().unwrap() {
            let (id, check) = (fault["id"].as_str().unwrap(), fault["check"].as_str().unwrap());
            let row = words.lines().find(|line| line.starts_with(&format!("| `{id}` |")));
            let row = row.unwrap_or_else(|| panic!("`{id}` is not in FAULTS.md"));
            assert!(row.contains(&format!("`{check}`")), "{row}");
        }
    }
}

#[tokio::test]
async fn every_stoppable_fault_does_its_harm_when_nothing_stands_in_front() {
    use probity_clinic::exploits::{EXPLOITS, UNSTOPPABLE, exploit};
    let faults = yaml(probity_clinic::documents::FAULTS);
    let mut stoppable = 0;
    for fault in faults["faults"].as_array().unwrap() {
        let id = fault["id"].as_str().unwrap();
        assert_eq!(fault["stoppable"] == false, UNSTOPPABLE.contains(&id), "{id}");
        if UNSTOPPABLE.contains(&id) {
            continue;
        }
        stoppable += 1;
        let clinic = Clinic::start().await;
        let target = Target { authority: clinic.address, host: "clinic.example".to_owned() };
        let tried = exploit(&target, id).await.unwrap();
        assert!(tried.harmed, "{tried:?}");
        clinic.end().await;
    }
    assert_eq!(stoppable, EXPLOITS.len());
}
