//! What a request costs: an origin, a gateway with one worker and a load of exactly so many requests, each a process of
//! its own, so that an instruction counter over the gateway sees the gateway alone.
//!
//! ```text
//! bench_gateway origin [--listen 127.0.0.1:0] [--body small|json]
//! bench_gateway gateway --origin ADDRESS [--listen 127.0.0.1:0] [--mode pass|observe]
//! bench_gateway load ADDRESS [--requests 10000] [--connections 8]
//! ```
//! `origin` and `gateway` print `listening ADDRESS` and run until their standard input closes or SIGTERM comes. The
//! gateway's instructions for N and for 2N requests give (Ir[2N]-Ir[N])/N, free of start and end:
//! `valgrind --tool=callgrind bench_gateway gateway ...`, then `load`, then SIGTERM. `wrk` drives it as well.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench may fail loudly"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use probity_events::{EphemeralKeys, Events};
use probity_gateway::{Gateway, GatewayOptions, Tuning, bundle_public_key, refusing_bundle, sign_bundle};
use probity_model::bundle::{Bundle, BundleOperation, BundleService, Listener, Upstream, UpstreamProtocol};
use probity_model::{OperationId, ServiceId, Template};

const SEED: [u8; 32] = [1; 32];
const SMALL: &str = "ok";
const REQUEST: &[u8] =
    b"GET /items/42 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("origin") => origin(&arguments),
        Some("gateway") => gateway(&arguments),
        Some("load") => load(&arguments),
        _ => panic!("expected `origin`, `gateway` or `load`"),
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
        Some("json") => ("application/json", json()),
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

/// 2 KiB as an API would give them: names, addresses, numbers, nothing that is anyone's.
fn json() -> String {
    let items: Vec<String> = (0..14)
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
    let observe = option(arguments, "--mode") != Some("pass");
    let bundle = bundle(option(arguments, "--listen").unwrap_or("127.0.0.1:0"), origin);
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
        admin: None,
        dev: false,
        self_signed: None,
        traces: None,
    };
    let tuning = Tuning { workers: Some(1), observe, ..Tuning::default() };
    let gateway = runtime.block_on(Gateway::start_tuned(options, tuning)).unwrap();
    println!("listening {}", gateway.listeners()[0].1);
    runtime.block_on(async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let (ended, end) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            wait_for_end();
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

fn bundle(listen: &str, origin: SocketAddr) -> Bundle {
    let operations = [("GET", "/items/{id}"), ("GET", "/items"), ("POST", "/items")];
    Bundle {
        revision: 1,
        listeners: vec![Listener {
            name: "bench".into(),
            address: listen.into(),
            tls: None,
            clear_text_allowed: false,
            proxy_protocol: None,
        }],
        services: vec![BundleService {
            id: ServiceId::new("bench"),
            hosts: vec!["bench.example".into(), "127.0.0.1".into()],
            path_prefix: "/".into(),
            strip_prefix: false,
            upstreams: vec![Upstream {
                host: origin.ip().to_string(),
                port: origin.port(),
                tls: None,
                protocol: UpstreamProtocol::Http1,
            }],
            operations: operations
                .map(|(method, template)| BundleOperation {
                    id: OperationId::of(&"bench".into(), method, template),
                    method: method.into(),
                    template: Template::new(template),
                    documented: true,
                    durable: false,
                })
                .into(),
            credential_names: Vec::new(),
            durable: false,
            protection: None,
            staged: None,
        }],
        ..refusing_bundle()
    }
}

/// Exactly so many requests over so many connections, one after the other on each.
fn load(arguments: &[String]) {
    let address: SocketAddr = arguments.get(1).expect("an address").parse().unwrap();
    let requests: usize = option(arguments, "--requests").map_or(10_000, |text| text.parse().unwrap());
    let connections: usize = option(arguments, "--connections").map_or(8, |text| text.parse().unwrap());
    let begun = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|n| {
            let share = requests / connections + usize::from(n < requests % connections);
            std::thread::spawn(move || ask(address, share))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let seconds = begun.elapsed().as_secs_f64();
    println!("requests {requests} seconds {seconds:.3} rate {:.0}", requests as f64 / seconds);
}

fn ask(address: SocketAddr, requests: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut read = Vec::new();
    let mut room = [0; 16 * 1024];
    for _ in 0..requests {
        stream.write_all(REQUEST).unwrap();
        read.clear();
        while !is_whole(&read) {
            let more = stream.read(&mut room).unwrap();
            assert_ne!(more, 0, "closed inside an answer");
            read.extend_from_slice(&room[..more]);
        }
        assert!(read.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&read));
    }
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
