//! PostgreSQL: one pool for all, synced commits, TLS unless the server is on this machine.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector, Statement};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::{Connections, STATEMENT_CACHE, WAIT};
use crate::{StoreError, Target};

const CONNECTIONS: u32 = 8;
/// How long a server may take to answer when the store is opened.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Held while the schema is looked at and changed, so that two that open at once do not both change it.
const SCHEMA_LOCK: i64 = 0x7072_6f62_6974_7901;
const EXPECTED: &str = "a PostgreSQL server that answers there, a user that may create tables, and TLS (`sslmode=disable` in the URL does without)";

pub(crate) async fn open(target: &Target, url: &str) -> Result<Connections, StoreError> {
    let options = options(url)?;
    let refused = |source: sqlx::Error| StoreError::Open {
        database: target.to_string(),
        expected: EXPECTED,
        source: DbErr::Conn(RuntimeErr::SqlxError(source.into())),
    };
    // A pool tries again and again; whoever starts a server wants to know at once.
    let first = tokio::time::timeout(FIRST_ANSWER, options.connect()).await;
    let first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(refused)?;
    first.close().await.map_err(refused)?;
    let pool =
        PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(WAIT).connect_lazy_with(options);
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    let encoding = server_encoding(&pool).await.map_err(|source| StoreError::Open {
        database: target.to_string(),
        expected: EXPECTED,
        source,
    })?;
    if encoding != "UTF8" {
        return Err(StoreError::Encoding { database: target.to_string(), found: encoding });
    }
    Ok(Connections { writer: pool.clone(), reader: pool })
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_owned();
        return Err(StoreError::UnknownScheme { scheme });
    }
    let options = url.parse::<PgConnectOptions>().map_err(StoreError::Url)?;
    // A URL has brackets around an IPv6 address, a resolver knows none.
    let bare =
        options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    let options = match bare {
        Some(host) => options.host(&host),
        None => options,
    };
    let options = match is_local(&options) || states_tls(url) {
        true => options,
        false => options.ssl_mode(PgSslMode::VerifyFull),
    };
    // A server may be set to acknowledge before it syncs; control state must not be.
    Ok(options
        .application_name("probity")
        .options([("synchronous_commit", "on")])
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging())
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn states_tls(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair.starts_with("sslmode=") || pair.starts_with("ssl-mode="))
}

/// `host:port/name`, for texts.
pub(crate) fn place(url: &str) -> Option<String> {
    let options = url.parse::<PgConnectOptions>().ok()?;
    let name = options.get_database().unwrap_or(options.get_username());
    Some(match options.get_socket() {
        Some(folder) => format!("{}/{name}", folder.display()),
        None => format!("{}:{}/{name}", options.get_host(), options.get_port()),
    })
}

async fn server_encoding(pool: &DatabaseConnection) -> Result<String, DbErr> {
    let statement = Statement::from_string(pool.get_database_backend(), "SHOW server_encoding");
    let row = pool.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("server_encoding".to_owned()))?.try_get_by_index(0)
}

/// Until the end of the transaction.
pub(crate) async fn lock_schema(transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
    transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")).await.map(drop)
}

#[cfg(test)]
mod tests;
