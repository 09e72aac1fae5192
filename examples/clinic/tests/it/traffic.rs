use std::collections::{BTreeMap, BTreeSet};

use probity_clinic::traffic::{CallRecord, Intent, Plan, Target, TrafficReport, drive};

use crate::client::Clinic;
use crate::documents::{Specification, yaml};

async fn run(plan: &Plan) -> TrafficReport {
    let clinic = Clinic::start().await;
    let target = Target { authority: clinic.address, host: "api.clinic.example".to_owned() };
    let report = drive(&target, plan).await;
    clinic.end().await;
    report
}

#[tokio::test]
async fn makes_its_calls() {
    let plan = Plan::default();
    let report = run(&plan).await;
    let wrong: Vec<&CallRecord> = report.labels.iter().filter(|call| !call.expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((report.calls, report.failed, report.callers_lost), (plan.calls, 0, 0));
    assert_eq!(report.legitimate + report.attacks, report.calls);
    assert_eq!(report.legitimate_refused, 0);
    let consumers: Vec<&str> = report.by_consumer.keys().map(String::as_str).collect();
    assert_eq!(consumers, ["admin", "attacker", "batch", "mobile-app", "partner", "staff"]);
    assert_eq!(report.by_consumer["attacker"].attacks, report.attacks);
    assert!(report.by_protocol["h2c"] >= 40, "{:?}", report.by_protocol);
    assert!(report.by_status[&101] >= 6 && report.by_status[&429] >= 2 && report.by_status[&410] >= 2);

    let erred =
        report.labels.iter().filter(|call| call.intent == Intent::Legitimate && call.status >= Some(400));
    let percent = erred.count() * 100 / report.legitimate;
    assert!((4..=8).contains(&percent), "{percent} % of legitimate calls ended in an error");
    let shown = serde_json::to_value(&report).unwrap();
    assert_eq!(shown["calls"], plan.calls);
}

#[tokio::test]
async fn calls_every_operation_but_the_orphan_and_meets_every_fault() {
    let report = run(&Plan { calls: 0, ..Plan::default() }).await;
    assert_eq!(report.calls, probity_clinic::traffic::CALLS_MIN);
    let called: BTreeSet<(&str, &str)> = report
        .labels
        .iter()
        .filter(|call| call.intent == Intent::Legitimate && call.status < Some(400))
        .filter_map(|call| Some((call.method.as_str(), call.template.as_deref()?)))
        .collect();
    let specification = Specification::read(probity_clinic::documents::SPECIFICATION);
    let operations = specification.operations();
    let documented: BTreeSet<(&str, &str)> =
        operations.iter().map(|it| (it.method.as_str(), it.path)).collect();
    let uncalled: Vec<_> = documented.difference(&called).collect();
    assert_eq!(uncalled, [&("POST", "/v2/referrals/fax")]);
    let undocumented: Vec<_> = called.difference(&documented).collect();
    assert_eq!(
        undocumented,
        [&("GET", "/v1/appointments"), &("GET", "/v1/patients/{patientId}"), &("POST", "/v2/beta/triage"),]
    );
    // Every protected operation in use was tried without a credential, and refused.
    for operation in operations.iter().filter(|it| specification.is_protected(it)) {
        let refused = report.labels.iter().any(|call| {
            call.method == operation.method
                && call.template.as_deref() == Some(operation.path)
                && call.status == Some(401)
        });
        assert_eq!(refused, !["showLabResult", "faxReferral"].contains(&operation.id), "{}", operation.id);
    }
    let faults = yaml(probity_clinic::documents::FAULTS);
    let planted = faults["faults"].as_array().unwrap().iter().map(|fault| fault["id"].as_str().unwrap());
    let met: BTreeSet<&str> = report.by_fault.keys().map(String::as_str).collect();
    assert_eq!(planted.filter(|id| !met.contains(id)).collect::<Vec<_>>(), ["orphan-fax"]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_calls() {
    type Order = BTreeMap<(String, usize), Vec<(String, Option<String>, Option<u16>)>>;
    let order = |report: TrafficReport| {
        let mut order = Order::new();
        for call in report.labels {
            let caller = order.entry((call.consumer, call.caller)).or_default();
            caller.push((call.method, call.template, call.status));
        }
        order
    };
    let plan = |seed, concurrency| Plan { seed, calls: 600, concurrency };
    let first = order(run(&plan(7, 1)).await);
    assert_eq!(first, order(run(&plan(7, 16)).await));
    assert_ne!(first, order(run(&plan(8, 16)).await));
}

#[tokio::test]
async fn a_second_run_on_the_same_clinic_finds_it_as_the_first_did() {
    let clinic = Clinic::start().await;
    let target = Target { authority: clinic.address, host: "api.clinic.example".to_owned() };
    for _ in 0..2 {
        let report = drive(&target, &Plan::default()).await;
        assert_eq!((report.failed, report.legitimate_refused), (0, 0));
    }
    clinic.end().await;
}

#[tokio::test]
async fn a_dead_target_is_counted_and_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap();
    drop(listener);
    let report = drive(&Target { authority, host: "clinic".to_owned() }, &Plan::default()).await;
    assert_eq!((report.failed, report.calls), (report.calls, 720));
    assert!(report.labels[0].error.as_deref().unwrap().starts_with("could not connect"));
}
