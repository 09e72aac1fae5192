//! Privileges that consumers have, and those that they used: what least privilege is judged by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use probity_model::bundle::authorization::AccessRule;
use probity_model::{Principal, Timestamp};

use crate::watch::lock;

/// Consumers whose use is kept.
const MAX_CONSUMERS: usize = 4_096;
/// Roles and scopes kept of each.
const MAX_NAMES: usize = 256;

/// What one consumer was granted and what of it a rule asked for, since the gateway started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    pub consumer: Arc<str>,
    pub granted_roles: BTreeSet<Arc<str>>,
    pub granted_scopes: BTreeSet<Arc<str>>,
    pub used_roles: BTreeSet<Arc<str>>,
    pub used_scopes: BTreeSet<Arc<str>>,
    pub since: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Used(Mutex<BTreeMap<Arc<str>, Privileges>>);

impl Used {
    /// Takes a rule that the caller met: the first role and the first alternative of scopes that did it.
    pub fn note(&self, rule: &AccessRule, principal: &Principal, at: Timestamp) {
        let Some(consumer) = &principal.consumer else { return };
        let mut all = lock(&self.0);
        if !all.contains_key(consumer) {
            if all.len() >= MAX_CONSUMERS {
                return;
            }
            let fresh = Privileges { consumer: Arc::clone(consumer), since: at, ..Privileges::default() };
            all.insert(Arc::clone(consumer), fresh);
        }
        let Some(entry) = all.get_mut(consumer) else { return };
        add(&mut entry.granted_roles, &principal.roles);
        add(&mut entry.granted_scopes, &principal.scopes);
        let role = principal.roles.iter().find(|role| rule.roles.contains(role));
        add(&mut entry.used_roles, role);
        let has_all = |scopes: &&Vec<Arc<str>>| scopes.iter().all(|scope| principal.scopes.contains(scope));
        add(&mut entry.used_scopes, rule.scopes.iter().find(has_all).into_iter().flatten());
    }

    pub fn all(&self) -> Vec<Privileges> {
        lock(&self.0).values().cloned().collect()
    }
}

fn add<'a>(names: &mut BTreeSet<Arc<str>>, more: impl IntoIterator<Item = &'a Arc<str>>) {
    for name in more {
        if !names.contains(name) && names.len() < MAX_NAMES {
            names.insert(Arc::clone(name));
        }
    }
}
