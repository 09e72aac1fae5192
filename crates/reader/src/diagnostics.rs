//! A bounded list of diagnostics about one file. Past the bound only the total grows, and the last entry says so.

use std::collections::HashSet;
use std::sync::Arc;

use probity_model::{Diagnostic, Severity, Span};

/// Diagnostics kept per file; further ones are counted.
pub const MAX_DIAGNOSTICS: usize = 500;

/// Line and column of a place in the file at hand; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Position {
    pub const START: Self = Self { line: 1, column: 1 };

    pub fn of(line: usize, column: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        Self { line: clamp(line), column: clamp(column) }
    }
    pub fn in_file(self, file: &Arc<str>) -> Span {
        Span { file: Arc::clone(file), line: self.line, column: self.column }
    }
}

/// Collects diagnostics about a file and those it refers to; the same text at the same place is kept once.
#[derive(Debug)]
pub struct Diagnostics {
    file: Arc<str>,
    list: Vec<Diagnostic>,
    seen: HashSet<(Span, String)>,
    dropped: u64,
    worst_dropped: Severity,
}

impl Diagnostics {
    pub fn new(file: &Arc<str>) -> Self {
        Self {
            file: Arc::clone(file),
            list: Vec::new(),
            seen: HashSet::new(),
            dropped: 0,
            worst_dropped: Severity::Info,
        }
    }
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }
    pub fn push(&mut self, severity: Severity, at: Position, message: impl Into<String>) {
        self.add(severity, at.in_file(&self.file), message.into(), None);
    }
    pub fn push_hint(
        &mut self,
        severity: Severity,
        at: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(severity, at.in_file(&self.file), message.into(), Some(hint.into()));
    }
    /// As [`Self::push`], for a place that may be in another file.
    pub fn push_at(
        &mut self,
        severity: Severity,
        span: Span,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.add(severity, span, message.into(), hint);
    }
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        for other in others {
            self.add(other.severity, other.span, other.message, other.hint);
        }
    }
    fn add(&mut self, severity: Severity, span: Span, message: String, hint: Option<String>) {
        if self.list.len() >= MAX_DIAGNOSTICS {
            self.dropped += 1;
            self.worst_dropped = self.worst_dropped.max(severity);
            return;
        }
        if self.seen.insert((span.clone(), message.clone())) {
            self.list.push(Diagnostic { span, severity, message, hint });
        }
    }
    /// In order of their places, those of the file itself first; an overflow entry stands last.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        let file = Arc::clone(&self.file);
        self.list.sort_by(|a, b| (a.span.file != file, &a.span).cmp(&(b.span.file != file, &b.span)));
        if self.dropped > 0 {
            self.list.push(Diagnostic {
                span: Position::START.in_file(&self.file),
                severity: self.worst_dropped,
                message: format!("{} more diagnostics are not listed", self.dropped),
                hint: Some(format!("the first {MAX_DIAGNOSTICS} are listed; mend them and read again")),
            });
        }
        self.list
    }
}

/// Whether a diagnostic means that something could not be read as it stands, or that the document contradicts itself.
pub fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity >= Severity::High
}

/// User text for a message: in backticks, control characters escaped, cut after 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut out = String::with_capacity(text.len().min(SHOWN) + 8);
    out.push('`');
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}

/// `` `a`, `b` or `c` ``, shortened when long.
pub(crate) fn one_of<S: AsRef<str>>(names: &[S]) -> String {
    const LISTED: usize = 24;
    let mut out = String::new();
    let last = names.len().saturating_sub(1);
    for (index, name) in names.iter().take(LISTED).enumerate() {
        if index > 0 {
            out.push_str(if index == last { " or " } else { ", " });
        }
        out.push_str(&quoted(name.as_ref()));
    }
    if names.len() > LISTED {
        out.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    out
}
