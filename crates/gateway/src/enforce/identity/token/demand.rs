//! What is judged at each call, also of a token that is known: is it still good, is it for this operation, and does its
//! sender hold what it is bound to.

use std::sync::Arc;

use probity_model::Timestamp;
use probity_model::bundle::identity::StepUp;
use probity_model::principal::Principal;

use super::cache::Verified;
use super::fault::TokenFault;
use super::{KnownIssuer, Presented, TokenScheme, Tokens, dpop, seconds};

impl Tokens {
    pub(super) fn admit(
        &self,
        verified: &Verified,
        call: &Presented<'_>,
    ) -> Result<Arc<Principal>, TokenFault> {
        let Some(issuer) = self.issuers.get(verified.issuer) else {
            return Err(TokenFault::token("gateway-jwt-issuer", "iss", "unknown"));
        };
        if !issuer.rules.is_accepted(call.demand) {
            return Err(TokenFault::token("gateway-jwt-issuer", "iss", "not-accepted"));
        }
        if call.now >= verified.ends_at {
            return Err(TokenFault::token("gateway-jwt-expired", "exp", "expired"));
        }
        audience(issuer, verified, call)?;
        if self.keys.revocations.holds(verified) {
            return Err(TokenFault::token("gateway-token-revoked", "token", "revoked"));
        }
        self.possession(issuer, verified, call)?;
        if let Some(demand) = &call.demand.step_up {
            step_up(demand, verified, call.now)?;
        }
        Ok(Arc::clone(&verified.principal))
    }

    fn possession(
        &self,
        issuer: &KnownIssuer,
        verified: &Verified,
        call: &Presented<'_>,
    ) -> Result<(), TokenFault> {
        let bound = &verified.confirmation;
        if !bound.is_some() && (issuer.rules.sender_constrained || call.demand.sender_constrained) {
            return Err(TokenFault::binding("gateway-token-not-bound", "cnf", "missing"));
        }
        if let Some(expected) = &bound.certificate {
            match &call.certificate {
                Some(presented) if presented == expected => {}
                Some(_) => {
                    return Err(TokenFault::binding("gateway-token-certificate", "cnf", "other-certificate"));
                }
                None => {
                    return Err(TokenFault::binding("gateway-token-certificate", "cnf", "no-certificate"));
                }
            }
        }
        match (&bound.jkt, call.scheme) {
            // Else whoever steals the token would leave the proof out.
            (Some(_), TokenScheme::Bearer) => {
                Err(TokenFault::binding("gateway-dpop-downgrade", "authorization", "bearer"))
            }
            (Some(thumbprint), TokenScheme::Dpop) => {
                dpop::check(call, thumbprint, &self.policy.dpop, &self.keys)
            }
            (None, TokenScheme::Dpop) => Err(TokenFault::binding("gateway-token-not-bound", "cnf", "no-key")),
            (None, TokenScheme::Bearer) => Ok(()),
        }
    }
}

fn audience(issuer: &KnownIssuer, verified: &Verified, call: &Presented<'_>) -> Result<(), TokenFault> {
    let wanted = match call.demand.audiences.as_slice() {
        [] => issuer.rules.audiences.as_slice(),
        own => own,
    };
    let meant = |audience: &str| wanted.iter().any(|wanted| **wanted == *audience);
    if verified.audiences.iter().any(|audience| meant(audience)) {
        return Ok(());
    }
    let found = if verified.audiences.is_empty() { "missing" } else { "other-audience" };
    Err(TokenFault::token("gateway-jwt-audience", "aud", found))
}

/// RFC 9470. The age counts from `auth_time` alone: a token may be fresh where its user is not.
fn step_up(demand: &StepUp, verified: &Verified, now: Timestamp) -> Result<(), TokenFault> {
    let proof = &verified.principal.proof;
    if !demand.acr.is_empty() {
        let fault = |found| TokenFault::step_up("gateway-step-up-acr", "acr", found, demand);
        let acr = proof.acr.as_ref().ok_or_else(|| fault("missing"))?;
        if !demand.acr.contains(acr) {
            return Err(fault("not-enough"));
        }
    }
    if demand.amr.iter().any(|wanted| !proof.amr.contains(wanted)) {
        let found = if proof.amr.is_empty() { "missing" } else { "not-enough" };
        return Err(TokenFault::step_up("gateway-step-up-amr", "amr", found, demand));
    }
    if let Some(oldest) = demand.max_age_s {
        let fault = |found| TokenFault::step_up("gateway-step-up-age", "auth_time", found, demand);
        let authenticated = verified.authenticated_at.ok_or_else(|| fault("missing"))?;
        if now.since(authenticated) > seconds(oldest) {
            return Err(fault("too-old"));
        }
    }
    Ok(())
}
