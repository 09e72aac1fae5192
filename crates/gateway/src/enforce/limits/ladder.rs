//! What repeated failures lead to: counted by whoever failed, step by step from a mark to a block.
//!
//! A step that blocks or revokes acts when the failure happens that reaches it, and starts its count anew; the others
//! act on calls that come while their count stands.

use probity_model::EnforcementMode;
use probity_model::bundle::limits::{
    Escalation, EscalationAction, EscalationKey, EscalationStep, Watch, weaker,
};
use probity_policy::limit::{NANOS_PER_MS, SlidingWindow, Slot, Table, distinct};

use super::caller;
use crate::ingress::Call;
use crate::siphash::SipKey;

/// Marks the key of a block apart from that of the count behind it.
const BLOCK: u64 = 0x9e37_79b9_7f4a_7c15;
/// Failures of one kind that are counted exactly.
const EXACT_MOST: u32 = probity_policy::limit::window::EXACT_MOST;

#[derive(Debug)]
pub(super) struct Ladder {
    pub name: Box<str>,
    pub rule: String,
    pub check: &'static str,
    pub mode: EnforcementMode,
    pub by: EscalationKey,
    watch: Watch,
    steps: Box<[EscalationStep]>,
    window: SlidingWindow,
    seed: u64,
}

/// What stands against a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Free,
    Mark,
    Slow {
        ms: u32,
    },
    Challenge,
    /// For so many nanoseconds more.
    Blocked {
        ns: u64,
    },
}

/// What a failure brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    None,
    Blocked,
    /// The credential counts no longer anywhere until then; blocked besides.
    Revoked {
        until: u64,
    },
}

impl Ladder {
    pub fn build(escalation: &Escalation, whole: EnforcementMode, seed: u64) -> Self {
        let sign_in = !matches!(escalation.watch, Watch::Statuses(_));
        let last = escalation.steps.iter().map(|step| step.after).max().unwrap_or(1);
        // One more than the last step is all that has to be told apart.
        let most = if last < EXACT_MOST { EXACT_MOST } else { u32::MAX };
        Self {
            name: (*escalation.name).into(),
            rule: format!("gateway-escalation-{}", escalation.name),
            check: if sign_in { "authn-bruteforce" } else { "rate-limit" },
            mode: weaker(whole, escalation.mode),
            by: escalation.by,
            watch: escalation.watch.clone(),
            steps: escalation.steps.clone().into(),
            window: SlidingWindow::new(most, escalation.window_ms.saturating_mul(NANOS_PER_MS)),
            seed,
        }
    }

    /// Whether the ladder needs the account's name.
    pub fn wants_name(&self) -> bool {
        self.by == EscalationKey::Name || self.watch == Watch::Names
    }

    pub fn is_of_sign_in(&self) -> bool {
        !matches!(self.watch, Watch::Statuses(_))
    }

    /// Whose failures a call's would be added to.
    pub fn key(&self, hash: SipKey, call: &Call, name: Option<u64>) -> Option<u64> {
        let principal = call.principal.as_deref();
        match self.by {
            EscalationKey::Address => Some(caller::by_address(hash, self.seed, call)),
            EscalationKey::Credential => Some(caller::by_credential(hash, self.seed, principal?)),
            EscalationKey::Consumer => Some(caller::by_consumer(hash, self.seed, principal?)),
            EscalationKey::Name => Some(caller::by_name(hash, self.seed, name?)),
        }
    }

    pub fn standing(&self, table: &Table, key: u64, now: u64) -> Standing {
        if let Some(block) = table.peek(key ^ BLOCK, now) {
            return Standing::Blocked { ns: block.expires - now };
        }
        let Some(slot) = table.peek(key, now) else { return Standing::Free };
        let count = self.counted(&slot, now);
        let step = self.steps.iter().rev().find(|step| {
            u64::from(step.after) <= count
                && !matches!(step.action, EscalationAction::Block { .. } | EscalationAction::Revoke { .. })
        });
        match step.map(|step| step.action) {
            Some(EscalationAction::Mark) => Standing::Mark,
            Some(EscalationAction::Slow { ms }) => Standing::Slow { ms },
            Some(EscalationAction::Challenge) => Standing::Challenge,
            _ => Standing::Free,
        }
    }

    fn counted(&self, slot: &Slot, now: u64) -> u64 {
        match self.watch {
            Watch::Names | Watch::Addresses => u64::from(distinct::seen(slot)),
            Watch::Statuses(_) | Watch::SignIn => self.window.counted(slot, now),
        }
    }

    /// Whether an answer is a failure here.
    pub fn is_failure(&self, status: u16, failed_sign_in: bool) -> bool {
        match &self.watch {
            Watch::Statuses(statuses) => statuses.contains(&status),
            Watch::SignIn | Watch::Names | Watch::Addresses => failed_sign_in,
        }
    }

    /// Adds a failure. `name` and `address` are hashes.
    pub fn add(&self, table: &Table, key: u64, now: u64, name: Option<u64>, address: u64) -> Consequence {
        let thing = match self.watch {
            Watch::Names => match name {
                Some(name) => Some(name),
                None => return Consequence::None,
            },
            Watch::Addresses => Some(address),
            Watch::Statuses(_) | Watch::SignIn => None,
        };
        let count = table.update(key, now, |slot| match thing {
            Some(thing) => u64::from(distinct::see(slot, now, self.window.window_ns(), thing)),
            None => self.window.count(slot, now),
        });
        let reached = self.steps.iter().rev().find(|step| u64::from(step.after) <= count);
        let (ms, revokes) = match reached.map(|step| step.action) {
            Some(EscalationAction::Block { ms }) => (ms, false),
            Some(EscalationAction::Revoke { ms }) => (ms, true),
            _ => return Consequence::None,
        };
        let until = now.saturating_add(ms.saturating_mul(NANOS_PER_MS));
        table.update(key ^ BLOCK, now, |slot| *slot = Slot { value: 1, expires: until });
        table.forget(key);
        if revokes { Consequence::Revoked { until } } else { Consequence::Blocked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = NANOS_PER_MS;

    fn ladder(watch: Watch, steps: &[(u32, EscalationAction)]) -> Ladder {
        let steps = steps.iter().map(|(after, action)| EscalationStep { after: *after, action: *action });
        let escalation = Escalation {
            name: "e".into(),
            mode: EnforcementMode::Block,
            watch,
            by: EscalationKey::Address,
            window_ms: 10_000,
            steps: steps.collect(),
        };
        Ladder::build(&escalation, EnforcementMode::Block, 1)
    }

    #[test]
    fn steps_are_climbed_one_by_one() {
        let ladder = ladder(
            Watch::SignIn,
            &[
                (2, EscalationAction::Mark),
                (3, EscalationAction::Slow { ms: 5 }),
                (4, EscalationAction::Challenge),
                (6, EscalationAction::Block { ms: 60_000 }),
            ],
        );
        let (table, start) = (Table::new(100), 1_000_000 * MS);
        let expected = [
            Standing::Free,
            Standing::Mark,
            Standing::Slow { ms: 5 },
            Standing::Challenge,
            Standing::Challenge,
            Standing::Blocked { ns: 60_000 * MS },
        ];
        assert_eq!(ladder.standing(&table, 9, start), Standing::Free);
        for standing in expected {
            ladder.add(&table, 9, start, None, 0);
            assert_eq!(ladder.standing(&table, 9, start), standing);
        }
        assert_eq!(ladder.standing(&table, 8, start), Standing::Free);
        // After the block the count begins anew.
        let later = start + 60_000 * MS;
        assert_eq!(ladder.standing(&table, 9, later), Standing::Free);
        ladder.add(&table, 9, later, None, 0);
        assert_eq!(ladder.standing(&table, 9, later), Standing::Free);
    }

    #[test]
    fn failures_are_forgotten_after_the_window() {
        let ladder = ladder(Watch::SignIn, &[(3, EscalationAction::Block { ms: 1_000 })]);
        let table = Table::new(100);
        for round in 0..20 {
            let at = 1_000_000 * MS + round * 6_000 * MS;
            assert_eq!(ladder.add(&table, 9, at, None, 0), Consequence::None, "{round}");
        }
    }

    #[test]
    fn different_accounts_count_and_the_same_one_does_not() {
        let ladder = ladder(Watch::Names, &[(5, EscalationAction::Block { ms: 1_000 })]);
        let (table, now) = (Table::new(100), 1_000_000 * MS);
        for _ in 0..50 {
            assert_eq!(ladder.add(&table, 9, now, Some(7), 0), Consequence::None);
        }
        assert_eq!(ladder.add(&table, 9, now, None, 0), Consequence::None);
        let added: Vec<_> = (8..12).map(|name| ladder.add(&table, 9, now, Some(name), 0)).collect();
        assert_eq!(added.last(), Some(&Consequence::Blocked));
    }
}
