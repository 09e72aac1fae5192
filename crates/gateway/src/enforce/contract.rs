//! What a call must look like.

use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::{Bundle, BundleService};

use super::{Answer, BuildError, State};
use crate::ingress::{Call, Stop};

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(crate) struct Memory {}

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
        let Some(policy) = service.protection.as_ref().and_then(|all| all.contract.as_ref()) else {
            return Ok(None);
        };
        Ok((policy.mode != EnforcementMode::Off).then_some(Self { mode: policy.mode }))
    }

    /// Parameters.
    pub fn judge_head(&self, _call: &mut Call) -> Result<(), Stop> {
        Ok(())
    }

    pub fn wants_body(&self, _call: &Call) -> Option<u64> {
        None
    }

    pub fn judge_body(&self, _call: &mut Call) -> Result<(), Stop> {
        Ok(())
    }

    pub fn judge_answer_head(&self, _call: &mut Call, _answer: &mut Answer) -> Result<(), Stop> {
        Ok(())
    }

    pub fn wants_answer(&self, _call: &Call, _answer: &Answer) -> Option<u64> {
        None
    }

    pub fn judge_answer(&self, _call: &mut Call, _answer: &mut Answer) -> Result<(), Stop> {
        Ok(())
    }
}
