//! Looks up operations among 1,000 services of 40 operations, N times: `bench_route N [SERVICES]`. For
//! `valgrind --tool=callgrind`, where the cost of one look-up is (Ir[2N] - Ir[N]) / N.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use probity_model::bundle::{BundleOperation, BundleService};
use probity_model::{OperationId, ServiceId, Template};
use probity_policy::route::Router;

const NOUNS: [&str; 8] = ["patients", "orders", "users", "payments", "reports", "devices", "teams", "files"];

fn service(number: usize) -> BundleService {
    let id = ServiceId::new(format!("service-{number}"));
    let prefix = format!("/s{number}");
    let operations = NOUNS.iter().flat_map(|noun| {
        let base = format!("{prefix}/v1/{noun}");
        [
            ("GET", base.clone()),
            ("POST", base.clone()),
            ("GET", format!("{base}/{{id}}")),
            ("GET", format!("{base}/search")),
            ("GET", format!("{base}/{{id}}/history/{{entry}}.json")),
        ]
    });
    let operations = operations.map(|(method, template)| BundleOperation {
        id: OperationId::of(&id, method, &template),
        method: method.into(),
        template: Template::new(&template),
        documented: true,
        durable: false,
    });
    BundleService {
        id: id.clone(),
        hosts: if number.is_multiple_of(2) { Vec::new() } else { vec![format!("h{number}.example.com")] },
        path_prefix: prefix.clone(),
        strip_prefix: false,
        upstreams: Vec::new(),
        operations: operations.collect(),
        credential_names: Vec::new(),
        durable: false,
        protection: None,
        staged: None,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at: usize, default: usize| std::env::args().nth(at).map_or(Ok(default), |n| n.parse());
    let (rounds, services) = (number(1, 1_000_000)?, number(2, 1000)?.max(8));
    let bundle: Vec<BundleService> = (0..services).map(service).collect();
    let start = Instant::now();
    let router = Router::new(&bundle)?;
    let build_us = start.elapsed().as_micros();
    let calls: Vec<(String, String)> = (0..64)
        .map(|n| {
            let service = n * 7919 % services;
            let noun = NOUNS.iter().cycle().nth(n).copied().unwrap_or_default();
            let tail = ["", "/4711", "/search", "/4711/history/12.json"].iter().cycle().nth(n / 3).copied();
            (
                format!("h{service}.example.com:443"),
                format!("/s{service}/v1/{noun}{}", tail.unwrap_or_default()),
            )
        })
        .collect();
    let mut found = 0u64;
    let start = Instant::now();
    for (host, path) in calls.iter().cycle().take(rounds) {
        let service = router.service(Some(host), path);
        let operation = service.and_then(|service| service.operation("GET", path));
        found += u64::from(black_box(operation).is_some());
    }
    let nanos = start.elapsed().as_nanos() / rounds.max(1) as u128;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        r#"{{"bench":"route","rounds":{rounds},"services":{services},"operations":{},"build_us":{build_us},"ns_per_lookup":{nanos},"found":{found}}}"#,
        services * 40
    )?;
    Ok(())
}
