//! Compiles `protect.contract`: the schemas of a service's specifications beside its operations, and bounds.

use std::collections::HashMap;
use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::contract::{
    BodyLimits, ContractPolicy, FieldCost, GraphqlLimits, GraphqlPolicy, OperationRule, TabledContract,
    Unknown,
};
use probity_reader::config::ByteSize;

use super::Context;
use crate::config::contract::{BodyLimitsConfig, ContractConfig, GraphqlConfig, Undecidable};
use crate::sources::MAX_SPECIFICATION_BYTES;

/// Faults of schemas that one message names.
const MAX_NAMED: usize = 5;

pub(super) fn compile(
    context: &Context<'_>,
    config: &ContractConfig,
) -> Result<Option<ContractPolicy>, String> {
    let general = context.mode(config.mode);
    let requests = config.requests.or(general).unwrap_or(EnforcementMode::Off);
    let unsaid = if general.is_some() { EnforcementMode::Observe } else { EnforcementMode::Off };
    let responses = config.responses.unwrap_or(unsaid);
    if requests == EnforcementMode::Off && responses == EnforcementMode::Off {
        return Ok(None);
    }
    let mut policy = ContractPolicy {
        mode: requests,
        responses,
        unknown_fields: config.unknown_fields.unwrap_or(Unknown::Refuse),
        unknown_response_fields: config.unknown_response_fields.unwrap_or(Unknown::Flag),
        unknown_parameters: config.unknown_parameters.unwrap_or(Unknown::Flag),
        limits: limits(&config.limits),
        ..ContractPolicy::default()
    };
    add_contracts(context, &mut policy);
    let blocks = [requests, responses].contains(&EnforcementMode::Block);
    if blocks && config.undecidable == Undecidable::Refuse {
        refuse_undecidable(context, &policy)?;
    }
    for (name, own) in &config.operations {
        let operation = context
            .operations
            .iter()
            .position(|known| format!("{} {}", known.method, known.template) == *name)
            .and_then(|operation| u32::try_from(operation).ok())
            .ok_or_else(|| format!("operation `{name}` is not specified, expected `METHOD /template`"))?;
        let body_bytes = own.body.map(|size| size.0);
        policy.rules.push(OperationRule { operation, body_bytes, oversize: own.oversize });
    }
    policy.graphql = config.graphql.as_ref().map(|graphql| compile_graphql(context, graphql)).transpose()?;
    Ok(Some(policy))
}

/// Puts the contract of each operation beside it, from the newest document that has it.
fn add_contracts(context: &Context<'_>, policy: &mut ContractPolicy) {
    let Some(source) = context.sources.services.get(&context.service.name) else { return };
    let mut known: HashMap<(Arc<str>, String), TabledContract> = HashMap::new();
    for specification in &source.specifications {
        let table = u32::try_from(policy.tables.len()).unwrap_or(u32::MAX);
        policy.tables.push(specification.schemas.clone());
        for operation in &specification.operations {
            if let Some(contract) = &operation.contract {
                known
                    .entry((Arc::clone(&operation.method), operation.template.shape()))
                    .or_insert_with(|| TabledContract { table, contract: Arc::clone(contract) });
            }
        }
    }
    let own = context
        .operations
        .iter()
        .map(|operation| known.get(&(Arc::clone(&operation.method), operation.template.shape())).cloned());
    policy.operations = own.collect();
}

fn refuse_undecidable(context: &Context<'_>, policy: &ContractPolicy) -> Result<(), String> {
    let mut told = Vec::new();
    for table in &policy.tables {
        let faults = probity_policy::contract::Table::new(table.clone()).faults(MAX_NAMED);
        told.extend(faults.into_iter().map(|(_, why)| why));
    }
    told.dedup();
    if told.is_empty() {
        return Ok(());
    }
    told.truncate(MAX_NAMED);
    Err(format!(
        "the specification of `{}` has schemas that cannot be judged: {}; expected `undecidable: flag` to let such calls pass flagged",
        context.service.name,
        told.join("; ")
    ))
}

fn narrow(size: ByteSize) -> u32 {
    u32::try_from(size.0).unwrap_or(u32::MAX)
}

fn limits(config: &BodyLimitsConfig) -> BodyLimits {
    let usual = BodyLimits::default();
    BodyLimits {
        body_bytes: config.body.map_or(usual.body_bytes, |size| size.0),
        response_bytes: config.response.map_or(usual.response_bytes, |size| size.0),
        oversize: config.oversize.unwrap_or(usual.oversize),
        response_oversize: config.response_oversize.unwrap_or(usual.response_oversize),
        json_depth: config.json_depth.unwrap_or(usual.json_depth),
        json_values: config.json_values.unwrap_or(usual.json_values),
        json_members: config.json_members.unwrap_or(usual.json_members),
        json_elements: config.json_elements.unwrap_or(usual.json_elements),
        json_string_bytes: config.json_string.map_or(usual.json_string_bytes, narrow),
        json_number_bytes: config.json_number.unwrap_or(usual.json_number_bytes),
        form_fields: config.form_fields.unwrap_or(usual.form_fields),
    }
}

fn compile_graphql(context: &Context<'_>, config: &GraphqlConfig) -> Result<GraphqlPolicy, String> {
    let usual = GraphqlLimits::default();
    let schema = match &config.schema {
        Some(file) => {
            let path = context.loaded.path(file);
            let size = std::fs::metadata(&path).map(|known| known.len()).unwrap_or_default();
            if size > MAX_SPECIFICATION_BYTES {
                return Err(format!("GraphQL schema `{}` is longer than is read", path.display()));
            }
            let bytes = std::fs::read(&path)
                .map_err(|error| format!("GraphQL schema `{}` cannot be read: {error}", path.display()))?;
            let read = probity_reader::graphql::read(&path.display().to_string(), &bytes);
            Some(Arc::new(read.map_err(|diagnostic| format!("GraphQL schema: {diagnostic}"))?))
        }
        None => None,
    };
    let defaults = GraphqlPolicy::default();
    Ok(GraphqlPolicy {
        paths: if config.paths.is_empty() { vec!["/graphql".to_owned()] } else { config.paths.clone() },
        limits: GraphqlLimits {
            query_bytes: config.query.map_or(usual.query_bytes, narrow),
            depth: config.depth.unwrap_or(usual.depth),
            cost: config.cost.unwrap_or(usual.cost),
            aliases: config.aliases.unwrap_or(usual.aliases),
            fields: config.fields.unwrap_or(usual.fields),
            directives: config.directives.unwrap_or(usual.directives),
            batch: config.batch.unwrap_or(usual.batch),
            introspection: config.introspection,
        },
        costs: config
            .costs
            .iter()
            .map(|(field, cost)| FieldCost { field: field.clone(), cost: *cost })
            .collect(),
        multipliers: if config.multipliers.is_empty() {
            defaults.multipliers
        } else {
            config.multipliers.clone()
        },
        schema,
    })
}

#[cfg(test)]
mod tests;
