//! Tables for each class, a corpus in which nothing may be found, and properties over generated documents.

mod cards;
mod contacts;
mod corpus;
mod health;
mod persons;
mod properties;
mod secrets;
mod signals;
mod structure;

use std::sync::LazyLock;

use probity_model::bundle::CustomClass;
use probity_model::{DataClass, Place, Signals};

use super::*;

fn scanner() -> &'static Scanner {
    static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::new(&[]).expect("no custom classes"));
    &SCANNER
}

fn findings(content: Content, body: &str) -> Findings {
    let mut out = Findings::new();
    scanner().scan(content, Place::ResponseBody, body.as_bytes(), false, &mut out);
    out
}

fn json(body: &str) -> Findings {
    findings(Content::Json, body)
}

/// `class field` of each hit, ` masked` and ` xN` behind it where so; sorted.
fn listed(findings: &Findings) -> Vec<String> {
    let mut lines: Vec<String> = findings
        .hits
        .iter()
        .map(|hit| {
            let masked = if hit.masked { " masked" } else { "" };
            let times = if hit.count > 1 { format!(" x{}", hit.count) } else { String::new() };
            format!("{} {}{masked}{times}", hit.class, hit.field)
        })
        .collect();
    lines.sort();
    lines
}

/// Whether `class` is found in `{key: value}`; a value that is a number is written as one too.
fn finds(class: &DataClass, key: &str, value: &str) -> bool {
    let body = serde_json::json!({ key: value }).to_string();
    json(&body).hits.iter().any(|hit| hit.class == *class)
}

/// Rows of key and value: in all of `yes` the class is found, in none of `no`.
fn table(class: DataClass, yes: &[(&str, &str)], no: &[(&str, &str)]) {
    for (key, value) in yes {
        assert!(finds(&class, key, value), "{class} expected in `{key}`: `{value}`");
    }
    for (key, value) in no {
        assert!(!finds(&class, key, value), "{class} not expected in `{key}`: `{value}`");
    }
}

fn signals(content: Content, body: &str) -> Signals {
    findings(content, body).signals
}
