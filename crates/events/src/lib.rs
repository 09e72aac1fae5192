//! probity-events
