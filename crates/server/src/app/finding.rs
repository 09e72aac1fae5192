//! Findings as a resource: list, show, mute; and the alerts that they raise.

use probity_model::finding::FindingState;
use probity_model::{CheckId, Finding, FindingId, Severity, Timestamp};
use probity_store::Delivery;
use serde_json::json;

use super::App;
use crate::clock::now;

/// A mute must end within a year.
const MAX_MUTE_US: i64 = 366 * probity_model::time::MICROS_PER_DAY;

impl App {
    pub(super) fn finding_list(
        &self,
        state: Option<&str>,
        at_least: Option<Severity>,
        check: Option<&CheckId>,
    ) -> Vec<Finding> {
        let mut list: Vec<Finding> = self
            .findings
            .values()
            .filter(|finding| state.is_none_or(|state| state == "all" || finding.state.as_str() == state))
            .filter(|finding| at_least.is_none_or(|severity| finding.severity >= severity))
            .filter(|finding| check.is_none_or(|check| finding.check == *check))
            .cloned()
            .collect();
        list.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)).then_with(|| a.id.cmp(&b.id))
        });
        list
    }

    /// The finding named by an id or an unambiguous beginning of one.
    pub(super) fn finding_named(&self, text: &str) -> anyhow::Result<Finding> {
        let matching: Vec<&Finding> =
            self.findings.values().filter(|finding| finding.id.as_str().starts_with(text)).collect();
        match matching.as_slice() {
            [one] => Ok((*one).clone()),
            [] => anyhow::bail!("no finding `{text}`; `probity finding list` names them"),
            several => {
                anyhow::bail!("`{text}` is the beginning of {} findings, give more of the id", several.len())
            }
        }
    }

    pub(super) fn finding_mute(
        &mut self,
        text: &str,
        reason: &str,
        until: Timestamp,
    ) -> anyhow::Result<Finding> {
        let at = now();
        if reason.trim().is_empty() {
            anyhow::bail!("a mute needs a reason");
        }
        if until <= at || until.since(at) > MAX_MUTE_US {
            anyhow::bail!("a mute must end in the future and within 366 days, `{until}` does not");
        }
        let id = self.finding_named(text)?.id;
        let by = self.actor().to_owned();
        self.act("finding-mute", json!({"finding": id, "reason": reason, "until": until}), at)?;
        let Some(finding) = self.findings.get_mut(&id) else { anyhow::bail!("finding `{id}` is gone") };
        finding.state = FindingState::Muted { reason: reason.to_owned(), until, by };
        let finding = finding.clone();
        self.handle.block_on(self.store.put_findings(std::slice::from_ref(&finding)))?;
        Ok(finding)
    }

    /// Queues one delivery for each webhook and event: a finding that opened, a control that turned not met.
    pub(super) fn alert(&mut self, opened: &[FindingId], at: Timestamp) -> anyhow::Result<()> {
        let newly_not_met = self.newly_not_met(at);
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let mut deliveries = Vec::new();
        for webhook in &loaded.config.alerts.webhooks {
            for id in opened {
                let Some(finding) = self.findings.get(id) else { continue };
                if finding.severity >= webhook.severity {
                    let body = json!({"type": "finding.opened", "timestamp": at, "data": finding});
                    deliveries.push(delivery(&webhook.url, "finding.opened", &body, at));
                }
            }
            for verdict in &newly_not_met {
                let body = json!({"type": "control.not_met", "timestamp": at, "data": {
                    "framework": verdict.framework,
                    "control": verdict.control,
                    "scope": verdict.scope,
                    "status": verdict.status,
                    "outcomes": verdict.outcomes,
                }});
                deliveries.push(delivery(&webhook.url, "control.not_met", &body, at));
            }
        }
        for delivery in &deliveries {
            self.handle.block_on(self.store.enqueue_delivery(delivery))?;
        }
        if !deliveries.is_empty() {
            self.webhooks_wake.notify_one();
        }
        Ok(())
    }
}

fn delivery(url: &str, event: &str, body: &serde_json::Value, at: Timestamp) -> Delivery {
    let body = body.to_string();
    let digest =
        probity_model::Digest(probity_ledger::sha256(format!("{url}\0{body}").as_bytes())).to_string();
    Delivery {
        id: format!("msg_{}", digest.get(..32).unwrap_or(&digest)),
        url: url.to_owned(),
        event: event.to_owned(),
        body,
        attempts: 0,
        next_at: at,
        state: "pending".to_owned(),
        last_error: None,
    }
}
