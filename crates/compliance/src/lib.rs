//! probity-compliance
