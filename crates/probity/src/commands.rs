//! One function for each command: asks, then prints.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use probity_ledger::LogId;
use probity_model::inventory::{OperationSettings, OperationState};
use probity_model::{Severity, Timestamp};
use probity_server::app::{Command, Reply};
use probity_server::catalog::Catalog;
use probity_server::import;
use probity_server::{config, doctor, sources, verify};
use serde::Serialize;

use crate::cli::{
    CatalogCommand, Cli, Command as Verb, ComplianceCommand, ConfigCommand, FindingCommand, Format,
    GivenFormat, ImportArgs, InventoryCommand, LedgerCommand, Log, LogFormat, PolicyCommand, ReportArgs,
    TokenCommand, VerifyArgs,
};
use crate::exit::{Exit, Failure};
use crate::session::{self, Place};
use crate::{callers, check, output, render, up};

pub fn run(cli: Cli) -> Result<Exit, Failure> {
    let place = Place::of(&cli);
    let format = match (cli.format, &cli.command) {
        (Some(GivenFormat::Text), Verb::Report(_)) => {
            return Err(Failure::usage("a report is written as html or json, not as text"));
        }
        (Some(GivenFormat::Html), command) if !matches!(command, Verb::Report(_)) => {
            return Err(Failure::usage("html is the format of reports, expected text or json"));
        }
        (Some(GivenFormat::Json), _) => Format::Json,
        _ => Format::Text,
    };
    match cli.command {
        Verb::Up(args) => up::run(&place, &args),
        #[cfg(feature = "demo")]
        Verb::Demo(args) => crate::demo::run(&place, &args, format),
        #[cfg(feature = "demo")]
        Verb::DemoUpstream => crate::demo::upstream(),
        #[cfg(feature = "demo")]
        Verb::DemoSchema => {
            output::json(&crate::demo::schema())?;
            Ok(Exit::Clean)
        }
        Verb::Import(args) => import(&place, args, format),
        Verb::Check(args) => check::run(&place, &args, format),
        Verb::Inventory(command) => inventory(&place, command, format),
        Verb::Finding(command) => finding(&place, command, format),
        Verb::Token(TokenCommand::Reveal { token, reason }) => {
            print(format, session::ask(&place, None, Command::TokenReveal { token, reason })?)
        }
        Verb::Consumer(command) => callers::consumer(&place, command, format),
        Verb::Key(command) => callers::key(&place, command, format),
        Verb::Credential(command) => callers::credential(&place, command, format),
        Verb::Compliance(command) => compliance(&place, command, format),
        Verb::Report(args) => report(&place, args, format),
        Verb::Verify(args) => verify(&args, format),
        Verb::Ledger(command) => ledger(&place, command, format),
        Verb::Explain { what } => {
            let reply = session::ask(&place, None, Command::Explain { what })?;
            print(format, reply)
        }
        Verb::Policy(command) => policy(&place, command, format),
        Verb::Catalog(command) => catalog(&place, command, format),
        Verb::Config(command) => configuration(command, format),
        Verb::Doctor { config } => diagnose(&place, config.as_deref(), format),
        Verb::Version => version(format),
        Verb::Completions { shell } => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "probity", &mut script);
            output::text(&String::from_utf8_lossy(&script));
            Ok(Exit::Clean)
        }
    }
}

pub(crate) fn print(format: Format, reply: Reply) -> Result<Exit, Failure> {
    match format {
        Format::Text => output::text(&render::reply(&reply)),
        Format::Json => {
            let value = serde_json::to_value(&reply)?;
            output::json(&value.get("value").cloned().unwrap_or(value))?;
        }
    }
    Ok(Exit::Clean)
}

fn policy(place: &Place, command: PolicyCommand, format: Format) -> Result<Exit, Failure> {
    let whole = |draft: PathBuf| {
        draft
            .canonicalize()
            .map_err(|problem| Failure::usage(format!("cannot read `{}`: {problem}", draft.display())))
    };
    let command = match command {
        PolicyCommand::Show => Command::PolicyShow,
        PolicyCommand::Simulate { draft, since } => {
            let back: probity_server::Duration = since.parse().map_err(|_| {
                Failure::usage(format!("`{since}` is no length of time, expected `90m`, `24h` or `30d`"))
            })?;
            let ago = i64::try_from(back.as_millis()).unwrap_or(i64::MAX).saturating_mul(1_000);
            let since =
                probity_model::Timestamp(probity_server::clock::now().as_micros().saturating_sub(ago));
            Command::PolicySimulate { file: whole(draft)?, since }
        }
        PolicyCommand::Stage { draft } => Command::PolicyStage { file: whole(draft)? },
        PolicyCommand::Promote => Command::PolicyPromote,
        PolicyCommand::Rollback { to } => Command::PolicyRollback { to },
    };
    print(format, session::ask(place, None, command)?)
}

fn import(place: &Place, args: ImportArgs, format: Format) -> Result<Exit, Failure> {
    let loaded = args.config.as_deref().map(session::load).transpose()?;
    let file = args.file.canonicalize().map_err(|problem| Failure {
        code: Exit::Incomplete,
        text: format!("cannot read `{}`: {problem}", args.file.display()),
    })?;
    let log_format = args.log_format.map(|format| match format {
        LogFormat::Har => import::Format::Har,
        LogFormat::Combined => import::Format::Combined,
        LogFormat::Json => import::Format::Json,
    });
    let command = Command::Import { file, format: log_format, service: args.service };
    let reply = session::ask(place, loaded, command)?;
    let incomplete = matches!(&reply, Reply::Imported(imported) if imported.unreadable > 0);
    print(format, reply)?;
    Ok(if incomplete { Exit::Incomplete } else { Exit::Clean })
}

fn inventory(place: &Place, command: InventoryCommand, format: Format) -> Result<Exit, Failure> {
    let command = match command {
        InventoryCommand::List { state, service } => {
            let state = state.as_deref().map(state_named).transpose()?;
            Command::InventoryList { state, service }
        }
        InventoryCommand::Show { operation } => Command::InventoryShow { operation },
        InventoryCommand::Set { operation, owner, audience, criticality, tags } => {
            let settings =
                OperationSettings { owner, audience, criticality, tags: tags.into_iter().collect() };
            if settings == OperationSettings::default() {
                return Err(Failure::usage(
                    "nothing to set; expected --owner, --audience, --criticality or --tag",
                ));
            }
            Command::InventorySet { operation, settings }
        }
        InventoryCommand::Export { openapi: _, service } => Command::InventoryExport { service },
        InventoryCommand::Review { note } => Command::InventoryReview { note },
    };
    print(format, session::ask(place, None, command)?)
}

fn state_named(text: &str) -> Result<OperationState, Failure> {
    OperationState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = OperationState::ALL.iter().map(|state| state.as_str()).collect();
        Failure::usage(format!("no state `{text}`, expected one of {}", known.join(", ")))
    })
}

pub fn severity_named(text: &str) -> Result<Severity, Failure> {
    Severity::parse(text).ok_or_else(|| {
        Failure::usage(format!("no severity `{text}`, expected info, low, medium, high or critical"))
    })
}

fn finding(place: &Place, command: FindingCommand, format: Format) -> Result<Exit, Failure> {
    let command = match command {
        FindingCommand::List { state, severity, check } => {
            if !["open", "mitigated", "fixed", "muted", "all"].contains(&state.as_str()) {
                let text = format!("no state `{state}`, expected open, mitigated, fixed, muted or all");
                return Err(Failure::usage(text));
            }
            let at_least = severity.as_deref().map(severity_named).transpose()?;
            Command::FindingList { state: Some(state), at_least, check: check.map(Into::into) }
        }
        FindingCommand::Show { finding } => Command::Explain { what: finding },
        FindingCommand::Mute { finding, reason, until } => {
            let until = Timestamp::parse(&until).ok_or_else(|| {
                Failure::usage(format!("`{until}` is not a date, expected `2027-01-31` or RFC 3339"))
            })?;
            if reason.trim().is_empty() {
                return Err(Failure::usage("a mute needs a reason"));
            }
            if until <= probity_server::clock::now() {
                return Err(Failure::usage(format!("a mute must end in the future, `{until}` is past")));
            }
            Command::FindingMute { finding, reason, until }
        }
    };
    print(format, session::ask(place, None, command)?)
}

fn compliance(place: &Place, command: ComplianceCommand, format: Format) -> Result<Exit, Failure> {
    let ComplianceCommand::Status { framework, scope } = command;
    let command = Command::ComplianceStatus { framework: framework.map(Into::into), scope };
    print(format, session::ask(place, None, command)?)
}

/// As HTML unless JSON is asked for.
fn report(place: &Place, args: ReportArgs, format: Format) -> Result<Exit, Failure> {
    let command = Command::Report { framework: args.framework.clone().into(), scope: args.scope };
    let Reply::Report(document) = session::ask(place, None, command)? else {
        return Err(anyhow::anyhow!("the answer is not a report").into());
    };
    let (text, extension) = match format {
        Format::Text => (probity_report::html(&document), "html"),
        Format::Json => (serde_json::to_string_pretty(&document)?, "json"),
    };
    match args.output.as_deref() {
        Some(path) if path == Path::new("-") => output::text(&text),
        Some(path) => write_report(path, &text)?,
        None => write_report(Path::new(&format!("{}.{extension}", args.framework)), &text)?,
    }
    Ok(Exit::Clean)
}

fn write_report(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|problem| Failure {
        code: Exit::Server,
        text: format!("cannot write `{}`: {problem}", path.display()),
    })?;
    output::text(&format!("written to {}", path.display()));
    Ok(())
}

fn verify(args: &VerifyArgs, format: Format) -> Result<Exit, Failure> {
    let verified = verify::verify(&args.path, &args.keys, &args.checkpoints)
        .map_err(|problem| Failure { code: Exit::Usage, text: format!("{problem:#}") })?;
    match format {
        Format::Text => output::text(&render::verified(&verified)),
        Format::Json => output::json(&verified)?,
    }
    Ok(if verified.sound { Exit::Clean } else { Exit::Failed })
}

fn ledger(place: &Place, command: LedgerCommand, format: Format) -> Result<Exit, Failure> {
    let (log, wants_key) = match command {
        LedgerCommand::Checkpoint { log } => (log, false),
        LedgerCommand::Key { log } => (log, true),
    };
    let log = match log {
        Log::Evidence => LogId::Evidence,
        Log::Verdicts => LogId::Verdicts,
    };
    let reply = session::ask(place, None, Command::LedgerCheckpoint { log })?;
    let Reply::Checkpoint { text, key, .. } = &reply else {
        return Err(anyhow::anyhow!("the answer is not a checkpoint").into());
    };
    match (format, wants_key) {
        (Format::Json, _) => return print(format, reply),
        (Format::Text, true) => output::text(key),
        (Format::Text, false) => output::text(text),
    }
    Ok(Exit::Clean)
}

pub fn catalog_of(place: &Place) -> Result<Catalog, Failure> {
    let loaded = match &place.catalog {
        Some(folder) => Catalog::from_dir(folder),
        None => Catalog::embedded(),
    };
    loaded.map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::usage(format!("the catalogue has faults:\n{}", lines.join("\n")))
    })
}

fn catalog(place: &Place, command: CatalogCommand, format: Format) -> Result<Exit, Failure> {
    let catalog = catalog_of(place)?;
    match command {
        CatalogCommand::Test => {
            let report = catalog.run_examples();
            match format {
                Format::Text => output::text(&render::examples(&report)),
                Format::Json => output::json(&report)?,
            }
            Ok(if report.passed() { Exit::Clean } else { Exit::Failed })
        }
        CatalogCommand::Pages => {
            let pages: std::collections::BTreeMap<&str, String> =
                catalog.checks().iter().map(|check| (check.id.as_str(), catalog.page(check))).collect();
            match format {
                Format::Text => pages.values().for_each(|page| output::text(page)),
                Format::Json => output::json(&pages)?,
            }
            Ok(Exit::Clean)
        }
        CatalogCommand::List => {
            #[derive(Serialize)]
            struct List<'a> {
                checks: &'a [probity_model::Check],
                frameworks: &'a [probity_model::Framework],
            }
            let list = List { checks: catalog.checks(), frameworks: catalog.frameworks() };
            match format {
                Format::Text => output::text(&render::catalog(list.checks, list.frameworks)),
                Format::Json => output::json(&list)?,
            }
            Ok(Exit::Clean)
        }
    }
}

fn configuration(command: ConfigCommand, format: Format) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Schema => {
            output::json(&config::schema())?;
            Ok(Exit::Clean)
        }
        ConfigCommand::Validate { file } => {
            let loaded = match (sources::Loaded::read(&file), format) {
                (Ok(loaded), _) => loaded,
                (Err(faults), Format::Json) => {
                    output::json(&faults)?;
                    return Ok(Exit::Usage);
                }
                (Err(_), Format::Text) => session::load(&file)?,
            };
            let (named, mut diagnostics) = sources::load(&loaded, Timestamp(0));
            // What only shows when everything is put together: selections of operations, schemas, files of keys.
            let catalogue = probity_model::Digest::default();
            if let Err(problem) = probity_server::bundle::compile(&loaded, &named, 0, Timestamp(0), catalogue)
            {
                let span =
                    probity_model::Span { file: file.display().to_string().into(), line: 1, column: 1 };
                diagnostics.push(probity_model::Diagnostic {
                    span,
                    severity: Severity::High,
                    message: problem,
                    hint: None,
                });
            }
            let faulty = diagnostics.iter().any(|diagnostic| diagnostic.severity >= Severity::High);
            match format {
                Format::Json => output::json(&diagnostics)?,
                Format::Text => {
                    for diagnostic in &diagnostics {
                        output::text(&format!("{}: {diagnostic}", diagnostic.severity.as_str()));
                    }
                    let word = if faulty { "has faults in what it names" } else { "is valid" };
                    output::text(&format!("{} {word}", file.display()));
                }
            }
            Ok(if faulty { Exit::Usage } else { Exit::Clean })
        }
        ConfigCommand::Show { file, origin } => {
            let loaded = session::load(&file)?;
            match (format, origin) {
                (Format::Text, true) => output::text(&render::origins(&loaded)?),
                (Format::Json, true) => output::json(&render::settings(&loaded)?)?,
                (_, false) => output::json(&loaded.config)?,
            }
            Ok(Exit::Clean)
        }
    }
}

fn diagnose(place: &Place, config: Option<&Path>, format: Format) -> Result<Exit, Failure> {
    let loaded = config.map(session::load).transpose()?;
    let diagnoses = doctor::diagnose(&place.data(loaded.as_ref()), &place.root, loaded.as_ref());
    match format {
        Format::Text => output::text(&render::diagnoses(&diagnoses)),
        Format::Json => output::json(&diagnoses)?,
    }
    let faulty = diagnoses.iter().any(|diagnosis| diagnosis.grade == doctor::Grade::Fault);
    Ok(if faulty { Exit::Failed } else { Exit::Clean })
}

fn version(format: Format) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Version {
        probity: &'static str,
        exchange: u16,
        bundle: u32,
        rule_input: u32,
        outcome: u32,
        verdict: u32,
    }
    let version = Version {
        probity: env!("CARGO_PKG_VERSION"),
        exchange: probity_model::exchange::EXCHANGE_VERSION,
        bundle: probity_model::bundle::BUNDLE_VERSION,
        rule_input: probity_model::fact::RULE_INPUT_VERSION,
        outcome: probity_model::outcome::OUTCOME_VERSION,
        verdict: probity_model::verdict::VERDICT_VERSION,
    };
    match format {
        Format::Json => output::json(&version)?,
        Format::Text => output::text(&format!(
            "probity {}\nshapes: exchange {}, bundle {}, rule input {}, outcome {}, verdict {}",
            version.probity,
            version.exchange,
            version.bundle,
            version.rule_input,
            version.outcome,
            version.verdict
        )),
    }
    Ok(Exit::Clean)
}
