//! Calls that somebody else recorded (HAR, access logs), observed by the same stages as calls that pass through: the head
//! is written as HTTP/1.1, read by the same codec, and nothing raw is kept.

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use probity_http1::{Limits, Refusal, RequestHead, ResponseHead, check_field, parse_request, parse_response};
use probity_model::bundle::CustomClass;
use probity_model::exchange::{Authentication, AuthenticationState, Durations, End, Exchange, Protocol};
use probity_model::{GatewayId, ServiceId, Signal, Signals, Timestamp};
use probity_policy::classify::{ClassError, Scanner};

use super::{AgentCache, CredentialCache, Ending, Observed, Observer, RequestFacts, exchange};
use crate::enforce::Shown;
use crate::gateway::Tuning;
use crate::peer::Tee;

/// A head may be larger than on the wire: browsers add fields to what they record.
const LIMITS: Limits = Limits {
    head_bytes: 256 * 1024,
    headers: 200,
    target_bytes: 64 * 1024,
    chunk_extension_bytes: 0,
    trailer_bytes: 0,
    trailers: 0,
};
/// Fields that state framing or the connection: a record of a call has none.
const FRAMING: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
];

/// One call as a file tells it. What the file does not tell is `None`.
#[derive(Clone, Copy)]
pub struct RecordedCall<'a> {
    pub started_at: Timestamp,
    pub method: &'a str,
    /// Path and query as the client sent them.
    pub target: &'a str,
    pub host: &'a str,
    pub service: &'a ServiceId,
    pub status: u16,
    pub protocol: Protocol,
    pub client: Option<IpAddr>,
    /// `None`: the file does not show fields, so nothing is said of credentials or of missing fields.
    pub request_fields: Option<&'a [(&'a str, &'a str)]>,
    pub response_fields: Option<&'a [(&'a str, &'a str)]>,
    pub user_agent: Option<&'a str>,
    pub request_type: Option<&'a str>,
    pub response_type: Option<&'a str>,
    pub request_body: Option<&'a [u8]>,
    pub response_body: Option<&'a [u8]>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub durations: Durations,
}

impl std::fmt::Debug for RecordedCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordedCall").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why a recorded call is not one that a gateway would have passed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum ImportRefusal {
    #[error("the request is refused as `{}`", .0.name())]
    Request(Refusal),
    #[error("the answer is refused as `{}`", .0.name())]
    Response(Refusal),
    #[error("the call has no whole head")]
    Incomplete,
}

/// Observes recorded calls.
#[derive(Debug)]
pub struct ImportObserver {
    observer: Observer,
    scanner: Scanner,
    body_bytes: usize,
}

impl ImportObserver {
    /// `None` where the system gives no random numbers.
    ///
    /// # Errors
    /// [`ClassError`] for a class of the user that cannot be compiled.
    pub fn new(
        gateway: GatewayId,
        identity_key: &[u8; 32],
        key_version: u16,
        classes: &[CustomClass],
        body_bytes: usize,
    ) -> Result<Option<Self>, ClassError> {
        let scanner = Scanner::new(classes)?;
        let observer = Observer::new(gateway, identity_key, key_version, Tuning::default());
        Ok(observer.map(|observer| Self { observer, scanner, body_bytes }))
    }

    /// The record of one call; its sequence is the recorder's to give.
    ///
    /// # Errors
    /// [`ImportRefusal`]: nothing of the call is recorded.
    pub fn exchange(&self, call: &RecordedCall<'_>) -> Result<Exchange, ImportRefusal> {
        let request = request_head(call)?;
        let response = Shown::from(response_head(call, &request)?);
        let credentials = CredentialCache::default();
        let facts = RequestFacts::gather(&self.observer, &request, &[], &credentials, &AgentCache::default());
        let body = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => Tee::of(&Bytes::copy_from_slice(bytes), self.body_bytes),
            None => Tee::new(0),
        };
        let (request_body, response_body) = (body(call.request_body), body(call.response_body));
        let observed = Observed {
            request_id: self.observer.request_id(call.started_at),
            started_at: call.started_at,
            revision: 0,
            service: call.service.clone(),
            template: None,
            own_credentials: &[],
            request: Some(&request),
            facts: Some(&facts),
            response: Some(&response),
            client: call.client,
            protocol: call.protocol,
            tls: None,
            request_body: &request_body,
            response_body: &response_body,
            exposed_upstream: false,
            caller: None,
        };
        let ending = Ending {
            status: call.status,
            end: End::Complete,
            request_bytes: call.request_bytes,
            response_bytes: call.response_bytes,
            durations: call.durations,
            decisions: Vec::new(),
        };
        let mut exchange = exchange(&self.observer, &self.scanner, observed, ending, None);
        if call.request_fields.is_none() && exchange.authentication.state == AuthenticationState::None {
            exchange.authentication =
                Authentication { state: AuthenticationState::Unknown, ..Authentication::none() };
        }
        exchange.signals = known_signals(exchange.signals, call);
        Ok(exchange)
    }
}

/// A file says nothing of how the client was connected; without response fields, nothing of what they lack.
fn known_signals(signals: Signals, call: &RecordedCall<'_>) -> Signals {
    let unknown = [Signal::ClearText, Signal::UpstreamClearText, Signal::HstsMissing];
    let without_fields = [Signal::NosniffMissing, Signal::CacheableSensitive];
    let mut out = Signals::default().with(Signal::Imported);
    for signal in signals.iter() {
        let told = !unknown.contains(&signal)
            && (call.response_fields.is_some() || !without_fields.contains(&signal));
        out.set(signal, told);
    }
    if call.response_body.is_none() {
        out.insert(Signal::InspectionTruncated);
    }
    out
}

fn request_head(call: &RecordedCall<'_>) -> Result<RequestHead, ImportRefusal> {
    let target = if call.target == "*" && call.method != "OPTIONS" { "/" } else { call.target };
    let mut text = BytesMut::with_capacity(512);
    let mut line = |parts: &[&str]| parts.iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
    line(&[call.method, " ", target, " HTTP/1.1\r\nHost: ", call.host, "\r\n"]);
    let fields = call.request_fields.unwrap_or_default();
    let has = |wanted: &str| fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    for (name, value) in [("User-Agent", call.user_agent), ("Content-Type", call.request_type)] {
        if let (Some(value), false) = (value, has(name)) {
            write_field(&mut text, name, value);
        }
    }
    fields.iter().for_each(|(name, value)| write_field(&mut text, name, value));
    text.extend_from_slice(b"\r\n");
    match parse_request(&mut text, &LIMITS) {
        Ok(Some(head)) => Ok(head),
        Ok(None) => Err(ImportRefusal::Incomplete),
        Err(refusal) => Err(ImportRefusal::Request(refusal)),
    }
}

fn response_head(call: &RecordedCall<'_>, request: &RequestHead) -> Result<ResponseHead, ImportRefusal> {
    let mut text = BytesMut::with_capacity(512);
    text.extend_from_slice(format!("HTTP/1.1 {} \r\n", call.status).as_bytes());
    let fields = call.response_fields.unwrap_or_default();
    if let (Some(value), false) =
        (call.response_type, fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")))
    {
        write_field(&mut text, "Content-Type", value);
    }
    // A recorded body is decoded already.
    let decoded = fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-encoding"));
    decoded.for_each(|(name, value)| write_field(&mut text, name, value));
    text.extend_from_slice(b"\r\n");
    match parse_response(&mut text, &LIMITS, request.method()) {
        Ok(Some(head)) => Ok(head),
        Ok(None) => Err(ImportRefusal::Incomplete),
        Err(refusal) => Err(ImportRefusal::Response(refusal)),
    }
}

/// Pseudo-fields of HTTP/2 and fields that HTTP/1.1 could not carry are left out.
fn write_field(text: &mut BytesMut, name: &str, value: &str) {
    let framing = FRAMING.iter().any(|known| name.eq_ignore_ascii_case(known));
    if framing || check_field(name.as_bytes(), value.as_bytes()).is_err() {
        return;
    }
    for part in [name, ": ", value, "\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
}
