//! Tokens bound to a key or a certificate, and operations that want more than a good token.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use aws_lc_rs::digest::{SHA256, digest};
use probity_model::bundle::identity::token::DpopPolicy;
use probity_model::bundle::identity::{StepUp, TokenDemand, TokenPolicy};
use serde_json::{Value, json};

use super::super::jose::encode;
use super::super::{DpopField, TargetUri, TokenScheme};
use super::support::{Bench, NOW_S, RSA, Signer, at, inline, issuer, merged, presented};

fn ath(token: &str) -> String {
    encode(digest(&SHA256, token.as_bytes()).as_ref())
}

/// A good proof for `GET https://api.example/x` with header members and claims changed.
fn proof(key: &Signer, token: &str, header: Value, claims: Value) -> String {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let jti = format!("p{}", TURN.fetch_add(1, Relaxed));
    let usual =
        json!({"jti": jti, "htm": "GET", "htu": "https://api.example/x", "iat": NOW_S, "ath": ath(token)});
    let usual_header = json!({"typ": "dpop+jwt", "alg": key.alg, "jwk": key.public()});
    key.sign(&merged(usual_header, header), &merged(usual, claims))
}

async fn judged(bench: &Bench, token: &str, dpop: DpopField<'_>, path: &str) -> String {
    let demand = TokenDemand::default();
    let mut call = presented(token, &demand);
    (call.scheme, call.dpop) = (TokenScheme::Dpop, dpop);
    call.uri = TargetUri { https: true, authority: b"api.example", path: path.as_bytes() };
    match bench.tokens.verify(call).await {
        Ok(principal) => principal.subject.to_string(),
        Err(fault) => format!("{} {}", fault.rule, fault.found),
    }
}

async fn check(bench: &Bench, token: &str, proof: &str, expected: &str) {
    let got = judged(bench, token, DpopField::One(proof.as_bytes()), "/x").await;
    assert_eq!(got, expected, "{proof}");
}

#[tokio::test]
async fn proofs_are_about_this_call() {
    let (server, client, thief) = (Signer::ec("s"), Signer::ec("c"), Signer::ec("t"));
    let bench = Bench::new(vec![issuer(inline(&[&server]))]);
    let token = server.token(json!({"cnf": {"jkt": client.thumbprint()}}));
    let none = || json!({});
    for (header, claims, expected) in [
        (none(), none(), "alice"),
        (none(), json!({"htu": "HTTPS://API.example:443/x?y=1#z"}), "alice"),
        (none(), json!({"iat": NOW_S - 60}), "alice"),
        (none(), json!({"iat": NOW_S + 60}), "alice"),
        (none(), json!({"iat": NOW_S - 61}), "gateway-dpop-time too-old"),
        (none(), json!({"iat": NOW_S + 61}), "gateway-dpop-time in-future"),
        (none(), json!({"iat": null}), "gateway-dpop-malformed not-a-date"),
        (none(), json!({"htm": "POST"}), "gateway-dpop-method other-method"),
        (none(), json!({"htm": "get"}), "gateway-dpop-method other-method"),
        (none(), json!({"htm": null}), "gateway-dpop-malformed missing"),
        (none(), json!({"htu": "https://api.example/y"}), "gateway-dpop-url other-target"),
        (none(), json!({"htu": "https://evil.example/x"}), "gateway-dpop-url other-target"),
        (none(), json!({"htu": "http://api.example/x"}), "gateway-dpop-url other-target"),
        (none(), json!({"htu": 7}), "gateway-dpop-malformed not-a-string"),
        (none(), json!({"ath": null}), "gateway-dpop-malformed missing"),
        (none(), json!({"ath": ath("other")}), "gateway-dpop-token-hash other-token"),
        (none(), json!({"jti": null}), "gateway-dpop-malformed missing"),
        (none(), json!({"jti": ""}), "gateway-dpop-malformed unusable"),
        (none(), json!({"jti": "j".repeat(257)}), "gateway-dpop-malformed unusable"),
        (json!({"typ": "JWT"}), none(), "gateway-dpop-type other-type"),
        (json!({"typ": null}), none(), "gateway-dpop-type other-type"),
        (json!({"alg": "none"}), none(), "gateway-dpop-alg not-allowed"),
        (json!({"alg": "HS256"}), none(), "gateway-dpop-alg not-allowed"),
        (json!({"jwk": null}), none(), "gateway-dpop-key missing"),
        (json!({"jwk": {"kty": "oct", "k": "AAAA"}}), none(), "gateway-dpop-key private"),
        (json!({"jwk": merged(client.public(), json!({"d": "AAAA"}))}), none(), "gateway-dpop-key private"),
        (json!({"jwk": thief.public()}), none(), "gateway-dpop-thumbprint other-key"),
        (json!({"crit": ["x"]}), none(), "gateway-dpop-crit not-understood"),
    ] {
        check(&bench, &token, &proof(&client, &token, header, claims), expected).await;
    }
    check(&bench, &token, &proof(&thief, &token, none(), none()), "gateway-dpop-thumbprint other-key").await;
    let forged = proof(&thief, &token, json!({"jwk": client.public()}), none());
    check(&bench, &token, &forged, "gateway-dpop-signature invalid").await;
    for odd in ["", "x", "eyJh.b.c", "a.b.c.d.e"] {
        let got = judged(&bench, &token, DpopField::One(odd.as_bytes()), "/x").await;
        assert!(got.starts_with("gateway-dpop-malformed"), "{odd} {got}");
    }
    let once = proof(&client, &token, none(), none());
    check(&bench, &token, &once, "alice").await;
    check(&bench, &token, &once, "gateway-dpop-replay replayed").await;

    // Other clients' keys: the usual kinds.
    for client in [&Signer::ed("e"), &*RSA] {
        let token = server.token(json!({"cnf": {"jkt": client.thumbprint()}}));
        check(&bench, &token, &proof(client, &token, none(), none()), "alice").await;
    }
}

#[tokio::test]
async fn a_bound_token_is_nothing_alone() {
    let (server, client) = (Signer::ec("s"), Signer::ec("c"));
    let bench = Bench::new(vec![issuer(inline(&[&server]))]);
    let bound = server.token(json!({"cnf": {"jkt": client.thumbprint()}}));
    let free = server.token(json!({}));
    let good = proof(&client, &bound, json!({}), json!({}));
    assert_eq!(bench.verdict(&bound, |_| ()).await, "gateway-dpop-downgrade bearer");
    assert_eq!(judged(&bench, &bound, DpopField::None, "/x").await, "gateway-dpop-missing missing");
    assert_eq!(judged(&bench, &bound, DpopField::Several, "/x").await, "gateway-dpop-malformed repeated");
    // A token without a key gains nothing from any proof.
    check(&bench, &free, &good, "gateway-token-not-bound no-key").await;
    let elsewhere = judged(&bench, &bound, DpopField::One(good.as_bytes()), "/admin").await;
    assert_eq!(elsewhere, "gateway-dpop-url other-target");

    let demand = TokenDemand { sender_constrained: true, ..TokenDemand::default() };
    let fault = bench.tokens.verify(presented(&free, &demand)).await.unwrap_err();
    assert_eq!((fault.rule, fault.check), ("gateway-token-not-bound", "sender-constrained"));
    assert_eq!(bench.tokens.invitation(&demand).len(), 2);
}

#[tokio::test]
async fn certificates_bind_too() {
    let server = Signer::ec("s");
    let mut must = issuer(inline(&[&server]));
    must.sender_constrained = true;
    let bench = Bench::new(vec![must]);
    let token = server.token(json!({"cnf": {"x5t#S256": encode(&[5; 32])}}));
    let with =
        |certificate: Option<[u8; 32]>| bench.verdict(&token, move |call| call.certificate = certificate);
    assert_eq!(with(None).await, "gateway-token-certificate no-certificate");
    assert_eq!(with(Some([4; 32])).await, "gateway-token-certificate other-certificate");
    assert_eq!(with(Some([5; 32])).await, "alice");
    assert_eq!(with(None).await, "gateway-token-certificate no-certificate", "also once it is known");
    let principal = bench.judge(&token, |call| call.certificate = Some([5; 32])).await.unwrap();
    assert!(principal.proof.sender_constrained);
    let free = server.token(json!({}));
    let free = bench.verdict(&free, |call| call.certificate = Some([5; 32])).await;
    assert_eq!(free, "gateway-token-not-bound missing");
}

#[tokio::test]
async fn a_nonce_may_be_wanted() {
    let (server, client) = (Signer::ec("s"), Signer::ec("c"));
    let bench = Bench::of(TokenPolicy {
        issuers: vec![issuer(inline(&[&server]))],
        dpop: DpopPolicy { nonce: true, ..DpopPolicy::default() },
        ..TokenPolicy::default()
    });
    let token = server.token(json!({"cnf": {"jkt": client.thumbprint()}}));
    let judge = async |claims: Value, seconds: i64| {
        let proof = proof(&client, &token, json!({}), merged(claims, json!({"iat": NOW_S + seconds})));
        let demand = TokenDemand::default();
        let mut call = presented(&token, &demand);
        (call.scheme, call.now) = (TokenScheme::Dpop, at(seconds));
        call.dpop = DpopField::One(proof.as_bytes());
        match bench.tokens.verify(call).await {
            Ok(_) => Ok(()),
            Err(fault) => Err((fault.rule, fault.found, bench.tokens.answer(&fault, &call))),
        }
    };
    let (rule, found, fields) = judge(json!({}), 0).await.unwrap_err();
    assert_eq!((rule, found), ("gateway-dpop-nonce", "missing"));
    let [(_, challenge), ("DPoP-Nonce", nonce)] = fields.as_slice() else { panic!("{fields:?}") };
    assert!(challenge.starts_with(r#"DPoP error="use_dpop_nonce", algs="ES256 "#), "{challenge}");
    let with = json!({"nonce": nonce});
    assert_eq!(judge(with.clone(), 0).await, Ok(()));
    assert_eq!(judge(with.clone(), 30).await, Ok(()));
    assert_eq!(judge(with, 60).await.unwrap_err().1, "not-current");
    assert_eq!(judge(json!({"nonce": "made-up"}), 0).await.unwrap_err().1, "not-current");
}

#[tokio::test]
async fn operations_demand_more() {
    let server = Signer::ec("s");
    let mut other = issuer(inline(&[&server]));
    other.name = "other".into();
    other.issuer = "https://other.example".into();
    let bench = Bench::new(vec![issuer(inline(&[&server])), other]);
    let check = async |demand: TokenDemand, change: Value, expected: &str, challenge: &str| {
        let token = server.token(change.clone());
        let call = presented(&token, &demand);
        for _ in 0..2 {
            match bench.tokens.verify(call).await {
                Ok(principal) => assert_eq!(&*principal.subject, expected, "{demand:?} {change}"),
                Err(fault) => {
                    assert_eq!(format!("{} {}", fault.rule, fault.found), expected, "{demand:?} {change}");
                    let fields = bench.tokens.answer(&fault, &call);
                    assert_eq!(fields.first(), Some(&("WWW-Authenticate", challenge.to_owned())));
                }
            }
        }
    };
    let invalid = r#"Bearer error="invalid_token""#;
    let of = |name: &str| TokenDemand { issuers: vec![name.into()], ..TokenDemand::default() };
    check(of("main"), json!({}), "alice", "").await;
    check(of("other"), json!({}), "gateway-jwt-issuer not-accepted", invalid).await;
    let meant = |name: &str| TokenDemand { audiences: vec![name.into()], ..TokenDemand::default() };
    check(meant("orders"), json!({"aud": ["orders"]}), "alice", "").await;
    check(meant("orders"), json!({}), "gateway-jwt-audience other-audience", invalid).await;

    let step_up = |acr: &[&str], amr: &[&str], max_age_s: Option<u32>| TokenDemand {
        step_up: Some(StepUp {
            acr: acr.iter().map(|name| (*name).into()).collect(),
            amr: amr.iter().map(|name| (*name).into()).collect(),
            max_age_s,
        }),
        ..TokenDemand::default()
    };
    let insufficient = r#"Bearer error="insufficient_user_authentication""#;
    let acr = format!("{insufficient}, acr_values=\"gold silver\"");
    let wanted = || step_up(&["gold", "silver"], &[], None);
    check(wanted(), json!({"acr": "silver"}), "alice", "").await;
    check(wanted(), json!({"acr": "tin"}), "gateway-step-up-acr not-enough", &acr).await;
    check(wanted(), json!({}), "gateway-step-up-acr missing", &acr).await;
    check(step_up(&[], &["hwk"], None), json!({"amr": ["pwd", "hwk"]}), "alice", "").await;
    let both = step_up(&[], &["hwk", "pin"], None);
    check(both, json!({"amr": ["hwk"]}), "gateway-step-up-amr not-enough", insufficient).await;
    let age = format!("{insufficient}, max_age=\"300\"");
    let recent = || step_up(&[], &[], Some(300));
    check(recent(), json!({"auth_time": NOW_S - 300}), "alice", "").await;
    check(recent(), json!({"auth_time": NOW_S - 301}), "gateway-step-up-age too-old", &age).await;
    check(recent(), json!({"iat": NOW_S}), "gateway-step-up-age missing", &age).await;
}
