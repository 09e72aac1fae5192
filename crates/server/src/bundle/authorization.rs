//! Compiles `protect.authorization`.

use probity_model::bundle::authorization::AuthorizationPolicy;

use super::Context;
use crate::config::authorization::AuthorizationConfig;

pub(super) fn compile(
    context: &Context<'_>,
    config: &AuthorizationConfig,
) -> Result<Option<AuthorizationPolicy>, String> {
    Ok(context.mode(config.mode).map(|mode| AuthorizationPolicy { mode }))
}
