//! Printing: the one place that writes to standard output and standard error.

use std::io::Write as _;

use serde::Serialize;

use crate::exit::Failure;

/// A closed pipe (`| head`) ends output quietly.
pub fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    text(&serde_json::to_string_pretty(value)?);
    Ok(())
}

pub fn error(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "probity: {message}");
}

pub fn note(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}
