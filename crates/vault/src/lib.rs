//! probity-vault
