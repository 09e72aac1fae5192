//! SQLite: one connection writes, several read, write-ahead log, every commit synced to the device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxSqliteConnector};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Connections, STATEMENT_CACHE, WAIT};
use crate::{StoreError, Target};

const READERS: u32 = 4;
/// The write-ahead log is cut back to this after a large transaction.
const LOG_BYTES: &str = "67108864";
const EXPECTED: &str = "a SQLite database that this user may read and write";

pub(crate) async fn open_file(target: &Target, path: &Path) -> Result<Connections, StoreError> {
    create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let opened = async {
        let durable = options()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", LOG_BYTES);
        let writer = pool(durable, 1).await?;
        let reader = pool(options().filename(path).read_only(true), READERS).await?;
        Ok(Connections { writer, reader })
    };
    opened.await.map_err(|source| refused(target, source))
}

/// A database in memory lives as long as its only connection.
pub(crate) async fn open_memory(target: &Target) -> Result<Connections, StoreError> {
    let options = options().in_memory(true).filename(":memory:");
    let only = pool(options, 1).await.map_err(|source| refused(target, source))?;
    Ok(Connections { writer: only.clone(), reader: only })
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(WAIT)
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging()
}

async fn pool(options: SqliteConnectOptions, connections: u32) -> Result<DatabaseConnection, sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

fn refused(target: &Target, source: sqlx::Error) -> StoreError {
    let source = DbErr::Conn(RuntimeErr::SqlxError(source.into()));
    StoreError::Open { database: target.to_string(), expected: EXPECTED, source }
}

/// The file is there before SQLite opens it, so that no moment exists in which others may read it; SQLite gives its
/// log and index files the same permissions.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        }
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests;
