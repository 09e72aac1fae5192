//! What becomes of sensitive data.

use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::{Bundle, BundleService};

use super::{Answer, BuildError, State};
use crate::ingress::{Call, Stop};
use crate::peer::BodyFilter;

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
        let Some(policy) = service.protection.as_ref().and_then(|all| all.leaks.as_ref()) else {
            return Ok(None);
        };
        Ok((policy.mode != EnforcementMode::Off).then_some(Self { mode: policy.mode }))
    }

    /// Sensitive data in the request's target and fields.
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

    /// Undoes the content coding of a held body, so that all controls see plain bytes.
    pub fn decode(&self, _call: &mut Call, _answer: &mut Answer) -> Result<(), Stop> {
        Ok(())
    }

    pub fn judge_answer(&self, _call: &mut Call, _answer: &mut Answer) -> Result<(), Stop> {
        Ok(())
    }

    /// What the rest of an answer that is longer than what is held passes through.
    pub fn filter(&self, _call: &Call, _answer: &Answer) -> Option<Box<dyn BodyFilter>> {
        None
    }
}
