//! The state of one Probity and everything that changes it, on one thread: exchanges are folded, operations judged,
//! slots closed, commands answered, one after the other. Nothing else writes store or ledger.
//!
//! [`App::open`] brings the state back as it was acknowledged; [`App::run`] is the loop. Judging is in `judge`, slots
//! in `slot`, one file for each resource that commands speak of. Translation from sockets is [`crate::control`]'s.

mod command;
mod compliance;
mod consumer;
mod explain;
mod finding;
mod import;
mod inventory;
mod judge;
mod key;
mod ledger;
mod policy;
mod reload;
mod report;
mod simulate;
mod slot;
mod status;
pub mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, bail};
use probity_events::{ClosedSegment, Events, Options, Record};
use probity_graph::{Inventory, Reconciled, RiskRules, Sources};
use probity_ledger::{Leaf, LeafKind, Ledger, LogId, SigningKey};
use probity_model::{
    CheckId, Diagnostic, Digest, Exchange, Finding, FindingId, GatewayId, OperationId, Outcome, Subject,
    SubjectFacts, Timestamp,
};
use probity_policy::rego::Engine;
use probity_store::{SegmentRow, Store, Target};
use probity_vault::{RootKey, Vault};
use serde_json::Value;
use tokio::runtime::Handle;
use tracing::{error, info, warn};

use crate::catalog::Catalog;
use crate::clock::now;
use crate::config::GatewayConfig;
use crate::keys::VaultSegmentKeys;
use crate::protection::InForce;
use crate::sources::Loaded;

pub use command::{Command, ExplainedOutcome, Reply};
pub use compliance::{ComplianceStatus, ControlStatus};
pub use consumer::ConsumerStatus;
pub use explain::{ExplainedDecision, Explanation};
pub use key::{ImportedSecret, IssuedKey, KeyRequest, KeyState, KeyStatus};
pub use policy::{PolicyStatus, RuleCount, StagedStatus};
pub use simulate::Simulation;
pub use status::{FrameworkCounts, InventoryCounts, LedgerStatus, LogStatus, RecordStatus, Status};

/// Messages waiting for the loop; synced batches beyond it are read back from the segments.
const INBOX: usize = 256;
/// Between two looks at what changed.
const TICK: Duration = Duration::from_millis(250);
/// Changes are judged at most so often.
const JUDGE_EVERY_US: i64 = 500_000;
const SNAPSHOT_EVERY_US: i64 = 30 * 1_000_000;
/// Files in the data folder: the tenant that it was made for, and where its configuration stands.
const TENANT: &str = "tenant";
const CONFIGURATION: &str = "configuration";
const RETENTION_EVERY_US: i64 = 600 * 1_000_000;

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// A systemd credential, else the user's configuration folder.
    Located,
    File(PathBuf),
    /// Lives as long as the process: the demo.
    Ephemeral,
}

/// How to open an [`App`].
#[derive(Clone, Debug)]
pub struct OpenOptions {
    pub data: PathBuf,
    pub root: Root,
    pub catalog: Option<PathBuf>,
    pub loaded: Option<Loaded>,
    /// Who acts, in administrative acts.
    pub actor: String,
}

/// What the loop is told.
#[derive(Debug)]
pub enum Message {
    /// A batch of exchanges is on disk.
    Synced(Vec<Exchange>),
    /// Facts of listeners, gateway and log as the gateway states them.
    Plane(Vec<SubjectFacts>),
    Command {
        command: Box<Command>,
        /// Who asks; the account that runs this process when absent.
        caller: Option<String>,
        reply: tokio::sync::oneshot::Sender<Result<Reply, String>>,
    },
    Stop(tokio::sync::oneshot::Sender<()>),
}

/// Sends to the loop.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: SyncSender<Message>,
    behind: Arc<AtomicBool>,
}

impl Inbox {
    /// Waits while the inbox is full.
    pub fn send(&self, message: Message) -> bool {
        self.sender.send(message).is_ok()
    }
    /// Never waits; a batch that finds no room is read back from its segment later.
    fn offer(&self, message: Message) {
        if self.sender.try_send(message).is_err() {
            self.behind.store(true, Ordering::Release);
        }
    }
    /// Asks in the name of the account that runs this process.
    pub async fn command(&self, command: Command) -> Result<Reply, String> {
        self.command_of(None, command).await
    }
    /// Asks in the name of `caller`, whom administrative acts will name.
    pub async fn command_of(&self, caller: Option<String>, command: Command) -> Result<Reply, String> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let message = Message::Command { command: Box::new(command), caller, reply };
        let sender = self.sender.clone();
        let sent = tokio::task::spawn_blocking(move || sender.send(message).is_ok()).await;
        if !sent.unwrap_or(false) {
            return Err("the control loop has stopped".to_owned());
        }
        answer.await.unwrap_or_else(|_| Err("the control loop has stopped".to_owned()))
    }
}

/// One scope with the frameworks that it counts for.
struct ScopeStanding {
    name: String,
    frameworks: Vec<probity_model::FrameworkId>,
    standing: probity_compliance::Standing,
}

pub struct App {
    data: PathBuf,
    actor: String,
    /// Who asked for the command that is being executed, when it came from another process.
    caller: Option<String>,
    handle: Handle,
    vault: Arc<Vault>,
    ledger: Ledger,
    ledger_notes: Vec<String>,
    store: Store,
    events: Events,
    gateway: GatewayId,
    catalog: Catalog,
    engine: Engine,
    catalogue: Digest,
    risk: RiskRules,
    loaded: Option<Loaded>,
    sources: Sources,
    source_diagnostics: Vec<Diagnostic>,
    inventory: Inventory,
    reconciled: Reconciled,
    /// Digest of what an inventory leaf says of each operation.
    recorded_operations: BTreeMap<OperationId, Digest>,
    outcomes: BTreeMap<(Subject, CheckId), Outcome>,
    /// The facts of each subject that was judged last.
    judged: BTreeMap<Subject, SubjectFacts>,
    findings: BTreeMap<FindingId, Finding>,
    scopes: Vec<ScopeStanding>,
    remainder: probity_compliance::Remainder,
    not_met: BTreeSet<(String, String, String)>,
    plane: Vec<SubjectFacts>,
    /// The bundle that was published last, for who asks what is enforced.
    in_force: Option<InForce>,
    log_view: ledger::LogView,
    slot_from: Timestamp,
    started_at: Timestamp,
    touched: bool,
    judged_at: Timestamp,
    snapshot_at: Timestamp,
    retention_at: Timestamp,
    webhooks_wake: Arc<tokio::sync::Notify>,
    bundles: tokio::sync::watch::Sender<Option<probity_model::bundle::SignedBundle>>,
    inbox: Inbox,
    /// Unbounded: segments close seldom, and none may be missed.
    closed_segments: Receiver<ClosedSegment>,
    gaps_recorded: usize,
    /// Held for the life of the app: one writer.
    _lock: File,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("data", &self.data)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Brings the state back. Must be called from a thread outside the runtime behind `handle`.
    pub fn open(mut options: OpenOptions, handle: Handle) -> anyhow::Result<(Self, Receiver<Message>)> {
        let at = now();
        let lock = lock(&options.data)?;
        if options.loaded.is_none() {
            options.loaded = last_configuration(&options.data)?;
        }
        let root = match &options.root {
            Root::Located => RootKey::locate(),
            Root::File(path) => RootKey::load_or_create(path),
            Root::Ephemeral => RootKey::ephemeral(),
        }
        .context("cannot get the root key")?;
        root.refuse_under(&options.data).context("the root key may not lie in the data folder")?;
        let tenant = tenant(&options);
        let vault =
            Vault::open(options.data.join("vault"), root, &tenant).context("cannot open the vault")?;
        let vault = Arc::new(vault);
        let seed = vault.signing_seed("ledger").context("cannot unseal the ledger key")?;
        let key = SigningKey::from_seed(seed.expose(), format!("probity.local/{tenant}"))?;
        let (ledger, recovery) = Ledger::open(options.data.join("ledger"), key)?;
        let ledger_notes = recovery.notes();
        let store = handle.block_on(Store::open(&store_target(&options)))?;
        let catalog = match &options.catalog {
            Some(folder) => Catalog::from_dir(folder),
            None => Catalog::embedded(),
        }
        .map_err(|faults| anyhow::anyhow!("the catalogue has faults:\n{}", lines(&faults)))?;
        let engine = catalog
            .engine()
            .map_err(|faults| anyhow::anyhow!("the catalogue has faults:\n{}", lines(&faults)))?;
        let catalogue = Digest(probity_ledger::sha256(&catalog.digest_input()));
        let gateway = gateway(&options);
        let (sender, receiver) = sync_channel(INBOX);
        let inbox = Inbox { sender, behind: Arc::new(AtomicBool::new(false)) };
        let (closed_sender, closed_segments) = std::sync::mpsc::channel();
        let events = open_events(&options, &gateway, &vault, &inbox, closed_sender)?;
        let risk = catalog.risk().clone();
        let mut app = Self {
            data: options.data,
            actor: options.actor,
            caller: None,
            handle,
            vault,
            ledger,
            ledger_notes,
            store,
            events,
            gateway,
            catalog,
            engine,
            catalogue,
            risk,
            loaded: None,
            sources: Sources::default(),
            source_diagnostics: Vec::new(),
            inventory: Inventory::new(),
            reconciled: Reconciled { operations: Vec::new(), specified: BTreeMap::new() },
            recorded_operations: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            judged: BTreeMap::new(),
            findings: BTreeMap::new(),
            scopes: Vec::new(),
            remainder: probity_compliance::Remainder::default(),
            not_met: BTreeSet::new(),
            plane: Vec::new(),
            in_force: None,
            log_view: ledger::LogView::default(),
            slot_from: at,
            started_at: at,
            touched: true,
            judged_at: Timestamp(0),
            snapshot_at: at,
            retention_at: at,
            webhooks_wake: Arc::new(tokio::sync::Notify::new()),
            bundles: tokio::sync::watch::channel(None).0,
            inbox,
            closed_segments,
            gaps_recorded: 0,
            _lock: lock,
        };
        app.compare_with_checkpoints()?;
        app.restore(at)?;
        if let Some(loaded) = options.loaded {
            app.configure(loaded, at)?;
        } else {
            app.configure_nothing();
        }
        app.recall_bundle()?;
        app.catch_up_segments()?;
        app.record_gaps(at)?;
        app.fold_from_events()?;
        app.look_at_ledger(at);
        Ok((app, receiver))
    }

    /// What the loop can be told through.
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }
    pub fn recorder(&self) -> probity_events::Recorder {
        self.events.recorder()
    }
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
    pub fn store(&self) -> &Store {
        &self.store
    }
    pub fn webhooks_wake(&self) -> Arc<tokio::sync::Notify> {
        self.webhooks_wake.clone()
    }
    /// Every bundle that is published from now on.
    pub fn bundles(&self) -> tokio::sync::watch::Receiver<Option<probity_model::bundle::SignedBundle>> {
        self.bundles.subscribe()
    }
    /// What opening had to mend or could not read.
    pub fn notes(&self) -> Vec<String> {
        let problems = self.source_diagnostics.iter().map(ToString::to_string);
        self.ledger_notes.iter().cloned().chain(problems).collect()
    }
    pub fn source_diagnostics(&self) -> &[Diagnostic] {
        &self.source_diagnostics
    }
    pub fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_ref()
    }

    /// The loop; ends on [`Message::Stop`] or when every sender is gone, with the open slot closed as a short one.
    pub fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(Message::Synced(batch)) => self.fold(&batch),
                Ok(Message::Plane(facts)) => {
                    self.touched |= self.plane != facts;
                    self.plane = facts;
                }
                Ok(Message::Command { command, caller, reply }) => {
                    self.caller = caller;
                    let answer = self.execute(*command).map_err(|error| format!("{error:#}"));
                    self.caller = None;
                    let _ = reply.send(answer);
                }
                Ok(Message::Stop(done)) => {
                    let closed = self.close();
                    self.report("the last slot could not be closed", closed);
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let closed = self.close();
                    self.report("the last slot could not be closed", closed);
                    return;
                }
            }
            let ticked = self.tick(now());
            self.report("the control loop failed a step", ticked);
        }
    }

    /// Ends in good order: everything folded and judged, the open slot closed early, the snapshot written.
    pub fn close(&mut self) -> anyhow::Result<()> {
        let at = now();
        self.events.close_segment().context("cannot close the segment")?;
        self.record_closed_segments()?;
        self.fold_from_events()?;
        self.judge(at)?;
        self.close_slot(at, true)?;
        self.snapshot(at)?;
        Ok(self.handle.block_on(self.store.close())?)
    }

    fn tick(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.record_closed_segments()?;
        self.record_gaps(at)?;
        if self.inbox.behind.swap(false, Ordering::AcqRel) {
            self.fold_from_events()?;
        }
        if at.hour() > self.slot_from.hour() {
            let end = at.hour();
            self.judge(at)?;
            self.close_slot(end, false)?;
            self.touched = true;
        }
        if self.touched && at.since(self.judged_at) >= JUDGE_EVERY_US {
            self.judge(at)?;
        }
        if at.since(self.snapshot_at) >= SNAPSHOT_EVERY_US {
            self.snapshot(at)?;
        }
        if at.since(self.retention_at) >= RETENTION_EVERY_US {
            self.retention_at = at;
            self.enforce_retention(at)?;
        }
        Ok(())
    }

    fn report(&self, what: &str, result: anyhow::Result<()>) {
        if let Err(problem) = result {
            error!("{what}: {problem:#}");
        }
    }

    fn fold(&mut self, batch: &[Exchange]) {
        for call in batch {
            self.log_view.look_at(call);
            self.inventory.fold(call);
        }
        self.touched |= !batch.is_empty();
    }

    /// Folds every record that the inventory has not seen: after a start, an import, or a burst.
    fn fold_from_events(&mut self) -> anyhow::Result<()> {
        let from = self.inventory.folded.get(self.gateway.as_str()).copied().unwrap_or(0) + 1;
        for record in self.events.reader(from) {
            match record {
                Ok(Record::Exchange(call)) => {
                    self.log_view.look_at(&call);
                    self.inventory.fold(&call);
                    self.touched = true;
                }
                Ok(Record::Gap(_)) => {}
                Err(problem) => warn!("a record could not be read: {problem}"),
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.snapshot_at = at;
        let bytes = self.inventory.snapshot()?;
        let not_met = serde_json::to_vec(&self.not_met)?;
        self.handle.block_on(async {
            self.store.put_state("inventory", &bytes).await?;
            self.store.put_state("not-met", &not_met).await
        })?;
        Ok(())
    }

    fn restore(&mut self, at: Timestamp) -> anyhow::Result<()> {
        let stored = self.handle.block_on(async {
            let inventory = self.store.state("inventory").await?;
            let settings = self.store.operation_settings().await?;
            let outcomes = self.store.outcomes(&Default::default()).await?;
            let findings = self.store.findings(&Default::default()).await?;
            let operations = self.store.operations().await?;
            let remainder = self.store.remainder().await?;
            let not_met = self.store.state("not-met").await?;
            Ok::<_, probity_store::StoreError>((
                inventory, settings, outcomes, findings, operations, remainder, not_met,
            ))
        })?;
        let (inventory, settings, outcomes, findings, operations, remainder, not_met) = stored;
        self.not_met = not_met.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if let Some(bytes) = inventory {
            match Inventory::restore(&bytes) {
                Ok(inventory) => self.inventory = inventory,
                Err(problem) => {
                    warn!("the inventory snapshot is of another version, records are folded anew: {problem}")
                }
            }
        }
        self.inventory.settings = settings;
        self.findings = findings.into_iter().map(|finding| (finding.id.clone(), finding)).collect();
        self.outcomes = outcomes
            .into_iter()
            .filter(|outcome| outcome.catalogue == self.catalogue)
            .map(|outcome| ((outcome.subject.clone(), outcome.check.clone()), outcome))
            .collect();
        for operation in operations {
            let digest = inventory::operation_digest(&operation)?;
            self.recorded_operations.insert(operation.id, digest);
        }
        for row in remainder {
            match row.kind.as_str() {
                "exception" => self.remainder.exceptions.push(serde_json::from_value(row.document)?),
                _ => self.remainder.attestations.push(serde_json::from_value(row.document)?),
            }
        }
        self.record_catalogue(at)
    }

    /// One leaf whenever another catalogue comes into force.
    fn record_catalogue(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.record_once("catalogue", LeafKind::Catalogue, "catalogue", self.catalogue, at)
    }

    /// Appends a leaf when `digest` differs from what `key` recorded last.
    fn record_once(
        &self,
        key: &str,
        kind: LeafKind,
        subject: &str,
        digest: Digest,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let key = format!("recorded:{key}");
        let known = self.handle.block_on(self.store.state(&key))?;
        if known.as_deref() == Some(digest.0.as_slice()) {
            return Ok(());
        }
        self.append(&[leaf(kind, subject, digest, at)])?;
        Ok(self.handle.block_on(self.store.put_state(&key, &digest.0))?)
    }

    fn append(&self, leaves: &[Leaf]) -> anyhow::Result<std::ops::Range<u64>> {
        let mut first = None;
        let mut end = 0;
        for chunk in leaves.chunks(probity_ledger::MAX_BATCH) {
            let range = self.ledger.append(LogId::Evidence, chunk)?;
            first.get_or_insert(range.start);
            end = range.end;
        }
        self.keep_checkpoint(LogId::Evidence)?;
        Ok(first.unwrap_or(end)..end)
    }

    /// The newest checkpoint stands in the store too: a log that was rolled back disagrees with it at the next start.
    fn keep_checkpoint(&self, log: LogId) -> anyhow::Result<()> {
        let text = self.ledger.checkpoint(log);
        let key = format!("checkpoint:{}", log.as_str());
        Ok(self.handle.block_on(self.store.put_state(&key, text.as_str().as_bytes()))?)
    }

    fn compare_with_checkpoints(&self) -> anyhow::Result<()> {
        for log in LogId::ALL {
            let key = format!("checkpoint:{}", log.as_str());
            let Some(kept) = self.handle.block_on(self.store.state(&key))? else { continue };
            let kept =
                probity_ledger::Checkpoint::parse(&String::from_utf8_lossy(&kept)).with_context(|| {
                    format!("the checkpoint of the {} log in the store is not one", log.as_str())
                })?;
            self.ledger.expect(log, &kept)?;
        }
        Ok(())
    }

    /// Who acts now.
    fn actor(&self) -> &str {
        self.caller.as_deref().unwrap_or(&self.actor)
    }

    /// An administrative act: kept in the store, its digest, which covers who acted, in the ledger.
    fn act(&self, kind: &str, mut document: Value, at: Timestamp) -> anyhow::Result<()> {
        if let Some(document) = document.as_object_mut() {
            document.insert("by".to_owned(), self.actor().into());
        }
        let canonical = probity_model::evidence::canonical(&document)?;
        let digest = Digest(probity_ledger::sha256(&canonical));
        let range = self.append(&[leaf(LeafKind::AdministrativeAct, kind, digest, at)])?;
        let act = probity_store::Act {
            at,
            actor: self.actor().to_owned(),
            kind: kind.to_owned(),
            document,
            digest,
            ledger_index: Some(range.start),
        };
        self.handle.block_on(self.store.put_act(&act))?;
        Ok(())
    }

    /// Segments that closed while nobody could write their leaf.
    fn catch_up_segments(&mut self) -> anyhow::Result<()> {
        let known = self.handle.block_on(self.store.segments())?;
        let known: BTreeSet<&str> = known.iter().map(|row| row.file.as_str()).collect();
        let missed = self.events.closed_segments();
        for segment in missed.iter().filter(|segment| !known.contains(segment.file.as_str())) {
            self.record_segment(segment)?;
        }
        // Those that recovery closed were among them.
        while self.closed_segments.try_recv().is_ok() {}
        Ok(())
    }

    fn record_closed_segments(&mut self) -> anyhow::Result<()> {
        while let Ok(segment) = self.closed_segments.try_recv() {
            self.record_segment(&segment)?;
        }
        Ok(())
    }

    fn record_segment(&mut self, segment: &ClosedSegment) -> anyhow::Result<()> {
        let subject = format!("{} {}-{}", segment.file, segment.first_sequence, segment.last_sequence);
        let digest = Digest(segment.digest);
        let range = self.append(&[leaf(LeafKind::Segment, &subject, digest, segment.closed_at)])?;
        let row = SegmentRow {
            file: segment.file.clone(),
            first_sequence: segment.first_sequence,
            last_sequence: segment.last_sequence,
            records: segment.records,
            digest,
            ledger_index: Some(range.start),
            closed_at: segment.closed_at,
            deleted_at: None,
        };
        Ok(self.handle.block_on(self.store.put_segment(&row))?)
    }

    /// Gaps become leaves, once each: those found when the records were opened, and those of a failing disk since.
    fn record_gaps(&mut self, at: Timestamp) -> anyhow::Result<()> {
        let gaps = self.events.gaps();
        if gaps.len() == self.gaps_recorded {
            return Ok(());
        }
        self.gaps_recorded = gaps.len();
        for gap in gaps {
            let document = serde_json::to_value(gap)?;
            let digest = Digest(probity_ledger::sha256(&probity_model::evidence::canonical(&document)?));
            let subject = format!("gap {digest}");
            self.record_once(&subject, LeafKind::Gap, "gap", digest, at)?;
        }
        Ok(())
    }

    fn enforce_retention(&mut self, at: Timestamp) -> anyhow::Result<()> {
        let deleted = self.events.enforce_retention(at);
        for deletion in deleted {
            let segment = deletion.segment;
            info!(file = %segment.file, "a segment was deleted by retention");
            let subject = format!("{} {}-{}", segment.file, segment.first_sequence, segment.last_sequence);
            let digest = Digest(segment.digest);
            self.append(&[leaf(LeafKind::RetentionDeletion, &subject, digest, at)])?;
            let kept = self.handle.block_on(self.store.segments())?;
            let Some(known) = kept.into_iter().find(|row| row.file == segment.file) else { continue };
            let row = SegmentRow { deleted_at: Some(deletion.deleted_at), ..known };
            self.handle.block_on(self.store.put_segment(&row))?;
        }
        Ok(())
    }
}

fn leaf(kind: LeafKind, subject: &str, digest: Digest, at: Timestamp) -> Leaf {
    let mut subject = subject.to_owned();
    while subject.len() > probity_ledger::MAX_SUBJECT_BYTES {
        subject.pop();
    }
    Leaf { kind, subject, digest: digest.0, at: at.as_millis().max(0) }
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn tenant(options: &OpenOptions) -> String {
    options.loaded.as_ref().map_or_else(|| known_tenant(&options.data), |loaded| loaded.config.tenant.clone())
}

/// The tenant that a data folder was made for; commands without a configuration use it.
fn known_tenant(data: &Path) -> String {
    std::fs::read_to_string(data.join(TENANT))
        .map_or_else(|_| "default".to_owned(), |text| text.trim().to_owned())
}

/// The gateway whose records the folder holds; commands without a configuration read them as its own.
fn gateway(options: &OpenOptions) -> GatewayId {
    let configured = options.loaded.as_ref().map(|loaded| loaded.config.gateway.id.clone());
    let known = || std::fs::read_to_string(options.data.join("gateway")).ok();
    let id = configured.or_else(known).unwrap_or_else(|| GatewayConfig::default().id);
    GatewayId::new(id.trim())
}

/// The configuration that was in force last, read again: commands on a data folder go by it.
fn last_configuration(data: &Path) -> anyhow::Result<Option<Loaded>> {
    let Ok(file) = std::fs::read_to_string(data.join(CONFIGURATION)) else { return Ok(None) };
    Loaded::read(Path::new(file.trim())).map(Some).map_err(|faults| {
        anyhow::anyhow!("the configuration that was in force last cannot be used:\n{}", lines(&faults))
    })
}

fn store_target(options: &OpenOptions) -> Target {
    match options.loaded.as_ref().and_then(|loaded| loaded.config.store.url.clone()) {
        Some(url) => Target::Postgres(url),
        None => Target::Sqlite(options.data.join("probity.sqlite")),
    }
}

/// One writer: the folder is locked for the life of the process.
fn lock(data: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot create the data folder `{}`", data.display()))?;
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!(
                "another probity works in `{}`; stop it, or name another folder with --data",
                data.display()
            )
        }
        Err(std::fs::TryLockError::Error(problem)) => {
            Err(problem).with_context(|| format!("cannot lock `{}`", path.display()))
        }
    }
}

fn open_events(
    options: &OpenOptions,
    gateway: &GatewayId,
    vault: &Arc<Vault>,
    inbox: &Inbox,
    closed: std::sync::mpsc::Sender<ClosedSegment>,
) -> anyhow::Result<Events> {
    let mut settings = Options::default();
    if let Some(loaded) = &options.loaded {
        settings.keep_days = loaded.config.events.keep.days;
        settings.keep_bytes = loaded.config.events.keep.bytes.0;
        settings.on_full = loaded.config.events.on_full;
    }
    let keys = Arc::new(VaultSegmentKeys(vault.clone()));
    let (events, recovery) = Events::open(&options.data.join("events"), gateway.clone(), keys, settings)
        .context("cannot open the records")?;
    for cut in &recovery.truncated {
        warn!(file = %cut.file, bytes = cut.bytes, "a tail that a crash left unfinished was cut");
    }
    for damage in &recovery.damage {
        warn!(file = %damage.file, offset = damage.offset, "records cannot be read: {}", damage.what);
    }
    if let Some(problem) = &recovery.problem {
        warn!("the records are not as they should be: {problem}");
    }
    for segment in recovery.closed {
        let _ = closed.send(segment);
    }
    let synced = inbox.clone();
    events.on_synced(Box::new(move |batch: &[Exchange]| synced.offer(Message::Synced(batch.to_vec()))));
    events.on_segment_closed(Box::new(move |segment| {
        let _ = closed.send(segment);
    }));
    Ok(events)
}

#[cfg(test)]
mod tests;
