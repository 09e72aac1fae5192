//! probity-clinic
