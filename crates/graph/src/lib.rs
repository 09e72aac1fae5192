//! probity-graph
