//! What a gateway says of itself and its listeners, as facts.

use std::path::Path;

use probity_gateway::Gateway;
use probity_model::{GatewayId, Source, SourceKind, Subject, SubjectFacts, SubjectKind, Timestamp};
use serde_json::json;

/// The gateway itself. `newest` is the revision that was published last, `kept` whether the bundle lies on disk.
pub fn health_facts(
    gateway: &Gateway,
    id: &GatewayId,
    newest: u64,
    bundle_file: &Path,
    at: Timestamp,
) -> SubjectFacts {
    let source = Source { kind: SourceKind::Gateway, locator: format!("gateway {id}") };
    let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Gateway, id.as_str()));
    let (health, in_force) = (gateway.health(), gateway.revision());
    let stated = json!({
        "in_force": in_force,
        "newest": newest.max(in_force),
        "kept": bundle_file.exists() && health.bundle_keep_failures == 0,
        "stage_panics": health.stage_panics > 0,
        "records_refused": health.records_refused > 0,
    });
    facts.state("gateway.health", stated, &source, at.hour());
    facts
}

/// One subject for each listener: transport, suites, certificates, handshakes seen.
pub fn listener_facts(gateway: &Gateway, id: &GatewayId, at: Timestamp) -> Vec<SubjectFacts> {
    let source = Source { kind: SourceKind::Gateway, locator: format!("gateway {id}") };
    let traffic = Source { kind: SourceKind::Traffic, locator: format!("gateway {id}") };
    let hour = at.hour();
    let mut out = Vec::new();
    let handshakes = gateway.handshakes();
    for listener in gateway.transport() {
        let mut facts =
            SubjectFacts::new(Subject::new(SubjectKind::Listener, format!("{id}/{}", listener.name)));
        let transport = json!({
            "tls": listener.tls,
            "minimum": listener.minimum,
            "loopback": listener.loopback,
            "clear_text_allowed": listener.clear_text_allowed,
        });
        facts.state("listener.transport", transport, &source, hour);
        if listener.tls {
            facts.state("listener.suites", listener.suites.clone(), &source, hour);
            let certificates: Vec<_> = listener
                .certificates
                .iter()
                .map(|certificate| {
                    json!({
                        "subject": certificate.subject,
                        "issuer": certificate.issuer,
                        "not_before": certificate.not_before,
                        "not_after": certificate.not_after,
                        "self_signed": certificate.self_signed,
                        "names": certificate.names,
                    })
                })
                .collect();
            facts.state("listener.certificates", certificates, &source, hour);
        }
        let seen: Vec<&str> = handshakes
            .iter()
            .filter(|(name, ..)| *name == listener.name)
            .map(|(_, handshake, _)| handshake.as_str())
            .collect();
        if !seen.is_empty() {
            facts.state("listener.handshakes", seen, &traffic, hour);
        }
        out.push(facts);
    }
    out
}
