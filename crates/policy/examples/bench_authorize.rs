//! What one decision of attribute rules costs: `cargo run --release -p probity-policy --example bench_authorize`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench may fail loudly and prints its figures"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use probity_model::Timestamp;
use probity_model::exchange::CredentialScheme;
use probity_model::principal::{Principal, PrincipalKind, Proof};
use probity_policy::authorize::{AttributeRules, RequestView, Said};

const ROUNDS: u32 = 100_000;

const RULES: [(&str, &str); 2] = [
    (
        "one comparison",
        "package probity.authorization\n\nimport rego.v1\n\nallow if input.principal.attributes.patient_id == input.request.path.patientId\n",
    ),
    (
        "three rules",
        "package probity.authorization\n\nimport rego.v1\n\n\
         allow if input.principal.kind == \"user\"\n\n\
         deny contains {\"rule\": \"outside-ward\"} if {\n\t\"patients\" in input.request.tags\n\tnot input.request.headers[\"x-ward\"] in input.principal.attributes.wards\n}\n\n\
         deny contains {\"rule\": \"needs-mfa\"} if {\n\tinput.request.method != \"GET\"\n\tnot \"mfa\" in input.principal.amr\n}\n",
    ),
];

fn main() {
    let principal = Principal {
        kind: PrincipalKind::User,
        issuer: "https://issuer.example".into(),
        subject: "ada".into(),
        tenant: Some("north".into()),
        consumer: None,
        roles: vec!["staff".into(), "nurse".into()],
        scopes: vec!["read".into(), "write".into()],
        attributes: BTreeMap::from([
            ("patient_id".into(), "p-1".into()),
            ("wards".into(), serde_json::json!(["a", "b", "c"])),
        ]),
        proof: Proof {
            scheme: CredentialScheme::Bearer,
            credential: [0; 16],
            sender_constrained: false,
            acr: None,
            amr: Vec::new(),
            authenticated_at: None,
            issued_at: None,
            expires_at: None,
            environment: None,
        },
    };
    for (name, rego) in RULES {
        let rules = AttributeRules::compile([("bench.rego", rego)]).unwrap();
        let decide = || {
            let request = RequestView {
                method: "GET",
                template: "/patients/{patientId}",
                path: vec![("patientId", "p-1".to_owned())],
                query: vec![("limit".to_owned(), "20".to_owned())],
                headers: vec![("x-ward", "b")],
                client: "192.0.2.1".to_owned(),
                tags: vec!["patients"],
                classes: Vec::new(),
            };
            rules.judge(Some(&principal), &request, Timestamp(1_790_000_000_000_000))
        };
        assert_eq!(decide(), Ok(Said::Allow));
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            let _ = black_box(decide());
        }
        let us = begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
        println!(r#"{{"figure":"attribute rules, {name}","value":{us:.1},"unit":"us a decision"}}"#);
    }
}
