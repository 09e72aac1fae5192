//! One module for each table, column by column as `migration` makes them. Rows are private to this crate.

pub(crate) mod act;
pub(crate) mod bundle;
pub(crate) mod consumer;
pub(crate) mod credential;
pub(crate) mod delivery;
pub(crate) mod evidence;
pub(crate) mod evidence_leaf;
pub(crate) mod finding;
pub(crate) mod operation;
pub(crate) mod operation_settings;
pub(crate) mod outcome;
pub(crate) mod remainder;
pub(crate) mod revocation;
pub(crate) mod segment;
pub(crate) mod slot;
pub(crate) mod state;
pub(crate) mod verdict;
