//! Secrets that a person hands over in a file: read, hashed, and never kept.

use probity_vault::SecretBytes;

pub use crate::bundle::identity::read_secret as read;
pub use probity_gateway::secret_digest as digest;

/// What lists show of a secret.
pub fn hint(secret: &[u8]) -> String {
    probity_gateway::key_hint(&String::from_utf8_lossy(secret))
}

/// Argon2id with a fresh salt.
///
/// # Errors
/// Where there is no randomness, or the library refuses.
pub fn hash_password(password: &[u8]) -> anyhow::Result<String> {
    let salt = SecretBytes::<16>::random()?;
    Ok(probity_gateway::hash_password(password, salt.expose())?)
}
