//! Reads recorded calls into the same road as live ones: a file of calls becomes exchanges, and nothing raw is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context, bail};
use probity_gateway::{ImportObserver, RecordedCall};
use probity_model::exchange::Durations;
use probity_model::{Exchange, ServiceId, Timestamp};
use probity_reader::accesslog::{self, Lines};
use probity_reader::har;
use probity_reader::import::ImportedCall;
use serde::{Deserialize, Serialize};

/// A HAR file is one JSON document and is read whole.
const MAX_HAR_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes that decide the format of a log.
const SAMPLE: usize = 256 * 1024;
/// Problems that are listed; the count counts all.
const MAX_PROBLEMS: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Har,
    Combined,
    Json,
}

/// What an import brought.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Imported {
    pub file: String,
    pub format: String,
    pub recorded: u64,
    /// Lines or entries that could not be read or that no gateway would have passed.
    pub unreadable: u64,
    pub problems: Vec<String>,
    pub services: BTreeMap<String, u64>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} ({}): {} calls recorded, {} not read",
            self.file, self.format, self.recorded, self.unreadable
        )?;
        if let (Some(from), Some(to)) = (self.from, self.to) {
            writeln!(f, "  from {from} to {to}")?;
        }
        for (service, calls) in &self.services {
            writeln!(f, "  {service}: {calls} calls")?;
        }
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        let listed = self.problems.len() as u64;
        if self.unreadable > listed {
            writeln!(f, "  and {} more", self.unreadable - listed)?;
        }
        Ok(())
    }
}

impl Imported {
    fn problem(&mut self, text: String) {
        self.unreadable += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text);
        }
    }
}

/// Where a call belongs, by its host and path.
pub trait Services {
    fn service(&self, host: Option<&str>, path: &str) -> ServiceId;
}

/// Reads `file` and gives each call's record to `keep`.
pub fn read(
    file: &Path,
    format: Option<Format>,
    observer: &ImportObserver,
    services: &dyn Services,
    keep: &mut dyn FnMut(Exchange) -> anyhow::Result<()>,
) -> anyhow::Result<Imported> {
    let mut imported = Imported { file: file.display().to_string(), ..Imported::default() };
    let mut opened =
        std::fs::File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut sample = vec![0; SAMPLE];
    let mut filled = 0;
    while let Some(rest) = sample.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match opened.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    sample.truncate(filled);
    let mut take = |call: &ImportedCall<'_>, imported: &mut Imported| {
        let exchange = record(call, observer, services);
        match exchange {
            Ok(exchange) => {
                imported.recorded += 1;
                *imported.services.entry(exchange.service.to_string()).or_default() += 1;
                let at = exchange.started_at;
                imported.from = Some(imported.from.map_or(at, |from| from.min(at)));
                imported.to = Some(imported.to.map_or(at, |to| to.max(at)));
                keep(exchange)
            }
            Err(refusal) => {
                imported.problem(format!("{}:{}: {refusal}", file.display(), call.line));
                Ok(())
            }
        }
    };
    if format == Some(Format::Har) || format.is_none() && looks_like_har(file, &sample) {
        imported.format = "har".to_owned();
        let size = opened.metadata()?.len();
        if size > MAX_HAR_BYTES {
            bail!("`{}` is {size} bytes long, HAR files are read up to {MAX_HAR_BYTES}", file.display());
        }
        let bytes = std::fs::read(file)?;
        let (calls, diagnostics) = har::read(&imported.file, &bytes);
        diagnostics.iter().for_each(|diagnostic| imported.problem(diagnostic.to_string()));
        // The reader closes a list of entries that it left out with their total.
        let total = diagnostics.last().and_then(|last| last.message.split_once(' '));
        if let Some((total, _)) = total.filter(|(_, rest)| rest.ends_with("are not read")) {
            imported.unreadable = total.parse().unwrap_or(imported.unreadable);
        }
        for call in &calls {
            take(call, &mut imported)?;
        }
        return Ok(imported);
    }
    let known = accesslog::Format::detect(&sample).filter(|found| fits(*found, format));
    let Some(known) = known else {
        bail!(
            "`{}` is in no known format; expected HAR, nginx or Apache common or combined lines, Envoy JSON or nginx JSON",
            file.display()
        );
    };
    imported.format = known.as_str().to_owned();
    let lines = Lines::new(known);
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(file)?);
    let mut line = Vec::new();
    let mut number = 0;
    while read_line(&mut reader, &mut line)? {
        number += 1;
        match lines.parse(number, &line) {
            Ok(Some(call)) => take(&call, &mut imported)?,
            Ok(None) => {}
            Err(problem) => imported.problem(format!("{}:{number}: {problem}", file.display())),
        }
    }
    Ok(imported)
}

fn fits(found: accesslog::Format, wanted: Option<Format>) -> bool {
    let json = matches!(found, accesslog::Format::EnvoyJson | accesslog::Format::NginxJson);
    match wanted {
        Some(Format::Json) => json,
        Some(Format::Combined) => !json,
        Some(Format::Har) | None => true,
    }
}

fn looks_like_har(file: &Path, sample: &[u8]) -> bool {
    let named = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("har"));
    let text = String::from_utf8_lossy(sample.get(..4_096).unwrap_or(sample)).into_owned();
    named
        || text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']).starts_with('{')
            && text.contains("\"log\"")
            && text.contains("\"creator\"")
}

/// One line without its end; a line past the reader's bound is cut there and refused by the parser.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut limited = reader.take(accesslog::MAX_LINE as u64 + 2);
    let read = limited.read_until(b'\n', line)?;
    if read > accesslog::MAX_LINE && line.last() != Some(&b'\n') {
        let mut skipped = Vec::new();
        reader.take(u64::MAX).read_until(b'\n', &mut skipped)?;
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(read > 0)
}

fn record(
    call: &ImportedCall<'_>,
    observer: &ImportObserver,
    services: &dyn Services,
) -> Result<Exchange, probity_gateway::ImportRefusal> {
    let service = services.service(call.host.as_deref(), &call.path);
    let target = match &call.query_text {
        Some(query) => format!("{}?{query}", call.path),
        None => call.path.to_string(),
    };
    let (request, response) = (borrowed(&call.request_headers), borrowed(&call.response_headers));
    let host = call.host.as_deref().unwrap_or(service.as_str());
    let mut exchange = observer.exchange(&RecordedCall {
        started_at: call.started_at,
        method: &call.method,
        target: &target,
        host,
        service: &service,
        status: call.status,
        protocol: call.protocol,
        client: call.client,
        request_fields: (!request.is_empty()).then_some(request.as_slice()),
        response_fields: (!response.is_empty()).then_some(response.as_slice()),
        user_agent: call.user_agent.as_deref(),
        request_type: call.request_type.as_deref(),
        response_type: call.response_type.as_deref(),
        request_body: call.request_body.as_deref(),
        response_body: call.response_body.as_deref(),
        request_bytes: call.request_bytes.unwrap_or(0),
        response_bytes: call.response_bytes.unwrap_or(0),
        durations: Durations {
            total_us: call.total_us.unwrap_or(0),
            upstream_us: call.upstream_us.unwrap_or(0),
        },
    })?;
    if call.authenticated {
        exchange.authentication.state = probity_model::exchange::AuthenticationState::Presented;
        exchange.authentication.scheme = probity_model::exchange::CredentialScheme::Other;
    }
    Ok(exchange)
}

fn borrowed<'a>(fields: &'a [(Cow<'a, str>, Cow<'a, str>)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect()
}
