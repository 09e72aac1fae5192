//! What callers must prove.

use std::collections::BTreeSet;

use probity_model::bundle::identity::{Issuer, Need, ServiceIdentity, SessionLimits, StepUp, Way};
use probity_model::decision::EnforcementMode;
use probity_model::principal::PrincipalKind;
use serde_json::json;

use super::{Place, Stated, word};

/// What configuration calls it.
const RULE: &str = "protect.identity";

pub(super) fn state(stated: &mut Stated<'_>, place: Place<'_>, policy: &ServiceIdentity) {
    let need = policy.operations.get(place.operation).and_then(|index| policy.needs.get(usize::from(*index)));
    let Some(need) = need else { return };
    let ways = ways(need, place);
    let issuers = if ways.contains(&Way::Bearer) { issuers(need, place) } else { Vec::new() };
    let algorithms: BTreeSet<&str> = issuers
        .iter()
        .filter(|issuer| issuer.introspection.is_none() || issuer.keys != no_keys())
        .flat_map(|issuer| &issuer.algorithms)
        .map(|algorithm| algorithm.name())
        .collect();
    let every =
        |test: &dyn Fn(&Issuer) -> bool| !issuers.is_empty() && issuers.iter().all(|issuer| test(issuer));
    let longest = every(&|issuer| issuer.max_lifetime_s.is_some())
        .then(|| issuers.iter().filter_map(|issuer| issuer.max_lifetime_s).max())
        .flatten();
    let bound = need.token.sender_constrained || every(&|issuer| issuer.sender_constrained);
    let bound = bound && ways == [Way::Bearer];
    let step_up = need.token.step_up.as_ref().is_some_and(demands);
    stated.fact(
        "gateway.identity",
        json!({
            "mode": word(policy.mode),
            "required": !need.public,
            "accepted": accepted(&ways, &issuers, place),
            "algorithms": algorithms,
            "issuers_checked": !issuers.is_empty(),
            "audiences_checked": !need.token.audiences.is_empty() || every(&|issuer| !issuer.audiences.is_empty()),
            "lifetime_seconds": longest,
            "scopes": [],
            "roles": [],
            "step_up": step_up,
            "sender_constrained": bound,
            "environment": policy.environment,
        }),
    );
    state_session(stated, policy);
    if need.public {
        return;
    }
    stated.enforces("authn-required", RULE, policy.mode);
    stated.enforces("authn-strength", RULE, policy.mode);
    if bound || ways == [Way::Certificate] {
        stated.enforces("sender-constrained", RULE, policy.mode);
    }
    if step_up {
        stated.enforces("mfa-user", RULE, policy.mode);
    }
    if policy.environment.is_some() {
        stated.enforces("env-separation", RULE, policy.mode);
    }
    if policy.session.as_ref().is_some_and(of_persons) {
        stated.enforces("session-timeout", RULE, policy.mode);
    }
}

fn no_keys() -> probity_model::bundle::identity::token::KeySource {
    probity_model::bundle::identity::token::KeySource::None
}

fn demands(step_up: &StepUp) -> bool {
    !step_up.acr.is_empty() || !step_up.amr.is_empty() || step_up.max_age_s.is_some()
}

/// The ways that some alternative takes; without alternatives, every way for which the gateway knows somebody.
fn ways(need: &Need, place: Place<'_>) -> Vec<Way> {
    let mut ways: Vec<Way> = need.alternatives.iter().flatten().copied().collect();
    if need.alternatives.is_empty()
        && let Some(identity) = &place.bundle.identity
    {
        let tokens = identity.tokens.as_ref().is_some_and(|tokens| !tokens.issuers.is_empty());
        for (known, way) in [
            (tokens, Way::Bearer),
            (!identity.credentials.is_empty(), Way::ApiKey),
            (!identity.passwords.is_empty(), Way::Basic),
            (!identity.certificates.is_empty(), Way::Certificate),
        ] {
            ways.extend(known.then_some(way));
        }
    }
    ways.retain(|way| *way != Way::Other);
    ways.sort_unstable();
    ways.dedup();
    ways
}

fn issuers<'a>(need: &Need, place: Place<'a>) -> Vec<&'a Issuer> {
    let tokens = place.bundle.identity.as_ref().and_then(|identity| identity.tokens.as_ref());
    let named = |issuer: &&Issuer| need.token.issuers.is_empty() || need.token.issuers.contains(&issuer.name);
    tokens.into_iter().flat_map(|tokens| &tokens.issuers).filter(named).collect()
}

fn accepted(ways: &[Way], issuers: &[&Issuer], place: Place<'_>) -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    let secrets = place.bundle.identity.as_ref().is_some_and(|identity| !identity.credentials.is_empty());
    for way in ways {
        match way {
            Way::Bearer => {
                for issuer in issuers {
                    words.extend((issuer.keys != no_keys() && !issuer.encrypted_only).then_some("jwt"));
                    words.extend((!issuer.decryption.is_empty()).then_some("encrypted-jwt"));
                    words.extend(issuer.introspection.is_some().then_some("opaque-token"));
                }
                if issuers.is_empty() && secrets {
                    words.insert("api-key");
                }
            }
            Way::ApiKey => drop(words.insert("api-key")),
            Way::Basic => drop(words.insert("basic")),
            Way::Certificate => drop(words.insert("client-certificate")),
            Way::Other => {}
        }
    }
    words
}

fn state_session(stated: &mut Stated<'_>, policy: &ServiceIdentity) {
    let Some(session) = &policy.session else { return };
    let mode = if of_persons(session) { policy.mode } else { EnforcementMode::Off };
    stated.fact(
        "gateway.sessions",
        json!({"mode": word(mode), "idle_seconds": session.idle_s, "absolute_seconds": session.absolute_s}),
    );
}

/// Programs have no session that could end.
fn of_persons(session: &SessionLimits) -> bool {
    session.kinds.is_empty() || session.kinds.contains(&PrincipalKind::User)
}
