//! probity-reader
