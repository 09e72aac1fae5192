//! The inventory as a resource: list, show, set, review; and a leaf for every change.

use probity_ledger::LeafKind;
use probity_model::inventory::{Operation, OperationSettings, OperationState};
use probity_model::{Digest, OperationId, Timestamp};
use serde_json::json;

use super::{App, leaf};
use crate::clock::now;

/// What an inventory leaf says of an operation: what a person would call a change, not its counters.
pub(super) fn operation_digest(operation: &Operation) -> anyhow::Result<Digest> {
    let states: Vec<&str> = operation.states.keys().map(|state| state.as_str()).collect();
    let document = json!({
        "id": operation.id,
        "states": states,
        "owner": operation.owner.as_ref().map(|owner| &owner.value),
        "version": operation.version.as_ref().map(|version| &version.value),
        "audience": operation.audience.as_ref().map(|audience| &audience.value),
        "criticality": operation.criticality.as_ref().map(|criticality| &criticality.value),
        "tags": operation.tags,
        "risk": operation.risk.tier,
        "specification": operation.documented.as_ref().map(|documented| &documented.version),
    });
    Ok(Digest(probity_ledger::sha256(&probity_model::evidence::canonical(&document)?)))
}

/// By the whole id, or by method and template alone.
fn is_named(id: &OperationId, text: &str) -> bool {
    id.as_str() == text || id.as_str().split_once(' ').is_some_and(|(_, operation)| operation == text)
}

impl App {
    /// Appends a leaf for each operation that appeared, changed or went, and keeps the rows.
    pub(super) fn record_operations(&mut self, at: Timestamp) -> anyhow::Result<()> {
        let mut leaves = Vec::new();
        let mut changed = Vec::new();
        let mut alive = std::collections::BTreeMap::new();
        for operation in &self.reconciled.operations {
            let digest = operation_digest(operation)?;
            if self.recorded_operations.get(&operation.id) != Some(&digest) {
                leaves.push(leaf(LeafKind::Inventory, operation.id.as_str(), digest, at));
                changed.push(operation.clone());
            }
            alive.insert(operation.id.clone(), digest);
        }
        let removed: Vec<OperationId> =
            self.recorded_operations.keys().filter(|id| !alive.contains_key(*id)).cloned().collect();
        leaves.extend(removed.iter().map(|id| leaf(LeafKind::Inventory, id.as_str(), Digest::default(), at)));
        if leaves.is_empty() {
            return Ok(());
        }
        self.append(&leaves)?;
        self.handle.block_on(self.store.put_operations(&changed, &removed))?;
        self.recorded_operations = alive;
        Ok(())
    }

    pub(super) fn inventory_list(
        &self,
        state: Option<OperationState>,
        service: Option<&str>,
    ) -> Vec<Operation> {
        self.reconciled
            .operations
            .iter()
            .filter(|operation| state.is_none_or(|state| operation.is(state)))
            .filter(|operation| service.is_none_or(|service| operation.service.as_str() == service))
            .cloned()
            .collect()
    }

    /// The operation named by `text`: its id, or a part of it that only one has.
    pub(super) fn operation_named(&self, text: &str) -> anyhow::Result<Operation> {
        let all = &self.reconciled.operations;
        let exact: Vec<&Operation> = all.iter().filter(|operation| is_named(&operation.id, text)).collect();
        if let [one] = exact.as_slice() {
            return Ok((*one).clone());
        }
        let matching: Vec<&Operation> =
            all.iter().filter(|operation| operation.id.as_str().contains(text)).collect();
        match matching.as_slice() {
            [one] => Ok((*one).clone()),
            [] => anyhow::bail!("no operation matches `{text}`; `probity inventory list` names them"),
            several => {
                let names: Vec<&str> =
                    several.iter().take(8).map(|operation| operation.id.as_str()).collect();
                anyhow::bail!("`{text}` matches {} operations: {}", several.len(), names.join(", "))
            }
        }
    }

    pub(super) fn inventory_set(
        &mut self,
        text: &str,
        change: &OperationSettings,
    ) -> anyhow::Result<Operation> {
        let at = now();
        let operation = self.operation_named(text)?;
        let mut settings = self.inventory.settings.get(&operation.id).cloned().unwrap_or_default();
        for (kept, given) in [
            (&mut settings.owner, &change.owner),
            (&mut settings.audience, &change.audience),
            (&mut settings.criticality, &change.criticality),
        ] {
            if given.is_some() {
                kept.clone_from(given);
            }
        }
        settings.tags.extend(change.tags.iter().cloned());
        if let Some(audience) = &settings.audience
            && !["public", "partner", "internal", "sandbox"].contains(&audience.as_str())
        {
            anyhow::bail!(
                "audience `{audience}` is not known, expected public, partner, internal or sandbox"
            );
        }
        self.handle.block_on(self.store.put_operation_settings(&operation.id, &settings))?;
        self.act("inventory-set", json!({"operation": operation.id, "settings": settings}), at)?;
        self.inventory.settings.insert(operation.id.clone(), settings);
        self.judge(at)?;
        self.operation_named(operation.id.as_str())
    }

    /// What traffic shows of those operations of a service that no specification has, as an OpenAPI document.
    pub(super) fn inventory_export(&self, service: Option<&str>) -> anyhow::Result<serde_json::Value> {
        let mut named: Vec<&str> =
            self.reconciled.operations.iter().map(|operation| operation.service.as_str()).collect();
        named.dedup();
        named.sort_unstable();
        named.dedup();
        let name = match (service, named.as_slice()) {
            (Some(name), _) if named.contains(&name) => name,
            (Some(name), _) => anyhow::bail!("no service `{name}`, expected one of {}", named.join(", ")),
            (None, [only]) => only,
            (None, []) => anyhow::bail!("nothing was seen yet"),
            (None, several) => {
                anyhow::bail!(
                    "there are {} services, expected --service with one of {}",
                    several.len(),
                    several.join(", ")
                )
            }
        };
        let configured = self.loaded.as_ref().and_then(|loaded| {
            loaded.config.services.iter().find(|configured| configured.name.as_str() == name)
        });
        let cut =
            configured.filter(|configured| configured.strip_path).map_or("", |configured| &configured.path);
        probity_graph::openapi::learned(&name.into(), &self.reconciled.operations, cut.trim_end_matches('/'))
            .ok_or_else(|| anyhow::anyhow!("every operation that was seen of `{name}` is specified already"))
    }

    /// A person looked at the inventory and says so.
    pub(super) fn inventory_review(&mut self, note: &str) -> anyhow::Result<Timestamp> {
        let at = now();
        let document = json!({"operations": self.reconciled.operations.len(), "note": note});
        self.act("inventory-review", document, at)?;
        self.inventory.reviewed_at = Some(at);
        self.snapshot(at)?;
        self.judge(at)?;
        Ok(at)
    }
}
