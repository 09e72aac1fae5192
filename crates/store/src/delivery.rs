//! Alerts on their way to a receiver, kept until they arrived or were given up.

use probity_model::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};

use crate::entity::delivery::{ActiveModel, Column, Entity, Model};
use crate::store::row_limit;
use crate::{Store, StoreError};

const PENDING: &str = "pending";
const STATES: [&str; 3] = [PENDING, "delivered", "failed"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Sent along, so that a receiver can tell a repetition.
    pub id: String,
    pub url: String,
    pub event: String,
    pub body: String,
    pub attempts: u32,
    pub next_at: Timestamp,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    pub last_error: Option<String>,
}

impl Store {
    /// An id that is already queued stays as it is: the same alert is sent once.
    pub async fn enqueue_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let failed = self.failed("queue a delivery");
        let row = self.delivery_row(delivery)?;
        let queued = OnConflict::column(Column::Id).do_nothing().to_owned();
        let transaction = self.begin().await?;
        let insert = Entity::insert(row).on_conflict(queued);
        insert.exec_without_returning(&transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// At most `limit` pending ones whose time has come, the longest due first.
    pub async fn due_deliveries(&self, now: Timestamp, limit: u64) -> Result<Vec<Delivery>, StoreError> {
        let query = Entity::find()
            .filter(Column::State.eq(PENDING))
            .filter(Column::NextAt.lte(now.as_micros()))
            .order_by_asc(Column::NextAt)
            .order_by_asc(Column::Number)
            .limit(row_limit(limit));
        let rows = query.all(self.reader()).await.map_err(self.failed("read due deliveries"))?;
        self.read_deliveries(&rows)
    }

    /// Writes what became of a delivery that was queued before.
    pub async fn update_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let failed = self.failed("write a delivery");
        let row = self.delivery_row(delivery)?;
        let id = self.name_key("the delivery id", &delivery.id)?;
        let transaction = self.begin().await?;
        let update = Entity::update_many().set(row).filter(Column::Id.eq(id));
        let updated = update.exec(&transaction).await.map_err(&failed)?;
        if updated.rows_affected == 0 {
            let (what, key) = ("the delivery", delivery.id.clone());
            return Err(StoreError::Missing { database: self.database(), what, key });
        }
        transaction.commit().await.map_err(&failed)
    }

    /// The newest `limit`, last queued first.
    pub async fn deliveries(&self, limit: u64) -> Result<Vec<Delivery>, StoreError> {
        let query = Entity::find().order_by_desc(Column::Number).limit(row_limit(limit));
        let rows = query.all(self.reader()).await.map_err(self.failed("read deliveries"))?;
        self.read_deliveries(&rows)
    }

    fn delivery_row(&self, delivery: &Delivery) -> Result<ActiveModel, StoreError> {
        if !STATES.contains(&delivery.state.as_str()) {
            return Err(StoreError::UnknownWord {
                database: self.database(),
                what: "the state",
                found: delivery.state.clone(),
                expected: "`pending`, `delivered` or `failed`",
            });
        }
        let id = self.name_key("the delivery id", &delivery.id)?;
        Ok(ActiveModel {
            number: ActiveValue::NotSet,
            document: Set(self.document("delivery", &id, delivery)?),
            id: Set(id),
            state: Set(delivery.state.clone()),
            next_at: Set(delivery.next_at.as_micros()),
        })
    }

    fn read_deliveries(&self, rows: &[Model]) -> Result<Vec<Delivery>, StoreError> {
        rows.iter().map(|row| self.read("delivery", &row.id, &row.document)).collect()
    }
}
