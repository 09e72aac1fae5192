//! Upstreams: their connections, kept and new. What is sent over them is [`crate::ingress`]'s.
//!
//! An [`Endpoint`] outlives bundles: one that stays the same from revision to revision keeps its connections. Each
//! worker has its own pool, so that no call ever crosses threads.

mod connect;
mod health;

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use bytes::Bytes;
use h2::client::SendRequest;
use probity_model::ServiceId;
use probity_model::bundle::{Upstream, UpstreamProtocol};
use rustls::pki_types::ServerName;

use crate::bundle::BundleRefusal;
use crate::certificate::Expiry;
use crate::peer::Wire;
use crate::watch::lock;

pub(crate) use self::connect::{ConnectError, Fresh};
pub(crate) use self::health::{Budget, Health, watch};

/// HTTP/2 connections to one upstream, for each worker.
const MAX_H2_CONNECTIONS: usize = 4;

/// All upstreams that some bundle in use names.
#[derive(Debug)]
pub(crate) struct Endpoints {
    workers: usize,
    known: Mutex<HashMap<String, Weak<Endpoint>>>,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub upstream: Upstream,
    pub tls: Option<EndpointTls>,
    /// Of what it is verified by and of what it is shown.
    pub expiries: Vec<Expiry>,
    /// The value of `Host` where the upstream must be asked by the name that its certificate proves.
    pub host: Option<Box<[u8]>>,
    /// In clear text beyond loopback.
    pub exposed: bool,
    pub health: Health,
    pools: Vec<Mutex<Pool>>,
    /// For each worker.
    idle: usize,
}

#[derive(Debug)]
pub(crate) struct EndpointTls {
    pub config: Arc<rustls::ClientConfig>,
    pub name: ServerName<'static>,
}

#[derive(Debug, Default)]
struct Pool {
    h1: VecDeque<Idle>,
    h2: Vec<SendRequest<Bytes>>,
}

#[derive(Debug)]
struct Idle {
    wire: Box<Wire>,
    since_ms: u64,
}

/// A connection that was open already.
#[derive(Debug)]
pub(crate) enum Kept {
    H1(Box<Wire>),
    H2(SendRequest<Bytes>),
}

impl Endpoints {
    pub fn new(workers: usize) -> Self {
        Self { workers, known: Mutex::default() }
    }

    /// The endpoint for an upstream, with its connections if it is known and its files are unchanged.
    pub fn of(
        &self,
        service: &ServiceId,
        upstream: &Upstream,
        idle: u32,
    ) -> Result<Arc<Endpoint>, BundleRefusal> {
        let key = key(upstream, idle);
        let mut known = lock(&self.known);
        known.retain(|_, endpoint| endpoint.strong_count() > 0);
        if let Some(endpoint) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(endpoint);
        }
        let endpoint = Arc::new(Endpoint::new(service, upstream, idle, self.workers)?);
        known.insert(key, Arc::downgrade(&endpoint));
        Ok(endpoint)
    }
}

fn expiries(upstream: &Upstream) -> Vec<Expiry> {
    let Some(tls) = &upstream.tls else { return Vec::new() };
    let own = tls.client.as_ref().map(|own| &own.certificate_file);
    let read = |file: &String| crate::tls::certificate_facts(file.as_ref()).unwrap_or_default();
    let files = tls.ca_file.iter().chain(own);
    files.flat_map(|file| Expiry::of(&upstream.host, &read(file))).collect()
}

/// Everything that makes two upstreams the same, the bytes of the files that they name included.
fn key(upstream: &Upstream, idle: u32) -> String {
    let tls = upstream.tls.as_ref();
    let own = tls.and_then(|tls| tls.client.as_ref());
    let files = tls.and_then(|tls| tls.ca_file.as_ref()).into_iter();
    let files = files.chain(own.into_iter().flat_map(|own| [&own.certificate_file, &own.key_file]));
    let digests: Vec<_> = files
        .map(|file| std::fs::read(file).map(zeroize::Zeroizing::new).ok())
        .map(|bytes| bytes.map(|bytes| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes)))
        .collect();
    format!("{upstream:?} {idle} {digests:?}")
}

impl Endpoint {
    fn new(
        service: &ServiceId,
        upstream: &Upstream,
        idle: u32,
        workers: usize,
    ) -> Result<Self, BundleRefusal> {
        let odd_host =
            |host: &str| BundleRefusal::UpstreamHost { service: service.to_string(), host: host.into() };
        let odd_tls = |source| BundleRefusal::UpstreamTls {
            service: service.to_string(),
            host: upstream.host.clone(),
            source: Box::new(source),
        };
        if upstream.host.is_empty() || upstream.host.contains(['/', '@', ' ']) {
            return Err(odd_host(&upstream.host));
        }
        let tls = match &upstream.tls {
            None => None,
            Some(tls) => Some(EndpointTls {
                config: crate::tls::client(tls, upstream.protocol).map_err(odd_tls)?,
                name: ServerName::try_from(tls.server_name.clone())
                    .map_err(|_| odd_host(&tls.server_name))?,
            }),
        };
        let host = upstream.tls.as_ref().map(|tls| host_field(&tls.server_name, upstream.port));
        let address = upstream.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let loopback = address.map_or(upstream.host == "localhost", |address| address.is_loopback());
        Ok(Self {
            exposed: upstream.tls.is_none() && !loopback,
            health: Health::default(),
            expiries: expiries(upstream),
            upstream: upstream.clone(),
            tls,
            host,
            pools: std::iter::repeat_with(Mutex::default).take(workers).collect(),
            idle: (idle as usize).div_ceil(workers.max(1)),
        })
    }

    /// Whether a call with that much to say goes over HTTP/2 without being told so by ALPN.
    pub fn speaks_h2_in_clear(&self, grpc: bool) -> bool {
        match self.upstream.protocol {
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Auto => grpc,
            UpstreamProtocol::Http1 => false,
        }
    }

    /// A usable connection that is open already. HTTP/1.1 ones are checked for having been closed meanwhile.
    pub async fn kept(&self, worker: usize, h2: bool, now_ms: u64, idle_ms: u64) -> Option<Kept> {
        let pool = self.pools.get(worker)?;
        if self.tls.is_none() && !h2 || self.upstream.protocol == UpstreamProtocol::Http1 {
            return self.kept_h1(pool, now_ms, idle_ms).map(Kept::H1);
        }
        let open = lock(pool).h2.clone();
        let mut full = None;
        for mut sender in open {
            match poll_fn(|cx| Poll::Ready(sender.poll_ready(cx))).await {
                Poll::Ready(Ok(())) => return Some(Kept::H2(sender)),
                Poll::Ready(Err(_)) => {}
                Poll::Pending => full = Some(sender),
            }
        }
        if let Some(sender) = full
            && lock(pool).h2.len() >= MAX_H2_CONNECTIONS
        {
            return sender.ready().await.ok().map(Kept::H2);
        }
        // ALPN may have chosen HTTP/1.1.
        self.kept_h1(pool, now_ms, idle_ms).filter(|_| self.tls.is_some()).map(Kept::H1)
    }

    fn kept_h1(&self, pool: &Mutex<Pool>, now_ms: u64, idle_ms: u64) -> Option<Box<Wire>> {
        let mut pool = lock(pool);
        while let Some(mut idle) = pool.h1.pop_back() {
            if now_ms.saturating_sub(idle.since_ms) < idle_ms && !idle.wire.io.is_stale() {
                return Some(idle.wire);
            }
        }
        None
    }

    /// Keeps a connection whose call has ended cleanly; the oldest goes where there are too many.
    pub fn keep(&self, worker: usize, wire: Box<Wire>, now_ms: u64) {
        let Some(pool) = self.pools.get(worker) else { return };
        if self.idle == 0 {
            return;
        }
        let mut pool = lock(pool);
        let dropped = if pool.h1.len() >= self.idle { pool.h1.pop_front() } else { None };
        pool.h1.push_back(Idle { wire, since_ms: now_ms });
        drop(pool);
        drop(dropped);
    }

    fn keep_h2(&self, worker: usize, sender: SendRequest<Bytes>) {
        if let Some(pool) = self.pools.get(worker) {
            lock(pool).h2.push(sender);
        }
    }

    fn forget_h2(&self, worker: usize) {
        if let Some(pool) = self.pools.get(worker) {
            let mut pool = lock(pool);
            let waker = std::task::Waker::noop();
            let mut cx = std::task::Context::from_waker(waker);
            pool.h2.retain_mut(|sender| !matches!(sender.poll_ready(&mut cx), Poll::Ready(Err(_))));
        }
    }

    /// Closes what has been idle for too long or was closed by the upstream.
    pub fn prune(&self, worker: usize, now_ms: u64, idle_ms: u64) {
        let Some(pool) = self.pools.get(worker) else { return };
        let mut pool = lock(pool);
        pool.h1.retain_mut(|idle| now_ms.saturating_sub(idle.since_ms) < idle_ms && !idle.wire.io.is_stale());
    }
}

fn host_field(name: &str, port: u16) -> Box<[u8]> {
    let name =
        if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name.to_owned() };
    if port == 443 { name.into_bytes().into() } else { format!("{name}:{port}").into_bytes().into() }
}
