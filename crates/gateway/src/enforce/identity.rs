//! Who calls, proved.
//!
//! [`Guard::identify`] finds the credentials of a call (`presented`), verifies each (`key` and `directory` for what is
//! looked up, `basic`, `certificate`), holds the result against what the operation asks for, and leaves a
//! [`Principal`] with the call. Then sessions end (`session`), revocations hold (`revocation`), and the upstream is told
//! who calls (`header`). What the principal may do is [`super::authorization`]'s.
//!
//! Nothing a client sends is believed about who it is, and no credential is kept or recorded: records hold keyed hashes.

mod basic;
pub(crate) mod certificate;
mod directory;
mod header;
mod key;
mod presented;
mod revocation;
mod session;
pub(crate) mod token;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::hmac;
use probity_model::bundle::identity::{ForwardCredential, IdentityPolicy, Need, SecretScheme, Way};
use probity_model::bundle::{Bundle, BundleService, identity::ServiceIdentity};
use probity_model::{EnforcementMode, Place, Principal, Timestamp};

use self::basic::Checked;
pub use self::basic::{PasswordHashError, check_password_hash, hash_password};
pub(crate) use self::certificate::ClientCertificate;
use self::directory::{Directory, Known, has_expired};
use self::header::{Signer, Told};
pub use self::key::{KEY_PREFIX, KeyFault, check_key, credential_hash, key_hint, mint_key, secret_digest};
use self::presented::{KeyPlace, KeyPlaces, Presented};
use self::session::{Ended, Sessions};
use self::token::{DpopField, TargetUri, TokenScheme, Tokens};
use super::{BuildError, Ruling, State};
use crate::ingress::{Call, Stop};
use crate::siphash::SipKey;
use crate::watch::lock;

const REQUIRED: &str = "authn-required";
const LIFECYCLE: &str = "cred-lifecycle";
/// Longest secret that is looked up.
const MAX_SECRET_BYTES: usize = 4 * 1024;
/// Seconds after which a client may try again when too many passwords are being checked.
const RETRY_AFTER_S: &str = "1";

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    keys: Arc<OnceLock<Keys>>,
    generation: AtomicU64,
    /// Of the bundle that is being built, for all its services.
    directory: Arc<Mutex<Option<Arc<Directory>>>>,
    passwords: basic::Memory,
    sessions: Sessions,
    pub tokens: token::Memory,
}

/// Keys derived from the gateway's identity key, and random ones of this process.
pub(crate) struct Keys {
    look_up: hmac::Key,
    signer: Signer,
    sip: [SipKey; 2],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({:?})", self.signer)
    }
}

/// What calls of one connection remember, so that a repeated credential costs little.
#[derive(Debug, Default)]
pub(crate) struct LineMemory {
    known: Mutex<Option<Known>>,
    certified: Mutex<Option<(u64, Option<Arc<Principal>>)>>,
    /// The keyed hash that names a principal in records.
    named: Mutex<Option<(Arc<Principal>, [u8; 16])>>,
}

impl LineMemory {
    /// The name of a principal in records, worked out once for a connection that keeps its caller.
    pub fn name(&self, principal: &Arc<Principal>, work: impl FnOnce(&Principal) -> [u8; 16]) -> [u8; 16] {
        let mut named = lock(&self.named);
        if let Some((known, name)) = &*named
            && Arc::ptr_eq(known, principal)
        {
            return *name;
        }
        let name = work(principal);
        *named = Some((Arc::clone(principal), name));
        name
    }
}

impl Memory {
    /// Gives the key behind look-ups and the signed field. The first one stays.
    pub fn unlock(&self, identity_key: &[u8; 32]) -> Result<(), BuildError> {
        let mut random = [[0; 16]; 2];
        for part in &mut random {
            aws_lc_rs::rand::fill(part).map_err(|_| "no random numbers can be had")?;
        }
        let keys = Keys {
            look_up: key::look_up_key(identity_key),
            signer: Signer::new(identity_key).ok_or("no signing key can be derived")?,
            sip: random.map(SipKey::new),
        };
        let _ = self.keys.set(keys);
        Ok(())
    }

    /// For a draft that is tried: the same callers and keys, sessions of its own.
    pub fn of_draft(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), directory: Arc::clone(&self.directory), ..Self::default() }
    }

    /// Readies what all services of a bundle share. Must precede the building of its guards.
    pub fn prepare(&self, bundle: &Bundle) -> Result<(), BuildError> {
        let usual = IdentityPolicy::default();
        let policy = bundle.identity.as_ref().unwrap_or(&usual);
        let tokens = match &policy.tokens {
            Some(policy) if !policy.issuers.is_empty() => Some(Tokens::of(policy, &self.tokens)?),
            _ => None,
        };
        let directory = Directory::new(policy, tokens, self.generation.fetch_add(1, Relaxed))?;
        *lock(&self.directory) = Some(Arc::new(directory));
        Ok(())
    }

    /// The public keys of the signed field, as a JWK set.
    pub fn jwks(&self) -> Option<String> {
        self.keys.get().map(|keys| keys.signer.jwks())
    }
}

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    pub mode: EnforcementMode,
    policy: ServiceIdentity,
    needs: Vec<ReadyNeed>,
    places: KeyPlaces,
    directory: Arc<Directory>,
    state: Arc<State>,
    told: Option<Told>,
}

/// A need with what its refusals say.
#[derive(Debug)]
struct ReadyNeed {
    public: bool,
    /// Bits of [`bit`]; none when any proof will do.
    alternatives: Vec<u8>,
    challenges: Vec<(&'static str, String)>,
}

/// Why a credential does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    check: &'static str,
    rule: &'static str,
    status: u16,
    title: &'static str,
    field: &'static str,
    found: &'static str,
}

/// What the credentials of a call prove.
#[derive(Debug, Default)]
struct Proved {
    ways: u8,
    principal: Option<Arc<Principal>>,
    fault: Option<Fault>,
    fields: Vec<(&'static str, String)>,
    any: bool,
    in_query: bool,
    forged: Vec<String>,
}

impl Guard {
    pub fn build(
        policy: &ServiceIdentity,
        service: &BundleService,
        state: &Arc<State>,
    ) -> Result<Self, BuildError> {
        let directory = lock(&state.identity.directory).clone().ok_or("the directory is not ready")?;
        state.identity.keys.get().ok_or("the gateway has no identity key")?;
        if policy.operations.len() != service.operations.len() {
            return Err("needs of operations, expected one for each operation".into());
        }
        let known = |index: &u16| usize::from(*index) < policy.needs.len();
        if !policy.operations.iter().chain([&policy.unknown]).all(known) {
            return Err("an operation asks for what is not there".into());
        }
        let names = |names: &[Arc<str>]| {
            names.iter().map(|name| name.to_ascii_lowercase().into_bytes().into()).collect()
        };
        Ok(Self {
            mode: policy.mode,
            needs: policy
                .needs
                .iter()
                .map(|need| ReadyNeed::new(need, service.id.as_str(), directory.tokens.as_deref()))
                .collect(),
            places: KeyPlaces {
                fields: names(&policy.key_fields),
                parameters: names(&policy.key_parameters),
                cookies: names(&policy.key_cookies),
            },
            told: policy.principal_field.map(|field| Told::new(field, service.id.as_str())),
            policy: policy.clone(),
            directory,
            state: Arc::clone(state),
        })
    }

    /// Proves the caller: `call.principal`.
    pub async fn identify(&self, call: &mut Call) -> Result<(), Stop> {
        let operation = call.route.and_then(|route| route.operation);
        let index =
            operation.and_then(|index| self.policy.operations.get(index)).unwrap_or(&self.policy.unknown);
        let (Some(need), Some(keys)) = (self.needs.get(usize::from(*index)), self.state.identity.keys.get())
        else {
            return Ok(());
        };
        let Some(wanted) = self.policy.needs.get(usize::from(*index)) else { return Ok(()) };
        let mut proved = self.prove(call, keys, wanted).await;
        self.strip(call, &proved.forged)?;
        if proved.in_query {
            let flagged = Ruling::new(
                "secrets-exposure",
                "gateway-credential-in-query",
                EnforcementMode::Observe,
                400,
                "a credential stands in the query",
            );
            call.rule(flagged.found(Some(Place::RequestQuery), "", "credential"))?;
        }
        let enough = need.is_met(proved.ways);
        if let Some(fault) = proved.fault.take() {
            let mode = match (need.public, enough) {
                (true, _) => milder(self.policy.invalid_on_public, self.mode),
                // Another credential proves the caller; this one is somebody's mistake.
                (false, true) => EnforcementMode::Observe,
                (false, false) => self.mode,
            };
            let fields = if proved.fields.is_empty() { need.challenges(&fault) } else { proved.fields };
            call.rule(fault.ruling(mode, fields))?;
        } else if !need.public && !enough {
            let fault = if proved.any { WRONG_SCHEME } else { MISSING };
            call.rule(fault.ruling(self.mode, need.challenges(&fault)))?;
        }
        let Some(principal) = proved.principal else { return Ok(()) };
        if let Some(limits) = &self.policy.session
            && let Err(ended) = self.state.identity.sessions.touch(&principal, limits, call.started_at)
        {
            let fault = match ended {
                Ended::Idle => SESSION_IDLE,
                Ended::Absolute => SESSION_ABSOLUTE,
            };
            call.rule(fault.ruling(self.mode, need.challenges(&fault)))?;
        }
        if let Some(told) = &self.told {
            let value = told.value(&keys.signer, &principal, call.started_at);
            call.request_edits.set(header::FIELD, &*value);
        }
        if self.policy.forward_credential == ForwardCredential::Remove {
            self.keep_credential(call);
        }
        call.principal = Some(principal);
        Ok(())
    }

    /// Verifies every credential that the call carries.
    async fn prove(&self, call: &Call, keys: &Keys, need: &Need) -> Proved {
        let mut proved = Proved::default();
        let Some(head) = &call.head else { return proved };
        let now = call.started_at;
        let seen = Presented::read(head, &self.places, &self.directory.forgeable);
        if seen.repeated {
            proved.refuse(REPEATED);
            proved.forged = seen.forged;
            return proved;
        }
        if let Some(authorization) = seen.authorization {
            proved.any = true;
            let (scheme, value) = presented::scheme(authorization);
            let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
            match () {
                () if is(b"bearer") => {
                    self.bearer(&mut proved, call, keys, need, value, &seen, now).await;
                }
                () if is(b"dpop") && self.directory.tokens.is_some() => {
                    self.token(&mut proved, call, need, value, TokenScheme::Dpop, &seen, now).await;
                }
                () if is(b"apikey") => self.secret(&mut proved, call, keys, value, SecretScheme::ApiKey, now),
                () if is(b"basic") && self.directory.has_users() => {
                    self.basic(&mut proved, keys, value, now).await;
                }
                () => proved.refuse(UNSUPPORTED),
            }
        }
        if let Some((value, place)) = seen.key {
            proved.any = true;
            proved.in_query = place == KeyPlace::Query;
            self.secret(&mut proved, call, keys, value, SecretScheme::ApiKey, now);
        }
        if self.directory.has_certificates()
            && let Some(certificate) = call.line.certificate()
        {
            self.certificate(&mut proved, call, certificate, now);
        }
        proved.forged = seen.forged;
        proved
    }

    /// What stands after `Bearer`: a key of ours, a token of an issuer, or a token that is looked up.
    #[allow(clippy::too_many_arguments, reason = "all of them are looked at once, for one call")]
    async fn bearer(
        &self,
        proved: &mut Proved,
        call: &Call,
        keys: &Keys,
        need: &Need,
        value: &[u8],
        seen: &Presented<'_>,
        now: Timestamp,
    ) {
        let signed = memchr::memchr_iter(b'.', value).take(3).count() >= 2;
        let issued = self.directory.tokens.is_some()
            && !value.starts_with(KEY_PREFIX.as_bytes())
            && (signed || self.directory.secret(keys, call.line.identity(), value).is_none());
        if issued {
            self.token(proved, call, need, value, TokenScheme::Bearer, seen, now).await;
        } else {
            self.secret(proved, call, keys, value, SecretScheme::Bearer, now);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "all of them are looked at once, for one call")]
    async fn token(
        &self,
        proved: &mut Proved,
        call: &Call,
        need: &Need,
        value: &[u8],
        scheme: TokenScheme,
        seen: &Presented<'_>,
        now: Timestamp,
    ) {
        let (Some(tokens), Some(head), Some(origin)) = (&self.directory.tokens, &call.head, &call.origin)
        else {
            return proved.refuse(UNKNOWN);
        };
        let presented = token::Presented {
            token: value,
            scheme,
            method: head.method(),
            uri: TargetUri {
                https: origin.is_secure(),
                authority: origin.authority(head),
                path: head.path(),
            },
            dpop: match seen.dpop {
                _ if seen.several_proofs => DpopField::Several,
                Some(proof) => DpopField::One(proof),
                None => DpopField::None,
            },
            certificate: call.line.certificate().map(|certificate| certificate.sha256),
            credential: call.facts.as_ref().and_then(|facts| facts.authentication.credential),
            demand: &need.token,
            now,
        };
        match tokens.verify(presented).await {
            Ok(principal) => self.admit(proved, &principal, bit(Way::Bearer), now),
            Err(fault) => {
                if proved.fault.is_none() {
                    proved.fields = tokens.answer(&fault, &presented);
                }
                proved.refuse(Fault {
                    check: fault.check,
                    rule: fault.rule,
                    status: fault.status,
                    title: "the token is not accepted",
                    field: fault.field,
                    found: fault.found,
                });
            }
        }
    }

    /// An API key or an opaque token.
    fn secret(
        &self,
        proved: &mut Proved,
        call: &Call,
        keys: &Keys,
        value: &[u8],
        presented: SecretScheme,
        now: Timestamp,
    ) {
        if value.is_empty() || value.len() > MAX_SECRET_BYTES {
            return proved.refuse(MALFORMED);
        }
        let own = value.starts_with(KEY_PREFIX.as_bytes());
        if own && check_key(value).is_err() {
            return proved.refuse(MALFORMED);
        }
        let Some(entry) = self.directory.secret(keys, call.line.identity(), value) else {
            return proved.refuse(UNKNOWN);
        };
        if entry.scheme != SecretScheme::Any && entry.scheme != presented {
            return proved.refuse(WRONG_SCHEME);
        }
        if entry.revoked {
            return proved.refuse(REVOKED);
        }
        let ways = match presented {
            // A key of ours is one wherever it stands.
            SecretScheme::Bearer if own => bit(Way::Bearer) | bit(Way::ApiKey),
            SecretScheme::Bearer => bit(Way::Bearer),
            SecretScheme::ApiKey | SecretScheme::Any => bit(Way::ApiKey),
        };
        self.admit(proved, &entry.principal, ways, now);
    }

    async fn basic(&self, proved: &mut Proved, keys: &Keys, value: &[u8], now: Timestamp) {
        let Some((user, password)) = basic::read_pair(value) else { return proved.refuse(MALFORMED) };
        let Some((stored, principal)) = self.directory.user(&user) else { return proved.refuse(UNKNOWN) };
        let known = principal.is_some();
        let checked =
            self.state.identity.passwords.check(&keys.look_up, &user, &password, stored, known, now).await;
        match (checked, principal) {
            (Checked::Right, Some(principal)) => self.admit(proved, principal, bit(Way::Basic), now),
            (Checked::Busy, _) => {
                proved.fields = vec![("Retry-After", RETRY_AFTER_S.to_owned())];
                proved.refuse(BUSY);
            }
            _ => proved.refuse(UNKNOWN),
        }
    }

    fn certificate(&self, proved: &mut Proved, call: &Call, certificate: &ClientCertificate, now: Timestamp) {
        let found = {
            let mut certified = lock(&call.line.identity().certified);
            match &*certified {
                Some((generation, found)) if *generation == self.directory.generation => found.clone(),
                _ => {
                    let found = self.directory.certificate(certificate);
                    *certified = Some((self.directory.generation, found.clone()));
                    found
                }
            }
        };
        match found {
            Some(principal) => self.admit(proved, &principal, bit(Way::Certificate), now),
            // It was not asked for, perhaps: only a need of one makes it a fault.
            None => proved.any = true,
        }
    }

    /// What holds for every proof, however it was made.
    fn admit(&self, proved: &mut Proved, principal: &Arc<Principal>, ways: u8, now: Timestamp) {
        if has_expired(principal, now) {
            return proved.refuse(EXPIRED);
        }
        if self.directory.revocations.hold(principal) {
            return proved.refuse(REVOKED);
        }
        if let (Some(here), Some(there)) = (&self.policy.environment, &principal.proof.environment)
            && here != there
        {
            return proved.refuse(ENVIRONMENT);
        }
        proved.ways |= ways;
        proved.principal.get_or_insert_with(|| Arc::clone(principal));
    }

    /// Takes away what only the gateway may say. Where the control observes, others' fields pass and are seen.
    fn strip(&self, call: &mut Call, forged: &[String]) -> Result<(), Stop> {
        for name in forged {
            let ruling = Ruling::new(
                REQUIRED,
                "gateway-identity-field-forged",
                self.mode,
                400,
                "a field says who calls, which only the gateway may",
            )
            .found(Some(Place::RequestHeader), name.clone(), "forged");
            if self.mode == EnforcementMode::Block || name == header::FIELD {
                call.request_edits.remove(name.clone());
                call.changed(&ruling);
            } else {
                call.rule(ruling)?;
            }
        }
        Ok(())
    }

    /// Keeps the credential from the upstream.
    fn keep_credential(&self, call: &mut Call) {
        call.request_edits.remove("authorization");
        call.request_edits.remove("dpop");
        for field in &self.places.fields {
            call.request_edits.remove(String::from_utf8_lossy(field).into_owned());
        }
    }
}

impl Proved {
    /// The first fault is told.
    fn refuse(&mut self, fault: Fault) {
        self.any = true;
        self.fault.get_or_insert(fault);
    }
}

impl ReadyNeed {
    fn new(need: &Need, realm: &str, tokens: Option<&Tokens>) -> Self {
        let alternatives: Vec<u8> =
            need.alternatives.iter().map(|ways| ways.iter().fold(0, |bits, way| bits | bit(*way))).collect();
        let asked = alternatives.iter().fold(0, |all, bits| all | bits);
        let any = alternatives.is_empty();
        let realm: String = realm.chars().filter(|sign| !matches!(sign, '"' | '\\')).collect();
        let mut challenges = Vec::new();
        let bearer = asked & bit(Way::Bearer) != 0 || any;
        match tokens {
            Some(tokens) if bearer => challenges.extend(tokens.invitation(&need.token)),
            _ if bearer => challenges.push(("www-authenticate", format!("Bearer realm=\"{realm}\""))),
            _ => {}
        }
        for (way, text) in [
            (Way::ApiKey, format!("ApiKey realm=\"{realm}\"")),
            (Way::Basic, format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")),
        ] {
            if asked & bit(way) != 0 || (any && way != Way::Basic) {
                challenges.push(("www-authenticate", text));
            }
        }
        if challenges.is_empty() {
            // A refusal with 401 names at least one way (RFC 9110, 15.5.2).
            challenges.push(("www-authenticate", format!("Mutual realm=\"{realm}\"")));
        }
        Self { public: need.public, alternatives, challenges }
    }

    fn is_met(&self, ways: u8) -> bool {
        self.public
            || (self.alternatives.is_empty() && ways != 0)
            || self.alternatives.iter().any(|wanted| ways & wanted == *wanted && *wanted != 0)
    }

    fn challenges(&self, fault: &Fault) -> Vec<(&'static str, String)> {
        match fault.status {
            401 => self.challenges.clone(),
            _ => Vec::new(),
        }
    }
}

impl Fault {
    fn ruling(&self, mode: EnforcementMode, fields: Vec<(&'static str, String)>) -> Ruling {
        let mut ruling = Ruling::new(self.check, self.rule, mode, self.status, self.title).found(
            Some(Place::RequestHeader),
            self.field,
            self.found,
        );
        ruling.fields = fields;
        ruling
    }
}

macro_rules! faults {
    ($($name:ident = $check:expr, $rule:literal, $status:literal, $found:literal, $title:literal;)*) => {
        $(const $name: Fault = Fault {
            check: $check, rule: $rule, status: $status, title: $title, field: "credential", found: $found,
        };)*
    };
}

faults! {
    MISSING = REQUIRED, "gateway-credential-missing", 401, "missing", "a credential is needed";
    UNKNOWN = REQUIRED, "gateway-credential-unknown", 401, "unknown", "the credential is not known";
    MALFORMED = REQUIRED, "gateway-credential-malformed", 401, "malformed", "the credential is malformed";
    REPEATED = REQUIRED, "gateway-credential-repeated", 401, "repeated", "a credential is given twice";
    UNSUPPORTED = REQUIRED, "gateway-credential-scheme", 401, "unsupported", "this kind of credential is not known here";
    WRONG_SCHEME = REQUIRED, "gateway-credential-scheme", 401, "wrong-scheme", "another kind of credential is needed";
    EXPIRED = LIFECYCLE, "gateway-credential-expired", 401, "expired", "the credential has expired";
    REVOKED = LIFECYCLE, "gateway-credential-revoked", 401, "revoked", "the credential was revoked";
    BUSY = "authn-bruteforce", "gateway-credential-busy", 503, "busy", "too many passwords are being checked";
    ENVIRONMENT = "env-separation", "gateway-environment", 403, "other-environment", "the credential is for another environment";
    SESSION_IDLE = "session-timeout", "gateway-session-idle", 401, "idle", "the session was idle too long";
    SESSION_ABSOLUTE = "session-timeout", "gateway-session-absolute", 401, "too-old", "the session is too old";
}

fn milder(one: EnforcementMode, other: EnforcementMode) -> EnforcementMode {
    match (one, other) {
        (EnforcementMode::Off, _) | (_, EnforcementMode::Off) => EnforcementMode::Off,
        (EnforcementMode::Block, EnforcementMode::Block) => EnforcementMode::Block,
        _ => EnforcementMode::Observe,
    }
}

const fn bit(way: Way) -> u8 {
    match way {
        Way::Bearer => 1,
        Way::ApiKey => 2,
        Way::Basic => 4,
        Way::Certificate => 8,
        Way::Other => 16,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use probity_model::exchange::CredentialScheme;
    use probity_model::principal::{PrincipalKind, Proof};

    /// A caller with something in every field that is used here.
    pub(crate) fn principal(subject: &str) -> Principal {
        Principal {
            kind: PrincipalKind::User,
            issuer: "probity".into(),
            subject: subject.into(),
            tenant: Some("north".into()),
            consumer: Some("clinic-app".into()),
            roles: vec!["reader".into()],
            scopes: vec!["read".into(), "write".into()],
            attributes: Default::default(),
            proof: Proof {
                scheme: CredentialScheme::ApiKeyHeader,
                credential: [7; 16],
                sender_constrained: false,
                acr: None,
                amr: Vec::new(),
                authenticated_at: None,
                issued_at: None,
                expires_at: None,
                environment: None,
            },
        }
    }

    #[test]
    fn alternatives_want_all_their_ways() {
        let need = |alternatives: &[&[Way]]| {
            let alternatives = alternatives.iter().map(|ways| ways.to_vec()).collect();
            ReadyNeed::new(&Need { alternatives, ..Need::default() }, "clinic", None)
        };
        for (alternatives, proven, expected) in [
            (&[][..], &[][..], false),
            (&[], &[Way::Certificate], true),
            (&[&[Way::Bearer][..]], &[Way::Bearer], true),
            (&[&[Way::Bearer][..]], &[Way::ApiKey], false),
            (&[&[Way::Bearer][..], &[Way::ApiKey]], &[Way::ApiKey], true),
            (&[&[Way::Bearer, Way::Certificate][..]], &[Way::Bearer], false),
            (&[&[Way::Bearer, Way::Certificate][..]], &[Way::Bearer, Way::Certificate], true),
            (&[&[Way::Other][..]], &[Way::Bearer], false),
            (&[&[][..]], &[], false),
        ] {
            let ways = proven.iter().fold(0, |bits, way| bits | bit(*way));
            assert_eq!(need(alternatives).is_met(ways), expected, "{alternatives:?} {proven:?}");
        }
        let challenges = need(&[&[Way::Bearer, Way::Basic]]).challenges;
        let texts: Vec<_> = challenges.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["Bearer realm=\"clinic\"", "Basic realm=\"clinic\", charset=\"UTF-8\""]);
        assert_eq!(need(&[&[Way::Certificate]]).challenges.len(), 1);
    }
}
