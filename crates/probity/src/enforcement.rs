//! What the demo's enforcement came to: every planted fault tried, every legitimate call looked at.

use std::collections::BTreeMap;

use probity_clinic::exploits::{self, EXPLOITS, UNSTOPPABLE};
use probity_clinic::traffic::{CallRecord, Intent, Target, TrafficReport};
use schemars::JsonSchema;
use serde::Serialize;

/// Blocked legitimate calls that are listed.
const MAX_LISTED: usize = 20;

/// What `probity demo --enforce` adds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Enforcement {
    pub faults_total: usize,
    /// Those that something in front of the API can keep from doing harm.
    pub faults_stoppable: usize,
    pub faults_stopped: usize,
    /// Calls of the traffic that mean well and do not themselves use a fault whose remedy is a refusal (an operation that
    /// was removed, a credential in an address).
    pub legitimate_calls: usize,
    /// Of them, answered otherwise than the API itself answers. A call that the API itself refuses may be refused with
    /// another status.
    pub legitimate_blocked: usize,
    pub faults: Vec<FaultTried>,
    /// The first of the legitimate calls that were blocked.
    pub blocked: Vec<Blocked>,
    /// Attacks of the traffic, and how many of them were answered below 400.
    pub attacks: usize,
    pub attacks_answered: usize,
}

/// One planted fault, tried by real calls through the gateway.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FaultTried {
    pub name: String,
    pub stoppable: bool,
    pub stopped: bool,
    pub statuses: Vec<u16>,
    /// What was seen, in words.
    pub seen: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Blocked {
    pub consumer: String,
    pub method: String,
    pub template: Option<String>,
    pub fault: Option<String>,
    pub status: Option<u16>,
    pub request_id: Option<String>,
    pub error: Option<String>,
}

/// Tries every fault and counts what became of the traffic.
pub async fn of(target: &Target, traffic: &TrafficReport) -> Enforcement {
    let mut faults = Vec::new();
    for (name, _) in EXPLOITS {
        faults.push(match exploits::exploit(target, name).await {
            Ok(tried) => FaultTried {
                name: name.to_owned(),
                stoppable: true,
                stopped: !tried.harmed,
                statuses: tried.statuses,
                seen: tried.seen,
            },
            // What could not be tried was not shown to be stopped.
            Err(error) => FaultTried {
                name: name.to_owned(),
                stoppable: true,
                stopped: false,
                statuses: Vec::new(),
                seen: error.to_string(),
            },
        });
    }
    faults.extend(UNSTOPPABLE.iter().map(|name| FaultTried {
        name: (*name).to_owned(),
        stoppable: false,
        stopped: false,
        statuses: Vec::new(),
        seen: "only the API's owners can mend it".to_owned(),
    }));
    let legitimate: Vec<&CallRecord> = traffic.labels.iter().filter(|call| is_legitimate(call)).collect();
    let blocked: Vec<&&CallRecord> = legitimate.iter().filter(|call| is_blocked(call)).collect();
    Enforcement {
        faults_total: faults.len(),
        faults_stoppable: faults.iter().filter(|fault| fault.stoppable).count(),
        faults_stopped: faults.iter().filter(|fault| fault.stopped).count(),
        legitimate_calls: legitimate.len(),
        legitimate_blocked: blocked.len(),
        blocked: blocked
            .iter()
            .take(MAX_LISTED)
            .map(|call| Blocked {
                consumer: call.consumer.clone(),
                method: call.method.clone(),
                template: call.template.clone(),
                fault: call.fault.clone(),
                status: call.status,
                request_id: call.request_id.clone(),
                error: call.error.clone(),
            })
            .collect(),
        faults,
        attacks: traffic.attacks,
        attacks_answered: traffic.attacks_answered,
    }
}

fn is_legitimate(call: &CallRecord) -> bool {
    call.intent == Intent::Legitimate && !call.fault.as_deref().is_some_and(exploits::is_stopped_by_refusal)
}

fn is_blocked(call: &CallRecord) -> bool {
    let refused = call.status.is_some_and(|status| status >= 400);
    let anyway = call.mistaken && refused;
    !call.expected && !anyway
}

/// For a terminal.
pub fn text(enforcement: &Enforcement) -> String {
    let mut lines = vec![format!(
        "enforced    {} of {} stoppable faults stopped ({} planted); {} of {} legitimate calls blocked",
        enforcement.faults_stopped,
        enforcement.faults_stoppable,
        enforcement.faults_total,
        enforcement.legitimate_blocked,
        enforcement.legitimate_calls
    )];
    for fault in &enforcement.faults {
        let word = match (fault.stoppable, fault.stopped) {
            (false, _) => "not ours",
            (true, true) => "stopped",
            (true, false) => "NOT STOPPED",
        };
        let statuses: Vec<String> = fault.statuses.iter().map(ToString::to_string).collect();
        lines.push(format!("  {word:<12} {:<24} {:<16} {}", fault.name, statuses.join(" "), fault.seen));
    }
    let mut blocked: BTreeMap<String, usize> = BTreeMap::new();
    for call in &enforcement.blocked {
        let template = call.template.as_deref().unwrap_or("-");
        *blocked.entry(format!("{} {} {template}", call.consumer, call.method)).or_default() += 1;
    }
    lines.extend(blocked.into_iter().map(|(call, count)| format!("  BLOCKED      {call} ({count})")));
    lines.join("\n")
}
