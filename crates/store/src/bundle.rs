//! Signed bundles, one for each revision.

use probity_model::Timestamp;
use probity_model::bundle::SignedBundle;
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};

use crate::entity::bundle::{ActiveModel, Column, Entity};
use crate::{Store, StoreError, write};

impl Store {
    /// A revision is written once; the same bytes again change nothing, other bytes are refused.
    pub async fn put_bundle(
        &self,
        revision: u64,
        bundle: &SignedBundle,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let failed = self.failed("write a bundle");
        let number = self.number("the revision", revision)?;
        let document = self.document("bundle", &revision.to_string(), bundle)?;
        let transaction = self.begin().await?;
        let row =
            ActiveModel { revision: Set(number), at: Set(at.as_micros()), document: Set(document.clone()) };
        write::insert(&transaction, [row], &write::keep::<Entity>()).await.map_err(&failed)?;
        let kept = Entity::find_by_id(number).one(&transaction).await.map_err(&failed)?;
        if kept.is_none_or(|kept| kept.document != document) {
            return Err(StoreError::RevisionTaken { database: self.database(), revision });
        }
        transaction.commit().await.map_err(&failed)
    }

    /// The bundle of one revision.
    pub async fn bundle(&self, revision: u64) -> Result<Option<SignedBundle>, StoreError> {
        let number = self.number("the revision", revision)?;
        let row =
            Entity::find_by_id(number).one(self.reader()).await.map_err(self.failed("read a bundle"))?;
        row.map(|row| self.read("bundle", &revision.to_string(), &row.document)).transpose()
    }

    /// The bundle of the highest revision.
    pub async fn latest_bundle(&self) -> Result<Option<(u64, SignedBundle)>, StoreError> {
        let row = Entity::find().order_by_desc(Column::Revision).one(self.reader()).await;
        let Some(row) = row.map_err(self.failed("read the latest bundle"))? else { return Ok(None) };
        let key = row.revision.to_string();
        let revision = u64::try_from(row.revision).map_err(|_| StoreError::Unreadable {
            database: self.database(),
            table: "bundle",
            key: key.clone(),
            expected: "a revision of 0 or more",
            source: None,
        })?;
        Ok(Some((revision, self.read("bundle", &key, &row.document)?)))
    }
}
