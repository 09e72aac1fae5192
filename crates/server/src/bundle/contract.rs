//! Compiles `protect.contract`.

use probity_model::bundle::contract::ContractPolicy;

use super::Context;
use crate::config::contract::ContractConfig;

pub(super) fn compile(
    context: &Context<'_>,
    config: &ContractConfig,
) -> Result<Option<ContractPolicy>, String> {
    Ok(context.mode(config.mode).map(|mode| ContractPolicy { mode }))
}
