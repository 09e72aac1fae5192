//! `probity policy simulate`: decides from records what a draft would change.
//!
//! A record holds names, types, classes and sizes, never values. So some rules can be decided from it (an operation that
//! is unknown, a credential that is missing, an address, a class of data in an answer), and others cannot (a value in a
//! body). Nothing is guessed: what cannot be decided is counted and named, and can be tried live by staging the draft.

mod authorization;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use probity_events::Record;
use probity_model::{Bundle, EnforcementMode, Exchange, Timestamp};
use serde::{Deserialize, Serialize};

use self::record::Judge;
use super::App;
use super::policy::RuleCount;
use crate::clock::now;
use crate::sources::{self, Loaded};

/// Consumers that one rule tells apart.
const MAX_CALLERS: usize = 10_000;
/// Operations listed for one rule.
const MAX_OPERATIONS: usize = 20;

/// What a draft would change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Simulation {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Revision that the draft is held against.
    pub revision: u64,
    /// Records in the window.
    pub calls: u64,
    /// Calls that would be refused and were not, or the other way round.
    pub changed: u64,
    pub consumers: usize,
    pub newly_refused: u64,
    pub newly_passed: u64,
    /// By rule of the draft that would refuse, or that refused and no longer would.
    pub rules: Vec<SimulatedRule>,
    /// Calls of which at least one rule could not be decided, and which rules.
    pub undecided_calls: u64,
    pub undecided: Vec<RuleCount>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimulatedRule {
    pub rule: String,
    /// `refuse` for what the draft adds, `pass` for what it no longer refuses.
    pub effect: String,
    pub calls: u64,
    pub consumers: usize,
    pub operations: Vec<String>,
}

/// Who called, as far as a record tells callers apart: identity, else credential, else address.
pub(super) fn caller(call: &Exchange) -> Vec<u8> {
    let authentication = &call.authentication;
    match (authentication.identity, authentication.credential, call.client) {
        (Some(identity), ..) => [&b"i"[..], &identity].concat(),
        (None, Some(credential), _) => [&b"c"[..], &credential].concat(),
        (None, None, Some(address)) => format!("a{address}").into_bytes(),
        (None, None, None) => Vec::new(),
    }
}

/// What rules say of one record.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Rules that refuse.
    pub refuse: BTreeSet<String>,
    /// Rules that would need what the record does not hold.
    pub undecided: BTreeSet<String>,
}

impl Said {
    pub fn refuse(&mut self, mode: EnforcementMode, rule: &str) {
        if mode == EnforcementMode::Block {
            self.refuse.insert(rule.to_owned());
        }
    }

    pub fn undecided(&mut self, mode: EnforcementMode, rule: &str) {
        if mode == EnforcementMode::Block {
            self.undecided.insert(rule.to_owned());
        }
    }
}

#[derive(Default)]
struct Tally {
    calls: u64,
    callers: BTreeSet<Vec<u8>>,
    operations: BTreeSet<String>,
}

impl Tally {
    fn add(&mut self, call: &Exchange) {
        self.calls += 1;
        if self.callers.len() < MAX_CALLERS {
            self.callers.insert(caller(call));
        }
        if self.operations.len() < MAX_OPERATIONS {
            self.operations.insert(format!("{} {} {}", call.service, call.method, call.path.display()));
        }
    }
}

impl App {
    pub(super) fn policy_simulate(&self, file: &Path, since: Timestamp) -> anyhow::Result<Simulation> {
        let draft = Loaded::read(file).map_err(|faults| anyhow::anyhow!("{}", super::lines(&faults)))?;
        let until = now();
        let (draft_sources, _) = sources::load(&draft, until);
        let draft = crate::bundle::compile(&draft, &draft_sources, 0, until, self.catalogue)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let current = self.policy_bundle()?;
        let records = self.events.reader(1).filter_map(|record| match record {
            Ok(Record::Exchange(call)) if call.started_at >= since => Some(call),
            _ => None,
        });
        Ok(simulate(&current, &draft, since, until, records))
    }
}

fn simulate(
    current: &Bundle,
    draft: &Bundle,
    since: Timestamp,
    until: Timestamp,
    records: impl Iterator<Item = Exchange>,
) -> Simulation {
    let (mut calls, mut newly_refused, mut newly_passed, mut undecided_calls) = (0, 0, 0, 0);
    let mut callers = BTreeSet::new();
    let mut rules: BTreeMap<(&str, String), Tally> = BTreeMap::new();
    let mut undecided: BTreeMap<String, Tally> = BTreeMap::new();
    let mut judges = (Judge::new(current), Judge::new(draft));
    for call in records {
        calls += 1;
        let (before, after) = (judges.0.judge(&call), judges.1.judge(&call));
        // What a rule of both says of values that no record holds cannot change what becomes of the call.
        let open: Vec<String> = after.undecided.difference(&before.undecided).cloned().collect();
        let refused = !before.refuse.is_empty();
        let would = !after.refuse.is_empty();
        if refused != would {
            callers.insert(caller(&call));
            newly_refused += u64::from(would);
            newly_passed += u64::from(refused);
            let (effect, names) = match would {
                true => ("refuse", after.refuse.difference(&before.refuse)),
                false => ("pass", before.refuse.difference(&after.refuse)),
            };
            for rule in names {
                rules.entry((effect, rule.clone())).or_default().add(&call);
            }
        }
        // A call that is refused in any case needs no further rule.
        if !open.is_empty() && !would {
            undecided_calls += 1;
            for rule in open {
                undecided.entry(rule).or_default().add(&call);
            }
        }
    }
    Simulation {
        since,
        until,
        revision: current.revision,
        calls,
        changed: newly_refused + newly_passed,
        consumers: callers.len(),
        newly_refused,
        newly_passed,
        rules: rules
            .into_iter()
            .map(|((effect, rule), tally)| SimulatedRule {
                rule,
                effect: effect.to_owned(),
                calls: tally.calls,
                consumers: tally.callers.len(),
                operations: tally.operations.into_iter().collect(),
            })
            .collect(),
        undecided_calls,
        undecided: undecided
            .into_iter()
            .map(|(rule, tally)| RuleCount { rule, calls: tally.calls, consumers: tally.callers.len() })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
