//! Issuers that must be asked: keys that rotate under traffic, issuers that fail, lie or flood, opaque tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use probity_model::bundle::identity::TokenPolicy;
use probity_model::bundle::identity::token::{Introspection, Issuer, KeySource};
use serde_json::json;

use super::super::{Memory, Tokens, seal_secret};
use super::support::{Bench, NOW_S, SEALING_KEY, Signer, Site, at, issuer, ok, presented, set};

fn published(site: &Site) -> Issuer {
    issuer(KeySource::Url(format!("{}/jwks", site.origin)))
}

#[tokio::test]
async fn keys_rotate_under_traffic() {
    let signers: Arc<Vec<Signer>> =
        Arc::new(["k0", "k1", "k2", "k3", "k4"].into_iter().map(Signer::ec).collect());
    let site = Site::new(|_, _| ok("")).await;
    let mut issuer = published(&site);
    issuer.jwks.cool_down_s = 5;
    let bench = Arc::new(Bench::new(vec![issuer]));
    for round in 0..5 {
        // The new key is published with the one before, and signs at once.
        let published = set(&signers[round.max(1) - 1..=round].iter().collect::<Vec<_>>());
        site.answers(move |_, _| ok(published.clone()));
        let calls: Vec<_> = (0..40)
            .map(|call| {
                let (bench, signers) = (Arc::clone(&bench), Arc::clone(&signers));
                tokio::spawn(async move {
                    let signer = &signers[round.saturating_sub(call % 2)];
                    let token = signer.token(json!({"jti": format!("{round}-{call}"), "exp": NOW_S + 900}));
                    bench.verdict(&token, |presented| presented.now = at(10 * round as i64)).await
                })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), "alice", "round {round}");
        }
        assert_eq!(site.asked(), round as u32 + 1, "one request a round, whoever waits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_rotate_under_traffic_of_many_threads() {
    let signers: Arc<Vec<Signer>> = Arc::new(["k0", "k1", "k2"].into_iter().map(Signer::ec).collect());
    let site = Site::new(|_, _| ok("")).await;
    let bench = Arc::new(Bench::new(vec![published(&site)]));
    for round in 0..3 {
        let published = set(&signers[..=round].iter().collect::<Vec<_>>());
        site.answers(move |_, _| ok(published.clone()));
        let calls: Vec<_> = (0..60)
            .map(|call| {
                let (bench, signers) = (Arc::clone(&bench), Arc::clone(&signers));
                tokio::spawn(async move {
                    let token =
                        signers[round].token(json!({"jti": format!("{round}-{call}"), "exp": NOW_S + 900}));
                    bench.verdict(&token, |presented| presented.now = at(40 * round as i64)).await
                })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), "alice", "round {round}");
        }
        assert_eq!(site.asked(), round as u32 + 1);
    }
}

#[tokio::test]
async fn strangers_cannot_make_it_ask() {
    let (known, stranger) = (Signer::ec("known"), Signer::ec("stranger"));
    let published_set = set(&[&known]);
    let site = Site::new(move |_, _| ok(published_set.clone())).await;
    let bench = Bench::new(vec![published(&site)]);
    assert_eq!(bench.verdict(&known.token(json!({})), |_| ()).await, "alice");
    assert_eq!(site.asked(), 1);
    for turn in 0..20 {
        let token = stranger.token(json!({"jti": turn.to_string()}));
        assert_eq!(
            bench.verdict(&token, |call| call.now = at(turn)).await,
            "gateway-jwt-key-unknown unknown"
        );
    }
    assert_eq!(site.asked(), 2, "once in a cool-down");
    let token = stranger.token(json!({"jti": "later"}));
    bench.verdict(&token, |call| call.now = at(30)).await;
    assert_eq!(site.asked(), 3);
    assert!(site.heads.lock().unwrap().iter().all(|head| head.starts_with("GET /jwks HTTP/1.1")));
}

#[tokio::test]
async fn old_keys_serve_while_an_issuer_is_down() {
    let signer = Signer::ec("k");
    let (published_set, up) = (set(&[&signer]), Arc::new(AtomicBool::new(true)));
    let reachable = Arc::clone(&up);
    let site = Site::new(move |_, _| match reachable.load(SeqCst) {
        true => (200, "Cache-Control: public, max-age=100\r\n".into(), published_set.clone()),
        false => (500, String::new(), "no".into()),
    })
    .await;
    let bench = Bench::new(vec![published(&site)]);
    let verdict = async |seconds: i64| {
        let token =
            signer.token(json!({"jti": seconds.to_string(), "exp": NOW_S + seconds + 300, "iat": null}));
        bench.verdict(&token, |call| call.now = at(seconds)).await
    };
    assert_eq!(verdict(0).await, "alice");
    assert_eq!((verdict(74).await.as_str(), site.asked()), ("alice", 1));
    up.store(false, SeqCst);
    // Past their age, and the issuer is down: 1,000 s more.
    assert_eq!((verdict(100).await.as_str(), site.asked()), ("alice", 2));
    assert_eq!((verdict(102).await.as_str(), site.asked()), ("alice", 2), "not asked again at once");
    assert_eq!((verdict(106).await.as_str(), site.asked()), ("alice", 3));
    assert_eq!(verdict(1_099).await, "alice");
    assert_eq!(verdict(1_105).await, "gateway-jwt-keys-unavailable bad-status");
    assert_eq!(verdict(1_106).await, "gateway-jwt-keys-unavailable failed-recently");
    up.store(true, SeqCst);
    assert_eq!(verdict(1_111).await, "alice");
}

#[tokio::test]
async fn a_day_is_the_longest_for_keys() {
    let signer = Signer::ec("k");
    let published_set = set(&[&signer]);
    let forever = "Cache-Control: max-age=99999999999\r\n";
    let site = Site::new(move |_, _| (200, forever.into(), published_set.clone())).await;
    let mut issuer = published(&site);
    issuer.jwks.max_age_s = u32::MAX;
    let bench = Bench::new(vec![issuer]);
    for (seconds, asked) in [(0, 1), (64_000, 1), (86_400, 2)] {
        let token = signer.token(json!({"exp": NOW_S + seconds + 9, "iat": null}));
        assert_eq!(bench.verdict(&token, |call| call.now = at(seconds)).await, "alice");
        assert_eq!(site.asked(), asked);
    }
}

#[tokio::test]
async fn discovery_believes_only_the_issuer_itself() {
    let signer = Signer::ec("k");
    let check = async |own: bool, openid: bool, jwks: &'static str, expected: &str| {
        let published_set = set(&[&signer]);
        let site = Site::new(|_, _| ok("")).await;
        let origin = site.origin.clone();
        let name = format!("{origin}/realm");
        let named = if own { name.clone() } else { format!("{origin}/other") };
        let place = if openid {
            "/realm/.well-known/openid-configuration"
        } else {
            "/.well-known/oauth-authorization-server/realm"
        };
        site.answers(move |path, _| match path {
            path if path == place => {
                let jwks = if jwks.starts_with('/') { format!("{origin}{jwks}") } else { jwks.to_owned() };
                ok(json!({"issuer": named, "jwks_uri": jwks}).to_string())
            }
            "/keys" => ok(published_set.clone()),
            "/moved" => (302, "Location: /keys\r\n".into(), String::new()),
            "/huge" => ok("x".repeat(300_000)),
            "/zipped" => (200, "Content-Encoding: gzip\r\n".into(), published_set.clone()),
            "/empty" => ok("{}"),
            _ => (404, String::new(), String::new()),
        });
        let mut issuer = issuer(KeySource::Discovery);
        issuer.issuer = name.as_str().into();
        let bench = Bench::new(vec![issuer]);
        let token = signer.token(json!({"iss": name}));
        assert_eq!(bench.verdict(&token, |_| ()).await, expected, "{own} {openid} {jwks}");
    };
    check(true, true, "/keys", "alice").await;
    check(true, false, "/keys", "alice").await;
    check(false, true, "/keys", "gateway-jwt-keys-unavailable bad-content").await;
    check(true, true, "/moved", "gateway-jwt-keys-unavailable bad-status").await;
    check(true, true, "/huge", "gateway-jwt-keys-unavailable too-large").await;
    check(true, true, "/zipped", "gateway-jwt-keys-unavailable bad-content").await;
    check(true, true, "/empty", "gateway-jwt-keys-unavailable bad-content").await;
    check(true, true, "/none", "gateway-jwt-keys-unavailable bad-status").await;
    check(true, true, "http://id.example/keys", "gateway-jwt-keys-unavailable bad-content").await;
    check(true, true, "file:///etc/passwd", "gateway-jwt-keys-unavailable bad-content").await;
    check(true, true, "https://169.254.169.254/keys", "gateway-jwt-keys-unavailable address-refused").await;
}

#[tokio::test]
async fn inner_addresses_must_be_allowed() {
    let signer = Signer::ec("k");
    let published_set = set(&[&signer]);
    let site = Site::new(move |_, _| ok(published_set.clone())).await;
    let mut issuer = published(&site);
    issuer.allow_private = false;
    let bench = Bench::new(vec![issuer]);
    let token = signer.token(json!({}));
    let demand = Default::default();
    let call = presented(&token, &demand);
    let fault = bench.tokens.verify(call).await.unwrap_err();
    assert_eq!((fault.rule, fault.found), ("gateway-jwt-keys-unavailable", "address-refused"));
    assert_eq!(
        (fault.status, bench.tokens.answer(&fault, &call)),
        (503, vec![("Retry-After", "5".to_owned())])
    );
    assert_eq!(site.asked(), 0);
}

#[tokio::test]
async fn a_new_bundle_keeps_the_keys() {
    let signer = Signer::ec("k");
    let published_set = set(&[&signer]);
    let site = Site::new(move |_, _| ok(published_set.clone())).await;
    let bench = Bench::new(vec![published(&site)]);
    assert_eq!(bench.verdict(&signer.token(json!({})), |_| ()).await, "alice");
    let mut policy = bench.policy.clone();
    policy.issuers[0].audiences.push("more".into());
    let tokens = Tokens::of(&policy, &bench.memory).unwrap();
    let (token, demand) = (signer.token(json!({"aud": "more"})), Default::default());
    assert!(tokens.verify(presented(&token, &demand)).await.is_ok());
    assert_eq!(site.asked(), 1);
}

fn opaque(site: &Site) -> TokenPolicy {
    let mut issuer = issuer(KeySource::None);
    issuer.introspection = Some(Introspection {
        url: Some(format!("{}/introspect", site.origin)),
        client_id: "gate way".into(),
        secret: "client".into(),
        prefix: Some("op_".into()),
        positive_s: 60,
        negative_s: 10,
    });
    let sealed = seal_secret(&SEALING_KEY, "client", b"s:cret\n").unwrap();
    TokenPolicy {
        issuers: vec![issuer],
        sealed: [("client".into(), sealed)].into(),
        ..TokenPolicy::default()
    }
}

#[tokio::test]
async fn opaque_tokens_are_asked_about() {
    let site = Site::new(|_, body| {
        let token = body.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
        let says = |json: serde_json::Value| ok(json.to_string());
        match token {
            "op_good" => says(json!({
                "active": true, "sub": "alice", "client_id": "web", "aud": "api", "scope": "read", "exp": NOW_S + 50,
            })),
            "op_endless" => says(json!({"active": true, "sub": "alice", "aud": "api"})),
            "op_ended" => says(json!({"active": true, "sub": "a", "aud": "api", "exp": NOW_S - 50})),
            "op_other" => says(json!({"active": true, "sub": "a", "aud": "x", "exp": NOW_S + 50})),
            "op_foreign" => says(json!({"active": true, "sub": "a", "aud": "api", "iss": "https://x"})),
            "op_word" => says(json!({"active": "true", "sub": "a", "aud": "api"})),
            "op_broken" => (500, String::new(), String::new()),
            _ => says(json!({"active": false})),
        }
    })
    .await;
    let bench = Bench::of(opaque(&site));
    for (token, expected) in [
        ("op_good", "alice"),
        ("op_endless", "alice"),
        ("op_ended", "gateway-jwt-expired expired"),
        ("op_other", "gateway-jwt-audience other-audience"),
        ("op_foreign", "gateway-jwt-issuer other-issuer"),
        ("op_word", "gateway-introspection-unavailable bad-content"),
        ("op_broken", "gateway-introspection-unavailable bad-status"),
        ("op_bad", "gateway-token-inactive not-active"),
        ("op_&active=true", "gateway-jwt-malformed not-a-token"),
        ("zz_good", "gateway-token-not-accepted opaque"),
    ] {
        assert_eq!(bench.verdict(token, |_| ()).await, expected, "{token}");
    }
    let head = site.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("POST /introspect HTTP/1.1"), "{head}");
    // `gate%20way:s%3Acret`: the secret's file without its line end.
    assert!(head.contains("Basic Z2F0ZSUyMHdheTpzJTNBY3JldA=="), "{head}");

    let before = site.asked();
    for (token, seconds, asked) in [
        ("op_good", 1, 0),
        ("op_bad", 9, 0),
        ("op_bad", 10, 1),
        ("op_endless", 59, 1),
        ("op_endless", 60, 2),
        ("op_good", 81, 3),
    ] {
        bench.verdict(token, |call| call.now = at(seconds)).await;
        assert_eq!(site.asked() - before, asked, "{token} at {seconds}");
    }
}

#[tokio::test]
async fn a_question_is_asked_once_for_all() {
    let site = Site::new(|_, _| ok(json!({"active": true, "sub": "alice", "aud": "api"}).to_string())).await;
    let bench = Arc::new(Bench::of(opaque(&site)));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.verdict("op_same", |_| ()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "alice");
    }
    assert_eq!(site.asked(), 1);
}

#[tokio::test]
async fn a_secret_opens_only_with_the_gateways_key() {
    let site = Site::new(|_, _| ok("")).await;
    let policy = opaque(&site);
    let memory = Memory::default();
    assert!(Tokens::of(&policy, &memory).unwrap_err().to_string().contains("sealing key"));
    memory.unseal_with(&[7; 32]);
    assert!(Tokens::of(&policy, &memory).unwrap_err().to_string().contains("`client` does not open"));
    let text = serde_json::to_string(&policy).unwrap();
    assert!(!text.contains("s:cret"));
}
