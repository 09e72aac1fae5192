//! probity-gateway
