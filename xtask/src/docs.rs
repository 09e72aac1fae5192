//! Generated pages and schemas: one page for each check, the JSON Schemas of what users and programs read.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell;

pub fn run(check: bool) -> anyhow::Result<()> {
    shell::cargo(&["build", "--quiet", "--package", "probity"])?;
    let binary = shell::target_dir().join("debug/probity");
    let mut pages: Vec<(PathBuf, String)> = Vec::new();
    let config = shell::output(&binary, &["config", "schema"])?;
    pages.push((PathBuf::from("schemas/probity.schema.json"), config));
    let demo = shell::output(&binary, &["demo-schema"])?;
    pages.push((PathBuf::from("schemas/demo.schema.json"), demo));
    let listed = shell::output(&binary, &["catalog", "pages", "--catalog", "catalog", "--format", "json"])?;
    let listed: std::collections::BTreeMap<String, String> = serde_json::from_str(&listed)?;
    let mut index = String::from(
        "# Checks\n\nGenerated from the METADATA of `catalog/checks` by `cargo xtask docs`.\n\n",
    );
    for (id, page) in listed {
        let title = page.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
        index.push_str(&format!("- [{title}]({id}.md)\n"));
        pages.push((PathBuf::from(format!("docs/checks/{id}.md")), page));
    }
    pages.push((PathBuf::from("docs/checks/README.md"), index));
    let mut stale = Vec::new();
    for (path, text) in &pages {
        let full = shell::root().join(path);
        if std::fs::read_to_string(&full).ok().as_deref() == Some(text) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
        } else {
            write(&full, text)?;
        }
    }
    stale.extend(orphans(&pages)?);
    match stale.is_empty() {
        true => Ok(()),
        false => bail!("out of date, run `cargo xtask docs`:\n  {}", stale.join("\n  ")),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Pages of checks that are gone.
fn orphans(pages: &[(PathBuf, String)]) -> anyhow::Result<Vec<String>> {
    let folder = shell::root().join("docs/checks");
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten() {
        let relative = PathBuf::from("docs/checks").join(entry?.file_name());
        if !pages.iter().any(|(path, _)| *path == relative) {
            out.push(format!("{} (no such check, remove it)", relative.display()));
        }
    }
    Ok(out)
}
