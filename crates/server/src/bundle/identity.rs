//! Compiles `protect.identity` of a service, and the directory of consumers and credentials of the whole gateway.
//!
//! The directory is no part of what a roll back brings back: a revoked key stays revoked. So it is filled in last, into
//! any bundle that is published, from the configuration in force and from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use probity_gateway::{check_password_hash, credential_hash, secret_digest};
use probity_model::bundle::identity::{
    CertificateName, CertificateNameKind, Consumer, Credential, IdentityPolicy, Need, Password,
    PrincipalField, Revocation, SecretScheme, ServiceIdentity, SessionLimits, StepUp, TokenDemand, Way,
};
use probity_model::specification::{SecurityNeed, SecurityScheme, Specification, SpecifiedOperation};
use probity_model::{Bundle, Timestamp};

use super::Context;
use crate::config::identity::{
    CertificateConfig, ConsumerConfig, CredentialConfig, DemandConfig, SchemeConfig, ServiceIdentityConfig,
    Unstated,
};
use crate::sources::Loaded;

const KEY_FIELD: &str = "x-api-key";
/// Largest file with a credential.
const MAX_SECRET_BYTES: u64 = 64 * 1024;
/// Kinds of needs in one service.
const MAX_NEEDS: usize = u16::MAX as usize;

pub(super) fn compile(
    context: &Context<'_>,
    config: &ServiceIdentityConfig,
) -> Result<Option<ServiceIdentity>, String> {
    let Some(mode) = context.mode(config.mode) else { return Ok(None) };
    let specified = specified(context);
    let known: BTreeSet<String> = context
        .operations
        .iter()
        .map(|operation| format!("{} {}", operation.method, operation.template))
        .collect();
    let named = config.public.iter().chain(config.demands.iter().flat_map(|demand| &demand.operations));
    for name in named {
        if !known.contains(name) {
            return Err(format!("`{name}` is no known operation, expected `METHOD /template`"));
        }
    }
    let mut places = Places::default();
    places.fields.insert(KEY_FIELD.to_owned());
    places.fields.extend(config.key_fields.iter().map(|name| name.to_ascii_lowercase()));
    let mut needs = Needs::default();
    let unknown = needs.position(unstated(config, TokenDemand::default()))?;
    let mut operations = Vec::with_capacity(context.operations.len());
    for operation in context.operations {
        let name = format!("{} {}", operation.method, operation.template);
        let stated = specified.get(&(operation.method.clone(), operation.template.shape()));
        let need = need(config, &name, stated.copied(), &mut places);
        operations.push(needs.position(need)?);
    }
    Ok(Some(ServiceIdentity {
        mode,
        needs: needs.list,
        operations,
        unknown,
        key_fields: texts(&places.fields),
        key_parameters: texts(&places.parameters),
        key_cookies: texts(&places.cookies),
        invalid_on_public: config.invalid_on_public,
        environment: context.service.environment.as_deref().map(Into::into),
        session: config.session.as_ref().map(|session| SessionLimits {
            idle_s: session.idle.map(seconds),
            absolute_s: session.absolute.map(seconds),
            kinds: session.kinds.clone(),
        }),
        principal_field: config
            .principal_field
            .as_ref()
            .map(|field| PrincipalField { seconds: seconds(field.lifetime) }),
        forward_credential: config.forward_credential,
    }))
}

/// Names that carry keys, in lower case.
#[derive(Default)]
struct Places {
    fields: BTreeSet<String>,
    parameters: BTreeSet<String>,
    cookies: BTreeSet<String>,
}

/// Each kind of need once.
#[derive(Default)]
struct Needs {
    list: Vec<Need>,
    known: HashMap<Need, u16>,
}

impl Needs {
    fn position(&mut self, need: Need) -> Result<u16, String> {
        if let Some(position) = self.known.get(&need) {
            return Ok(*position);
        }
        let position = u16::try_from(self.list.len()).ok().filter(|_| self.list.len() < MAX_NEEDS);
        let position = position.ok_or_else(|| format!("more than {MAX_NEEDS} kinds of needs"))?;
        self.known.insert(need.clone(), position);
        self.list.push(need);
        Ok(position)
    }
}

type Stated<'a> = (&'a SpecifiedOperation, &'a Specification);

/// What specifications say of operations, the newest document first.
fn specified<'a>(context: &Context<'a>) -> HashMap<(Arc<str>, String), Stated<'a>> {
    let mut out = HashMap::new();
    let Some(source) = context.sources.services.get(&context.service.name) else { return out };
    for specification in &source.specifications {
        for operation in &specification.operations {
            let key = (operation.method.clone(), operation.template.shape());
            out.entry(key).or_insert((operation, specification));
        }
    }
    out
}

fn need(config: &ServiceIdentityConfig, name: &str, stated: Option<Stated<'_>>, places: &mut Places) -> Need {
    let token = demand(config, name);
    if config.public.iter().any(|public| public == name) {
        return Need { public: true, alternatives: Vec::new(), token };
    }
    let Some((operation, specification)) = stated else { return unstated(config, token) };
    match &operation.security {
        SecurityNeed::Unstated => unstated(config, token),
        SecurityNeed::Public => Need { public: true, alternatives: Vec::new(), token },
        SecurityNeed::Required(alternatives) => {
            let stated: Vec<Vec<Way>> = alternatives
                .iter()
                .map(|schemes| {
                    let mut ways: Vec<Way> = schemes
                        .iter()
                        .map(|(name, _)| way(config, find(specification, name), places))
                        .collect();
                    ways.sort_unstable();
                    ways.dedup();
                    ways
                })
                .collect();
            Need { public: false, alternatives: own_ways(config).unwrap_or(stated), token }
        }
    }
}

fn unstated(config: &ServiceIdentityConfig, token: TokenDemand) -> Need {
    Need {
        public: config.unstated == Unstated::Public,
        alternatives: own_ways(config).unwrap_or_default(),
        token,
    }
}

/// The ways that stand in the configuration, each of them enough.
fn own_ways(config: &ServiceIdentityConfig) -> Option<Vec<Vec<Way>>> {
    (!config.ways.is_empty()).then(|| config.ways.iter().map(|way| vec![*way]).collect())
}

fn find<'a>(specification: &'a Specification, name: &str) -> Option<&'a SecurityScheme> {
    specification.security_schemes.iter().find(|scheme| scheme.name == name)
}

/// How a scheme of a specification is proved, and where its key stands.
fn way(config: &ServiceIdentityConfig, scheme: Option<&SecurityScheme>, places: &mut Places) -> Way {
    let Some(scheme) = scheme else { return Way::Other };
    let detail = scheme.detail.to_ascii_lowercase();
    let name = || scheme.parameter.as_deref().unwrap_or_default().to_ascii_lowercase();
    match (scheme.kind.as_str(), detail.as_str()) {
        ("http", "bearer" | "dpop") | ("oauth2" | "openIdConnect", _) => Way::Bearer,
        ("http", "basic") => Way::Basic,
        ("mutualTLS", _) => Way::Certificate,
        ("apiKey", "header") if name() == "authorization" => Way::Bearer,
        ("apiKey", "header") => {
            places.fields.insert(name());
            Way::ApiKey
        }
        ("apiKey", "query") => {
            if config.query_keys {
                places.parameters.insert(name());
            }
            Way::ApiKey
        }
        ("apiKey", "cookie") if config.cookie_keys => {
            places.cookies.insert(name());
            Way::ApiKey
        }
        _ => Way::Other,
    }
}

/// What an operation asks of tokens: of several demands that name it, all that they say.
fn demand(config: &ServiceIdentityConfig, name: &str) -> TokenDemand {
    let mut all = TokenDemand::default();
    let means = |demand: &&DemandConfig| {
        demand.operations.is_empty() || demand.operations.iter().any(|operation| operation == name)
    };
    for demand in config.demands.iter().filter(means) {
        all.issuers.extend(demand.issuers.iter().map(|text| text.as_str().into()));
        all.audiences.extend(demand.audiences.iter().map(|text| text.as_str().into()));
        all.sender_constrained |= demand.sender_constrained;
        if demand.acr.is_empty() && demand.amr.is_empty() && demand.max_age.is_none() {
            continue;
        }
        let step_up = all.step_up.get_or_insert_with(StepUp::default);
        step_up.acr.extend(demand.acr.iter().map(|text| text.as_str().into()));
        step_up.amr.extend(demand.amr.iter().map(|text| text.as_str().into()));
        let age = demand.max_age.map(seconds);
        step_up.max_age_s = match (step_up.max_age_s, age) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    all
}

fn seconds(duration: probity_reader::config::Duration) -> u32 {
    u32::try_from(duration.as_millis() / 1_000).unwrap_or(u32::MAX)
}

fn texts(names: &BTreeSet<String>) -> Vec<Arc<str>> {
    names.iter().map(|name| name.as_str().into()).collect()
}

/// What the store knows of consumers and keys.
#[derive(Debug, Default)]
pub struct Directory {
    pub consumers: Vec<Consumer>,
    /// With the name of their consumer; its position in the bundle is filled in here.
    pub credentials: Vec<(Arc<str>, Credential)>,
    pub passwords: Vec<(Arc<str>, Password)>,
    pub revocations: Vec<Revocation>,
}

/// Fills consumers, credentials and revocations into a bundle, whatever it held of them.
pub fn fill(
    bundle: &mut Bundle,
    loaded: &Loaded,
    identity_key: &[u8; 32],
    stored: &Directory,
) -> Result<(), String> {
    let config = &loaded.config.identity;
    let tokens = bundle.identity.take().and_then(|policy| policy.tokens);
    let mut policy = IdentityPolicy {
        tokens,
        forged_fields: config.forged_fields.iter().map(|name| name.as_str().into()).collect(),
        allowed_fields: config.allowed_fields.iter().map(|name| name.as_str().into()).collect(),
        revocations: stored.revocations.clone(),
        ..IdentityPolicy::default()
    };
    let mut positions: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for (index, each) in config.consumers.iter().enumerate() {
        let position = add(&mut policy, &mut positions, consumer(each))
            .map_err(|error| format!("identity.consumers[{index}]: {error}"))?;
        for (number, credential) in each.credentials.iter().enumerate() {
            add_credential(&mut policy, loaded, credential, position, identity_key)
                .map_err(|error| format!("identity.consumers[{index}].credentials[{number}]: {error}"))?;
        }
        for (number, name) in each.certificates.iter().enumerate() {
            let (kind, value) = certificate_name(name)
                .map_err(|error| format!("identity.consumers[{index}].certificates[{number}]: {error}"))?;
            policy.certificates.push(CertificateName { kind, value, consumer: position });
        }
    }
    for each in &stored.consumers {
        // One of the same name in the configuration counts in place of the stored one.
        if !positions.contains_key(&each.name) {
            add(&mut policy, &mut positions, each.clone())?;
        }
    }
    for (owner, credential) in &stored.credentials {
        if let Some(position) = positions.get(owner) {
            policy.credentials.push(Credential { consumer: *position, ..credential.clone() });
        }
    }
    for (owner, password) in &stored.passwords {
        if let Some(position) = positions.get(owner) {
            policy.passwords.push(Password { consumer: *position, ..password.clone() });
        }
    }
    bundle.identity = (policy != IdentityPolicy::default()).then_some(policy);
    Ok(())
}

fn add(
    policy: &mut IdentityPolicy,
    positions: &mut BTreeMap<Arc<str>, u32>,
    consumer: Consumer,
) -> Result<u32, String> {
    let position = u32::try_from(policy.consumers.len()).map_err(|_| "too many consumers".to_owned())?;
    if positions.insert(consumer.name.clone(), position).is_some() {
        return Err(format!("consumer `{}` is there twice", consumer.name));
    }
    policy.consumers.push(consumer);
    Ok(position)
}

pub(crate) fn consumer(config: &ConsumerConfig) -> Consumer {
    Consumer {
        name: config.name.as_str().into(),
        kind: config.kind,
        tenant: config.tenant.as_deref().map(Into::into),
        roles: config.roles.iter().map(|text| text.as_str().into()).collect(),
        scopes: config.scopes.iter().map(|text| text.as_str().into()).collect(),
        attributes: config
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.clone()))
            .collect(),
        environment: config.environment.as_deref().map(Into::into),
    }
}

fn add_credential(
    policy: &mut IdentityPolicy,
    loaded: &Loaded,
    config: &CredentialConfig,
    consumer: u32,
    identity_key: &[u8; 32],
) -> Result<(), String> {
    let expires_at = match &config.expires {
        None => None,
        Some(text) => Some(
            Timestamp::parse(text)
                .ok_or_else(|| format!("`{text}` is no moment, expected a date or RFC 3339"))?,
        ),
    };
    if let (Some(user), Some(argon2id)) = (&config.user, &config.argon2id) {
        check_password_hash(argon2id).map_err(|error| error.to_string())?;
        if policy.passwords.iter().any(|known| *known.user == **user) {
            return Err(format!("user `{user}` is there twice"));
        }
        policy.passwords.push(Password {
            user: user.as_str().into(),
            consumer,
            argon2id: argon2id.as_str().into(),
            expires_at,
        });
        return Ok(());
    }
    let sha256 = match (&config.sha256, &config.file, &config.user, &config.argon2id) {
        (Some(hex), None, None, None) => {
            unhex(hex).ok_or_else(|| "`sha256` is no hash, expected 64 hexadecimal digits".to_owned())?
        }
        (None, Some(file), None, None) => secret_digest(&read_secret(&loaded.path(file))?),
        _ => return Err("expected exactly one of `sha256`, `file`, and `user` with `argon2id`".to_owned()),
    };
    let hash = credential_hash(identity_key, &sha256);
    if policy.credentials.iter().any(|known| known.hash == hash) {
        return Err("the same credential is there twice".to_owned());
    }
    let id = match &config.id {
        Some(id) => id.clone(),
        None => format!("c-{}", hash.to_string().chars().take(12).collect::<String>()),
    };
    let list = |list: &Option<Vec<String>>| {
        list.as_ref().map(|list| list.iter().map(|text| text.as_str().into()).collect())
    };
    policy.credentials.push(Credential {
        id: id.into(),
        hash,
        consumer,
        scheme: match config.scheme {
            SchemeConfig::Bearer => SecretScheme::Bearer,
            SchemeConfig::ApiKey => SecretScheme::ApiKey,
            SchemeConfig::Any => SecretScheme::Any,
        },
        roles: list(&config.roles),
        scopes: list(&config.scopes),
        environment: config.environment.as_deref().map(Into::into),
        issued_at: None,
        expires_at,
        revoked: false,
    });
    Ok(())
}

/// A secret from a file, without the line's end that editors put behind it.
pub fn read_secret(file: &std::path::Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let failed = |problem: std::io::Error| format!("`{}` cannot be read: {problem}", file.display());
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(MAX_SECRET_BYTES).read_to_end(&mut bytes))
        .map_err(failed)?;
    let secret = bytes.trim_ascii();
    if secret.is_empty() {
        return Err(format!("`{}` is empty, expected a credential", file.display()));
    }
    Ok(secret.to_vec())
}

fn certificate_name(config: &CertificateConfig) -> Result<(CertificateNameKind, Arc<str>), String> {
    let mut names = [
        (CertificateNameKind::Dns, config.dns.as_ref().map(|name| name.to_ascii_lowercase())),
        (CertificateNameKind::Uri, config.uri.clone()),
        (CertificateNameKind::Email, config.email.clone()),
        (CertificateNameKind::CommonName, config.common_name.clone()),
    ]
    .into_iter()
    .filter_map(|(kind, name)| Some((kind, Arc::from(name?))));
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name),
        _ => Err("expected exactly one of `dns`, `uri`, `email` and `common_name`".to_owned()),
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}
