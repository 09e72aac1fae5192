//! Gateways, upstreams and clients for tests. Everything ends with the value that holds it.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use probity_events::{EphemeralKeys, Events};
use probity_gateway::{Gateway, GatewayOptions, Tuning, bundle_public_key, refusing_bundle, sign_bundle};
use probity_model::bundle::{
    Bundle, BundleOperation, BundleService, Listener, SignedBundle, Upstream, UpstreamProtocol,
};
use probity_model::{Exchange, OperationId, ServiceId, Template};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const SEED: [u8; 32] = [42; 32];
/// No test waits this long unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub type Body = BoxBody<Bytes, std::convert::Infallible>;
pub type Response = hyper::Response<Body>;

/// A gateway with its records.
pub struct Bench {
    pub gateway: Gateway,
    pub events: Events,
    records: Mutex<Receiver<Exchange>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub async fn start(bundle: &Bundle) -> Self {
        Self::start_with(bundle, |_| {}, Tuning { workers: Some(2), ..Tuning::default() }).await
    }

    pub async fn start_with(
        bundle: &Bundle,
        change: impl FnOnce(&mut GatewayOptions),
        tuning: Tuning,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(EphemeralKeys::new().unwrap());
        let on_full = bundle.record.on_full;
        let options = probity_events::Options { on_full, ..Default::default() };
        let (events, _) = Events::open(folder.path(), "test".into(), keys, options).unwrap();
        let (sender, records) = channel();
        events.on_synced(Box::new(move |batch| {
            batch.iter().for_each(|exchange| drop(sender.send(exchange.clone())));
        }));
        let mut options = GatewayOptions {
            id: "test".into(),
            bundle: sign(bundle),
            bundle_key: bundle_public_key(&SEED).unwrap(),
            bundle_file: None,
            recorder: events.recorder(),
            identity_key: [7; 32],
            identity_key_version: 3,
            sealing_key: [6; 32],
            admin: None,
            dev: false,
            self_signed: None,
            traces: None,
        };
        change(&mut options);
        let gateway = Gateway::start_tuned(options, tuning).await.unwrap();
        Self { gateway, events, records: Mutex::new(records), _folder: folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway.listeners()[0].1
    }

    /// The next record, in the order in which calls ended.
    pub fn record(&self) -> Exchange {
        let records = self.records.lock().unwrap();
        tokio::task::block_in_place(|| records.recv_timeout(PATIENCE)).expect("a record")
    }

    /// The next record, if one comes within `patience`.
    pub fn record_within(&self, patience: Duration) -> Option<Exchange> {
        let records = self.records.lock().unwrap();
        tokio::task::block_in_place(|| records.recv_timeout(patience)).ok()
    }

    /// That no further call was counted than those recorded, and none lost.
    pub fn is_settled(&self, calls: u64) {
        let counts = self.events.counts();
        assert_eq!((counts.accepted, counts.recorded, counts.lost), (calls, calls, 0));
    }

    pub async fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address()).await.unwrap())
    }

    /// One raw exchange on a connection of its own, read until the gateway closes.
    pub async fn raw(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }
}

pub fn sign(bundle: &Bundle) -> SignedBundle {
    sign_bundle(&SEED, bundle)
}

/// A bundle with one clear-text listener and one service.
pub fn bundle(upstreams: &[SocketAddr]) -> Bundle {
    Bundle {
        revision: 1,
        listeners: vec![Listener {
            name: "main".into(),
            address: "127.0.0.1:0".into(),
            tls: None,
            clear_text_allowed: false,
            proxy_protocol: None,
        }],
        services: vec![service("clinic", upstreams)],
        ..refusing_bundle()
    }
}

pub fn service(name: &str, upstreams: &[SocketAddr]) -> BundleService {
    BundleService {
        id: ServiceId::new(name),
        hosts: Vec::new(),
        path_prefix: "/".into(),
        strip_prefix: false,
        upstreams: upstreams.iter().map(|address| upstream(*address)).collect(),
        operations: Vec::new(),
        credential_names: Vec::new(),
        durable: false,
        protection: None,
        staged: None,
    }
}

pub fn upstream(address: SocketAddr) -> Upstream {
    Upstream {
        host: address.ip().to_string(),
        port: address.port(),
        tls: None,
        protocol: UpstreamProtocol::Auto,
    }
}

pub fn operation(service: &str, method: &str, template: &str) -> BundleOperation {
    BundleOperation {
        id: OperationId::of(&service.into(), method, template),
        method: method.into(),
        template: Template::new(template),
        documented: true,
        durable: false,
    }
}

/// A client that speaks bytes.
pub struct Client {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// Reads up to and with `end`.
    pub async fn until(&mut self, end: &str) -> String {
        let read = async {
            loop {
                if let Some(at) = find(&self.read, end.as_bytes()) {
                    let rest = self.read.split_off(at + end.len());
                    return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
                }
                if self.stream.read_buf(&mut self.read).await.unwrap() == 0 {
                    panic!("closed before {end:?}: {}", String::from_utf8_lossy(&self.read));
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time")
    }

    /// Reads until the peer closes; a reset counts as closing.
    pub async fn rest(&mut self) -> String {
        let read = async { while let Ok(1..) = self.stream.read_buf(&mut self.read).await {} };
        tokio::time::timeout(PATIENCE, read).await.expect("an end in time");
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Whether the peer closed without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    /// Sends a request and reads an answer of known length.
    pub async fn ask(&mut self, request: &str) -> String {
        self.send(request).await;
        let head = self.until("\r\n\r\n").await;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert_ne!(self.stream.read_buf(&mut self.read).await.unwrap(), 0, "closed inside a body");
        }
        let rest = self.read.split_off(length);
        head + &String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap()
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// The value of a field in a raw head.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let head = head.split("\r\n\r\n").next().unwrap();
    head.split("\r\n").skip(1).find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}")).parse().unwrap()
}

pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// An upstream that answers by a function, over HTTP/1.1 and HTTP/2. Ends with the runtime.
pub async fn origin<F, Fut>(answer: F) -> SocketAddr
where
    F: Fn(hyper::Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_origin(stream, answer.clone()));
        }
    });
    address
}

pub async fn serve_origin<S, F, Fut>(stream: S, answer: F)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    F: Fn(hyper::Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}

/// An upstream that says back what it was asked: the request line, its fields in order, and the body.
pub async fn echo() -> SocketAddr {
    origin(|request| async move {
        let (parts, body) = request.into_parts();
        let mut text = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
        for (name, value) in &parts.headers {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        let collected = body.collect().await;
        text += "\n";
        let mut all = text.into_bytes();
        if let Ok(collected) = collected {
            let trailers = collected.trailers().cloned();
            all.extend_from_slice(&collected.to_bytes());
            for (name, value) in trailers.iter().flatten() {
                all.extend_from_slice(format!("\ntrailer {name}: {}", value.to_str().unwrap()).as_bytes());
            }
        }
        answer(200, "text/plain", all)
    })
    .await
}

pub fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
    let body = Full::new(body.into()).boxed();
    hyper::Response::builder().status(status).header("content-type", content_type).body(body).unwrap()
}

/// An upstream that answers every connection's requests with the same bytes, one for each head that it reads.
pub async fn canned(bytes: &'static [u8]) -> SocketAddr {
    scripted(move |mut client| async move {
        loop {
            let mut one = [0; 1];
            if client.read.is_empty() && !matches!(client.stream.peek(&mut one).await, Ok(1..)) {
                return;
            }
            client.until("\r\n\r\n").await;
            if client.stream.write_all(bytes).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// An upstream whose connections each run a script.
pub async fn scripted<F, Fut>(script: F) -> SocketAddr
where
    F: Fn(Client) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(Client::new(stream)));
        }
    });
    address
}

/// An address where nobody listens.
pub fn nowhere() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An HTTP/2 client by prior knowledge.
pub async fn h2_client(address: SocketAddr) -> h2::client::SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// Sends one request over HTTP/2; gives the head, the body, the trailers.
pub async fn h2_ask(
    client: &h2::client::SendRequest<Bytes>,
    request: http::Request<()>,
    body: Option<&[u8]>,
) -> Result<(http::Response<()>, Vec<u8>, Option<http::HeaderMap>), h2::Error> {
    let mut client = client.clone().ready().await?;
    let (answer, mut send) = client.send_request(request, body.is_none())?;
    if let Some(body) = body {
        send.send_data(Bytes::copy_from_slice(body), true)?;
    }
    let (parts, mut receive) = answer.await?.into_parts();
    let mut all = Vec::new();
    while let Some(data) = receive.data().await {
        let data = data?;
        receive.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    let trailers = receive.trailers().await?;
    Ok((http::Response::from_parts(parts, ()), all, trailers))
}

pub fn get(uri: &str) -> http::Request<()> {
    http::Request::get(uri).version(http::Version::HTTP_2).body(()).unwrap()
}
