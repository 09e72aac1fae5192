//! Access logs: common and combined (nginx and Apache write the same), both with a leading virtual host, Envoy's
//! JSON, and nginx's `escape=json` with the usual keys.
//!
//! [`read`] takes a file that fits in memory. For a log of any length read it line by line, find the format from the
//! first lines with [`Format::detect`], parse each with [`Lines`], and count what is refused with [`Unread`].
//! No line is dropped silently.

mod json;
mod text;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use probity_model::{Diagnostic, Severity};

use crate::diagnostics::{Diagnostics, Position};
use crate::import::ImportedCall;

/// Bytes of one line.
pub const MAX_LINE: usize = 256 * 1024;
/// Lines that [`Format::detect`] looks at.
pub const DETECTION_LINES: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Common,
    Combined,
    VhostCommon,
    VhostCombined,
    EnvoyJson,
    NginxJson,
}

impl Format {
    pub const ALL: [Self; 6] = [
        Self::Common,
        Self::Combined,
        Self::VhostCommon,
        Self::VhostCombined,
        Self::EnvoyJson,
        Self::NginxJson,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Combined => "combined",
            Self::VhostCommon => "vhost-common",
            Self::VhostCombined => "vhost-combined",
            Self::EnvoyJson => "envoy-json",
            Self::NginxJson => "nginx-json",
        }
    }
    /// The format of most of the first lines; `None` when none of them is in any.
    pub fn detect(sample: &[u8]) -> Option<Self> {
        let mut votes = [0usize; Self::ALL.len()];
        for line in split_lines(sample).filter(|line| !is_blank(line)).take(DETECTION_LINES) {
            let found = Self::of_line(line);
            if let Some(votes) = found
                .and_then(|found| Self::ALL.iter().position(|format| *format == found))
                .and_then(|index| votes.get_mut(index))
            {
                *votes += 1;
            }
        }
        let (format, votes) = Self::ALL.iter().zip(votes).rev().max_by_key(|(_, votes)| *votes)?;
        (votes > 0).then_some(*format)
    }
    fn of_line(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line.get(..line.len().min(MAX_LINE))?).ok()?;
        if line.starts_with('{') { json::format(line) } else { text::format(line) }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no log format, expected `common`, `combined`, `vhost-common`, `vhost-combined`, `envoy-json` or `nginx-json`"
)]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// Why a line is no call. Never holds anything of the line, which may carry secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("not UTF-8")]
    Encoding,
    #[error("the line is not in the {0} format")]
    Form(Format),
    #[error("the time is none")]
    Time,
    #[error("the request is no HTTP request")]
    Request,
    #[error("there is no answer (the status is none of HTTP)")]
    Status,
}

/// Parses lines of one format.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    format: Format,
}

impl Lines {
    pub fn new(format: Format) -> Self {
        Self { format }
    }
    pub fn format(self) -> Format {
        self.format
    }
    /// One line without its line end; `number` counts from 1. A blank line is no call and no fault.
    pub fn parse<'a>(self, number: u64, line: &'a [u8]) -> Result<Option<ImportedCall<'a>>, LineError> {
        if line.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        if is_blank(line) {
            return Ok(None);
        }
        let line = std::str::from_utf8(line).map_err(|_| LineError::Encoding)?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = if number == 1 { line.strip_prefix('\u{FEFF}').unwrap_or(line) } else { line };
        match self.format {
            Format::EnvoyJson | Format::NginxJson => json::call(self.format, number, line),
            _ => text::call(self.format, number, line),
        }
        .map(Some)
    }
}

/// Counts and lists the lines that were refused.
#[derive(Debug)]
pub struct Unread {
    diagnostics: Diagnostics,
    total: u64,
}

impl Unread {
    pub fn new(file: &str) -> Self {
        Self { diagnostics: Diagnostics::new(&Arc::from(file)), total: 0 }
    }
    pub fn note(&mut self, number: u64, error: LineError) {
        self.total += 1;
        let line = u32::try_from(number).unwrap_or(u32::MAX);
        self.diagnostics.push(
            Severity::Medium,
            Position { line, column: 1 },
            format!("line not read: {error}"),
        );
    }
    pub fn total(&self) -> u64 {
        self.total
    }
    /// The listed lines in order, and the total when there are any. `lines` is how many were looked at.
    pub fn finish(self, lines: u64) -> Vec<Diagnostic> {
        let span = Position::START.in_file(self.diagnostics.file());
        let mut list = self.diagnostics.finish();
        if self.total > 0 {
            let message = format!("{} of {lines} lines are not read", self.total);
            list.push(Diagnostic { span, severity: Severity::Medium, message, hint: None });
        }
        list
    }
}

/// Reads a whole log. Without a format it is found from the first lines.
pub fn read<'a>(
    file: &str,
    bytes: &'a [u8],
    format: Option<Format>,
) -> (Vec<ImportedCall<'a>>, Vec<Diagnostic>) {
    let mut unread = Unread::new(file);
    let Some(format) = format.or_else(|| Format::detect(bytes)) else {
        let mut diagnostics = Diagnostics::new(&Arc::from(file));
        if bytes.iter().any(|byte| !byte.is_ascii_whitespace()) {
            diagnostics.push_hint(
                Severity::High,
                Position::START,
                "no access log format is recognised",
                "expected common or combined lines, Envoy's JSON, or nginx JSON with the usual keys",
            );
        }
        return (Vec::new(), diagnostics.finish());
    };
    let lines = Lines::new(format);
    let mut calls = Vec::new();
    let mut number = 0;
    for line in split_lines(bytes) {
        number += 1;
        match lines.parse(number, line) {
            Ok(call) => calls.extend(call),
            Err(error) => unread.note(number, error),
        }
    }
    (calls, unread.finish(number))
}

fn split_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n')
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}
