//! The ledger and the records as a resource: a checkpoint to keep elsewhere, and what the log says of itself as facts.

use probity_ledger::LogId;
use probity_model::{Exchange, Source, SourceKind, Subject, SubjectFacts, SubjectKind, Timestamp};
use serde_json::{Value, json};

use super::{App, Reply};

/// Counters of the log enter evidence at most so often, or when something was lost.
const COUNTS_EVERY_US: i64 = 60 * 1_000_000;

/// What the log says of itself, looked at now and then so that judging it does not grow it.
#[derive(Debug, Default)]
pub(super) struct LogView {
    counts: Option<(Timestamp, Value, u64)>,
    ledger: Option<(Timestamp, Value)>,
    fields: Option<RecordFields>,
}

/// Whether every record seen holds what an audit record must hold.
#[derive(Clone, Copy, Debug)]
struct RecordFields {
    who: bool,
    what: bool,
    when: bool,
    place: bool,
    outcome: bool,
    object: bool,
    origin: bool,
}

impl LogView {
    /// Looks at one record.
    pub(super) fn look_at(&mut self, call: &Exchange) {
        let identified = call.authentication.identity.or(call.authentication.credential).is_some();
        let here = RecordFields {
            who: identified || call.client.is_some(),
            what: !call.method.is_empty(),
            when: call.started_at > Timestamp(0),
            place: !call.gateway.as_str().is_empty() && !call.service.as_str().is_empty(),
            outcome: call.status >= 100,
            // What was refused before its target could be read has the refusal in its place.
            object: !call.path.display().is_empty() || !call.decisions.is_empty(),
            origin: call.client.is_some(),
        };
        self.fields = Some(self.fields.map_or(here, |all| all.and(here)));
    }
}

impl RecordFields {
    fn and(self, other: Self) -> Self {
        Self {
            who: self.who && other.who,
            what: self.what && other.what,
            when: self.when && other.when,
            place: self.place && other.place,
            outcome: self.outcome && other.outcome,
            object: self.object && other.object,
            origin: self.origin && other.origin,
        }
    }
}

impl App {
    pub(super) fn ledger_checkpoint(&self, log: LogId) -> anyhow::Result<Reply> {
        let checkpoint = self.ledger.checkpoint(log);
        let key = self.ledger.verifier(log).encode();
        Ok(Reply::Checkpoint { log, text: checkpoint.as_str().to_owned(), key })
    }

    /// Verifies the ledger on disk and keeps the answer for the facts of the slot.
    pub(super) fn look_at_ledger(&mut self, at: Timestamp) {
        let status = self.ledger_status();
        let problem = (!status.verified).then_some(status.note);
        let value = json!({
            "verified": status.verified,
            "evidence_size": status.evidence.size,
            "verdicts_size": status.verdicts.size,
            "anchored": false,
            "problem": problem,
        });
        self.log_view.ledger = Some((at, value));
    }

    /// The records of this gateway as a subject: complete, with content, unaltered.
    pub(super) fn log_facts(&mut self, at: Timestamp) -> SubjectFacts {
        let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Log, self.gateway.as_str()));
        let gateway = Source { kind: SourceKind::Gateway, locator: format!("gateway {}", self.gateway) };
        let traffic = Source { kind: SourceKind::Traffic, locator: format!("gateway {}", self.gateway) };
        let hour = at.hour();
        self.look_at_counts(at);
        if let Some((_, value, _)) = &self.log_view.counts {
            facts.state("log.counts", value.clone(), &gateway, hour);
        }
        if let Some(fields) = self.log_view.fields {
            let value = json!({
                "who": fields.who,
                "what": fields.what,
                "when": fields.when,
                "where": fields.place,
                "outcome": fields.outcome,
                "object": fields.object,
                "origin": fields.origin,
            });
            facts.state("log.fields", value, &traffic, hour);
        }
        if let Some((_, value)) = &self.log_view.ledger {
            facts.state("log.ledger", value.clone(), &gateway, hour);
        }
        let gaps: Vec<_> =
            self.events.gaps().iter().filter_map(|gap| serde_json::to_value(gap).ok()).collect();
        facts.state("log.gaps", gaps, &gateway, hour);
        facts
    }

    fn look_at_counts(&mut self, at: Timestamp) {
        let counts = self.events.counts();
        if counts.recorded == 0 && counts.lost == 0 {
            return;
        }
        let due = self
            .log_view
            .counts
            .as_ref()
            .is_none_or(|(taken, _, lost)| at.since(*taken) >= COUNTS_EVERY_US || *lost != counts.lost);
        if due {
            let value =
                json!({"accepted": counts.accepted, "recorded": counts.recorded, "lost": counts.lost});
            self.log_view.counts = Some((at, value, counts.lost));
        }
    }
}
