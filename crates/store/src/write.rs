//! Many rows in few statements, all inside the caller's transaction.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn,
};

/// Values bound by one statement. SQLite takes 32,766 and PostgreSQL 65,535; far fewer keep the statements that a
/// connection caches small.
const BINDS_PER_STATEMENT: usize = 4_000;

/// What is already there under the same primary key takes the new values.
pub(crate) fn replace<E: EntityTrait>() -> OnConflict {
    let keys: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let is_key = |column: &E::Column| keys.iter().any(|key| key.as_str() == column.as_str());
    let rest: Vec<E::Column> = E::Column::iter().filter(|column| !is_key(column)).collect();
    OnConflict::columns(keys.iter().copied()).update_columns(rest).to_owned()
}

/// What is already there stays.
pub(crate) fn keep<E: EntityTrait>() -> OnConflict {
    OnConflict::columns(E::PrimaryKey::iter()).do_nothing().to_owned()
}

/// With [`replace`], `rows` must not hold one primary key twice: PostgreSQL refuses that.
pub(crate) async fn insert<A>(
    transaction: &DatabaseTransaction,
    rows: impl IntoIterator<Item = A>,
    conflict: &OnConflict,
) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
{
    let columns = <A::Entity as EntityTrait>::Column::iter().count().max(1);
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<A> = rows.by_ref().take(rows_per_statement(columns)).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        A::Entity::insert_many(chunk)
            .on_conflict(conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
}

/// Rows of `binds` values each that one statement takes.
pub(crate) const fn rows_per_statement(binds: usize) -> usize {
    let rows = BINDS_PER_STATEMENT / binds;
    if rows == 0 { 1 } else { rows }
}
