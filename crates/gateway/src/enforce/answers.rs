//! What the gateway puts right in answers.

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
        let Some(policy) = service.protection.as_ref().and_then(|all| all.answers.as_ref()) else {
            return Ok(None);
        };
        Ok((policy.mode != EnforcementMode::Off).then_some(Self { mode: policy.mode }))
    }

    /// Preflights, which the gateway answers itself.
    pub fn judge_request(&self, _call: &mut Call) -> Result<(), Stop> {
        Ok(())
    }

    /// Banners, security headers, CORS.
    pub fn judge_head(&self, _call: &mut Call, _answer: &mut Answer) -> Result<(), Stop> {
        Ok(())
    }

    pub fn wants_answer(&self, _call: &Call, _answer: &Answer) -> Option<u64> {
        None
    }

    /// Error bodies.
    pub fn judge_answer(&self, _call: &mut Call, _answer: &mut Answer) -> Result<(), Stop> {
        Ok(())
    }
}
