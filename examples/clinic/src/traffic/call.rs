//! One call before it is made: what is sent, by whose right, and what it should come to.

use axum::http::Method;
use serde_json::Value;

use super::report::Intent;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    /// With prior knowledge, in clear text.
    Http2,
}

/// How the answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Whole,
    /// Opens a WebSocket, exchanges a message and closes it.
    Chat,
}

/// What the caller keeps of the answer for its later calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    Appointment,
    Payment,
    Patient,
    Export,
    Session,
}

#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// The caller's own.
    Own,
    None,
    Bearer(String),
    Key(&'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub method: Method,
    /// The operation's path in the specification's words; none where there is no such operation.
    pub template: Option<&'static str>,
    /// Path and query as sent.
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    pub credential: Credential,
    pub intent: Intent,
    pub fault: Option<&'static str>,
    /// Statuses that the clinic itself answers here; empty where any is as good, as for attacks.
    pub expected: &'static [u16],
    pub reading: Reading,
    pub keep: Keep,
}

impl Call {
    pub fn new(method: Method, template: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            template: Some(template),
            target: target.into(),
            headers: Vec::new(),
            body: None,
            credential: Credential::Own,
            intent: Intent::Legitimate,
            fault: None,
            expected: &[200],
            reading: Reading::Whole,
            keep: Keep::Nothing,
        }
    }

    pub fn get(template: &'static str, target: impl Into<String>) -> Self {
        Self::new(Method::GET, template, target)
    }

    /// An operation whose template has no parameter.
    pub fn plain(method: Method, path: &'static str) -> Self {
        Self::new(method, path, path)
    }

    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn with(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    pub fn expect(mut self, expected: &'static [u16]) -> Self {
        self.expected = expected;
        self
    }

    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Meets a planted fault.
    pub fn fault(mut self, fault: &'static str) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Is meant ill.
    pub fn attack(mut self) -> Self {
        self.intent = Intent::Attack;
        self.expected = &[];
        self
    }
}
