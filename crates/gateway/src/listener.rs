//! Listeners: sockets, who may speak clear text, and the hand-over of connections to workers.
//!
//! One task accepts for a listener and gives each connection to the next worker. TLS settings are read at each
//! connection, so that a reload touches none that is open.

use std::net::{IpAddr, SocketAddr, TcpStream as StdStream};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use probity_model::bundle::{Bundle, Listener as ListenerSpec, TlsVersion};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::bundle::BundleRefusal;
use crate::certificate::{CertificateFacts, Expiry};
use crate::gateway::Shared;
use crate::plan::Cidr;
use crate::tls::{self, ServerTls};

const BACKLOG: i32 = 1024;
/// Rest after the system could not give a connection (out of descriptors), so that the loop does not spin.
const ACCEPT_REST: std::time::Duration = std::time::Duration::from_millis(50);

/// Facts of one listener, for checks and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTransport {
    pub name: String,
    pub address: SocketAddr,
    pub tls: bool,
    pub minimum: Option<TlsVersion>,
    pub loopback: bool,
    /// Clear text beyond loopback was asked for.
    pub clear_text_allowed: bool,
    /// IANA names of what the listener is able to negotiate.
    pub suites: Vec<String>,
    /// Leaf first.
    pub certificates: Vec<CertificateFacts>,
}

/// What connections of a listener need to know of it.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub name: Arc<str>,
    pub address: SocketAddr,
    pub tls: ArcSwapOption<ServerTls>,
    /// Whose word on who connected is taken; where there is nobody, connections are what they look like.
    pub proxies: ArcSwapOption<Vec<Cidr>>,
}

/// A listener that serves.
#[derive(Debug)]
pub(crate) struct Open {
    pub spec: ListenerSpec,
    pub entrance: Arc<Entrance>,
    accepting: AbortHandle,
}

/// A listener that was checked and bound, and does not accept yet: an apply that fails later drops it.
#[derive(Debug)]
pub(crate) struct Bound {
    spec: ListenerSpec,
    socket: std::net::TcpListener,
    settings: Settings,
}

/// What may change under a listener that serves.
#[derive(Debug, Default)]
struct Settings {
    tls: Option<ServerTls>,
    proxies: Option<Vec<Cidr>>,
}

/// What a bundle asks of the listeners, checked and bound as far as it can be without touching those that serve.
#[derive(Debug, Default)]
pub(crate) struct Change {
    new: Vec<Bound>,
    reloaded: Vec<(ListenerSpec, Settings)>,
}

impl Change {
    /// `self_signed` is the folder of certificates that a workplace made for itself, where this is one.
    pub fn prepare(
        bundle: &Bundle,
        open: &[Open],
        self_signed: Option<&Path>,
    ) -> Result<Self, BundleRefusal> {
        let mut change = Self::default();
        for (index, spec) in bundle.listeners.iter().enumerate() {
            if bundle.listeners.iter().take(index).any(|other| other.name == spec.name) {
                return Err(BundleRefusal::ListenerRepeated(spec.name.clone()));
            }
            let address = check_address(spec)?;
            let settings = Settings::of(spec, self_signed)?;
            if open.iter().any(|open| open.is_at(spec)) {
                change.reloaded.push((spec.clone(), settings));
            } else {
                change.new.push(Bound { socket: bind(spec, address)?, spec: spec.clone(), settings });
            }
        }
        Ok(change)
    }

    /// Makes it so: new ones accept, known ones get their new TLS, the others stop accepting.
    pub fn enact(self, open: &mut Vec<Open>, shared: &Arc<Shared>) -> std::io::Result<()> {
        let mut next = Vec::with_capacity(self.new.len() + self.reloaded.len());
        for bound in self.new {
            next.push(bound.open(shared)?);
        }
        for (spec, settings) in self.reloaded {
            if let Some(at) = open.iter().position(|open| open.is_at(&spec)) {
                let mut kept = open.swap_remove(at);
                kept.entrance.tls.store(settings.tls.map(Arc::new));
                kept.entrance.proxies.store(settings.proxies.map(Arc::new));
                kept.spec = spec;
                next.push(kept);
            }
        }
        open.iter().for_each(Open::close);
        *open = next;
        let expiries = open.iter().flat_map(Open::expiries).collect::<std::collections::BTreeSet<_>>();
        shared.expiries.store(Arc::new(expiries.into_iter().collect()));
        Ok(())
    }
}

impl Settings {
    fn of(spec: &ListenerSpec, self_signed: Option<&Path>) -> Result<Self, BundleRefusal> {
        let name = || spec.name.clone();
        let tls =
            match &spec.tls {
                Some(tls) => Some(tls::server(&spec.name, tls, self_signed).map_err(|source| {
                    BundleRefusal::ListenerTls { name: name(), source: Box::new(source) }
                })?),
                None => None,
            };
        let proxies = match &spec.proxy_protocol {
            Some(proxy) => Some(
                proxy
                    .trusted
                    .iter()
                    .map(|text| {
                        Cidr::parse(text)
                            .ok_or_else(|| BundleRefusal::Proxy { name: name(), address: text.clone() })
                    })
                    .collect::<Result<_, _>>()?,
            ),
            None => None,
        };
        Ok(Self { tls, proxies })
    }
}

impl Open {
    /// Whether this is the listener that the specification means: the same address under the same name, or, where the
    /// system does not choose the port, under another. Its TLS may come, go or change.
    fn is_at(&self, spec: &ListenerSpec) -> bool {
        self.spec.address == spec.address && (self.spec.name == spec.name || !spec.address.ends_with(":0"))
    }

    fn expiries(&self) -> Vec<Expiry> {
        let tls = self.entrance.tls.load();
        tls.as_ref().map(|tls| Expiry::of(&self.spec.name, &tls.certificates)).unwrap_or_default()
    }

    pub fn close(&self) {
        self.accepting.abort();
    }

    pub fn transport(&self) -> ListenerTransport {
        let tls = self.entrance.tls.load();
        ListenerTransport {
            name: self.spec.name.clone(),
            address: self.entrance.address,
            tls: tls.is_some(),
            minimum: self.spec.tls.as_ref().map(|tls| tls.minimum),
            loopback: is_loopback(self.entrance.address.ip()),
            clear_text_allowed: self.spec.clear_text_allowed,
            suites: tls.as_ref().map(|tls| tls.suites.clone()).unwrap_or_default(),
            certificates: tls.as_ref().map(|tls| tls.certificates.clone()).unwrap_or_default(),
        }
    }
}

impl Bound {
    fn open(self, shared: &Arc<Shared>) -> std::io::Result<Open> {
        let address = self.socket.local_addr()?;
        let entrance = Arc::new(Entrance {
            name: self.spec.name.as_str().into(),
            address,
            tls: ArcSwapOption::new(self.settings.tls.map(Arc::new)),
            proxies: ArcSwapOption::new(self.settings.proxies.map(Arc::new)),
        });
        let worker = shared.next_worker();
        let accept = accept(self.socket, Arc::clone(&entrance), Arc::clone(shared));
        let accepting = worker.handle.spawn(accept).abort_handle();
        Ok(Open { spec: self.spec, entrance, accepting })
    }
}

async fn accept(socket: std::net::TcpListener, entrance: Arc<Entrance>, shared: Arc<Shared>) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(listener = &*entrance.name, %error, "a listener cannot be watched");
            return;
        }
    };
    loop {
        // Taken off this reactor again: the worker that serves the connection has its own.
        match socket.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => shared.take(stream, peer, &entrance),
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::warn!(listener = &*entrance.name, %error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Errors of a connection that went away before it was accepted.
fn is_of_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

fn check_address(spec: &ListenerSpec) -> Result<SocketAddr, BundleRefusal> {
    let odd = || BundleRefusal::Address { name: spec.name.clone(), address: spec.address.clone() };
    let address: SocketAddr = spec.address.parse().map_err(|_| odd())?;
    if spec.tls.is_none() && !spec.clear_text_allowed && !is_loopback(address.ip()) {
        return Err(BundleRefusal::ClearText { name: spec.name.clone(), address: spec.address.clone() });
    }
    Ok(address)
}

pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn bind(spec: &ListenerSpec, address: SocketAddr) -> Result<std::net::TcpListener, BundleRefusal> {
    listen(address).map_err(|source| BundleRefusal::Bind {
        name: spec.name.clone(),
        address: spec.address.clone(),
        source,
    })
}

pub(crate) fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Readies a taken connection for its worker: small answers must not wait.
pub(crate) fn ready(stream: &StdStream) -> std::io::Result<()> {
    stream.set_nodelay(true)
}
