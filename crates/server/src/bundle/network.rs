//! Compiles `protect.network`.

use probity_model::bundle::network::NetworkPolicy;

use super::Context;
use crate::config::network::NetworkConfig;

pub(super) fn compile(
    context: &Context<'_>,
    config: &NetworkConfig,
) -> Result<Option<NetworkPolicy>, String> {
    Ok(context.mode(config.mode).map(|mode| NetworkPolicy { mode }))
}
