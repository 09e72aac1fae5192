//! Closed slots and their verdicts.

use probity_model::verdict::Slot;
use probity_model::{Digest, FrameworkId, Timestamp, Verdict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::entity::{slot, verdict};
use crate::{Store, StoreError, write};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRow {
    pub slot: Slot,
    pub catalogue: Digest,
    /// Root of the Merkle map over the slot's verdicts.
    pub root: Digest,
    /// Its leaf in the verdicts log.
    pub ledger_index: Option<u64>,
}

impl Store {
    /// The slot with all its verdicts; a slot of the same bounds and catalogue is replaced as a whole.
    pub async fn put_slot(&self, row: &SlotRow, verdicts: &[Verdict]) -> Result<(), StoreError> {
        let failed = self.failed("write a slot");
        let catalogue = row.catalogue.to_string();
        let verdicts: Vec<_> =
            verdicts.iter().map(|verdict| self.verdict_row(row, verdict)).collect::<Result<_, _>>()?;
        let slot = slot::ActiveModel {
            slot_from: Set(row.slot.from.as_micros()),
            slot_to: Set(row.slot.to.as_micros()),
            catalogue: Set(catalogue.clone()),
            document: Set(self.document("slot", &catalogue, row)?),
        };
        let transaction = self.begin().await?;
        write::insert(&transaction, [slot], &write::replace::<slot::Entity>()).await.map_err(&failed)?;
        let before = verdict::Entity::delete_many()
            .filter(verdict::Column::SlotFrom.eq(row.slot.from.as_micros()))
            .filter(verdict::Column::SlotTo.eq(row.slot.to.as_micros()))
            .filter(verdict::Column::Catalogue.eq(catalogue));
        before.exec(&transaction).await.map_err(&failed)?;
        // A control that is judged twice in one scope is refused by the primary key: it would be in the ledger once.
        for chunk in verdicts.chunks(write::rows_per_statement(7)) {
            let insert = verdict::Entity::insert_many(chunk.iter().cloned());
            insert.exec_without_returning(&transaction).await.map_err(&failed)?;
        }
        transaction.commit().await.map_err(&failed)
    }

    /// Slots that begin at `from` or later and before `to`, in the order of time.
    pub async fn slots(&self, from: Timestamp, to: Timestamp) -> Result<Vec<SlotRow>, StoreError> {
        let query = slot::Entity::find()
            .filter(slot::Column::SlotFrom.gte(from.as_micros()))
            .filter(slot::Column::SlotFrom.lt(to.as_micros()))
            .order_by_asc(slot::Column::SlotFrom)
            .order_by_asc(slot::Column::SlotTo)
            .order_by_asc(slot::Column::Catalogue);
        let rows = query.all(self.reader()).await.map_err(self.failed("read slots"))?;
        rows.iter().map(|row| self.read_slot(row)).collect()
    }

    /// The slot that ended last.
    pub async fn latest_slot(&self) -> Result<Option<SlotRow>, StoreError> {
        let query = slot::Entity::find()
            .order_by_desc(slot::Column::SlotTo)
            .order_by_desc(slot::Column::SlotFrom)
            .order_by_desc(slot::Column::Catalogue);
        let row = query.one(self.reader()).await.map_err(self.failed("read the latest slot"))?;
        row.map(|row| self.read_slot(&row)).transpose()
    }

    /// Verdicts of the slots that begin exactly at `slot_from`, in the order of framework, control and scope.
    pub async fn verdicts(
        &self,
        slot_from: Timestamp,
        framework: Option<&FrameworkId>,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut query = verdict::Entity::find().filter(verdict::Column::SlotFrom.eq(slot_from.as_micros()));
        if let Some(framework) = framework {
            let framework = self.name_key("the framework id", framework.as_str())?;
            query = query.filter(verdict::Column::Framework.eq(framework));
        }
        let query = query
            .order_by_asc(verdict::Column::Framework)
            .order_by_asc(verdict::Column::Control)
            .order_by_asc(verdict::Column::Scope)
            .order_by_asc(verdict::Column::SlotTo)
            .order_by_asc(verdict::Column::Catalogue);
        let rows = query.all(self.reader()).await.map_err(self.failed("read verdicts"))?;
        rows.iter().map(|row| self.read("verdict", &row.control, &row.document)).collect()
    }

    fn verdict_row(&self, row: &SlotRow, verdict: &Verdict) -> Result<verdict::ActiveModel, StoreError> {
        if verdict.slot != row.slot || verdict.catalogue != row.catalogue {
            return Err(StoreError::ForeignVerdict {
                database: self.database(),
                control: verdict.control.to_string(),
            });
        }
        let control = self.name_key("the control id", verdict.control.as_str())?;
        Ok(verdict::ActiveModel {
            slot_from: Set(row.slot.from.as_micros()),
            slot_to: Set(row.slot.to.as_micros()),
            catalogue: Set(row.catalogue.to_string()),
            framework: Set(self.name_key("the framework id", verdict.framework.as_str())?),
            document: Set(self.document("verdict", &control, verdict)?),
            control: Set(control),
            scope: Set(self.name_key("the scope", &verdict.scope)?),
        })
    }

    fn read_slot(&self, row: &slot::Model) -> Result<SlotRow, StoreError> {
        self.read("slot", &row.catalogue, &row.document)
    }
}
