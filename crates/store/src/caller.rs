//! Who may call: consumers, their credentials as hashes, and what was revoked. No secret is ever here.

use std::sync::Arc;

use probity_model::Timestamp;
use probity_model::bundle::identity::{Consumer, Credential, Password, Revocation};
use sea_orm::{ActiveValue, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::entity::{consumer, credential, revocation};
use crate::{Store, StoreError, write};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerRow {
    pub consumer: Consumer,
    /// Who answers for it.
    pub owner: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// A credential of a consumer: exactly one of `credential` and `password`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CredentialRow {
    pub id: Arc<str>,
    /// Name of its consumer.
    pub consumer: Arc<str>,
    /// What lists show of the secret.
    pub hint: String,
    pub credential: Option<Credential>,
    pub password: Option<Password>,
    pub issued_at: Timestamp,
    pub issued_by: String,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// The credential that took its place.
    pub replaced_by: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevocationRow {
    pub revocation: Revocation,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

impl Store {
    /// In place of the consumer of the same name.
    pub async fn put_consumer(&self, row: &ConsumerRow) -> Result<(), StoreError> {
        let failed = self.failed("write a consumer");
        let name = self.name_key("the consumer's name", &row.consumer.name)?;
        let document = self.document("consumer", &name, row)?;
        let transaction = self.begin().await?;
        let active = consumer::ActiveModel { name: Set(name), document: Set(document) };
        let replace = write::replace::<consumer::Entity>();
        write::insert(&transaction, [active], &replace).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// In the order of their names.
    pub async fn consumers(&self) -> Result<Vec<ConsumerRow>, StoreError> {
        let rows = consumer::Entity::find().order_by_asc(consumer::Column::Name).all(self.reader()).await;
        let rows = rows.map_err(self.failed("read consumers"))?;
        rows.iter().map(|row| self.read("consumer", &row.name, &row.document)).collect()
    }

    /// All or nothing, each in place of the credential of the same id; of two in one call the last stands.
    pub async fn put_credentials(&self, rows: &[CredentialRow]) -> Result<(), StoreError> {
        let failed = self.failed("write credentials");
        let mut active = std::collections::BTreeMap::new();
        for row in rows {
            let id = self.name_key("the credential id", &row.id)?;
            let one = credential::ActiveModel {
                id: Set(id.clone()),
                consumer: Set(self.name_key("the consumer's name", &row.consumer)?),
                document: Set(self.document("credential", &id, row)?),
            };
            active.insert(id, one);
        }
        let transaction = self.begin().await?;
        let replace = write::replace::<credential::Entity>();
        write::insert(&transaction, active.into_values(), &replace).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// Those of one consumer, or all, in the order of their ids.
    pub async fn credentials(&self, consumer: Option<&str>) -> Result<Vec<CredentialRow>, StoreError> {
        let mut query = credential::Entity::find();
        if let Some(consumer) = consumer {
            let consumer = self.name_key("the consumer's name", consumer)?;
            query = query.filter(credential::Column::Consumer.eq(consumer));
        }
        let rows = query.order_by_asc(credential::Column::Id).all(self.reader()).await;
        let rows = rows.map_err(self.failed("read credentials"))?;
        rows.iter().map(|row| self.read("credential", &row.id, &row.document)).collect()
    }

    pub async fn add_revocation(&self, row: &RevocationRow) -> Result<(), StoreError> {
        let failed = self.failed("write a revocation");
        let document = self.document("revocation", "new", row)?;
        let active = revocation::ActiveModel { id: ActiveValue::NotSet, document: Set(document) };
        let transaction = self.begin().await?;
        revocation::Entity::insert(active).exec(&transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// The oldest first.
    pub async fn revocations(&self) -> Result<Vec<RevocationRow>, StoreError> {
        let rows = revocation::Entity::find().order_by_asc(revocation::Column::Id).all(self.reader()).await;
        let rows = rows.map_err(self.failed("read revocations"))?;
        rows.iter().map(|row| self.read("revocation", &row.id.to_string(), &row.document)).collect()
    }
}
