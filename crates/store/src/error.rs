//! What can go wrong between the server and its database. Every text names the database, never a password.

use std::io;
use std::path::PathBuf;

use sea_orm::DbErr;
use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error(
        "scheme `{scheme}` names no known database; expected `postgres://user@host:5432/name` or the path of a file"
    )]
    UnknownScheme { scheme: String },
    #[error("the URL of the PostgreSQL database is not one; expected `postgres://user@host:5432/name`")]
    Url(#[source] sqlx::Error),
    #[error("cannot create `{}`; expected a folder that this user may write", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot open {database}; expected {expected}")]
    Open { database: String, expected: &'static str, source: DbErr },
    #[error("{database} stores text as `{found}`; expected a database with the encoding UTF8")]
    Encoding { database: String, found: String },
    /// The way out is the newer binary, or a copy of the data made before it ran.
    #[error(
        "{database} has the schema `{found}` of a newer version of probity; expected `{newest}` or older; run the newer version, or restore the data from before it ran"
    )]
    NewerSchema { database: String, found: String, newest: String },
    #[error("cannot {doing} in {database}")]
    Query { database: String, doing: &'static str, source: DbErr },
    #[error("{database} holds a row of `{table}` (`{key}`) that cannot be read; expected {expected}")]
    Unreadable {
        database: String,
        table: &'static str,
        key: String,
        expected: &'static str,
        source: Option<serde_json::Error>,
    },
    #[error(
        "a row of `{table}` (`{key}`) could not be read back and was not written to {database}; expected values inside the bounds of their types"
    )]
    Unwritable { database: String, table: &'static str, key: String, source: serde_json::Error },
    #[error("{what} of {bytes} bytes does not fit into {database}; expected at most {limit}")]
    KeyTooLong { database: String, what: &'static str, bytes: usize, limit: usize },
    #[error("{what} {number} does not fit into {database}; expected at most 2^63 - 1")]
    NumberTooLarge { database: String, what: &'static str, number: u64 },
    #[error("{what} `{found}` is unknown to {database}; expected {expected}")]
    UnknownWord { database: String, what: &'static str, found: String, expected: &'static str },
    #[error("{what} `{key}` is not in {database}; expected one that was put there before")]
    Missing { database: String, what: &'static str, key: String },
    #[error(
        "bundle revision {revision} is already in {database} with other bytes; expected a higher revision"
    )]
    RevisionTaken { database: String, revision: u64 },
    #[error(
        "a verdict on `{control}` for another slot or catalogue was given with a slot of {database}; expected the slot's own"
    )]
    ForeignVerdict { database: String, control: String },
}
