//! Compiles `protect.network`.

use std::collections::HashSet;

use probity_model::Timestamp;
use probity_model::bundle::network::{
    Breaker, HealthCheck, Maintenance, NetworkPolicy, OriginRule, Retired, Retries,
};
use probity_reader::cidr::Cidr;

use super::{Context, selection};
use crate::config::network::{NetworkConfig, OriginConfig};

pub(super) fn compile(
    context: &Context<'_>,
    config: &NetworkConfig,
) -> Result<Option<NetworkPolicy>, String> {
    let Some(mode) = context.mode(config.mode) else { return Ok(None) };
    let countries = config
        .origins
        .iter()
        .any(|origin| !origin.allow_countries.is_empty() || !origin.deny_countries.is_empty());
    if countries && config.country_file.is_none() {
        return Err("rules about countries need `country_file`".to_owned());
    }
    Ok(Some(NetworkPolicy {
        mode,
        origins: config.origins.iter().map(|origin| rule(context, origin)).collect::<Result<_, _>>()?,
        country_file: config
            .country_file
            .as_ref()
            .map(|file| context.loaded.path(file).display().to_string()),
        maintenance: config.maintenance.as_ref().map(|given| maintenance(context, given)).transpose()?,
        retired: if config.retire { retired(context) } else { Vec::new() },
        retries: config.retries.map(|given| Retries {
            attempts: given.attempts,
            budget_percent: given.budget_percent,
            on_status: given.on_status,
        }),
        breaker: config
            .breaker
            .map(|given| Breaker { failures: given.failures.max(1), open_ms: given.open.as_millis() }),
        health: match &config.health {
            None => None,
            Some(given) if given.path.starts_with('/') => Some(HealthCheck {
                path: given.path.clone(),
                every_ms: given.every.as_millis().max(100),
                timeout_ms: given.timeout.as_millis(),
                unhealthy: given.unhealthy.max(1),
                healthy: given.healthy.max(1),
            }),
            Some(given) => return Err(format!("`{}` is no path, expected `/healthz`", given.path)),
        },
    }))
}

fn rule(context: &Context<'_>, origin: &OriginConfig) -> Result<OriginRule, String> {
    for block in origin.allow.iter().chain(&origin.deny) {
        block.parse::<Cidr>().map_err(|_| {
            format!("`{block}` is no block of addresses, expected `192.0.2.0/24` or `2001:db8::/32`")
        })?;
    }
    for country in origin.allow_countries.iter().chain(&origin.deny_countries) {
        if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(format!(
                "`{country}` is no country, expected two letters of ISO 3166-1 such as `DE`"
            ));
        }
    }
    Ok(OriginRule {
        name: if origin.name.is_empty() { "origin".to_owned() } else { origin.name.clone() },
        operations: chosen(context, &origin.operations)?,
        allow: origin.allow.clone(),
        deny: origin.deny.clone(),
        allow_countries: origin.allow_countries.clone(),
        deny_countries: origin.deny_countries.clone(),
    })
}

fn maintenance(
    context: &Context<'_>,
    given: &crate::config::network::MaintenanceConfig,
) -> Result<Maintenance, String> {
    let until = given
        .until
        .as_ref()
        .map(|text| {
            Timestamp::parse(text).ok_or_else(|| {
                format!("`{text}` is no moment, expected RFC 3339 such as `2026-12-01T06:00:00Z`")
            })
        })
        .transpose()?;
    Ok(Maintenance { operations: chosen(context, &given.operations)?, until, text: given.text.clone() })
}

fn chosen(context: &Context<'_>, selections: &[String]) -> Result<Option<Vec<u32>>, String> {
    match selections.is_empty() {
        true => Ok(None),
        false => selection::positions(selections, context.operations).map(Some),
    }
}

/// Operations that only an older document has, that are deprecated, or that have a sunset.
fn retired(context: &Context<'_>) -> Vec<Retired> {
    let Some(source) = context.sources.services.get(&context.service.name) else { return Vec::new() };
    let key = |method: &str, template: &probity_model::Template| (method.to_owned(), template.shape());
    let newest: HashSet<_> = source
        .specifications
        .first()
        .into_iter()
        .flat_map(|specification| &specification.operations)
        .map(|operation| key(&operation.method, &operation.template))
        .collect();
    let mut out = Vec::new();
    for (at, operation) in context.operations.iter().enumerate() {
        let own = key(&operation.method, &operation.template);
        let specified = source
            .specifications
            .iter()
            .flat_map(|specification| &specification.operations)
            .find(|specified| key(&specified.method, &specified.template) == own);
        let removed = operation.documented && !newest.contains(&own);
        let (deprecated, sunset) =
            specified.map_or((false, None), |specified| (specified.deprecated, specified.sunset));
        if (removed || deprecated || sunset.is_some())
            && let Ok(operation) = u32::try_from(at)
        {
            out.push(Retired { operation, removed, deprecated, sunset, successor: None });
        }
    }
    out
}
