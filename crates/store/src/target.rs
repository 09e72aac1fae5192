//! Which database: a file, memory, or a PostgreSQL server.

use std::fmt;
use std::path::PathBuf;

use crate::StoreError;

/// Where control state is kept. Its texts leave the password of a URL out.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    Sqlite(PathBuf),
    /// Gone when the store is closed; for tests and trials.
    Memory,
    /// `postgres://user:password@host:5432/name`.
    Postgres(String),
}

impl Target {
    /// A `postgres://` URL, `:memory:`, else the path of a file.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            Some((scheme, _)) => Err(StoreError::UnknownScheme { scheme: scheme.to_owned() }),
            None if text == ":memory:" => Ok(Self::Memory),
            None => Ok(Self::Sqlite(text.into())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "the SQLite database `{}`", path.display()),
            Self::Memory => f.write_str("the SQLite database in memory"),
            Self::Postgres(url) => match crate::connect::postgres::place(url) {
                Some(place) => write!(f, "the PostgreSQL database `{place}`"),
                None => f.write_str("the PostgreSQL database"),
            },
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}
