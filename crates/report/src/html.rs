//! The report as one HTML file: no script, nothing fetched, readable on paper. Each verdict opens to its checks, each
//! outcome leads to the evidence that was judged and to its leaf in the ledger.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use probity_model::verdict::{MissingBecause, PartialBecause};
use probity_model::{Digest, Finding, Mode, Status, Timestamp, VerdictStatus};
use serde_json::Value;

use crate::document::{LogSummary, ReportCheck, ReportControl, ReportDocument, ReportOutcome};

const STYLE: &str = include_str!("html.css");
/// Digits of a digest that are shown where it is a link.
const SHORT: usize = 12;

/// Renders the whole report.
pub fn html(document: &ReportDocument) -> String {
    let evidence = evidence_once(document);
    let title = format!("{} {}: {}", document.framework_title, document.framework_version, document.scope);
    markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="generator" content={ "Probity " (document.probity) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                (heading(document))
                (summary(document))
                (controls(document, &evidence))
                (findings(&document.findings))
                (parameters(document))
                (ledger(document))
                (evidence_section(&evidence))
            } }
        }
    }
    .into_string()
}

fn heading(document: &ReportDocument) -> Markup {
    let slot = &document.slot;
    markup! {
        h1 { (document.framework_title) " " (document.framework_version) }
        p.dim { (document.publisher) @if let Some(reference) = &document.reference { ", " (reference) } }
        dl {
            dt { "Organisation" } dd { (document.tenant) }
            dt { "Scope" } dd { (document.scope) }
            dt { "Slot" }
            dd {
                (moment(slot.from)) " to " (moment(slot.to))
                @if document.provisional { " (open: the verdicts are provisional until it closes)" }
                @else if slot.short { " (short: closed early by a stop)" }
            }
            dt { "Generated" } dd { (moment(document.generated_at)) " by Probity " (document.probity) }
            dt { "Catalogue" } dd.mono { (document.catalogue) }
            dt { "Ledger" }
            dd {
                @if document.ledger.verified { "verifies: " } @else { strong { "DOES NOT VERIFY: " } }
                (document.ledger.note)
            }
        }
    }
}

fn summary(document: &ReportDocument) -> Markup {
    let counts: Vec<(VerdictStatus, usize)> = VerdictStatus::ALL
        .into_iter()
        .map(|status| (status, document.controls.iter().filter(|c| c.verdict.status == status).count()))
        .collect();
    let inventory = &document.inventory;
    markup! {
        div.tiles {
            @for (status, count) in &counts {
                div class={ "tile " (status.as_str()) } { b { (count) } (words(status.as_str())) }
            }
        }
        div.bar role="img" aria-label="share of controls by verdict" {
            @for (status, count) in &counts {
                @if *count > 0 { span class=(status.as_str()) style={ "flex:" (count) } title={ (count) " " (words(status.as_str())) } {} }
            }
        }
        p.dim {
            (document.controls.len()) " controls. "
            "No evidence is never counted as met: it says what could not be judged, and why."
        }
        dl {
            dt { "Inventory" }
            dd {
                (inventory.operations) " operations: " (inventory.documented) " documented, " (inventory.shadow) " shadow, "
                (inventory.zombie) " zombie, " (inventory.orphan) " orphan, " (inventory.unowned) " unowned"
            }
            dt { "Records" } dd { (inventory.calls_recorded) " calls recorded, " (inventory.calls_lost) " lost" }
        }
    }
}

fn controls(document: &ReportDocument, evidence: &BTreeMap<Digest, &ReportOutcome>) -> Markup {
    markup! {
        h2 { "Controls" }
        @for entry in &document.controls { (control(entry, evidence)) }
    }
}

fn control(entry: &ReportControl, evidence: &BTreeMap<Digest, &ReportOutcome>) -> Markup {
    let verdict = &entry.verdict;
    markup! {
        details.control id={ "control-" (anchor(entry.control.id.as_str())) } {
            summary {
                span { span class={ "badge " (verdict.status.as_str()) } { (words(verdict.status.as_str())) } }
                strong.mono { (entry.control.id) }
                span { (entry.control.title) }
            }
            div.inside {
                p { (because(entry)) }
                @if !entry.control.verified { p.dim { "The identifier was not verified against a source." } }
                @else if let Some(source) = &entry.control.source { p.dim { "Identifier checked against: " (source) } }
                @for check in &entry.checks { (check_section(check, evidence)) }
            }
        }
    }
}

/// Why the verdict is what it is, in one sentence.
fn because(entry: &ReportControl) -> String {
    let verdict = &entry.verdict;
    let failing: Vec<&str> = verdict
        .checks
        .iter()
        .filter(|tally| tally.failed_in_slot > 0)
        .map(|tally| tally.check.as_str())
        .collect();
    match (verdict.status, verdict.partial) {
        (VerdictStatus::NotMet, _) => format!("Failed inside the slot: {}.", failing.join(", ")),
        (VerdictStatus::Partial, Some(PartialBecause::Exception)) => {
            "Every failure is under a live exception.".to_owned()
        }
        (VerdictStatus::Partial, _) => {
            "Its checks pass; they judge a part, and no current attestation or connector covers the rest."
                .to_owned()
        }
        (VerdictStatus::NotApplicable, _) => {
            "A fact shows for every named check that it does not apply.".to_owned()
        }
        (VerdictStatus::Met, _) => match entry.control.mode {
            Mode::Auto => "Every named check passed on a positive observation.".to_owned(),
            _ => "Every named check passed, and an attestation or connector covers the rest.".to_owned(),
        },
        (VerdictStatus::NoEvidence, _) => {
            let named = |wanted: MissingBecause| -> String {
                let list: Vec<&str> = verdict
                    .missing
                    .iter()
                    .filter(|missing| missing.because == wanted)
                    .map(|missing| missing.check.as_str())
                    .collect();
                list.join(", ")
            };
            let (absent, silent) = (named(MissingBecause::NotInThisVersion), named(MissingBecause::NoData));
            let mut parts = Vec::new();
            if !silent.is_empty() {
                parts.push(format!("No data for {silent}."));
            }
            if !absent.is_empty() {
                parts.push(format!("Not in this version: {absent}."));
            }
            parts.join(" ")
        }
    }
}

fn check_section(check: &ReportCheck, evidence: &BTreeMap<Digest, &ReportOutcome>) -> Markup {
    let tally = &check.tally;
    let left = check.outcomes_total.saturating_sub(check.outcomes.len());
    markup! {
        h3 {
            code { (check.id) } " "
            @match &check.title { Some(title) => (title), None => span.dim { "not in this version" } }
        }
        @if check.title.is_some() {
            p.dim {
                (tally.pass) " pass, " (tally.fail) " fail, " (tally.not_applicable) " not applicable, "
                (tally.no_evidence) " no evidence"
                @if tally.failed_in_slot > tally.fail { "; " (tally.failed_in_slot) " failed at some moment of the slot" }
            }
            @if !check.passes_on.is_empty() { p.dim { "Passes on: " (check.passes_on.join("; ")) } }
        }
        @for outcome in &check.outcomes { (outcome_section(outcome, evidence)) }
        @if left > 0 { p.dim { "and " (left) " more; the JSON report of this slot and `probity explain " (check.id) "` list them" } }
        @if tally.fail > 0 { @if let Some(remediation) = &check.remediation { p.note { strong { "To fix: " } (remediation) } } }
    }
}

fn outcome_section(entry: &ReportOutcome, evidence: &BTreeMap<Digest, &ReportOutcome>) -> Markup {
    let outcome = &entry.outcome;
    let digest = outcome.evidence.to_string();
    let short = digest.get(..SHORT).unwrap_or(&digest);
    markup! {
        div class={ "outcome " (tone(outcome.status)) } {
            span class={ "badge " (tone(outcome.status)) } { (words(outcome.status.as_str())) } " "
            code { (outcome.subject.id) } " " span.dim { (outcome.subject.kind) }
            ul {
                @for reason in &outcome.reasons {
                    li {
                        (reason.message)
                        span.dim {
                            @if !reason.place.is_empty() { " at " code { (reason.place) } }
                            @if let Some(source) = &reason.source { " (" (source.kind.as_str()) " " (source.locator) ")" }
                            " " code { (reason.rule) }
                        }
                    }
                }
                @for drift in &outcome.drift {
                    li {
                        "sources disagree on " code { (drift.fact) } ": "
                        @for (index, source) in drift.sources.iter().enumerate() {
                            @if index > 0 { ", " } (source.kind.as_str()) " " (source.locator)
                        }
                    }
                }
            }
            p.dim {
                "evidence "
                @if evidence.contains_key(&outcome.evidence) { a.mono href={ "#evidence-" (digest) } { (short) } }
                @else { span.mono { (short) } }
                @match entry.ledger_index {
                    Some(index) => { ", leaf " (index) " of the evidence log" }
                    None => ", not yet in the ledger"
                }
                ", since " (moment(outcome.from))
            }
        }
    }
}

fn findings(list: &[Finding]) -> Markup {
    markup! {
        h2 { "Open findings" }
        @if list.is_empty() { p.dim { "None." } }
        @else {
            table {
                thead { tr { th { "Severity" } th { "Finding" } th { "Subject" } th { "First seen" } } }
                tbody {
                    @for finding in list {
                        tr {
                            td { span class={ "badge " (finding.severity.as_str()) } { (finding.severity.as_str()) } }
                            td {
                                (finding.message)
                                @if !finding.place.is_empty() { span.dim { " at " code { (finding.place) } } }
                                br; span.dim { code { (finding.id) } " " (finding.check) }
                            }
                            td { code { (finding.subject.id) } }
                            td { (moment(finding.first_seen)) }
                        }
                    }
                }
            }
        }
    }
}

fn parameters(document: &ReportDocument) -> Markup {
    markup! {
        h2 { "Parameters" }
        p.dim { "These values are Probity's, not the framework's text." }
        table {
            thead { tr { th { "Check" } th { "Parameter" } th { "Value" } } }
            tbody {
                @for (check, values) in &document.parameters {
                    @for (name, value) in values {
                        tr { td { code { (check) } } td { code { (name) } } td { code { (value) } } }
                    }
                }
            }
        }
    }
}

fn ledger(document: &ReportDocument) -> Markup {
    let log = |name: &str, log: &LogSummary| {
        markup! {
            h3 { (name) ": " (log.size) " leaves" }
            dl { dt { "Root" } dd.mono { (log.root) } }
            pre { (log.checkpoint) }
        }
    };
    markup! {
        h2 { "Ledger" }
        p {
            "Keep these checkpoints where nobody who can change the data folder can change them. "
            code { "probity verify DATA --key KEY --checkpoint FILE" }
            " then names any change made since."
        }
        dl { dt { "Verifier key" } dd.mono { (document.ledger.key) } }
        (log("Evidence", &document.ledger.evidence))
        (log("Verdicts", &document.ledger.verdicts))
    }
}

/// Each piece of evidence once, whatever number of controls leads to it.
fn evidence_once(document: &ReportDocument) -> BTreeMap<Digest, &ReportOutcome> {
    let outcomes =
        document.controls.iter().flat_map(|control| &control.checks).flat_map(|check| &check.outcomes);
    outcomes.filter(|entry| entry.evidence.is_some()).map(|entry| (entry.outcome.evidence, entry)).collect()
}

fn evidence_section(evidence: &BTreeMap<Digest, &ReportOutcome>) -> Markup {
    markup! {
        h2 { "Evidence" }
        p.dim {
            "What was judged, as RFC 8785 JSON; its SHA-256 is its id and the digest in its leaf. Places, classes and counts "
            "only: no value of a call is here."
        }
        @for (digest, entry) in evidence {
            details.evidence id={ "evidence-" (digest) } {
                summary { span.mono { (digest) } " " span.dim { (entry.outcome.check) ", " (entry.outcome.subject.id) } }
                pre { (pretty(entry.evidence.as_ref())) }
            }
        }
    }
}

/// To the second, with a space that lets it wrap.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time}Z"),
        _ => text,
    }
}

fn pretty(value: Option<&Value>) -> String {
    value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
}

fn words(name: &str) -> String {
    name.replace('-', " ")
}

fn tone(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::NotApplicable => "not-applicable",
        Status::NoEvidence => "no-evidence",
    }
}

fn anchor(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests;
