//! What exists and how it connects: path templates learned from traffic, the inventory, reconciliation of sources,
//! and the facts that checks see of an operation. Pure: exchanges and documents in, values out.
//!
//! [`template`] learns which path segments vary; [`inventory`] folds exchanges, [`decided`] the decisions on them; [`reconcile`] joins what was observed
//! with what is documented; [`facts`] states the result to the checks. Judging is `probity-policy`'s.

pub mod decided;
pub mod facts;
pub mod inventory;
pub mod observed;
pub mod openapi;
pub mod reconcile;
pub mod risk;
pub mod template;

pub use inventory::{Inventory, Resolved};
pub use reconcile::{Reconciled, ServiceSources, Sources};
pub use risk::RiskRules;
pub use template::Learner;
