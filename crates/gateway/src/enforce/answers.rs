//! What the gateway puts right in answers: error bodies and traces, banners, security headers, cookies, CORS.
//!
//! Fields are judged by the head, bodies once they are held. While this control observes, nothing is changed and what would
//! have been is in the record. Sensitive values in bodies are [`super::leaks`]'.

mod cookie;
mod cors;

use std::sync::Arc;

use probity_model::bundle::answers::{AnswerPolicy, ErrorPolicy};
use probity_model::{EnforcementMode, Place, Signal, Signals};
use probity_policy::classify::Content;

use self::cors::{Cors, Origin};
use super::{Answer, BuildError, Ruling};
use crate::ingress::{Call, Prepared, Stop};
use crate::observe::lend_findings;

/// Fields that tell what runs behind the gateway.
const BANNERS: [&str; 14] = [
    "server",
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "x-generator",
    "x-runtime",
    "x-version",
    "x-php-version",
    "x-debug-token",
    "x-debug-token-link",
    "x-debug-exception",
    "x-debug-exception-file",
    "x-mod-pagespeed",
    "x-backend-server",
];
/// How much of an answer is held to look for traces, and of an error to put a problem in its place.
const HELD: u64 = 256 * 1024;

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    pub mode: EnforcementMode,
    policy: AnswerPolicy,
    cors: Option<Cors>,
}

impl Guard {
    pub fn build(policy: &AnswerPolicy) -> Result<Self, BuildError> {
        let cors = policy.cors.as_ref().map(Cors::new);
        Ok(Self { mode: policy.mode, policy: policy.clone(), cors })
    }

    fn blocks(&self) -> bool {
        self.mode == EnforcementMode::Block
    }

    /// Preflights, which the gateway answers itself.
    pub fn judge_request(&self, call: &mut Call) -> Result<(), Stop> {
        let (Some(cors), Some(head)) = (&self.cors, &call.head) else { return Ok(()) };
        if head.method() != b"OPTIONS" {
            return Ok(());
        }
        let (Some(origin), Some(method)) =
            (head.header(b"origin"), head.header(b"access-control-request-method"))
        else {
            return Ok(());
        };
        let asked = head.header(b"access-control-request-headers").unwrap_or_default();
        let fields = cors.preflight(origin, method, asked);
        if let Err(odd) = &fields {
            let ruling = self.cors_ruling("gateway-cors-preflight", odd);
            match self.blocks() {
                true => call.changed(&ruling),
                false => call.rule(ruling)?,
            }
        }
        if !self.blocks() {
            return Ok(());
        }
        let mut prepared = Prepared { status: 204, ..Prepared::default() };
        prepared.fields = fields.unwrap_or_else(|_| vec![("vary", "Origin".to_owned())]);
        Err(Stop::Answer(Box::new(prepared)))
    }

    fn cors_ruling(&self, rule: &'static str, found: &str) -> Ruling {
        Ruling::new("config-baseline", rule, self.mode, 403, "This origin may not read answers").found(
            Some(Place::RequestHeader),
            "origin",
            found,
        )
    }

    /// Banners, security headers, cookies, CORS.
    pub fn judge_head(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if self.policy.banners {
            self.take_banners(call, answer)?;
        }
        if let Some(cors) = &self.cors {
            self.judge_origin(call, answer, cors)?;
        }
        if self.blocks() {
            let secure = call.line.tls.is_some();
            self.set_security_fields(answer, secure);
            cookie::harden(answer, self.policy.cookies, secure);
        }
        Ok(())
    }

    fn take_banners(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let mut found: Vec<&'static str> = Vec::new();
        for (name, _) in answer.head.headers() {
            // All of them begin with one of two letters.
            if !matches!(name.first(), Some(b's' | b'S' | b'x' | b'X')) {
                continue;
            }
            let banner = BANNERS.iter().find(|banner| name.eq_ignore_ascii_case(banner.as_bytes()));
            found.extend(banner.filter(|banner| !found.contains(banner)));
        }
        let Some(first) = found.first() else { return Ok(()) };
        let title = "The answer names the software behind it";
        let ruling = Ruling::new("error-hygiene", "gateway-banner", self.mode, 502, title);
        let ruling = ruling.found(Some(Place::ResponseHeader), *first, "banner");
        if !self.blocks() {
            return call.rule(ruling);
        }
        call.changed(&ruling);
        found.into_iter().for_each(|banner| answer.edits.remove(banner));
        Ok(())
    }

    fn judge_origin(&self, call: &mut Call, answer: &mut Answer, cors: &Cors) -> Result<(), Stop> {
        let origin = call.head.as_ref().and_then(|head| head.header(b"origin")).map(<[u8]>::to_vec);
        let origin = origin.as_deref();
        let granted = answer.head.header(b"access-control-allow-origin");
        let verdict = origin.map(|origin| cors.judge(origin));
        let upstream_grants = granted.is_some_and(|granted| granted == b"*" || Some(granted) == origin);
        if matches!(verdict, Some(Origin::Refused)) && upstream_grants {
            let ruling = self.cors_ruling("gateway-cors-origin", "origin-not-allowed");
            match self.blocks() {
                true => call.changed(&ruling),
                false => call.rule(ruling)?,
            }
        }
        if !self.blocks() {
            return Ok(());
        }
        for name in cors::FIELDS {
            if answer.head.header(name.as_bytes()).is_some() {
                answer.edits.remove(name);
            }
        }
        if let Some(Origin::Granted(value)) = verdict {
            for (name, value) in cors.granted(value) {
                answer.edits.add(name, value);
            }
        }
        if cors.varies() && origin.is_some() {
            answer.edits.add("vary", "Origin");
        }
        Ok(())
    }

    fn set_security_fields(&self, answer: &mut Answer, secure: bool) {
        let headers = &self.policy.headers;
        let html = answer.head.header(b"content-type").is_some_and(|value| {
            value.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
        });
        let lacks = |name: &str| answer.head.header(name.as_bytes()).is_none();
        let mut set: Vec<(&'static str, String)> = Vec::with_capacity(4);
        if let Some(value) = headers.hsts.as_ref().filter(|_| secure && lacks("strict-transport-security")) {
            set.push(("strict-transport-security", value.to_string()));
        }
        if headers.nosniff && lacks("x-content-type-options") {
            set.push(("x-content-type-options", "nosniff".to_owned()));
        }
        if let Some(value) =
            headers.content_security_policy.as_ref().filter(|_| !html && lacks("content-security-policy"))
        {
            set.push(("content-security-policy", value.to_string()));
        }
        if let Some(value) = headers.referrer_policy.as_ref().filter(|_| lacks("referrer-policy")) {
            set.push(("referrer-policy", value.to_string()));
        }
        set.into_iter().for_each(|(name, value)| answer.edits.set(name, value));
    }

    pub fn wants_answer(&self, _call: &Call, answer: &Answer) -> Option<u64> {
        let ErrorPolicy { server, client, traces } = self.policy.errors;
        let error = match answer.head.status() {
            500.. => server,
            400..500 => client,
            _ => false,
        };
        let content_type = answer.head.header(b"content-type").unwrap_or_default();
        let live = content_type.get(..17).is_some_and(|t| t.eq_ignore_ascii_case(b"text/event-stream"));
        let grpc = content_type.get(..16).is_some_and(|t| t.eq_ignore_ascii_case(b"application/grpc"));
        if live || grpc {
            return None;
        }
        (error || traces && answer.content != Content::Binary).then_some(HELD)
    }

    /// Error bodies and traces; what must not be stored.
    pub fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let Some(body) = answer.body.whole().cloned() else { return Ok(()) };
        let policy = self.policy.errors;
        let coded =
            answer.head.header(b"content-encoding").is_some() && !answer.decoded && !answer.body.is_changed();
        let readable = answer.content != Content::Binary;
        let seen = call.was_judged() || call.answer_signals != Signals::default() || call.sensitive_answer;
        if policy.traces && !coded && readable && !seen && !body.is_empty() {
            let plan = Arc::clone(&call.plan);
            let mut findings = lend_findings();
            plan.scanner.scan(answer.content, Place::ResponseBody, &body, false, &mut findings);
            call.note_answer(&findings);
            call.judged(findings);
        }
        let status = answer.status;
        let slips = [Signal::StackTrace, Signal::InternalDetail, Signal::DebugPage];
        let slip = slips.into_iter().find(|slip| policy.traces && call.answer_signals.contains(*slip));
        let problem = answer.head.header(b"content-type").is_some_and(|value| {
            value.get(..24).is_some_and(|start| start.eq_ignore_ascii_case(b"application/problem+json"))
        });
        let foreign =
            !problem && (policy.server && status >= 500 || policy.client && (400..500).contains(&status));
        if slip.is_some() || foreign {
            let found = match slip {
                Some(Signal::StackTrace) => "stack-trace",
                Some(Signal::DebugPage) => "debug-page",
                Some(_) => "internal-detail",
                None => "error-body",
            };
            let title = "The answer tells too much of the inside";
            let ruling = Ruling::new("error-hygiene", "gateway-error-body", self.mode, 502, title);
            let ruling = ruling.found(Some(Place::ResponseBody), "", found);
            if !self.blocks() {
                return call.rule(ruling);
            }
            call.changed(&ruling);
            answer.body.replace(problem_of(status, &call.id.to_string()).into());
            answer.edits.set("content-type", "application/problem+json");
            call.unjudged();
        }
        if self.blocks() && self.policy.headers.no_store && call.sensitive_answer {
            answer.edits.set("cache-control", "no-store");
        }
        Ok(())
    }
}

/// RFC 9457, and nothing but the status.
fn problem_of(status: u16, request_id: &str) -> String {
    let title = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .filter(|_| status >= 400)
        .unwrap_or("The answer was withheld");
    serde_json::json!({"type": "about:blank", "title": title, "status": status, "request_id": request_id})
        .to_string()
}
