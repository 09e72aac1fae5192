//! What can be asked of a running or an opened Probity, and the answers. The same values cross the control socket.

use std::path::PathBuf;

use probity_ledger::LogId;
use probity_model::bundle::identity::{Consumer, Revocation};
use probity_model::inventory::{Operation, OperationSettings, OperationState};
use probity_model::{CheckId, Finding, FrameworkId, Outcome, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use super::App;
use super::compliance::ComplianceStatus;
use super::consumer::ConsumerStatus;
use super::explain::Explanation;
use super::key::{ImportedSecret, IssuedKey, KeyRequest, KeyStatus};
use super::policy::PolicyStatus;
use super::simulate::Simulation;
use super::status::Status;
use super::token::Revealed;
use crate::import::{Format, Imported};
use crate::sources::Loaded;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    Status,
    InventoryList {
        state: Option<OperationState>,
        service: Option<String>,
    },
    InventoryShow {
        operation: String,
    },
    InventorySet {
        operation: String,
        settings: OperationSettings,
    },
    InventoryReview {
        note: String,
    },
    /// What traffic shows of a service, as an OpenAPI document.
    InventoryExport {
        service: Option<String>,
    },
    FindingList {
        state: Option<String>,
        at_least: Option<Severity>,
        check: Option<CheckId>,
    },
    FindingShow {
        finding: String,
    },
    FindingMute {
        finding: String,
        reason: String,
        until: Timestamp,
    },
    ComplianceStatus {
        framework: Option<FrameworkId>,
        scope: Option<String>,
    },
    Report {
        framework: FrameworkId,
        scope: Option<String>,
    },
    Explain {
        what: String,
    },
    PolicyShow,
    /// Tries a draft of the configuration beside what is in force.
    PolicyStage {
        file: PathBuf,
    },
    PolicyPromote,
    PolicyRollback {
        to: Option<u64>,
    },
    /// Decides from records what a draft would change.
    PolicySimulate {
        file: PathBuf,
        since: Timestamp,
    },
    ConsumerAdd {
        consumer: Consumer,
        owner: Option<String>,
    },
    ConsumerList,
    ConsumerShow {
        name: String,
    },
    KeyIssue {
        request: KeyRequest,
    },
    KeyImport {
        request: KeyRequest,
        secret: ImportedSecret,
    },
    KeyList {
        consumer: Option<String>,
    },
    KeyRotate {
        key: String,
        overlap_ms: u64,
    },
    KeyRevoke {
        key: String,
        reason: String,
    },
    /// Of tokens and whatever else Probity did not issue.
    CredentialRevoke {
        revocation: Revocation,
        reason: String,
    },
    LedgerCheckpoint {
        log: LogId,
    },
    /// Leads a token back to its value.
    TokenReveal {
        token: String,
        reason: String,
    },
    Import {
        file: PathBuf,
        format: Option<Format>,
        service: Option<String>,
    },
    /// Reads the configuration again and takes it into force.
    Reload {
        file: PathBuf,
    },
    /// Judges now instead of at the next tick.
    Judge,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply", content = "value")]
pub enum Reply {
    Status(Box<Status>),
    Operations(Vec<Operation>),
    Operation(Box<Operation>),
    OpenApi(Box<serde_json::Value>),
    Reviewed { at: Timestamp, operations: usize },
    Findings(Vec<Finding>),
    Finding(Box<Finding>),
    Compliance(ComplianceStatus),
    Report(Box<probity_report::ReportDocument>),
    Explanation(Box<Explanation>),
    Policy(Box<PolicyStatus>),
    Simulation(Box<Simulation>),
    Consumers(Vec<ConsumerStatus>),
    Consumer(Box<ConsumerStatus>),
    Keys(Vec<KeyStatus>),
    Key(Box<IssuedKey>),
    Revoked { revision: Option<u64> },
    Checkpoint { log: LogId, text: String, key: String },
    Imported(Imported),
    Reloaded { changed: bool, revision: u64 },
    Revealed(Box<Revealed>),
    Done,
}

/// Parts of an explanation that name records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExplainedOutcome {
    pub outcome: Outcome,
    /// The judged input, as it was hashed.
    pub evidence: Option<serde_json::Value>,
    pub ledger_index: Option<u64>,
}

impl Command {
    /// Whether answering leaves store and ledger as they are.
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Status
            | Self::InventoryList { .. }
            | Self::InventoryShow { .. }
            | Self::InventoryExport { .. }
            | Self::FindingList { .. }
            | Self::FindingShow { .. }
            | Self::ComplianceStatus { .. }
            | Self::Report { .. }
            | Self::Explain { .. }
            | Self::ConsumerList
            | Self::ConsumerShow { .. }
            | Self::KeyList { .. }
            | Self::PolicyShow
            | Self::PolicySimulate { .. }
            | Self::LedgerCheckpoint { .. } => true,
            Self::InventorySet { .. }
            | Self::InventoryReview { .. }
            | Self::FindingMute { .. }
            | Self::ConsumerAdd { .. }
            | Self::KeyIssue { .. }
            | Self::KeyImport { .. }
            | Self::KeyRotate { .. }
            | Self::KeyRevoke { .. }
            | Self::CredentialRevoke { .. }
            | Self::Import { .. }
            | Self::TokenReveal { .. }
            | Self::Reload { .. }
            | Self::PolicyStage { .. }
            | Self::PolicyPromote
            | Self::PolicyRollback { .. }
            | Self::Judge => false,
        }
    }
}

impl App {
    /// Answers one command.
    pub fn execute(&mut self, command: Command) -> anyhow::Result<Reply> {
        Ok(match command {
            Command::Status => Reply::Status(Box::new(self.status())),
            Command::InventoryList { state, service } => {
                Reply::Operations(self.inventory_list(state, service.as_deref()))
            }
            Command::InventoryShow { operation } => {
                Reply::Operation(Box::new(self.operation_named(&operation)?))
            }
            Command::InventorySet { operation, settings } => {
                Reply::Operation(Box::new(self.inventory_set(&operation, &settings)?))
            }
            Command::InventoryExport { service } => {
                Reply::OpenApi(Box::new(self.inventory_export(service.as_deref())?))
            }
            Command::InventoryReview { note } => {
                let at = self.inventory_review(&note)?;
                Reply::Reviewed { at, operations: self.reconciled.operations.len() }
            }
            Command::FindingList { state, at_least, check } => {
                Reply::Findings(self.finding_list(state.as_deref(), at_least, check.as_ref()))
            }
            Command::FindingShow { finding } => Reply::Finding(Box::new(self.finding_named(&finding)?)),
            Command::FindingMute { finding, reason, until } => {
                Reply::Finding(Box::new(self.finding_mute(&finding, &reason, until)?))
            }
            Command::ComplianceStatus { framework, scope } => {
                Reply::Compliance(self.compliance_status(framework.as_ref(), scope.as_deref())?)
            }
            Command::Report { framework, scope } => {
                Reply::Report(Box::new(self.report_document(&framework, scope.as_deref())?))
            }
            Command::Explain { what } => Reply::Explanation(Box::new(self.explain(&what)?)),
            Command::PolicyShow => Reply::Policy(Box::new(self.policy_status()?)),
            Command::PolicyStage { file } => Reply::Policy(Box::new(self.policy_stage(&file)?)),
            Command::PolicyPromote => Reply::Policy(Box::new(self.policy_promote()?)),
            Command::PolicyRollback { to } => Reply::Policy(Box::new(self.policy_rollback(to)?)),
            Command::PolicySimulate { file, since } => {
                Reply::Simulation(Box::new(self.policy_simulate(&file, since)?))
            }
            Command::ConsumerAdd { consumer, owner } => {
                Reply::Consumer(Box::new(self.consumer_add(consumer, owner)?))
            }
            Command::ConsumerList => Reply::Consumers(self.consumer_list()?),
            Command::ConsumerShow { name } => Reply::Consumer(Box::new(self.consumer_named(&name)?)),
            Command::KeyIssue { request } => Reply::Key(Box::new(self.key_issue(request)?)),
            Command::KeyImport { request, secret } => Reply::Key(Box::new(self.key_import(request, secret)?)),
            Command::KeyList { consumer } => Reply::Keys(self.key_list(consumer.as_deref())?),
            Command::KeyRotate { key, overlap_ms } => {
                Reply::Key(Box::new(self.key_rotate(&key, overlap_ms)?))
            }
            Command::KeyRevoke { key, reason } => Reply::Key(Box::new(self.key_revoke(&key, &reason)?)),
            Command::CredentialRevoke { revocation, reason } => {
                Reply::Revoked { revision: self.credential_revoke(revocation, &reason)? }
            }
            Command::LedgerCheckpoint { log } => self.ledger_checkpoint(log)?,
            Command::TokenReveal { token, reason } => {
                Reply::Revealed(Box::new(self.token_reveal(&token, &reason)?))
            }
            Command::Import { file, format, service } => {
                Reply::Imported(self.import(&file, format, service.as_deref())?)
            }
            Command::Reload { file } => {
                let loaded =
                    Loaded::read(&file).map_err(|faults| anyhow::anyhow!("{}", super::lines(&faults)))?;
                let (changed, revision) = self.reload(loaded)?;
                Reply::Reloaded { changed, revision }
            }
            Command::Judge => {
                self.fold_from_events()?;
                self.judge(crate::clock::now())?;
                Reply::Done
            }
        })
    }
}
