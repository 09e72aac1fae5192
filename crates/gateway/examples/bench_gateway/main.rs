//! What a request costs: an origin, a gateway with one worker and a load of exactly so many requests, each a process of
//! its own, so that an instruction counter over the gateway sees the gateway alone.
//!
//! ```text
//! bench_gateway origin [--listen 127.0.0.1:0] [--body small|json]
//! bench_gateway gateway --origin ADDRESS [--listen 127.0.0.1:0] [--mode pass|observe|protect] [--services 1]
//! bench_gateway load ADDRESS [--requests 10000] [--connections 8] [--method get|post] [--mode protect]
//! bench_gateway token
//! ```
//! `origin` and `gateway` print `listening ADDRESS` and run until their standard input closes or SIGTERM comes. A line
//! `swap` to the gateway makes it apply its bundle anew under the next revision. In the mode `protect` the service wants
//! the token that `token` prints and `load --mode protect` sends, and judges both directions; see [`protected`]. Further services, of 40
//! operations each, are protected likewise. The gateway's instructions for N and for 2N requests give (Ir[2N]-Ir[N])/N, free of start and end:
//! `valgrind --tool=callgrind bench_gateway gateway ...`, then `load`, then SIGTERM. `wrk` drives it as well.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench may fail loudly"
)]

mod protected;

use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use probity_events::{EphemeralKeys, Events};
use probity_gateway::{Gateway, GatewayOptions, Tuning, bundle_public_key, refusing_bundle, sign_bundle};
use probity_model::bundle::{Bundle, BundleOperation, BundleService, Listener, Upstream, UpstreamProtocol};
use probity_model::{OperationId, ServiceId, Template};

const SEED: [u8; 32] = [1; 32];
const SMALL: &str = "ok";
const OPERATIONS: [(&str, &str); 3] = [("GET", "/items/{id}"), ("GET", "/items"), ("POST", "/items")];
/// Of each further service.
const FURTHER_OPERATIONS: u32 = 40;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("origin") => origin(&arguments),
        Some("gateway") => gateway(&arguments),
        Some("load") => load(&arguments),
        Some("token") => println!("{}", protected::token()),
        _ => panic!("expected `origin`, `gateway`, `load` or `token`"),
    }
}

fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

/// Answers each request head with the same bytes.
fn origin(arguments: &[String]) {
    let listener = TcpListener::bind(option(arguments, "--listen").unwrap_or("127.0.0.1:0")).unwrap();
    let (content_type, body) = match option(arguments, "--body") {
        Some("json") => ("application/json", json(14)),
        _ => ("text/plain", SMALL.to_owned()),
    };
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nx-content-type-options: nosniff\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    println!("listening {}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || serve(stream, answer.as_bytes()));
        }
    });
    wait_for_end();
}

fn serve(mut stream: TcpStream, answer: &[u8]) {
    stream.set_nodelay(true).unwrap();
    let mut room = [0; 16 * 1024];
    let mut last = 0u32;
    while let Ok(read @ 1..) = stream.read(&mut room) {
        for byte in &room[..read] {
            last = last << 8 | u32::from(*byte);
            if last == u32::from_be_bytes(*b"\r\n\r\n") && stream.write_all(answer).is_err() {
                return;
            }
        }
    }
}

/// As an API would give them, 14 are 2 KiB: names, addresses, numbers, nothing that is anyone's.
fn json(items: usize) -> String {
    let items: Vec<String> = (0..items)
        .map(|n| {
            format!(
                r#"{{"id": {n}, "name": "Ada Example", "email": "ada{n}@clinic.example", "phone": "+1 202 555 01{n:02}", "balance": {n}.25, "active": true}}"#
            )
        })
        .collect();
    format!(r#"{{"items": [{}], "page": {{"next": "/items?after=14", "total": 14000}}}}"#, items.join(", "))
}

fn gateway(arguments: &[String]) {
    let origin: SocketAddr = option(arguments, "--origin").expect("--origin ADDRESS").parse().unwrap();
    let mode = option(arguments, "--mode").unwrap_or("observe").to_owned();
    let observe = mode != "pass";
    let services: u32 = option(arguments, "--services").map_or(1, |text| text.parse().unwrap());
    let bundle =
        bundle(option(arguments, "--listen").unwrap_or("127.0.0.1:0"), origin, mode == "protect", services);
    let folder = tempfile::tempdir().unwrap();
    let keys = Arc::new(EphemeralKeys::new().unwrap());
    let (events, _) = Events::open(folder.path(), "bench".into(), keys, Default::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = GatewayOptions {
        id: "bench".into(),
        bundle: sign_bundle(&SEED, &bundle),
        bundle_key: bundle_public_key(&SEED).unwrap(),
        bundle_file: None,
        recorder: events.recorder(),
        identity_key: [7; 32],
        identity_key_version: 1,
        sealing_key: [6; 32],
        admin: Some("127.0.0.1:0".parse().unwrap()),
        dev: false,
        self_signed: None,
        traces: None,
    };
    let tuning = Tuning { workers: Some(1), observe, ..Tuning::default() };
    let gateway = Arc::new(runtime.block_on(Gateway::start_tuned(options, tuning)).unwrap());
    println!("metrics {}", gateway.admin_address().unwrap());
    println!("listening {}", gateway.listeners()[0].1);
    runtime.block_on(async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let (ended, end) = tokio::sync::oneshot::channel();
        let swapped = Arc::clone(&gateway);
        std::thread::spawn(move || {
            swap_until_end(&swapped, bundle);
            ended.send(()).ok()
        });
        tokio::select! {
            _ = term.recv() => {}
            _ = end => {}
        }
        gateway.drain(Duration::from_secs(5)).await;
    });
    events.shutdown();
    let counts = events.counts();
    println!("accepted {} recorded {} lost {}", counts.accepted, counts.recorded, counts.lost);
    std::process::exit(0);
}

/// Applies the bundle anew whenever it is asked to.
fn swap_until_end(gateway: &Gateway, mut bundle: Bundle) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line != "swap" {
            continue;
        }
        bundle.revision += 1;
        let signed = sign_bundle(&SEED, &bundle);
        let begun = Instant::now();
        gateway.apply(signed).unwrap();
        println!("swapped {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    }
}

fn bundle(listen: &str, origin: SocketAddr, protect: bool, services: u32) -> Bundle {
    let known = OPERATIONS.map(|(method, template)| (method, template.to_owned()));
    let further = (1..services).map(|number| {
        let prefix = format!("/s{number}");
        let operations = OPERATIONS.iter().cycle().zip(0..FURTHER_OPERATIONS);
        let operations =
            operations.map(|((method, template), n)| (*method, format!("{prefix}/v{n}{template}")));
        service(&format!("further-{number}"), &prefix, origin, operations.collect(), protect)
    });
    Bundle {
        revision: 1,
        listeners: vec![Listener {
            name: "bench".into(),
            address: listen.into(),
            tls: None,
            clear_text_allowed: false,
            proxy_protocol: None,
        }],
        services: [service("bench", "/", origin, known.into(), protect)].into_iter().chain(further).collect(),
        identity: protect.then(protected::identity),
        ..refusing_bundle()
    }
}

fn service(
    name: &str,
    prefix: &str,
    origin: SocketAddr,
    operations: Vec<(&'static str, String)>,
    protect: bool,
) -> BundleService {
    let id = ServiceId::new(name);
    let operations: Vec<BundleOperation> = operations
        .into_iter()
        .map(|(method, template)| BundleOperation {
            id: OperationId::of(&id, method, &template),
            method: method.into(),
            template: Template::new(&template),
            documented: true,
            durable: false,
        })
        .collect();
    let protection = protect.then(|| protected::protection(u32::try_from(operations.len()).unwrap()));
    BundleService {
        id,
        hosts: vec!["bench.example".into(), "127.0.0.1".into()],
        path_prefix: prefix.into(),
        strip_prefix: false,
        upstreams: vec![Upstream {
            host: origin.ip().to_string(),
            port: origin.port(),
            tls: None,
            protocol: UpstreamProtocol::Http1,
        }],
        operations,
        credential_names: Vec::new(),
        durable: false,
        protection,
        staged: None,
    }
}

/// Exactly so many requests over so many connections, one after the other on each.
fn load(arguments: &[String]) {
    let address: SocketAddr = arguments.get(1).expect("an address").parse().unwrap();
    let requests: usize = option(arguments, "--requests").map_or(10_000, |text| text.parse().unwrap());
    let connections: usize = option(arguments, "--connections").map_or(8, |text| text.parse().unwrap());
    let protected = option(arguments, "--mode") == Some("protect");
    let request = Arc::new(request(option(arguments, "--method") == Some("post"), protected));
    let begun = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|n| {
            let share = requests / connections + usize::from(n < requests % connections);
            let request = Arc::clone(&request);
            std::thread::spawn(move || ask(address, &request, share))
        })
        .collect();
    let mut taken: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let seconds = begun.elapsed().as_secs_f64();
    taken.sort_unstable();
    let at = |share: usize| taken.get(taken.len() * share / 100).copied().unwrap_or_default();
    println!(
        "requests {requests} seconds {seconds:.3} rate {:.0} p50_us {} p99_us {}",
        requests as f64 / seconds,
        at(50),
        at(99)
    );
}

fn request(post: bool, protected: bool) -> Vec<u8> {
    let (first, body) = match (post, protected) {
        (true, _) => ("POST /items", json(7)),
        (false, true) => ("GET /items/42?limit=20", String::new()),
        (false, false) => ("GET /items/42", String::new()),
    };
    let described = match post {
        true => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
        false => String::new(),
    };
    let proof = match protected {
        true => format!("Authorization: Bearer {}\r\n", protected::token()),
        false => String::new(),
    };
    format!(
        "{first} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: wrk\r\nAccept: */*\r\n{proof}{described}\r\n{body}"
    )
    .into_bytes()
}

/// Microseconds of each.
fn ask(address: SocketAddr, request: &[u8], requests: usize) -> Vec<u64> {
    let mut taken = Vec::with_capacity(requests);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut read = Vec::new();
    let mut room = [0; 16 * 1024];
    for _ in 0..requests {
        let begun = Instant::now();
        stream.write_all(request).unwrap();
        read.clear();
        while !is_whole(&read) {
            let more = stream.read(&mut room).unwrap();
            assert_ne!(more, 0, "closed inside an answer");
            read.extend_from_slice(&room[..more]);
        }
        assert!(read.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&read));
        taken.push(begun.elapsed().as_micros() as u64);
    }
    taken
}

fn is_whole(answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a counted answer");
    body.len() >= length.parse::<usize>().unwrap()
}

fn wait_for_end() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
}
