//! Exit codes, and the failures that carry them.

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Clean, or nothing applicable.
    Clean,
    /// A gate failed: findings, or a ledger that does not verify.
    Failed,
    /// The command line or a configuration is wrong.
    Usage,
    /// Something could not be read or judged.
    Incomplete,
    /// The server or its data could not be reached or used.
    Server,
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Server => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// What ends a command early: text for a person, and the code.
#[derive(Debug)]
pub struct Failure {
    pub code: Exit,
    pub text: String,
}

impl Failure {
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: Exit::Usage, text: text.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: Exit::Server, text: format!("{error:#}") }
    }
}
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self { code: Exit::Server, text: error.to_string() }
    }
}
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { code: Exit::Server, text: error.to_string() }
    }
}
