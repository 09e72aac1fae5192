//! Requests: classes that the upstream must not see, and tokens that it is to have the values of.

use std::sync::Arc;

use probity_model::bundle::leaks::Undecodable;
use probity_model::{DataClass, EnforcementMode, Place};
use probity_policy::classify::{Content, Syntax};
use probity_policy::redact;

use super::tokens::tokens_in;
use super::{Guard, caller, named, operation};
use crate::enforce::coding;
use crate::enforce::{Held, Ruling};
use crate::ingress::{Call, Stop};
use crate::observe::{ContentType, keep_findings, lend_findings};

/// Tokens that are led back in one body.
const MAX_DETOKENISED: usize = 1000;

impl Guard {
    /// Sensitive data in the query; and what the upstream must be told so that its answer can be judged.
    pub fn judge_head(&self, call: &mut Call) -> Result<(), Stop> {
        let at = operation(call);
        if self.requests.touches(at) {
            self.judge_query(call)?;
        }
        if self.mode == EnforcementMode::Block && self.responses.touches(at) {
            let Some(head) = &call.head else { return Ok(()) };
            if head.header(b"accept-encoding").is_some() {
                let narrowed = coding::readable(named(head.headers(), b"accept-encoding"));
                call.request_edits.set("accept-encoding", narrowed);
            }
            // A part of a body could end in the middle of a value.
            if head.header(b"range").is_some() {
                call.request_edits.remove("range");
                call.request_edits.remove("if-range");
            }
        }
        Ok(())
    }

    fn judge_query(&self, call: &mut Call) -> Result<(), Stop> {
        let query = call.head.as_ref().and_then(|head| head.query());
        let Some(query) = query.and_then(|query| std::str::from_utf8(query).ok()).map(str::to_owned) else {
            return Ok(());
        };
        let (plan, principal) = (Arc::clone(&call.plan), call.principal.clone());
        let mut findings = lend_findings();
        findings.locate(true);
        plan.scanner.scan_query(&query, &mut findings);
        let caller = caller(call, principal.as_deref());
        let decide = |class: &DataClass| self.requests.action(class, caller);
        let edits = redact::plan(query.as_bytes(), &findings, decide, &mut self.issuer(call), self.style);
        keep_findings(findings);
        self.report(call, &edits.changes, Place::RequestQuery, edits.lost)?;
        if self.mode == EnforcementMode::Block && !edits.edits.is_empty() && !call.is_rehearsal() {
            let mut changed = Vec::with_capacity(query.len());
            redact::apply(query.as_bytes(), &edits.edits, &mut changed);
            call.upstream_query = Some(changed.into());
        }
        Ok(())
    }

    /// How much of the request is wanted before the upstream sees it.
    pub fn wants_body(&self, call: &Call) -> Option<u64> {
        let at = operation(call);
        let detokenises = self.detokenise.as_ref().is_some_and(|operations| operations.contains(at));
        if !detokenises && !self.requests.touches(at) {
            return None;
        }
        let head = call.head.as_ref()?;
        (ContentType::of(head.header(b"content-type")).content != Content::Binary).then_some(self.bounds.hold)
    }

    /// The held body.
    pub fn judge_body(&self, call: &mut Call) -> Result<(), Stop> {
        if self.wants_body(call).is_none() {
            return Ok(());
        }
        let at = operation(call);
        let data = match &call.body {
            Held::Streaming => return Ok(()),
            Held::Begun(_) => {
                let mode = match self.bounds.undecodable {
                    Undecodable::Refuse => self.mode,
                    Undecodable::Pass => EnforcementMode::Observe,
                };
                let title = "The request is too long to be judged";
                let ruling = Ruling::new("data-min", "gateway-request-unjudged", mode, 413, title);
                return call.rule(ruling.found(Some(Place::RequestBody), "", "over-size"));
            }
            Held::Whole { data, .. } => data.clone(),
        };
        let Some(head) = &call.head else { return Ok(()) };
        let content = ContentType::of(head.header(b"content-type")).content;
        let codings = coding::codings(named(head.headers(), b"content-encoding"));
        let coded = !codings.as_ref().is_ok_and(Vec::is_empty);
        let plain = match codings.and_then(|codings| match codings.is_empty() {
            true => Ok(None),
            false => coding::decode(&codings, &data, self.bounds).map(Some),
        }) {
            Ok(decoded) => decoded.map_or_else(|| data.clone(), Into::into),
            Err(error) => return self.undecodable(call, Place::RequestBody, error),
        };
        let mut body = None;
        if self.requests.touches(at) {
            let (plan, principal) = (Arc::clone(&call.plan), call.principal.clone());
            let mut findings = lend_findings();
            findings.locate(true);
            plan.scanner.scan(content, Place::RequestBody, &plain, false, &mut findings);
            let caller = caller(call, principal.as_deref());
            let decide = |class: &DataClass| self.requests.action(class, caller);
            let edits = redact::plan(&plain, &findings, decide, &mut self.issuer(call), self.style);
            keep_findings(findings);
            self.report(call, &edits.changes, Place::RequestBody, edits.lost)?;
            if !edits.edits.is_empty() {
                let mut changed = Vec::with_capacity(plain.len() + 64);
                redact::apply(&plain, &edits.edits, &mut changed);
                body = Some(changed);
            }
        }
        if self.detokenise.as_ref().is_some_and(|operations| operations.contains(at)) {
            let from = body.as_deref().unwrap_or(&plain);
            if let Some(led_back) = self.detokenised(from, content) {
                let title = "Tokens gave way to values";
                let ruling = Ruling::new("pseudonymise", "gateway-request-detokenise", self.mode, 500, title);
                call.changed(&ruling.found(Some(Place::RequestBody), "", "token"));
                body = Some(led_back);
            }
        }
        if let Some(body) = body.filter(|_| self.mode == EnforcementMode::Block) {
            call.body.replace(body.into());
            if coded {
                call.request_edits.remove("content-encoding");
            }
            for field in ["content-md5", "digest", "content-digest", "repr-digest"] {
                call.request_edits.remove(field);
            }
        }
        Ok(())
    }

    /// `body` with the values of the tokens that stand in it; `None` if there are none.
    fn detokenised(&self, body: &[u8], content: Content) -> Option<Vec<u8>> {
        let map = self.state.leaks.tokens().filter(|_| self.mode == EnforcementMode::Block)?;
        let syntax = match content {
            Content::Json => Syntax::Json,
            Content::Form if !body.starts_with(b"--") => Syntax::Form,
            Content::Xml => Syntax::Xml,
            _ => Syntax::Text,
        };
        let mut out = Vec::new();
        let mut at = 0;
        for (start, token) in tokens_in(body).take(MAX_DETOKENISED) {
            let Some((_, value)) = map.value(token) else { continue };
            let Ok(value) = std::str::from_utf8(&value) else { continue };
            out.extend_from_slice(body.get(at..start).unwrap_or_default());
            out.extend_from_slice(&redact::write(syntax, value));
            at = start + token.len();
        }
        if at == 0 {
            return None;
        }
        out.extend_from_slice(body.get(at..).unwrap_or_default());
        Some(out)
    }
}
