//! The store itself: opening, closing, and named bytes.

use std::fmt;
use std::sync::Arc;

use sea_orm::{ActiveValue::Set, DatabaseConnection, DatabaseTransaction, EntityTrait};

use crate::connect::Connections;
use crate::entity::state;
use crate::{StoreError, Target, migration, write};

/// Control state in one database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    target: Target,
    connections: Connections,
}

impl Store {
    /// Opens the database, makes it when the target is a file that is not there, and brings its schema to this
    /// version. Refuses a schema of a newer version.
    pub async fn open(target: &Target) -> Result<Self, StoreError> {
        let connections = Connections::open(target).await?;
        if let Err(problem) = migration::run(&connections, target).await {
            // The problem at hand says more than one about closing.
            let _ = connections.close().await;
            return Err(problem);
        }
        Ok(Self { inner: Arc::new(Inner { target: target.clone(), connections }) })
    }

    /// Ends every connection, of all clones; what was acknowledged stays.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.connections.close().await.map_err(self.failed("close connections"))
    }

    /// Keeps `value` under `key`, in place of what was there.
    pub async fn put_state(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let failed = self.failed("write state");
        let row = state::ActiveModel {
            name: Set(self.name_key("the state key", key)?),
            value: Set(value.to_vec()),
        };
        let transaction = self.begin().await?;
        write::insert(&transaction, [row], &write::replace::<state::Entity>()).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    pub async fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.name_key("the state key", key)?;
        let row =
            state::Entity::find_by_id(key).one(self.reader()).await.map_err(self.failed("read state"))?;
        Ok(row.map(|row| row.value))
    }

    pub(crate) fn database(&self) -> String {
        self.inner.target.to_string()
    }

    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.inner.connections.reader
    }

    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        self.inner.connections.begin().await.map_err(self.failed("begin a transaction"))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.inner.target)
    }
}

/// Both databases count rows in signed 64 bits.
pub(crate) fn row_limit(limit: u64) -> u64 {
    limit.min(i64::MAX.unsigned_abs())
}
