//! The schema and its changes, in order. A migration that was released is never edited: the next one changes what
//! it made. All pending ones run in one transaction, so a database is at one version or at another.

mod m0001_control_state;
mod m0002_callers;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QuerySelect};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager, seaql_migrations};

use crate::connect::{Connections, postgres};
use crate::{StoreError, Target};

struct Migrations;

impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_control_state::ControlState), Box::new(m0002_callers::Callers)]
    }
}

/// Brings the database to the newest version; a database from a newer binary is left as it is.
pub(crate) async fn run(connections: &Connections, target: &Target) -> Result<(), StoreError> {
    let failed =
        |source| StoreError::Query { database: target.to_string(), doing: "prepare the tables", source };
    let transaction = connections.begin().await.map_err(failed)?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        postgres::lock_schema(&transaction).await.map_err(failed)?;
    }
    let applied = applied(&transaction).await.map_err(failed)?;
    let known: Vec<String> =
        Migrations::migrations().iter().map(|one| MigrationName::name(one.as_ref()).to_owned()).collect();
    if let Some(found) = applied.iter().find(|name| !known.contains(name)) {
        return Err(StoreError::NewerSchema {
            database: target.to_string(),
            found: found.clone(),
            newest: known.last().cloned().unwrap_or_default(),
        });
    }
    if applied.len() < known.len() {
        Migrations::up(&transaction, None).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// Names of the migrations that the database has seen; none when it is new.
async fn applied(transaction: &sea_orm::DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(transaction).has_table("seaql_migrations").await? {
        return Ok(Vec::new());
    }
    seaql_migrations::Entity::find()
        .select_only()
        .column(seaql_migrations::Column::Version)
        .into_tuple()
        .all(transaction)
        .await
}
