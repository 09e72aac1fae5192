//! From where a call may come, and what was retired. Retries, breaker and health checks are [`crate::upstream`]'s.

use std::collections::HashMap;
use std::net::IpAddr;

use probity_model::bundle::network::NetworkPolicy;
use probity_model::bundle::network::{Maintenance, OriginRule, Retired};
use probity_model::{EnforcementMode, Timestamp};

use super::{Answer, BuildError, Ruling};
use crate::ingress::{Call, Stop};
use crate::plan::Cidr;

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    pub mode: EnforcementMode,
    origins: Vec<Origins>,
    countries: Option<Countries>,
    maintenance: Option<Maintenance>,
    retired: HashMap<usize, Retired>,
}

#[derive(Debug)]
struct Origins {
    rule: String,
    /// Sorted.
    operations: Option<Vec<u32>>,
    allow: Vec<Cidr>,
    deny: Vec<Cidr>,
    allow_countries: Vec<String>,
    deny_countries: Vec<String>,
}

struct Countries(maxminddb::Reader<Vec<u8>>);

impl std::fmt::Debug for Countries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Countries").finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
enum NetworkError {
    #[error("`{0}` is no block of addresses")]
    Block(String),
    #[error("`{file}` cannot be read, expected MaxMind DB format")]
    Countries { file: String, source: maxminddb::MaxMindDbError },
}

impl Guard {
    pub fn build(policy: &NetworkPolicy) -> Result<Self, BuildError> {
        let countries = match &policy.country_file {
            None => None,
            Some(file) => Some(Countries(
                maxminddb::Reader::open_readfile(file)
                    .map_err(|source| NetworkError::Countries { file: file.clone(), source })?,
            )),
        };
        Ok(Self {
            mode: policy.mode,
            origins: policy.origins.iter().map(Origins::build).collect::<Result<_, _>>()?,
            countries,
            maintenance: policy.maintenance.clone(),
            retired: policy
                .retired
                .iter()
                .map(|retired| (retired.operation as usize, retired.clone()))
                .collect(),
        })
    }

    /// Addresses, countries, maintenance, sunset.
    pub fn judge_head(&self, call: &mut Call) -> Result<(), Stop> {
        let operation = call.route.and_then(|route| route.operation);
        let client = call.client();
        for origins in self.origins.iter().filter(|origins| about(origins.operations.as_deref(), operation)) {
            if let Some(found) = origins.refuses(client, self.countries.as_ref()) {
                let rule = Ruling::new(
                    "net-restrict",
                    origins.rule.clone(),
                    self.mode,
                    403,
                    "calls from there are not taken",
                )
                .found(None, "address", found);
                call.rule(rule)?;
            }
        }
        if let Some(maintenance) = &self.maintenance
            && about(maintenance.operations.as_deref(), operation)
        {
            call.rule(closed(maintenance, self.mode, call))?;
        }
        if let Some(retired) = operation.and_then(|operation| self.retired.get(&operation))
            && let Some(ruling) = gone(retired, self.mode, call)
        {
            call.rule(ruling)?;
        }
        Ok(())
    }

    /// Announces what is to be retired, where the upstream does not.
    pub fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let operation = call.route.and_then(|route| route.operation);
        let Some(retired) = operation.and_then(|operation| self.retired.get(&operation)) else {
            return Ok(());
        };
        if let Some(sunset) = retired.sunset
            && answer.head.header(b"sunset").is_none()
        {
            answer.edits.set("sunset", http_date(sunset));
        }
        Ok(())
    }
}

/// As `Sunset` wants it.
fn http_date(at: Timestamp) -> String {
    let since = u64::try_from(at.as_micros()).unwrap_or(0);
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_micros(since))
}

/// Whether a rule about those operations is about this one.
fn about(operations: Option<&[u32]>, operation: Option<usize>) -> bool {
    match (operations, operation.and_then(|at| u32::try_from(at).ok())) {
        (None, _) => true,
        (Some(list), Some(at)) => list.binary_search(&at).is_ok(),
        (Some(_), None) => false,
    }
}

fn closed(maintenance: &Maintenance, mode: EnforcementMode, call: &Call) -> Ruling {
    let ruling = Ruling::new("config-baseline", "gateway-maintenance", mode, 503, maintenance.text.clone());
    let left =
        maintenance.until.map(|until| until.since(call.started_at) / 1_000_000).filter(|left| *left > 0);
    match left {
        Some(seconds) => ruling.field("retry-after", seconds.to_string()),
        None => ruling,
    }
}

/// What is past its time, and did not say so itself.
fn gone(retired: &Retired, mode: EnforcementMode, call: &Call) -> Option<Ruling> {
    let past = retired.sunset.is_some_and(|sunset| sunset <= call.started_at);
    let (rule, found) = match (retired.removed, past) {
        (true, _) => ("gateway-operation-removed", "removed"),
        (false, true) => ("gateway-operation-sunset", "past its sunset"),
        (false, false) => return None,
    };
    let mut ruling = Ruling::new("version-deprecation", rule, mode, 410, "the operation is gone").found(
        None,
        "operation",
        found,
    );
    if let Some(sunset) = retired.sunset {
        ruling = ruling.field("sunset", http_date(sunset));
    }
    if let Some(successor) = &retired.successor {
        ruling = ruling.field("link", format!("<{successor}>; rel=\"successor-version\""));
    }
    Some(ruling)
}

impl Origins {
    fn build(rule: &OriginRule) -> Result<Self, NetworkError> {
        let blocks = |list: &[String]| -> Result<Vec<Cidr>, NetworkError> {
            list.iter()
                .map(|text| Cidr::parse(text).ok_or_else(|| NetworkError::Block(text.clone())))
                .collect()
        };
        let mut operations = rule.operations.clone();
        if let Some(list) = &mut operations {
            list.sort_unstable();
        }
        Ok(Self {
            rule: format!("gateway-origin-{}", rule.name),
            operations,
            allow: blocks(&rule.allow)?,
            deny: blocks(&rule.deny)?,
            allow_countries: rule.allow_countries.clone(),
            deny_countries: rule.deny_countries.clone(),
        })
    }

    /// Why an address is not let through, in a word.
    fn refuses(&self, client: IpAddr, countries: Option<&Countries>) -> Option<&'static str> {
        let within = |list: &[Cidr]| list.iter().any(|block| block.contains(client));
        if within(&self.deny) {
            return Some("denied-address");
        }
        if !self.allow.is_empty() && !within(&self.allow) {
            return Some("other-address");
        }
        if self.allow_countries.is_empty() && self.deny_countries.is_empty() {
            return None;
        }
        let country = countries.and_then(|countries| countries.of(client));
        let listed = |list: &[String]| country.as_ref().is_some_and(|country| list.contains(country));
        if listed(&self.deny_countries) {
            return Some("denied-country");
        }
        // Where nobody knows the country, an allow-list does not let through.
        (!self.allow_countries.is_empty() && !listed(&self.allow_countries)).then_some("other-country")
    }
}

impl Countries {
    fn of(&self, address: IpAddr) -> Option<String> {
        let found = self.0.lookup(address).ok()?;
        let country: maxminddb::geoip2::Country<'_> = found.decode().ok()??;
        country.country.iso_code.map(str::to_owned)
    }
}
