//! Which service and which operation a call is for: hosts, path prefixes and path templates of a bundle, compiled once
//! into segment trees.
//!
//! A lookup allocates nothing and costs the same for ten services as for ten thousand: one hash look-up for each host
//! label and for each path segment. It does not learn templates (`probity-graph`'s work), and it forwards nothing
//! (the gateway's). [`tree`] holds the tree of templates, [`segment`] says when two segments are the same.
//!
//! Rules, in the order in which they decide:
//! - A service is found by its exact host, then by `*.suffix` (one label or more, the longest suffix first), then among
//!   the services for any host. Inside each of the three the longest path prefix on a segment boundary wins; a host
//!   whose prefixes all fail hands on to the next of the three.
//! - An operation's template is matched on the whole path as the client sent it, without its query. At each segment a
//!   literal goes before a partial variable (`{name}.json`; more literal bytes first), which goes before a variable.
//!   A variable takes one segment of at least one byte. A template without the call's method does not end the search.
//! - Trailing slashes are exact: `/a` and `/a/` are two templates.
//! - `%41` and `A` are the same, as RFC 3986 has it for unreserved characters; `%2F` is never `/`.

mod segment;
mod tree;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use probity_model::ServiceId;
use probity_model::bundle::{BundleOperation, BundleService};

use tree::{PrefixTree, TemplateTree};

/// Longest host that is looked up (RFC 1035: 253 letters).
const MAX_HOST: usize = 253;
/// Most segments of a template or prefix.
pub const MAX_DEPTH: usize = 64;
/// Longest literal segment of a template or prefix, in bytes. A percent-encoded segment of a call that is longer than
/// this after decoding equals no literal.
pub const MAX_LITERAL: usize = 512;
/// Most nodes visited for one look-up: bounds backtracking. Past it the path counts as unknown.
pub const MAX_STEPS: u32 = 4096;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RouteError {
    #[error("service `{service}`: path prefix `{prefix}` does not begin with `/`")]
    Prefix { service: ServiceId, prefix: String },
    #[error("service `{service}`: host `{host}` is neither a lower-case name without port nor `*.name`")]
    Host { service: ServiceId, host: String },
    #[error("services `{first}` and `{second}` both claim host `{host}` with prefix `{prefix}`")]
    Duplicate { first: ServiceId, second: ServiceId, host: String, prefix: String },
    #[error(
        "operation `{operation}`: template expected to begin with `/`, to close its braces and to stay under {MAX_DEPTH} segments of {MAX_LITERAL} bytes"
    )]
    Template { operation: String },
}

/// All services of a bundle, ready for look-ups.
pub struct Router {
    services: Vec<RoutedService>,
    exact: ByName<PrefixTree>,
    /// Keyed by what follows `*.`.
    suffix: ByName<PrefixTree>,
    any: PrefixTree,
}

/// One service with the tree of its operations.
pub struct RoutedService {
    service: Arc<BundleService>,
    index: usize,
    methods: Vec<(Arc<str>, TemplateTree)>,
}

impl Router {
    pub fn new(services: &[BundleService]) -> Result<Self, RouteError> {
        let mut router = Self {
            services: Vec::with_capacity(services.len()),
            exact: ByName::default(),
            suffix: ByName::default(),
            any: PrefixTree::default(),
        };
        for (index, service) in services.iter().enumerate() {
            router.services.push(RoutedService::new(service, index)?);
            if service.hosts.is_empty() {
                claim(&mut router.any, services, index, "")?;
            }
            for host in &service.hosts {
                check_host(service, host)?;
                let tree = match host.strip_prefix("*.") {
                    Some(suffix) => router.suffix.entry(suffix.into()).or_default(),
                    None => router.exact.entry(host.as_str().into()).or_default(),
                };
                claim(tree, services, index, host)?;
            }
        }
        Ok(router)
    }

    /// The service for a call: `host` as the client sent it (port and letter case do not matter), `path` without query.
    pub fn service(&self, host: Option<&str>, path: &str) -> Option<&RoutedService> {
        let index = host.and_then(|host| self.by_host(host, path)).or_else(|| self.any.longest(path))?;
        self.services.get(index)
    }

    /// All services, in the bundle's order.
    pub fn services(&self) -> &[RoutedService] {
        &self.services
    }

    fn by_host(&self, host: &str, path: &str) -> Option<usize> {
        let mut buffer = [0u8; MAX_HOST];
        let host = lower_host(host, &mut buffer)?;
        if let Some(index) = self.exact.get(host).and_then(|tree| tree.longest(path)) {
            return Some(index);
        }
        if self.suffix.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(index) = self.suffix.get(suffix).and_then(|tree| tree.longest(path)) {
                return Some(index);
            }
            rest = suffix;
        }
        None
    }
}

impl RoutedService {
    fn new(service: &BundleService, index: usize) -> Result<Self, RouteError> {
        let mut methods: Vec<(Arc<str>, TemplateTree)> = Vec::new();
        for (position, operation) in service.operations.iter().enumerate() {
            let at = match methods.iter().position(|(method, _)| *method == operation.method) {
                Some(at) => at,
                None => {
                    methods.push((operation.method.clone(), TemplateTree::default()));
                    methods.len() - 1
                }
            };
            let Some((_, tree)) = methods.get_mut(at) else { continue };
            tree.insert(operation.template.as_str(), position)
                .ok_or_else(|| RouteError::Template { operation: operation.id.to_string() })?;
        }
        Ok(Self { service: Arc::new(service.clone()), index, methods })
    }

    pub fn service(&self) -> &BundleService {
        &self.service
    }
    /// The same service for a holder that outlives the router.
    pub fn shared(&self) -> Arc<BundleService> {
        self.service.clone()
    }
    pub fn id(&self) -> &ServiceId {
        &self.service.id
    }
    /// Position in the bundle.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The operation that `path` (as sent, without query) belongs to. Of two templates with the same shape the earlier
    /// one stands.
    pub fn operation(&self, method: &str, path: &str) -> Option<&BundleOperation> {
        let (_, tree) = self.methods.iter().find(|(known, _)| &**known == method)?;
        self.service.operations.get(tree.find(path)?)
    }

    /// The methods known for `path`, in the order in which the bundle first names them; empty for an unknown path.
    pub fn methods(&self, path: &str) -> Vec<Arc<str>> {
        let known = self.methods.iter().filter(|(_, tree)| tree.find(path).is_some());
        known.map(|(method, _)| method.clone()).collect()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("services", &self.services).finish_non_exhaustive()
    }
}
impl fmt::Debug for RoutedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoutedService({} {})", self.index, self.service.id)
    }
}

fn claim(
    tree: &mut PrefixTree,
    services: &[BundleService],
    index: usize,
    host: &str,
) -> Result<(), RouteError> {
    let Some(service) = services.get(index) else { return Ok(()) };
    let refused = || RouteError::Prefix { service: service.id.clone(), prefix: service.path_prefix.clone() };
    match tree.insert(&service.path_prefix, index).ok_or_else(refused)? {
        None => Ok(()),
        Some(first) => Err(RouteError::Duplicate {
            first: services.get(first).map_or_else(|| service.id.clone(), |first| first.id.clone()),
            second: service.id.clone(),
            host: if host.is_empty() { "any".into() } else { host.into() },
            prefix: service.path_prefix.clone(),
        }),
    }
}

fn check_host(service: &BundleService, host: &str) -> Result<(), RouteError> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let address = name.starts_with('[') && name.ends_with(']');
    let good = !name.is_empty()
        && name.len() <= MAX_HOST
        && !name.ends_with('.')
        && name.bytes().all(|b| {
            !b.is_ascii_uppercase()
                && b.is_ascii_graphic()
                && !matches!(b, b'*' | b'/')
                && (address || b != b':')
        });
    match good {
        true => Ok(()),
        false => Err(RouteError::Host { service: service.id.clone(), host: host.into() }),
    }
}

/// `host` in lower case without port and without the root's dot; `None` if it is longer than any name.
fn lower_host<'a>(host: &str, buffer: &'a mut [u8; MAX_HOST]) -> Option<&'a str> {
    let name = match host.starts_with('[') {
        true => host.get(..=host.rfind(']')?)?,
        false => host.bytes().position(|byte| byte == b':').and_then(|end| host.get(..end)).unwrap_or(host),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let target = buffer.get_mut(..name.len())?;
    target.copy_from_slice(name.as_bytes());
    target.make_ascii_lowercase();
    std::str::from_utf8(target).ok()
}

/// Maps are filled from a bundle only, never from a call, so that a fast unkeyed hash is safe here.
type ByName<T> = HashMap<Box<str>, T, BuildHasherDefault<Quick>>;

/// Eight bytes a step, multiplied and turned.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.0 = (self.0.rotate_left(23) ^ u64::from_le_bytes(*chunk)).wrapping_mul(FACTOR);
        }
        let last = rest.iter().fold(rest.len() as u64, |last, byte| last << 8 | u64::from(*byte));
        self.0 = (self.0.rotate_left(23) ^ last).wrapping_mul(FACTOR);
    }
    // What follows a text and a slice's length add nothing: keys of one map are compared whole.
    fn write_u8(&mut self, _: u8) {}
    fn write_usize(&mut self, _: usize) {}
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests;
