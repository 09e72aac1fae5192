//! A bundle compiled for the data path: routes, upstreams, limits. Built whole or not at all, then never changed.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use probity_http1::Limits;
use probity_model::bundle::network::{Breaker, HealthCheck};
use probity_model::bundle::{Bundle, BundleOperation, BundleService, Inspection, Timeouts};
use probity_model::{EnforcementMode, ServiceId};
use probity_policy::classify::Scanner;
use probity_policy::route::{RoutedService, Router};

use crate::bundle::BundleRefusal;
use crate::enforce::{Guards, State};
use crate::metrics::{Metrics, Series};
use crate::observe::Methods;
use crate::upstream::{Budget, Endpoint, Endpoints};

#[derive(Debug)]
pub(crate) struct Plan {
    pub bundle: Bundle,
    pub limits: Limits,
    /// Stands for the refusing bundle: every call is answered 503.
    pub refusing: bool,
    pub scanner: Scanner,
    router: Router,
    services: Vec<Service>,
    trusted: Vec<Cidr>,
    unrouted: MethodSeries,
}

/// One service with what its calls need.
#[derive(Debug)]
pub(crate) struct Service {
    pub id: ServiceId,
    pub durable: bool,
    /// What is cut off the path before it goes upstream.
    pub cut: Option<Box<str>>,
    /// In lower case.
    pub credential_names: Vec<Box<[u8]>>,
    upstreams: Vec<Arc<Endpoint>>,
    next: AtomicUsize,
    pub guards: Option<Arc<Guards>>,
    /// Of a draft that is tried.
    pub draft: Option<Arc<Guards>>,
    pub breaker: Option<Breaker>,
    pub budget: Option<Budget>,
    pub health: Option<HealthCheck>,
    operations: Vec<Arc<Series>>,
    unknown: MethodSeries,
}

/// The series of calls without a known operation, one for each usual method.
#[derive(Debug)]
struct MethodSeries(Vec<Arc<Series>>);

impl MethodSeries {
    fn new(metrics: &Metrics, service: &str) -> Self {
        Self(Methods::NAMES.iter().map(|method| metrics.series(service, method, "-")).collect())
    }
    fn of(&self, method: &[u8]) -> Option<&Arc<Series>> {
        self.0.get(Methods::index(method))
    }
}

/// Where a call goes: positions in the plan that routed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub service: usize,
    pub operation: Option<usize>,
}

impl Plan {
    pub fn build(
        bundle: Bundle,
        refusing: bool,
        endpoints: &Endpoints,
        metrics: &Metrics,
        state: &Arc<State>,
    ) -> Result<Self, BundleRefusal> {
        state.identity.prepare(&bundle).map_err(BundleRefusal::Identity)?;
        let services: Result<_, _> = bundle
            .services
            .iter()
            .map(|service| Service::build(&bundle, service, endpoints, metrics, state))
            .collect();
        let trusted: Result<_, _> = bundle
            .forwarding
            .trusted_proxies
            .iter()
            .map(|text| Cidr::parse(text).ok_or_else(|| BundleRefusal::TrustedProxy(text.clone())))
            .collect();
        let limits = Limits {
            head_bytes: bundle.limits.head_bytes as usize,
            headers: usize::from(bundle.limits.headers),
            ..Limits::default()
        };
        Ok(Self {
            limits,
            refusing,
            scanner: Scanner::new(&bundle.classes)?,
            router: Router::new(&bundle.services)?,
            services: services?,
            trusted: trusted?,
            unrouted: MethodSeries::new(metrics, crate::UNROUTED),
            bundle,
        })
    }

    pub fn timeouts(&self) -> &Timeouts {
        &self.bundle.timeouts
    }

    pub fn inspection(&self) -> Inspection {
        self.bundle.inspection
    }

    pub fn route(&self, method: &str, host: Option<&str>, path: &str) -> Option<Route> {
        let routed = self.router.service(host, path)?;
        let operation = routed.operation(method, path).and_then(|operation| position(routed, operation));
        Some(Route { service: routed.index(), operation })
    }

    /// The methods known for a path of that route's service.
    pub fn methods(&self, route: Option<Route>, path: &str) -> Vec<Arc<str>> {
        self.routed(route).map_or_else(Vec::new, |routed| routed.methods(path))
    }

    /// Where another method of the same path stands.
    pub fn operation_at(&self, route: Option<Route>, method: &str, path: &str) -> Option<usize> {
        let routed = self.routed(route)?;
        position(routed, routed.operation(method, path)?)
    }

    fn routed(&self, route: Option<Route>) -> Option<&RoutedService> {
        self.router.services().get(route?.service)
    }

    pub fn service(&self, route: Route) -> Option<&Service> {
        self.services.get(route.service)
    }

    pub fn operation(&self, route: Route) -> Option<&BundleOperation> {
        self.bundle.services.get(route.service)?.operations.get(route.operation?)
    }

    /// The series that a call counts in; those without a service have their own.
    pub fn series(&self, route: Option<Route>, method: &[u8]) -> Option<&Arc<Series>> {
        let Some(route) = route else { return self.unrouted.of(method) };
        let service = self.service(route)?;
        match route.operation {
            Some(operation) => service.operations.get(operation),
            None => service.unknown.of(method),
        }
    }

    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|block| block.contains(address))
    }

    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.services.iter().flat_map(|service| &service.upstreams)
    }
}

/// Where an operation got from the router's own list stands in it.
fn position(routed: &RoutedService, operation: &BundleOperation) -> Option<usize> {
    let list = routed.service().operations.as_ptr() as usize;
    Some((std::ptr::from_ref(operation) as usize).checked_sub(list)? / size_of::<BundleOperation>())
}

impl Service {
    fn build(
        bundle: &Bundle,
        service: &BundleService,
        endpoints: &Endpoints,
        metrics: &Metrics,
        state: &Arc<State>,
    ) -> Result<Self, BundleRefusal> {
        let idle = bundle.limits.idle_upstream;
        if service.upstreams.is_empty() {
            return Err(BundleRefusal::NoUpstream { service: service.id.to_string() });
        }
        let upstreams: Result<_, _> =
            service.upstreams.iter().map(|upstream| endpoints.of(&service.id, upstream, idle)).collect();
        let id = service.id.as_str();
        let network = service
            .protection
            .as_ref()
            .and_then(|protection| protection.network.as_ref())
            .filter(|network| network.mode != EnforcementMode::Off);
        Ok(Self {
            id: service.id.clone(),
            durable: service.durable,
            cut: Some(service.path_prefix.trim_end_matches('/'))
                .filter(|prefix| service.strip_prefix && !prefix.is_empty())
                .map(Into::into),
            credential_names: service
                .credential_names
                .iter()
                .map(|name| name.to_ascii_lowercase().into_bytes().into())
                .collect(),
            upstreams: upstreams?,
            guards: Guards::build(service, state)?,
            draft: Guards::build_draft(service, state)?,
            breaker: network.and_then(|network| network.breaker),
            budget: network.and_then(|network| network.retries).map(Budget::new),
            health: network.and_then(|network| network.health.clone()),
            next: AtomicUsize::new(0),
            operations: service
                .operations
                .iter()
                .map(|operation| metrics.series(id, &operation.method, operation.template.as_str()))
                .collect(),
            unknown: MethodSeries::new(metrics, id),
        })
    }

    /// The upstreams in the order to try: round robin, those that fail their checks last, then some once more.
    pub fn turn(&self, more: usize) -> impl Iterator<Item = &Arc<Endpoint>> {
        let first = match self.upstreams.len() {
            0 | 1 => 0,
            many => self.next.fetch_add(1, Relaxed) % many,
        };
        let round = move || self.upstreams.iter().cycle().skip(first);
        let all = self.upstreams.len();
        let well = round().take(all).filter(|endpoint| !endpoint.health.is_down());
        let rest = round().take(all).filter(|endpoint| endpoint.health.is_down());
        well.chain(rest).chain(round().take(more))
    }

    /// All upstreams, whose checks begin anew with this plan.
    pub fn checked(&self) -> impl Iterator<Item = (&Arc<Endpoint>, &HealthCheck)> {
        self.health.iter().flat_map(|check| self.upstreams.iter().map(move |endpoint| (endpoint, check)))
    }
}

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let most = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                (u32::from(block) ^ u32::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(block), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                (u128::from(block) ^ u128::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_addresses() {
        for (block, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ] {
            let block = Cidr::parse(block).unwrap();
            assert_eq!(block.contains(address.parse().unwrap()), expected, "{block:?} {address}");
        }
        for odd in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "a", "10.0.0.0/x", "10.0.0.0/"] {
            assert_eq!(Cidr::parse(odd), None, "{odd}");
        }
    }
}
