//! The inventory's memory: exchanges folded into operations, service by service. Serialisable, so that a restart
//! goes on from the last snapshot and the records after it.

use std::collections::BTreeMap;

use probity_model::exchange::{End, PathRef};
use probity_model::inventory::{OperationSettings, OperationState, SeenInterval};
use probity_model::time::MICROS_PER_DAY;
use probity_model::{Exchange, OperationId, ServiceId, Template, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decided::{RecentDecisions, SinceEnforced};
use crate::observed::Fold;
use crate::template::Learner;

/// Operations kept for one service; calls of further ones are counted as [`ServiceFold::overflow`].
pub const MAX_OPERATIONS: usize = 20_000;
/// The service in records of calls that are for none.
pub const UNROUTED: &str = "-";
/// Versions of the snapshot.
pub const SNAPSHOT_VERSION: u32 = 1;

/// One operation: everything ever counted, and the last two days on which it was called. Checks judge the recent days,
/// so that a fault that was mended stops failing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationFold {
    pub lifetime: Fold,
    today: Fold,
    before: Option<Fold>,
    day: i64,
}

impl OperationFold {
    fn new(first: &Exchange) -> Self {
        Self { lifetime: Fold::new(first), today: Fold::new(first), before: None, day: day(first.started_at) }
    }

    fn add(&mut self, call: &Exchange) {
        let day = day(call.started_at);
        if day > self.day {
            self.day = day;
            self.before = Some(std::mem::replace(&mut self.today, Fold::new(call)));
        }
        self.lifetime.add(call);
        self.today.add(call);
    }

    fn merge(&mut self, other: Self) {
        self.lifetime.merge(other.lifetime);
        self.today.merge(other.today);
        self.day = self.day.max(other.day);
        match (&mut self.before, other.before) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
    }

    /// The last two days with calls.
    pub fn recent(&self) -> Fold {
        let mut recent = self.today.clone();
        if let Some(before) = &self.before {
            recent.merge(before.clone());
        }
        recent
    }

    /// Only ever answered 404, 405 or 410 on those days: not an operation that exists.
    pub fn never_answered(&self) -> bool {
        self.today.never_answered() && self.before.as_ref().is_none_or(Fold::never_answered)
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(MICROS_PER_DAY)
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServiceFold {
    pub learner: Learner,
    /// By `METHOD template`.
    pub operations: BTreeMap<String, OperationFold>,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    pub calls: u64,
    /// Calls to paths that are no operation (only ever answered 404).
    pub unmatched: u64,
    /// Calls beyond [`MAX_OPERATIONS`].
    pub overflow: u64,
    /// By `METHOD template`: what was seen since its rules in block mode came into force.
    #[serde(default)]
    pub enforced: BTreeMap<String, SinceEnforced>,
    /// On calls that are of no known operation.
    #[serde(default)]
    pub unknown_decisions: RecentDecisions,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inventory {
    pub version: u32,
    pub services: BTreeMap<ServiceId, ServiceFold>,
    /// The last exchange folded, by gateway.
    pub folded: BTreeMap<String, u64>,
    /// States with first and last seen, kept while an operation is known.
    pub states: BTreeMap<OperationId, BTreeMap<OperationState, SeenInterval>>,
    pub settings: BTreeMap<OperationId, OperationSettings>,
    pub reviewed_at: Option<Timestamp>,
    /// Calls that were for no service, were refused, or found no upstream.
    #[serde(default)]
    pub unrouted: u64,
}

/// Where one exchange was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    Operation(OperationId),
    /// No operation: a path only ever answered 404.
    Unmatched,
    /// Already folded before (replay).
    Known,
}

impl Inventory {
    pub fn new() -> Self {
        Self { version: SNAPSHOT_VERSION, ..Self::default() }
    }

    /// Makes the documented templates of `service` fixed for its learner.
    pub fn fix(&mut self, service: &ServiceId, routes: impl IntoIterator<Item = (String, Template)>) {
        self.services.entry(service.clone()).or_default().learner.fix(routes);
    }

    /// Folds one synced exchange; one that was folded before changes nothing.
    pub fn fold(&mut self, call: &Exchange) -> Resolved {
        let folded = self.folded.entry(call.gateway.to_string()).or_default();
        if call.sequence <= *folded {
            return Resolved::Known;
        }
        *folded = call.sequence;
        // What never reached an upstream says nothing of an operation.
        let unreached = matches!(call.end, End::Refused | End::UpstreamUnreachable);
        if call.service.as_str() == UNROUTED || unreached {
            self.unrouted += 1;
            if call.end == End::Refused
                && let Some(service) = self.services.get_mut(&call.service)
            {
                service.refuse(call);
            }
            return Resolved::Unmatched;
        }
        let service = self.services.entry(call.service.clone()).or_default();
        service.fold(call)
    }

    /// Lets every learner decide what it has put off, so that what is shown next is current.
    pub fn settle(&mut self) {
        for service in self.services.values_mut() {
            service.learner.settle();
            service.apply_renames();
        }
    }

    /// Takes in which rules refuse calls of which operations (`METHOD template`) of a service from `revision` on. What
    /// was seen under other rules of an operation is forgotten; where none refuses any more, so is all of it.
    pub fn enforce(
        &mut self,
        service: &ServiceId,
        revision: u64,
        rules: impl IntoIterator<Item = (String, String)>,
    ) {
        let service = self.services.entry(service.clone()).or_default();
        let mut known = std::mem::take(&mut service.enforced);
        for (operation, rules) in rules.into_iter().filter(|(_, rules)| !rules.is_empty()) {
            let since = match known.remove(&operation) {
                Some(since) if since.rules == rules => since,
                _ => SinceEnforced::new(revision, rules),
            };
            service.enforced.insert(operation, since);
        }
    }

    /// Snapshot bytes; [`Inventory::restore`] reads them.
    pub fn snapshot(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    pub fn restore(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl ServiceFold {
    fn fold(&mut self, call: &Exchange) -> Resolved {
        self.calls += 1;
        self.first_seen = Some(self.first_seen.map_or(call.started_at, |first| first.min(call.started_at)));
        self.last_seen = Some(self.last_seen.map_or(call.started_at, |last| last.max(call.started_at)));
        let template = match &call.path {
            PathRef::Template(template) => Some(template.clone()),
            PathRef::Segments(segments) => {
                self.learner.observe(&call.method, segments, call.status, call.shape)
            }
        };
        self.apply_renames();
        let Some(template) = template else {
            self.unknown_decisions.add(call);
            self.unmatched += 1;
            return Resolved::Unmatched;
        };
        let key = format!("{} {template}", call.method);
        if let Some(since) = self.enforced.get_mut(&key) {
            since.add(call);
        } else if matches!(call.path, PathRef::Segments(_)) {
            self.unknown_decisions.add(call);
        }
        let full = self.operations.len() >= MAX_OPERATIONS;
        if full && !self.operations.contains_key(&key) {
            self.overflow += 1;
            return Resolved::Unmatched;
        }
        self.operations.entry(key).or_insert_with(|| OperationFold::new(call)).add(call);
        Resolved::Operation(OperationId::of(&call.service, &call.method, template.as_str()))
    }

    /// A call that the gateway answered itself says nothing of the upstream, only of the gateway.
    fn refuse(&mut self, call: &Exchange) {
        match &call.path {
            PathRef::Segments(_) => self.unknown_decisions.add(call),
            PathRef::Template(template) => {
                if let Some(since) = self.enforced.get_mut(&format!("{} {template}", call.method)) {
                    since.refuse(call);
                }
            }
        }
    }

    fn apply_renames(&mut self) {
        for rename in self.learner.renames() {
            let Some(fold) = self.operations.remove(&format!("{} {}", rename.method, rename.from)) else {
                continue;
            };
            match self.operations.entry(format!("{} {}", rename.method, rename.into)) {
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().merge(fold),
                std::collections::btree_map::Entry::Vacant(empty) => {
                    empty.insert(fold);
                }
            }
        }
    }
}
