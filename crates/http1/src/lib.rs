//! probity-http1
