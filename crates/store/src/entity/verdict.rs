//! Verdicts of closed slots.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verdict")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot_from: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot_to: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub catalogue: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub framework: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub control: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    pub document: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
