//! The few requests that the gateway makes for itself: key sets, metadata, introspection. One request on one connection,
//! bounded in size and time, to an address that was checked and then dialled itself. No redirect is followed: a listed
//! issuer answers for itself.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use probity_http1::{BodyDecoder, BodyEvent, BodyFraming, Limits, ResponseHead, write_request_head};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::address::Address;
use super::egress::may_dial;
use crate::io::Io;
use crate::peer::Wire;

/// For name, connection, TLS, request and answer together.
const PATIENCE: Duration = Duration::from_secs(5);
/// For each address of a name.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer.
pub(super) const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// Interim heads before the final one.
const MAX_INTERIM: usize = 4;

/// How an issuer may be reached.
#[derive(Clone)]
pub(super) struct Client {
    pub tls: Arc<ClientConfig>,
    pub allow_private: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) enum Ask<'a> {
    Get,
    /// A form, with the value of `Authorization`.
    Form {
        body: &'a [u8],
        authorization: &'a str,
    },
}

#[derive(Debug)]
pub(super) struct Fetched {
    pub body: Vec<u8>,
    /// For how many seconds the answer says that it may be kept.
    pub max_age_s: Option<u32>,
}

/// Why nothing was fetched. The texts are for the log; they hold no address of the inner network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the name has no address")]
    Name,
    #[error("no address of the name may be dialled, expected a public one or `allow_private`")]
    Address,
    #[error("the connection failed")]
    Connect,
    #[error("TLS failed")]
    Tls,
    #[error("it took too long")]
    Timeout,
    #[error("the answer is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    #[error("the answer is not HTTP as expected")]
    Http,
    #[error("the answer has status {0}, expected 200")]
    Status(u16),
    #[error("the answer is not what it should be")]
    Content,
    #[error("it was asked for a moment ago")]
    TooSoon,
}

impl FetchError {
    /// The word for records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name => "no-address",
            Self::Address => "address-refused",
            Self::Connect => "unreachable",
            Self::Tls => "tls-failed",
            Self::Timeout => "timeout",
            Self::TooLarge => "too-large",
            Self::Http => "bad-answer",
            Self::Status(_) => "bad-status",
            Self::Content => "bad-content",
            Self::TooSoon => "failed-recently",
        }
    }
}

impl Client {
    pub async fn fetch(&self, address: &Address, ask: Ask<'_>) -> Result<Fetched, FetchError> {
        match tokio::time::timeout(PATIENCE, self.exchange(address, ask)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Timeout),
        }
    }

    async fn exchange(&self, address: &Address, ask: Ask<'_>) -> Result<Fetched, FetchError> {
        let mut wire = Wire::new(self.open(address).await?);
        let method = write(&mut wire.output, address, &ask)?;
        poll_fn(|cx| wire.poll_flush(cx)).await.map_err(|_| FetchError::Connect)?;
        let limits = Limits::default();
        let mut interim = 0;
        let head = loop {
            let head = poll_fn(|cx| wire.poll_response(cx, &limits, method)).await;
            let head = head.map_err(|_| FetchError::Http)?;
            if !head.is_interim() {
                break head;
            }
            interim += 1;
            if interim > MAX_INTERIM {
                return Err(FetchError::Http);
            }
        };
        if head.status() != 200 {
            return Err(FetchError::Status(head.status()));
        }
        if head.header(b"content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Err(FetchError::Content);
        }
        wire.decoder = BodyDecoder::new(head.framing(), &limits);
        let mut body = Vec::new();
        loop {
            match poll_fn(|cx| wire.poll_event(cx)).await.map_err(|_| FetchError::Http)? {
                BodyEvent::Data(data) if body.len() + data.len() > MAX_ANSWER_BYTES => {
                    return Err(FetchError::TooLarge);
                }
                BodyEvent::Data(data) => body.extend_from_slice(&data),
                BodyEvent::End(_) => return Ok(Fetched { body, max_age_s: max_age(&head) }),
            }
        }
    }

    async fn open(&self, address: &Address) -> Result<Io, FetchError> {
        let stream = self.stream(address).await?;
        // Where it cannot be set it is merely slower.
        let _ = stream.set_nodelay(true);
        if !address.https {
            return Ok(Io::Tcp(stream));
        }
        let name = ServerName::try_from(address.host.to_string()).map_err(|_| FetchError::Name)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(|_| FetchError::Tls)?;
        Ok(Io::Tls(Box::new(TlsStream::Client(stream))))
    }

    /// Checks the very address that is then dialled: a name that changes between two look-ups gains nothing.
    async fn stream(&self, address: &Address) -> Result<TcpStream, FetchError> {
        let found: Vec<SocketAddr> = match address.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, address.port)],
            Err(_) => tokio::net::lookup_host((&*address.host, address.port))
                .await
                .map_err(|_| FetchError::Name)?
                .take(MAX_ADDRESSES)
                .collect(),
        };
        if found.is_empty() {
            return Err(FetchError::Name);
        }
        let mut last = FetchError::Address;
        for socket in found.into_iter().filter(|socket| may_dial(socket.ip(), self.allow_private)) {
            // A name that means loopback today does not make clear text beyond it.
            if !address.https && !socket.ip().is_loopback() {
                continue;
            }
            match tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(socket)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) => last = FetchError::Connect,
                Err(_) => last = FetchError::Timeout,
            }
        }
        Err(last)
    }
}

fn write(out: &mut BytesMut, address: &Address, ask: &Ask<'_>) -> Result<&'static [u8], FetchError> {
    let authority = address.authority();
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b"host", authority.as_bytes()),
        (b"accept", b"application/json, application/jwk-set+json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"probity-gateway"),
        (b"connection", b"close"),
    ];
    let (method, framing): (&'static [u8], _) = match ask {
        Ask::Get => (b"GET", BodyFraming::None),
        Ask::Form { body, authorization } => {
            fields.push((b"content-type", b"application/x-www-form-urlencoded"));
            fields.push((b"authorization", authorization.as_bytes()));
            (b"POST", BodyFraming::Length(body.len() as u64))
        }
    };
    write_request_head(out, method, address.target.as_bytes(), fields, framing)
        .map_err(|_| FetchError::Http)?;
    if let Ask::Form { body, .. } = ask {
        out.extend_from_slice(body);
    }
    Ok(method)
}

/// `max-age` of `Cache-Control`, and 0 where nothing may be kept.
fn max_age(head: &ResponseHead) -> Option<u32> {
    let mut found = None;
    let fields = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case(b"cache-control"));
    for directive in fields.flat_map(|(_, value)| value.split(|byte| *byte == b',')) {
        let directive = directive.trim_ascii();
        if directive.eq_ignore_ascii_case(b"no-store") || directive.eq_ignore_ascii_case(b"no-cache") {
            return Some(0);
        }
        if let Some((name, seconds)) = directive.split_at_checked(8)
            && name.eq_ignore_ascii_case(b"max-age=")
            && let Ok(seconds) = std::str::from_utf8(seconds)
        {
            // More than fits is very long.
            let seconds = seconds.trim_matches('"');
            let all_digits = !seconds.is_empty() && seconds.bytes().all(|digit| digit.is_ascii_digit());
            found = found.or(all_digits.then(|| seconds.parse().unwrap_or(u32::MAX)));
        }
    }
    found
}
