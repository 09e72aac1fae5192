//! What a bundle's sections say of one record, as far as a record tells.
//!
//! The order is the pipeline's, and so is what is left out: a call that one section refuses is not judged by those after
//! it. Limits are counted over the records of the window alone: before it every counter is empty.

use std::collections::BTreeMap;
use std::net::IpAddr;

use probity_model::bundle::contract::{Oversize, ParameterPlace, Unknown};
use probity_model::bundle::leaks::LeakAction;
use probity_model::bundle::limits::{LimitAlgorithm, LimitKey};
use probity_model::bundle::{Bundle, BundleService, Protection, identity, limits};
use probity_model::exchange::{AuthenticationState, PathRef};
use probity_model::{EnforcementMode, Exchange};
use probity_policy::limit::{NANOS_PER_MS, SlidingWindow, Slot, TokenBucket};
use probity_reader::cidr::Cidr;

use super::Said;

/// Keys of one limit that are counted apart.
const MAX_KEYS: usize = 200_000;

/// Judges records by one bundle.
pub(super) struct Judge<'a> {
    services: BTreeMap<&'a str, Service<'a>>,
}

struct Service<'a> {
    protection: &'a Protection,
    /// Method and shape of template: position in the bundle's list.
    operations: BTreeMap<(String, String), usize>,
    counters: Vec<BTreeMap<Vec<u8>, Slot>>,
}

impl<'a> Judge<'a> {
    pub fn new(bundle: &'a Bundle) -> Self {
        let services = bundle.services.iter().filter_map(|service| {
            let protection = service.protection.as_ref()?;
            let limits = protection.limits.as_ref().map_or(0, |policy| policy.limits.len());
            let counters = std::iter::repeat_with(BTreeMap::new).take(limits).collect();
            let operations = positions(service);
            Some((service.id.as_str(), Service { protection, operations, counters }))
        });
        Self { services: services.collect() }
    }

    pub fn judge(&mut self, call: &Exchange) -> Said {
        let mut said = Said::default();
        if let Some(service) = self.services.get_mut(call.service.as_str()) {
            service.judge(call, &mut said);
        }
        said
    }
}

fn positions(service: &BundleService) -> BTreeMap<(String, String), usize> {
    let named = service.operations.iter().enumerate();
    named.map(|(at, operation)| ((operation.method.to_string(), operation.template.shape()), at)).collect()
}

impl Service<'_> {
    fn judge(&mut self, call: &Exchange, said: &mut Said) {
        let operation = match &call.path {
            PathRef::Template(template) => {
                self.operations.get(&(call.method.to_string(), template.shape())).copied()
            }
            PathRef::Segments(_) => None,
        };
        self.network(call, operation, said);
        if said.refuse.is_empty() {
            self.identity(call, operation, said);
        }
        if said.refuse.is_empty() {
            self.limits(call, operation, said);
        }
        if said.refuse.is_empty() {
            self.authorization(call, operation, said);
        }
        if said.refuse.is_empty() {
            self.contract(call, operation, said);
        }
        if said.refuse.is_empty() {
            self.leaks(call, operation, said);
        }
    }

    fn network(&self, call: &Exchange, operation: Option<usize>, said: &mut Said) {
        let Some(policy) = &self.protection.network else { return };
        for origin in policy.origins.iter().filter(|origin| about(origin.operations.as_deref(), operation)) {
            let rule = format!("gateway-origin-{}", origin.name);
            let Some(client) = call.client else {
                said.undecided(policy.mode, &rule);
                continue;
            };
            let within = |list: &[String]| {
                list.iter().any(|block| block.parse::<Cidr>().is_ok_and(|block| block.contains(client)))
            };
            if within(&origin.deny) || !origin.allow.is_empty() && !within(&origin.allow) {
                said.refuse(policy.mode, &rule);
            } else if !origin.allow_countries.is_empty() || !origin.deny_countries.is_empty() {
                said.undecided(policy.mode, &rule);
            }
        }
        if let Some(maintenance) = &policy.maintenance
            && about(maintenance.operations.as_deref(), operation)
        {
            said.refuse(policy.mode, "gateway-maintenance");
        }
        let retired = policy.retired.iter().find(|retired| Some(retired.operation as usize) == operation);
        match retired {
            Some(retired) if retired.removed => said.refuse(policy.mode, "gateway-operation-removed"),
            Some(retired) if retired.sunset.is_some_and(|sunset| sunset <= call.started_at) => {
                said.refuse(policy.mode, "gateway-operation-sunset");
            }
            _ => {}
        }
    }

    fn identity(&self, call: &Exchange, operation: Option<usize>, said: &mut Said) {
        let Some(policy) = &self.protection.identity else { return };
        let Some(need) = need(policy, operation) else { return };
        let state = call.authentication.state;
        match (need.public, state) {
            (false, AuthenticationState::None) => said.refuse(policy.mode, "gateway-credential-missing"),
            // What was proved may be asked for in another way now; what was only presented was never looked at.
            (false, AuthenticationState::Presented | AuthenticationState::Unknown) => {
                said.undecided(policy.mode, "gateway-credential-unknown");
            }
            (false, AuthenticationState::Verified) if need.token != identity::Need::default().token => {
                said.undecided(policy.mode, "gateway-step-up");
            }
            _ => {}
        }
        if policy.session.is_some() && state == AuthenticationState::Verified {
            said.undecided(policy.mode, "gateway-session-idle");
        }
    }

    fn limits(&mut self, call: &Exchange, operation: Option<usize>, said: &mut Said) {
        let Some(policy) = &self.protection.limits else { return };
        for (limit, counters) in policy.limits.iter().zip(&mut self.counters) {
            let rule = format!("gateway-limit-{}", limit.name);
            if !applies(limit, call, operation) {
                continue;
            }
            if !limit.applies.roles.is_empty() {
                said.undecided(limit.mode, &rule);
                continue;
            }
            let Some(key) = key(&limit.by, call, operation) else {
                said.undecided(limit.mode, &rule);
                continue;
            };
            let now = u64::try_from(call.started_at.as_micros()).unwrap_or(0).saturating_mul(1_000);
            let cost = u64::from(limit.cost.call)
                + call.request_bytes.div_ceil(1_024) * u64::from(limit.cost.request_kib);
            let full = counters.len() >= MAX_KEYS && !counters.contains_key(&key);
            if full {
                said.undecided(limit.mode, &rule);
                continue;
            }
            let slot = counters.entry(key).or_default();
            let admitted = match &limit.algorithm {
                LimitAlgorithm::TokenBucket { burst, rate, per_ms } => {
                    let bucket = TokenBucket::new(u64::from(*burst), u64::from(*rate), per_ms * NANOS_PER_MS);
                    bucket.take(slot, now, cost).admitted
                }
                LimitAlgorithm::SlidingWindow { limit, window_ms } => {
                    SlidingWindow::new(*limit, window_ms * NANOS_PER_MS).take(slot, now, cost).admitted
                }
                // What was used before the window, or at the same moment, no record of the window says.
                LimitAlgorithm::Quota { .. } | LimitAlgorithm::Concurrency { .. } => {
                    said.undecided(limit.mode, &rule);
                    continue;
                }
            };
            if !admitted {
                said.refuse(limit.mode, &rule);
                return;
            }
        }
        for escalation in &policy.escalations {
            said.undecided(escalation.mode, &format!("gateway-escalation-{}", escalation.name));
        }
    }

    fn authorization(&self, call: &Exchange, operation: Option<usize>, said: &mut Said) {
        let Some(policy) = &self.protection.authorization else { return };
        super::authorization::judge(policy, call, operation, said);
    }

    fn contract(&self, call: &Exchange, operation: Option<usize>, said: &mut Said) {
        let Some(policy) = &self.protection.contract else { return };
        let own = operation.and_then(|at| {
            let at = u32::try_from(at).ok()?;
            policy.rules.iter().find(|rule| rule.operation == at)
        });
        let bound = own.and_then(|rule| rule.body_bytes).unwrap_or(policy.limits.body_bytes);
        let oversize = own.and_then(|rule| rule.oversize).unwrap_or(policy.limits.oversize);
        if call.request_bytes > bound && oversize == Oversize::Refuse {
            said.refuse(policy.mode, "contract-body-size");
        }
        let tabled = operation.and_then(|at| policy.operations.get(at)).and_then(Option::as_ref);
        let Some(contract) = tabled.map(|tabled| &tabled.contract) else { return };
        let declared = |name: &str| {
            contract
                .parameters
                .iter()
                .any(|parameter| parameter.place == ParameterPlace::Query && parameter.name == name)
        };
        if policy.unknown_parameters == Unknown::Refuse && call.query.iter().any(|name| !declared(name)) {
            said.refuse(policy.mode, "contract-unknown-parameter");
        }
        let missing = contract.parameters.iter().any(|parameter| {
            parameter.required
                && parameter.place == ParameterPlace::Query
                && !call.query.iter().any(|name| **name == *parameter.name)
        });
        if missing {
            said.refuse(policy.mode, "contract-parameter-missing");
        }
        if contract.parameters.iter().any(|parameter| parameter.schema.is_some()) {
            said.undecided(policy.mode, "contract-parameter");
        }
        if let Some(request) = &contract.request {
            let essence = &*call.request_type;
            let known = request.content.iter().any(|media| fits(&media.media_type, essence));
            if call.request_bytes > 0 && !essence.is_empty() && !known {
                said.refuse(policy.mode, "contract-content-type");
            } else if call.request_bytes == 0 && request.required {
                said.refuse(policy.mode, "contract-body-missing");
            } else if request.content.iter().any(|media| media.schema.is_some()) {
                said.undecided(policy.mode, "contract-body");
            }
        }
        if policy.responses == EnforcementMode::Block && call.response_bytes > 0 {
            said.undecided(policy.responses, "contract-response");
        }
    }

    /// Only what blocks: masking lets a call through.
    fn leaks(&self, call: &Exchange, operation: Option<usize>, said: &mut Said) {
        let Some(policy) = &self.protection.leaks else { return };
        let at = operation.and_then(|at| u32::try_from(at).ok());
        for hit in call.classes.iter().filter(|hit| !hit.masked) {
            let rules = if hit.place.is_response() { &policy.responses } else { &policy.requests };
            let rule =
                rules.iter().find(|rule| rule.operations.contains(at) && rule.classes.contains(&hit.class));
            let Some(rule) = rule.filter(|rule| rule.action == LeakAction::Block) else { continue };
            let name =
                if hit.place.is_response() { "gateway-response-block" } else { "gateway-request-block" };
            match rule.roles.is_empty() {
                true => said.refuse(policy.mode, name),
                false => said.undecided(policy.mode, name),
            }
        }
    }
}

/// Whether a rule about those operations is about this one.
pub(super) fn about(operations: Option<&[u32]>, operation: Option<usize>) -> bool {
    match (operations, operation.and_then(|at| u32::try_from(at).ok())) {
        (None, _) => true,
        (Some(list), Some(at)) => list.contains(&at),
        (Some(_), None) => false,
    }
}

fn need(policy: &identity::ServiceIdentity, operation: Option<usize>) -> Option<&identity::Need> {
    let at = operation.and_then(|at| policy.operations.get(at)).copied().unwrap_or(policy.unknown);
    policy.needs.get(usize::from(at))
}

fn applies(limit: &limits::Limit, call: &Exchange, operation: Option<usize>) -> bool {
    let matched = &limit.applies;
    about(matched.operations.as_deref(), operation)
        && (matched.methods.is_empty() || matched.methods.contains(&call.method))
        && (!matched.anonymous || call.authentication.state != AuthenticationState::Verified)
}

/// What a limit tells the call's caller apart by, as far as a record knows it.
fn key(by: &[LimitKey], call: &Exchange, operation: Option<usize>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for part in by {
        key.push(b'|');
        match part {
            LimitKey::Address => key.extend(network_of(call.client?)),
            LimitKey::Consumer => match call.authentication.identity {
                Some(identity) => key.extend(identity),
                None => key.extend(network_of(call.client?)),
            },
            LimitKey::Credential => match call.authentication.identity.or(call.authentication.credential) {
                Some(credential) => key.extend(credential),
                None => key.extend(network_of(call.client?)),
            },
            LimitKey::Operation => key.extend(operation.unwrap_or(usize::MAX).to_le_bytes()),
            LimitKey::Service => {}
            LimitKey::Tenant | LimitKey::Claim(_) | LimitKey::Header(_) => return None,
        }
    }
    Some(key)
}

/// As the gateway counts addresses: all of IPv4, the first half of IPv6.
fn network_of(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

/// `application/json`, `text/*`, `*/*`.
fn fits(declared: &str, essence: &str) -> bool {
    match declared.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => essence.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(kind)),
        _ => declared.eq_ignore_ascii_case(essence),
    }
}
