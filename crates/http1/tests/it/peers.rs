//! The servers that this codec is compared with: hyper in this process, nginx and HAProxy as proxies in front
//! of an origin that writes down what reaches it. Everything runs over Unix sockets in a temporary folder.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::reading::{Seen, bare_host};

/// How a proxy tells the origin which host it read.
const READ_HOST: &str = "x-read-host";

/// A peer that reads fewer requests waits for more; then nothing comes and the sending side is closed.
const SILENCE: Duration = Duration::from_secs(1);

/// Only to fail instead of hanging, when a peer neither answers nor closes.
const STUCK: Duration = Duration::from_secs(20);

/// Proxies add their own fields to the most that a client may send.
const MAX_ORIGIN_HEADERS: usize = 200;

pub struct Peer {
    pub name: &'static str,
    address: PathBuf,
    record: Record,
    process: Option<Child>,
}

type Record = Arc<Mutex<Vec<Seen>>>;

impl Peer {
    /// hyper itself: the recording origin, asked directly.
    pub fn hyper(folder: &Path) -> Self {
        let (address, record) = origin(folder, "hyper");
        Self { name: "hyper", address, record, process: None }
    }

    pub fn nginx(folder: &Path) -> Self {
        let (origin, record) = origin(folder, "nginx-origin");
        let address = folder.join("nginx.sock");
        let config = format!(
            "daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log warn;
             events {{ worker_connections 64; }}
             http {{
               access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
               fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
               upstream origin {{ server unix:{origin}; keepalive 4; }}
               server {{
                 listen unix:{address};
                 location / {{
                   proxy_pass http://origin; proxy_http_version 1.1; proxy_ignore_client_abort on;
                   proxy_set_header Connection ''; proxy_set_header {READ_HOST} $host;
                 }}
               }}
             }}",
            dir = folder.display(),
            origin = origin.display(),
            address = address.display(),
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).expect("nginx.conf");
        let mut command = Command::new(installed("nginx"));
        command.arg("-p").arg(folder).arg("-e").arg(folder.join("nginx.log")).arg("-c").arg(file);
        Self { name: "nginx", process: Some(start(command, &address)), address, record }
    }

    pub fn haproxy(folder: &Path) -> Self {
        let (origin, record) = origin(folder, "haproxy-origin");
        let address = folder.join("haproxy.sock");
        let config = format!(
            "global\n maxconn 64\n nbthread 1\n\
             defaults\n mode http\n timeout connect 10s\n timeout client 10s\n timeout server 10s\n\
             frontend read\n bind unix@{}\n http-request set-header {READ_HOST} %[req.hdr(host)]\n default_backend origin\n\
             backend origin\n server origin unix@{}\n",
            address.display(),
            origin.display(),
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, config).expect("haproxy.cfg");
        let mut command = Command::new(installed("haproxy"));
        command.arg("-db").arg("-f").arg(file);
        Self { name: "haproxy", process: Some(start(command, &address)), address, record }
    }

    /// Sends the bytes on a connection of their own and says which complete requests were read from them. The
    /// sending side stays open until so many answers came, because HAProxy may forget pipelined requests when
    /// it closes.
    pub fn read(&self, bytes: &[u8], answers: usize) -> Vec<Seen> {
        self.record.lock().expect("the record").clear();
        let mut stream =
            UnixStream::connect(&self.address).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        // A peer that refuses may close before it has read everything.
        let _ = stream.write_all(bytes);
        self.receive(&mut stream, answers, SILENCE);
        let _ = stream.shutdown(Shutdown::Write);
        let closed = self.receive(&mut stream, usize::MAX, STUCK);
        assert!(
            closed,
            "{} neither answers nor closes after {:?}",
            self.name,
            String::from_utf8_lossy(bytes)
        );
        std::mem::take(&mut *self.record.lock().expect("the record"))
    }

    /// Receives until so many answers of the origin came, until the peer closes (true), or until it is
    /// silent.
    fn receive(&self, stream: &mut UnixStream, answers: usize, patience: Duration) -> bool {
        stream.set_read_timeout(Some(patience)).expect("a read timeout");
        let (mut received, mut piece) = (Vec::new(), [0; 4096]);
        while memchr::memmem::find_iter(&received, b" 200 OK\r\n").count() < answers {
            match stream.read(&mut piece) {
                Ok(0) => return true,
                Ok(len) => received.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
        false
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Starts a peer and returns when it listens.
fn start(mut command: Command, address: &Path) -> Child {
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the peer starts");
    while UnixStream::connect(address).is_err() {
        if let Some(status) = process.try_wait().expect("the state of the peer") {
            panic!("{command:?} ended with {status}, expected it to listen");
        }
        std::thread::yield_now();
    }
    process
}

fn installed(name: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("`{name}` is missing, install it with `apt-get install -y nginx haproxy`"))
}

/// Starts a server that records every complete request and answers 200.
fn origin(folder: &Path, name: &str) -> (PathBuf, Record) {
    let address = folder.join(format!("{name}.sock"));
    let listener = UnixListener::bind(&address).expect("a socket for the origin");
    listener.set_nonblocking(true).expect("a nonblocking socket");
    let record = Record::default();
    let kept = record.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(serve(listener, kept));
    });
    (address, record)
}

async fn serve(listener: UnixListener, record: Record) {
    let listener = tokio::net::UnixListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let record = record.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, record.clone()));
            let mut server = hyper::server::conn::http1::Builder::new();
            let _ = server
                .half_close(true)
                .max_headers(MAX_ORIGIN_HEADERS)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, record: Record) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let field = |name: &str| {
        head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let host = field(READ_HOST).or(head.uri.authority().map(ToString::to_string)).or(field("host"));
    record.lock().expect("the record").push(Seen {
        method: head.method.to_string(),
        path_and_query: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        host: host.map(|host| bare_host(&host)),
        body,
    });
    Ok(Response::new(Empty::new()))
}
