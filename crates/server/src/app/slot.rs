//! Closing a slot: verdicts of every scope and framework, their Merkle map, one leaf in the verdicts log.

use std::collections::{BTreeMap, BTreeSet};

use probity_compliance::{Assessment, verdicts};
use probity_ledger::{LeafKind, LogId, MerkleMap};
use probity_model::verdict::Slot;
use probity_model::{CheckId, Digest, Source, SourceKind, SubjectFacts, Timestamp, Verdict, VerdictStatus};
use probity_store::SlotRow;

use super::{App, leaf};

/// Slots looked back at for continuity.
const CONTINUITY_HOURS: i64 = 24 * 30;

impl App {
    /// Verdicts as they stand, provisional while the slot is open.
    pub(super) fn verdicts(&self, slot: Slot) -> Vec<Verdict> {
        let known: BTreeSet<CheckId> = self.catalog.checks().iter().map(|check| check.id.clone()).collect();
        let mut out = Vec::new();
        for scope in &self.scopes {
            let assessment = Assessment {
                scope: &scope.name,
                slot,
                catalogue: self.catalogue,
                known: &known,
                remainder: &self.remainder,
            };
            for framework in self.catalog.frameworks() {
                if scope.frameworks.contains(&framework.id) {
                    out.extend(verdicts(framework, &scope.standing, assessment));
                }
            }
        }
        out
    }

    pub(super) fn open_slot(&self, at: Timestamp) -> Slot {
        Slot { from: self.slot_from, to: at.max(self.slot_from), short: true }
    }

    /// Logs the verdicts of the slot that ends at `end` and begins the next one.
    pub(super) fn close_slot(&mut self, end: Timestamp, stopping: bool) -> anyhow::Result<()> {
        let short = stopping || self.slot_from != self.slot_from.hour();
        let slot = Slot { from: self.slot_from, to: end, short };
        let verdicts = self.verdicts(slot);
        let mut entries: BTreeMap<Vec<u8>, [u8; 32]> = BTreeMap::new();
        for verdict in &verdicts {
            let key = verdict_key(verdict);
            let bytes = probity_model::evidence::canonical(verdict)?;
            entries.insert(key, probity_ledger::sha256(&bytes));
        }
        let map = MerkleMap::from_sorted(entries)?;
        let root = Digest(map.root());
        let subject = format!("{}/{} {}", slot.from, slot.to, self.catalogue);
        let range = self.ledger.append(LogId::Verdicts, &[leaf(LeafKind::Verdicts, &subject, root, end)])?;
        self.keep_checkpoint(LogId::Verdicts)?;
        let row = SlotRow { slot, catalogue: self.catalogue, root, ledger_index: Some(range.start) };
        self.handle.block_on(self.store.put_slot(&row, &verdicts))?;
        for scope in &mut self.scopes {
            scope.standing.begin_slot();
        }
        self.slot_from = end;
        self.look_at_ledger(end);
        Ok(())
    }

    /// The continuity of the verdicts themselves is a fact of the organisation.
    pub(super) fn state_slots(&self, facts: &mut SubjectFacts, at: Timestamp) {
        let hour = probity_model::time::MICROS_PER_HOUR;
        let from = at.hour().plus_micros(-CONTINUITY_HOURS * hour);
        let Ok(slots) = self.handle.block_on(self.store.slots(from, at)) else { return };
        let Some(first) = slots.iter().map(|row| row.slot.from.hour()).min() else { return };
        let present: BTreeSet<Timestamp> = slots.iter().map(|row| row.slot.from.hour()).collect();
        let closed_hours = at.hour().since(first) / hour;
        let gaps: Vec<String> = (0..closed_hours)
            .map(|index| first.plus_micros(index * hour))
            .filter(|moment| !present.contains(moment))
            .map(|moment| moment.to_string())
            .collect();
        let expected = closed_hours.max(1);
        let source = Source { kind: SourceKind::Gateway, locator: "ledger verdicts".to_owned() };
        let value = serde_json::json!({
            "expected": expected,
            "present": expected - i64::try_from(gaps.len()).unwrap_or(expected),
            "gaps": gaps,
        });
        facts.state("evidence.slots", value, &source, at.hour());
    }

    /// Controls that are not met now, and were not so before.
    pub(super) fn newly_not_met(&mut self, at: Timestamp) -> Vec<Verdict> {
        let verdicts = self.verdicts(self.open_slot(at));
        let mut now = BTreeSet::new();
        let mut fresh = Vec::new();
        for verdict in verdicts {
            if verdict.status != VerdictStatus::NotMet {
                continue;
            }
            let key = (verdict.framework.to_string(), verdict.control.to_string(), verdict.scope.clone());
            if !self.not_met.contains(&key) {
                fresh.push(verdict);
            }
            now.insert(key);
        }
        self.not_met = now;
        fresh
    }
}

/// The key of a verdict in the map of its slot.
pub fn verdict_key(verdict: &Verdict) -> Vec<u8> {
    format!("{}\0{}\0{}", verdict.framework, verdict.control, verdict.scope).into_bytes()
}
