//! probity-report
