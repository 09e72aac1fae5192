//! The page of a check, generated from its METADATA, its examples and the frameworks that name it.

use std::fmt::Write as _;

use probity_model::{Check, Status};
use serde_json::Value;

use super::Catalog;

pub(super) fn of(catalog: &Catalog, check: &Check) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, catalog, check);
    page
}

fn write(page: &mut String, catalog: &Catalog, check: &Check) -> std::fmt::Result {
    writeln!(page, "# {}\n", check.title)?;
    let subjects: Vec<&str> = check.subjects.iter().map(|kind| kind.as_str()).collect();
    writeln!(
        page,
        "`{}`, severity {}, judges each {}.\n",
        check.id,
        check.severity.as_str(),
        subjects.join(" and each ")
    )?;
    writeln!(page, "{}\n", check.description.trim())?;

    writeln!(page, "## Passes on\n")?;
    for observation in &check.passes_on {
        writeln!(page, "- {observation}")?;
    }
    writeln!(page, "\nWithout that, the absence of faults is no evidence.\n")?;

    writeln!(page, "## Fails by\n\n| rule | meaning | severity | shown by |\n|---|---|---|---|")?;
    for rule in &check.rules {
        let severity = rule.severity.unwrap_or(check.severity);
        let sources: Vec<&str> = rule.sources.iter().map(|source| source.as_str()).collect();
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            rule.id,
            rule.meaning,
            severity.as_str(),
            sources.join(", ")
        )?;
    }

    writeln!(page, "\n## To mend it\n\n{}\n", check.remediation.trim())?;

    writeln!(page, "## Reads\n\n| fact | meaning |\n|---|---|")?;
    for key in &check.needs {
        let meaning =
            catalog.facts().iter().find(|fact| fact.key == *key).map_or("", |fact| fact.meaning.as_str());
        writeln!(page, "| `{key}` | {meaning} |")?;
    }

    if !check.params.is_empty() {
        writeln!(
            page,
            "\n## Parameters\n\nOurs, with these defaults; a control may set others.\n\n| parameter | default |\n|---|---|"
        )?;
        for (name, value) in &check.params {
            writeln!(page, "| `{name}` | {} |", default(value))?;
        }
    }

    writeln!(page, "\n## Examples\n\n| case | outcome |\n|---|---|")?;
    for (name, status, rules) in catalog.example_lines(check) {
        let rules = if status == Status::Fail { format!(": {}", rules.join(", ")) } else { String::new() };
        writeln!(page, "| {name} | {}{rules} |", status.as_str())?;
    }

    writeln!(page, "\n## Controls that name it\n")?;
    let mut named = false;
    for framework in catalog.frameworks() {
        let controls: Vec<&str> = framework
            .controls
            .iter()
            .filter(|control| control.checks.contains(&check.id))
            .map(|control| control.id.as_str())
            .collect();
        if !controls.is_empty() {
            named = true;
            writeln!(page, "- {} {}: {}", framework.title, framework.version, controls.join(", "))?;
        }
    }
    if !named {
        writeln!(page, "None.")?;
    }

    if !check.references.is_empty() {
        writeln!(page, "\n## See also\n")?;
        for reference in &check.references {
            writeln!(page, "- <{reference}>")?;
        }
    }
    Ok(())
}

fn default(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(default).collect::<Vec<_>>().join(", "),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
