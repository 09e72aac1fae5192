//! Operations of the inventory, and what a person set for them.

use std::collections::BTreeMap;

use probity_model::OperationId;
use probity_model::inventory::{Operation, OperationSettings};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::entity::{operation, operation_settings};
use crate::write::{self, rows_per_statement};
use crate::{Store, StoreError};

const WHAT: &str = "the operation id";

#[derive(Serialize, Deserialize)]
struct SettingsDocument {
    operation: OperationId,
    settings: OperationSettings,
}

impl Store {
    /// Writes `changed` over what was known of them and takes `removed` out, all or nothing. An operation in both
    /// stays.
    pub async fn put_operations(
        &self,
        changed: &[Operation],
        removed: &[OperationId],
    ) -> Result<(), StoreError> {
        let failed = self.failed("write operations");
        let mut rows = BTreeMap::new();
        for operation in changed {
            let id = self.subject_key(WHAT, operation.id.as_str())?;
            let document = self.document("operation", &id, operation)?;
            rows.insert(id.clone(), operation::ActiveModel { id: Set(id), document: Set(document) });
        }
        let removed: Vec<String> =
            removed.iter().map(|id| self.subject_key(WHAT, id.as_str())).collect::<Result<_, _>>()?;
        let transaction = self.begin().await?;
        for ids in removed.chunks(rows_per_statement(1)) {
            let gone = operation::Column::Id.is_in(ids.iter().cloned());
            operation::Entity::delete_many().filter(gone).exec(&transaction).await.map_err(&failed)?;
        }
        let replace = write::replace::<operation::Entity>();
        write::insert(&transaction, rows.into_values(), &replace).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// In the order of their ids.
    pub async fn operations(&self) -> Result<Vec<Operation>, StoreError> {
        let rows = operation::Entity::find().order_by_asc(operation::Column::Id).all(self.reader()).await;
        let rows = rows.map_err(self.failed("read operations"))?;
        rows.iter().map(|row| self.read("operation", &row.id, &row.document)).collect()
    }

    pub async fn operation(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let id = self.subject_key(WHAT, id.as_str())?;
        let row = operation::Entity::find_by_id(id).one(self.reader()).await;
        let row = row.map_err(self.failed("read an operation"))?;
        row.map(|row| self.read("operation", &row.id, &row.document)).transpose()
    }

    /// Settings outlive their operation: it may be seen again.
    pub async fn put_operation_settings(
        &self,
        id: &OperationId,
        settings: &OperationSettings,
    ) -> Result<(), StoreError> {
        let failed = self.failed("write the settings of an operation");
        let key = self.subject_key(WHAT, id.as_str())?;
        let document = SettingsDocument { operation: id.clone(), settings: settings.clone() };
        let document = self.document("operation_settings", &key, &document)?;
        let row = operation_settings::ActiveModel { operation_id: Set(key), document: Set(document) };
        let transaction = self.begin().await?;
        let replace = write::replace::<operation_settings::Entity>();
        write::insert(&transaction, [row], &replace).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    pub async fn operation_settings(&self) -> Result<BTreeMap<OperationId, OperationSettings>, StoreError> {
        let rows = operation_settings::Entity::find().all(self.reader()).await;
        let rows = rows.map_err(self.failed("read the settings of operations"))?;
        rows.iter()
            .map(|row| {
                let read: SettingsDocument =
                    self.read("operation_settings", &row.operation_id, &row.document)?;
                Ok((read.operation, read.settings))
            })
            .collect()
    }
}
