//! What no lint knows: names that say nothing, marks of unfinished work, files that grew too long, lints switched off for
//! a whole crate, versions outside the workspace table.

use std::path::Path;

use anyhow::bail;

use crate::shell;

/// No file past this many lines is still one noun.
const MAX_LINES: usize = 1_000;
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];

pub fn check() -> anyhow::Result<()> {
    let listed = shell::output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let mut faults = Vec::new();
    for name in listed.lines() {
        let path = shell::root().join(name);
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) && name.ends_with(".rs") {
            faults.push(format!("{name}: the name says nothing, expected the noun that it is about"));
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if name.ends_with(".rs") {
            rust(name, &text, &mut faults);
        }
        if name.ends_with("Cargo.toml") && name != "Cargo.toml" && !name.starts_with("fuzz/") {
            manifest(name, &text, &mut faults);
        }
        for (number, line) in text.lines().enumerate() {
            if line.ends_with(' ') && (name.ends_with(".rs") || name.ends_with(".rego")) {
                faults.push(format!("{name}:{}: white space at the end of the line", number + 1));
            }
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => bail!("tidy:\n  {}", faults.join("\n  ")),
    }
}

fn rust(name: &str, text: &str, faults: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{name}: {lines} lines, expected at most {MAX_LINES}; split it by noun"));
    }
    let library =
        (name.starts_with("crates/") || name.starts_with("examples/")) && name.ends_with("/src/lib.rs");
    if library && !text.starts_with("//!") {
        faults.push(format!("{name}:1: a crate opens with what it is, what it is not, where to go next"));
    }
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for (number, line) in text.lines().enumerate() {
        if let Some(mark) = marks.iter().find(|mark| line.contains(&format!("// {mark}"))) {
            faults.push(format!(
                "{name}:{}: `{mark}` marks unfinished work; finish it or write an issue",
                number + 1
            ));
        }
        if line.trim_start().starts_with("#[ignore]") {
            faults.push(format!(
                "{name}:{}: an ignored test proves nothing; say why and what runs it",
                number + 1
            ));
        }
    }
}

fn manifest(name: &str, text: &str, faults: &mut Vec<String>) {
    let mut dependencies = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            dependencies = line.contains("dependencies");
        } else if dependencies
            && line.contains('=')
            && !line.contains("workspace = true")
            && !line.starts_with('#')
        {
            faults.push(format!(
                "{name}:{}: versions and features live in [workspace.dependencies]",
                number + 1
            ));
        }
    }
    if !text.contains("[lints]\nworkspace = true") {
        faults.push(format!("{name}: expected `[lints]` with `workspace = true`"));
    }
}
