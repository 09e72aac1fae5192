//! Closed segments of the records: where the calls of a sequence range are, or were.

use probity_model::{Digest, Timestamp};
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::entity::segment::{ActiveModel, Column, Entity};
use crate::{Store, StoreError, write};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRow {
    pub file: String,
    pub first_sequence: u64,
    pub last_sequence: u64,
    pub records: u64,
    pub digest: Digest,
    /// Its leaf in the evidence log.
    pub ledger_index: Option<u64>,
    pub closed_at: Timestamp,
    /// When retention deleted it.
    pub deleted_at: Option<Timestamp>,
}

impl Store {
    /// In place of what was known of the same file.
    pub async fn put_segment(&self, segment: &SegmentRow) -> Result<(), StoreError> {
        let failed = self.failed("write a segment");
        let file = self.name_key("the segment's file", &segment.file)?;
        let row = ActiveModel {
            document: Set(self.document("segment", &file, segment)?),
            file: Set(file),
            first_sequence: Set(self.number("the sequence number", segment.first_sequence)?),
        };
        let transaction = self.begin().await?;
        write::insert(&transaction, [row], &write::replace::<Entity>()).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// In the order of their sequence numbers, then by file.
    pub async fn segments(&self) -> Result<Vec<SegmentRow>, StoreError> {
        let query = Entity::find().order_by_asc(Column::FirstSequence).order_by_asc(Column::File);
        let rows = query.all(self.reader()).await.map_err(self.failed("read segments"))?;
        rows.iter().map(|row| self.read("segment", &row.file, &row.document)).collect()
    }
}
