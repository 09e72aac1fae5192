//! Start, bundles while traffic runs, admin address, drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use probity_gateway::{BundleRefusal, Gateway, GatewayOptions, Tuning, bundle_public_key, sign_bundle};
use probity_model::exchange::End;
use tokio::net::TcpStream;

use crate::harness::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async fn admin(bench: &Bench, path: &str) -> (u16, String) {
    let stream = TcpStream::connect(bench.gateway.admin_address().unwrap()).await.unwrap();
    let mut client = Client::new(stream);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let answer = client.rest().await;
    (status(&answer), body(&answer).to_owned())
}

fn with_admin(options: &mut GatewayOptions) {
    options.admin = Some("127.0.0.1:0".parse().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_address_answers() {
    let mut bundle = bundle(&[echo().await]);
    bundle.services[0].operations = vec![operation("clinic", "GET", "/p/{id}")];
    let bench = Bench::start_with(&bundle, with_admin, Tuning::default()).await;
    let mut client = bench.connect().await;
    for path in ["/p/1", "/p/2", "/q/3"] {
        client.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        bench.record();
    }
    assert_eq!(admin(&bench, "/livez").await.0, 200);
    assert_eq!(admin(&bench, "/readyz").await.0, 200);
    assert_eq!(admin(&bench, "/other").await.0, 404);
    let (code, text) = admin(&bench, "/metrics").await;
    assert_eq!(code, 200);
    for line in [
        r#"probity_gateway_requests_total{service="clinic",method="GET",template="/p/{id}",status_class="2xx"} 2"#,
        r#"probity_gateway_requests_total{service="clinic",method="GET",template="-",status_class="2xx"} 1"#,
        r#"probity_gateway_request_seconds_count{service="clinic",method="GET",template="/p/{id}"} 2"#,
        "probity_gateway_connections 1",
        "probity_gateway_records_total 3",
        "probity_gateway_bundle_revision 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("/q/3"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_bundle_everything_is_refused() {
    let bundle = bundle(&[echo().await]);
    let bad = |options: &mut GatewayOptions| {
        options.bundle = sign_bundle(&[1; 32], &bundle_of(&options.bundle));
        with_admin(options);
    };
    let bench = Bench::start_with(&bundle, bad, Tuning::default()).await;
    let answer = bench.connect().await.ask(GET).await;
    assert_eq!(status(&answer), 503);
    assert!(body(&answer).contains("no-bundle"), "{answer}");
    assert_eq!((bench.record().end, bench.gateway.revision()), (End::Refused, 0));
    assert_eq!(admin(&bench, "/readyz").await.0, 503);
    assert_eq!(bench.gateway.apply(sign(&bundle)).unwrap(), 1);
    assert_eq!(status(&bench.connect().await.ask(GET).await), 200);
    assert_eq!(admin(&bench, "/readyz").await.0, 200);
}

fn bundle_of(signed: &probity_model::bundle::SignedBundle) -> probity_model::Bundle {
    serde_json::from_str(&signed.bundle).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_bundle_changes_nothing() {
    let mut bundle = bundle(&[echo().await]);
    bundle.revision = 5;
    let bench = Bench::start(&bundle).await;
    let before = bench.gateway.listeners();
    let taken = bench.address().to_string();
    let check = |change: &dyn Fn(&mut probity_model::Bundle), expected: &str| {
        let mut next = bundle.clone();
        next.revision = 6;
        change(&mut next);
        let refusal = bench.gateway.apply(sign(&next)).unwrap_err();
        assert!(format!("{refusal:?}").starts_with(expected), "{refusal:?}");
        assert_eq!((bench.gateway.revision(), bench.gateway.listeners()), (5, before.clone()));
    };
    check(&|next| next.revision = 4, "Revision");
    check(&|next| next.version = 2, "Version");
    check(&|next| next.services[0].upstreams.clear(), "NoUpstream");
    check(&|next| next.services[0].path_prefix = "x".into(), "Route");
    check(&|next| next.listeners[0].address = "nowhere".into(), "Address");
    check(&|next| next.listeners.push(next.listeners[0].clone()), "ListenerRepeated");
    check(&|next| next.listeners[0].address = taken.clone(), "Bind");
    check(&|next| next.forwarding.trusted_proxies.push("x".into()), "TrustedProxy");
    let forged = sign_bundle(&[3; 32], &bundle);
    assert!(matches!(bench.gateway.apply(forged), Err(BundleRefusal::Key { .. })));
    assert_eq!(status(&bench.connect().await.ask(GET).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_bundle_is_kept_and_never_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let keep = |options: &mut GatewayOptions| options.bundle_file = Some(file.clone());
    let mut bundle = bundle(&[echo().await]);
    bundle.revision = 7;
    let bench = Bench::start_with(&bundle, keep, Tuning::default()).await;
    drop(bench);
    // A bad one at the next start: the kept one serves.
    let bad = |options: &mut GatewayOptions| {
        keep(options);
        options.bundle.signature.clear();
    };
    let bench = Bench::start_with(&bundle, bad, Tuning::default()).await;
    assert_eq!((bench.gateway.revision(), status(&bench.connect().await.ask(GET).await)), (7, 200));
    drop(bench);
    // An older one at the next start is refused as well.
    bundle.revision = 3;
    let bench = Bench::start_with(&bundle, keep, Tuning::default()).await;
    assert_eq!(bench.gateway.revision(), 7);
}

/// Bundles are replaced under load: no call fails, no connection is dropped, listeners come and go.
#[tokio::test(flavor = "multi_thread")]
async fn bundles_are_applied_while_traffic_runs() {
    let mut bundle = bundle(&[echo().await]);
    let bench = Arc::new(Bench::start(&bundle).await);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (bench, stop) = (bench.clone(), stop.clone());
            tokio::spawn(async move {
                let mut client = bench.connect().await;
                let mut calls = 0u64;
                while !stop.load(SeqCst) {
                    assert_eq!(status(&client.ask(GET).await), 200);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let second = probity_model::bundle::Listener { name: "second".into(), ..bundle.listeners[0].clone() };
    for revision in 2..30 {
        bundle.revision = revision;
        bundle.listeners.truncate(1);
        if revision % 2 == 0 {
            bundle.listeners.push(second.clone());
        }
        bundle.services[0].operations = vec![operation("clinic", "GET", &format!("/r{revision}"))];
        assert_eq!(bench.gateway.apply(sign(&bundle)).unwrap(), revision);
        let listeners = bench.gateway.listeners();
        assert_eq!(listeners.len(), bundle.listeners.len());
        if let Some((_, address)) = listeners.get(1) {
            let mut client = Client::new(TcpStream::connect(address).await.unwrap());
            assert_eq!(status(&client.ask(GET).await), 200);
        }
    }
    stop.store(true, SeqCst);
    let mut calls = 14;
    for client in clients {
        calls += client.await.unwrap();
    }
    let revisions: Vec<_> = (0..calls).map(|_| bench.record().revision).collect();
    assert!(revisions.contains(&29) || revisions.iter().max() >= Some(&28), "{:?}", revisions.iter().max());
    bench.is_settled(calls);
}

/// A listener may change its name and keep its socket.
#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_renamed_in_place() {
    let mut bundle = bundle(&[echo().await]);
    bundle.listeners[0].address = nowhere().to_string();
    let bench = Bench::start(&bundle).await;
    let mut client = bench.connect().await;
    assert_eq!(status(&client.ask(GET).await), 200);
    bundle.listeners[0].name = "renamed".into();
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(bench.gateway.listeners()[0].0, "renamed");
    assert_eq!(status(&client.ask(GET).await), 200);
    assert_eq!(status(&bench.connect().await.ask(GET).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_open_calls() {
    let (release, released) = tokio::sync::watch::channel(false);
    let address = origin(move |_| {
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            answer(200, "text/plain", "late")
        }
    })
    .await;
    let bench = Arc::new(Bench::start_with(&bundle(&[address]), with_admin, Tuning::default()).await);
    let mut idle = bench.connect().await;
    let mut busy = bench.connect().await;
    busy.send(GET).await;
    while bench.events.counts().accepted == 0 {
        tokio::task::yield_now().await;
    }
    let drain = tokio::spawn({
        let bench = bench.clone();
        async move { bench.gateway.drain(PATIENCE).await }
    });
    // Idle connections go at once, and nobody new is taken.
    assert!(idle.is_closed().await);
    assert_eq!(admin(&bench, "/readyz").await.0, 503);
    assert_eq!(admin(&bench, "/livez").await.0, 200);
    assert!(!drain.is_finished());
    release.send(true).unwrap();
    let answer = busy.rest().await;
    assert!(answer.ends_with("late"), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
    assert!(drain.await.unwrap());
    assert_eq!(bench.record().end, End::Complete);
    assert!(matches!(bench.gateway.apply(sign(&bundle(&[address]))), Err(BundleRefusal::Stopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_and_what_it_cuts_is_recorded() {
    let silent = scripted(|mut client| async move { drop(client.rest().await) }).await;
    let bench = Bench::start(&bundle(&[silent])).await;
    let mut client = bench.connect().await;
    client.send(GET).await;
    while bench.events.counts().accepted == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!bench.gateway.drain(Duration::from_millis(20)).await);
    assert!(client.is_closed().await);
    bench.record();
    bench.is_settled(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_connections_drain() {
    let bench = Arc::new(Bench::start(&bundle(&[echo().await])).await);
    let client = h2_client(bench.address()).await;
    h2_ask(&client, get("http://a/"), None).await.unwrap();
    assert!(bench.gateway.drain(PATIENCE).await);
    assert!(client.ready().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded() {
    let mut bundle = bundle(&[echo().await]);
    bundle.limits.connections = 2;
    let bench = Bench::start(&bundle).await;
    let (mut one, mut two) = (bench.connect().await, bench.connect().await);
    assert_eq!(status(&one.ask(GET).await), 200);
    assert_eq!(status(&two.ask(GET).await), 200);
    assert!(bench.connect().await.is_closed().await);
    assert!(
        bench.gateway.metrics().contains("probity_gateway_refusals_total{reason=\"too-many-connections\"} 1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_an_error_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bundle = bundle(&[echo().await]);
    bundle.listeners[0].address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let keys = Arc::new(probity_events::EphemeralKeys::new().unwrap());
    let (events, _) =
        probity_events::Events::open(folder.path(), "test".into(), keys, Default::default()).unwrap();
    let error = Gateway::start(GatewayOptions {
        id: "test".into(),
        bundle: sign(&bundle),
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
    })
    .await
    .unwrap_err();
    assert!(error.to_string().contains("bundle cannot be served"), "{error}");
}
