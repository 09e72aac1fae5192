//! Turns the bundle's lists by rule into lists by operation.

use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::BundleService;
use probity_model::bundle::authorization::{
    AuthorizationPolicy, LearnedBinding, MAX_RULES, ObjectBinding, ObjectPlace, Owner,
};

use probity_policy::authorize::Pointers;

use super::super::{BuildError, State};
use super::attribute::Rules;
use super::object::{Bound, Learned};
use super::property::Shaped;
use super::{Demands, Guard, HOLD_BYTES};

pub(super) fn guard(
    service: &BundleService,
    policy: &AuthorizationPolicy,
    state: &Arc<State>,
) -> Result<Guard, BuildError> {
    let mut all = Operations(std::iter::repeat_with(|| None).take(service.operations.len()).collect());
    let rules = policy.access.len().max(policy.objects.len()).max(policy.learned.len());
    let rules = rules.max(policy.properties.len());
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
    for (number, learned) in policy.learned.iter().enumerate().filter(|(_, learned)| is_on(learned.mode)) {
        all.learned(service, learned, number)?;
        state.authorization.given.age_ms();
    }
    for rule in policy.properties.iter().filter(|rule| is_on(rule.mode)) {
        let shaped = Shaped::new(rule);
        all.each(&rule.operations, |demands| demands.properties.push(Arc::clone(&shaped)))?;
    }
    let attributes = policy.attributes.as_ref().filter(|attributes| is_on(attributes.mode));
    let attributes = attributes.map(Rules::build).transpose()?;
    let unlisted = policy.unlisted.as_ref().map_or(EnforcementMode::Off, |unlisted| unlisted.mode);
    let modes = policy.access.iter().map(|rule| rule.mode);
    let modes = modes.chain(policy.objects.iter().map(|binding| binding.mode)).chain([policy.mode, unlisted]);
    let modes = modes.chain(policy.unknown.iter().map(|unknown| unknown.mode));
    let modes = modes.chain(policy.learned.iter().map(|learned| learned.mode));
    let modes = modes.chain(policy.properties.iter().map(|rule| rule.mode));
    let modes = modes.chain(policy.attributes.iter().map(|attributes| attributes.mode));
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
        attributes,
        state: Arc::clone(state),
        operations: all.0,
    })
}

struct Operations(Vec<Option<Box<Demands>>>);

impl Operations {
    fn at(&mut self, operation: u32) -> Result<&mut Demands, BuildError> {
        let slot = self.0.get_mut(operation as usize).ok_or_else(|| beyond(operation))?;
        Ok(slot.get_or_insert_default())
    }

    /// An object that is learned is bound like any other, with what was given in the place of an owner.
    fn learned(
        &mut self,
        service: &BundleService,
        learned: &LearnedBinding,
        number: usize,
    ) -> Result<(), BuildError> {
        let family: Arc<str> = format!("{}/{number}/{}", service.id, learned.name).into();
        let binding = Arc::new(ObjectBinding {
            name: Arc::clone(&learned.name),
            mode: learned.mode,
            operations: learned.operations.clone(),
            object: learned.object.clone(),
            owner: Owner::Subject,
            unless_roles: learned.unless_roles.clone(),
            unless_scopes: Vec::new(),
            status: learned.status,
            required: false,
        });
        for operation in &learned.operations {
            let known = service.operations.get(*operation as usize).ok_or_else(|| beyond(*operation))?;
            let mut bound = Bound::of(&binding, &known.template)?;
            bound.learned = Some(Learned { family: Arc::clone(&family), warm_up_ms: learned.warm_up_ms });
            let demands = self.at(*operation)?;
            match learned.object {
                ObjectPlace::Body(_) => demands.body.push(bound),
                ObjectPlace::Answer(_) => {
                    return Err("an object that is learned stands in the request".into());
                }
                ObjectPlace::Path(_) | ObjectPlace::Query(_) | ObjectPlace::Header(_) => {
                    demands.head.push(bound);
                }
            }
        }
        for from in &learned.learn {
            let ids = Arc::new(Pointers::new([&*from.ids]));
            self.each(&from.operations, |demands| {
                demands.learn.push((Arc::clone(&family), Arc::clone(&ids)));
            })?;
        }
        Ok(())
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
