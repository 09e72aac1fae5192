//! Findings, by severity, subject, check, state, or the beginning of their id.

use std::collections::BTreeMap;

use probity_model::{CheckId, Finding, Severity, Subject};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::document::{after_prefix, key};
use crate::entity::finding::{ActiveModel, Column, Entity, Model};
use crate::{Store, StoreError, write};

/// Every field that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingFilter {
    /// `open`, `mitigated`, `fixed` or `muted`.
    pub state: Option<String>,
    pub at_least: Option<Severity>,
    pub check: Option<CheckId>,
    pub subject: Option<Subject>,
}

impl Store {
    /// Each in place of the finding of the same id; of two in one call the last stands.
    pub async fn put_findings(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let failed = self.failed("write findings");
        let mut rows = BTreeMap::new();
        for finding in findings {
            let id = self.name_key("the finding id", finding.id.as_str())?;
            let row = ActiveModel {
                id: Set(id.clone()),
                check_id: Set(self.name_key("the check id", finding.check.as_str())?),
                subject_kind: Set(finding.subject.kind.as_str().to_owned()),
                subject_id: Set(self.subject_key("the subject id", &finding.subject.id)?),
                severity: Set(rank(finding.severity)),
                state: Set(finding.state.as_str().to_owned()),
                last_seen: Set(finding.last_seen.as_micros()),
                document: Set(self.document("finding", &id, finding)?),
            };
            rows.insert(id, row);
        }
        let transaction = self.begin().await?;
        write::insert(&transaction, rows.into_values(), &write::replace::<Entity>())
            .await
            .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    /// The worst first, then the last seen, then by id.
    pub async fn findings(&self, filter: &FindingFilter) -> Result<Vec<Finding>, StoreError> {
        let mut query = Entity::find();
        if let Some(state) = &filter.state {
            query = query.filter(Column::State.eq(key(state)));
        }
        if let Some(severity) = filter.at_least {
            query = query.filter(Column::Severity.gte(rank(severity)));
        }
        if let Some(check) = &filter.check {
            query = query.filter(Column::CheckId.eq(self.name_key("the check id", check.as_str())?));
        }
        if let Some(subject) = &filter.subject {
            query = query.filter(Column::SubjectKind.eq(subject.kind.as_str()));
            query = query.filter(Column::SubjectId.eq(self.subject_key("the subject id", &subject.id)?));
        }
        let query =
            query.order_by_desc(Column::Severity).order_by_desc(Column::LastSeen).order_by_asc(Column::Id);
        let rows = query.all(self.reader()).await.map_err(self.failed("read findings"))?;
        self.read_findings(&rows)
    }

    /// Every finding whose id begins with `id_or_prefix`, in the order of their ids.
    pub async fn finding(&self, id_or_prefix: &str) -> Result<Vec<Finding>, StoreError> {
        let prefix = key(id_or_prefix);
        let mut query = Entity::find().filter(Column::Id.gte(prefix.as_str()));
        if let Some(end) = after_prefix(&prefix) {
            query = query.filter(Column::Id.lt(end));
        }
        let rows =
            query.order_by_asc(Column::Id).all(self.reader()).await.map_err(self.failed("read a finding"))?;
        self.read_findings(&rows)
    }

    fn read_findings(&self, rows: &[Model]) -> Result<Vec<Finding>, StoreError> {
        rows.iter().map(|row| self.read("finding", &row.id, &row.document)).collect()
    }
}

/// Severities in the order of the model, as numbers that databases sort.
const fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}
