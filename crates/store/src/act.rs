//! Administrative acts: who did what, and when.

use probity_model::{Digest, Timestamp};
use sea_orm::{ActiveValue, ActiveValue::Set, EntityTrait, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::act::{ActiveModel, Column, Entity};
use crate::{Store, StoreError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    pub at: Timestamp,
    pub actor: String,
    /// Such as `finding-mute`.
    pub kind: String,
    pub document: Value,
    /// SHA-256 of the canonical bytes of `document`.
    pub digest: Digest,
    /// Its leaf in the evidence log.
    pub ledger_index: Option<u64>,
}

impl Store {
    /// The number of the act, higher than that of every act before.
    pub async fn put_act(&self, act: &Act) -> Result<i64, StoreError> {
        let failed = self.failed("write an act");
        let document = self.document("act", &act.kind, act)?;
        let row =
            ActiveModel { id: ActiveValue::NotSet, at: Set(act.at.as_micros()), document: Set(document) };
        let transaction = self.begin().await?;
        let inserted = Entity::insert(row).exec(&transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        Ok(inserted.last_insert_id)
    }

    /// The newest `limit` acts, newest first.
    pub async fn acts(&self, limit: u64) -> Result<Vec<Act>, StoreError> {
        let query = Entity::find().order_by_desc(Column::Id).limit(crate::store::row_limit(limit));
        let rows = query.all(self.reader()).await.map_err(self.failed("read acts"))?;
        rows.iter().map(|row| self.read("act", &row.id.to_string(), &row.document)).collect()
    }
}
