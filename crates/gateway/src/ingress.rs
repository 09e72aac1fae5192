//! The way in: connections of clients, their calls, and the one pipeline that each call runs through.
//!
//! [`pipeline`] is the place to start reading. [`h1`] and [`h2`] find calls on connections, [`call`] is what is known of
//! one, [`head`] translates between the protocols, [`forward`] says where a call came from, [`refusal`] what the gateway
//! answers itself, [`tunnel`] what follows an upgrade.

mod call;
mod forward;
mod h1;
mod h2;
mod head;
mod pipeline;
mod refusal;
mod tunnel;

use std::net::{IpAddr, SocketAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use probity_model::exchange::Tls;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

pub(crate) use self::call::{Call, Notes};
pub(crate) use self::refusal::{Prepared, Stop};
use crate::enforce::identity::{ClientCertificate, LineMemory};
use crate::enforce::limits::Seated;
use crate::gateway::Shared;
use crate::io::Io;
use crate::listener::Entrance;
use crate::observe::{AgentCache, CredentialCache};
use crate::proxy_protocol;
use crate::tls;
use crate::watch::{Watched, Watches};

/// What an HTTP/2 client by prior knowledge sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's place on a worker; counted for as long as it lives.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    worker: usize,
    watches: Arc<Watches>,
    /// Counts for its address.
    seated: Option<Seated>,
}

impl Seat {
    pub fn new(shared: Arc<Shared>, worker: usize, watches: &Arc<Watches>, seated: Option<Seated>) -> Self {
        shared.metrics.connections.fetch_add(1, Relaxed);
        shared.metrics.connections_accepted.fetch_add(1, Relaxed);
        Self { shared, worker, watches: Arc::clone(watches), seated }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.metrics.connections.fetch_sub(1, Relaxed);
    }
}

/// What all calls of a connection share.
#[derive(Debug)]
pub(crate) struct Line {
    seat: Seat,
    peer: IpAddr,
    /// The listener's own end.
    local: SocketAddr,
    pub(crate) tls: Option<Tls>,
    credentials: CredentialCache,
    agents: AgentCache,
    /// What the client's certificate, verified by TLS, says.
    certificate: Option<ClientCertificate>,
    identity: LineMemory,
}

impl Line {
    fn shared(&self) -> &Arc<Shared> {
        &self.seat.shared
    }

    /// The other end of the connection.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }

    /// What calls of this connection remember of their caller.
    pub fn identity(&self) -> &LineMemory {
        &self.identity
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    fn watch(&self) -> Watched {
        self.seat.watches.enter()
    }
}

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(mut seat: Seat, stream: StdStream, peer: SocketAddr, entrance: Arc<Entrance>) {
    let Ok(mut stream) = TcpStream::from_std(stream) else { return };
    let plan = seat.shared.plan();
    let Some(peer) = announced(&mut seat, &mut stream, peer, &entrance, plan.timeouts().head_ms).await else {
        return;
    };
    let (io, tls, certificate, h2) = match entrance.tls.load_full() {
        None => (Io::Tcp(stream), None, None, false),
        Some(server) => {
            let patience = Duration::from_millis(plan.timeouts().head_ms);
            let accepted = TlsAcceptor::from(Arc::clone(&server.config)).accept(stream);
            let Ok(Ok(stream)) = tokio::time::timeout(patience, accepted).await else {
                seat.shared.metrics.handshakes_failed.fetch_add(1, Relaxed);
                return;
            };
            let connection = stream.get_ref().1;
            let tls = tls::negotiated(connection);
            if let Some(tls) = &tls {
                seat.shared.count_handshake(&entrance.name, tls);
            }
            let h2 = connection.alpn_protocol() == Some(b"h2");
            let leaf = connection.peer_certificates().and_then(|chain| chain.first());
            let certificate = leaf.map(|leaf| ClientCertificate::read(leaf));
            (Io::Tls(Box::new(TlsStream::Server(stream))), tls, certificate, h2)
        }
    };
    let line = Arc::new(Line {
        seat,
        peer,
        local: entrance.address,
        tls,
        credentials: CredentialCache::default(),
        agents: AgentCache::default(),
        certificate,
        identity: LineMemory::default(),
    });
    let watched = line.watch();
    watched.attach_here().await;
    match h2 {
        true => h2::serve(line, io, BytesMut::new(), watched).await,
        false => match first_bytes(io, &line, &watched, plan.timeouts().idle_ms).await {
            Some((io, first, true)) => h2::serve(line, io, first, watched).await,
            Some((io, first, false)) => h1::serve(line, io, first, watched).await,
            None => {}
        },
    }
}

/// Who connected: the peer itself or, where the listener's load balancers say so, whom they name. `None` ends the
/// connection.
async fn announced(
    seat: &mut Seat,
    stream: &mut TcpStream,
    peer: SocketAddr,
    entrance: &Entrance,
    patience_ms: u64,
) -> Option<IpAddr> {
    let peer = peer.ip().to_canonical();
    let Some(proxies) = entrance.proxies.load_full() else { return Some(peer) };
    let shared = Arc::clone(&seat.shared);
    let refused = |name: &str| {
        shared.metrics.refused(name);
        tracing::debug!(listener = &*entrance.name, reason = name, "a connection was closed");
        None
    };
    if !proxies.iter().any(|block| block.contains(peer)) {
        return refused("proxy-untrusted");
    }
    let taken = tokio::time::timeout(Duration::from_millis(patience_ms), proxy_protocol::take(stream)).await;
    match taken {
        Ok(Ok(Ok(header))) => {
            let Some(source) = header.source else { return Some(peer) };
            let client = source.ip().to_canonical();
            match shared.seat(client, entrance) {
                Ok(seated) => seat.seated = seated,
                Err(reason) => return refused(reason),
            }
            Some(client)
        }
        Ok(Ok(Err(_))) => refused("proxy-malformed"),
        Ok(Err(_)) => refused("proxy-missing"),
        Err(_) => refused("proxy-late"),
    }
}

/// Reads until it is clear whether the client speaks HTTP/2 by prior knowledge. Over TLS only ALPN says so.
async fn first_bytes(
    mut io: Io,
    line: &Line,
    watched: &Watched,
    idle_ms: u64,
) -> Option<(Io, BytesMut, bool)> {
    let mut first = BytesMut::new();
    if line.tls.is_some() {
        return Some((io, first, false));
    }
    watched.within(idle_ms);
    loop {
        if first.len() >= PREFACE.len() && first.starts_with(PREFACE) {
            return Some((io, first, true));
        }
        if !first.is_empty() && !PREFACE.starts_with(first.get(..first.len().min(PREFACE.len()))?) {
            return Some((io, first, false));
        }
        first.reserve(crate::peer::READ_ROOM);
        let read = std::future::poll_fn(|cx| match io.poll_read_into(cx, &mut first) {
            Poll::Pending if watched.expired() || line.shared().is_draining() => Poll::Ready(Ok(0)),
            poll => poll,
        });
        if !matches!(read.await, Ok(1..)) {
            return None;
        }
    }
}
