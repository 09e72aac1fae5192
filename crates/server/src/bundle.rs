//! Compiles configuration and specifications into the bundle that gateways enforce.

mod answers;
mod authorization;
mod contract;
pub mod identity;
pub mod issuer;
mod leaks;
mod limits;
mod network;
pub(crate) mod selection;

use std::path::Path;

use probity_graph::Sources;
use probity_model::bundle::{
    BUNDLE_VERSION, BundleOperation, BundleService, CertificateFiles, ConnectionLimits, CustomClass,
    Forwarding, IdentityPolicy, Inspection, Listener, Protection, ProxyProtocol, RecordPolicy, Timeouts,
    Upstream, UpstreamTls,
};
use probity_model::{Bundle, DataClass, Digest, EnforcementMode, OperationId, Timestamp};

use crate::config::{ListenConfig, RecordMode, ServiceConfig, UpstreamConfig};
use crate::sources::Loaded;

/// The bundle of one configuration.
pub fn compile(
    loaded: &Loaded,
    sources: &Sources,
    revision: u64,
    at: Timestamp,
    catalogue: Digest,
) -> Result<Bundle, String> {
    let config = &loaded.config;
    let gateway = &config.gateway;
    let listeners = gateway.listen.iter().enumerate().map(|(index, listen)| listener(loaded, index, listen));
    let services =
        config.services.iter().map(|config| service(loaded, config, sources)).collect::<Result<_, _>>()?;
    Ok(Bundle {
        version: BUNDLE_VERSION,
        revision,
        created_at: at,
        catalogue,
        listeners: listeners.collect(),
        services,
        classes: config
            .classes
            .iter()
            .map(|class| CustomClass {
                class: DataClass::parse(&class.id),
                label: class.label.clone(),
                pattern: class.pattern.clone(),
                words: class.words.clone(),
            })
            .collect(),
        inspection: Inspection { body_bytes: bounded(gateway.inspect.0) },
        timeouts: Timeouts {
            head_ms: gateway.timeouts.head.as_millis(),
            idle_ms: gateway.timeouts.idle.as_millis(),
            connect_ms: gateway.timeouts.connect.as_millis(),
            upstream_ms: gateway.timeouts.upstream.as_millis(),
            drain_ms: gateway.timeouts.drain.as_millis(),
        },
        limits: ConnectionLimits {
            connections: gateway.limits.connections,
            connections_per_address: gateway.limits.connections_per_address,
            handshakes_per_second: gateway.limits.handshakes_per_second,
            resets: gateway.limits.resets,
            body_bytes_per_second: bounded(gateway.limits.body_rate.0),
            body_grace_ms: u32::try_from(gateway.limits.body_grace.as_millis()).unwrap_or(u32::MAX),
            head_bytes: bounded(gateway.limits.head.0),
            headers: gateway.limits.headers,
            streams: gateway.limits.streams,
            idle_upstream: gateway.limits.idle_upstream,
        },
        forwarding: Forwarding { trusted_proxies: gateway.trusted_proxies.clone() },
        record: RecordPolicy { on_full: config.events.on_full },
        identity: issuer::compile(loaded)?
            .map(|tokens| IdentityPolicy { tokens: Some(tokens), ..IdentityPolicy::default() }),
    })
}

/// Puts a draft's protection beside what `bundle` enforces. Its tables run parallel to the operations in force. Gives
/// the services of the draft that are not in force, which cannot be tried.
pub fn stage(
    bundle: &mut Bundle,
    draft: &Loaded,
    sources: &Sources,
) -> Result<Vec<probity_model::ServiceId>, String> {
    let mut untried = Vec::new();
    for config in &draft.config.services {
        let Some(service) = bundle.services.iter_mut().find(|service| service.id == config.name) else {
            untried.push(config.name.clone());
            continue;
        };
        let staged = protection(draft, config, sources, &service.operations)
            .map_err(|error| format!("service `{}`: {error}", config.name))?;
        service.staged = staged.filter(|staged| service.protection.as_ref() != Some(staged));
    }
    Ok(untried)
}

fn bounded(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn listener(loaded: &Loaded, index: usize, listen: &ListenConfig) -> Listener {
    Listener {
        name: listen.name.clone().unwrap_or_else(|| format!("listener-{}", index + 1)),
        address: listen.address.clone(),
        tls: listen.tls.as_ref().map(|tls| tls.compile(loaded)),
        clear_text_allowed: listen.clear_text,
        proxy_protocol: listen
            .proxy_protocol
            .as_ref()
            .map(|proxy| ProxyProtocol { trusted: proxy.trusted.iter().map(ToString::to_string).collect() }),
    }
}

fn service(loaded: &Loaded, config: &ServiceConfig, sources: &Sources) -> Result<BundleService, String> {
    let upstreams =
        config.upstreams.iter().map(|each| upstream(each, &loaded.base)).collect::<Result<_, _>>()?;
    let operations = operations(config, sources);
    Ok(BundleService {
        id: config.name.clone(),
        hosts: config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        path_prefix: config.path.clone(),
        strip_prefix: config.strip_path,
        upstreams,
        protection: protection(loaded, config, sources, &operations)
            .map_err(|error| format!("service `{}`: {error}", config.name))?,
        staged: None,
        operations,
        credential_names: config.credential_names.clone(),
        durable: config.record == RecordMode::Durable,
    })
}

/// What a section of `protect` is compiled from.
pub(crate) struct Context<'a> {
    pub loaded: &'a Loaded,
    pub service: &'a ServiceConfig,
    pub sources: &'a Sources,
    /// As they will stand in the bundle: tables by operation run parallel to it.
    pub operations: &'a [BundleOperation],
    mode: EnforcementMode,
}

impl Context<'_> {
    /// The mode of a section; `None` when it is off.
    pub fn mode(&self, own: Option<EnforcementMode>) -> Option<EnforcementMode> {
        Some(own.unwrap_or(self.mode)).filter(|mode| *mode != EnforcementMode::Off)
    }
}

fn protection(
    loaded: &Loaded,
    service: &ServiceConfig,
    sources: &Sources,
    operations: &[BundleOperation],
) -> Result<Option<Protection>, String> {
    let Some(protect) = &service.protect else { return Ok(None) };
    let context = Context { loaded, service, sources, operations, mode: protect.mode };
    let context = &context;
    macro_rules! section {
        ($name:ident) => {
            match &protect.$name {
                Some(config) => $name::compile(context, config)
                    .map_err(|error| format!("protect.{}: {error}", stringify!($name)))?,
                None => None,
            }
        };
    }
    Ok(Some(Protection {
        network: section!(network),
        identity: section!(identity),
        limits: section!(limits),
        authorization: section!(authorization),
        contract: section!(contract),
        leaks: section!(leaks),
        answers: section!(answers),
    }))
}

/// Documented operations, newest document first, each (method, shape of template) once.
fn operations(config: &ServiceConfig, sources: &Sources) -> Vec<BundleOperation> {
    let mut out: Vec<BundleOperation> = Vec::new();
    let Some(source) = sources.services.get(&config.name) else { return out };
    let mut known = std::collections::HashSet::new();
    for operation in source.specifications.iter().flat_map(|specification| &specification.operations) {
        if !known.insert((operation.method.clone(), operation.template.shape())) {
            continue;
        }
        let name = format!("{} {}", operation.method, operation.template);
        out.push(BundleOperation {
            id: OperationId::of(&config.name, &operation.method, operation.template.as_str()),
            method: operation.method.clone(),
            template: operation.template.clone(),
            documented: true,
            durable: config.durable.contains(&name),
        });
    }
    out
}

/// `http://host:port` or `https://host:port` as an upstream.
pub fn upstream(config: &UpstreamConfig, base: &Path) -> Result<Upstream, String> {
    let url = config.url.as_str();
    let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(format!("upstream `{url}` has no known scheme")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#', '@']) || authority.is_empty() {
        return Err(format!("upstream `{url}` is more than a scheme, host and port"));
    }
    let (host, port) = split_port(authority, if tls { 443 } else { 80 })
        .ok_or_else(|| format!("upstream `{url}` has no usable port"))?;
    let file = |path: &Path| match path.is_absolute() {
        true => path.display().to_string(),
        false => base.join(path).display().to_string(),
    };
    // One that is none is refused by the gateway, should nobody have looked before.
    let pins = config.pins().unwrap_or_else(|_| config.pin_sha256.clone());
    let tls = tls.then(|| UpstreamTls {
        server_name: config.server_name.clone().unwrap_or_else(|| host.to_owned()),
        ca_file: config.ca.as_deref().map(file),
        client: config.client().map(|(certificate, key)| CertificateFiles {
            certificate_file: file(certificate),
            key_file: file(key),
        }),
        pins,
    });
    Ok(Upstream { host: host.to_owned(), port, tls, protocol: config.protocol })
}

fn split_port(authority: &str, default: u16) -> Option<(&str, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, port.parse().ok()?)),
            None if after.is_empty() => Some((host, default)),
            None => None,
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((authority, default)),
    }
}
