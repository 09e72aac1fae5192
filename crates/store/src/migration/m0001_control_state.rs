//! The first schema: one table for each noun.
//!
//! Text is compared byte by byte on both databases, so that order and prefixes are the same everywhere and do not
//! hang on a server's language.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

pub(super) struct ControlState;

impl MigrationName for ControlState {
    fn name(&self) -> &str {
        "m0001_control_state"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ControlState {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on = Columns { backend: manager.get_database_backend() };
        for mut table in tables(&on) {
            manager.create_table(table.take()).await?;
        }
        for mut index in indexes() {
            manager.create_index(index.take()).await?;
        }
        Ok(())
    }
}

pub(super) struct Columns {
    pub backend: DbBackend,
}

impl Columns {
    pub fn text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.text().not_null();
        if self.backend == DbBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column
    }

    pub fn text_key(&self, name: &'static str) -> ColumnDef {
        self.text(name).primary_key().take()
    }
}

fn integer(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().not_null().take()
}

pub(super) fn counted_key(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().auto_increment().primary_key().take()
}

pub(super) fn table<const N: usize>(name: &'static str, columns: [ColumnDef; N]) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for column in columns {
        table.col(column);
    }
    table
}

fn key<const N: usize>(columns: [&'static str; N]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(column);
    }
    key
}

fn tables(on: &Columns) -> Vec<TableCreateStatement> {
    let slot = ["slot_from", "slot_to", "catalogue"];
    let mut outcome = table(
        "outcome",
        [
            on.text("subject_kind"),
            on.text("subject_id"),
            on.text("check_id"),
            on.text("status"),
            on.text("document"),
        ],
    );
    outcome.primary_key(&mut key(["subject_kind", "subject_id", "check_id"]));
    let mut leaf = table("evidence_leaf", [on.text_key("digest"), integer("ledger_index")]);
    leaf.foreign_key(ForeignKey::create().from("evidence_leaf", "digest").to("evidence", "digest"));
    let mut slots =
        table("slot", [integer("slot_from"), integer("slot_to"), on.text("catalogue"), on.text("document")]);
    slots.primary_key(&mut key(slot));
    let mut verdict = table(
        "verdict",
        [
            integer("slot_from"),
            integer("slot_to"),
            on.text("catalogue"),
            on.text("framework"),
            on.text("control"),
            on.text("scope"),
            on.text("document"),
        ],
    );
    verdict.primary_key(&mut key(["slot_from", "slot_to", "catalogue", "framework", "control", "scope"]));
    let mut within = ForeignKey::create();
    for column in slot {
        within.from("verdict", column).to("slot", column);
    }
    verdict.foreign_key(within.on_delete(ForeignKeyAction::Cascade));
    vec![
        table("state", [on.text_key("name"), bytes("value")]),
        table("operation", [on.text_key("id"), on.text("document")]),
        table("operation_settings", [on.text_key("operation_id"), on.text("document")]),
        outcome,
        table(
            "finding",
            [
                on.text_key("id"),
                on.text("check_id"),
                on.text("subject_kind"),
                on.text("subject_id"),
                integer("severity"),
                on.text("state"),
                integer("last_seen"),
                on.text("document"),
            ],
        ),
        table("evidence", [on.text_key("digest"), bytes("bytes"), integer("at")]),
        leaf,
        slots,
        verdict,
        table("act", [counted_key("id"), integer("at"), on.text("document")]),
        table("bundle", [integer("revision").primary_key().take(), integer("at"), on.text("document")]),
        table("segment", [on.text_key("file"), integer("first_sequence"), on.text("document")]),
        table("remainder", [counted_key("id"), on.text("document")]),
        table(
            "delivery",
            [
                counted_key("number"),
                on.text("id").unique_key().take(),
                on.text("state"),
                integer("next_at"),
                on.text("document"),
            ],
        ),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
        let mut index = Index::create();
        index.name(name).table(table);
        for column in columns {
            index.col(*column);
        }
        index
    };
    vec![
        index("outcome_by_check", "outcome", &["check_id", "status"]),
        index("outcome_by_status", "outcome", &["status"]),
        index("finding_by_severity", "finding", &["severity", "last_seen", "id"]),
        index("finding_by_subject", "finding", &["subject_kind", "subject_id"]),
        index("finding_by_check", "finding", &["check_id"]),
        index("segment_by_sequence", "segment", &["first_sequence"]),
        index("delivery_by_time", "delivery", &["state", "next_at"]),
    ]
}
