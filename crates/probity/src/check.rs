//! `probity check`: specification files judged before anything runs, grouped by file, with place, fix and controls.

use probity_server::statics::{self, Checked};

use crate::cli::{CheckArgs, Format};
use crate::commands;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::Place;

pub fn run(place: &Place, args: &CheckArgs, format: Format) -> Result<Exit, Failure> {
    let fail_on = commands::severity_named(&args.fail_on)?;
    let catalog = commands::catalog_of(place)?;
    let checked = statics::check(&catalog, &args.paths)?;
    match format {
        Format::Json => output::json(&checked)?,
        Format::Text => output::text(&text(&checked)),
    }
    let failed = checked.findings.iter().any(|finding| finding.severity >= fail_on);
    Ok(match (failed, checked.incomplete) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Incomplete,
        (false, false) => Exit::Clean,
    })
}

fn text(checked: &Checked) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut file = "";
    for finding in &checked.findings {
        if finding.span.file.as_ref() != file {
            file = finding.span.file.as_ref();
            let _ = writeln!(out, "{file}");
        }
        let _ = writeln!(
            out,
            "  {}:{}  {:<8} {} {}",
            finding.span.line,
            finding.span.column,
            finding.severity.as_str(),
            finding.rule,
            finding.message
        );
        if let Some(fix) = &finding.fix {
            let _ = writeln!(out, "      fix: {}", fix.trim());
        }
        if !finding.controls.is_empty() {
            let _ = writeln!(out, "      controls: {}", finding.controls.join(", "));
        }
    }
    for problem in &checked.unreadable {
        let _ = writeln!(out, "not read: {problem}");
    }
    let _ = writeln!(
        out,
        "{} files, {} operations, {} findings{}",
        checked.files,
        checked.operations,
        checked.findings.len(),
        if checked.incomplete { ", incomplete" } else { "" }
    );
    out
}
