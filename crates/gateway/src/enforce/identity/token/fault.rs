//! Why a token is refused: a rule, a word for what was found, and what the client is told (RFC 6750, 9449, 9470).
//! Nothing here repeats a value of the token.

use std::fmt::Write as _;

use probity_model::bundle::identity::StepUp;

/// A refusal of a token. `rule`, `field` and `found` go to the record, the rest to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenFault {
    /// Such as `gateway-jwt-expired`.
    pub rule: &'static str,
    /// Id of the check that the rule fails.
    pub check: &'static str,
    /// The claim, header member or field that mattered.
    pub field: &'static str,
    /// What was found there, in a word.
    pub found: &'static str,
    pub status: u16,
    answer: Told,
}

/// What the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    InvalidToken,
    InvalidProof,
    /// A proof with this nonce is wanted.
    Nonce(Box<str>),
    StepUp(Box<StepUp>),
    /// Try again later.
    Unavailable,
}

const STRENGTH: &str = "authn-strength";
const BOUND: &str = "sender-constrained";
const STEP_UP: &str = "mfa-user";
/// Seconds after which a client may try again while an issuer is out of reach.
const RETRY_AFTER_S: &str = "5";

impl TokenFault {
    const fn of(
        rule: &'static str,
        check: &'static str,
        field: &'static str,
        found: &'static str,
        status: u16,
        answer: Told,
    ) -> Self {
        Self { rule, check, field, found, status, answer }
    }

    /// The token itself is at fault.
    pub(super) const fn token(rule: &'static str, field: &'static str, found: &'static str) -> Self {
        Self::of(rule, STRENGTH, field, found, 401, Told::InvalidToken)
    }

    /// The token may be good, but not from this sender.
    pub(super) const fn binding(rule: &'static str, field: &'static str, found: &'static str) -> Self {
        Self::of(rule, BOUND, field, found, 401, Told::InvalidToken)
    }

    /// The DPoP proof is at fault.
    pub(super) const fn proof(rule: &'static str, field: &'static str, found: &'static str) -> Self {
        Self::of(rule, BOUND, field, found, 401, Told::InvalidProof)
    }

    pub(super) fn nonce(found: &'static str, nonce: String) -> Self {
        Self::of("gateway-dpop-nonce", BOUND, "nonce", found, 401, Told::Nonce(nonce.into()))
    }

    pub(super) fn step_up(
        rule: &'static str,
        field: &'static str,
        found: &'static str,
        demand: &StepUp,
    ) -> Self {
        Self::of(rule, STEP_UP, field, found, 401, Told::StepUp(Box::new(demand.clone())))
    }

    /// Nothing can be said of the token while its issuer is out of reach.
    pub(super) const fn unavailable(rule: &'static str, found: &'static str) -> Self {
        Self::of(rule, STRENGTH, "issuer", found, 503, Told::Unavailable)
    }

    /// Fields of the answer. `dpop` when the call used or the operation wants DPoP; `algorithms` are those of its proofs.
    pub fn fields(&self, dpop: bool, algorithms: &str) -> Vec<(&'static str, String)> {
        let scheme = if dpop { "DPoP" } else { "Bearer" };
        let mut challenge = String::from(scheme);
        let mut fields = Vec::new();
        match &self.answer {
            Told::Unavailable => return vec![("Retry-After", RETRY_AFTER_S.to_owned())],
            Told::InvalidToken => challenge.push_str(" error=\"invalid_token\""),
            Told::InvalidProof => challenge = "DPoP error=\"invalid_dpop_proof\"".to_owned(),
            Told::Nonce(nonce) => {
                challenge = "DPoP error=\"use_dpop_nonce\"".to_owned();
                fields.push(("DPoP-Nonce", nonce.to_string()));
            }
            Told::StepUp(demand) => {
                challenge.push_str(" error=\"insufficient_user_authentication\"");
                step_up(&mut challenge, demand);
            }
        }
        if challenge.starts_with("DPoP") && !algorithms.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(challenge, ", algs=\"{algorithms}\"");
        }
        fields.insert(0, ("WWW-Authenticate", challenge));
        fields
    }
}

fn step_up(challenge: &mut String, demand: &StepUp) {
    if !demand.acr.is_empty() {
        let values: Vec<String> = demand.acr.iter().map(|value| quotable(value)).collect();
        let _ = write!(challenge, ", acr_values=\"{}\"", values.join(" "));
    }
    if let Some(max_age) = demand.max_age_s {
        let _ = write!(challenge, ", max_age=\"{max_age}\"");
    }
}

/// What may stand inside quotes in a field.
fn quotable(value: &str) -> String {
    value.chars().filter(|sign| (' '..='~').contains(sign) && !matches!(sign, '"' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fault: TokenFault, dpop: bool, expected: &[(&str, &str)]) {
        let fields = fault.fields(dpop, "ES256 EdDSA");
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn challenges_are_those_of_their_documents() {
        let token = TokenFault::token("gateway-jwt-expired", "exp", "expired");
        check(token.clone(), false, &[("WWW-Authenticate", r#"Bearer error="invalid_token""#)]);
        check(token, true, &[("WWW-Authenticate", r#"DPoP error="invalid_token", algs="ES256 EdDSA""#)]);
        let proof = TokenFault::proof("gateway-dpop-replay", "jti", "replayed");
        check(
            proof,
            false,
            &[("WWW-Authenticate", r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA""#)],
        );
        let nonce = TokenFault::nonce("missing", "abc".into());
        let challenge = r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA""#;
        check(nonce, true, &[("WWW-Authenticate", challenge), ("DPoP-Nonce", "abc")]);
        let demand =
            StepUp { acr: vec!["gold".into(), "a\"b".into()], amr: vec!["hwk".into()], max_age_s: Some(300) };
        let challenge =
            r#"Bearer error="insufficient_user_authentication", acr_values="gold ab", max_age="300""#;
        check(TokenFault::step_up("r", "acr", "bronze", &demand), false, &[("WWW-Authenticate", challenge)]);
        check(TokenFault::unavailable("r", "timeout"), false, &[("Retry-After", "5")]);
    }
}
