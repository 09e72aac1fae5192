//! What a check judges.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectKind {
    Organisation,
    Service,
    Operation,
    Field,
    /// A route in source code.
    Route,
    /// A resource of infrastructure as code.
    Resource,
    Listener,
    Consumer,
    Credential,
    ThirdParty,
    Account,
    Gateway,
    Log,
    Specification,
    Repository,
}

impl SubjectKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Field => "field",
            Self::Route => "route",
            Self::Resource => "resource",
            Self::Listener => "listener",
            Self::Consumer => "consumer",
            Self::Credential => "credential",
            Self::ThirdParty => "third-party",
            Self::Account => "account",
            Self::Gateway => "gateway",
            Self::Log => "log",
            Self::Specification => "specification",
            Self::Repository => "repository",
        }
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is judged: its kind and its id inside that kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    pub kind: SubjectKind,
    pub id: String,
}

impl Subject {
    pub fn new(kind: SubjectKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}
