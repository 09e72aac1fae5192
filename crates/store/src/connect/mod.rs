//! Opens connections. What differs between the two databases is in this module and in the column types of
//! `migration`, nowhere else.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::{StoreError, Target};

/// Prepared statements kept by one connection: batches come in many lengths, and each length is a statement.
const STATEMENT_CACHE: usize = 64;
/// How long a caller waits for a connection, and SQLite for another process' lock.
const WAIT: Duration = Duration::from_secs(30);

/// `writer` and `reader` are one pool where the database itself keeps readers and writers apart.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub writer: DatabaseConnection,
    pub reader: DatabaseConnection,
}

impl Connections {
    pub async fn open(target: &Target) -> Result<Self, StoreError> {
        match target {
            Target::Sqlite(path) => sqlite::open_file(target, path).await,
            Target::Memory => sqlite::open_memory(target).await,
            Target::Postgres(url) => postgres::open(target, url).await,
        }
    }

    /// A transaction that will write. SQLite takes its lock at once: a lock that is taken at the first write may
    /// be refused without waiting.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
    }

    /// Readers first: SQLite empties its write-ahead log when the last connection that may write goes.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.reader.close_by_ref().await?;
        self.writer.close_by_ref().await
    }
}
