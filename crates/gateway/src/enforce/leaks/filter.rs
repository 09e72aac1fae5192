//! An answer that is longer than what is held, changed as it streams by.

use std::sync::Arc;

use bytes::Bytes;
use probity_http1::Refusal;
use probity_model::{Action, DataClass, Decision, EnforcementMode, Place, Principal};
use probity_policy::redact::{Rules, Stream};

use super::{Guard, Issuer, MAX_RULINGS, caller, operation, ruling};
use crate::enforce::State;
use crate::enforce::coding::StreamDecoder;
use crate::ingress::{Call, Notes};
use crate::peer::{BodyFilter, Fault};
use crate::plan::Plan;
use crate::watch::lock;

/// What a refused or broken body counts as: it ends there, for all to see.
const CUT: Fault = Fault::Invalid(Refusal::BodyCut);

#[derive(Debug)]
pub(super) struct LeakFilter {
    plan: Arc<Plan>,
    state: Arc<State>,
    rules: Rules,
    mode: EnforcementMode,
    principal: Option<Arc<Principal>>,
    operation: Option<u32>,
    decoder: Option<StreamDecoder>,
    stream: Stream,
    notes: Notes,
}

impl LeakFilter {
    pub fn new(guard: &Guard, call: &mut Call, decoder: Option<StreamDecoder>, stream: Stream) -> Self {
        let principal = call.principal.clone();
        Self {
            plan: Arc::clone(&call.plan),
            state: Arc::clone(&guard.state),
            rules: guard.responses.clone(),
            mode: guard.mode,
            operation: caller(call, principal.as_deref()).operation.or_else(|| operation(call)),
            principal,
            decoder,
            stream,
            notes: call.notes(),
        }
    }

    fn pass(&mut self, data: &[u8], last: bool) -> Result<Bytes, Fault> {
        let roles = self.principal.as_ref().map_or(&[][..], |principal| &principal.roles);
        let caller = probity_policy::redact::Caller { roles, operation: self.operation };
        let decide = |class: &DataClass| self.rules.action(class, caller);
        let mut tokens = Issuer(self.state.leaks.tokens());
        let mut out = Vec::with_capacity(data.len() + 64);
        let mut passed = self.stream.feed(&self.plan.scanner, data, &decide, &mut tokens, &mut out);
        if last && passed.is_ok() {
            passed = self.stream.finish(&self.plan.scanner, &decide, &mut tokens, &mut out);
        }
        match passed {
            Ok(()) => Ok(out.into()),
            Err(_) => {
                self.tell(Action::Refuse);
                Err(CUT)
            }
        }
    }

    /// Leaves what was done where the record finds it.
    fn tell(&self, action: Action) {
        let revision = self.plan.bundle.revision;
        let changes = self.stream.plan().changes.iter().take(MAX_RULINGS);
        let decisions: Vec<Decision> = changes
            .map(|change| ruling(self.mode, change, Place::ResponseBody).decision(action, revision))
            .collect();
        lock(&self.notes).extend(decisions);
    }
}

impl BodyFilter for LeakFilter {
    fn feed(&mut self, data: Bytes) -> Result<Bytes, Fault> {
        match &mut self.decoder {
            None => self.pass(&data, false),
            Some(decoder) => {
                let plain = decoder.feed(&data).map_err(|_| CUT)?;
                self.pass(&plain, false)
            }
        }
    }

    fn finish(&mut self) -> Result<Bytes, Fault> {
        let rest = match &mut self.decoder {
            None => Vec::new(),
            Some(decoder) => decoder.finish().map_err(|_| CUT)?,
        };
        let out = self.pass(&rest, true)?;
        self.tell(Action::Change);
        Ok(out)
    }
}
