//! Figures of judging, as JSON lines: every check over 1,000 operations, one changed operation, the same input again.
//!
//! `cargo run --release -p probity-policy --example bench_judge [CATALOG]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench may fail loudly"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use probity_model::fact::FactDefinition;
use probity_model::time::MICROS_PER_HOUR;
use probity_model::{Check, Source, SourceKind, Status, Subject, SubjectFacts, SubjectKind, Timestamp};
use probity_policy::rego::{CheckSource, Engine, metadata_block};
use probity_reader::config::from_yaml;
use serde_json::{Value, json};

const OPERATIONS: usize = 1_000;
const ROUNDS: usize = 5;
const WORKERS: [usize; 2] = [1, 2];

fn main() {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog").into());
    let began = Instant::now();
    let (sources, definitions) = read(Path::new(&folder));
    let checks = sources.len();
    let parsed = began.elapsed();
    let load = || Engine::load(sources.clone(), &definitions).expect("the catalogue compiles");
    let began = Instant::now();
    let engine = load();
    say(
        json!({"figure": "load", "checks": checks, "read_ms": ms(parsed), "compile_ms": ms(began.elapsed())}),
    );

    let at = Timestamp::parse("2026-11-10T12:00:00Z").expect("a moment");
    let subjects = subjects(at);
    for workers in WORKERS {
        let mut first = Vec::new();
        let mut again = Vec::new();
        let mut judgements = 0;
        let mut cpu = Vec::new();
        let mut next_hour = Vec::new();
        for _ in 0..ROUNDS {
            let engine = load();
            let (began, ticks) = (Instant::now(), cpu_time());
            judgements = judge_all(&engine, &subjects, at, workers);
            first.push(began.elapsed());
            cpu.push(cpu_time().saturating_sub(ticks));
            let began = Instant::now();
            judge_all(&engine, &subjects, at, workers);
            again.push(began.elapsed());
            let later = at.plus_micros(MICROS_PER_HOUR);
            let mut subjects = subjects.clone();
            let entries = subjects.iter_mut().flat_map(|facts| facts.facts.values_mut()).flatten();
            entries.for_each(|entry| entry.seen_at = later);
            let began = Instant::now();
            judge_all(&engine, &subjects, later, workers);
            next_hour.push(began.elapsed());
        }
        say(json!({
            "figure": "judge_all", "operations": OPERATIONS, "judgements": judgements, "workers": workers,
            "ms": ms(median(&mut first)), "cpu_ms": ms(median(&mut cpu)), "same_inputs_again_ms": ms(median(&mut again)),
            "same_facts_next_hour_ms": ms(median(&mut next_hour)),
        }));
    }

    let mut one = Vec::new();
    for round in 0..200 {
        let mut facts = subjects[round % OPERATIONS].clone();
        let traffic = Source { kind: SourceKind::Traffic, locator: format!("gateway {round}") };
        facts.facts.remove("traffic.statuses");
        facts.state("traffic.statuses", json!(["200", "418"]), &traffic, at);
        let began = Instant::now();
        judge_all(&engine, std::slice::from_ref(&facts), at, 1);
        one.push(began.elapsed());
    }
    let mut per_check: Vec<(String, f64)> = engine
        .checks_of(SubjectKind::Operation)
        .map(|check| {
            let fresh = load();
            let sample = &subjects[..100];
            let began = Instant::now();
            for facts in sample {
                fresh.judge(&check.id, facts, at, &BTreeMap::new()).expect("a judgement");
            }
            (check.id.to_string(), began.elapsed().as_secs_f64() * 1e6 / 100.0)
        })
        .collect();
    per_check.sort_by(|one, other| other.1.total_cmp(&one.1));
    say(json!({"figure": "one_changed_operation", "us": median(&mut one).as_micros()}));
    say(json!({"figure": "per_judgement_us", "checks": per_check.into_iter().collect::<BTreeMap<_, _>>()}));
    let mut statuses: BTreeMap<Status, usize> = BTreeMap::new();
    for facts in &subjects {
        for check in engine.checks_of(facts.subject.kind) {
            let judgement = engine.judge(&check.id, facts, at, &BTreeMap::new()).expect("a judgement");
            assert_eq!(judgement.problem, None, "{}", check.id);
            *statuses.entry(judgement.status).or_default() += 1;
        }
    }
    say(json!({"figure": "statuses", "of": statuses}));
}

fn say(line: Value) {
    println!("{line}");
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

/// CPU time of the process so far: what a figure costs where other work shares the machine. Zero where unknown.
fn cpu_time() -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u32> = stat
        .rsplit(") ")
        .next()
        .into_iter()
        .flat_map(|rest| rest.split(' ').skip(11).take(2))
        .flat_map(str::parse)
        .collect();
    TICK * fields.iter().sum::<u32>()
}

fn median(durations: &mut [Duration]) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

fn judge_all(engine: &Engine, subjects: &[SubjectFacts], at: Timestamp, workers: usize) -> usize {
    let part = subjects.len().div_ceil(workers);
    std::thread::scope(|scope| {
        let judged = subjects.chunks(part).map(|subjects| {
            scope.spawn(move || {
                let mut count = 0;
                for facts in subjects {
                    for check in engine.checks_of(facts.subject.kind) {
                        engine.judge(&check.id, facts, at, &check.params).expect("a judgement");
                        count += 1;
                    }
                }
                count
            })
        });
        let judged: Vec<_> = judged.collect();
        judged.into_iter().map(|worker| worker.join().expect("a worker")).sum()
    })
}

/// Operations as an inventory would state them, from a fixed sequence of numbers.
fn subjects(at: Timestamp) -> Vec<SubjectFacts> {
    let mut seed = 7u64;
    let mut dice = move |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % sides
    };
    (0..OPERATIONS)
        .map(|index| {
            let id = format!("shop GET /v2/collection-{index}/{{id}}");
            let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Operation, id));
            let traffic = Source { kind: SourceKind::Traffic, locator: "gateway gw-1".into() };
            let document = Source { kind: SourceKind::Specification, locator: format!("openapi.yaml:{index}:5") };
            let gateway = Source { kind: SourceKind::Gateway, locator: "gateway gw-1".into() };
            let documented = dice(20) > 0;
            let fields: Vec<String> = (0..10 + dice(20)).map(|field| format!("/data/items/*/field{field}")).collect();
            let classes: Vec<Value> = (0..dice(6))
                .map(|field| {
                    json!({
                        "class": (["email", "ssn", "card-number", "phone", "diagnosis-code"][dice(5) as usize]),
                        "group": "personal", "place": "response-body", "field": format!("/data/items/*/field{field}"),
                        "masked": dice(3) == 0, "unauthenticated": dice(30) == 0, "on_ok": true, "on_error": false,
                        "declared": documented,
                    })
                })
                .collect();
            let state = |facts: &mut SubjectFacts, key: &str, value: Value| facts.state(key, value, &traffic, at);
            state(&mut facts, "operation.states", json!([if documented { "documented" } else { "shadow" }]));
            state(&mut facts, "operation.state_since", json!({"documented": "2026-11-01T00:00:00Z"}));
            state(&mut facts, "operation.seen", json!(true));
            state(&mut facts, "traffic.authentication", json!(["presented:answered", "none:refused"]));
            state(&mut facts, "traffic.schemes", json!(["bearer"]));
            state(&mut facts, "traffic.statuses", json!(["200", "401", "404"]));
            state(&mut facts, "traffic.classes", json!(classes));
            state(&mut facts, "traffic.response_fields", json!(fields));
            state(&mut facts, "traffic.inspected", json!(true));
            state(&mut facts, "traffic.signals", json!(["problem-json", "challenge", "nosniff-missing"]));
            state(&mut facts, "traffic.signals_on_error", json!(["problem-json"]));
            state(&mut facts, "traffic.error_types", json!(["application/problem+json"]));
            state(&mut facts, "traffic.limited", json!(false));
            state(&mut facts, "traffic.burst_per_minute", json!(dice(200)));
            facts.state("gateway.enforced", json!([]), &gateway, at);
            if documented {
                let declared: Vec<Value> =
                    fields.iter().skip(1).map(|pointer| json!({"pointer": pointer, "class": null})).collect();
                for (key, value) in [
                    ("operation.documented", json!(true)),
                    ("operation.removed", json!(false)),
                    ("operation.deprecated", json!(false)),
                    ("operation.owner", json!("team-shop")),
                    ("operation.security", json!({"stated": true, "public": false, "schemes": ["bearer"]})),
                    ("specification.response_fields", json!(declared)),
                    (
                        "specification.schema",
                        json!({
                            "parameters_without_schema": [], "request_without_schema": false,
                            "responses_without_schema": [], "open_objects": true, "classes_declared": false,
                        }),
                    ),
                ] {
                    facts.state(key, value, &document, at);
                }
            }
            facts
        })
        .collect()
}

fn read(folder: &Path) -> (Vec<CheckSource>, Vec<FactDefinition>) {
    let text = fs::read_to_string(folder.join("facts.yaml")).expect("facts.yaml");
    let definitions = from_yaml("facts.yaml", &text).expect("facts");
    let mut files = Vec::new();
    for family in fs::read_dir(folder.join("checks")).expect("checks").flatten() {
        files.extend(fs::read_dir(family.path()).expect("a family").flatten().map(|entry| entry.path()));
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rego"));
    files.sort();
    (files.iter().map(check).collect(), definitions)
}

fn check(path: &PathBuf) -> CheckSource {
    let file = path.display().to_string();
    let rego = fs::read_to_string(path).expect("a check");
    let (yaml, _) = metadata_block(&rego).expect("METADATA");
    let mut metadata: Value = from_yaml(&file, &yaml).expect("METADATA in YAML");
    let mut check = metadata["custom"].take();
    check["title"] = metadata["title"].take();
    check["description"] = metadata["description"].take();
    let check: Check = serde_json::from_value(check).expect("a check's METADATA");
    CheckSource { check, file, rego }
}
