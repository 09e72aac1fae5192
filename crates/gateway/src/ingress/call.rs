//! One call: what is known of it from its head to its record.
//!
//! Dropping a call records it, so that one whose task panics or is cut off is not lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use probity_events::{RecordError, Ticket};
use probity_http1::RequestHead;
use probity_model::exchange::Authentication;
use probity_model::exchange::{Durations, End, Exchange, PathRef, Protocol, UserAgentClass};
use probity_model::{
    Action, DataClass, Decision, EnforcementMode, Place, Principal, RequestId, ServiceId, Signals, Timestamp,
};
use probity_policy::classify::{Content, Findings};

use super::Line;
use super::forward::Origin;
use super::refusal::{Reason, STAGE_PANICKED, Stop};
use crate::enforce::limits::Taken;
use crate::enforce::{FieldEdits, Held, Ruling, Shown};
use crate::metrics::Stage;
use crate::observe::{self, ContentType, Ending, Observed, RequestFacts};
use crate::peer::Tee;
use crate::plan::{Plan, Route, Service};
use crate::trace::{self, Trace};
use crate::watch::lock;

/// Where a body that streams leaves its decisions.
pub(crate) type Notes = Arc<std::sync::Mutex<Vec<Decision>>>;

#[derive(Debug)]
pub(crate) struct Call {
    pub line: Arc<Line>,
    pub plan: Arc<Plan>,
    /// Absent for what was no HTTP.
    pub head: Option<RequestHead>,
    pub id: RequestId,
    pub route: Option<Route>,
    pub origin: Option<Origin>,
    pub facts: Option<RequestFacts>,
    /// As the client sees it.
    pub response: Option<Shown>,
    pub protocol: Protocol,
    /// What the client was told; 0 where nothing was.
    pub status: u16,
    pub end: End,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub request_body: Tee,
    pub response_body: Tee,
    pub exposed_upstream: bool,
    pub asked_at: Option<Instant>,
    pub upstream_us: u64,
    /// Who calls, once that is proved.
    pub principal: Option<Arc<Principal>>,
    /// What becomes of the request's fields on their way upstream.
    pub request_edits: FieldEdits,
    /// Takes the place of the request's query on its way upstream.
    pub upstream_query: Option<bytes::Bytes>,
    /// The request's body, as far as it is held.
    pub body: Held,
    /// What limits took for it.
    pub limits: Taken,
    pub started_at: Timestamp,
    started: Instant,
    /// When the last stage ended, and what all that do not wait took.
    lapped: Instant,
    spent_ns: u64,
    decisions: Vec<Decision>,
    /// What the scan of the answer's body found, if the client gets just those bytes.
    judged: Option<Findings>,
    /// What it told of them in any case.
    pub answer_signals: Signals,
    pub sensitive_answer: bool,
    /// Decisions that fall while a body streams.
    notes: Option<Notes>,
    /// What a draft that is tried made of the call, apart from what is in force.
    draft: Option<Box<Draft>>,
    /// Its controls are being asked right now.
    rehearsing: bool,
    recorded: bool,
    /// Absent where nobody asked for traces.
    pub trace: Option<Box<Trace>>,
}

/// The parts of a call that controls change.
#[derive(Debug, Default)]
struct Draft {
    principal: Option<Arc<Principal>>,
    limits: Taken,
    request_edits: FieldEdits,
    body: Held,
}

impl Call {
    /// Counts a call whose head was read, or was refused while it was read.
    pub fn accept(line: &Arc<Line>, plan: Arc<Plan>, head: Option<RequestHead>, protocol: Protocol) -> Self {
        let observer = &line.shared().observer;
        if observer.enabled {
            line.shared().recorder.accepted();
        }
        let (started_at, started) = (crate::gateway::now(), Instant::now());
        let traces = line.shared().traces.as_ref();
        let trace = traces.and_then(|traces| Trace::begin(traces, head.as_ref()?));
        let mut request_edits = FieldEdits::default();
        if let Some(trace) = &trace {
            trace.edit(&mut request_edits);
        }
        Self {
            line: Arc::clone(line),
            plan,
            head,
            id: observer.request_id(started_at),
            route: None,
            origin: None,
            facts: None,
            response: None,
            protocol,
            status: 0,
            // Until it is known better: the task went away under the call.
            end: End::ClientAborted,
            request_bytes: 0,
            response_bytes: 0,
            request_body: Tee::default(),
            response_body: Tee::default(),
            exposed_upstream: false,
            asked_at: None,
            upstream_us: 0,
            principal: None,
            request_edits,
            upstream_query: None,
            body: Held::Streaming,
            limits: Taken::default(),
            started_at,
            started,
            lapped: started,
            spent_ns: 0,
            decisions: Vec::new(),
            judged: None,
            answer_signals: Signals::default(),
            sensitive_answer: false,
            notes: None,
            draft: None,
            rehearsing: false,
            recorded: false,
            trace,
        }
    }

    /// Asks the controls of a draft: they see what they made of the call before, flag what they find, and change nothing
    /// of what goes on.
    pub async fn rehearse(&mut self, ask: impl AsyncFnOnce(&mut Self) -> Result<(), Stop>) {
        let mut draft = self.draft.take().unwrap_or_default();
        std::mem::swap(&mut self.principal, &mut draft.principal);
        std::mem::swap(&mut self.limits, &mut draft.limits);
        std::mem::swap(&mut self.request_edits, &mut draft.request_edits);
        draft.body = self.body.clone();
        self.rehearsing = true;
        // In a rehearsal nothing ends the call, not even a panic.
        let _ = ask(self).await;
        self.rehearsing = false;
        self.body = std::mem::take(&mut draft.body);
        std::mem::swap(&mut self.principal, &mut draft.principal);
        std::mem::swap(&mut self.limits, &mut draft.limits);
        std::mem::swap(&mut self.request_edits, &mut draft.request_edits);
        self.draft = Some(draft);
    }

    /// Whether the controls that are asked are a draft's: they must not wait, slow or count for what is in force.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsing
    }

    pub fn service(&self) -> Option<&Service> {
        self.plan.service(self.route?)
    }

    /// Who connected, as trusted proxies tell it.
    pub fn client(&self) -> std::net::IpAddr {
        self.origin.as_ref().map_or(self.line.peer, |origin| origin.client)
    }

    pub fn method(&self) -> &[u8] {
        self.head.as_ref().map_or(b"-", RequestHead::method)
    }

    pub fn is_durable(&self) -> bool {
        let Some(route) = self.route else { return false };
        self.line.shared().observer.enabled
            && (self.plan.service(route).is_some_and(|service| service.durable)
                || self.plan.operation(route).is_some_and(|operation| operation.durable))
    }

    /// Whether the same request can be sent again without doing something twice.
    pub fn is_replayable(&self) -> bool {
        self.head.as_ref().is_some_and(|head| {
            (head.framing().is_empty() || self.body.whole().is_some())
                && head.upgrade().is_none()
                && matches!(head.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
        })
    }

    /// Takes a decision of the gateway into the record and the metrics.
    pub fn decide(&mut self, reason: &Reason) {
        self.end = reason.end;
        self.line.shared().metrics.refused(reason.name);
        self.decisions.extend(reason.decision(self.plan.bundle.revision));
    }

    /// Takes what a control found into the record. In block mode the call ends.
    pub fn rule(&mut self, ruling: Ruling) -> Result<(), Stop> {
        let revision = self.plan.bundle.revision;
        if self.rehearsing {
            if ruling.mode != EnforcementMode::Off {
                self.decisions.push(ruling.rehearsed(revision));
            }
            return Ok(());
        }
        match ruling.mode {
            EnforcementMode::Off => Ok(()),
            EnforcementMode::Observe => {
                self.decisions.push(ruling.decision(Action::Flag, revision));
                Ok(())
            }
            EnforcementMode::Block => {
                self.decisions.push(ruling.decision(Action::Refuse, revision));
                self.end = End::Refused;
                self.line.shared().metrics.refused(ruling.name());
                Err(Stop::Rule(Box::new(ruling)))
            }
        }
    }

    /// Takes a change that a control made into the record.
    pub fn changed(&mut self, ruling: &Ruling) {
        if self.rehearsing {
            self.decisions.push(ruling.rehearsed(self.plan.bundle.revision));
            return;
        }
        self.decisions.push(ruling.decision(Action::Change, self.plan.bundle.revision));
    }

    /// Keeps what the scan of the answer's body tells, whatever becomes of the body.
    pub fn note_answer(&mut self, findings: &Findings) {
        if self.rehearsing {
            return;
        }
        self.answer_signals = findings.signals;
        self.sensitive_answer = findings.hits.iter().any(|hit| {
            hit.place == Place::ResponseBody
                && !matches!(hit.class, DataClass::IpAddress | DataClass::Custom(_))
        });
    }

    /// Keeps what was found in bytes that the client will get: they are not scanned again for the record.
    pub fn judged(&mut self, mut findings: Findings) {
        if self.rehearsing {
            return;
        }
        findings.locate(false);
        self.judged = Some(findings);
    }

    /// The client gets other bytes than those that were scanned.
    pub fn unjudged(&mut self) {
        if !self.rehearsing {
            self.judged = None;
        }
    }

    pub fn was_judged(&self) -> bool {
        self.judged.is_some()
    }

    pub fn notes(&mut self) -> Notes {
        Arc::clone(self.notes.get_or_insert_default())
    }

    /// Ends a stage: what passed since the last one is its time.
    pub fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        let since = std::mem::replace(&mut self.lapped, now);
        let ns = nanos(now.duration_since(since));
        if let Some(trace) = &mut self.trace {
            trace.lap(stage, since, now);
        }
        if !matches!(stage, Stage::Body | Stage::Upstream) {
            self.spent_ns = self.spent_ns.saturating_add(ns);
        }
        self.line.shared().metrics.spent(stage, ns);
    }

    /// A control panicked: in block mode nobody can say that the call may pass.
    pub fn stage_panicked(&mut self, mode: EnforcementMode) -> Result<(), Stop> {
        if mode == EnforcementMode::Block && !self.rehearsing {
            self.line.shared().metrics.stage_panics.fetch_add(1, Relaxed);
            tracing::error!(request_id = %self.id, "a control panicked");
            return Err(STAGE_PANICKED.into());
        }
        self.panicked();
        Ok(())
    }

    /// Reads what the head shows. A panic passes the call and is recorded.
    pub fn observe_request(&mut self) {
        let shared = Arc::clone(self.line.shared());
        if !shared.observer.enabled {
            return;
        }
        let (line, plan, route) = (&self.line, &self.plan, self.route);
        let Some(head) = &self.head else { return };
        let own =
            route.and_then(|route| plan.service(route)).map_or(&[][..], |service| &service.credential_names);
        let gathered = catch_unwind(AssertUnwindSafe(|| {
            RequestFacts::gather(&shared.observer, head, own, &line.credentials, &line.agents)
        }));
        match gathered {
            Ok(facts) => {
                self.request_body = self.tee(&facts.content_type, facts.encoded);
                self.facts = Some(facts);
            }
            Err(_) => self.panicked(),
        }
    }

    /// The copy of a body's beginning that its classification will need.
    fn tee(&self, content_type: &ContentType, encoded: bool) -> Tee {
        Tee::new(match content_type.content {
            Content::Binary => 0,
            // One byte tells that there was something that could not be read.
            _ if encoded => 1,
            _ => self.plan.inspection().body_bytes as usize,
        })
    }

    /// The same for the answer.
    pub fn response_tee(&self) -> Tee {
        let Some(response) = &self.response else { return Tee::default() };
        if !self.line.shared().observer.enabled {
            return Tee::default();
        }
        let encoded = response
            .header(b"content-encoding")
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        self.tee(&ContentType::of(response.header(b"content-type")), encoded)
    }

    /// Records the call, once. The ticket tells when the record is on disk.
    pub fn record(&mut self) -> Option<Result<Ticket, RecordError>> {
        if std::mem::replace(&mut self.recorded, true) {
            return None;
        }
        let shared = Arc::clone(self.line.shared());
        self.settle_limits();
        let total_us = micros(self.started);
        let route = self.route.filter(|_| self.head.is_some());
        if let Some(series) = self.plan.series(route, self.method()) {
            series.count(self.status, total_us);
        }
        let rules = self.rules_for_trace();
        if !shared.observer.enabled {
            self.end_trace(rules);
            return None;
        }
        if let Some(notes) = self.notes.take() {
            self.decisions.append(&mut lock(&notes));
        }
        let judged = self.judged.take();
        let ending = Ending {
            status: self.status,
            end: self.end,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            durations: Durations { total_us, upstream_us: self.upstream_us },
            decisions: std::mem::take(&mut self.decisions),
        };
        let built = catch_unwind(AssertUnwindSafe(|| {
            observe::exchange(&shared.observer, &self.plan.scanner, self.observed(), ending, judged)
        }));
        let exchange = built.unwrap_or_else(|_| {
            self.panicked();
            self.bare_exchange(total_us)
        });
        let taken = shared.recorder.append(exchange);
        self.lap(Stage::Record);
        shared.metrics.spent(Stage::Sum, self.spent_ns);
        self.end_trace(rules);
        let counter =
            if taken.is_ok() { &shared.metrics.records_taken } else { &shared.metrics.records_refused };
        counter.fetch_add(1, Relaxed);
        Some(taken)
    }

    /// Lets the limits know how the call ended.
    fn settle_limits(&mut self) {
        let Some(guards) = self.service().and_then(|service| service.guards.clone()) else { return };
        let Some(guard) = &guards.limits else { return };
        if catch_unwind(AssertUnwindSafe(|| guard.settle(self))).is_err() {
            self.panicked();
        }
    }

    /// The rules that decided, where a trace will name them.
    fn rules_for_trace(&self) -> Vec<String> {
        match &self.trace {
            Some(trace) if trace.is_sampled() => {
                self.decisions.iter().map(|decision| decision.rule.to_string()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn end_trace(&mut self, rules: Vec<String>) {
        let shared = Arc::clone(self.line.shared());
        if let (Some(trace), Some(traces)) = (self.trace.take(), &shared.traces)
            && trace.is_sampled()
        {
            trace.end(traces, trace::describe(self, self.started, rules));
        }
    }

    fn observed(&self) -> Observed<'_> {
        let service = self.service();
        Observed {
            request_id: self.id,
            started_at: self.started_at,
            revision: self.plan.bundle.revision,
            service: service.map_or_else(unrouted, |service| service.id.clone()),
            template: self
                .route
                .and_then(|route| self.plan.operation(route))
                .map(|operation| &operation.template),
            own_credentials: service.map_or(&[][..], |service| &service.credential_names),
            request: self.head.as_ref(),
            facts: self.facts.as_ref(),
            response: self.response.as_ref(),
            client: Some(self.origin.as_ref().map_or(self.line.peer, |origin| origin.client)),
            protocol: self.protocol,
            tls: self.line.tls.clone(),
            request_body: &self.request_body,
            response_body: &self.response_body,
            exposed_upstream: self.exposed_upstream,
            caller: self.principal.as_ref().map(|principal| {
                let observer = &self.line.shared().observer;
                (
                    principal.proof.scheme,
                    self.line.identity().name(principal, |principal| observer.identity_of(principal)),
                )
            }),
        }
    }

    /// What is left to say of a call whose observation panicked.
    fn bare_exchange(&mut self, total_us: u64) -> Exchange {
        Exchange {
            sequence: 0,
            request_id: self.id,
            gateway: self.line.shared().observer.gateway.clone(),
            started_at: self.started_at,
            revision: self.plan.bundle.revision,
            service: self.service().map_or_else(unrouted, |service| service.id.clone()),
            method: String::from_utf8_lossy(self.method()).as_ref().into(),
            path: match self.route.and_then(|route| self.plan.operation(route)) {
                Some(operation) => PathRef::Template(operation.template.clone()),
                None => PathRef::Segments(Vec::new()),
            },
            query: Vec::new(),
            status: self.status,
            end: self.end,
            shape: 0,
            shape_fields: None,
            request_type: "".into(),
            response_type: "".into(),
            client: Some(self.line.peer),
            user_agent: UserAgentClass::Other,
            protocol: self.protocol,
            tls: self.line.tls.clone(),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            durations: Durations { total_us, upstream_us: self.upstream_us },
            authentication: Authentication::none(),
            classes: Vec::new(),
            signals: Signals::default(),
            decisions: std::mem::take(&mut self.decisions),
        }
    }

    fn panicked(&mut self) {
        self.line.shared().metrics.stage_panics.fetch_add(1, Relaxed);
        tracing::error!(request_id = %self.id, "a stage panicked");
        self.decisions.extend(STAGE_PANICKED.decision(self.plan.bundle.revision).map(|decision| Decision {
            mode: probity_model::EnforcementMode::Observe,
            action: probity_model::Action::Flag,
            ..decision
        }));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.recorded {
            return;
        }
        if std::thread::panicking() {
            self.panicked();
        }
        // Nobody is left to wait for the disk.
        let _ = self.record();
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The service of calls that are for none.
fn unrouted() -> ServiceId {
    ServiceId::new(crate::UNROUTED)
}
