//! Who may call: consumers, their credentials, and what was revoked.

use sea_orm_migration::prelude::*;

use super::m0001_control_state::{Columns, counted_key, table};

pub(super) struct Callers;

impl MigrationName for Callers {
    fn name(&self) -> &str {
        "m0002_callers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Callers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on = Columns { backend: manager.get_database_backend() };
        let tables = [
            table("consumer", [on.text_key("name"), on.text("document")]),
            table("credential", [on.text_key("id"), on.text("consumer"), on.text("document")]),
            table("revocation", [counted_key("id"), on.text("document")]),
        ];
        for mut table in tables {
            manager.create_table(table.take()).await?;
        }
        let mut index = Index::create();
        index.name("credential_by_consumer").table("credential").col("consumer");
        manager.create_index(index).await
    }
}
