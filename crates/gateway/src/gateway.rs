//! The gateway as a value: started, given bundles, asked for facts, drained.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use probity_events::Recorder;
use probity_model::bundle::SignedBundle;
use probity_model::exchange::Tls;
use probity_model::{GatewayId, Timestamp};

use crate::bundle::{self, BundleRefusal, refusing_bundle};
use crate::certificate::Expiry;
use crate::enforce::identity::token::Revocation as TokenRevocation;
use crate::enforce::{State, limits};
use crate::ingress;
use crate::listener::{self, Change, Entrance, ListenerTransport, Open};
use crate::metrics::{BundleFacts, Metrics};
use crate::observe::Observer;
use crate::plan::Plan;
use crate::trace::Traces;
use crate::upstream::Endpoints;
use crate::watch::lock;
use crate::worker::Worker;

/// How often a drain looks whether it is done.
const DRAIN_TICK: Duration = Duration::from_millis(10);
/// The folder of the journal of quotas, beside the kept bundle.
const QUOTAS: &str = "quotas";

/// What a gateway is started with.
#[derive(Debug)]
pub struct GatewayOptions {
    pub id: GatewayId,
    pub bundle: SignedBundle,
    /// Pinned Ed25519 public key; no other signs a bundle for this gateway.
    pub bundle_key: [u8; 32],
    /// Where the last good bundle is kept.
    pub bundle_file: Option<PathBuf>,
    pub recorder: Recorder,
    /// Key behind identities, credentials and path hashes in records.
    pub identity_key: [u8; 32],
    pub identity_key_version: u16,
    /// Key that opens the sealed secrets of bundles; see [`crate::seal_secret`].
    pub sealing_key: [u8; 32],
    /// Where `/livez`, `/readyz` and `/metrics` answer, in clear text.
    pub admin: Option<SocketAddr>,
    /// Problem answers also say what went wrong behind the gateway.
    pub dev: bool,
    /// Folder of certificates that listeners with `self_signed` serve, `NAME.pem` and `NAME.key`. For workplaces:
    /// without it no self-signed certificate is served at all.
    pub self_signed: Option<PathBuf>,
    /// Where spans of calls go; none are made without it.
    pub traces: Option<Traces>,
}

/// How the data path runs. The default suits everyone but benches and tests.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Threads; one for each core when absent.
    pub workers: Option<usize>,
    /// Without it calls pass unobserved and unrecorded.
    pub observe: bool,
    /// Called inside the observing stages, so that tests can make one panic.
    #[doc(hidden)]
    pub stage_probe: Option<fn(path: &str)>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { workers: None, observe: true, stage_probe: None }
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("no worker could be started")]
    Worker(#[source] std::io::Error),
    #[error("the admin address `{address}` cannot be opened")]
    Admin { address: SocketAddr, source: std::io::Error },
    #[error("the bundle cannot be served")]
    Bundle(#[from] BundleRefusal),
    #[error("the kept bundle `{file}` cannot be read")]
    Kept { file: PathBuf, source: std::io::Error },
    #[error("no random numbers can be had")]
    Random,
}

/// Faults of a gateway since it was started, each with how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub stage_panics: u64,
    /// Calls that were refused or passed unrecorded because no record could be kept.
    pub records_refused: u64,
    pub bundle_keep_failures: u64,
}

/// A running data plane. Dropping it ends it at once; see [`Gateway::drain`].
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    admin: Option<SocketAddr>,
    /// Held while a bundle is applied: one at a time.
    listeners: Mutex<Vec<Open>>,
    bundle_key: [u8; 32],
    bundle_file: Option<PathBuf>,
}

/// What all connections of a gateway share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub dev: bool,
    self_signed: Option<PathBuf>,
    pub traces: Option<Traces>,
    /// Of the listeners in force.
    pub expiries: ArcSwap<Vec<Expiry>>,
    pub metrics: Metrics,
    pub observer: Observer,
    pub recorder: Recorder,
    plan: ArcSwap<Plan>,
    pub state: Arc<State>,
    endpoints: Endpoints,
    workers: Vec<Worker>,
    turn: AtomicUsize,
    draining: AtomicBool,
    handshakes: Mutex<BTreeMap<(Arc<str>, String), u64>>,
}

impl Gateway {
    /// Starts workers and listeners. A bundle that is not believed gives way to the kept one, else to one that refuses
    /// every call; a believed one that cannot be served (an address taken, a certificate missing) is an error.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn start(options: GatewayOptions) -> Result<Self, GatewayError> {
        Self::start_tuned(options, Tuning::default()).await
    }

    /// As [`Gateway::start`], with settings of the data path.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn start_tuned(options: GatewayOptions, tuning: Tuning) -> Result<Self, GatewayError> {
        let count =
            tuning.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
        let workers: Vec<_> =
            (0..count.max(1)).map(Worker::start).collect::<Result<_, _>>().map_err(GatewayError::Worker)?;
        let (metrics, endpoints) = (Metrics::default(), Endpoints::new(workers.len()));
        let state = Arc::new(State::default());
        if let Some(folder) = options.bundle_file.as_deref().and_then(Path::parent) {
            state.limits.keep_quotas(&folder.join(QUOTAS), &options.identity_key);
        }
        state.identity.tokens.unseal_with(&options.sealing_key);
        state.identity.unlock(&options.identity_key).map_err(|_| GatewayError::Random)?;
        let tokens = options.bundle_file.as_ref().map(|file| file.with_file_name("tokens"));
        state.leaks.open_tokens(&options.sealing_key, tokens.as_deref());
        let plan = Plan::build(refusing_bundle(), true, &endpoints, &metrics, &state)?;
        let observer = Observer::new(options.id, &options.identity_key, options.identity_key_version, tuning)
            .ok_or(GatewayError::Random)?;
        let shared = Arc::new(Shared {
            dev: options.dev,
            self_signed: options.self_signed,
            traces: options.traces,
            expiries: ArcSwap::default(),
            metrics,
            observer,
            recorder: options.recorder,
            plan: ArcSwap::from_pointee(plan),
            state,
            endpoints,
            workers,
            turn: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            handshakes: Mutex::default(),
        });
        shared.workers.iter().for_each(|worker| worker.keep_house(&shared));
        let admin = match options.admin {
            None => None,
            Some(address) => {
                let error = |source| GatewayError::Admin { address, source };
                let socket = listener::listen(address).map_err(error)?;
                let bound = socket.local_addr().map_err(error)?;
                shared.next_worker().handle.spawn(crate::admin::serve(socket, Arc::downgrade(&shared)));
                Some(bound)
            }
        };
        let gateway = Self {
            shared,
            admin,
            listeners: Mutex::default(),
            bundle_key: options.bundle_key,
            bundle_file: options.bundle_file,
        };
        gateway.begin(&options.bundle)?;
        Ok(gateway)
    }

    /// Puts the first bundle in force: the given one, else the kept one, else one that refuses.
    fn begin(&self, given: &SignedBundle) -> Result<(), GatewayError> {
        let kept = match &self.bundle_file {
            None => None,
            Some(file) => match bundle::kept(file) {
                Ok(kept) => kept,
                Err(source) => {
                    tracing::error!(error = %source, file = %file.display(), "the kept bundle cannot be read");
                    None
                }
            },
        };
        // A kept bundle of another key says nothing, not even its revision.
        let kept = kept.filter(|kept| bundle::verify(kept, &self.bundle_key, None).is_ok());
        let floor = kept
            .as_ref()
            .and_then(|kept| bundle::verify(kept, &self.bundle_key, None).ok())
            .map(|b| b.revision);
        let refusal = match bundle::verify(given, &self.bundle_key, floor) {
            Ok(_) => return Ok(self.apply(given.clone()).map(|_| ())?),
            Err(refusal) => refusal,
        };
        tracing::error!(error = %refusal, "the bundle is refused");
        if let Some(kept) = kept {
            tracing::warn!("the bundle kept last is in force");
            return Ok(self.apply(kept).map(|_| ())?);
        }
        tracing::error!("there is no good bundle: every call is answered 503");
        let mut listeners = lock(&self.listeners);
        let change = Change::prepare(&refusing_bundle(), &listeners, None)?;
        change.enact(&mut listeners, &self.shared).map_err(GatewayError::Worker)
    }

    /// Puts a bundle in force and gives its revision. One that is refused changes nothing. Open connections go on, with
    /// the new bundle from their next call.
    ///
    /// # Errors
    /// [`BundleRefusal`] says what is wrong with it.
    pub fn apply(&self, signed: SignedBundle) -> Result<u64, BundleRefusal> {
        let mut listeners = lock(&self.listeners);
        if self.shared.is_draining() {
            return Err(BundleRefusal::Stopped);
        }
        let current = self.shared.plan();
        let floor = (!current.refusing).then_some(current.bundle.revision);
        let bundle = bundle::verify(&signed, &self.bundle_key, floor)?;
        let revision = bundle.revision;
        let change = Change::prepare(&bundle, &listeners, self.shared.self_signed.as_deref())?;
        let plan =
            Plan::build(bundle, false, &self.shared.endpoints, &self.shared.metrics, &self.shared.state)?;
        self.shared.plan.store(Arc::new(plan));
        self.shared.watch_upstreams();
        change.enact(&mut listeners, &self.shared).map_err(|source| BundleRefusal::Bind {
            name: "new".into(),
            address: String::new(),
            source,
        })?;
        if let Some(file) = &self.bundle_file
            && let Err(error) = bundle::keep(file, &signed)
        {
            // It is in force all the same: a full disk must not hold back a rule.
            self.shared.metrics.bundle_keep_failures.fetch_add(1, Relaxed);
            tracing::error!(%error, file = %file.display(), "the bundle in force cannot be kept");
        }
        tracing::info!(revision, "bundle in force");
        Ok(revision)
    }

    /// Ends a credential of an issuer with the next call, whatever its proof says and whoever remembers it. It holds for
    /// the life of this process: what is to last stands in the bundle.
    pub fn revoke(&self, what: &TokenRevocation) {
        self.shared.state.identity.tokens.revoke(what, now());
    }

    /// Names and addresses, ports as the system chose them.
    pub fn listeners(&self) -> Vec<(String, SocketAddr)> {
        lock(&self.listeners).iter().map(|open| (open.spec.name.clone(), open.entrance.address)).collect()
    }

    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Revision of the bundle in force; 0 for the refusing one.
    pub fn revision(&self) -> u64 {
        self.shared.plan().bundle.revision
    }

    /// What each listener offers.
    pub fn transport(&self) -> Vec<ListenerTransport> {
        lock(&self.listeners).iter().map(Open::transport).collect()
    }

    /// Roles and scopes that consumers were granted, and those that a rule asked for.
    pub fn privileges(&self) -> Vec<crate::Privileges> {
        self.shared.state.authorization.privileges()
    }

    /// Handshakes since the start: listener, `TLSv1.3 TLS_AES_128_GCM_SHA256`, count.
    pub fn handshakes(&self) -> Vec<(String, String, u64)> {
        let handshakes = lock(&self.shared.handshakes);
        handshakes
            .iter()
            .map(|((listener, what), count)| (listener.to_string(), what.clone(), *count))
            .collect()
    }

    /// What has gone wrong since the start.
    pub fn health(&self) -> Health {
        let metrics = &self.shared.metrics;
        Health {
            stage_panics: metrics.stage_panics.load(Relaxed),
            records_refused: metrics.records_refused.load(Relaxed),
            bundle_keep_failures: metrics.bundle_keep_failures.load(Relaxed),
        }
    }

    /// Prometheus text, as `/metrics` gives it.
    pub fn metrics(&self) -> String {
        self.shared.metrics_text()
    }

    /// Stops accepting, lets open calls end for so long, then ends the rest. `true` if none had to be cut.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.shared.draining.store(true, Relaxed);
        {
            let mut listeners = lock(&self.listeners);
            listeners.iter().for_each(Open::close);
            listeners.clear();
        }
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if self.shared.metrics.connections.load(Relaxed) == 0 {
                self.shared.state.limits.close();
                return true;
            }
            self.shared.workers.iter().for_each(|worker| worker.watches.wake_all());
            if tokio::time::Instant::now() >= deadline {
                tracing::warn!("calls were cut at the end of the drain");
                self.shared.workers.iter().for_each(Worker::stop);
                self.shared.state.limits.close();
                return false;
            }
            tokio::time::sleep(DRAIN_TICK).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        lock(&self.listeners).drain(..).for_each(|open| open.close());
        self.shared.workers.iter().for_each(Worker::join);
        self.shared.state.limits.close();
    }
}

impl Shared {
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether calls can be served: a real bundle is in force and nothing ends.
    pub fn is_ready(&self) -> bool {
        !self.is_draining() && !self.plan.load().refusing
    }

    /// Starts the health checks of the plan in force; those of plans before end by themselves.
    fn watch_upstreams(&self) {
        for (endpoint, check) in self.plan().services().flat_map(crate::plan::Service::checked) {
            let worker = self.next_worker();
            let generation = endpoint.health.next_generation();
            worker.handle.spawn(crate::upstream::watch(
                Arc::downgrade(endpoint),
                check.clone(),
                generation,
                worker.index,
            ));
        }
    }

    pub fn next_worker(&self) -> &Worker {
        let turn = self.turn.fetch_add(1, Relaxed);
        #[allow(
            clippy::indexing_slicing,
            reason = "there is at least one worker, and the index is taken modulo"
        )]
        &self.workers[turn % self.workers.len()]
    }

    /// Gives a connection to a worker, or closes it where there are too many.
    pub fn take(self: &Arc<Self>, stream: StdStream, peer: SocketAddr, entrance: &Arc<Entrance>) {
        let plan = self.plan.load();
        let limits = &plan.bundle.limits;
        if self.metrics.connections.load(Relaxed) >= u64::from(limits.connections) {
            self.metrics.refused("too-many-connections");
            return;
        }
        // Behind a load balancer it is known later whose connection this is.
        let seated = match entrance.proxies.load().is_some() {
            true => Ok(None),
            false => self.seat(peer.ip().to_canonical(), entrance),
        };
        let seated = match seated {
            Ok(seated) => seated,
            Err(reason) => return self.metrics.refused(reason),
        };
        if let Err(error) = listener::ready(&stream) {
            tracing::debug!(%error, "a connection was lost before it was served");
            return;
        }
        let worker = self.next_worker();
        let seat = ingress::Seat::new(Arc::clone(self), worker.index, &worker.watches, seated);
        let entrance = Arc::clone(entrance);
        worker.handle.spawn(ingress::serve(seat, stream, peer, entrance));
    }

    /// Counts a connection for its address; a name for why it may not be.
    pub fn seat(&self, address: IpAddr, entrance: &Entrance) -> Result<Option<limits::Seated>, &'static str> {
        let plan = self.plan.load();
        if plan.is_trusted(address) {
            return Ok(None);
        }
        limits::Memory::seat(&self.state, address, &plan.bundle.limits, entrance.tls.load().is_some())
    }

    pub fn count_handshake(&self, listener: &Arc<str>, tls: &Tls) {
        let what = format!("{} {}", tls.version, tls.suite);
        *lock(&self.handshakes).entry((Arc::clone(listener), what)).or_default() += 1;
    }

    pub fn metrics_text(&self) -> String {
        let plan = self.plan();
        let age = now().since(plan.bundle.created_at) / probity_model::time::MICROS_PER_SECOND;
        let mut text = self.metrics.text(BundleFacts {
            revision: plan.bundle.revision,
            age_seconds: u64::try_from(age).unwrap_or(0),
            draining: self.is_draining(),
            record_refusing: self.recorder.refusing(),
            spans_dropped: self.traces.as_ref().map(|traces| traces.dropped.load(Relaxed)),
        });
        let upstreams: BTreeSet<&Expiry> = plan.endpoints().flat_map(|endpoint| &endpoint.expiries).collect();
        crate::metrics::write_expiries(&mut text, &self.expiries.load(), &upstreams, now());
        text
    }
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
