//! What a run of traffic came to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::{Call, Protocol};
use super::callers::Caller;
use super::connection::{Answer, CallError};

/// Whether a call should pass. A call that merely errs (a mistyped id, an expired token) is legitimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    Legitimate,
    Attack,
}

/// One call as it was made and answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallRecord {
    /// The kind of consumer: `mobile-app`, `staff`, `admin`, `partner`, `batch`, `attacker`.
    pub consumer: String,
    /// Which one of that kind, from 0.
    pub caller: usize,
    /// Its place in the caller's order, from 0.
    pub sequence: usize,
    pub method: String,
    /// The operation's path in the specification's words; none where there is no such operation.
    pub template: Option<String>,
    pub protocol: String,
    pub intent: Intent,
    /// The id, in `faults.yaml`, of the planted fault that the call meets.
    pub fault: Option<String>,
    pub status: Option<u16>,
    /// The clinic itself would have answered like this. Always true of an answered attack.
    pub expected: bool,
    /// The clinic itself refuses this call: a caller's own mistake.
    pub mistaken: bool,
    /// The answer's `x-request-id`, as a gateway adds it.
    pub request_id: Option<String>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl CallRecord {
    pub(super) fn of(
        caller: &Caller,
        sequence: usize,
        call: &Call,
        answer: Result<Answer, CallError>,
    ) -> Self {
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error.chain())),
        };
        let status = answer.as_ref().map(|answer| answer.status);
        Self {
            consumer: caller.consumer.to_owned(),
            caller: caller.index,
            sequence,
            method: call.method.to_string(),
            template: call.template.map(str::to_owned),
            protocol: match caller.protocol {
                Protocol::Http1 => "http/1.1".to_owned(),
                Protocol::Http2 => "h2c".to_owned(),
            },
            intent: call.intent,
            fault: call.fault.map(str::to_owned),
            status,
            expected: status.is_some_and(|it| call.expected.is_empty() || call.expected.contains(&it)),
            mistaken: !call.expected.is_empty() && call.expected.iter().all(|it| *it >= 400),
            request_id: answer.and_then(|answer| answer.request_id),
            error,
        }
    }
}

/// Calls of one kind of consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerCounts {
    pub calls: usize,
    pub legitimate: usize,
    pub attacks: usize,
    pub failed: usize,
    pub by_status: BTreeMap<u16, usize>,
}

/// Calls that met one planted fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCounts {
    pub calls: usize,
    /// Of them, answered below 400.
    pub answered: usize,
    /// Of them, made by the attacker.
    pub attacks: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrafficReport {
    /// Calls made, answered or not.
    pub calls: usize,
    pub legitimate: usize,
    pub attacks: usize,
    /// Calls without an answer.
    pub failed: usize,
    /// Legitimate calls answered otherwise than the clinic itself does: what something in between blocked.
    pub legitimate_refused: usize,
    /// Attacks answered below 400.
    pub attacks_answered: usize,
    pub by_status: BTreeMap<u16, usize>,
    pub by_consumer: BTreeMap<String, ConsumerCounts>,
    pub by_fault: BTreeMap<String, FaultCounts>,
    pub by_protocol: BTreeMap<String, usize>,
    /// Callers that ended before their calls were made; other than 0 only by a fault of the generator.
    pub callers_lost: usize,
    pub elapsed_ms: u64,
    /// Every call, by consumer, caller and sequence.
    pub labels: Vec<CallRecord>,
}

impl TrafficReport {
    pub(super) fn of(labels: Vec<CallRecord>, callers_lost: usize, elapsed: Duration) -> Self {
        let mut report = Self {
            calls: labels.len(),
            legitimate: 0,
            attacks: 0,
            failed: 0,
            legitimate_refused: 0,
            attacks_answered: 0,
            by_status: BTreeMap::new(),
            by_consumer: BTreeMap::new(),
            by_fault: BTreeMap::new(),
            by_protocol: BTreeMap::new(),
            callers_lost,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            labels: Vec::new(),
        };
        for record in &labels {
            report.count(record);
        }
        report.labels = labels;
        report
    }

    fn count(&mut self, record: &CallRecord) {
        let answered = record.status.is_some_and(|status| status < 400);
        let consumer = self.by_consumer.entry(record.consumer.clone()).or_default();
        consumer.calls += 1;
        *self.by_protocol.entry(record.protocol.clone()).or_default() += 1;
        match record.intent {
            Intent::Legitimate => {
                self.legitimate += 1;
                consumer.legitimate += 1;
                self.legitimate_refused += usize::from(record.status.is_some() && !record.expected);
            }
            Intent::Attack => {
                self.attacks += 1;
                consumer.attacks += 1;
                self.attacks_answered += usize::from(answered);
            }
        }
        match record.status {
            Some(status) => {
                *self.by_status.entry(status).or_default() += 1;
                *consumer.by_status.entry(status).or_default() += 1;
            }
            None => {
                self.failed += 1;
                consumer.failed += 1;
            }
        }
        if let Some(fault) = &record.fault {
            let met = self.by_fault.entry(fault.clone()).or_default();
            met.calls += 1;
            met.answered += usize::from(answered);
            met.attacks += usize::from(record.intent == Intent::Attack);
        }
    }
}
