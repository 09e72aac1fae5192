//! Controls: what stands between a routed call and its upstream, and between the answer and the client.
//!
//! Each control is a [`Guard`](identity::Guard) of its own, built from its section of the bundle, with a mode of its own;
//! absent when off. [`crate::ingress`] calls the stages below in their order. What a stage finds is a [`Ruling`]; the
//! call decides by the ruling's mode whether it ends there. What outlives a bundle (caches, counters) is in [`State`].
//!
//! A stage that panics refuses the call where its mode is block, and passes and is recorded where it observes.

pub(crate) mod answer;
pub(crate) mod answers;
pub(crate) mod authorization;
pub(crate) mod body;
pub(crate) mod coding;
pub(crate) mod contract;
pub(crate) mod identity;
pub(crate) mod leaks;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod ruling;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use probity_model::EnforcementMode;
use probity_model::bundle::BundleService;

pub(crate) use self::answer::{Answer, FieldEdits, Shown};
pub(crate) use self::body::Held;
pub(crate) use self::ruling::Ruling;
use crate::bundle::BundleRefusal;
use crate::ingress::{Call, Stop};
use crate::metrics::Stage;
use crate::peer::BodyFilter;

/// Why a section of a bundle cannot be enforced.
pub(crate) type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub identity: identity::Memory,
    pub limits: limits::Memory,
    pub authorization: authorization::Memory,
    pub leaks: leaks::Memory,
}

/// The controls in front of one service.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    pub network: Option<network::Guard>,
    pub identity: Option<identity::Guard>,
    pub limits: Option<limits::Guard>,
    pub authorization: Option<authorization::Guard>,
    pub contract: Option<contract::Guard>,
    pub leaks: Option<leaks::Guard>,
    pub answers: Option<answers::Guard>,
}

impl Guards {
    /// `None` for a service that is only observed.
    pub fn build(service: &BundleService, state: &Arc<State>) -> Result<Option<Arc<Self>>, BundleRefusal> {
        let Some(all) = &service.protection else { return Ok(None) };
        let refused = |section: &'static str| {
            move |source| BundleRefusal::Protection { service: service.id.to_string(), section, source }
        };
        // A section that is absent or off has no guard.
        macro_rules! guard {
            ($section:ident($($more:expr),*)) => {
                all.$section
                    .as_ref()
                    .filter(|policy| policy.mode != EnforcementMode::Off)
                    .map(|policy| $section::Guard::build(policy, $($more),*))
                    .transpose()
                    .map_err(refused(stringify!($section)))?
            };
        }
        // Requests and answers have modes of their own.
        let contract =
            all.contract.as_ref().map(|policy| contract::Guard::build(policy, service, all.leaks.is_some()));
        Ok(Some(Arc::new(Self {
            network: guard!(network()),
            identity: guard!(identity(service, state)),
            limits: guard!(limits(service, state)),
            authorization: guard!(authorization(service, state)),
            contract: contract.transpose().map_err(refused("contract"))?.flatten(),
            leaks: guard!(leaks(state)),
            answers: guard!(answers()),
        })))
    }

    /// A draft's, with counters and caches of its own: what is in force does not feel it.
    pub fn build_draft(
        service: &BundleService,
        state: &Arc<State>,
    ) -> Result<Option<Arc<Self>>, BundleRefusal> {
        let Some(staged) = &service.staged else { return Ok(None) };
        let service = BundleService { protection: Some(staged.clone()), staged: None, ..service.clone() };
        let own = State { identity: state.identity.of_draft(), ..State::default() };
        Self::build(&service, &Arc::new(own))
    }

    /// Everything that a request's head decides.
    pub async fn judge_head(&self, call: &mut Call) -> Result<(), Stop> {
        if let Some(guard) = &self.network {
            stage(call, Stage::Network, guard.mode, async |call| guard.judge_head(call)).await?;
        }
        if let Some(guard) = &self.answers {
            stage(call, Stage::Answers, guard.mode, async |call| guard.judge_request(call)).await?;
        }
        if let Some(guard) = &self.limits {
            stage(call, Stage::Limits, guard.mode, async |call| guard.judge_stranger(call).await).await?;
        }
        if let Some(guard) = &self.identity {
            stage(call, Stage::Identity, guard.mode, async |call| guard.identify(call).await).await?;
        }
        if let Some(guard) = &self.limits {
            stage(call, Stage::Limits, guard.mode, async |call| guard.judge_head(call).await).await?;
        }
        if let Some(guard) = &self.authorization {
            stage(call, Stage::Authorization, guard.mode, async |call| guard.judge_head(call)).await?;
        }
        if let Some(guard) = &self.contract {
            stage(call, Stage::Contract, guard.mode, async |call| guard.judge_head(call)).await?;
        }
        if let Some(guard) = &self.leaks {
            stage(call, Stage::Leaks, guard.mode, async |call| guard.judge_head(call)).await?;
        }
        Ok(())
    }

    /// How much of the request's body the controls want to see before the upstream does; `None` when none of it.
    pub fn wants_body(&self, call: &Call) -> Option<u64> {
        let contract = self.contract.as_ref().and_then(|guard| guard.wants_body(call));
        let authorization = self.authorization.as_ref().and_then(|guard| guard.wants_body(call));
        let leaks = self.leaks.as_ref().and_then(|guard| guard.wants_body(call));
        let limits = self.limits.as_ref().and_then(|guard| guard.wants_body(call));
        contract.max(authorization).max(leaks).max(limits)
    }

    /// Judges the held body, which may be changed.
    pub async fn judge_body(&self, call: &mut Call) -> Result<(), Stop> {
        if let Some(guard) = &self.limits {
            stage(call, Stage::Limits, guard.mode, async |call| guard.judge_body(call).await).await?;
        }
        if let Some(guard) = &self.contract {
            stage(call, Stage::Contract, guard.mode, async |call| guard.judge_body(call)).await?;
        }
        if let Some(guard) = &self.authorization {
            stage(call, Stage::Authorization, guard.mode, async |call| guard.judge_body(call)).await?;
        }
        if let Some(guard) = &self.leaks {
            stage(call, Stage::Leaks, guard.mode, async |call| guard.judge_body(call)).await?;
        }
        Ok(())
    }

    /// What an answer's head decides.
    pub async fn judge_answer_head(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if let Some(guard) = &self.network {
            stage(call, Stage::Network, guard.mode, async |call| guard.judge_answer(call, answer)).await?;
        }
        if let Some(guard) = &self.limits {
            stage(call, Stage::Limits, guard.mode, async |call| guard.judge_answer(call, answer)).await?;
        }
        if let Some(guard) = &self.answers {
            stage(call, Stage::Answers, guard.mode, async |call| guard.judge_head(call, answer)).await?;
        }
        if let Some(guard) = &self.contract {
            stage(call, Stage::Contract, guard.mode, async |call| guard.judge_answer_head(call, answer))
                .await?;
        }
        if let Some(guard) = &self.leaks {
            stage(call, Stage::Leaks, guard.mode, async |call| guard.judge_answer_head(call, answer)).await?;
        }
        Ok(())
    }

    /// How much of the answer's body the controls want to see before the client does.
    pub fn wants_answer(&self, call: &Call, answer: &Answer) -> Option<u64> {
        let contract = self.contract.as_ref().and_then(|guard| guard.wants_answer(call, answer));
        let properties = self.authorization.as_ref().and_then(|guard| guard.wants_answer(call, answer));
        let leaks = self.leaks.as_ref().and_then(|guard| guard.wants_answer(call, answer));
        let errors = self.answers.as_ref().and_then(|guard| guard.wants_answer(call, answer));
        contract.max(properties).max(leaks).max(errors)
    }

    /// What can be said of an answer that is longer than what was held.
    pub async fn judge_long_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if let Some(guard) = &self.authorization {
            stage(call, Stage::Authorization, guard.mode, async |call| guard.judge_answer(call, answer))
                .await?;
        }
        Ok(())
    }

    /// What a body that is longer than what was held passes through.
    pub fn filter(&self, call: &mut Call, answer: &mut Answer) -> Result<Option<Box<dyn BodyFilter>>, Stop> {
        self.leaks.as_ref().map_or(Ok(None), |guard| guard.filter(call, answer))
    }

    /// Judges the held answer, which may be changed. The leak guard decodes it first, so that all see plain bytes.
    pub async fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if let Some(guard) = &self.leaks {
            stage(call, Stage::Leaks, guard.mode, async |call| guard.decode(call, answer)).await?;
        }
        if let Some(guard) = &self.contract {
            stage(call, Stage::Contract, guard.mode, async |call| guard.judge_answer(call, answer)).await?;
        }
        if let Some(guard) = &self.authorization {
            stage(call, Stage::Authorization, guard.mode, async |call| guard.judge_answer(call, answer))
                .await?;
        }
        if let Some(guard) = &self.leaks {
            stage(call, Stage::Leaks, guard.mode, async |call| guard.judge_answer(call, answer)).await?;
        }
        if let Some(guard) = &self.answers {
            stage(call, Stage::Answers, guard.mode, async |call| guard.judge_answer(call, answer)).await?;
        }
        Ok(())
    }
}

/// Runs one stage of a control, times it, and turns a panic into what its mode wants.
async fn stage(
    call: &mut Call,
    stage: Stage,
    mode: EnforcementMode,
    run: impl AsyncFnOnce(&mut Call) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let ended = caught(run(call)).await;
    call.lap(stage);
    match ended {
        Ok(ended) => ended,
        Err(Panicked) => call.stage_panicked(mode),
    }
}

#[derive(Debug)]
struct Panicked;

async fn caught<T>(stage: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut stage = pin!(stage);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| stage.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
