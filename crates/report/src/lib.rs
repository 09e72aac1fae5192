//! Files for others, made from one report model: self-contained HTML and JSON.
//!
//! [`ReportDocument`] is everything a report says; rendering adds no judgement. Where its numbers come from is the
//! server's; other formats (OSCAL, SARIF) join here.

mod document;
mod html;

pub use document::{
    InventorySummary, LedgerSummary, LogSummary, REPORT_VERSION, ReportCheck, ReportControl, ReportDocument,
    ReportOutcome,
};
pub use html::html;
