//! What becomes of sensitive data: in answers, and in requests where asked.
//!
//! A held body is decoded, scanned once and edited; what the scan found is the record's too, where nothing was changed. A body
//! that is longer than what is held goes through a [`filter::LeakFilter`]. What is found is `probity-policy`'s `classify`, how
//! it is changed its `redact`; tokens are [`tokens`]. While this control observes, nothing is changed.

mod filter;
mod request;
pub(crate) mod tokens;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use probity_http1::ResponseHead;
use probity_model::bundle::leaks::LeakPolicy;
use probity_model::bundle::leaks::{BodyBounds, LeakAction, Operations, Undecodable};
use probity_model::class::ClassGroup;
use probity_model::{DataClass, EnforcementMode, Place};
use probity_policy::classify::Content;
use probity_policy::redact::{self, Caller, Change, Rules, Style, Tokens};

use self::tokens::TokenMap;
use super::coding::{self, CodingError};
use super::{Answer, BuildError, Held, Ruling, State};
use crate::ingress::{Call, Stop};
use crate::observe::{is_own_field, keep_findings, lend_findings};
use crate::peer::BodyFilter;

/// Decisions of one body; more of them say no more.
const MAX_RULINGS: usize = 16;
/// Own header fields of an answer that are judged.
const MAX_FIELDS: usize = 32;

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    tokens: OnceLock<TokenMap>,
}

impl Memory {
    /// Opens the map of tokens; without one values are masked that should get a token.
    pub fn open_tokens(&self, key: &[u8; 32], file: Option<&Path>) {
        match TokenMap::open(key, file) {
            Ok(map) => drop(self.tokens.set(map)),
            Err(error) => tracing::error!(%error, "no tokens are made: values are masked instead"),
        }
    }
    pub fn tokens(&self) -> Option<&TokenMap> {
        self.tokens.get()
    }
}

/// The gateway's map as what makes tokens.
struct Issuer<'a>(Option<&'a TokenMap>);

impl Tokens for Issuer<'_> {
    fn token(&mut self, class: &DataClass, value: &[u8]) -> Option<String> {
        self.0?.token(class, value)
    }
}

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    pub mode: EnforcementMode,
    responses: Rules,
    requests: Rules,
    detokenise: Option<Operations>,
    bounds: BodyBounds,
    style: Style,
    state: Arc<State>,
}

impl Guard {
    pub fn build(policy: &LeakPolicy, state: &Arc<State>) -> Result<Self, BuildError> {
        Ok(Self {
            mode: policy.mode,
            responses: Rules::new(&policy.responses),
            requests: Rules::new(&policy.requests),
            detokenise: policy.detokenise.clone(),
            bounds: policy.bodies,
            style: Style { card_bin: usize::from(policy.card_bin) },
            state: Arc::clone(state),
        })
    }

    fn blocks(&self) -> bool {
        self.mode == EnforcementMode::Block
    }

    /// While observing no token is made: nobody would get to see it.
    fn issuer(&self, call: &Call) -> Issuer<'_> {
        Issuer(self.state.leaks.tokens().filter(|_| self.blocks() && !call.is_rehearsal()))
    }

    /// Sensitive data in fields that the application made up.
    pub fn judge_answer_head(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if !self.responses.touches(operation(call)) {
            return Ok(());
        }
        let judged =
            |(name, _): &(&[u8], &[u8])| is_own_field(name) || name.eq_ignore_ascii_case(b"location");
        let fields: Vec<(String, String)> = answer
            .head
            .headers()
            .filter(judged)
            .take(MAX_FIELDS)
            .filter_map(|(name, value)| {
                Some((
                    std::str::from_utf8(name).ok()?.to_ascii_lowercase(),
                    std::str::from_utf8(value).ok()?.to_owned(),
                ))
            })
            .collect();
        if fields.is_empty() {
            return Ok(());
        }
        let plan = Arc::clone(&call.plan);
        for (name, value) in &fields {
            let mut findings = lend_findings();
            findings.locate(true);
            plan.scanner.scan_field(Place::ResponseHeader, name, value, &mut findings);
            let principal = call.principal.clone();
            let caller = caller(call, principal.as_deref());
            let decide = |class: &DataClass| self.responses.action(class, caller);
            let edits = redact::plan(value.as_bytes(), &findings, decide, &mut self.issuer(call), self.style);
            keep_findings(findings);
            self.report(call, &edits.changes, Place::ResponseHeader, edits.lost)?;
            if !self.blocks() || edits.edits.is_empty() {
                continue;
            }
            let dropped = edits.changes.iter().any(|change| change.action == LeakAction::Drop);
            let mut changed = Vec::new();
            redact::apply(value.as_bytes(), &edits.edits, &mut changed);
            match String::from_utf8(changed) {
                Ok(changed) if !dropped => answer.edits.set(name.clone(), changed),
                _ => answer.edits.remove(name.clone()),
            }
            // Others of that name went with it.
            for (_, other) in fields.iter().filter(|(other, text)| other == name && text != value) {
                answer.edits.add(name.clone(), other.clone());
            }
        }
        Ok(())
    }

    /// How much of the answer is wanted before the client sees it.
    pub fn wants_answer(&self, call: &Call, answer: &Answer) -> Option<u64> {
        if !self.responses.touches(operation(call)) {
            return None;
        }
        let content_type = answer.head.header(b"content-type");
        if answer.content == Content::Binary {
            return None;
        }
        // Events are judged as they come.
        let live = content_type.is_some_and(|value| {
            value.get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
        });
        Some(if live { 0 } else { self.bounds.hold })
    }

    /// Undoes the content coding of a held body, so that all controls see plain bytes.
    pub fn decode(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let codings = codings_of(&answer.head);
        let Held::Whole { data, trailers, changed } = &answer.body else { return Ok(()) };
        if codings.as_ref().is_ok_and(Vec::is_empty) {
            return Ok(());
        }
        match codings.and_then(|codings| coding::decode(&codings, data, self.bounds)) {
            Ok(plain) => {
                let coded = data.clone();
                answer.body =
                    Held::Whole { data: plain.into(), trailers: trailers.clone(), changed: *changed };
                (answer.decoded, answer.coded) = (true, Some(coded));
                Ok(())
            }
            Err(error) => self.undecodable(call, Place::ResponseBody, error),
        }
    }

    fn undecodable(&self, call: &mut Call, place: Place, error: CodingError) -> Result<(), Stop> {
        let (mode, status, title) = match (self.bounds.undecodable, place) {
            (Undecodable::Pass, _) => (EnforcementMode::Observe, 502, "The content coding cannot be undone"),
            (Undecodable::Refuse, Place::RequestBody) => {
                (self.mode, 415, "The content coding of the request cannot be undone")
            }
            (Undecodable::Refuse, _) => (self.mode, 502, "The content coding of the answer cannot be undone"),
        };
        let ruling = Ruling::new("response-dlp", "gateway-undecodable", mode, status, title);
        call.rule(ruling.found(Some(place), "", error.to_string()))
    }

    /// The held answer, plain by now.
    pub fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let coded = answer.decoded.then(|| answer.coded.take()).flatten();
        let unreadable = !answer.decoded && !codings_of(&answer.head).is_ok_and(|codings| codings.is_empty());
        let Held::Whole { data, .. } = &answer.body else { return Ok(()) };
        if unreadable && !answer.body.is_changed() {
            return Ok(());
        }
        let (data, plan) = (data.clone(), Arc::clone(&call.plan));
        let mut findings = lend_findings();
        findings.locate(true);
        let content = answer.content;
        plan.scanner.scan(content, Place::ResponseBody, &data, false, &mut findings);
        call.note_answer(&findings);
        let principal = call.principal.clone();
        let caller = caller(call, principal.as_deref());
        let decide = |class: &DataClass| self.responses.action(class, caller);
        let edits = redact::plan(&data, &findings, decide, &mut self.issuer(call), self.style);
        self.report(call, &edits.changes, Place::ResponseBody, edits.lost)?;
        if self.blocks() && !edits.edits.is_empty() {
            let mut changed = Vec::with_capacity(data.len() + 64);
            redact::apply(&data, &edits.edits, &mut changed);
            answer.body.replace(changed.into());
            return Ok(());
        }
        // What other controls left as it was goes out as it came.
        if let Some(coded) = coded.filter(|_| !answer.body.is_changed())
            && let Held::Whole { data, .. } = &mut answer.body
        {
            (*data, answer.decoded) = (coded, false);
        }
        call.judged(findings);
        Ok(())
    }

    /// What the rest of an answer that is longer than what is held passes through.
    pub fn filter(&self, call: &mut Call, answer: &mut Answer) -> Result<Option<Box<dyn BodyFilter>>, Stop> {
        let Held::Begun(head) = &answer.body else { return Ok(None) };
        if !self.responses.touches(operation(call)) || answer.content == Content::Binary {
            return Ok(None);
        }
        if !self.blocks() {
            return Ok(None);
        }
        let head: Bytes = head.clone();
        let decoder = match codings_of(&answer.head) {
            Ok(codings) if codings.is_empty() => None,
            Ok(codings) => match coding::StreamDecoder::new(&codings, &head, self.bounds) {
                Some(decoder) => Some(decoder),
                None => {
                    self.undecodable(call, Place::ResponseBody, CodingError::Size)?;
                    return Ok(None);
                }
            },
            Err(error) => {
                self.undecodable(call, Place::ResponseBody, error)?;
                return Ok(None);
            }
        };
        let content_type = answer.head.header(b"content-type").unwrap_or_default();
        let content_type = std::str::from_utf8(content_type).unwrap_or_default();
        let stream = redact::Stream::new(answer.content, Place::ResponseBody, content_type, self.style);
        let Some(stream) = stream else { return Ok(None) };
        answer.decoded = decoder.is_some();
        answer.filtered = true;
        let filter = filter::LeakFilter::new(self, call, decoder, stream);
        Ok(Some(Box::new(filter)))
    }

    /// Tells what was found; ends the call where a rule refuses it.
    fn report(&self, call: &mut Call, changes: &[Change], place: Place, lost: bool) -> Result<(), Stop> {
        // What refuses comes first: nothing else happens then.
        let refused = changes.iter().filter(|change| change.action == LeakAction::Block);
        for change in refused.take(MAX_RULINGS) {
            call.rule(self.ruling(change, place))?;
        }
        if lost {
            let status = if place.is_response() { 502 } else { 400 };
            let title = "Sensitive data stands where it cannot be changed";
            let ruling = Ruling::new("response-dlp", "gateway-leak-unchangeable", self.mode, status, title);
            call.rule(ruling.found(Some(place), "", "too-many-or-misplaced"))?;
        }
        let done = changes.iter().filter(|change| change.action != LeakAction::Block);
        for change in done.take(MAX_RULINGS) {
            let ruling = self.ruling(change, place);
            match self.blocks() {
                true => call.changed(&ruling),
                false => call.rule(ruling)?,
            }
        }
        Ok(())
    }

    fn ruling(&self, change: &Change, place: Place) -> Ruling {
        ruling(self.mode, change, place)
    }
}

fn ruling(mode: EnforcementMode, change: &Change, place: Place) -> Ruling {
    let response = place.is_response();
    let rule = match (response, change.action) {
        (true, LeakAction::Mask) => "gateway-response-mask",
        (true, LeakAction::Tokenise) => "gateway-response-tokenise",
        (true, LeakAction::Replace) => "gateway-response-replace",
        (true, LeakAction::Drop) => "gateway-response-drop",
        (true, _) => "gateway-response-block",
        (false, LeakAction::Mask) => "gateway-request-mask",
        (false, LeakAction::Tokenise) => "gateway-request-tokenise",
        (false, LeakAction::Replace) => "gateway-request-replace",
        (false, LeakAction::Drop) => "gateway-request-drop",
        (false, _) if place == Place::RequestQuery && change.class.group() == ClassGroup::Secret => {
            "gateway-credential-in-url"
        }
        (false, _) => "gateway-request-block",
    };
    let check = match change.class.group() {
        ClassGroup::Card => "pan-mask",
        ClassGroup::CardAuthentication => "sad-block",
        ClassGroup::Secret if !response => "secrets-exposure",
        _ if response => "response-dlp",
        _ => "data-min",
    };
    let (status, title) = match response {
        true => (502, "The answer holds data that must not leave"),
        false => (400, "The request holds data that must not be sent this way"),
    };
    let found = match (change.action, change.untokened) {
        (LeakAction::Tokenise, true) => "untokenised",
        (action, _) => action.as_str(),
    };
    Ruling::new(check, rule, mode, status, title)
        .found(Some(place), change.field.clone(), found)
        .class(change.class.clone())
}

/// Index of the call's operation.
fn operation(call: &Call) -> Option<u32> {
    call.route.and_then(|route| route.operation).and_then(|index| u32::try_from(index).ok())
}

fn caller<'a>(call: &Call, principal: Option<&'a probity_model::Principal>) -> Caller<'a> {
    Caller { roles: principal.map_or(&[][..], |principal| &principal.roles), operation: operation(call) }
}

fn codings_of(head: &ResponseHead) -> Result<Vec<coding::Coding>, CodingError> {
    match head.header(b"content-encoding") {
        None => Ok(Vec::new()),
        Some(_) => coding::codings(named(head.headers(), b"content-encoding")),
    }
}

fn named<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    wanted: &'static [u8],
) -> impl Iterator<Item = &'a [u8]> {
    fields.filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
}
