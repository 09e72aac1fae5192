//! Opening connections: name, address, TLS, protocol.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use super::Endpoint;
use crate::io::Io;
use crate::peer::Wire;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// Flow-control windows of HTTP/2 upstreams: what one stream and one connection may have on the way.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

#[derive(Debug)]
pub(crate) enum Fresh {
    H1(Box<Wire>),
    H2(SendRequest<Bytes>),
}

/// Why an upstream could not be reached. The texts name the step alone: addresses stay in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the upstream's name has no address")]
    Name(#[source] std::io::Error),
    #[error("the upstream cannot be connected to")]
    Connect(#[source] std::io::Error),
    #[error("the upstream's TLS cannot be verified or agreed")]
    Tls(#[source] std::io::Error),
    #[error("the upstream does not speak HTTP/2")]
    H2(#[source] h2::Error),
    #[error("connecting to the upstream took too long")]
    Timeout,
}

impl Endpoint {
    /// Opens a connection; one that can carry many calls is kept for them at once.
    pub async fn connect(
        self: &Arc<Self>,
        worker: usize,
        h2: bool,
        connect_ms: u64,
        head_bytes: u32,
    ) -> Result<Fresh, ConnectError> {
        let opened = self.open(worker, h2, Duration::from_millis(connect_ms), head_bytes);
        match timeout(Duration::from_millis(connect_ms.saturating_mul(2)), opened).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout),
        }
    }

    async fn open(
        self: &Arc<Self>,
        worker: usize,
        h2: bool,
        patience: Duration,
        head_bytes: u32,
    ) -> Result<Fresh, ConnectError> {
        let stream = self.stream(patience).await?;
        let Some(tls) = &self.tls else {
            let io = Io::Tcp(stream);
            return if h2 {
                self.start_h2(worker, io, head_bytes).await
            } else {
                Ok(Fresh::H1(Box::new(Wire::new(io))))
            };
        };
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        let stream = match timeout(patience, connector.connect(tls.name.clone(), stream)).await {
            Ok(stream) => stream.map_err(ConnectError::Tls)?,
            Err(_) => return Err(ConnectError::Timeout),
        };
        let chosen_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = Io::Tls(Box::new(TlsStream::Client(stream)));
        if chosen_h2 {
            self.start_h2(worker, io, head_bytes).await
        } else {
            Ok(Fresh::H1(Box::new(Wire::new(io))))
        }
    }

    async fn stream(&self, patience: Duration) -> Result<TcpStream, ConnectError> {
        let mut last = ConnectError::Connect(std::io::ErrorKind::AddrNotAvailable.into());
        for address in self.addresses(patience).await? {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Small answers wait for nothing; where it cannot be set they are merely slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = ConnectError::Connect(error),
                Err(_) => last = ConnectError::Timeout,
            }
        }
        Err(last)
    }

    async fn addresses(&self, patience: Duration) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = (self.upstream.host.trim_matches(['[', ']']), self.upstream.port);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        match timeout(patience, tokio::net::lookup_host((host, port))).await {
            Ok(found) => Ok(found.map_err(ConnectError::Name)?.take(MAX_ADDRESSES).collect()),
            Err(_) => Err(ConnectError::Timeout),
        }
    }

    async fn start_h2(
        self: &Arc<Self>,
        worker: usize,
        io: Io,
        head_bytes: u32,
    ) -> Result<Fresh, ConnectError> {
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(head_bytes)
            .handshake::<_, Bytes>(io)
            .await
            .map_err(ConnectError::H2)?;
        self.keep_h2(worker, sender.clone());
        let endpoint = Arc::downgrade(self);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 upstream connection ended");
            }
            if let Some(endpoint) = endpoint.upgrade() {
                endpoint.forget_h2(worker);
            }
        });
        Ok(Fresh::H2(sender))
    }
}
