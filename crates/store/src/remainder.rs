//! What people add to the checks: exceptions and attestations.

use sea_orm::{ActiveValue, ActiveValue::Set, EntityTrait, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::remainder::{ActiveModel, Column, Entity};
use crate::{Store, StoreError};

const KINDS: [&str; 2] = ["exception", "attestation"];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemainderRow {
    /// `exception` or `attestation`.
    pub kind: String,
    pub document: Value,
}

impl Store {
    /// Added to those before; none is ever replaced.
    pub async fn put_remainder(&self, row: &RemainderRow) -> Result<(), StoreError> {
        let failed = self.failed("write an exception or attestation");
        if !KINDS.contains(&row.kind.as_str()) {
            return Err(StoreError::UnknownWord {
                database: self.database(),
                what: "the kind",
                found: row.kind.clone(),
                expected: "`exception` or `attestation`",
            });
        }
        let document = self.document("remainder", &row.kind, row)?;
        let transaction = self.begin().await?;
        let row = ActiveModel { id: ActiveValue::NotSet, document: Set(document) };
        Entity::insert(row).exec(&transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// In the order in which they were added.
    pub async fn remainder(&self) -> Result<Vec<RemainderRow>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Id).all(self.reader()).await;
        let rows = rows.map_err(self.failed("read exceptions and attestations"))?;
        rows.iter().map(|row| self.read("remainder", &row.id.to_string(), &row.document)).collect()
    }
}
