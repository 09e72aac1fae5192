//! What the gateway remembers of tokens, and how it forgets.

use std::sync::Arc;

use probity_model::bundle::identity::TokenPolicy;
use probity_model::bundle::identity::token::TokenCache;
use serde_json::json;

use super::super::{Revocation, Tokens};
use super::support::{Bench, NOW_S, Signer, at, inline, issuer, presented};

#[tokio::test]
async fn a_known_token_ends_in_time() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::new(vec![issuer(inline(&[&ec]))]);
    let token = ec.token(json!({"exp": NOW_S + 10}));
    let first = bench.judge(&token, |_| ()).await.unwrap();
    let again = bench.judge(&token, |call| call.now = at(39)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again), "known");
    assert_eq!(bench.verdict(&token, |call| call.now = at(40)).await, "gateway-jwt-expired expired");
    let long = ec.token(json!({}));
    let first = bench.judge(&long, |_| ()).await.unwrap();
    let anew = bench.judge(&long, |call| call.now = at(60)).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &anew), "verified anew after its time");
}

#[tokio::test]
async fn revocation_is_felt_at_once() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::new(vec![issuer(inline(&[&ec]))]);
    let (one, two) = (ec.token(json!({})), ec.token(json!({"jti": "t2"})));
    let (later, other) =
        (ec.token(json!({"jti": "t3", "iat": NOW_S + 1})), ec.token(json!({"sub": "bob", "jti": "t4"})));
    for token in [&one, &two, &later, &other] {
        bench.judge(token, |_| ()).await.unwrap();
    }
    let (issuer, subject) = ("https://id.example", "alice");
    bench.memory.revoke(&Revocation::Token { issuer: issuer.into(), jti: "t1".into() }, at(0));
    let revoked = "gateway-token-revoked revoked";
    assert_eq!(bench.verdict(&one, |_| ()).await, revoked);
    assert_eq!(bench.verdict(&two, |_| ()).await, "alice");
    bench.memory.revoke(&Revocation::Subject { issuer: issuer.into(), subject: subject.into() }, at(0));
    assert_eq!(bench.verdict(&two, |_| ()).await, revoked);
    assert_eq!(bench.verdict(&later, |_| ()).await, "alice", "issued after the revocation");
    assert_eq!(bench.verdict(&other, |_| ()).await, "bob");
}

#[tokio::test]
async fn a_new_bundle_forgets_no_revocation() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::new(vec![issuer(inline(&[&ec]))]);
    let token = ec.token(json!({}));
    let credential = bench.judge(&token, |_| ()).await.unwrap().proof.credential;
    bench.memory.revoke(&Revocation::Credential(credential), at(0));
    assert_eq!(bench.verdict(&token, |_| ()).await, "gateway-token-revoked revoked");
    let mut policy = bench.policy.clone();
    policy.cache.seconds = 61;
    let tokens = Tokens::of(&policy, &bench.memory).unwrap();
    let demand = Default::default();
    let fault = tokens.verify(presented(&token, &demand)).await.unwrap_err();
    assert_eq!(fault.rule, "gateway-token-revoked");
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::of(TokenPolicy {
        issuers: vec![issuer(inline(&[&ec]))],
        cache: TokenCache { entries: 64, negative_entries: 64, ..TokenCache::default() },
        ..TokenPolicy::default()
    });
    for turn in 0..400 {
        let token = ec.token(json!({"jti": turn.to_string()}));
        assert_eq!(bench.verdict(&token, |_| ()).await, "alice");
    }
    let known = bench.tokens.cache.len();
    assert!((16..=64).contains(&known), "{known}");
}

#[test]
fn services_of_a_bundle_share_one_value() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::new(vec![issuer(inline(&[&ec]))]);
    assert!(Arc::ptr_eq(&bench.tokens, &Tokens::of(&bench.policy, &bench.memory).unwrap()));
    let mut other = bench.policy.clone();
    other.issuers[0].audiences.push("b".into());
    assert!(!Arc::ptr_eq(&bench.tokens, &Tokens::of(&other, &bench.memory).unwrap()));
}
