//! Compiles `protect.limits`.

use probity_model::bundle::limits::LimitPolicy;

use super::Context;
use crate::config::limits::LimitsPolicyConfig;

pub(super) fn compile(
    context: &Context<'_>,
    config: &LimitsPolicyConfig,
) -> Result<Option<LimitPolicy>, String> {
    Ok(context.mode(config.mode).map(|mode| LimitPolicy { mode }))
}
