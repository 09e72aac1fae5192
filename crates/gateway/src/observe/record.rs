//! Puts a call together as an exchange.

use std::cell::RefCell;
use std::sync::Arc;

use probity_http1::RequestHead;
use probity_model::class::ClassGroup;
use probity_model::exchange::{
    Authentication, AuthenticationState, CredentialScheme, Durations, End, Exchange, PathRef, Protocol, Tls,
    UserAgentClass,
};
use probity_model::{
    DataClass, Decision, Place, RequestId, ServiceId, Signal, Signals, Template, Timestamp, path,
};
use probity_policy::classify::{Content, Findings, Scanner};

use super::credential::is_credential_field;
use super::response::ResponseFacts;
use super::{Methods, Observer, RequestFacts};
use crate::enforce::Shown;
use crate::peer::Tee;

/// Header fields of a request that are classified, and the longest value of one.
const MAX_SCANNED_FIELDS: usize = 32;
const MAX_SCANNED_VALUE: usize = 1024;
/// Names of query parameters in one record.
const MAX_QUERY_NAMES: usize = 32;

/// A call as far as the data path knows it, borrowed for the record.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub request_id: RequestId,
    pub started_at: Timestamp,
    pub revision: u64,
    pub service: ServiceId,
    pub template: Option<&'a Template>,
    pub own_credentials: &'a [Box<[u8]>],
    /// Absent for what was no HTTP.
    pub request: Option<&'a RequestHead>,
    pub facts: Option<&'a RequestFacts>,
    pub response: Option<&'a Shown>,
    pub client: Option<std::net::IpAddr>,
    pub protocol: Protocol,
    pub tls: Option<Tls>,
    pub request_body: &'a Tee,
    pub response_body: &'a Tee,
    pub exposed_upstream: bool,
    /// How a proved caller was proved, and their name in records.
    pub caller: Option<(CredentialScheme, [u8; 16])>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub status: u16,
    pub end: End,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub durations: Durations,
    pub decisions: Vec<Decision>,
}

/// The record of a call; `sequence` is the recorder's to give.
pub(crate) fn exchange(
    observer: &Observer,
    scanner: &Scanner,
    call: Observed<'_>,
    ending: Ending,
    judged: Option<Findings>,
) -> Exchange {
    if let (Some(probe), Some(head)) = (observer.probe, call.request) {
        probe(text(head.path()));
    }
    let answered = judged.is_some();
    let mut findings = judged.unwrap_or_else(lend_findings);
    let exchange = fill(observer, scanner, call, ending, answered, &mut findings);
    keep_findings(findings);
    exchange
}

/// Findings that one thread keeps for later calls: those of calls that overlap.
const MAX_KEPT_FINDINGS: usize = 8;

thread_local! { static FINDINGS: RefCell<Vec<Findings>> = const { RefCell::new(Vec::new()) }; }

/// Gives findings back, for what they remember of fields.
pub(crate) fn keep_findings(findings: Findings) {
    FINDINGS.with_borrow_mut(|kept| {
        if kept.len() < MAX_KEPT_FINDINGS {
            kept.push(findings);
        }
    });
}

/// Empty findings that may remember fields of earlier calls.
pub(crate) fn lend_findings() -> Findings {
    let mut findings = FINDINGS.with_borrow_mut(Vec::pop).unwrap_or_default();
    findings.locate(false);
    findings.clear();
    findings
}

fn fill(
    observer: &Observer,
    scanner: &Scanner,
    call: Observed<'_>,
    ending: Ending,
    answered: bool,
    findings: &mut Findings,
) -> Exchange {
    let secure = call.tls.is_some();
    let response = match (call.request, call.response) {
        (Some(request), Some(response)) => Some(ResponseFacts::gather(request, response, secure)),
        _ => None,
    };
    let mut signals = Signals::default();
    signals.set(Signal::ClearText, !secure);
    signals.set(Signal::UpstreamClearText, call.exposed_upstream);
    if let Some(request) = call.request {
        scan_head(scanner, request, &call, findings);
    }
    if let Some(facts) = call.facts {
        signals.0 |= facts.signals.0;
        scan_body(
            scanner,
            facts.content_type.content,
            facts.encoded,
            Place::RequestBody,
            call.request_body,
            findings,
        );
    }
    if let Some(head) = call.response {
        scan_answer_head(scanner, head, findings);
    }
    if let Some(facts) = &response {
        signals.0 |= facts.signals.0;
        if !answered {
            scan_body(
                scanner,
                facts.content_type.content,
                facts.encoded,
                Place::ResponseBody,
                call.response_body,
                findings,
            );
        }
    }
    let response_type: Arc<str> =
        response.as_ref().map_or_else(|| "".into(), |facts| facts.content_type.essence.clone());
    let shape = findings.shape(ending.status, &response_type);
    let shape_fields = observer.is_new_shape(shape).then(|| findings.field_names());
    let mut query = if call.request.is_some_and(|head| head.query().is_some()) {
        findings.fields.names(Place::RequestQuery)
    } else {
        Vec::new()
    };
    query.truncate(MAX_QUERY_NAMES);
    signals.0 |= findings.signals.0;
    let authentication = authentication(observer, &call);
    let classes = std::mem::take(&mut findings.hits);
    let sensitive =
        |class: &DataClass| !matches!(class.group(), ClassGroup::Custom) && *class != DataClass::IpAddress;
    let leaks = classes.iter().any(|hit| hit.place.is_response() && !hit.masked && sensitive(&hit.class));
    signals.set(Signal::CacheableSensitive, leaks && response.as_ref().is_some_and(|facts| facts.cacheable));
    Exchange {
        sequence: 0,
        request_id: call.request_id,
        gateway: observer.gateway.clone(),
        started_at: call.started_at,
        revision: call.revision,
        service: call.service,
        method: call.request.map_or_else(|| "-".into(), |head| Methods::interned(head.method())),
        path: path_of(observer, call.request, call.template),
        query,
        status: ending.status,
        end: ending.end,
        shape,
        shape_fields,
        request_type: call.facts.map_or_else(|| "".into(), |facts| facts.content_type.essence.clone()),
        response_type,
        client: call.client,
        user_agent: call.facts.map_or(UserAgentClass::None, |facts| facts.user_agent),
        protocol: call.protocol,
        tls: call.tls,
        request_bytes: ending.request_bytes,
        response_bytes: ending.response_bytes,
        durations: ending.durations,
        authentication,
        classes,
        signals,
        decisions: ending.decisions,
    }
}

fn authentication(observer: &Observer, call: &Observed<'_>) -> Authentication {
    let presented = call.facts.map_or(Authentication::none(), |facts| facts.authentication.clone());
    let Some((scheme, identity)) = call.caller else { return presented };
    Authentication {
        state: AuthenticationState::Verified,
        scheme: if presented.scheme == CredentialScheme::None { scheme } else { presented.scheme },
        identity: Some(identity),
        credential: presented.credential,
        key_version: observer.key_version,
    }
}

fn path_of(observer: &Observer, request: Option<&RequestHead>, template: Option<&Template>) -> PathRef {
    match (template, request) {
        (Some(template), _) => PathRef::Template(template.clone()),
        (None, Some(head)) => {
            PathRef::Segments(path::segments(text(head.path()), |segment| observer.segment_hash(segment)))
        }
        (None, None) => PathRef::Segments(Vec::new()),
    }
}

fn scan_head(scanner: &Scanner, request: &RequestHead, call: &Observed<'_>, findings: &mut Findings) {
    if let Some(query) = request.query() {
        scanner.scan_query(text(query), findings);
    }
    for segment in
        text(request.path()).split('/').filter(|segment| may_hold_class(segment)).take(path::MAX_SEGMENTS)
    {
        scanner.scan_field(Place::RequestPath, "path", segment, findings);
    }
    let scanned = request.headers().filter(|(name, value)| {
        value.len() <= MAX_SCANNED_VALUE
            && is_own_field(name)
            && !is_credential_field(name, call.own_credentials)
    });
    for (name, value) in scanned.take(MAX_SCANNED_FIELDS) {
        scanner.scan_field(Place::RequestHeader, text(name), text(value), findings);
    }
}

fn scan_answer_head(scanner: &Scanner, response: &Shown, findings: &mut Findings) {
    let scanned = response.fields().filter(|(name, value)| {
        value.len() <= MAX_SCANNED_VALUE && (is_own_field(name) || name.eq_ignore_ascii_case(b"location"))
    });
    for (name, value) in scanned.take(MAX_SCANNED_FIELDS) {
        scanner.scan_field(Place::ResponseHeader, text(name), text(value), findings);
    }
}

/// Segments that could be more than a word or a small number.
fn may_hold_class(segment: &str) -> bool {
    segment.len() >= 8 && segment.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'@' | b'%'))
}

/// Fields that an application made up: the registered and usual ones have no room for personal data.
pub(crate) fn is_own_field(name: &[u8]) -> bool {
    let is = |usual: &[u8]| name.eq_ignore_ascii_case(usual);
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"x-"))
        && !name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case(b"x-forwarded"))
        && !USUAL_FIELDS.iter().any(|usual| is(usual))
}

const USUAL_FIELDS: [&[u8]; 8] = [
    b"x-request-id",
    b"x-real-ip",
    b"x-content-type-options",
    b"x-frame-options",
    b"x-xss-protection",
    b"x-powered-by",
    b"x-requested-with",
    b"x-dns-prefetch-control",
];

fn scan_body(
    scanner: &Scanner,
    content: Content,
    encoded: bool,
    place: Place,
    body: &Tee,
    findings: &mut Findings,
) {
    if body.is_empty() || content == Content::Binary {
        return;
    }
    if encoded {
        findings.signals.insert(Signal::InspectionTruncated);
        return;
    }
    scanner.scan(content, place, body.bytes(), body.truncated, findings);
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
