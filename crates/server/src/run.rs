//! `probity up`: the control loop, the gateway, the control socket, the alerts and the watch on what the configuration
//! names, in one process, started together and stopped in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::Context;
use notify::{RecursiveMode, Watcher};
use probity_gateway::{Gateway, GatewayOptions, Traces};
use probity_model::bundle::SignedBundle;
use probity_model::{GatewayId, SubjectFacts};
use probity_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::app::{App, Command, Inbox, Message, OpenOptions, Reply};
use crate::clock::now;
use crate::sources::Loaded;
use crate::{control, plane, telemetry, webhook, workplace};

/// Changes of watched files are taken together for so long.
const SETTLE: Duration = Duration::from_millis(200);
/// Where the gateway keeps its bundle, in the data folder.
const BUNDLE_FILE: &str = "bundle.json";
/// For the last traces at the end.
const LAST_TRACES: Duration = Duration::from_secs(2);
const PLANE_EVERY: Duration = Duration::from_secs(1);

/// A running Probity.
pub struct Running {
    gateway: Arc<Gateway>,
    inbox: Inbox,
    control: std::thread::JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
    config: PathBuf,
    reread: Arc<Notify>,
    drain: Duration,
    /// Tells the exporter of traces to send what is left.
    traces: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    /// Kept alive: dropping it ends the watch.
    _watcher: Option<notify::RecommendedWatcher>,
    pub notes: Vec<String>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What the control thread hands out once the app is open.
struct Opened {
    inbox: Inbox,
    recorder: probity_events::Recorder,
    bundle: SignedBundle,
    bundles: watch::Receiver<Option<SignedBundle>>,
    bundle_key: [u8; 32],
    identity_key: [u8; 32],
    sealing_key: [u8; 32],
    store: Store,
    wake: Arc<Notify>,
    notes: Vec<String>,
}

/// Opens the state, compiles the bundle and starts listening. `dev` makes this a workplace: listeners may serve
/// certificates that they made for themselves, and problems say more.
pub async fn start(options: OpenOptions, dev: bool) -> anyhow::Result<Running> {
    let loaded = options.loaded.clone().context("`up` needs a configuration")?;
    let data = options.data.clone();
    let receivers = webhook::receivers(&loaded)?;
    let (traces, exporter) = telemetry::exporter(&loaded)?.unzip();
    let (send, opened) = oneshot::channel();
    let handle = Handle::current();
    let control = std::thread::Builder::new()
        .name("probity-control".to_owned())
        .spawn(move || control_thread(options, handle, send))
        .context("cannot start the control thread")?;
    let opened = opened.await.context("the control thread ended early")??;
    let self_signed = dev.then(|| workplace::folder(&data));
    let gateway = start_gateway(&loaded, &data, &opened, self_signed.clone(), traces).await?;
    let traces = exporter.map(|exporter| {
        let (stop, stopped) = oneshot::channel();
        (stop, tokio::spawn(exporter.run(stopped)))
    });
    let published = opened.bundles.clone();
    let reread = Arc::new(Notify::new());
    let mut tasks = vec![
        tokio::spawn(apply_bundles(opened.bundles, gateway.clone(), self_signed, reread.clone())),
        tokio::spawn(state_plane(
            gateway.clone(),
            opened.inbox.clone(),
            GatewayId::new(&loaded.config.gateway.id),
            published,
            data.join(BUNDLE_FILE),
        )),
    ];
    let socket = control::listen(&data)?;
    let inbox = opened.inbox.clone();
    tasks.push(tokio::spawn(async move {
        if let Err(problem) = control::serve(socket, inbox).await {
            error!("the control socket ended: {problem}");
        }
    }));
    if !receivers.is_empty() {
        tasks.push(tokio::spawn(webhook::run(opened.store, receivers, opened.wake)));
    }
    let (watcher, watching) = watch_files(&loaded, opened.inbox.clone(), reread.clone());
    tasks.extend(watching);
    Ok(Running {
        gateway,
        inbox: opened.inbox,
        control,
        tasks,
        config: loaded.file.clone(),
        reread,
        drain: loaded.config.gateway.timeouts.drain.into(),
        traces,
        _watcher: watcher,
        notes: opened.notes,
    })
}

fn control_thread(options: OpenOptions, handle: Handle, send: oneshot::Sender<anyhow::Result<Opened>>) {
    let opened = App::open(options, handle).and_then(|(mut app, receiver)| {
        let opened = hand_out(&mut app)?;
        Ok((app, receiver, opened))
    });
    let (app, receiver): (App, Receiver<Message>) = match opened {
        Ok((app, receiver, opened)) => {
            if send.send(Ok(opened)).is_err() {
                return;
            }
            (app, receiver)
        }
        Err(problem) => {
            let _ = send.send(Err(problem));
            return;
        }
    };
    app.run(&receiver);
}

fn hand_out(app: &mut App) -> anyhow::Result<Opened> {
    let bundle = app.publish_bundle(now())?;
    let seed = app.vault().signing_seed("bundle")?;
    let identity = app.vault().signing_seed("identity")?;
    Ok(Opened {
        inbox: app.inbox(),
        recorder: app.recorder(),
        bundles: app.bundles(),
        bundle_key: probity_gateway::bundle_public_key(seed.expose())
            .context("the bundle key is not usable")?,
        identity_key: *identity.expose(),
        sealing_key: *app.vault().signing_seed(crate::bundle::issuer::SEALING_SEED)?.expose(),
        store: app.store().clone(),
        wake: app.webhooks_wake(),
        notes: app.notes(),
        bundle,
    })
}

async fn start_gateway(
    loaded: &Loaded,
    data: &Path,
    opened: &Opened,
    self_signed: Option<PathBuf>,
    traces: Option<Traces>,
) -> anyhow::Result<Arc<Gateway>> {
    if let Some(folder) = &self_signed {
        workplace::prepare(&opened.bundle, folder, now())?;
    }
    let config = &loaded.config.gateway;
    let admin = config.admin.as_deref().map(str::parse).transpose().with_context(|| {
        format!(
            "admin address `{}` is not one, expected `address:port`",
            config.admin.as_deref().unwrap_or_default()
        )
    })?;
    let gateway = Gateway::start(GatewayOptions {
        id: GatewayId::new(&config.id),
        bundle: opened.bundle.clone(),
        bundle_key: opened.bundle_key,
        bundle_file: Some(data.join(BUNDLE_FILE)),
        recorder: opened.recorder.clone(),
        identity_key: opened.identity_key,
        identity_key_version: 1,
        sealing_key: opened.sealing_key,
        admin,
        dev: self_signed.is_some(),
        self_signed,
        traces,
    })
    .await?;
    Ok(Arc::new(gateway))
}

async fn apply_bundles(
    mut bundles: watch::Receiver<Option<SignedBundle>>,
    gateway: Arc<Gateway>,
    self_signed: Option<PathBuf>,
    reread: Arc<Notify>,
) {
    loop {
        tokio::select! {
            changed = bundles.changed() => if changed.is_err() { return },
            // The bundle names certificates and lists by their files: those may be others now.
            () = reread.notified() => {}
        }
        let bundle = bundles.borrow_and_update().clone();
        let Some(bundle) = bundle else { continue };
        if let Some(folder) = &self_signed
            && let Err(problem) = workplace::prepare(&bundle, folder, now())
        {
            error!("{problem:#}");
        }
        match gateway.apply(bundle) {
            Ok(revision) => info!(revision, "the newest bundle is in force"),
            Err(problem) => error!("a bundle was refused, the previous one stays: {problem}"),
        }
    }
}

/// Facts of the gateway and its listeners as the gateway states them, whenever they may have changed.
async fn state_plane(
    gateway: Arc<Gateway>,
    inbox: Inbox,
    id: GatewayId,
    mut published: watch::Receiver<Option<SignedBundle>>,
    bundle_file: PathBuf,
) {
    let mut known: Option<Vec<SubjectFacts>> = None;
    let mut newest = 0;
    loop {
        // A bundle that was published since the last look may be on its way; only what was there before counts.
        let settled = newest;
        if newest == 0 || published.has_changed().unwrap_or(false) {
            newest = published.borrow_and_update().as_ref().and_then(revision_of).unwrap_or(newest);
        }
        let mut facts = plane::listener_facts(&gateway, &id, now());
        facts.push(plane::health_facts(&gateway, &id, settled, &bundle_file, now()));
        if known.as_ref() != Some(&facts) {
            let message = Message::Plane(facts.clone());
            let sender = inbox.clone();
            let sent = tokio::task::spawn_blocking(move || sender.send(message)).await;
            if !sent.unwrap_or(false) {
                return;
            }
            known = Some(facts);
        }
        tokio::time::sleep(PLANE_EVERY).await;
    }
}

fn revision_of(signed: &SignedBundle) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Revision {
        revision: u64,
    }
    serde_json::from_str::<Revision>(&signed.bundle).ok().map(|bundle| bundle.revision)
}

/// Watches the folders of every file that the configuration names: editors replace files, so a watch on a file would
/// end with its first change.
fn watch_files(
    loaded: &Loaded,
    inbox: Inbox,
    reread: Arc<Notify>,
) -> (Option<notify::RecommendedWatcher>, Option<JoinHandle<()>>) {
    let files = loaded.named_files();
    let (send, mut changes) = tokio::sync::mpsc::channel::<()>(1);
    let watched = files.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let touches = event
            .paths
            .iter()
            .any(|path| watched.iter().any(|file| path == file || path.file_name() == file.file_name()));
        if touches && !matches!(event.kind, notify::EventKind::Access(_)) {
            let _ = send.try_send(());
        }
    });
    let mut watcher = match watcher {
        Ok(watcher) => watcher,
        Err(problem) => {
            warn!("files are not watched, reload with SIGHUP: {problem}");
            return (None, None);
        }
    };
    let folders: std::collections::BTreeSet<PathBuf> =
        files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
    for folder in folders {
        if let Err(problem) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            warn!("`{}` is not watched, reload with SIGHUP: {problem}", folder.display());
        }
    }
    let config = loaded.file.clone();
    let task = tokio::spawn(async move {
        while changes.recv().await.is_some() {
            tokio::time::sleep(SETTLE).await;
            while changes.try_recv().is_ok() {}
            reload(&inbox, &config, &reread).await;
        }
    });
    (Some(watcher), Some(task))
}

async fn reload(inbox: &Inbox, config: &Path, reread: &Notify) {
    match inbox.command(Command::Reload { file: config.to_path_buf() }).await {
        Ok(Reply::Reloaded { changed: true, revision }) => info!(revision, "the configuration was reloaded"),
        Ok(_) => reread.notify_one(),
        Err(problem) => error!("the configuration was refused, the previous one stays:\n{problem}"),
    }
}

impl Running {
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }
    /// SIGHUP.
    pub async fn reload(&self) {
        reload(&self.inbox, &self.config, &self.reread).await;
    }

    /// Stops accepting, lets open calls end, closes the slot.
    pub async fn stop(self) {
        self.gateway.drain(self.drain).await;
        if let Some((stop, exporter)) = self.traces {
            // What is left is sent once; a collector that is away holds nothing up.
            let _ = stop.send(());
            let _ = tokio::time::timeout(LAST_TRACES, exporter).await;
        }
        let (done, stopped) = oneshot::channel();
        let inbox = self.inbox.clone();
        let sent = tokio::task::spawn_blocking(move || inbox.send(Message::Stop(done))).await;
        if sent.unwrap_or(false) {
            let _ = stopped.await;
        }
        for task in &self.tasks {
            task.abort();
        }
        let control = self.control;
        let _ = tokio::task::spawn_blocking(move || control.join()).await;
    }
}
