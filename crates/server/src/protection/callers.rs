//! Consumers and credentials that the bundle in force knows: what they were given.

use probity_model::bundle::identity::{Credential, IdentityPolicy};
use probity_model::{Source, Subject, SubjectFacts, SubjectKind, Timestamp};
use serde_json::json;

use super::InForce;

/// Credentials of which facts are stated; further ones are known by the gateway alone.
pub const MAX_CREDENTIALS: usize = 10_000;

/// One subject for each credential that is looked up.
pub fn caller_facts(in_force: &InForce, at: Timestamp) -> Vec<SubjectFacts> {
    let Some(identity) = &in_force.bundle().identity else { return Vec::new() };
    let source = in_force.source();
    let credentials = identity.credentials.iter().take(MAX_CREDENTIALS);
    credentials.map(|credential| credential_facts(identity, credential, &source, at.hour())).collect()
}

fn credential_facts(
    identity: &IdentityPolicy,
    credential: &Credential,
    source: &Source,
    hour: Timestamp,
) -> SubjectFacts {
    let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Credential, credential.id.as_ref()));
    let owner = usize::try_from(credential.consumer).ok().and_then(|index| identity.consumers.get(index));
    if let Some(owner) = owner {
        facts.state("credential.owners", vec![owner.name.to_string()], source, hour);
    }
    let environment = credential.environment.as_ref().or_else(|| owner?.environment.as_ref());
    if let Some(environment) = environment {
        facts.state("credential.environments", vec![environment.to_string()], source, hour);
    }
    // When it was used, and whether after its end, is not known here: a record names no credential in clear.
    facts.state(
        "credential.lifecycle",
        json!({
            "kind": "api-key",
            "issued_at": credential.issued_at,
            "expires_at": credential.expires_at,
            "revoked": credential.revoked,
            "accepted_after_end": null,
        }),
        source,
        hour,
    );
    facts
}
