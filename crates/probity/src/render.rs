//! Answers as text for a terminal.

use std::fmt::Write as _;

use probity_model::finding::FindingState;
use probity_model::inventory::{Operation, RiskTier};
use probity_model::outcome::Outcome;
use probity_model::{Check, Finding, Framework};
use probity_server::app::{
    ComplianceStatus, ExplainedDecision, Explanation, FrameworkCounts, InventoryCounts, LedgerStatus,
    PolicyStatus, Reply, RuleCount, Simulation,
};
use probity_server::catalog::ExampleReport;
use probity_server::doctor::{Diagnosis, Grade};
use probity_server::sources::Loaded;
use probity_server::verify::Verified;

use crate::exit::Failure;

/// Subjects listed under one heading.
const MAX_LISTED: usize = 12;

pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Status(status) => {
            let mut out = inventory_line(&status.inventory);
            out.push('\n');
            out.push_str(&frameworks(&status.frameworks));
            out + &ledger_line(&status.ledger)
        }
        Reply::Operations(operations) => self::operations(operations),
        Reply::Operation(operation) => self::operation(operation),
        Reply::OpenApi(document) => format!("{document:#}"),
        Reply::Reviewed { at, operations } => format!("review of {operations} operations recorded at {at}"),
        Reply::Findings(findings) => self::findings(findings, usize::MAX),
        Reply::Finding(finding) => self::finding(finding),
        Reply::Compliance(status) => compliance(status),
        Reply::Report(document) => format!("{} {}", document.framework_title, document.scope),
        Reply::Explanation(explanation) => self::explanation(explanation),
        Reply::Consumers(consumers) => crate::callers::consumers(consumers),
        Reply::Consumer(consumer) => crate::callers::consumer_text(consumer),
        Reply::Keys(keys) => crate::callers::keys(keys),
        Reply::Key(issued) => crate::callers::issued(issued),
        Reply::Revoked { revision: Some(revision) } => format!("revoked from revision {revision} on"),
        Reply::Revoked { revision: None } => "revoked".to_owned(),
        Reply::Checkpoint { text, key, .. } => format!("{text}\n{key}"),
        Reply::Imported(imported) => imported.to_string(),
        Reply::Reloaded { changed: true, revision } => format!("revision {revision} is in force"),
        Reply::Reloaded { changed: false, revision } => format!("nothing changed; revision {revision} stays"),
        Reply::Policy(status) => policy(status),
        Reply::Simulation(simulation) => self::simulation(simulation),
        Reply::Revealed(revealed) => format!("{} {}", revealed.class, revealed.value),
        Reply::Done => "done".to_owned(),
    }
}

pub fn inventory_line(counts: &InventoryCounts) -> String {
    format!(
        "inventory   {} operations: {} documented, {} shadow, {} zombie, {} orphan, {} deprecated in use, {} unowned",
        counts.operations,
        counts.documented,
        counts.shadow,
        counts.zombie,
        counts.orphan,
        counts.deprecated_in_use,
        counts.unowned
    )
}

pub fn ledger_line(status: &LedgerStatus) -> String {
    let word = if status.verified { "verifies" } else { "DOES NOT VERIFY" };
    format!(
        "ledger      {word}: {} evidence leaves, {} verdict leaves ({})\n",
        status.evidence.size, status.verdicts.size, status.note
    )
}

pub fn frameworks(list: &[FrameworkCounts]) -> String {
    let mut out = String::new();
    let several = list.iter().any(|counts| Some(&counts.scope) != list.first().map(|first| &first.scope));
    for counts in list {
        let name = match several {
            true => format!("{} [{}]", counts.id, counts.scope),
            false => counts.id.to_string(),
        };
        let _ = writeln!(
            out,
            "{name:<24} {:>3} met  {:>3} not met  {:>3} partial  {:>3} not applicable  {:>3} no evidence",
            counts.met, counts.not_met, counts.partial, counts.not_applicable, counts.no_evidence
        );
    }
    out
}

fn operations(list: &[Operation]) -> String {
    let mut out = String::new();
    for operation in list {
        let states: Vec<&str> = operation.states.keys().map(|state| state.as_str()).collect();
        let calls = operation.observed.as_ref().map_or(0, |observed| observed.calls);
        let owner = operation.owner.as_ref().map_or("-", |owner| owner.value.as_str());
        let _ = writeln!(
            out,
            "{:<8} {calls:>7} calls  {:<52} {}  owner {owner}",
            tier(operation.risk.tier),
            operation.id,
            states.join(",")
        );
    }
    if list.is_empty() {
        out.push_str("no operation\n");
    }
    out
}

fn tier(tier: RiskTier) -> &'static str {
    match tier {
        RiskTier::Low => "low",
        RiskTier::Moderate => "moderate",
        RiskTier::High => "high",
    }
}

fn operation(operation: &Operation) -> String {
    let mut out = format!("{}\n", operation.id);
    for (state, seen) in &operation.states {
        let _ = writeln!(out, "  {:<16} since {}", state.as_str(), seen.first);
    }
    let attributed = [
        ("owner", &operation.owner),
        ("version", &operation.version),
        ("audience", &operation.audience),
        ("criticality", &operation.criticality),
    ];
    for (name, value) in attributed {
        match value {
            Some(value) => {
                let _ = writeln!(out, "  {name:<16} {} ({})", value.value, value.source);
            }
            None => {
                let _ = writeln!(out, "  {name:<16} not known");
            }
        }
    }
    let _ = writeln!(out, "  {:<16} {}: {}", "risk", tier(operation.risk.tier), operation.risk.formula);
    if let Some(documented) = &operation.documented {
        let _ = writeln!(out, "  {:<16} {} (version {})", "documented", documented.span, documented.version);
    }
    if let Some(seen) = &operation.observed {
        let _ = writeln!(
            out,
            "  {:<16} {} from {} to {}, {} callers{}",
            "calls",
            seen.calls,
            seen.seen.first,
            seen.seen.last,
            seen.callers,
            if seen.callers_capped { " or more" } else { "" }
        );
        let statuses: Vec<String> =
            seen.statuses.iter().map(|(status, calls)| format!("{status} x{calls}")).collect();
        let _ = writeln!(out, "  {:<16} {}", "statuses", statuses.join(", "));
        let a = &seen.authentication;
        let _ = writeln!(
            out,
            "  {:<16} none {} answered {} refused, presented {} answered {} refused",
            "authentication", a.none_answered, a.none_refused, a.presented_answered, a.presented_refused
        );
        for class in &seen.classes {
            let masked = if class.masked { ", masked" } else { "" };
            let _ = writeln!(
                out,
                "  {:<16} {} at {} {} in {} calls{masked}",
                "data",
                class.class,
                class.place.as_str(),
                class.field,
                class.calls
            );
        }
        for pattern in &seen.patterns {
            let _ = writeln!(
                out,
                "  {:<16} {}xx {} {:016x} x{} {}",
                "answers",
                pattern.status_class,
                pattern.content_type,
                pattern.shape,
                pattern.calls,
                pattern.fields.join(" ")
            );
        }
    }
    out
}

pub fn findings(list: &[Finding], most: usize) -> String {
    let mut out = String::new();
    for finding in list.iter().take(most) {
        let _ = writeln!(
            out,
            "{:<8} {} {:<20} {}",
            finding.severity.as_str(),
            finding.id,
            finding.check,
            finding.subject.id
        );
        let _ = writeln!(out, "         {}", finding.message);
    }
    if list.len() > most {
        let _ = writeln!(out, "         and {} more: probity finding list", list.len() - most);
    }
    if list.is_empty() {
        out.push_str("no finding\n");
    }
    out
}

fn finding(finding: &Finding) -> String {
    let mut out = format!("{} {} {}\n", finding.id, finding.severity.as_str(), finding.title);
    let _ = writeln!(out, "  check       {} ({})", finding.check, finding.rule);
    let _ = writeln!(out, "  subject     {}", finding.subject);
    if !finding.place.is_empty() {
        let _ = writeln!(out, "  place       {}", finding.place);
    }
    if let Some(source) = &finding.source {
        let _ = writeln!(out, "  source      {} {}", source.kind.as_str(), source.locator);
    }
    let _ = writeln!(out, "  reason      {}", finding.message);
    let _ = writeln!(out, "  to fix      {}", finding.remediation.trim());
    let _ = writeln!(out, "  seen        {} to {}", finding.first_seen, finding.last_seen);
    let state = match &finding.state {
        FindingState::Open => "open".to_owned(),
        FindingState::Mitigated { by } => format!("mitigated by {by}"),
        FindingState::Fixed { at } => format!("fixed at {at}"),
        FindingState::Muted { reason, until, by } => format!("muted by {by} until {until}: {reason}"),
    };
    let _ = writeln!(out, "  state       {state}");
    let _ = writeln!(out, "  evidence    {}", finding.evidence);
    out
}

fn compliance(status: &ComplianceStatus) -> String {
    let mut out = format!("slot {} to {}, provisional\n", status.slot.from, status.slot.to);
    for control in &status.controls {
        let verdict = &control.verdict;
        let _ = writeln!(
            out,
            "{:<14} {}/{} {} [{}]",
            verdict.status.as_str(),
            verdict.framework,
            verdict.control,
            control.title,
            verdict.scope
        );
        for missing in &verdict.missing {
            let because = serde_json::to_value(missing.because).unwrap_or_default();
            let because = because.as_str().unwrap_or_default().replace('-', " ");
            let _ = writeln!(out, "               {}: {because}", missing.check);
        }
    }
    out
}

fn outcome_line(outcome: &Outcome) -> String {
    let mut out = format!("  {:<14} {}\n", outcome.status.as_str(), outcome.subject);
    for reason in &outcome.reasons {
        let source = reason.source.as_ref().map(|s| format!(" [{} {}]", s.kind.as_str(), s.locator));
        let _ = writeln!(out, "                 {}{}", reason.message, source.unwrap_or_default());
    }
    for drift in &outcome.drift {
        let sources: Vec<String> = drift
            .sources
            .iter()
            .map(|source| format!("{} {}", source.kind.as_str(), source.locator))
            .collect();
        let _ =
            writeln!(out, "                 sources disagree on {}: {}", drift.fact, sources.join(" and "));
    }
    out
}

fn controls_line(controls: &[(String, String)]) -> String {
    let names: Vec<String> = controls.iter().map(|(framework, id)| format!("{framework}/{id}")).collect();
    match names.is_empty() {
        true => "  controls    none\n".to_owned(),
        false => format!("  controls    {}\n", names.join(", ")),
    }
}

fn explanation(explanation: &Explanation) -> String {
    match explanation {
        Explanation::Finding { finding, outcome, controls, .. } => {
            let mut out = self::finding(finding) + &controls_line(controls);
            if let Some(explained) = outcome {
                if let Some(index) = explained.ledger_index {
                    let _ = writeln!(out, "  ledger      leaf {index} of the evidence log");
                }
                out.push_str("outcome\n");
                out.push_str(&outcome_line(&explained.outcome));
                if let Some(evidence) = &explained.evidence {
                    out.push_str("judged input\n");
                    out.push_str(&serde_json::to_string_pretty(evidence).unwrap_or_default());
                    out.push('\n');
                }
            }
            out
        }
        Explanation::Call { exchange, operation, decisions, enforced, findings } => {
            let mut out =
                format!("{operation} answered {} under revision {}\n", exchange.status, exchange.revision);
            match decisions.as_slice() {
                [] => out.push_str("  no rule had anything to say\n"),
                decisions => decisions.iter().for_each(|decision| out.push_str(&self::decision(decision))),
            }
            if !enforced.is_empty() {
                let modes: Vec<String> =
                    enforced.iter().map(|(section, mode)| format!("{section} ({mode})")).collect();
                let _ = writeln!(out, "  judged by   {}", modes.join(", "));
            }
            out.push_str("record\n");
            out.push_str(&serde_json::to_string_pretty(exchange).unwrap_or_default());
            out.push('\n');
            if !findings.is_empty() {
                out.push_str("open findings of the operation\n");
                out.push_str(&self::findings(findings, MAX_LISTED));
            }
            out
        }
        Explanation::Check { check, controls, outcomes, total } => {
            let mut out = self::check(check) + &controls_line(controls);
            let _ = writeln!(out, "outcomes ({total})");
            outcomes.iter().for_each(|outcome| out.push_str(&outcome_line(outcome)));
            out
        }
        Explanation::Control { framework, control, verdicts, outcomes } => {
            let mut out = format!("{framework}/{} {}\n", control.id, control.title);
            let checks: Vec<&str> = control.checks.iter().map(|check| check.as_str()).collect();
            let _ = writeln!(out, "  checks      {}", checks.join(", "));
            for verdict in verdicts {
                let _ = writeln!(out, "  {:<11} in scope {}", verdict.status.as_str(), verdict.scope);
                for tally in &verdict.checks {
                    let _ = writeln!(
                        out,
                        "    {:<22} {} pass, {} fail, {} not applicable, {} no evidence",
                        tally.check.as_str(),
                        tally.pass,
                        tally.fail,
                        tally.not_applicable,
                        tally.no_evidence
                    );
                }
                for missing in &verdict.missing {
                    let because = serde_json::to_value(missing.because).unwrap_or_default();
                    let because = because.as_str().unwrap_or_default().replace('-', " ");
                    let _ = writeln!(out, "    missing {}: {because}", missing.check);
                }
            }
            out.push_str("deciding outcomes\n");
            outcomes.iter().for_each(|explained| out.push_str(&outcome_line(&explained.outcome)));
            out
        }
    }
}

fn decision(explained: &ExplainedDecision) -> String {
    let decision = &explained.decision;
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let action = word(serde_json::to_value(decision.action).unwrap_or_default());
    let mode = word(serde_json::to_value(decision.mode).unwrap_or_default());
    let mut out = format!("  {action:<11} {} (check {}, mode {mode})\n", decision.rule, decision.check);
    if !explained.title.is_empty() {
        let _ = writeln!(out, "    check       {}", explained.title);
    }
    let input = &decision.input;
    let place = input.place.map(|place| word(serde_json::to_value(place).unwrap_or_default()));
    let class = input.class.as_ref().map(|class| format!("class {class}"));
    let parts: Vec<String> = [place, Some(input.field.clone()), class, Some(input.found.clone())]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    if !parts.is_empty() {
        let _ = writeln!(out, "    input       {}", parts.join(", "));
    }
    let since = explained.in_force_since.map(|at| format!(", in force since {at}")).unwrap_or_default();
    let _ = writeln!(out, "    revision    {}{since}", decision.revision);
    out.push_str(&controls_line(&explained.controls).replacen("  controls    ", "    controls    ", 1));
    out
}

fn policy(status: &PolicyStatus) -> String {
    let mut out = format!("revision    {}\n", status.revision);
    if let Some(held) = status.held {
        let _ = writeln!(
            out,
            "held        the content of revision {held}, until `probity policy promote`; changed files wait"
        );
    }
    for service in &status.services {
        let modes: Vec<String> =
            service.modes.iter().map(|(section, mode)| format!("{section} {mode}")).collect();
        let modes = if modes.is_empty() { "observed only".to_owned() } else { modes.join(", ") };
        let _ = writeln!(out, "  {:<20} {modes}", service.service);
    }
    match &status.staged {
        None => out.push_str("staged      nothing\n"),
        Some(staged) => {
            let _ = writeln!(
                out,
                "staged      by {} at {}: {} of {} calls flagged",
                staged.by, staged.at, staged.flagged, staged.calls
            );
            staged.rules.iter().for_each(|rule| out.push_str(&rule_count(rule)));
            if !staged.untried.is_empty() {
                let _ = writeln!(out, "  not in force, so not tried: {}", staged.untried.join(", "));
            }
        }
    }
    out
}

fn rule_count(rule: &RuleCount) -> String {
    format!("  {:<34} {} calls, {} consumers\n", rule.rule, rule.calls, rule.consumers)
}

fn simulation(simulation: &Simulation) -> String {
    let mut out = format!(
        "{} of {} calls would change, {} consumers ({} newly refused, {} newly passed), against revision {}, since {}\n",
        simulation.changed,
        simulation.calls,
        simulation.consumers,
        simulation.newly_refused,
        simulation.newly_passed,
        simulation.revision,
        simulation.since
    );
    for rule in &simulation.rules {
        let _ = writeln!(
            out,
            "  {:<7} {:<34} {} calls, {} consumers",
            rule.effect, rule.rule, rule.calls, rule.consumers
        );
        rule.operations.iter().for_each(|operation| {
            let _ = writeln!(out, "            {operation}");
        });
    }
    if simulation.undecided_calls > 0 {
        let _ = writeln!(
            out,
            "not decided from records: {} calls; `probity policy stage` tries these live",
            simulation.undecided_calls
        );
        simulation.undecided.iter().for_each(|rule| out.push_str(&rule_count(rule)));
    }
    out
}

fn check(check: &Check) -> String {
    let mut out = format!("{} {} ({})\n", check.id, check.title, check.severity.as_str());
    let _ = writeln!(out, "  {}", check.description.trim());
    for line in &check.passes_on {
        let _ = writeln!(out, "  passes on   {line}");
    }
    for rule in &check.rules {
        let _ = writeln!(out, "  rule        {}: {}", rule.id, rule.meaning);
    }
    for (name, value) in &check.params {
        let _ = writeln!(out, "  parameter   {name} = {value} (ours)");
    }
    out
}

pub fn verified(verified: &Verified) -> String {
    let mut out = verified.ledger.to_string();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    let segments = &verified.segments;
    let _ = writeln!(
        out,
        "segments: {} compared with their leaves, {} deleted by retention",
        segments.checked, segments.deleted_by_retention
    );
    for problem in &segments.problems {
        let _ = writeln!(out, "  {problem}");
    }
    out
}

pub fn examples(report: &ExampleReport) -> String {
    report.to_string()
}

pub fn catalog(checks: &[Check], frameworks: &[Framework]) -> String {
    let mut out = String::new();
    for check in checks {
        let _ = writeln!(out, "{:<22} {:<9} {}", check.id.as_str(), check.severity.as_str(), check.title);
    }
    for framework in frameworks {
        let _ = writeln!(
            out,
            "{:<22} {} controls, {} {}",
            framework.id.as_str(),
            framework.controls.len(),
            framework.title,
            framework.version
        );
    }
    out
}

/// Every value in force, with the place that gave it or `default`.
pub fn origins(loaded: &Loaded) -> Result<String, Failure> {
    let line = |setting: Setting| format!("{} = {}  ({})\n", setting.setting, setting.value, setting.origin);
    Ok(settings(loaded)?.into_iter().map(line).collect())
}

/// One leaf of the configuration in force.
#[derive(Debug, serde::Serialize)]
pub struct Setting {
    /// JSON pointer.
    setting: String,
    value: serde_json::Value,
    /// `file:line:column`, or `default`.
    origin: String,
}

pub fn settings(loaded: &Loaded) -> Result<Vec<Setting>, Failure> {
    let value = serde_json::to_value(&loaded.config)?;
    let given: std::collections::BTreeMap<String, String> =
        loaded.origins().into_iter().map(|(pointer, span)| (pointer, span.to_string())).collect();
    let mut out = Vec::new();
    collect_settings(&mut out, &value, "", &given);
    Ok(out)
}

fn collect_settings(
    out: &mut Vec<Setting>,
    value: &serde_json::Value,
    pointer: &str,
    given: &std::collections::BTreeMap<String, String>,
) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                collect_settings(out, value, &format!("{pointer}/{key}"), given);
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                collect_settings(out, value, &format!("{pointer}/{index}"), given);
            }
        }
        leaf => {
            let origin = given.get(pointer).map_or("default", String::as_str).to_owned();
            out.push(Setting { setting: pointer.to_owned(), value: leaf.clone(), origin });
        }
    }
}

pub fn diagnoses(list: &[Diagnosis]) -> String {
    list.iter().fold(String::new(), |mut out, diagnosis| {
        let word = match diagnosis.grade {
            Grade::Fine => "ok",
            Grade::Warning => "warning",
            Grade::Fault => "FAULT",
        };
        let _ = writeln!(out, "{word:<8} {:<14} {}", diagnosis.about, diagnosis.message);
        out
    })
}
