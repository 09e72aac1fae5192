//! Turns the bundle's lists by rule into lists by operation.

use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::BundleService;
use probity_model::bundle::authorization::{AuthorizationPolicy, MAX_RULES, ObjectPlace};

use super::super::BuildError;
use super::object::Bound;
use super::{Demands, Guard, HOLD_BYTES};

pub(super) fn guard(service: &BundleService, policy: &AuthorizationPolicy) -> Result<Guard, BuildError> {
    let mut all = Operations(std::iter::repeat_with(|| None).take(service.operations.len()).collect());
    let rules = policy.access.len().max(policy.objects.len());
    if rules > MAX_RULES {
        return Err(format!("{rules} rules, expected at most {MAX_RULES}").into());
    }
    if let Some(unknown) = &policy.unknown {
        if !matches!(unknown.status, 403 | 404) {
            return Err(
                format!("status {} for unknown operations, expected 403 or 404", unknown.status).into()
            );
        }
        all.each(&unknown.superseded, |demands| demands.superseded = true)?;
    }
    for (number, rule) in policy.access.iter().enumerate().filter(|(_, rule)| is_on(rule.mode)) {
        all.each(&rule.operations, |demands| demands.access.push(number))?;
    }
    for unlisted in policy.unlisted.iter().filter(|unlisted| is_on(unlisted.mode)) {
        all.each(&unlisted.operations, |demands| demands.unlisted = true)?;
    }
    for binding in policy.objects.iter().filter(|binding| is_on(binding.mode)) {
        if !matches!(binding.status, 403 | 404) {
            return Err(format!(
                "binding `{}`: status {}, expected 403 or 404",
                binding.name, binding.status
            )
            .into());
        }
        let binding = Arc::new(binding.clone());
        for operation in &binding.operations {
            let known = service.operations.get(*operation as usize).ok_or_else(|| beyond(*operation))?;
            let bound = Bound::of(&binding, &known.template)?;
            let demands = all.at(*operation)?;
            match binding.object {
                ObjectPlace::Body(_) => demands.body.push(bound),
                ObjectPlace::Answer(_) => demands.answer.push(bound),
                ObjectPlace::Path(_) | ObjectPlace::Query(_) | ObjectPlace::Header(_) => {
                    demands.head.push(bound)
                }
            }
        }
    }
    let unlisted = policy.unlisted.as_ref().map_or(EnforcementMode::Off, |unlisted| unlisted.mode);
    let modes = policy.access.iter().map(|rule| rule.mode);
    let modes = modes.chain(policy.objects.iter().map(|binding| binding.mode)).chain([policy.mode, unlisted]);
    let modes = modes.chain(policy.unknown.iter().map(|unknown| unknown.mode));
    Ok(Guard {
        mode: strictest(modes),
        realm: service
            .id
            .as_str()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c))
            .collect(),
        unknown: policy.unknown.clone().filter(|unknown| is_on(unknown.mode)),
        unlisted,
        hold_bytes: policy.hold_bytes.unwrap_or(HOLD_BYTES),
        access: policy.access.clone(),
        operations: all.0,
    })
}

struct Operations(Vec<Option<Box<Demands>>>);

impl Operations {
    fn at(&mut self, operation: u32) -> Result<&mut Demands, BuildError> {
        let slot = self.0.get_mut(operation as usize).ok_or_else(|| beyond(operation))?;
        Ok(slot.get_or_insert_default())
    }

    fn each(&mut self, operations: &[u32], mut change: impl FnMut(&mut Demands)) -> Result<(), BuildError> {
        operations.iter().try_for_each(|operation| self.at(*operation).map(&mut change))
    }
}

fn beyond(operation: u32) -> BuildError {
    format!("operation {operation} is beyond the service's list").into()
}

fn is_on(mode: EnforcementMode) -> bool {
    mode != EnforcementMode::Off
}

fn strictest(modes: impl Iterator<Item = EnforcementMode>) -> EnforcementMode {
    modes
        .max_by_key(|mode| match mode {
            EnforcementMode::Off => 0,
            EnforcementMode::Observe => 1,
            EnforcementMode::Block => 2,
        })
        .unwrap_or_default()
}
