//! What a gateway decided on calls, as sets without counts; and what was seen of an operation since the rules that refuse
//! came into force. Facts of it are [`crate::facts`]'.

use std::collections::BTreeSet;
use std::net::IpAddr;

use probity_model::decision::{Action, EnforcementMode};
use probity_model::time::MICROS_PER_DAY;
use probity_model::{CheckId, Decision, Exchange, RuleId};
use serde::{Deserialize, Serialize};

use crate::observed::Fold;

/// Different decisions kept of one operation or service.
pub const MAX_DECISIONS: usize = 128;
/// Rules of a draft, which decides nothing.
const DRAFT: &str = "draft:";

/// One kind of decision, whatever call it was on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DecisionSeen {
    pub check: CheckId,
    pub rule: RuleId,
    pub mode: EnforcementMode,
    pub action: Action,
}

/// Adds the decisions of a call; those of a draft are of no consequence.
pub(crate) fn add(seen: &mut BTreeSet<DecisionSeen>, decisions: &[Decision]) {
    for decision in decisions.iter().filter(|decision| !decision.rule.as_str().starts_with(DRAFT)) {
        let decision = DecisionSeen {
            check: decision.check.clone(),
            rule: decision.rule.clone(),
            mode: decision.mode,
            action: decision.action,
        };
        if seen.len() < MAX_DECISIONS {
            seen.insert(decision);
        }
    }
}

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Loopback,
    /// RFC 1918, RFC 4193, link-local.
    Private,
    Public,
}

impl Origin {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Loopback,
            IpAddr::V4(address) if address.is_private() || address.is_link_local() => Self::Private,
            IpAddr::V6(address) if address.is_unique_local() || address.is_unicast_link_local() => {
                Self::Private
            }
            _ => Self::Public,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// What was seen of an operation since the rules that refuse calls or change answers came into force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinceEnforced {
    /// The first revision that had them.
    pub revision: u64,
    /// The rules in block mode, as the bundle's reader names them. Other rules begin another time.
    pub rules: String,
    /// Calls that reached the upstream.
    pub fold: Option<Fold>,
    /// Decisions on calls that did not.
    pub refused: BTreeSet<DecisionSeen>,
}

impl SinceEnforced {
    pub fn new(revision: u64, rules: String) -> Self {
        Self { revision, rules, fold: None, refused: BTreeSet::new() }
    }

    pub(crate) fn add(&mut self, call: &Exchange) {
        if call.revision >= self.revision {
            self.fold.get_or_insert_with(|| Fold::new(call)).add(call);
        }
    }

    pub(crate) fn refuse(&mut self, call: &Exchange) {
        if call.revision >= self.revision {
            add(&mut self.refused, &call.decisions);
        }
    }
}

/// Decisions of the last two days on which there were any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentDecisions {
    day: i64,
    today: BTreeSet<DecisionSeen>,
    before: BTreeSet<DecisionSeen>,
}

impl RecentDecisions {
    pub(crate) fn add(&mut self, call: &Exchange) {
        if call.decisions.is_empty() {
            return;
        }
        let day = call.started_at.as_micros().div_euclid(MICROS_PER_DAY);
        if day > self.day {
            self.day = day;
            self.before = std::mem::take(&mut self.today);
        }
        add(&mut self.today, &call.decisions);
    }

    pub fn all(&self) -> BTreeSet<&DecisionSeen> {
        self.today.iter().chain(&self.before).collect()
    }
}
