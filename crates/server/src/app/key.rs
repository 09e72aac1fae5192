//! Keys of consumers, and the directory that every published bundle carries.

use probity_model::Bundle;

use super::App;
use crate::bundle::identity::{self, Directory};
use crate::bundle::issuer;

impl App {
    /// Fills in who may call: the configuration in force and what the store keeps.
    pub(super) fn add_directory(&self, bundle: &mut Bundle) -> anyhow::Result<()> {
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let key = self.vault.signing_seed("identity")?;
        identity::fill(bundle, loaded, key.expose(), &Directory::default())
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let key = self.vault.signing_seed(issuer::SEALING_SEED)?;
        issuer::seal(bundle, loaded, key.expose()).map_err(|problem| anyhow::anyhow!("{problem}"))
    }
}
