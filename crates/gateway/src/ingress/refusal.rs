//! Answers that the gateway gives itself: RFC 9457 problems, each by name.

use std::fmt::Write;

use bytes::Bytes;
use probity_http1::Refusal;
use probity_model::decision::DecisionInput;
use probity_model::exchange::End;
use probity_model::{Action, CheckId, Decision, EnforcementMode, Place, RuleId};

use crate::enforce::Ruling;
use crate::enforce::ruling::OwnAnswer;

/// Why a call ends before its answer does.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The gateway answers itself, if nothing was answered yet.
    Refuse(Reason, Option<String>),
    /// A control refuses the call; the decision is taken into the record already.
    Rule(Box<Ruling>),
    /// The gateway answers in the upstream's place, and nothing is wrong: a preflight.
    Answer(Box<Prepared>),
    /// Nobody is left to answer to, or an answer was begun and cannot be ended.
    Abort(End),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refuse(reason, None)
    }
}

/// An answer that the gateway gives itself.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub status: u16,
    pub fields: Vec<(&'static str, String)>,
    /// No body without it.
    pub content_type: Option<String>,
    pub body: Bytes,
}

impl Prepared {
    /// RFC 9457.
    pub fn problem(status: u16, body: String) -> Self {
        let fields =
            vec![("cache-control", "no-store".to_owned()), ("x-content-type-options", "nosniff".to_owned())];
        Self { status, fields, content_type: Some("application/problem+json".to_owned()), body: body.into() }
    }

    pub fn of_ruling(ruling: Ruling, request_id: &str, revision: u64) -> Self {
        let mut prepared = match ruling.answer {
            Some(OwnAnswer { content_type, body }) => {
                Self { content_type: Some(content_type), body, ..Self::problem(ruling.status, String::new()) }
            }
            None => Self::problem(
                ruling.status,
                serde_json::json!({
                    "type": format!("urn:probity:refusal:{}", ruling.name()),
                    "title": ruling.title,
                    "status": ruling.status,
                    "reason": ruling.name(),
                    "rule": ruling.rule,
                    "revision": revision,
                    "request_id": request_id,
                })
                .to_string(),
            ),
        };
        prepared.fields.extend(ruling.fields);
        prepared
    }
}

/// The check that structural refusals count for.
const CHECK: &str = "config-baseline";

/// Why the gateway answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason {
    pub name: &'static str,
    pub status: u16,
    pub text: &'static str,
    pub end: End,
    /// What exactly was found, where the name does not say it.
    pub found: Option<&'static str>,
    pub place: Option<Place>,
}

macro_rules! reasons {
    ($($name:ident = $text_name:literal, $status:literal, $end:ident, $text:literal;)*) => {
        $(pub(crate) const $name: Reason = Reason {
            name: $text_name, status: $status, text: $text, end: End::$end, found: None, place: None,
        };)*
    };
}

reasons! {
    NO_BUNDLE = "no-bundle", 503, Refused, "the gateway has no good bundle";
    NO_SERVICE = "no-service", 404, Refused, "no service is known for this host and path";
    RECORD_FULL = "record-full", 503, Refused, "calls cannot be recorded at the moment";
    HEAD_TIMEOUT = "head-timeout", 408, Refused, "the request's head took too long";
    BODY_TIMEOUT = "body-timeout", 408, Refused, "the request's body took too long";
    BODY_SLOW = "body-too-slow", 408, Refused, "the request's body came too slowly";
    CONNECT_TIMEOUT = "upstream-connect-timeout", 504, UpstreamTimeout, "connecting to the upstream took too long";
    CIRCUIT_OPEN = "upstream-circuit-open", 503, UpstreamUnreachable, "the upstream failed too often and is left alone";
    UNREACHABLE = "upstream-unreachable", 502, UpstreamUnreachable, "the upstream cannot be reached";
    UPSTREAM_TIMEOUT = "upstream-timeout", 504, UpstreamTimeout, "the upstream took too long to answer";
    UPSTREAM_ABORTED = "upstream-aborted", 502, UpstreamAborted, "the upstream closed before it answered";
    UPSTREAM_INVALID = "upstream-invalid", 502, UpstreamInvalid, "the upstream's answer is not HTTP as the gateway accepts it";
    STAGE_PANICKED = "stage-panicked", 500, Refused, "the gateway failed";
}

impl Reason {
    /// The client sent what the codec refuses.
    pub fn of_client(refusal: Refusal, place: Place) -> Self {
        Self {
            name: refusal.name(),
            status: refusal.status(),
            text: refusal.text(),
            end: End::Refused,
            found: None,
            place: Some(place),
        }
    }

    /// The upstream did.
    pub fn of_upstream(refusal: Refusal) -> Self {
        Self { found: Some(refusal.name()), place: Some(Place::ResponseHeader), ..UPSTREAM_INVALID }
    }

    /// Why, for the record: what the gateway itself refused, and what it found wrong with an answer.
    pub fn decision(&self, revision: u64) -> Option<Decision> {
        (self.end == End::Refused || self.found.is_some()).then(|| Decision {
            check: CheckId::new(CHECK),
            rule: RuleId::from(format!("gateway-{}", self.name)),
            mode: EnforcementMode::Block,
            action: Action::Refuse,
            input: DecisionInput {
                place: self.place,
                field: String::new(),
                class: None,
                found: self.found.unwrap_or(self.name).to_owned(),
            },
            revision,
        })
    }

    /// The body of the answer. Nothing of the request is repeated in it.
    pub fn problem(&self, request_id: &str, detail: Option<&str>) -> String {
        let mut out = format!(
            r#"{{"type":"urn:probity:refusal:{name}","title":"{text}","status":{status},"reason":"{name}","request_id":"{request_id}""#,
            name = self.name,
            text = self.text,
            status = self.status,
        );
        if let Some(detail) = detail {
            let _ = write!(out, r#","detail":{}"#, serde_json::Value::from(detail));
        }
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_json() {
        for reason in Refusal::ALL
            .iter()
            .map(|refusal| Reason::of_client(*refusal, Place::RequestHeader))
            .chain([NO_SERVICE])
        {
            let problem: serde_json::Value =
                serde_json::from_str(&reason.problem("id", Some("a \"b\""))).unwrap();
            assert_eq!(problem["reason"], reason.name);
            assert_eq!(problem["status"], reason.status);
            assert_eq!(problem["detail"], "a \"b\"");
        }
    }

    #[test]
    fn decisions_name_what_was_found() {
        let refused = Reason::of_client(Refusal::TeWithCl, Place::RequestHeader).decision(4).unwrap();
        assert_eq!(
            (refused.rule.as_str(), refused.input.found.as_str()),
            ("gateway-te-with-cl", "te-with-cl")
        );
        let odd = Reason::of_upstream(Refusal::ChunkSize).decision(4).unwrap();
        assert_eq!((odd.rule.as_str(), odd.input.found.as_str()), ("gateway-upstream-invalid", "chunk-size"));
        assert_eq!(UPSTREAM_TIMEOUT.decision(4), None);
    }
}
