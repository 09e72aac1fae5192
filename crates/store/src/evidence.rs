//! Evidence bytes by their digest, and where each stands in the ledger.
//!
//! The digest is the caller's: hashing is the ledger's, and what is read here can be checked against it.

use probity_model::{Digest, Timestamp};
use sea_orm::{ActiveValue::Set, EntityTrait, SqlErr};
use serde::{Deserialize, Serialize};

use crate::entity::{evidence, evidence_leaf};
use crate::{Store, StoreError, write};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    pub digest: Digest,
    /// RFC 8785 JSON, exactly as it was judged.
    pub bytes: Vec<u8>,
    pub at: Timestamp,
    /// Its leaf in the evidence log; `None` until that is written.
    pub ledger_index: Option<u64>,
}

impl Store {
    /// What is there under the same digest stays as it is, its ledger index too.
    pub async fn put_evidence(&self, rows: &[EvidenceRow]) -> Result<(), StoreError> {
        let failed = self.failed("write evidence");
        let mut leaves = Vec::new();
        for row in rows {
            if let Some(index) = row.ledger_index {
                leaves.push(self.leaf(row.digest, index)?);
            }
        }
        let evidence = rows.iter().map(|row| evidence::ActiveModel {
            digest: Set(row.digest.to_string()),
            bytes: Set(row.bytes.clone()),
            at: Set(row.at.as_micros()),
        });
        let transaction = self.begin().await?;
        write::insert(&transaction, evidence, &write::keep::<evidence::Entity>()).await.map_err(&failed)?;
        write::insert(&transaction, leaves, &write::keep::<evidence_leaf::Entity>())
            .await
            .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    pub async fn evidence(&self, digest: &Digest) -> Result<Option<EvidenceRow>, StoreError> {
        let query = evidence::Entity::find_by_id(digest.to_string()).find_also_related(evidence_leaf::Entity);
        let found = query.one(self.reader()).await.map_err(self.failed("read evidence"))?;
        let Some((row, leaf)) = found else { return Ok(None) };
        let ledger_index = match leaf {
            Some(leaf) => Some(u64::try_from(leaf.ledger_index).map_err(|_| StoreError::Unreadable {
                database: self.database(),
                table: "evidence_leaf",
                key: leaf.digest,
                expected: "a ledger index of 0 or more",
                source: None,
            })?),
            None => None,
        };
        Ok(Some(EvidenceRow { digest: *digest, bytes: row.bytes, at: Timestamp(row.at), ledger_index }))
    }

    /// The evidence must be there. Of two indices for one digest in one call the last stands.
    pub async fn set_evidence_index(&self, indices: &[(Digest, u64)]) -> Result<(), StoreError> {
        let failed = self.failed("write ledger indices of evidence");
        let mut rows = std::collections::BTreeMap::new();
        for (digest, index) in indices {
            rows.insert(*digest, self.leaf(*digest, *index)?);
        }
        let keys = rows.keys().next().copied();
        let transaction = self.begin().await?;
        let replace = write::replace::<evidence_leaf::Entity>();
        write::insert(&transaction, rows.into_values(), &replace).await.map_err(|problem| {
            match problem.sql_err() {
                Some(SqlErr::ForeignKeyConstraintViolation(_)) => StoreError::Missing {
                    database: self.database(),
                    what: "the evidence of a ledger index, one of those from",
                    key: keys.map(|digest| digest.to_string()).unwrap_or_default(),
                },
                _ => failed(problem),
            }
        })?;
        transaction.commit().await.map_err(&failed)
    }

    fn leaf(&self, digest: Digest, index: u64) -> Result<evidence_leaf::ActiveModel, StoreError> {
        let ledger_index = self.number("the ledger index", index)?;
        Ok(evidence_leaf::ActiveModel { digest: Set(digest.to_string()), ledger_index: Set(ledger_index) })
    }
}
