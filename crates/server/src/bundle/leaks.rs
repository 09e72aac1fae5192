//! Compiles `protect.leaks`.

use probity_model::bundle::leaks::LeakPolicy;

use super::Context;
use crate::config::leaks::LeaksConfig;

pub(super) fn compile(context: &Context<'_>, config: &LeaksConfig) -> Result<Option<LeakPolicy>, String> {
    Ok(context.mode(config.mode).map(|mode| LeakPolicy { mode }))
}
