//! Claims: which must hold (RFC 7519, 9068), and what they say of the caller.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use probity_model::Timestamp;
use probity_model::bundle::identity::TokenDemand;
use probity_model::bundle::identity::token::{ClaimMap, Issuer, SignatureAlgorithm};
use probity_model::principal::{Principal, PrincipalKind, Proof};
use probity_model::time::MICROS_PER_SECOND;
use serde_json::{Map, Value};

use super::cache::{Confirmation, Verified};
use super::fault::TokenFault;
use super::jose::{Header, decode};
use super::seconds;

/// Bytes of a name: subject, client, tenant, role.
const MAX_NAME: usize = 512;
/// Audiences, roles, scopes, methods of one token.
const MAX_NAMES: usize = 256;
/// Bytes of all attributes together, as JSON.
const MAX_ATTRIBUTES: usize = 8 * 1024;
/// Far beyond every date, and far inside what a timestamp holds.
const MAX_DATE_S: f64 = 1e11;
/// Types of signed tokens that are not for APIs have names of their own; without a list only these are meant.
const USUAL_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// What one issuer's tokens must be.
#[derive(Debug)]
pub(super) struct Rules {
    pub name: Arc<str>,
    pub issuer: Arc<str>,
    pub audiences: Vec<Arc<str>>,
    pub sender_constrained: bool,
    algorithms: Vec<SignatureAlgorithm>,
    types: Vec<Arc<str>>,
    skew: i64,
    max_lifetime: Option<i64>,
    claims: ClaimMap,
}

/// Who vouches for the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Signed,
    /// The issuer said just now that the token is active: it may leave out its end.
    Introspected,
}

type Claims = Map<String, Value>;

const fn fault(rule: &'static str, claim: &'static str, found: &'static str) -> TokenFault {
    TokenFault::token(rule, claim, found)
}

const fn odd(claim: &'static str, found: &'static str) -> TokenFault {
    fault("gateway-jwt-claims", claim, found)
}

impl Rules {
    pub fn new(issuer: &Issuer) -> Self {
        Self {
            name: Arc::clone(&issuer.name),
            issuer: Arc::clone(&issuer.issuer),
            audiences: issuer.audiences.clone(),
            sender_constrained: issuer.sender_constrained,
            algorithms: issuer.algorithms.clone(),
            types: issuer.types.clone(),
            skew: seconds(issuer.clock_skew_s),
            max_lifetime: issuer.max_lifetime_s.map(seconds),
            claims: issuer.claims.clone(),
        }
    }

    pub fn is_accepted(&self, demand: &TokenDemand) -> bool {
        demand.issuers.is_empty() || demand.issuers.contains(&self.name)
    }

    /// What the header says that this issuer's may not.
    pub fn head(&self, header: &Header, algorithm: SignatureAlgorithm) -> Result<(), TokenFault> {
        if !self.algorithms.contains(&algorithm) {
            return Err(fault("gateway-jwt-alg-not-allowed", "alg", algorithm.name()));
        }
        let is = |wanted: &str| {
            header.typ().is_some_and(|typ| typ.eq_ignore_ascii_case(super::jose::short_type(wanted)))
        };
        let fits = if self.types.is_empty() {
            header.typ().is_none() || USUAL_TYPES.into_iter().any(is)
        } else {
            self.types.iter().any(|wanted| is(wanted))
        };
        match (fits, header.typ()) {
            (true, _) => Ok(()),
            (false, None) => Err(fault("gateway-jwt-type", "typ", "missing")),
            (false, Some(_)) => Err(fault("gateway-jwt-type", "typ", "other-type")),
        }
    }

    /// What an introspection answer says about its issuer, where it says so.
    pub fn introspected(&self, claims: &Claims) -> Result<(), TokenFault> {
        match claims.get("iss") {
            None => Ok(()),
            Some(Value::String(issuer)) if **issuer == *self.issuer => Ok(()),
            Some(_) => Err(fault("gateway-jwt-issuer", "iss", "other-issuer")),
        }
    }

    /// Judges what holds for every call, and keeps what the rest is judged by.
    pub fn judge(
        &self,
        issuer: usize,
        claims: &Claims,
        origin: Origin,
        credential: [u8; 16],
        now: Timestamp,
        believed_until: Timestamp,
    ) -> Result<Verified, TokenFault> {
        let date = |name| date(claims, name);
        let (expires, issued) = (date("exp")?, date("iat")?);
        let ends_at = match expires {
            Some(expires) => expires.plus_micros(self.skew),
            None if origin == Origin::Introspected => Timestamp(i64::MAX),
            None => return Err(fault("gateway-jwt-no-expiry", "exp", "missing")),
        };
        if now >= ends_at {
            return Err(fault("gateway-jwt-expired", "exp", "expired"));
        }
        let latest = now.plus_micros(self.skew);
        if date("nbf")?.is_some_and(|begins| begins > latest) {
            return Err(fault("gateway-jwt-not-yet-valid", "nbf", "in-future"));
        }
        if issued.is_some_and(|issued| issued > latest) {
            return Err(fault("gateway-jwt-issued-in-future", "iat", "in-future"));
        }
        if let Some(longest) = self.max_lifetime {
            let too_long = match (expires, issued) {
                (Some(expires), Some(issued)) => expires.since(issued) > longest,
                _ => return Err(fault("gateway-jwt-lifetime", "iat", "missing")),
            };
            if too_long {
                return Err(fault("gateway-jwt-lifetime", "exp", "too-long"));
            }
        }
        let authenticated_at = date("auth_time")?;
        if authenticated_at.is_some_and(|moment| moment > latest) {
            return Err(odd("auth_time", "in-future"));
        }
        let proof = Proof {
            scheme: super::SCHEME,
            credential,
            sender_constrained: false,
            acr: name(claims, "acr")?.map(Arc::from),
            amr: names(claims.get("amr"), "amr", false)?.into_iter().map(Arc::from).collect(),
            authenticated_at: authenticated_at.or(issued),
            issued_at: issued,
            expires_at: expires,
            environment: self.named(claims, self.claims.environment.as_ref(), "environment")?,
        };
        let confirmation = confirmation(claims)?;
        let principal =
            self.principal(claims, Proof { sender_constrained: confirmation.is_some(), ..proof })?;
        let audiences = names(claims.get("aud"), "aud", false)?;
        Ok(Verified {
            issuer,
            audiences: audiences.into_iter().map(Box::from).collect(),
            confirmation,
            ends_at,
            believed_until: believed_until.min(ends_at),
            authenticated_at,
            jti: name(claims, "jti")?.map(Box::from),
            principal: Arc::new(principal),
            seen_epoch: AtomicU64::new(0),
        })
    }

    fn principal(&self, claims: &Claims, proof: Proof) -> Result<Principal, TokenFault> {
        let subject = name(claims, "sub")?;
        // `azp` and `appid` are what some providers call it.
        let client = match name(claims, "client_id")? {
            Some(client) => Some(client),
            None => name(claims, "azp")?.or(name(claims, "appid")?),
        };
        let Some(named) = subject.or(client) else { return Err(odd("sub", "missing")) };
        Ok(Principal {
            kind: self.claims.kind.unwrap_or_else(|| kind(claims, subject, client)),
            issuer: Arc::clone(&self.issuer),
            subject: named.into(),
            tenant: self.named(claims, self.claims.tenant.as_ref(), "tenant")?,
            consumer: self.named(claims, self.claims.consumer.as_ref(), "consumer")?,
            roles: self.gathered(claims, &self.claims.roles, "roles", false)?,
            scopes: self.gathered(claims, &self.claims.scopes, "scope", true)?,
            attributes: self.attributes(claims)?,
            proof,
        })
    }

    fn named(
        &self,
        claims: &Claims,
        path: Option<&Arc<str>>,
        what: &'static str,
    ) -> Result<Option<Arc<str>>, TokenFault> {
        match path.and_then(|path| at(claims, path)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) if name.len() <= MAX_NAME => Ok(Some(name.as_str().into())),
            Some(_) => Err(odd(what, "not-a-name")),
        }
    }

    /// The names under all paths, each once. More than fits is refused: a role that is left out may be one that forbids.
    fn gathered(
        &self,
        claims: &Claims,
        paths: &[Arc<str>],
        what: &'static str,
        spaced: bool,
    ) -> Result<Vec<Arc<str>>, TokenFault> {
        let mut out: Vec<Arc<str>> = Vec::new();
        for path in paths {
            for name in names(at(claims, path), what, spaced)? {
                if !out.iter().any(|known| **known == *name) {
                    out.push(name.into());
                }
            }
        }
        if out.len() > MAX_NAMES { Err(odd(what, "too-many")) } else { Ok(out) }
    }

    fn attributes(&self, claims: &Claims) -> Result<BTreeMap<Arc<str>, Value>, TokenFault> {
        let found = self.claims.attributes.iter().filter_map(|path| Some((path, at(claims, path)?)));
        let attributes: BTreeMap<_, _> =
            found.map(|(path, value)| (Arc::clone(path), value.clone())).collect();
        if attributes.is_empty() {
            return Ok(attributes);
        }
        match serde_json::to_vec(&attributes) {
            Ok(json) if json.len() <= MAX_ATTRIBUTES => Ok(attributes),
            _ => Err(odd("attributes", "too-long")),
        }
    }
}

/// A token that no user stands behind: the client is its own subject, or the provider says so in its own claim.
fn kind(claims: &Claims, subject: Option<&str>, client: Option<&str>) -> PrincipalKind {
    let is = |name: &str, value: &str| claims.get(name).is_some_and(|found| found == value);
    let own_subject = match (subject, client) {
        (None, _) => true,
        (Some(subject), Some(client)) => {
            subject == client || subject.strip_suffix("@clients").is_some_and(|subject| subject == client)
        }
        _ => false,
    };
    if own_subject || is("idtyp", "app") || is("gty", "client-credentials") {
        PrincipalKind::Service
    } else {
        PrincipalKind::User
    }
}

/// The value at a path: a claim of that very name (names may hold dots), else objects inside each other.
fn at<'c>(claims: &'c Claims, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    at(claims.get(first)?.as_object()?, rest)
}

fn name<'c>(claims: &'c Claims, claim: &'static str) -> Result<Option<&'c str>, TokenFault> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(name)) if !name.is_empty() && name.len() <= MAX_NAME => Ok(Some(name)),
        Some(_) => Err(odd(claim, "not-a-name")),
    }
}

/// A string or a list of strings; `spaced` strings hold several.
fn names<'c>(
    value: Option<&'c Value>,
    claim: &'static str,
    spaced: bool,
) -> Result<Vec<&'c str>, TokenFault> {
    let found: Vec<&str> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) if spaced => one.split(' ').filter(|name| !name.is_empty()).collect(),
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) if list.len() <= MAX_NAMES => {
            list.iter().map(|name| name.as_str().ok_or(odd(claim, "not-names"))).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(odd(claim, "not-names")),
    };
    if found.len() > MAX_NAMES || found.iter().any(|name| name.len() > MAX_NAME) {
        return Err(odd(claim, "too-many"));
    }
    Ok(found)
}

/// `NumericDate`, which may have a fraction.
fn date(claims: &Claims, claim: &'static str) -> Result<Option<Timestamp>, TokenFault> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=MAX_DATE_S).contains(seconds));
    let seconds = seconds.ok_or(odd(claim, "not-a-date"))?;
    Ok(Some(match value.as_i64() {
        Some(whole) => Timestamp::from_seconds(whole),
        None => Timestamp((seconds * MICROS_PER_SECOND as f64) as i64),
    }))
}

/// A confirmation that is not understood cannot be proved: such a token is nobody's.
fn confirmation(claims: &Claims) -> Result<Confirmation, TokenFault> {
    let odd = |found| TokenFault::binding("gateway-token-confirmation", "cnf", found);
    let Some(value) = claims.get("cnf") else { return Ok(Confirmation::default()) };
    let members = value.as_object().ok_or(odd("not-an-object"))?;
    let mut confirmation = Confirmation::default();
    for (name, value) in members {
        let value = value.as_str().ok_or(odd("not-understood"))?;
        match name.as_str() {
            "jkt" if decode(value.as_bytes()).is_some_and(|bytes| bytes.len() == 32) => {
                confirmation.jkt = Some(value.into());
            }
            "x5t#S256" => {
                let digest = decode(value.as_bytes()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                confirmation.certificate = Some(digest.ok_or(odd("not-a-digest"))?);
            }
            "kid" => {}
            _ => return Err(odd("not-understood")),
        }
    }
    if confirmation.is_some() { Ok(confirmation) } else { Err(odd("not-understood")) }
}
