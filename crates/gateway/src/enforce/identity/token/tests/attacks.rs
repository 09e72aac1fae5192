//! Every way to have a token believed that is known by a name, each with the rule that refuses it; and good tokens.

use aws_lc_rs::hmac;
use probity_model::bundle::identity::TokenPolicy;
use probity_model::bundle::identity::token::{
    ClaimMap, DecryptionKey, DecryptionKind, KeySource, SignatureAlgorithm,
};
use probity_model::principal::PrincipalKind;
use serde_json::{Value, json};

use super::super::jose::{decode, encode};
use super::super::{Memory, Tokens};
use super::support::{Bench, NOW_S, RSA, Signer, at, inline, issuer, merged, usual};

fn part(json: &Value) -> String {
    encode(json.to_string().as_bytes())
}

#[tokio::test]
async fn attacks_are_refused_by_name() {
    let (ec, ed, stranger) = (Signer::ec("ec-1"), Signer::ed("ed-1"), Signer::ec("ec-1"));
    let rsa = &*RSA;
    let bench = Bench::new(vec![issuer(inline(&[rsa, &ec, &ed]))]);
    let claims = usual();
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid, "typ": "JWT"});
    let unsigned =
        |alg: &str, signature: &str| format!("{}.{}.{signature}", part(&header(alg, "rsa-1")), part(&claims));
    // The public key, in the forms that confused verifiers have held it in, as the secret of an HMAC.
    let confused = |secret: &[u8]| {
        let message = format!("{}.{}", part(&header("HS256", "rsa-1")), part(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", encode(tag.as_ref()))
    };
    let with = |extra: Value| ec.sign(&merged(header("ES256", "ec-1"), extra), &claims);
    let named = |kid: &str| ec.sign(&header("ES256", kid), &claims);
    let good = ec.token(json!({}));
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let der = {
        // The same signature in the encoding of X.509.
        let raw = decode(signature.as_bytes()).unwrap();
        encode(&[&[0x30, 70, 2, 33, 0], &raw[..32], &[2, 33, 0], &raw[32..]].concat())
    };
    let paid = |payload: &[u8]| format!("{head}.{}.{signature}", encode(payload));
    let bomb = format!("{{\"a\":{}", "[".repeat(9_000));
    let modulus = rsa.public()["n"].as_str().unwrap().to_owned();
    let symmetric = "gateway-jwt-alg-symmetric symmetric";
    let unknown = "gateway-jwt-key-unknown unknown";
    let own_key = "gateway-jwt-key-in-header key";
    let mismatch = "gateway-jwt-key-mismatch other-kind-of-key";
    let invalid = "gateway-jwt-signature invalid";
    let encoding = "gateway-jwt-malformed not-base64url";
    let rows: Vec<(&str, String, &str)> = vec![
        ("good RS256", rsa.token(json!({})), "alice"),
        ("good ES256", good.clone(), "alice"),
        ("good EdDSA", ed.token(json!({})), "alice"),
        ("none", unsigned("none", ""), "gateway-jwt-alg-none none"),
        ("none in other letters", unsigned("NoNe", ""), "gateway-jwt-alg-none none"),
        ("none with a signature", unsigned("none", signature), "gateway-jwt-alg-none none"),
        ("no signature", unsigned("RS256", ""), invalid),
        ("key confusion, JWK", confused(rsa.jwk().to_string().as_bytes()), symmetric),
        ("key confusion, modulus", confused(modulus.as_bytes()), symmetric),
        (
            "algorithm not of this issuer",
            rsa.sign(&header("PS256", "rsa-1"), &claims),
            "gateway-jwt-alg-not-allowed PS256",
        ),
        ("another's signature", stranger.token(json!({})), invalid),
        ("another kind of key", named("rsa-1"), mismatch),
        ("RSA claimed for a curve's key", rsa.sign(&header("RS256", "ec-1"), &claims), mismatch),
        ("kid of a path", named("../../../../dev/null"), unknown),
        ("kid of SQL", named("x' UNION SELECT 'k"), unknown),
        ("kid of a URL", named("https://evil.example/k"), unknown),
        ("kid of a command", named("|touch x"), unknown),
        ("kid with NUL", named("ec-1\0"), "gateway-jwt-malformed unusable"),
        (
            "own key in the header",
            stranger.sign(&json!({"alg": "ES256", "jwk": stranger.public()}), &claims),
            own_key,
        ),
        ("jku", with(json!({"jku": "https://evil.example/jwks"})), own_key),
        ("x5u", with(json!({"x5u": "https://evil.example/chain"})), own_key),
        ("x5c", with(json!({"x5c": ["AAAA"]})), own_key),
        ("crit", with(json!({"crit": ["exp"]})), "gateway-jwt-crit not-understood"),
        ("crit b64", with(json!({"b64": false, "crit": ["b64"]})), "gateway-jwt-crit not-understood"),
        ("type of a proof", with(json!({"typ": "dpop+jwt"})), "gateway-jwt-type other-type"),
        ("type of a logout", with(json!({"typ": "logout+jwt"})), "gateway-jwt-type other-type"),
        ("full type", with(json!({"typ": "application/AT+JWT"})), "alice"),
        ("signature cut", format!("{head}.{payload}.{}", &signature[..80]), invalid),
        ("signature as DER", format!("{head}.{payload}.{der}"), invalid),
        ("signature of zeros", format!("{head}.{payload}.{}", encode(&[0; 64])), invalid),
        ("signature empty", format!("{head}.{payload}."), invalid),
        ("padding", format!("{head}.{payload}.{signature}=="), encoding),
        ("line end", format!("{head}.{payload}.{signature}\n"), encoding),
        ("payload of another", paid(merged(usual(), json!({"sub": "root"})).to_string().as_bytes()), invalid),
        ("payload no JSON", paid(b"x"), "gateway-jwt-malformed not-json"),
        ("payload a list", paid(b"[]"), "gateway-jwt-malformed not-an-object"),
        (
            "a claim twice",
            paid(br#"{"iss":"https://id.example","iss":"x"}"#),
            "gateway-jwt-malformed member-repeated",
        ),
        ("a bomb of lists", paid(bomb.as_bytes()), "gateway-jwt-malformed too-deep"),
        ("too long", ec.token(json!({"x": "y".repeat(16_000)})), "gateway-jwt-too-long too-long"),
        ("opaque", "mF_9.B5f-4.1JqM".into(), "gateway-token-not-accepted opaque"),
        ("empty", String::new(), "gateway-token-not-accepted opaque"),
        (
            "encrypted, no key for it",
            "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AA.AA.AA.AA".into(),
            "gateway-jwe-not-accepted no-key",
        ),
    ];
    for (name, token, expected) in rows {
        assert_eq!(bench.verdict(&token, |_| ()).await, expected, "{name}");
        // The same again, now that caches know it.
        assert_eq!(bench.verdict(&token, |_| ()).await, expected, "{name}, again");
    }
}

#[tokio::test]
async fn claims_must_hold() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::new(vec![issuer(inline(&[&ec]))]);
    let not_a_date = "gateway-jwt-claims not-a-date";
    for (change, expected) in [
        (json!({}), "alice"),
        (json!({"iss": "https://id.example/"}), "gateway-jwt-issuer unknown"),
        (json!({"iss": null}), "gateway-jwt-issuer missing"),
        (json!({"iss": ["https://id.example"]}), "gateway-jwt-issuer not-a-string"),
        (json!({"aud": null}), "gateway-jwt-audience missing"),
        (json!({"aud": "API"}), "gateway-jwt-audience other-audience"),
        (json!({"aud": ["other", "api"]}), "alice"),
        (json!({"aud": {"a": 1}}), "gateway-jwt-claims not-names"),
        (json!({"aud": [1]}), "gateway-jwt-claims not-names"),
        (json!({"exp": null}), "gateway-jwt-no-expiry missing"),
        (json!({"exp": NOW_S - 29}), "alice"),
        (json!({"exp": NOW_S - 30}), "gateway-jwt-expired expired"),
        (json!({"exp": 0}), "gateway-jwt-expired expired"),
        (json!({"exp": -1}), not_a_date),
        (json!({"exp": "1900000000"}), not_a_date),
        (json!({"exp": 1e300}), not_a_date),
        (json!({"exp": u64::MAX}), not_a_date),
        (json!({"exp": NOW_S as f64 + 0.5}), "alice"),
        (json!({"nbf": NOW_S + 30}), "alice"),
        (json!({"nbf": NOW_S + 31}), "gateway-jwt-not-yet-valid in-future"),
        (json!({"nbf": "now"}), not_a_date),
        (json!({"iat": NOW_S + 31}), "gateway-jwt-issued-in-future in-future"),
        (json!({"iat": null}), "alice"),
        (json!({"auth_time": NOW_S + 99}), "gateway-jwt-claims in-future"),
        (json!({"sub": null}), "web"),
        (json!({"sub": null, "client_id": null}), "gateway-jwt-claims missing"),
        (json!({"sub": 7}), "gateway-jwt-claims not-a-name"),
        (json!({"sub": ""}), "gateway-jwt-claims not-a-name"),
        (json!({"sub": "x".repeat(513)}), "gateway-jwt-claims not-a-name"),
        (json!({"roles": vec!["r"; 257]}), "gateway-jwt-claims not-names"),
        (json!({"scope": "s ".repeat(257)}), "gateway-jwt-claims too-many"),
        (json!({"cnf": {"jwk": {}}}), "gateway-token-confirmation not-understood"),
        (json!({"cnf": {}}), "gateway-token-confirmation not-understood"),
        (json!({"cnf": "x"}), "gateway-token-confirmation not-an-object"),
        (json!({"cnf": {"x5t#S256": "AAAA"}}), "gateway-token-confirmation not-a-digest"),
    ] {
        assert_eq!(bench.verdict(&ec.token(change.clone()), |_| ()).await, expected, "{change}");
    }
}

#[tokio::test]
async fn an_issuer_may_ask_for_more() {
    let (ec, ed) = (Signer::ec("ec-1"), Signer::ed("ed-1"));
    let mut strict = issuer(inline(&[&ec]));
    strict.types = vec!["at+jwt".into()];
    strict.max_lifetime_s = Some(400);
    strict.algorithms = vec![SignatureAlgorithm::ES256];
    let mut other = issuer(inline(&[&ed]));
    (other.name, other.issuer) = ("other".into(), "https://other.example".into());
    let bench = Bench::new(vec![strict, other]);
    let typed = |typ: Value| {
        let header = json!({"alg": "ES256", "kid": "ec-1", "typ": "x"});
        ec.sign(&merged(header, json!({"typ": typ})), &usual())
    };
    let of_other = json!({"iss": "https://other.example"});
    for (token, expected) in [
        (ec.token(json!({})), "alice"),
        (typed("JWT".into()), "gateway-jwt-type other-type"),
        (typed(Value::Null), "gateway-jwt-type missing"),
        (ec.token(json!({"iat": NOW_S - 101})), "gateway-jwt-lifetime too-long"),
        (ec.token(json!({"iat": null})), "gateway-jwt-lifetime missing"),
        // One issuer's key never signs for another.
        (ec.token(of_other.clone()), "gateway-jwt-key-unknown unknown"),
        (ed.token(json!({})), "gateway-jwt-alg-not-allowed EdDSA"),
        (ed.token(of_other), "alice"),
    ] {
        assert_eq!(bench.verdict(&token, |_| ()).await, expected);
    }
}

#[tokio::test]
async fn several_keys_want_a_name() {
    let (one, two) = (Signer::ec("a"), Signer::ec("b"));
    let unnamed = |signer: &Signer| signer.sign(&json!({"alg": "ES256"}), &usual());
    let bench = Bench::new(vec![issuer(inline(&[&one, &two]))]);
    assert_eq!(bench.verdict(&unnamed(&one), |_| ()).await, "gateway-jwt-kid-missing ambiguous");
    assert_eq!(bench.verdict(&one.token(json!({})), |_| ()).await, "alice");
    let bench = Bench::new(vec![issuer(inline(&[&one]))]);
    assert_eq!(bench.verdict(&unnamed(&one), |_| ()).await, "alice");
}

#[tokio::test]
async fn claims_become_a_principal() {
    let ec = Signer::ec("ec-1");
    let mut issuer = issuer(inline(&[&ec]));
    issuer.claims = ClaimMap {
        tenant: Some("org.id".into()),
        consumer: Some("https://x.example/consumer".into()),
        environment: Some("env".into()),
        attributes: vec!["department".into(), "org.region".into(), "absent".into()],
        ..ClaimMap::default()
    };
    let bench = Bench::new(vec![issuer]);
    let token = ec.token(json!({
        "roles": ["admin", "clerk"], "realm_access": {"roles": ["clerk", "auditor"]}, "groups": "staff",
        "scope": "read  write", "scp": ["read", "delete"], "org": {"id": "t-1", "region": {"eu": true}},
        "https://x.example/consumer": "acme", "env": "test", "department": 7, "secret": "no",
        "acr": "gold", "amr": ["pwd", "hwk"], "auth_time": NOW_S - 100,
    }));
    let principal = bench.judge(&token, |presented| presented.credential = Some([7; 16])).await.unwrap();
    let text = |names: &[std::sync::Arc<str>]| names.join(" ");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!((&*principal.issuer, &*principal.subject), ("https://id.example", "alice"));
    assert_eq!(text(&principal.roles), "admin clerk auditor staff");
    assert_eq!(text(&principal.scopes), "read write delete");
    assert_eq!(principal.tenant.as_deref(), Some("t-1"));
    assert_eq!(principal.consumer.as_deref(), Some("acme"));
    assert_eq!(
        serde_json::to_value(&principal.attributes).unwrap(),
        json!({"department": 7, "org.region": {"eu": true}})
    );
    let proof = &principal.proof;
    assert_eq!((proof.credential, proof.sender_constrained), ([7; 16], false));
    assert_eq!((proof.acr.as_deref(), text(&proof.amr)), (Some("gold"), "pwd hwk".into()));
    assert_eq!(proof.authenticated_at, Some(at(-100)));
    assert_eq!((proof.issued_at, proof.expires_at), (Some(at(-10)), Some(at(300))));
    assert_eq!(proof.environment.as_deref(), Some("test"));

    for (change, expected) in [
        (json!({}), PrincipalKind::User),
        (json!({"sub": "web"}), PrincipalKind::Service),
        (json!({"sub": null}), PrincipalKind::Service),
        (json!({"sub": "web@clients"}), PrincipalKind::Service),
        (json!({"idtyp": "app"}), PrincipalKind::Service),
        (json!({"gty": "client-credentials"}), PrincipalKind::Service),
        (json!({"client_id": null, "azp": "alice"}), PrincipalKind::Service),
    ] {
        let principal = bench.judge(&ec.token(change.clone()), |_| ()).await.unwrap();
        assert_eq!(principal.kind, expected, "{change}");
    }
}

#[test]
fn a_policy_that_cannot_be_kept_is_refused() {
    let check = |change: &dyn Fn(&mut TokenPolicy), expected: &str| {
        let ec = Signer::ec("ec-1");
        let mut policy = TokenPolicy { issuers: vec![issuer(inline(&[&ec]))], ..TokenPolicy::default() };
        change(&mut policy);
        let error = Tokens::of(&policy, &Memory::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        &|policy| policy.issuers[0].keys = KeySource::Inline("{}".into()),
        "issuer `main`: the keys given inline",
    );
    check(
        &|policy| policy.issuers[0].keys = KeySource::Url("http://id.example/jwks".into()),
        "is no usable address",
    );
    check(
        &|policy| {
            policy.issuers[0].keys = KeySource::Discovery;
            policy.issuers[0].ca_file = Some("/nonexistent".into());
        },
        "`/nonexistent` cannot be read",
    );
    check(
        &|policy| {
            let key = DecryptionKey { kid: None, kind: DecryptionKind::Rsa, secret: "k".into() };
            policy.issuers[0].decryption = vec![key];
        },
        "the secret `k` is not in the bundle",
    );
    check(&|policy| policy.issuers = vec![policy.issuers[0].clone(); 65], "65 issuers");
}

/// A good token with any one byte changed, cut or doubled is another token, and nobody signed it.
#[tokio::test]
async fn no_change_of_a_byte_is_believed() {
    let ec = Signer::ec("ec-1");
    let bench = Bench::new(vec![issuer(inline(&[&ec]))]);
    let good = ec.token(json!({}));
    for index in 0..good.len() {
        let changed = |with: &str| format!("{}{with}{}", &good[..index], &good[index + 1..]);
        let other = if &good[index..=index] == "A" { "B" } else { "A" };
        let twice = good[index..=index].repeat(2);
        for token in [changed(other), changed(""), changed(&twice), changed("."), changed("\u{e9}")] {
            if token != good {
                let verdict = bench.verdict(&token, |_| ()).await;
                assert!(verdict.starts_with("gateway-"), "{verdict} {token}");
            }
        }
    }
    assert_eq!(bench.verdict(&good, |_| ()).await, "alice");
}

#[test]
fn what_fuzzing_makes_up_is_not_believed() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    let part = || {
        prop_oneof![
            "[ -~]{0,80}",
            r#"\{("(alg|kid|typ|jwk|iss|exp|enc|epk)":("[ -~]{0,9}"|[0-9]{1,9}),?){0,5}\}"#
        ]
    };
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let mut runner = TestRunner::new(Config::with_cases(256));
    runner
        .run(&(part(), part(), bytes(), bytes(), part()), |(head, payload, signature, odd, set)| {
            let token =
                format!("{}.{}.{}", encode(head.as_bytes()), encode(payload.as_bytes()), encode(&signature));
            prop_assert!(!super::super::judge_hostile(token.as_bytes(), token.as_bytes(), set.as_bytes()));
            prop_assert!(!super::super::judge_hostile(&odd, token.as_bytes(), &odd));
            Ok(())
        })
        .unwrap();
}
