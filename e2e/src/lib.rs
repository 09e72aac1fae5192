//! probity-e2e
