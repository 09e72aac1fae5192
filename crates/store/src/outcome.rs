//! The latest outcome of each subject and check.

use std::collections::BTreeMap;

use probity_model::{CheckId, Outcome, Status, Subject};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::entity::outcome::{ActiveModel, Column, Entity};
use crate::{Store, StoreError, write};

/// Every field that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeFilter {
    pub check: Option<CheckId>,
    pub subject: Option<Subject>,
    pub status: Option<Status>,
}

impl Store {
    /// Each in place of the outcome of the same subject and check; of two in one call the last stands.
    pub async fn put_outcomes(&self, outcomes: &[Outcome]) -> Result<(), StoreError> {
        let failed = self.failed("write outcomes");
        let mut rows = BTreeMap::new();
        for outcome in outcomes {
            let subject_kind = outcome.subject.kind.as_str();
            let subject_id = self.subject_key("the subject id", &outcome.subject.id)?;
            let check_id = self.name_key("the check id", outcome.check.as_str())?;
            let row = ActiveModel {
                subject_kind: Set(subject_kind.to_owned()),
                subject_id: Set(subject_id.clone()),
                check_id: Set(check_id.clone()),
                status: Set(outcome.status.as_str().to_owned()),
                document: Set(self.document("outcome", &subject_id, outcome)?),
            };
            rows.insert((subject_kind, subject_id, check_id), row);
        }
        let transaction = self.begin().await?;
        write::insert(&transaction, rows.into_values(), &write::replace::<Entity>())
            .await
            .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// In the order of check, subject kind and subject id.
    pub async fn outcomes(&self, filter: &OutcomeFilter) -> Result<Vec<Outcome>, StoreError> {
        let mut query = Entity::find();
        if let Some(check) = &filter.check {
            query = query.filter(Column::CheckId.eq(self.name_key("the check id", check.as_str())?));
        }
        if let Some(subject) = &filter.subject {
            query = query.filter(Column::SubjectKind.eq(subject.kind.as_str()));
            query = query.filter(Column::SubjectId.eq(self.subject_key("the subject id", &subject.id)?));
        }
        if let Some(status) = filter.status {
            query = query.filter(Column::Status.eq(status.as_str()));
        }
        let query = query.order_by_asc(Column::CheckId);
        let query = query.order_by_asc(Column::SubjectKind).order_by_asc(Column::SubjectId);
        let rows = query.all(self.reader()).await.map_err(self.failed("read outcomes"))?;
        rows.iter().map(|row| self.read("outcome", &row.subject_id, &row.document)).collect()
    }

    /// Takes every outcome of `subject` out. Its findings stay: what was found is history.
    pub async fn forget_subject(&self, subject: &Subject) -> Result<(), StoreError> {
        let failed = self.failed("forget a subject");
        let id = self.subject_key("the subject id", &subject.id)?;
        let transaction = self.begin().await?;
        let gone = Entity::delete_many()
            .filter(Column::SubjectKind.eq(subject.kind.as_str()))
            .filter(Column::SubjectId.eq(id));
        gone.exec(&transaction).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }
}
