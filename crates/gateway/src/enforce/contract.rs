//! What a call must look like: parameters, bodies and answers against the specification, and bounds without one.
//!
//! The judging is `probity-policy`'s; here is what it needs of a call, and what follows. Requests and answers have a
//! mode of their own. What is unknown may be stripped, in block mode only; in observe mode it is told.

use std::borrow::Cow;

use bytes::Bytes;
use probity_http1::{BodyFraming, RequestHead};
use probity_model::bundle::BundleService;
use probity_model::bundle::contract::ContractPolicy;
use probity_model::bundle::contract::Oversize;
use probity_model::{EnforcementMode, Place, Template};
use probity_policy::contract::{Contract, Head, Judged, Violation};

use super::{Answer, BuildError, Held, Ruling};
use crate::ingress::{Call, Stop};

/// Letters of what was expected that stand in a decision.
const MAX_EXPECTED: usize = 80;

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The stricter of the two below: what a fault of the stage itself comes to.
    pub mode: EnforcementMode,
    requests: EnforcementMode,
    answers: EnforcementMode,
    contract: Contract,
    /// For paths that no operation has.
    nowhere: Template,
    /// Nobody else decodes answers here, so that the upstream is asked for plain ones.
    asks_plain: bool,
}

impl Guard {
    /// `decoded`: another control undoes the codings of answers first.
    pub fn build(
        policy: &ContractPolicy,
        service: &BundleService,
        decoded: bool,
    ) -> Result<Option<Self>, BuildError> {
        if policy.mode == EnforcementMode::Off && policy.responses == EnforcementMode::Off {
            return Ok(None);
        }
        if !policy.operations.is_empty() && policy.operations.len() != service.operations.len() {
            return Err(format!(
                "{} contracts stand beside {} operations",
                policy.operations.len(),
                service.operations.len()
            )
            .into());
        }
        let blocks = [policy.mode, policy.responses].contains(&EnforcementMode::Block);
        Ok(Some(Self {
            mode: if blocks { EnforcementMode::Block } else { EnforcementMode::Observe },
            requests: policy.mode,
            answers: policy.responses,
            contract: Contract::new(policy),
            nowhere: Template::new("/"),
            asks_plain: policy.responses != EnforcementMode::Off && !decoded,
        }))
    }

    /// Parameters, and bodies whose head says already that they are too long.
    pub fn judge_head(&self, call: &mut Call) -> Result<(), Stop> {
        if self.asks_plain {
            call.request_edits.set("accept-encoding", "identity");
        }
        if self.requests == EnforcementMode::Off {
            return Ok(());
        }
        let operation = operation(call);
        let Some(head) = &call.head else { return Ok(()) };
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let template = call.route.and_then(|route| call.plan.operation(route));
        let judged = Head {
            path: text(head.path()),
            query: head.query().map(text).unwrap_or_default(),
            template: template.map_or(&self.nowhere, |operation| &operation.template),
            header: &|name| joined(head, name),
        };
        let mut violations = self.contract.judge_head(operation, &judged);
        if self.is_declared_longer(call) {
            violations.push(self.contract.oversized(operation));
        }
        rule(call, self.requests, violations)
    }

    pub fn wants_body(&self, call: &Call) -> Option<u64> {
        let head = call.head.as_ref()?;
        // Both sides of a gRPC call speak at once: holding one would hold up the other.
        let streams = head.header(b"content-type").is_some_and(|kind| {
            kind.get(..16).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/grpc"))
        });
        let wanted = self.requests != EnforcementMode::Off && !streams && !self.is_declared_longer(call);
        wanted.then(|| self.contract.body_limit(operation(call)).0)
    }

    pub fn judge_body(&self, call: &mut Call) -> Result<(), Stop> {
        let Some(head) = call.head.as_ref().filter(|_| self.requests != EnforcementMode::Off) else {
            return Ok(());
        };
        let operation = operation(call);
        let (limit, _) = self.contract.body_limit(operation);
        let body = match &call.body {
            Held::Whole { data, .. } if data.len() as u64 <= limit => data.clone(),
            Held::Streaming if head.framing().is_empty() && head.upgrade().is_none() => Bytes::new(),
            // What the head says already was told with it.
            Held::Streaming => return Ok(()),
            Held::Whole { .. } | Held::Begun(_) => {
                let oversized = vec![self.contract.oversized(operation)];
                return rule(call, self.requests, oversized);
            }
        };
        if !body.is_empty() && is_encoded(head.header(b"content-encoding")) {
            let ruling = Ruling::new(
                "schema-enforce",
                "contract-body-encoding",
                self.requests,
                415,
                "expected a body without content coding",
            );
            return call.rule(ruling.found(Some(Place::RequestBody), "content-encoding", "encoded"));
        }
        let content_type = one_header(head, b"content-type");
        let path = std::str::from_utf8(head.path()).unwrap_or_default();
        let judged = self.contract.judge_body(operation, path, content_type.as_deref(), &body);
        let edited = self.settle(call, self.requests, Place::RequestBody, judged)?;
        if let Some(edited) = edited {
            call.body.replace(edited);
        }
        Ok(())
    }

    pub fn judge_answer_head(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if self.answers == EnforcementMode::Off {
            return Ok(());
        }
        let content_type = text(answer.head.header(b"content-type"));
        let has_body = !answer.head.framing().is_empty();
        let content_type = content_type.as_deref().filter(|_| has_body);
        let violations = self.contract.judge_answer_head(operation(call), answer.status, content_type);
        rule(call, self.answers, violations)
    }

    pub fn wants_answer(&self, call: &Call, answer: &Answer) -> Option<u64> {
        if self.answers == EnforcementMode::Off {
            return None;
        }
        let content_type = text(answer.head.header(b"content-type"));
        let wanted = self.contract.wants_answer(operation(call), answer.status, content_type.as_deref())?;
        // One that is too long and may pass is not begun.
        let (limit, oversize) = self.contract.answer_limit();
        let longer = matches!(answer.head.framing(), BodyFraming::Length(length) if length > limit);
        (!(longer && oversize == Oversize::Stream)).then_some(wanted)
    }

    pub fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let content_type = text(answer.head.header(b"content-type"));
        let operation = operation(call);
        let wanted = self.contract.wants_answer(operation, answer.status, content_type.as_deref());
        if self.answers == EnforcementMode::Off || wanted.is_none() {
            return Ok(());
        }
        let Some(body) = answer.body.whole().cloned() else { return Ok(()) };
        if body.len() as u64 > self.contract.answer_limit().0 {
            return rule(call, self.answers, vec![self.contract.oversized_answer()]);
        }
        if is_encoded(answer.head.header(b"content-encoding")) && !answer.decoded {
            let ruling = Ruling::new(
                "response-validate",
                "contract-response-encoding",
                EnforcementMode::Observe,
                502,
                "expected an answer that can be read",
            );
            return call.rule(ruling.found(Some(Place::ResponseBody), "content-encoding", "encoded"));
        }
        let judged = self.contract.judge_answer(operation, answer.status, content_type.as_deref(), &body);
        if let Some(edited) = self.settle(call, self.answers, Place::ResponseBody, judged)? {
            answer.body.replace(edited);
        }
        Ok(())
    }

    fn is_declared_longer(&self, call: &Call) -> bool {
        let (limit, _) = self.contract.body_limit(operation(call));
        let framing = call.head.as_ref().map(RequestHead::framing);
        matches!(framing, Some(BodyFraming::Length(length)) if length > limit)
    }

    /// Rules on what was found; gives the body that goes on in the place of the one that came.
    fn settle(
        &self,
        call: &mut Call,
        mode: EnforcementMode,
        place: Place,
        judged: Judged,
    ) -> Result<Option<Bytes>, Stop> {
        rule(call, mode, judged.violations)?;
        let Some(edited) = judged.edited else { return Ok(None) };
        let (check, rule) = match place {
            Place::ResponseBody => ("response-validate", "contract-response-unknown-field"),
            _ => ("schema-enforce", "contract-unknown-field"),
        };
        for name in judged.stripped {
            let ruling = Ruling::new(check, rule, mode, 422, "expected declared fields").found(
                Some(place),
                format!("/{name}"),
                "unknown",
            );
            if mode == EnforcementMode::Block {
                call.changed(&ruling);
            } else {
                call.rule(ruling)?;
            }
        }
        Ok((mode == EnforcementMode::Block).then(|| edited.into()))
    }
}

fn operation(call: &Call) -> Option<usize> {
    call.route?.operation
}

/// Rules on every violation; those that are only told first, so that none of them is lost to the one that refuses.
fn rule(call: &mut Call, mode: EnforcementMode, violations: Vec<Violation>) -> Result<(), Stop> {
    let (told, broken): (Vec<_>, Vec<_>) = violations.into_iter().partition(|violation| violation.flag);
    for violation in told.into_iter().chain(broken) {
        let mode = if violation.flag { EnforcementMode::Observe } else { mode };
        let expected: String = violation.expected.chars().take(MAX_EXPECTED).collect();
        let title = match violation.field.as_str() {
            "" => format!("expected {expected}"),
            field => format!("expected {expected} at {field}"),
        };
        let found = format!("{}, expected {expected}", violation.found);
        let ruling = Ruling::new(violation.check, violation.rule, mode, violation.status, title);
        call.rule(ruling.found(Some(violation.place), violation.field, found))?;
    }
    Ok(())
}

fn is_encoded(coding: Option<&[u8]>) -> bool {
    coding.is_some_and(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

fn text(value: Option<&[u8]>) -> Option<Cow<'_, str>> {
    value.map(String::from_utf8_lossy)
}

/// A header with all its lines.
fn joined<'h>(head: &'h RequestHead, name: &str) -> Option<Cow<'h, str>> {
    let separator = if name == "cookie" { "; " } else { ", " };
    let values = head.headers().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
    values.map(|(_, value)| String::from_utf8_lossy(value)).reduce(|mut all, value| {
        let all_text = all.to_mut();
        all_text.push_str(separator);
        all_text.push_str(&value);
        all
    })
}

/// A header that must not be there twice: then it is malformed.
fn one_header<'h>(head: &'h RequestHead, name: &[u8]) -> Option<Cow<'h, str>> {
    let mut values = head.headers().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let first = values.next().map(|(_, value)| value);
    if values.next().is_some() { Some(Cow::Borrowed("")) } else { text(first) }
}
