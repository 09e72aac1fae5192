//! probity-model
