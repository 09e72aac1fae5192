//! `probity demo --format json`: one document with a committed schema, in which every planted fault is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use crate::binary::{Place, repository};

/// Checks of faults that passing traffic cannot show: without a rule in force they are without evidence, never passed.
const EXCUSES: [(&str, &str); 3] = [
    ("object-authz", "needs objects bound to identities, or a probe"),
    ("function-authz", "needs a role matrix, or a probe"),
    ("property-authz", "needs an enforced request schema, or a probe"),
];
const CONTROLS: [(&str, u64); 3] =
    [("nist-sp-800-228-upd1", 26), ("owasp-api-2023", 10), ("pci-dss-4.0.1", 154)];
const LEAST_CALLS: u64 = 600;

/// One run that every test reads.
fn demo() -> &'static Value {
    static DEMO: OnceLock<Value> = OnceLock::new();
    DEMO.get_or_init(|| Place::new().json(["demo"]))
}

#[test]
fn the_document_fits_the_committed_schema() {
    let file = PathBuf::from(repository("schemas/demo.schema.json"));
    let written = Place::new().run(["demo-schema"]).exits(0).out;
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::write(&file, &written).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert_eq!(committed, written, "`PROBITY_BLESS=1 cargo test -p probity-e2e` writes it anew");
    let schema = jsonschema::validator_for(&serde_json::from_str(&committed).unwrap()).unwrap();
    let problems: Vec<String> = schema.iter_errors(demo()).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let mut spoiled = demo().clone();
    spoiled["inventory"]["shadow"] = "two".into();
    assert!(!schema.is_valid(&spoiled));
}

/// What of `faults.yaml` is asked here.
struct Fault {
    id: String,
    check: String,
    operation: String,
}

fn faults() -> Vec<Fault> {
    let text = std::fs::read_to_string(repository("examples/clinic/faults.yaml")).unwrap();
    let read: Value = probity_reader::config::from_yaml("faults.yaml", &text).unwrap();
    let fault = |fault: &Value| {
        let text = |key: &str| fault[key].as_str().unwrap().to_owned();
        let operation = format!("clinic {} {}", text("method"), text("path"));
        Fault { id: text("id"), check: text("check"), operation }
    };
    read["faults"].as_array().unwrap().iter().map(fault).collect()
}

#[test]
fn the_inventory_counts_what_was_planted() {
    let planted = |beginning: &str| faults().iter().filter(|fault| fault.id.starts_with(beginning)).count();
    let counts = &demo()["inventory"];
    for (state, beginning) in [("shadow", "shadow-"), ("zombie", "zombie-"), ("orphan", "orphan-")] {
        assert_eq!(counts[state], planted(beginning), "{state} of {counts}");
    }
    // A shadow operation has no owner either.
    assert_eq!(counts["unowned"], planted("no-owner") + planted("shadow-"), "{counts}");
    assert_eq!(counts["not_yet_seen"], 0, "{counts}");
}

#[test]
fn every_planted_fault_is_found_where_it_is() {
    let catalog = Place::new().json(["catalog", "list"]);
    let checks: BTreeSet<&str> =
        catalog["checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect();
    let findings = demo()["findings"].as_array().unwrap();
    assert!(findings.len() >= 10);
    let excuses = BTreeMap::from(EXCUSES);
    let mut missed = Vec::new();
    for Fault { id, check, operation } in faults() {
        if let Some(excuse) = excuses.get(check.as_str()) {
            assert!(checks.contains(check.as_str()), "`{check}` is no check of this version: {excuse}");
            continue;
        }
        assert!(checks.contains(check.as_str()), "`{check}` of `{id}` is no check of this version");
        let found = findings.iter().any(|finding| {
            finding["check"] == check.as_str()
                && finding["subject"]["id"] == operation.as_str()
                && finding["state"] == "open"
        });
        if !found {
            missed.push(format!("{id}: no open finding of `{check}` on `{operation}`"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Checks of the faults that are planted in the clinic's specification.
fn checks_of_the_specification() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository("examples/clinic/faults.yaml")).unwrap();
    let read: Value = probity_reader::config::from_yaml("faults.yaml", &text).unwrap();
    let planted = read["misconfigurations"].as_array().unwrap().iter();
    let of_file = planted.filter(|planted| planted["file"] == "openapi.yaml");
    of_file.map(|planted| planted["check"].as_str().unwrap().to_owned()).collect()
}

/// An alarm that is false costs more than one that is late: what is graded high stands on an operation with a fault, or
/// is a fault of the specification.
#[test]
fn nothing_is_graded_high_where_nothing_was_planted() {
    let faulty: BTreeSet<String> = faults().into_iter().map(|fault| fault.operation).collect();
    let planted = checks_of_the_specification();
    let findings = demo()["findings"].as_array().unwrap();
    let grave =
        findings.iter().filter(|finding| matches!(finding["severity"].as_str(), Some("high" | "critical")));
    let odd: Vec<String> = grave
        .filter(|finding| !faulty.contains(finding["subject"]["id"].as_str().unwrap()))
        .filter(|finding| {
            finding["source"]["kind"] != "specification"
                || !planted.contains(finding["check"].as_str().unwrap())
        })
        .map(|finding| format!("{} {}", finding["rule"], finding["subject"]["id"]))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
}

#[test]
fn every_call_is_recorded_and_the_ledger_verifies() {
    let demo = demo();
    let calls = demo["traffic"]["calls"].as_u64().unwrap();
    assert!(calls >= LEAST_CALLS);
    assert_eq!(demo["traffic"]["failed"], 0);
    let records = &demo["records"];
    assert_eq!(records["lost"], 0);
    assert_eq!(records["accepted"], records["recorded"]);
    assert!(records["recorded"].as_u64().unwrap() >= calls, "{records}");
    let ledger = &demo["ledger"];
    assert_eq!(ledger["verified"], true, "{ledger}");
    for log in ["evidence", "verdicts"] {
        assert!(ledger[log]["size"].as_u64().unwrap() > 0, "{ledger}");
        assert_eq!(ledger[log]["root"].as_str().unwrap().len(), 64, "{ledger}");
    }
}

#[test]
fn every_control_of_the_three_frameworks_has_a_verdict() {
    let frameworks = demo()["frameworks"].as_array().unwrap();
    let count = |framework: &Value, key: &str| framework[key].as_u64().unwrap();
    let found: Vec<(&str, u64)> = frameworks
        .iter()
        .map(|framework| (framework["id"].as_str().unwrap(), count(framework, "controls")))
        .collect();
    assert_eq!(found, CONTROLS);
    for framework in frameworks {
        let verdicts = ["met", "not_met", "partial", "not_applicable", "no_evidence"];
        let sum: u64 = verdicts.iter().map(|key| count(framework, key)).sum();
        assert_eq!(sum, count(framework, "controls"), "{framework}");
        assert!(count(framework, "not_met") > 0, "the faults must show: {framework}");
    }
}

#[test]
fn the_same_seed_gives_the_same_findings() {
    let identities = |demo: &Value| -> BTreeSet<String> {
        let part = |finding: &Value| {
            [&finding["check"], &finding["rule"], &finding["subject"], &finding["place"]]
                .map(Value::to_string)
                .join(" ")
        };
        demo["findings"].as_array().unwrap().iter().map(part).collect()
    };
    let place = Place::new();
    let again = place.json(["demo", "--keep", &place.text("kept")]);
    let (first, second) = (identities(demo()), identities(&again));
    let odd: Vec<&String> = first.symmetric_difference(&second).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    for framework in CONTROLS.map(|(framework, _)| framework) {
        let report = std::fs::read_to_string(place.path(&format!("kept/{framework}.html"))).unwrap();
        assert!(report.starts_with("<!DOCTYPE html>") && report.contains("clinic"), "{framework}");
    }
    place.run(["verify", &place.text("kept/data")]).exits(0).says("self-consistent, not anchored");
}

#[test]
fn enforcing_stops_every_fault_that_can_be_stopped_and_no_legitimate_call() {
    let report = Place::new().json(["demo", "--enforce"]);
    let file = std::fs::read_to_string(repository("schemas/demo.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&file).unwrap()).unwrap();
    let problems: Vec<String> = schema.iter_errors(&report).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let enforcement = &report["enforcement"];
    assert_eq!(enforcement["faults_total"], 20);
    assert_eq!(enforcement["faults_stopped"], enforcement["faults_stoppable"], "{:#}", enforcement["faults"]);
    assert!(enforcement["faults_stoppable"].as_u64().unwrap() >= 9);
    assert!(enforcement["legitimate_calls"].as_u64().unwrap() >= 500);
    assert_eq!(enforcement["legitimate_blocked"], 0, "{:#}", enforcement["blocked"]);
    let named: BTreeSet<&str> = enforcement["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["name"].as_str().unwrap())
        .collect();
    let planted = faults();
    assert_eq!(named, planted.iter().map(|fault| fault.id.as_str()).collect());
    assert_eq!(report["ledger"]["verified"], true);
}
