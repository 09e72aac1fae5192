//! Judged inputs, by digest. Never changed once written.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: String,
    pub bytes: Vec<u8>,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_one = "super::evidence_leaf::Entity")]
    Leaf,
}

impl Related<super::evidence_leaf::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Leaf.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
