//! What the span of a call says of it, by the names of OpenTelemetry's HTTP conventions and our own `probity.*`.

use std::time::Instant;

use probity_model::exchange::{End, Protocol};

use super::{CallEnd, Value};
use crate::ingress::Call;
use crate::observe::Methods;

/// Methods of the conventions; others are `_OTHER`.
const OTHER: &str = "_OTHER";

/// Only what a record would say too: the template of the path, never the path.
pub(crate) fn describe(call: &Call, started: Instant, rules: Vec<String>) -> CallEnd {
    let method = method(call.method());
    let route =
        call.route.and_then(|route| call.plan.operation(route)).map(|operation| operation.template.as_str());
    let failed = call.status >= 500
        || matches!(
            call.end,
            End::UpstreamUnreachable | End::UpstreamTimeout | End::UpstreamAborted | End::UpstreamInvalid
        );
    let mut attributes = vec![
        ("http.request.method", method.into()),
        ("url.scheme", if call.line.is_secure() { "https" } else { "http" }.into()),
        ("server.address", Value::Text(server(call))),
        ("server.port", call.line.local().port().into()),
        ("probity.request_id", Value::Text(call.id.0.hyphenated().to_string())),
        ("probity.revision", Value::Number(i64::try_from(call.plan.bundle.revision).unwrap_or(i64::MAX))),
        ("probity.end", end(call.end).into()),
    ];
    attributes.extend(route.map(|route| ("http.route", route.into())));
    attributes.extend((call.status > 0).then_some(("http.response.status_code", call.status.into())));
    attributes.extend(version(call.protocol).map(|version| ("network.protocol.version", version.into())));
    attributes.extend(call.service().map(|service| ("probity.service", service.id.as_str().into())));
    if !rules.is_empty() {
        attributes.push(("probity.decision.rules", Value::Texts(rules)));
    }
    if failed {
        let kind = if call.status >= 500 { call.status.to_string() } else { end(call.end).to_owned() };
        attributes.push(("error.type", Value::Text(kind)));
    }
    let name = match (method, route) {
        (OTHER, Some(route)) => format!("HTTP {route}"),
        (OTHER, None) => "HTTP".to_owned(),
        (method, Some(route)) => format!("{method} {route}"),
        (method, None) => method.to_owned(),
    };
    CallEnd {
        name,
        attributes,
        failed,
        method,
        upstream_status: call.response.as_ref().map(crate::enforce::Shown::upstream_status),
        start_ns: u64::try_from(call.started_at.0).unwrap_or(0).saturating_mul(1_000),
        started,
    }
}

fn method(method: &[u8]) -> &'static str {
    let known = Methods::NAMES.iter().take(8).find(|name| name.as_bytes() == method);
    known.copied().or((method == b"CONNECT").then_some("CONNECT")).unwrap_or(OTHER)
}

/// The host that the configuration names; what the client wrote is its own affair.
fn server(call: &Call) -> String {
    let hosts = call.route.and_then(|route| call.plan.bundle.services.get(route.service));
    let hosts = hosts.map_or(&[][..], |service| &service.hosts);
    let asked = call.head.as_ref().and_then(probity_http1::RequestHead::host).unwrap_or_default();
    let named = |host: &&String| {
        asked.get(..host.len()).is_some_and(|asked| asked.eq_ignore_ascii_case(host.as_bytes()))
    };
    let plain = || hosts.iter().filter(|host| !host.starts_with('*'));
    match plain().find(named).or_else(|| plain().next()) {
        Some(host) => host.clone(),
        None => call.line.local().ip().to_string(),
    }
}

const fn version(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Http10 => Some("1.0"),
        Protocol::Http11 | Protocol::Websocket | Protocol::Upgraded => Some("1.1"),
        Protocol::Http2 | Protocol::Grpc => Some("2"),
        Protocol::Unknown => None,
    }
}

const fn end(end: End) -> &'static str {
    match end {
        End::Complete => "complete",
        End::Refused => "refused",
        End::ClientAborted => "client-aborted",
        End::UpstreamUnreachable => "upstream-unreachable",
        End::UpstreamTimeout => "upstream-timeout",
        End::UpstreamAborted => "upstream-aborted",
        End::UpstreamInvalid => "upstream-invalid",
    }
}
