//! Judging what changed: facts to outcomes, outcomes to evidence, findings and standings.
//!
//! Only subjects whose facts differ from those judged last are judged again; the same facts and catalogue give the
//! same outcome, so nothing else can have changed but time, which is looked at once an hour.

use std::collections::{BTreeMap, BTreeSet};

use probity_graph::facts;
use probity_graph::reconcile::{View, reconcile, worst_findings};
use probity_ledger::LeafKind;
use probity_model::finding::{FINDING_VERSION, FindingState, fingerprint_input};
use probity_model::inventory::OperationState;
use probity_model::outcome::OUTCOME_VERSION;
use probity_model::{
    Check, Digest, Evidence, Finding, FindingId, OperationId, Outcome, Reason, RuleId, ServiceId, Source,
    SourceKind, Status, Subject, SubjectFacts, SubjectKind, Timestamp,
};
use probity_store::EvidenceRow;
use tracing::error;

use super::{App, leaf};
use crate::protection::{blocks, caller_facts};

/// What one pass of judging brought.
#[derive(Debug, Default)]
struct Pass {
    outcomes: Vec<Outcome>,
    evidence: Vec<EvidenceRow>,
    findings: BTreeSet<FindingId>,
    opened: Vec<FindingId>,
}

/// A rule in block mode that serves a check on a subject.
#[derive(Debug)]
struct Cover {
    by: String,
    /// Rule and place of what was seen although it is in force.
    still: BTreeSet<(RuleId, String)>,
}

impl App {
    /// Judges every subject whose facts changed, and records what came of it.
    pub(super) fn judge(&mut self, at: Timestamp) -> anyhow::Result<()> {
        let hour_began = at.hour() > self.judged_at.hour();
        self.touched = false;
        self.judged_at = at;
        self.reconcile(at)?;
        let subjects = self.subject_facts(at);
        let alive: BTreeSet<Subject> = subjects.iter().map(|facts| facts.subject.clone()).collect();
        let mut pass = Pass::default();
        for facts in subjects {
            let known = self.judged.get(&facts.subject);
            if known == Some(&facts) && !hour_began {
                continue;
            }
            self.judge_subject(&facts, at, &mut pass)?;
            self.judged.insert(facts.subject.clone(), facts);
        }
        self.forget_gone(&alive)?;
        self.keep(pass, at)
    }

    /// The state as of now for who only looks: nothing is judged or recorded.
    pub fn refresh(&mut self) -> anyhow::Result<()> {
        self.fold_from_events()?;
        self.reconcile_only(crate::clock::now());
        Ok(())
    }

    /// Operations as of now; every change becomes a leaf.
    fn reconcile(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.reconcile_only(at);
        self.record_operations(at)
    }

    fn reconcile_only(&mut self, at: Timestamp) {
        self.inventory.settle();
        let worst = worst_findings(self.findings.values());
        let view = View { at, window_us: self.window_us(), risk: &self.risk, findings: &worst };
        self.reconciled = reconcile(&mut self.inventory, &self.sources, view);
    }

    fn window_us(&self) -> i64 {
        let window =
            self.loaded.as_ref().map_or(30 * 24 * 3_600_000, |l| l.config.inventory.window.as_millis());
        i64::try_from(window.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }

    fn subject_facts(&mut self, at: Timestamp) -> Vec<SubjectFacts> {
        let log = self.log_facts(at);
        let gateway = self.gateway.as_str();
        let mut out: Vec<SubjectFacts> = self
            .reconciled
            .operations
            .iter()
            .map(|operation| {
                let stated = facts::of_operation(operation, &self.reconciled, &self.inventory, gateway, at);
                self.with_protection(&operation.id, stated, at)
            })
            .collect();
        let traffic = Source { kind: SourceKind::Traffic, locator: format!("gateway {gateway}") };
        let tenant = self.vault.tenant();
        let mut organisation = facts::of_inventory(tenant, &self.reconciled, &self.inventory, &traffic, at);
        self.state_slots(&mut organisation, at);
        out.push(organisation);
        out.extend(self.service_facts(at));
        out.push(log);
        out.extend(self.plane.iter().cloned());
        out.extend(self.in_force.iter().flat_map(|in_force| caller_facts(in_force, at)));
        out
    }

    /// The same with what the bundle in force enforces.
    fn with_protection(&self, id: &OperationId, mut stated: SubjectFacts, at: Timestamp) -> SubjectFacts {
        match &self.in_force {
            Some(in_force) => in_force.state_operation(id, &mut stated, at),
            None => {
                let source = self.gateway_source();
                stated.state("gateway.enforced", serde_json::json!([]), &source, at.hour());
            }
        }
        stated
    }

    fn gateway_source(&self) -> Source {
        Source { kind: SourceKind::Gateway, locator: format!("gateway {}", self.gateway) }
    }

    /// The rule in block mode that serves the check on this subject, and what fails all the same by the calls since.
    fn cover(&self, check: &Check, facts: &SubjectFacts, status: Status, at: Timestamp) -> Option<Cover> {
        let (_, rule) = blocks(facts).find(|(covered, _)| *covered == check.id.as_str())?;
        let by = format!("gateway rule {rule}");
        if status != Status::Fail || facts.subject.kind != SubjectKind::Operation {
            return (status != Status::Fail).then_some(Cover { by, still: BTreeSet::new() });
        }
        let id = facts.subject.id.as_str();
        let operation = self.reconciled.operations.iter().find(|operation| operation.id.as_str() == id)?;
        let gateway = self.gateway.as_str();
        let since = facts::since_enforced(operation, &self.reconciled, &self.inventory, gateway, at)?;
        let since = self.with_protection(&operation.id, since, at);
        let judgement = self.engine.judge(&check.id, &since, at.hour(), &check.params).ok()?;
        let still = match judgement.status {
            Status::Fail => judgement.reasons.into_iter().map(|reason| (reason.rule, reason.place)).collect(),
            _ => BTreeSet::new(),
        };
        Some(Cover { by, still })
    }

    fn service_facts(&self, at: Timestamp) -> Vec<SubjectFacts> {
        let mut out = Vec::new();
        for (service, sources) in &self.sources.services {
            let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Service, service.as_str()));
            facts::state_service(&mut facts, sources, at);
            if let Some(first) = self.inventory.services.get(service).and_then(|fold| fold.first_seen) {
                let source =
                    Source { kind: SourceKind::Traffic, locator: format!("gateway {}", self.gateway) };
                let hours = at.hour().since(first.hour()) / probity_model::time::MICROS_PER_HOUR;
                facts.state("service.observed_hours", hours, &source, at.hour());
            }
            if let Some(unknown) = self.unknown_operations(service) {
                let source =
                    Source { kind: SourceKind::Traffic, locator: format!("gateway {}", self.gateway) };
                facts.state("service.unknown", unknown, &source, at.hour());
            }
            if let Some(fold) = self.inventory.services.get(service)
                && !fold.unknown_decisions.all().is_empty()
            {
                let source =
                    Source { kind: SourceKind::Traffic, locator: format!("gateway {}", self.gateway) };
                let decisions = facts::decision_list(&fold.unknown_decisions.all());
                facts.state("traffic.decisions", decisions, &source, at.hour());
            }
            if let Some(in_force) = &self.in_force {
                in_force.state_service(service, &mut facts, at);
            }
            if let Some(value) = self.upstream_transport(service.as_str()) {
                let source =
                    Source { kind: SourceKind::Gateway, locator: format!("gateway {}", self.gateway) };
                facts.state("service.upstream_tls", value, &source, at.hour());
            }
            out.push(facts);
        }
        out
    }

    /// Operations that were answered and that no specification has, where the service has one.
    fn unknown_operations(&self, service: &ServiceId) -> Option<Vec<String>> {
        let sources = self.sources.services.get(service)?;
        sources.specifications.first()?;
        let shadows = self
            .reconciled
            .operations
            .iter()
            .filter(|operation| operation.service == *service && operation.is(OperationState::Shadow));
        Some(shadows.map(|operation| operation.id.to_string()).collect())
    }

    /// How the service's upstreams are reached, from the configuration in force.
    fn upstream_transport(&self, service: &str) -> Option<serde_json::Value> {
        let loaded = self.loaded.as_ref()?;
        let config = loaded.config.services.iter().find(|config| config.name.as_str() == service)?;
        let upstreams: Vec<_> = config
            .upstreams
            .iter()
            .filter_map(|upstream| crate::bundle::upstream(upstream, &loaded.base).ok())
            .collect();
        let clear = upstreams.iter().any(|upstream| upstream.tls.is_none() && !is_loopback(&upstream.host));
        let verified = upstreams.iter().all(|upstream| upstream.tls.is_some());
        let identified = self.in_force.as_ref().is_some_and(|in_force| in_force.is_identified(service));
        Some(serde_json::json!({
            "clear_text_beyond_loopback": clear,
            "verified": verified,
            "identified": identified,
        }))
    }

    fn judge_subject(&mut self, facts: &SubjectFacts, at: Timestamp, pass: &mut Pass) -> anyhow::Result<()> {
        let checks: Vec<Check> = self
            .catalog
            .checks()
            .iter()
            .filter(|check| check.subjects.contains(&facts.subject.kind))
            .cloned()
            .collect();
        for check in checks {
            let judgement = match self.engine.judge(&check.id, facts, at.hour(), &check.params) {
                Ok(judgement) => judgement,
                Err(problem) => {
                    error!(check = %check.id, subject = %facts.subject, "a check could not be judged: {problem}");
                    continue;
                }
            };
            let cover = self.cover(&check, facts, judgement.status, at);
            let evidence = evidence_row(&judgement.evidence, at);
            let outcome = Outcome {
                version: OUTCOME_VERSION,
                subject: facts.subject.clone(),
                check: check.id.clone(),
                status: judgement.status,
                reasons: judgement.reasons,
                drift: judgement.drift,
                evidence: evidence.digest,
                catalogue: self.catalogue,
                from: at,
                to: at,
            };
            self.take(&check, outcome, evidence, cover.as_ref(), at, pass);
        }
        Ok(())
    }

    /// Takes one outcome in; one that says what was known already only lasts longer.
    fn take(
        &mut self,
        check: &Check,
        mut outcome: Outcome,
        evidence: EvidenceRow,
        cover: Option<&Cover>,
        at: Timestamp,
        pass: &mut Pass,
    ) {
        let key = (outcome.subject.clone(), outcome.check.clone());
        if let Some(known) = self.outcomes.get_mut(&key) {
            let same = known.status == outcome.status
                && known.reasons == outcome.reasons
                && known.evidence == outcome.evidence;
            if same {
                known.to = at;
                self.update_findings(check, &outcome, cover, at, pass);
                return;
            }
            if known.status == outcome.status {
                outcome.from = known.from;
            }
        }
        for scope in &mut self.scopes {
            scope.standing.observe(&outcome);
        }
        self.update_findings(check, &outcome, cover, at, pass);
        pass.evidence.push(evidence);
        pass.outcomes.push(outcome.clone());
        self.outcomes.insert(key, outcome);
    }

    /// Opens a finding for each reason of a failure; what passes again is fixed, what has no evidence stays as it is.
    /// What a rule in block mode keeps from doing harm is mitigated: the fault itself is not seen to be gone.
    fn update_findings(
        &mut self,
        check: &Check,
        outcome: &Outcome,
        cover: Option<&Cover>,
        at: Timestamp,
        pass: &mut Pass,
    ) {
        let mut reported = BTreeSet::new();
        if outcome.status == Status::Fail {
            for reason in &outcome.reasons {
                let (id, fingerprint) = finding_id(reason, &outcome.subject);
                reported.insert(id.clone());
                let by =
                    cover.filter(|cover| !cover.still.contains(&(reason.rule.clone(), reason.place.clone())));
                self.see(check, outcome, reason, id.clone(), fingerprint, at, pass);
                self.mitigate(&id, by, pass);
            }
        }
        if outcome.status == Status::NoEvidence {
            if cover.is_none() {
                self.expose(check, &outcome.subject, pass);
            }
            return;
        }
        let gone: Vec<FindingId> = self
            .findings
            .values()
            .filter(|finding| finding.check == check.id && finding.subject == outcome.subject)
            .filter(|finding| !reported.contains(&finding.id))
            .filter(|finding| !matches!(finding.state, FindingState::Fixed { .. }))
            .map(|finding| finding.id.clone())
            .collect();
        for id in gone {
            match cover.filter(|_| outcome.status == Status::Pass) {
                Some(cover) => self.mitigate(&id, Some(cover), pass),
                None => {
                    if let Some(finding) = self.findings.get_mut(&id) {
                        finding.state = FindingState::Fixed { at };
                        pass.findings.insert(id);
                    }
                }
            }
        }
    }

    /// An open finding that is covered becomes mitigated, and a mitigated one that is not becomes open again. What a
    /// person muted stays so.
    fn mitigate(&mut self, id: &FindingId, cover: Option<&Cover>, pass: &mut Pass) {
        let Some(finding) = self.findings.get_mut(id) else { return };
        match (&finding.state, cover) {
            (FindingState::Open, Some(cover)) => {
                finding.state = FindingState::Mitigated { by: cover.by.clone() };
                pass.opened.retain(|opened| opened != id);
            }
            (FindingState::Mitigated { by }, Some(cover)) if *by != cover.by => {
                finding.state = FindingState::Mitigated { by: cover.by.clone() };
            }
            (FindingState::Mitigated { .. }, None) => {
                finding.state = FindingState::Open;
                pass.opened.push(id.clone());
            }
            _ => return,
        }
        pass.findings.insert(id.clone());
    }

    /// What a rule kept from doing harm does harm again when the rule is gone.
    fn expose(&mut self, check: &Check, subject: &Subject, pass: &mut Pass) {
        let exposed: Vec<FindingId> = self
            .findings
            .values()
            .filter(|finding| finding.check == check.id && finding.subject == *subject)
            .filter(|finding| matches!(finding.state, FindingState::Mitigated { .. }))
            .map(|finding| finding.id.clone())
            .collect();
        for id in exposed {
            self.mitigate(&id, None, pass);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; the finding is made of exactly these")]
    fn see(
        &mut self,
        check: &Check,
        outcome: &Outcome,
        reason: &Reason,
        id: FindingId,
        fingerprint: Digest,
        at: Timestamp,
        pass: &mut Pass,
    ) {
        if let Some(known) = self.findings.get_mut(&id) {
            let lapsed = match &known.state {
                FindingState::Fixed { .. } => true,
                FindingState::Muted { until, .. } => *until < at,
                FindingState::Open | FindingState::Mitigated { .. } => false,
            };
            if lapsed {
                known.state = FindingState::Open;
                pass.opened.push(id.clone());
            }
            let changed = lapsed || known.evidence != outcome.evidence || known.message != reason.message;
            known.last_seen = at;
            known.evidence = outcome.evidence;
            known.message.clone_from(&reason.message);
            if changed {
                pass.findings.insert(id);
            }
            return;
        }
        let rule = check.rules.iter().find(|rule| rule.id == reason.rule);
        let severity = rule.and_then(|rule| rule.severity).unwrap_or(check.severity);
        let finding = Finding {
            version: FINDING_VERSION,
            id: id.clone(),
            fingerprint,
            check: check.id.clone(),
            rule: reason.rule.clone(),
            subject: outcome.subject.clone(),
            place: reason.place.clone(),
            severity,
            title: rule.map_or_else(|| check.title.clone(), |rule| rule.meaning.clone()),
            message: reason.message.clone(),
            remediation: check.remediation.clone(),
            source: reason.source.clone(),
            evidence: outcome.evidence,
            first_seen: at,
            last_seen: at,
            state: FindingState::Open,
        };
        self.findings.insert(id.clone(), finding);
        pass.findings.insert(id.clone());
        pass.opened.push(id);
    }

    /// Subjects that are gone no longer stand; their findings are fixed by absence of the subject.
    fn forget_gone(&mut self, alive: &BTreeSet<Subject>) -> anyhow::Result<()> {
        let gone: BTreeSet<Subject> = self
            .outcomes
            .keys()
            .map(|(subject, _)| subject)
            .filter(|subject| !alive.contains(subject) && self.is_ours_to_forget(subject))
            .cloned()
            .collect();
        for subject in gone {
            self.outcomes.retain(|(known, _), _| *known != subject);
            self.judged.remove(&subject);
            for scope in &mut self.scopes {
                scope.standing.forget(&subject);
            }
            self.handle.block_on(self.store.forget_subject(&subject))?;
        }
        Ok(())
    }

    /// Listeners are known only while a gateway runs: their absence says nothing.
    fn is_ours_to_forget(&self, subject: &Subject) -> bool {
        match subject.kind {
            SubjectKind::Operation => true,
            SubjectKind::Service => self.loaded.is_some(),
            SubjectKind::Listener => !self.plane.is_empty(),
            _ => false,
        }
    }

    /// Evidence first, then its leaves, then what refers to them: a crash in between loses no evidence.
    fn keep(&mut self, pass: Pass, at: Timestamp) -> anyhow::Result<()> {
        let mut fresh: BTreeMap<Digest, EvidenceRow> = BTreeMap::new();
        for row in pass.evidence {
            let known = self.handle.block_on(self.store.evidence(&row.digest))?;
            if known.is_none_or(|row| row.ledger_index.is_none()) {
                fresh.insert(row.digest, row);
            }
        }
        let rows: Vec<EvidenceRow> = fresh.into_values().collect();
        if !rows.is_empty() {
            self.handle.block_on(self.store.put_evidence(&rows))?;
            let leaves: Vec<_> = rows
                .iter()
                .map(|row| leaf(LeafKind::Evidence, &row.digest.to_string(), row.digest, at))
                .collect();
            let range = self.append(&leaves)?;
            let indices: Vec<(Digest, u64)> = rows.iter().map(|row| row.digest).zip(range).collect();
            self.handle.block_on(self.store.set_evidence_index(&indices))?;
        }
        if !pass.outcomes.is_empty() {
            self.handle.block_on(self.store.put_outcomes(&pass.outcomes))?;
        }
        let changed: Vec<Finding> =
            pass.findings.iter().filter_map(|id| self.findings.get(id).cloned()).collect();
        if !changed.is_empty() {
            self.handle.block_on(self.store.put_findings(&changed))?;
        }
        self.alert(&pass.opened, at)
    }
}

fn evidence_row(evidence: &Evidence, at: Timestamp) -> EvidenceRow {
    let digest = Digest(probity_ledger::sha256(evidence.as_bytes()));
    EvidenceRow { digest, bytes: evidence.as_bytes().to_vec(), at, ledger_index: None }
}

fn finding_id(reason: &Reason, subject: &Subject) -> (FindingId, Digest) {
    let input = fingerprint_input(&reason.rule, subject, &reason.place);
    let digest = Digest(probity_ledger::sha256(input.as_bytes()));
    let text = digest.to_string();
    (FindingId::from(format!("f-{}", text.get(..16).unwrap_or(&text))), digest)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
