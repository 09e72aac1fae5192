//! Compiles `protect.identity`.

use probity_model::bundle::identity::ServiceIdentity;

use super::Context;
use crate::config::identity::ServiceIdentityConfig;

pub(super) fn compile(
    context: &Context<'_>,
    config: &ServiceIdentityConfig,
) -> Result<Option<ServiceIdentity>, String> {
    Ok(context.mode(config.mode).map(|mode| ServiceIdentity { mode, ..ServiceIdentity::default() }))
}
